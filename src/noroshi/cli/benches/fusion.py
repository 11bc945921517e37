"""The `fusion` benchmark: several nations' evidence against one central filter that has all measurements.

Exact fusion: each nation says its own radar's rows (and, in another run, sums of them); lines delay, lose, repeat and
reorder them, relays pass them on, one nation is cut off for a minute. Intersection: pictures go round whose evidence
nobody can name, in free flight and after a manoeuvre. Beside it stands what must not be done, taking a received picture
for independent, and Stone Soup's ChernoffUpdater on the same pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noroshi.cli.benches.fusion_world import (
    CUT_S,
    EPOCH_NS,
    EVERY_S,
    LATENCY_S,
    LOSS,
    TRACKED_S,
    Scene,
    neighbours,
    rows_of,
    scene,
    spread,
)
from noroshi.cli.benches.report import Result, result
from noroshi.clock import NS_PER_S
from noroshi.errors import OperatorError
from noroshi.messages.canonical import encode
from noroshi.tracking import (
    EvidencePool,
    Foreign,
    Increment,
    InformationSum,
    Measurements,
    TrackFilter,
    Tracks,
    concatenate_tracks,
    estimate,
    find_biases,
    predict,
    sum_columns,
    sum_up,
    to_columns,
    warm,
)

Floats = NDArray[np.float64]

SHAPES = ("ring", "star", "mesh")
NODES = (3, 5, 8)
PIECES_PER_SUM = 3
"""A sum stands for a quarter of a minute of increments."""
LIVE_S = 120.0
EXCHANGE_S = 10
WITHIN = 0.05
TURN_S = 60.0
TURN_MPS2 = 20.0
FREE = 6.0
"""Degrees of freedom of position and velocity: what an honest mean normalised error squared is."""


@dataclass(frozen=True, slots=True)
class Size:
    """runs: of each network; rounds: of pictures that go round; peer: of these, with Stone Soup; honest: of sensors."""

    runs: int
    rounds: int
    peer: int
    honest: int


FULL = Size(runs=40, rounds=60, peer=20, honest=2000)
QUICK = Size(runs=1, rounds=6, peer=2, honest=20)
QUICK_ROUNDS = (("ring", 3), ("star", 5), ("mesh", 8))


@dataclass
class Score:
    """Squared position errors m^2, claimed ones, and normalised errors squared of position and velocity."""

    actual: list[float] = field(default_factory=list)
    claimed: list[float] = field(default_factory=list)
    normalised: list[float] = field(default_factory=list)

    def add(self, tracks: Tracks, truth: Floats) -> None:
        """One estimate, (1,), against the true state (6,) of its time."""
        error, cov = tracks.mean[0, :6] - truth, tracks.covariance[0, :6, :6]
        self.actual.append(float(error[:3] @ error[:3]))
        self.claimed.append(float(np.trace(cov[:3, :3])))
        self.normalised.append(float(error @ np.linalg.solve(cov, error)))

    @property
    def columns(self) -> tuple[list[float], list[float], list[float]]:
        """All three, run after run."""
        return self.actual, self.claimed, self.normalised

    @property
    def sizes(self) -> tuple[float, float, float]:
        """Root mean square error and claimed error, m, and the mean normalised error squared."""
        return (
            float(np.sqrt(np.mean(self.actual))),
            float(np.sqrt(np.mean(self.claimed))),
            float(np.mean(self.normalised)),
        )


def run(*, quick: bool, seed: int, progress: Callable[[str], None], size: Size | None = None) -> list[Result]:
    """All rows of the benchmark. Raises OperatorError when the peer is not installed."""
    try:
        peer_version = version("stonesoup")
    except ModuleNotFoundError:
        raise OperatorError(
            "run the benchmark",
            subject="fusion",
            cause="Stone Soup is not installed",
            hint="pip install noroshi[bench]",
        ) from None
    size = size or (QUICK if quick else FULL)
    warm()
    found: list[Result] = []
    for nodes in NODES:
        flown = scene(nodes)
        for shape in SHAPES:
            progress(f"fusion: {shape} of {nodes}, {size.runs} runs")
            found += _exact(shape, flown, size.runs, seed)
    nets = QUICK_ROUNDS if quick else tuple((shape, nodes) for nodes in NODES for shape in SHAPES)
    for what, turn in (("unknown provenance", False), ("after a manoeuvre flag", True)):
        for shape, nodes in nets:
            if turn and shape != "ring":
                continue
            progress(f"fusion: {what}, {shape} of {nodes}, {size.rounds} runs")
            found += _rounds(what, shape, nodes, size, seed, peer_version, turn)
    progress(f"fusion: {size.honest} runs of honest sensors")
    return found + [_honest(size.honest, seed)]


@dataclass(frozen=True)
class _Said:
    """What the nodes said in one run: pieces in order of time, who made each when, and the bytes of each."""

    pieces: list[Increment | InformationSum]
    made_s: list[float]
    maker: list[int]
    size_b: list[int]


def _exact(shape: str, flown: Scene, runs: int, seed: int) -> list[Result]:
    """Rows and sums over one network: against the central filter, in the end and while it goes on."""
    end_truth = flown.truth[-1]
    live = int(np.searchsorted(flown.time_s, LIVE_S, "right"))
    central, exact, summed, late, central_live = (Score() for _ in range(5))
    differ = 0
    agree_s, row_bytes, sum_bytes = list[float](), list[float](), list[float]()
    for number in range(runs):
        rng = np.random.default_rng([seed, number, flown.nodes, SHAPES.index(shape)])
        rows = rows_of(flown, rng)
        whole = estimate(rows)
        central.add(whole, end_truth)
        central_live.add(estimate(rows[:live]), flown.truth[live - 1])
        for form in ("rows", "sums"):
            said = _said(flown, rows, form)
            passed = spread(said.made_s, said.maker, neighbours(shape, flown.nodes), rng)
            total = float(np.dot(passed.sent, said.size_b)) / flown.nodes / (TRACKED_S / 60)
            (row_bytes if form == "rows" else sum_bytes).append(total)
            for node in range(flown.nodes) if form == "rows" else (0, flown.nodes - 1):
                pool = EvidencePool()
                told = False
                for at, piece in passed.arrivals[node]:
                    if form == "rows" and not told and at > LIVE_S:
                        told = True
                        _add_live(late, pool, flown, live)
                    pool.take(said.pieces[piece])
                fused = pool.fused()
                assert fused is not None
                if form == "rows":
                    differ += fused.tracks != whole
                    exact.add(fused.tracks, end_truth)
                else:
                    summed.add(fused.tracks, end_truth)
            if form == "rows":
                agree_s.append(_agreed(said, passed.arrivals))
    name = f"{shape} of {flown.nodes}"
    error, claims, _ = central.sizes
    normalised = exact.sizes[2]
    limit = _band(runs)
    one = result_of("fusion", name, runs)
    found = [
        one(
            "rows: nodes whose result is not the central one to the last bit",
            differ,
            "nodes",
            "none",
            differ == 0,
        )
    ]
    for form, score in (("rows", exact), ("sums", summed)):
        for what, ratio in (("error", score.sizes[0] / error), ("claimed", score.sizes[1] / claims)):
            found.append(one(f"{form}: {what} over central", ratio, "ratio", "0.95 to 1.05", _near(ratio)))
    live_error = late.sizes[0] / central_live.sizes[0]
    return [
        *found,
        one(
            "mean normalised error squared, 6 is honest",
            normalised,
            "",
            f"at most {limit:.2f}",
            normalised <= limit,
        ),
        one("in the middle, rows on their way: error over central", live_error, "ratio", "", None),
        result("fusion", f"{name}: rows, bytes a node sends in a track-minute", row_bytes, "B"),
        result("fusion", f"{name}: sums, bytes a node sends in a track-minute", sum_bytes, "B"),
        result("fusion", f"{name}: agreed again after the cut of {CUT_S[1] - CUT_S[0]:.0f} s", agree_s, "s"),
    ]


def result_of(name: str, case: str, runs: int) -> Callable[[str, float, str, str, bool | None], Result]:
    """A maker of rows that have one value for all runs together."""

    def made(measure: str, value: float, unit: str, must: str, held: bool | None) -> Result:
        return Result(
            name=name,
            measure=f"{case}: {measure}",
            value=float(value),
            unit=unit,
            runs=runs,
            low=float(value),
            high=float(value),
            must=must,
            held=held,
        )

    return made


def _near(ratio: float) -> bool:
    return 1 - WITHIN <= ratio <= 1 + WITHIN


def _band(runs: int) -> float:
    """Upper end of the 95 % band of the mean of `runs` honest normalised errors squared."""
    from scipy.stats import chi2

    return float(chi2.ppf(0.975, FREE * runs) / runs)


def _add_live(late: Score, pool: EvidencePool, flown: Scene, live: int) -> None:
    """The picture that a node has in the middle, taken to the time of the central one; none if it has nothing yet."""
    fused = pool.fused()
    if fused is not None:
        at_ns = EPOCH_NS + round(flown.time_s[live - 1] * NS_PER_S)
        late.add(predict(fused.tracks, max(at_ns, int(fused.tracks.time_ns[0]))), flown.truth[live - 1])


def _said(flown: Scene, rows: Measurements, form: str) -> _Said:
    """What each node says of its own radar: rows every few seconds, or sums of a few such increments."""
    made: list[tuple[float, int, Increment | InformationSum, int]] = []
    step = EVERY_S * (1 if form == "rows" else PIECES_PER_SUM)
    for node in range(flown.nodes):
        track = TrackFilter()
        number = 0
        for begin in np.arange(0.0, TRACKED_S + step, step):
            mine = (flown.node == node) & (flown.time_s >= begin) & (flown.time_s < begin + step)
            if not mine.any():
                continue
            part, at = rows[mine], float(min(begin + step, TRACKED_S))
            piece: Increment | InformationSum
            if form == "rows":
                number += 1
                piece = Increment(str(node), "radar", number, part)
                body: dict[str, Any] = {
                    "origin": str(node),
                    "source": "radar",
                    "sequence": number,
                    **to_columns(part),
                }
            else:
                track.add(part)
                first, number = number + 1, number + PIECES_PER_SUM
                piece = sum_up(part, track.tracks, origin=str(node), source="radar", first=first, last=number)
                body = sum_columns(piece)
            made.append((at, node, piece, len(encode(body))))
    made.sort(key=lambda one: one[:2])
    return _Said([m[2] for m in made], [m[0] for m in made], [m[1] for m in made], [m[3] for m in made])


def _agreed(said: _Said, arrivals: list[list[tuple[float, int]]]) -> float:
    """Seconds after the lines are back until every node has all that was said before then."""
    before = {piece for piece, at in enumerate(said.made_s) if at <= CUT_S[1]}
    latest = 0.0
    for heard in arrivals:
        first: dict[int, float] = {}
        for at, piece in heard:
            first.setdefault(piece, at)
        latest = max(latest, max(first[piece] for piece in before))
    return max(0.0, latest - CUT_S[1])


Rule = Callable[[Tracks], Tracks]


def _rounds(
    what: str, shape: str, nodes: int, size: Size, seed: int, peer_version: str, turn: bool
) -> list[Result]:
    """Pictures without their evidence go round: each node joins its own radar's track and what it last received."""
    rules: dict[str, Rule | None] = {
        "intersection": None,
        "independent": _as_independent,
        "chernoff": _chernoff(),
    }
    scores = {name: Score() for name in rules}
    used, scored = list[float](), 0
    for number in range(size.rounds):
        flown = _flown(nodes, turn, np.random.default_rng([seed, number, 7]))
        for name, rule in rules.items():
            if name == "chernoff" and number >= size.peer:
                continue
            rng = np.random.default_rng([seed, number, nodes])
            seen = _round(flown, rows_of(flown, rng), neighbours(shape, nodes), rule, rng, scores[name], turn)
            if name == "intersection":
                used.append(seen)
                if number + 1 == min(size.peer, size.rounds):
                    scored = len(scores[name].actual)
    actual, claimed, normalised = scores["intersection"].sizes
    wrong = scores["independent"].sizes
    peer = scores["chernoff"].sizes
    same_runs = Score(*(column[:scored] for column in scores["intersection"].columns)).sizes
    one = result_of("fusion", f"{what}, {shape} of {nodes}", size.rounds)
    limit = _band(size.rounds)
    rows = [
        one("intersection, mean normalised error squared", normalised, "", f"at most {limit:.2f}", normalised <= limit),
        one("intersection, claimed over actual error", claimed / actual, "ratio", "at most 2", claimed / actual <= 2),
        one("taken as independent (must not be done), mean normalised error squared", wrong[2], "", "", None),
        one("taken as independent, claimed over actual error", wrong[1] / wrong[0], "ratio", "", None),
    ]  # fmt: skip
    beside = result(
        "fusion",
        f"{what}, {shape} of {nodes}: intersection, error in the peer's runs",
        [same_runs[0]],
        "m",
        peer="Stone Soup ChernoffUpdater",
        peer_version=peer_version,
        peer_values=[peer[0]],
    )
    rows.append(beside)
    rows.append(one("Stone Soup ChernoffUpdater, mean normalised error squared", peer[2], "", "", None))
    if turn:
        rows.append(
            one(
                "pictures that have the flag (only those are scored)", float(np.mean(used)), "share", "", None
            )
        )
    return rows


def _flown(nodes: int, turn: bool, rng: np.random.Generator) -> Scene:
    if not turn:
        return scene(nodes)
    way = rng.standard_normal(3)
    return scene(nodes, turn_s=TURN_S, turn_mps2=TURN_MPS2 * way / np.linalg.norm(way))


def _round(
    flown: Scene,
    rows: Measurements,
    lines: list[list[int]],
    rule: Rule | None,
    rng: np.random.Generator,
    score: Score,
    flagged: bool,
) -> float:
    """Plays one run up to LIVE_S; scores every node's last picture, or those with the flag. Gives the share with it.

    rule: None for what noroshi does.
    """
    pools = [EvidencePool() for _ in lines]
    heard: list[dict[int, Tracks]] = [{} for _ in lines]
    wire: list[tuple[float, int, int, Tracks]] = []
    begin, pictures = 0, list[Tracks | None]()
    for number, now in enumerate(range(EXCHANGE_S, int(LIVE_S) + 1, EXCHANGE_S), start=1):
        end = int(np.searchsorted(flown.time_s, now, "right"))
        for node, pool in enumerate(pools):
            mine = np.flatnonzero(flown.node[begin:end] == node) + begin
            pool.take(Increment(str(node), "radar", number, rows[mine]))
        begin = end
        for at, to, sender, picture in sorted(wire, key=lambda one: one[:3]):
            if at <= now:
                before = heard[to].get(sender)
                if before is None or before.time_ns[0] < picture.time_ns[0]:
                    heard[to][sender] = picture
        wire = [one for one in wire if one[0] > now]
        pictures = [_picture(pools[n], heard[n], rule) for n in range(len(lines))]
        for node, made in enumerate(pictures):
            for other in lines[node]:
                if made is not None and rng.random() >= LOSS:
                    wire.append((now + float(rng.uniform(*LATENCY_S)), other, node, made))
    told = [made for made in pictures if made is not None]
    for made in told:
        if not flagged or not made.free[0]:
            k = int(np.searchsorted(flown.time_s, (int(made.time_ns[0]) - EPOCH_NS) / NS_PER_S + 1e-6)) - 1
            score.add(made, flown.truth[k])
    return float(np.mean([not made.free[0] for made in told]))


def _picture(pool: EvidencePool, heard: dict[int, Tracks], rule: Rule | None) -> Tracks | None:
    """A node's picture, of the time of its last row or of what it heard."""
    if rule is None:
        fused = pool.fused(foreign=[Foreign(str(sender), heard[sender]) for sender in sorted(heard)])
        return fused.tracks if fused is not None else None
    own = pool.fused()
    parts = ([own.tracks] if own is not None else []) + [heard[sender] for sender in sorted(heard)]
    return rule(concatenate_tracks(parts)) if parts else None


def _as_independent(parts: Tracks) -> Tracks:
    """What must not be done: all taken as independent."""
    parts = predict(parts, int(parts.time_ns.max()))
    information = np.linalg.inv(parts.covariance)
    covariance = np.linalg.inv(information.sum(axis=0))
    base = parts.mean[0]
    mean = base + covariance @ np.einsum("nij,nj->i", information, parts.mean - base)
    return _replaced(parts, mean, (covariance + covariance.T) / 2)


def _replaced(parts: Tracks, mean: Floats, covariance: Floats) -> Tracks:
    return replace(parts[:1], mean=mean[None], covariance=covariance[None])


def _chernoff() -> Rule:
    """Stone Soup's covariance intersection, weight 0.5, its default, of one picture after the other."""
    from stonesoup.models.measurement.linear import LinearGaussian
    from stonesoup.types.array import CovarianceMatrix, StateVector
    from stonesoup.types.detection import GaussianDetection
    from stonesoup.types.hypothesis import SingleHypothesis
    from stonesoup.types.prediction import GaussianStatePrediction
    from stonesoup.updater.chernoff import ChernoffUpdater

    updater = ChernoffUpdater(measurement_model=None)
    size = 7

    def rule(parts: Tracks) -> Tracks:
        parts = predict(parts, int(parts.time_ns.max()))
        when = datetime(2030, 1, 1, tzinfo=UTC)
        mean, covariance = parts.mean[0], parts.covariance[0]
        for k in range(1, len(parts)):
            model = LinearGaussian(size, tuple(range(size)), parts.covariance[k])
            got = GaussianDetection(
                StateVector(parts.mean[k]), parts.covariance[k], timestamp=when, measurement_model=model
            )
            own = GaussianStatePrediction(StateVector(mean), CovarianceMatrix(covariance), timestamp=when)
            made = updater.update(SingleHypothesis(own, got))
            mean = np.asarray(made.state_vector, float).ravel()
            covariance = np.asarray(made.covar, float)
            covariance = (covariance + covariance.T) / 2
        return _replaced(parts, mean, covariance)

    return rule


def _honest(runs: int, seed: int) -> Result:
    """How often honest sensors are said to be off: three radars, a minute of one object."""
    flown = scene(3)
    upto = int(np.searchsorted(flown.time_s, 60.0, "right"))
    accused = 0
    for number in range(runs):
        rows = rows_of(flown, np.random.default_rng([seed, number, 11]))[:upto]
        accused += bool(find_biases(rows, flown.node[:upto], np.zeros(upto, np.int64)))
    one = result_of("fusion", "three honest sensors", runs)
    return one(
        "runs with a bias found that is not there",
        accused,
        "runs",
        "under 1 in 1,000",
        accused * 1000 < runs or not accused,
    )

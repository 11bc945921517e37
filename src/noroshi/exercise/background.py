"""The background of an alarm system: benign alarms and test launches by the day, and what true events wait in between.

A scenario with a `background` is a study, not one play: its days are drawn by the seed, and each alarm, launch and
true event among them is played on real nodes for its own minutes. Between them nothing runs, so that months cost
seconds. What a notice may explain is played twice: with the partners' notices, and without. Modelled persons agree
with whatever is put before them, so false warnings and alerts are the most that there can be. An object that is seen
for longer than the watch's patience and that nothing explains leads to first precautions, and so does every warning:
this is what notices spare. A true event hidden beneath one is warned of as if there were none, and the study says
whether that is so.

    plan = episodes(scenario, seed)
    one = staged(scenario, plan[0], with_notices=True)              # an ordinary scenario, to be played and read
    document = report(scenario.background, plan, outcomes)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, exp
from statistics import median
from typing import Any, Literal

import msgspec

from noroshi.clock import NS_PER_S
from noroshi.exercise.background_parts import Background, BenignAlarm, Launch
from noroshi.exercise.draws import entropy, uniform
from noroshi.exercise.injects import SensorDown
from noroshi.exercise.scenario import Scenario, World
from noroshi.exercise.varying import varied
from noroshi.messages.bodies import AlertBody, WarningBody
from noroshi.review import Log

DAYS_A_YEAR = 365.25

MOST_A_DAY = 50
"""Episodes of one kind drawn for one day: more than any rate that the file may name gives."""

AFTER_S = 60.0
"""A benign alarm is played for so long after it was last seen: what people have begun by then they finish."""

Kind = Literal["benign", "launch", "true"]


@dataclass(frozen=True, slots=True)
class Episode:
    """One alarm, launch or true event. number: dense in its study, and what its draws are keyed by; day: when.

    sensors: those that see it, all if empty; until_s: for how long after its launch they do, to the end if 0. notice:
    the inject that announces it, if anybody did.
    """

    number: int
    day: float
    kind: Kind
    flight: str
    sensors: tuple[str, ...] = ()
    until_s: float = 0.0
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an episode led to at the partner's node, s from its first evidence, None where it never came. seen_s: for how
    long it was seen.
    """

    seen_s: float
    carried_s: float | None
    warned_s: float | None
    confirmed_s: float | None
    alerted_s: float | None


def episodes(scenario: Scenario, seed: int) -> tuple[Episode, ...]:
    """All episodes of the study with this seed, by their day."""
    background = scenario.background
    assert background is not None  # the caller has asked
    key = entropy(seed, scenario.realm)
    found: list[tuple[float, Kind, BenignAlarm | Launch, bool]] = []
    for day in _days(key, "benign", background.benign_per_day, background.days):
        found.append((day, "benign", _pick(key, background.benign, "which", day), False))
    for day in _days(key, "launch", background.launches_per_week / 7.0, background.days):
        told = uniform(key, "background", "notified", str(day)) < background.notified_share
        found.append((day, "launch", _pick(key, background.launches, "which", day), told))
    for index, true in enumerate(background.trues):
        for hidden in (False, True):
            day = uniform(key, "background", "true", str(index), str(hidden)) * background.days
            found.append((day, "true", true, hidden))
    return tuple(
        _episode(key, number, row) for number, row in enumerate(sorted(found, key=lambda one: one[:2]))
    )


def _episode(key: bytes, number: int, row: tuple[float, Kind, BenignAlarm | Launch, bool]) -> Episode:
    day, kind, what, told = row
    if isinstance(what, BenignAlarm):
        share = uniform(key, "background", "until", str(number))
        until_s = what.least_s + (what.most_s - what.least_s) * share
        return Episode(number, day, kind, what.flight, what.sensors, until_s)
    return Episode(number, day, kind, what.flight, notice=what.notice if told else "")


def _days(key: bytes, what: str, per_day: float, days: float) -> list[float]:
    """Days at which something happens that comes so often, by chance and not by the clock."""
    found: list[float] = []
    for day in range(ceil(days)):
        share, chance, count = uniform(key, "background", what, str(day)), exp(-per_day), 0
        total = chance
        while share > total and count < MOST_A_DAY:
            count += 1
            chance *= per_day / count
            total += chance
        found += [day + uniform(key, "background", what, str(day), str(one)) for one in range(count)]
    return [at for at in found if at < days]


def _pick(key: bytes, among: Sequence[Any], *parts: object) -> Any:
    return among[min(int(uniform(key, "background", *map(str, parts)) * len(among)), len(among) - 1)]


def staged(scenario: Scenario, episode: Episode, seed: int, *, with_notices: bool) -> tuple[Scenario, int]:
    """An episode as a scenario of its own, and the seed to play it with; the same with and without notices."""
    background = scenario.background
    assert background is not None
    own_seed = (seed * 10_007 + episode.number + 1) % (1 << 53)
    whole = varied(scenario, own_seed)
    told = bool(episode.notice) and with_notices
    flight = next(one for one in whole.world.flights if one.id == episode.flight)
    notices = {one.notice for one in (*background.launches, *background.trues)}
    injects = [one for one in whole.injects if one.id not in notices or (told and one.id == episode.notice)]
    sensors = tuple(one for one in whole.sensors if not episode.sensors or one.id in episode.sensors)
    duration_s = whole.duration_s
    if episode.until_s:
        at_s = flight.launch_s + episode.until_s
        duration_s = min(duration_s, at_s + AFTER_S)
        injects += [SensorDown(id=f"gone-{one.id}", at_s=at_s, sensor=one.id) for one in sensors]
    one = msgspec.structs.replace(
        whole,
        world=World(flights=(flight,)),
        sensors=sensors,
        duration_s=duration_s,
        injects=tuple(injects),
        expectations=(),
        background=None,
    )
    return one, own_seed


def outcome(background: Background, logs: Sequence[Log]) -> Outcome:
    """What the partner's log says of one episode."""
    log = next(one for one in logs if one.partner == background.partner)
    times = [one.now_ns for one in log.entries if one.type == "detections" and one.accepted]
    first = times[0] if times else None
    carried = warned = confirmed = alerted = None
    for entry in log.entries:
        body = entry.body
        if (
            entry.type == "note"
            and entry.fields.get("about") == "notice"
            and entry.fields["step"] == "attached"
        ):
            carried = carried or entry.now_ns
        if entry.type != "message":
            continue
        if isinstance(body, WarningBody) and body.state != "ended":
            warned = warned or entry.now_ns
            if body.basis == "confirmed":
                confirmed = confirmed or entry.now_ns
        elif isinstance(body, AlertBody) and body.unit == background.unit and body.type != "Cancel":
            alerted = alerted or entry.now_ns

    def since(at_ns: int | None) -> float | None:
        return None if at_ns is None or first is None else (at_ns - first) / NS_PER_S

    return Outcome(
        since(times[-1] if times else None) or 0.0,
        since(carried),
        since(warned),
        since(confirmed),
        since(alerted),
    )


def report(
    background: Background, plan: Sequence[Episode], found: Mapping[tuple[int, bool], Outcome]
) -> dict[str, Any]:
    """The study as plain data. found: outcomes by episode and by whether there were notices; both where it matters."""
    return {
        "days": background.days,
        "with_notices": _arm(background, plan, found, with_notices=True),
        "without_notices": _arm(background, plan, found, with_notices=False),
    }


def _arm(
    background: Background,
    plan: Sequence[Episode],
    found: Mapping[tuple[int, bool], Outcome],
    *,
    with_notices: bool,
) -> dict[str, Any]:
    rows = [(one, found[one.number, with_notices and bool(one.notice)]) for one in plan]
    false = [row for row in rows if row[0].kind != "true"]
    true = [row for row in rows if row[0].kind == "true"]
    return {
        "benign_alarms": sum(one.kind == "benign" for one, _ in false),
        "test_launches": sum(one.kind == "launch" for one, _ in false),
        "announced": sum(one.kind == "launch" and bool(one.notice) for one, _ in false)
        if with_notices
        else 0,
        "explained": sum(result.carried_s is not None for _, result in false),
        "precautions": sum(_alarming(background, result) for _, result in false),
        "false_warnings": sum(result.warned_s is not None for _, result in false),
        "false_alerts": sum(result.alerted_s is not None for _, result in false),
        "false_of": len(false),
        "true_events": len(true),
        "true_missed": sum(result.warned_s is None for _, result in true),
        "true_warned_s": [result.warned_s for _, result in true],
        "true_alerted_s": [result.alerted_s for _, result in true],
    }


def _alarming(background: Background, result: Outcome) -> bool:
    """Whether a watch takes first precautions: a warning, or something that stays and that nothing explains."""
    stays = result.seen_s > background.patience_s
    return result.warned_s is not None or (stays and result.carried_s is None)


def judged(background: Background, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the study must show, each with what was found, as expectations of a run."""
    told, alone = document["with_notices"], document["without_notices"]
    missed = told["true_missed"] + alone["true_missed"]
    late = _later(told["true_warned_s"], alone["true_warned_s"])
    return [
        {
            "id": "no-true-event-missed",
            "met": missed == 0,
            "detail": f"{missed} of {told['true_events'] + alone['true_events']} true events were not warned of",
            "cites": [],
        },
        {
            "id": "notices-spare-false-escalations",
            "met": told["precautions"] <= alone["precautions"],
            "detail": f"of {told['false_of']} alarms and launches: precautions at {told['precautions']} with notices,"
            f" {alone['precautions']} without; false warnings {told['false_warnings']} and {alone['false_warnings']}, "
            f"public alerts {told['false_alerts']} and {alone['false_alerts']}",
            "cites": [],
        },
        {
            "id": "true-event-delay",
            "met": late is not None and late <= background.most_delay_s,
            "detail": "no true event was warned of in both"
            if late is None
            else f"beneath a notice a true event was warned of up to {late:.1f} s later; "
            f"{background.most_delay_s:g} s allowed",
            "cites": [],
        },
    ]


def cost_rows(background: Background, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the notices cost each true event, in the form of other costs of a run."""
    told, alone = document["with_notices"], document["without_notices"]
    rows = []
    for measure, field in (("first-warning", "true_warned_s"), ("public-alert", "true_alerted_s")):
        for took, spared in zip(told[field], alone[field], strict=True):
            delay = None if took is None or spared is None else round(took - spared, 3)
            missed = took is None and spared is not None
            rows.append(
                {
                    "id": f"true-event-{measure}",
                    "rule": "R7",
                    "measure": measure,
                    "with": None if took is None else round(took, 3),
                    "without": None if spared is None else round(spared, 3),
                    "delay": delay,
                    "missed": missed,
                }
            )
    return rows


def together(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Many studies as one: counts added, rates by the year, times of true events in their middle and at their worst."""
    days = sum(one["days"] for one in documents)
    whole: dict[str, Any] = {"days": days}
    for arm in ("with_notices", "without_notices"):
        rows = [one[arm] for one in documents]
        counts = {name: sum(row[name] for row in rows) for name in rows[0] if isinstance(rows[0][name], int)}
        whole[arm] = {
            **counts,
            "precautions_a_year": round(counts["precautions"] * DAYS_A_YEAR / days, 3),
            "false_warnings_a_year": round(counts["false_warnings"] * DAYS_A_YEAR / days, 3),
            "false_alerts_a_year": round(counts["false_alerts"] * DAYS_A_YEAR / days, 3),
            "true_warned_s": _spread([at for row in rows for at in row["true_warned_s"]]),
            "true_alerted_s": _spread([at for row in rows for at in row["true_alerted_s"]]),
        }
    return whole


def _spread(times: Sequence[float | None]) -> dict[str, float | None]:
    known = sorted(at for at in times if at is not None)
    if not known:
        return {"median": None, "least": None, "most": None}
    return {"median": round(median(known), 3), "least": round(known[0], 3), "most": round(known[-1], 3)}


def _later(told: Sequence[float | None], alone: Sequence[float | None]) -> float | None:
    pairs = [
        (one, other) for one, other in zip(told, alone, strict=True) if one is not None and other is not None
    ]
    return max((one - other for one, other in pairs), default=None)

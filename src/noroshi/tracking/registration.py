"""Registration: which sensor measures beside the truth, or has a clock that is off, found by holding sensors together.

Each object's rows are linearised about one free-fall arc for all its sensors; the arc is eliminated, and what is left
are normal equations over the biases of the sensors alone: range, azimuth, elevation and clock of each. A bias is found
where its score stands out of what noise and the sensors' own stated bias can do. One sensor alone says nothing about
itself: an arc turned about it falls as freely. Nor do several that are all wrong alike.

    found = find_biases(rows, sensor, object_, {1: "JPN", 2: "KOR"})
    rows = corrected(rows, sensor, found)

Frames and signs: value is measured less true; a clock offset above 0 stamps rows too late. Sources: least-squares
registration of sensors over common tracks, Bar-Shalom, Willett and Tian 2011, section 9.6; score and likelihood-ratio
tests with nuisance parameters eliminated, Rao 1948.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import erfc, exp, pi, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.tracking.errors import MeasurementError
from noroshi.tracking.filtering import LN_BETA_MEAN, LN_BETA_SIGMA
from noroshi.tracking.measurements import (
    MAX_ANGLE_SIGMA_RAD,
    MAX_CLOCK_SIGMA_S,
    MAX_RANGE_SIGMA_M,
    RADAR,
    Measurements,
    trusted,
)
from noroshi.tracking.own_arcs import MAX_ROWS, MIN_ROWS, Pair, bias_effect, loose, own_arc
from noroshi.tracking.tracklets import lines, solved
from noroshi.tracking.tracks import SIZE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Kind = Literal["range-bias", "azimuth-bias", "elevation-bias", "clock-offset"]

KINDS: tuple[Kind, ...] = ("range-bias", "azimuth-bias", "elevation-bias", "clock-offset")
UNITS = ("m", "rad", "rad", "s")
BIASES = len(KINDS)

FALSE_PER_RUN = 1e-4
"""Chance that honest sensors are accused in one run, over all that is tested in it: a tenth of what is allowed, as
linearising and rows that are not quite normal cost something."""

DECISIVE = 20.0
"""The best that another sensor's biases explain must be this much less (of chi-square, after the price of each) for that
sensor to be out of question: odds of 20,000 to one."""

PASSES = 3
"""Times the equations are laid again about biases that were found; a second of clock moves them by 1e-3 of itself."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sensor's bias. sensor, partner: whose; value: measured less true, in `unit`; sigma: of the value, the sensors'
    stated biases counted in; significance: value over sigma; rivals: sensors that may be the wrong one instead (empty:
    this one is); sentence: all that for a person; or_kinds: what else of the same sensor would explain the rows as well
    in the place of this, and its value, as an azimuth does for a clock where all objects cross its sight alike.
    """

    sensor: int
    partner: str
    kind: Kind
    value: float
    unit: str
    sigma: float
    significance: float
    rivals: tuple[int, ...]
    sentence: str
    or_kinds: tuple[tuple[Kind, float], ...] = ()


def find_biases(
    rows: Measurements,
    sensor: Ints,
    object_: Ints,
    partners: Mapping[int, str] | Sequence[str] | None = None,
    names: Mapping[int, str] | Sequence[str] | None = None,
) -> tuple[Finding, ...]:
    """Sensors that measure beside the others, most significant first; nothing where nothing can be said.

    sensor, object_ (m,) int64: numbers of each row's sensor and object (-1: of none, not used); partners, names: of the
    sensors, by number, for the sentences. Sensors that share no object are not compared. Of two sensors alone either
    may be wrong: both are named, each with what it would be. Raises MeasurementError where the columns differ in length.
    """
    if not len(rows) == len(sensor) == len(object_):
        raise MeasurementError("rows, sensor and object must have one length")
    partners, names = _by_number(partners), _by_number(names)
    found: list[Finding] = []
    for group in _groups(_pairs(rows, np.asarray(sensor, np.int64), np.asarray(object_, np.int64))):
        found += _Search(group).findings(partners, names)
    return tuple(sorted(found, key=lambda one: (-one.significance, one.sensor, one.kind)))


def corrected(rows: Measurements, sensor: Ints, findings: Sequence[Finding]) -> Measurements:
    """The rows with found biases taken out, and what stays uncertain of them in `bias_sigma` and `clock_sigma_s`.

    A finding with rivals is not taken out, since it may be another's: its whole size becomes uncertainty, for it and for
    the rivals' own findings alike. Clock: what stays is a constant of all rows, which `clock_sigma_s` takes as
    independent from row to row.
    """
    times, value = rows.time_ns.copy(), rows.value.copy()
    bias, clock = np.square(rows.bias_sigma), np.square(rows.clock_sigma_s)
    for one in findings:
        mine = np.asarray(sensor) == one.sensor
        off = 0.0 if one.rivals else one.value
        spread = one.sigma**2 + (one.value**2 if one.rivals else 0.0)
        axis = KINDS.index(one.kind)
        if axis == 3:
            times[mine] -= round(off * NS_PER_S)
            clock[mine] += spread
        else:
            radar = mine & (rows.model == RADAR) if axis == 0 else mine
            value[radar, axis] -= off
            bias[radar, axis] += spread
    value = _possible(rows, value)
    limits = np.array([MAX_RANGE_SIGMA_M, MAX_ANGLE_SIGMA_RAD, MAX_ANGLE_SIGMA_RAD])
    return trusted(
        np.maximum(times, 0),
        rows.model,
        rows.site_m,
        value,
        rows.sigma,
        np.minimum(np.sqrt(clock), MAX_CLOCK_SIGMA_S),
        rows.rate,
        np.minimum(np.sqrt(bias), limits),
    )


def _by_number(given: Mapping[int, str] | Sequence[str] | None) -> Mapping[int, str]:
    return given if isinstance(given, Mapping) else dict(enumerate(given or ()))


def _possible(rows: Measurements, value: Floats) -> Floats:
    """Corrected values that are still values: a range above 0, angles within their turns."""
    radar = rows.model == RADAR
    value[radar, 0] = np.maximum(value[radar, 0], 1.0)
    turned = np.abs(value[:, 1]) > 2 * np.pi
    value[turned, 1] = np.remainder(value[turned, 1], 2 * np.pi)
    value[:, 2] = np.clip(value[:, 2], -np.pi / 2, np.pi / 2)
    return value


def _pairs(rows: Measurements, sensor: Ints, object_: Ints) -> list[Pair]:
    """Rows by sensor and object, in order of time, thinned where there are too many."""
    made = []
    known = (sensor >= 0) & (object_ >= 0)
    order = np.flatnonzero(known)
    order = order[np.lexsort((rows.time_ns[order], object_[order], sensor[order]))]
    if not len(order):
        return []
    change = (np.diff(sensor[order]) != 0) | (np.diff(object_[order]) != 0)
    for part in np.split(order, np.flatnonzero(change) + 1):
        if len(part) > MAX_ROWS:
            part = part[np.linspace(0, len(part) - 1, MAX_ROWS).astype(np.int64)]
        if len(part) >= MIN_ROWS:
            made.append(Pair(int(sensor[part[0]]), int(object_[part[0]]), rows[part]))
    return made


def _groups(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Pairs in groups of sensors that share objects, directly or through others; only groups of two sensors or more."""
    seen: dict[int, set[int]] = {}
    for pair in pairs:
        seen.setdefault(pair.object, set()).add(pair.sensor)
    parts: list[set[int]] = []
    for sensors in seen.values():
        touching = [part for part in parts if part & sensors]
        parts = [part for part in parts if not part & sensors] + [set().union(sensors, *touching)]
    groups = []
    for part in sorted(parts, key=min):
        if len(part) > 1:
            shared = [pair for pair in pairs if pair.sensor in part and len(seen[pair.object]) > 1]
            groups.append(shared)
    return groups


class _Search:
    """The search in one group of sensors. Guards: the arcs, and the biases found so far, at which all is linearised."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = list(pairs)
        self.arcs: dict[int, Floats] = {}
        self.at_ns: dict[int, int] = {}
        self._begin()
        sensors = sorted({pair.sensor for pair in self.pairs})
        self.sensors = sensors
        self.place = {number: BIASES * k for k, number in enumerate(sensors)}
        self.price = 0.0
        self.found: Floats = np.zeros(BIASES * len(sensors))
        self.stated = np.zeros(BIASES * len(sensors))
        for pair in self.pairs:
            where = slice(self.place[pair.sensor], self.place[pair.sensor] + 3)
            self.stated[where] = np.maximum(self.stated[where], pair.rows.bias_sigma.max(axis=0))

    def _begin(self) -> None:
        """First arcs, and only pairs whose own rows fall freely, of objects that two sensors have."""
        kept: list[Pair] = []
        for number in sorted({pair.object for pair in self.pairs}):
            mine = [pair for pair in self.pairs if pair.object == number]
            mine.sort(key=lambda pair: (pair.rows.model[0] != RADAR, -len(pair.rows), pair.sensor))
            at_ns = min(int(pair.rows.time_ns[0]) for pair in mine)
            arcs = [(pair, *own_arc(pair, at_ns)) for pair in mine if pair.rows.model[0] == RADAR]
            good = [(pair, arc) for pair, arc, kept_rows in arcs if arc is not None and len(kept_rows.rows)]
            if not good:
                continue
            self.arcs[number], self.at_ns[number] = good[0][1], at_ns
            fitting = [kept_rows for _, arc, kept_rows in arcs if arc is not None]
            for pair in mine:
                if pair.rows.model[0] != RADAR:
                    arc, thinned = own_arc(pair, at_ns, good[0][1])
                    fitting += [thinned] if arc is not None else []
            kept += [pair for pair in fitting if len(pair.rows) >= MIN_ROWS]
        counts: dict[int, int] = {}
        for pair in kept:
            counts[pair.object] = counts.get(pair.object, 0) + 1
        self.pairs = [pair for pair in kept if counts[pair.object] > 1]

    def findings(self, partners: Mapping[int, str], names: Mapping[int, str]) -> list[Finding]:
        """All that stands out, most telling first."""
        if len(self.sensors) < 2:
            return []
        self.price = _threshold(FALSE_PER_RUN / len(self.found)) ** 2
        chosen: list[int] = []
        information, score = self._equations()
        for _ in range(len(self.sensors)):
            more = self._best(information, score, chosen)
            if not more:
                break
            chosen = sorted({*chosen, *more})
            for _ in range(PASSES):
                self.found[chosen] += _fit(information, score, chosen)[0]
                information, score = self._equations()
        whole = score + information @ self.found  # the score as it was before anything was taken out
        chosen = self._pruned(information, whole, chosen)
        if not chosen or not np.isfinite(self.found).all():
            return []
        return self._told(information, whole, chosen, partners, names)

    def _best(self, information: Floats, score: Floats, chosen: list[int]) -> tuple[int, ...]:
        """The biases of one sensor that explain most for their price, given those chosen; perhaps none."""
        left, rest = _given(information, score, chosen)
        found = [self._worth(left, rest, number, chosen) for number in self.sensors]
        gain, more = max(found, key=lambda one: one[0])
        return more if gain > 0 else ()

    def _worth(
        self, information: Floats, score: Floats, number: int, without: Sequence[int] = ()
    ) -> tuple[float, tuple[int, ...]]:
        """The best set of one sensor's biases: the chi-square that it explains less the price of each, and the set."""
        place = self.place[number]
        own = [k for k in range(place, place + BIASES) if k not in without and information[k, k] > 0]
        sets = [part for size in range(1, len(own) + 1) for part in combinations(own, size)]
        worth = [(_fit(information, score, part)[2] - self.price * len(part), part) for part in sets]
        return max(worth, key=lambda one: one[0], default=(-np.inf, ()))

    def _pruned(self, information: Floats, whole: Floats, chosen: list[int]) -> list[int]:
        """The chosen biases without those that the others have made needless."""
        while chosen:
            explained = _fit(information, whole, chosen)[2]
            loss = [
                explained - _fit(information, whole, [k for k in chosen if k != one])[2] for one in chosen
            ]
            least = int(np.argmin(loss))
            if loss[least] >= self.price:
                break
            self.found[chosen[least]] = 0.0
            chosen = [k for k in chosen if k != chosen[least]]
        return chosen

    def _equations(self) -> tuple[Floats, Floats]:
        """Normal equations of all biases at the present ones, the arcs eliminated, stated biases marginalised."""
        size = len(self.found)
        information, score = np.zeros((size, size)), np.zeros(size)
        for number in sorted(self.arcs):
            mine = [pair for pair in self.pairs if pair.object == number]
            if not mine:
                continue
            state, cross, own, vector, bias_vector = self._object(number, mine)
            for _ in range(2):  # the arc that fits best with the biases as they are
                self.arcs[number] = self.arcs[number] + solved(state, vector)[1]
                state, cross, own, vector, bias_vector = self._object(number, mine)
            covariance, shift = solved(state, vector)
            information += own - cross.T @ covariance @ cross
            score += bias_vector - cross.T @ shift
        mix = np.linalg.inv(np.eye(size) + information * np.square(self.stated))
        information = mix @ information
        return (information + information.T) / 2, mix @ score

    def _object(self, number: int, mine: Sequence[Pair]) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Blocks of one object's normal equations: state, state by biases, biases; vectors of state and biases."""
        size = len(self.found)
        mean = self.arcs[number]
        state, cross, own = loose(), np.zeros((SIZE, size)), np.zeros((size, size))
        vector, bias_vector = np.zeros(SIZE), np.zeros(size)
        vector[6] = (LN_BETA_MEAN - mean[6]) / LN_BETA_SIGMA**2
        for pair in mine:
            where = slice(self.place[pair.sensor], self.place[pair.sensor] + BIASES)
            found = lines(_shifted(pair.rows, self.found[where]), mean, self.at_ns[number])
            effect = bias_effect(pair.rows, found)
            weighed, weighed_bias = found.weight @ found.slope, found.weight @ effect
            state += np.einsum("mji,mjk->ik", found.slope, weighed)
            cross[:, where] += np.einsum("mji,mjk->ik", found.slope, weighed_bias)
            own[where, where] += np.einsum("mji,mjk->ik", effect, weighed_bias)
            vector += np.einsum("mji,mj->i", weighed, found.residual)
            bias_vector[where] += np.einsum("mji,mj->i", weighed_bias, found.residual)
        return state, cross, own, vector, bias_vector

    def _told(
        self,
        information: Floats,
        whole: Floats,
        chosen: list[int],
        partners: Mapping[int, str],
        names: Mapping[int, str],
    ) -> list[Finding]:
        value, covariance, _ = _fit(information, whole, chosen)
        told: list[Finding] = []
        blamed = sorted({self.sensors[k // BIASES] for k in chosen})
        for number in blamed:
            mine = [k for k in chosen if self.sensors[k // BIASES] == number]
            rest = [k for k in chosen if k not in mine]
            left, score = _given(information, whole, rest)
            worth = _fit(left, score, mine)[2] - self.price * len(mine)
            rivals = []
            for other in self.sensors:
                if other == number or (other in blamed and len(self.sensors) > 2):
                    continue
                if len(self.sensors) == 2 or self._worth(left, score, other)[0] > worth - DECISIVE:
                    rivals.append(other)
            for k in mine:
                at = chosen.index(k)
                sigma = float(np.sqrt(covariance[at, at]))
                or_kinds = self._or_kinds(left, score, mine, k)
                told.append(
                    self._finding(k, float(value[at]), sigma, tuple(rivals), partners, names, or_kinds)
                )
            for other in rivals:
                if other not in blamed:
                    told.append(self._instead(information, whole, rest, other, number, partners, names))
        return list({(one.sensor, one.kind): one for one in reversed(told)}.values())

    def _or_kinds(
        self, left: Floats, score: Floats, mine: Sequence[int], k: int
    ) -> tuple[tuple[Kind, float], ...]:
        """What of the same sensor explains as much in the place of k, but for `DECISIVE`, and its value then."""
        place, least = self.place[self.sensors[k // BIASES]], _fit(left, score, mine)[2] - DECISIVE
        rest = [one for one in mine if one != k]
        other = [one for one in range(place, place + BIASES) if one not in mine and left[one, one] > 0]
        fits = [(one, _fit(left, score, [*rest, one])) for one in other]
        return tuple((KINDS[one % BIASES], float(fit[0][-1])) for one, fit in fits if fit[2] > least)

    def _instead(
        self,
        information: Floats,
        whole: Floats,
        rest: list[int],
        other: int,
        number: int,
        partners: Mapping[int, str],
        names: Mapping[int, str],
    ) -> Finding:
        """The single bias of another sensor that would explain most in the place of the one found."""
        tried = [k for k in range(self.place[other], self.place[other] + BIASES) if information[k, k] > 0]
        best = max(tried, key=lambda k: _fit(information, whole, [*rest, k])[2])
        value, covariance, _ = _fit(information, whole, [*rest, best])
        sigma = float(np.sqrt(covariance[-1, -1]))
        or_kinds = self._or_kinds(*_given(information, whole, rest), [best], best)
        return self._finding(best, float(value[-1]), sigma, (number,), partners, names, or_kinds)

    def _finding(
        self,
        k: int,
        value: float,
        sigma: float,
        rivals: tuple[int, ...],
        partners: Mapping[int, str],
        names: Mapping[int, str],
        or_kinds: tuple[tuple[Kind, float], ...] = (),
    ) -> Finding:
        number, axis = self.sensors[k // BIASES], k % BIASES

        def called(sensor: int) -> str:
            of = f"{partners[sensor]}'s " if sensor in partners else ""
            return f"{of}sensor {names.get(sensor, sensor)}"

        size, spread = _told_size(axis, abs(value)), _told_size(axis, sigma)
        what = (
            f"measures ranges {size} too {'far' if value > 0 else 'near'}",
            f"measures azimuths {size} too far {'clockwise' if value > 0 else 'anticlockwise'}",
            f"measures elevations {size} too {'high' if value > 0 else 'low'}",
            f"stamps its rows {size} too {'late' if value > 0 else 'early'}",
        )[axis]
        sentence = f"{called(number)} {what} (sigma {spread}) against the others"
        if rivals:
            either = ", ".join(called(other) for other in rivals)
            sentence = (
                f"{called(number)} may be the one that {what} (sigma {spread}); "
                f"it or {either} is wrong, and the rows do not tell which"
            )
        if or_kinds:
            sentence += (
                f"; its {' or '.join(one.replace('-', ' ') for one, _ in or_kinds)} would explain it as well"
            )
        return Finding(
            number,
            partners.get(number, ""),
            KINDS[axis],
            value,
            UNITS[axis],
            sigma,
            abs(value) / sigma,
            rivals,
            sentence[:1].upper() + sentence[1:] + ".",
            or_kinds,
        )


def _shifted(rows: Measurements, bias: Floats) -> Measurements:
    """Rows with these biases taken out."""
    if not bias.any():
        return rows
    value = rows.value.copy()
    value[rows.model == RADAR, 0] -= bias[0]
    value[:, 1:] -= bias[1:3]
    times = rows.time_ns - round(float(bias[3]) * NS_PER_S)
    return trusted(
        times, rows.model, rows.site_m, value, rows.sigma, rows.clock_sigma_s, rows.rate, rows.bias_sigma
    )


def _fit(information: Floats, score: Floats, chosen: Sequence[int]) -> tuple[Floats, Floats, float]:
    """Estimates of the chosen biases, their covariance, and the chi-square that they explain."""
    part = [k for k in chosen if information[k, k] > 0]
    value, covariance = np.zeros(len(chosen)), np.eye(len(chosen))
    if not part:
        return value, covariance, 0.0
    block = information[np.ix_(part, part)]
    scale = 1 / np.sqrt(np.diag(block))
    # A combination of biases that the rows leave open explains nothing: it is left at 0.
    inverse = np.linalg.pinv(block * np.outer(scale, scale), rcond=1e-9, hermitian=True) * np.outer(
        scale, scale
    )
    step = inverse @ score[part]
    at = [list(chosen).index(k) for k in part]
    value[at] = step
    covariance[np.ix_(at, at)] = inverse
    return value, covariance, float(score[part] @ step)


def _given(information: Floats, score: Floats, chosen: Sequence[int]) -> tuple[Floats, Floats]:
    """The equations of all biases where the chosen ones are fitted too, whatever the others are."""
    part = [k for k in chosen if information[k, k] > 0]
    if not part:
        return information, score
    step, covariance, _ = _fit(information, score, part)
    cross = information[:, part]
    left = information - cross @ covariance @ cross.T
    # What rounding leaves of a bias that the chosen ones stand for entirely is nothing.
    gone = np.diag(left) < 1e-9 * np.diag(information)
    left[gone, :], left[:, gone] = 0.0, 0.0
    return left, np.where(gone, 0.0, score - cross @ step)


def _threshold(chance: float) -> float:
    """The normal score that is exceeded on either side this rarely (chance < 0.01), by Newton on its tail."""
    score = 4.0
    for _ in range(30):
        tail = erfc(score / sqrt(2))
        score += (tail - chance) / (2 * exp(-score * score / 2) / sqrt(2 * pi))
    return score


def _told_size(axis: int, value: float) -> str:
    """A size for a person."""
    return (f"{value:.0f} m", f"{value * 1e3:.2f} mrad", f"{value * 1e3:.2f} mrad", f"{value:.3f} s")[axis]

"""Information sums: what a closed interval of rows says about one object, in the place of the rows themselves.

A sum is the information that an originator's own, local-only track gained over [from, to]: the normal equations of the
rows of one sensor, linearised about that track's estimate at `to`. It has no prior in it, so sums of several
originators and intervals add up, in any order. In free flight the result is that of the central filter but for
re-linearising; under an unknown acceleration it is not, and fusion then takes the sums as tracks.

    said = sum_up(rows, track.tracks, origin="JPN", source="a1", first=1, last=10)
    both = solve_sums([said, theirs])

Sources: tracklets as equivalent measurements, Drummond 1997 (SPIE 3163); information form, Tian and Bar-Shalom 2009
(FUSION 2009); an additional unknown of the sensor eliminated at the receiver, Schmidt 1966.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.tracking import kernels
from noroshi.tracking.errors import MeasurementError, TrackError
from noroshi.tracking.filtering import LN_BETA_MEAN, LN_BETA_SIGMA, VELOCITY_SIGMA_MPS
from noroshi.tracking.measurements import Measurements
from noroshi.tracking.tracks import SIZE, Tracks

Floats = NDArray[np.float64]

BIASES = 3
"""What a sensor may be off by in all its rows alike: range m, azimuth, elevation rad."""

MAX_SPAN = 10_000
"""Increments in one sum: more than a flight has from one sensor, and few enough to be listed one by one."""

MAX_SEQUENCE = 1_000_000
"""Of an increment: one a millisecond for a quarter of an hour; what is missing below a number is listed one by one."""

MIN_RADIUS_M, MAX_RADIUS_M, MAX_SPEED_MPS = 6.2e6, 1e8, 2e4
"""Of a state: under the ground by more than any error, a quarter of the way to the Moon, twice what falls back."""

PASSES = 3
"""Times the equations are laid about their own result; the second moves it by centimetres."""


@dataclass(frozen=True, eq=False)
class InformationSum:
    """What rows `first` to `last` (sequence numbers of increments) of one origin's source say together.

    from_ns, to_ns: times of the first and last row; count: rows in it; reference (7,): the state at `to_ns` about which
    it is linear; information (10, 10), vector (10,): normal equations over the state less the reference and the
    source's biases (range m, azimuth, elevation rad); bias_sigma (3,): what the source says it may be off by.
    """

    origin: str
    source: str
    first: int
    last: int
    from_ns: int
    to_ns: int
    count: int
    reference: Floats
    information: Floats
    vector: Floats
    bias_sigma: Floats

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last < min(self.first + MAX_SPAN, MAX_SEQUENCE):
            raise MeasurementError(f"a sum stands for 1 to {MAX_SPAN} increments, numbered from 1")
        if not 0 <= self.from_ns <= self.to_ns or self.count < 1:
            raise MeasurementError("a sum has rows, and ends after it begins")
        size = SIZE + BIASES
        shapes = {
            "reference": (SIZE,),
            "information": (size, size),
            "vector": (size,),
            "bias_sigma": (BIASES,),
        }
        for name, shape in shapes.items():
            column = np.array(getattr(self, name), np.float64)
            if column.shape != shape or not np.isfinite(column).all():
                raise MeasurementError(f"a sum's {name} is {column.shape} or not finite; it must be {shape}")
            column.flags.writeable = False
            object.__setattr__(self, name, column)
        self._check_numbers()

    def _check_numbers(self) -> None:
        """Refuses a state that is none, and information below nothing: it would make a covariance no covariance."""
        radius = float(np.linalg.norm(self.reference[:3]))
        if not (MIN_RADIUS_M <= radius <= MAX_RADIUS_M and np.abs(self.reference[3:]).max() < MAX_SPEED_MPS):
            raise MeasurementError("a sum's reference is no state of an object in free fall near the Earth")
        scale = 1 / np.sqrt(np.maximum(np.diag(self.information), 1e-300))
        scaled = self.information * np.outer(scale, scale)
        if not np.array_equal(self.information, self.information.T) or (self.bias_sigma < 0).any():
            raise MeasurementError("a sum's information must be symmetric, and its bias sigmas not below 0")
        if not np.isfinite(scaled).all() or float(np.linalg.eigvalsh(scaled)[0]) < -1e-6:
            raise MeasurementError("a sum's information is below nothing")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InformationSum):
            return NotImplemented
        return self.content() == other.content()

    __hash__ = None  # type: ignore[assignment]  # equality is by content of arrays, which have no cheap hash

    def content(self) -> tuple[object, ...]:
        """All of it as values that can be compared and put in order."""
        numbers = (self.reference, self.information, self.vector, self.bias_sigma)
        head = (self.origin, self.source, self.first, self.last, self.from_ns, self.to_ns, self.count)
        return (*head, *(column.tobytes() for column in numbers))


@dataclass(frozen=True, eq=False)
class Lines:
    """Rows linearised about one state; see `kernels.line_rows`. weight (m, 4, 4): inverse covariance of their noise."""

    residual: Floats
    slope: Floats
    drift: Floats
    weight: Floats


def lines(rows: Measurements, mean: Floats, at_ns: int) -> Lines:
    """Rows, in order of time, about the state `mean` (7,) at `at_ns`.

    Noise: the row's sigmas, and what a clock that is off from row to row adds along the motion.
    """
    count = len(rows)
    residual, slope, drift = np.zeros((count, 4)), np.zeros((count, 4, SIZE)), np.zeros((count, 4))
    kernels.line_rows(rows.rows, mean.copy(), at_ns, residual, slope, drift)
    sigma = np.column_stack((rows.sigma, rows.rate[:, 1]))
    there = sigma > 0
    noise = np.zeros((count, 4, 4))
    noise[:, range(4), range(4)] = np.where(there, sigma, 1.0) ** 2
    noise += np.einsum("m,mi,mj->mij", rows.clock_sigma_s**2, drift, drift)
    both = there[:, :, None] & there[:, None, :]
    weight = np.where(both, np.linalg.inv(noise), 0.0)
    return Lines(residual, slope, drift, weight)


def sum_up(
    rows: Measurements, local: Tracks, *, origin: str, source: str, first: int, last: int
) -> InformationSum:
    """The sum of these rows of one source. local: the originator's own track, from its own rows alone, one row.

    Raises TrackError for no rows, or for rows after the estimate.
    """
    if not len(rows) or len(local) != 1 or first > last:
        raise TrackError("sum up the rows", cause="it takes rows, one track, and first <= last")
    rows = rows[np.argsort(rows.time_ns, kind="stable")]
    to_ns = int(rows.time_ns[-1])
    dt = (to_ns - int(local.time_ns[0])) / NS_PER_S
    reference, _ = carried(local.mean[0], dt)
    found = lines(rows, reference, to_ns)
    bias_sigma = rows.bias_sigma.max(axis=0)
    slope = np.zeros((len(rows), 4, SIZE + BIASES))
    slope[:, :, :SIZE] = found.slope
    for axis in np.flatnonzero(bias_sigma):
        slope[rows.sigma[:, axis] > 0, axis, SIZE + axis] = 1.0
    weighed = np.einsum("mij,mjk->mik", found.weight, slope)
    information = np.einsum("mik,mil->kl", slope, weighed)
    vector = np.einsum("mik,mi->k", weighed, found.residual)
    if not (np.isfinite(information).all() and np.isfinite(vector).all()):
        raise TrackError("sum up the rows", cause="the track is none that the rows could be seen from")
    return InformationSum(
        origin=origin,
        source=source,
        first=first,
        last=last,
        from_ns=int(rows.time_ns[0]),
        to_ns=to_ns,
        count=len(rows),
        reference=reference,
        information=(information + information.T) / 2,
        vector=vector,
        bias_sigma=bias_sigma.copy(),
    )


def solve_sums(sums: Sequence[InformationSum], rows: Tracks | None = None) -> Tracks:
    """The track, at the last of all times, of these sums and of a track from other rows (one row), if there is one.

    Without `rows` the filter's own prior of velocity and ballistic coefficient is used, once. Biases of the sources are
    unknowns with the sigmas that the sums state, one set for each source, and eliminated. Raises TrackError where the
    sums leave the position open.
    """
    if not sums:
        raise TrackError("solve the sums", cause="there is none")
    ordered = sorted(sums, key=InformationSum.content)
    last = max(ordered, key=lambda one: one.to_ns)
    at_ns = max([last.to_ns, *(rows.time_ns.tolist() if rows is not None else [])])
    mean, _ = carried(last.reference, (at_ns - last.to_ns) / NS_PER_S)
    places: dict[tuple[str, str], int] = {}
    for one in ordered:
        if one.bias_sigma.any():
            places.setdefault((one.origin, one.source), SIZE + BIASES * len(places))
    begin_ns = min(one.from_ns for one in ordered)
    covariance = np.eye(SIZE)
    for _ in range(PASSES):
        size = SIZE + BIASES * len(places)
        information, vector = np.zeros((size, size)), np.zeros(size)
        for one in ordered:
            _add_sum(information, vector, one, mean, at_ns, places.get((one.origin, one.source), 0))
        for key, place in places.items():
            sigma = np.max([one.bias_sigma for one in ordered if (one.origin, one.source) == key], axis=0)
            for axis in range(BIASES):  # what has no bias is held at 0
                information[place + axis, place + axis] += 1 / max(sigma[axis], 1e-9) ** 2
        _add_prior(information, vector, rows, mean, at_ns, begin_ns)
        covariance, step = solved(information, vector)
        mean = mean + step[:SIZE]
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all() and np.abs(mean[:3]).max() < 1e9):
        raise TrackError("solve the sums", cause="they leave the position open")
    first_ns, updates = begin_ns, sum(one.count for one in ordered)
    last_ns = last.to_ns
    if rows is not None:
        first_ns, last_ns = (
            min(begin_ns, int(rows.first_observed_ns[0])),
            max(last_ns, int(rows.last_observed_ns[0])),
        )
        updates += int(rows.updates[0])
    count, begun, ended = (np.array([value], np.int64) for value in (updates, first_ns, last_ns))
    return Tracks(
        np.array([at_ns], np.int64), mean[None], covariance[None, :SIZE, :SIZE].copy(), count, begun, ended
    )


def sum_columns(one: InformationSum) -> dict[str, Any]:
    """The sum as plain numbers for a message: lower triangles only, and no bias columns where there is no bias."""
    size = SIZE + BIASES if one.bias_sigma.any() else SIZE
    return {
        "origin": one.origin,
        "source": one.source,
        "first": one.first,
        "last": one.last,
        "from_ns": one.from_ns,
        "to_ns": one.to_ns,
        "count": one.count,
        "reference": one.reference.tolist(),
        "information": one.information[np.tril_indices(size)].tolist(),
        "vector": one.vector[:size].tolist(),
        "bias_sigma": one.bias_sigma.tolist(),
    }


def sum_from_columns(columns: Mapping[str, Any]) -> InformationSum:
    """The sum that `sum_columns` was given, exact to the last bit. Raises MeasurementError for what is none."""
    try:
        numbers = {
            name: np.array(columns[name], np.float64).reshape(-1)
            for name in ("reference", "information", "vector", "bias_sigma")
        }
        words = {name: columns[name] for name in ("origin", "source")}
        counts = {name: columns[name] for name in ("first", "last", "from_ns", "to_ns", "count")}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MeasurementError(f"a sum lacks something or holds no numbers: {error}") from error
    if not all(type(value) is str for value in words.values()):
        raise MeasurementError("a sum's origin and source are words")
    if not all(type(value) is int for value in counts.values()):
        raise MeasurementError("a sum's numbers and times are whole")
    size = len(numbers["vector"])
    if size not in (SIZE, SIZE + BIASES) or len(numbers["information"]) != size * (size + 1) // 2:
        raise MeasurementError("a sum's information and vector do not fit together")
    information, vector = np.zeros((SIZE + BIASES, SIZE + BIASES)), np.zeros(SIZE + BIASES)
    low = np.tril_indices(size)
    information[low] = numbers["information"]
    information.T[low] = numbers["information"]
    vector[:size] = numbers["vector"]
    return InformationSum(
        **words,
        **counts,
        reference=numbers["reference"],
        information=information,
        vector=vector,
        bias_sigma=numbers["bias_sigma"],
    )


def _add_sum(
    information: Floats, vector: Floats, one: InformationSum, mean: Floats, at_ns: int, place: int
) -> None:
    """Adds a sum, carried to the time of `mean`; place: of its source's biases among the unknowns, 0 for none."""
    there, slope = carried(mean, (one.to_ns - at_ns) / NS_PER_S)
    off = one.reference - there
    turn = np.zeros((SIZE + BIASES, len(vector)))
    turn[:SIZE, :SIZE] = slope
    if place:
        turn[SIZE:, place : place + BIASES] = np.eye(BIASES)
    information += turn.T @ one.information @ turn
    vector += turn.T @ (one.vector + one.information[:, :SIZE] @ off)


def _add_prior(
    information: Floats, vector: Floats, rows: Tracks | None, mean: Floats, at_ns: int, begin_ns: int
) -> None:
    if rows is not None:
        known = _at(rows, at_ns)
        weight = inverse(known.covariance[0])
        off = known.mean[0] - mean
    else:  # of the first row's time, as the filter has it
        there, slope = carried(mean, (begin_ns - at_ns) / NS_PER_S)
        spread = np.array([VELOCITY_SIGMA_MPS] * 3 + [LN_BETA_SIGMA])
        root = slope[3:] / spread[:, None]
        weight = root.T @ root
        expected = np.array([0.0, 0.0, 0.0, LN_BETA_MEAN])
        vector[:SIZE] += root.T @ ((expected - there[3:]) / spread)
        off = np.zeros(SIZE)
    information[:SIZE, :SIZE] += weight
    vector[:SIZE] += weight @ off


def _at(tracks: Tracks, at_ns: int) -> Tracks:
    mean, covariance = tracks.mean.copy(), tracks.covariance.copy()
    kernels.predict_rows(mean, covariance, (at_ns - tracks.time_ns) / NS_PER_S)
    times = np.full(len(tracks), at_ns, np.int64)
    ages = tracks.first_observed_ns, tracks.last_observed_ns
    return Tracks(times, mean, covariance, tracks.updates, *ages, tracks.free)


def carried(mean: Floats, dt: float) -> tuple[Floats, Floats]:
    """The state (7,) dt seconds later, or earlier, in free fall, and its derivative by the state before (7, 7)."""
    after, slope = np.zeros(SIZE), np.zeros((SIZE, SIZE))
    kernels.carry_state(np.array(mean), float(dt), after, slope)
    return after, slope


def solved(information: Floats, vector: Floats) -> tuple[Floats, Floats]:
    """Inverse of symmetric normal equations and their solution, scaled so that mixed units cost no digits."""
    scale = 1 / np.sqrt(np.maximum(np.diag(information), 1e-300))
    covariance = np.linalg.inv(information * np.outer(scale, scale)) * np.outer(scale, scale)
    covariance = (covariance + covariance.T) / 2
    return covariance, covariance @ vector


def inverse(matrix: Floats) -> Floats:
    """Inverse of a covariance (..., k, k) or information, symmetric, scaled so that mixed units cost no digits."""
    scale = 1 / np.sqrt(np.einsum("...ii->...i", matrix))
    outer = scale[..., :, None] * scale[..., None, :]
    found = np.linalg.inv(matrix * outer) * outer
    result: Floats = (found + np.swapaxes(found, -1, -2)) / 2
    return result

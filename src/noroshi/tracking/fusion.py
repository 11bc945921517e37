"""Fusion of estimates: covariance intersection, and reduced editions beside a full prediction.

Evidence is fused exactly, as rows or sums (`noroshi.tracking.pool`). Covariance intersection is for what is left: tracks
whose evidence nobody can name, tracks after a manoeuvre flag, reduced editions. It is right for every correlation that
the inputs may have, so it never counts anything twice; the price is that it claims less than is known.

    both = intersect(concatenate_tracks((ours, theirs)))
    fall = intersect_falls(predict_falls(ours), [reduced_fall("KOR", body.rows, ...)], held={"USA"})

Sources: covariance intersection, Julier and Uhlmann 1997; batch form with weights on the simplex, Niehsen 2002; its best
weights by the multiplicative rule of D-optimal designs, Silvey, Titterington and Torsney 1978; inverse covariance
intersection, Noack, Sijs, Reinhardt and Hanebeck 2017.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.geo.geodesic import destination
from noroshi.geo.geodesic import inverse as geodesic_inverse
from noroshi.messages.cells import centre, is_cell
from noroshi.tracking import kernels
from noroshi.tracking.errors import TrackError
from noroshi.tracking.prediction import MAX_FALL_SIGMA_M, Falls
from noroshi.tracking.tracklets import inverse
from noroshi.tracking.tracks import Tracks

Floats = NDArray[np.float64]

Method = Literal["exact", "covariance-intersection"]

PASSES = 200
CLOSE_ENOUGH = 1.002
"""Of the search for weights: every set of weights is honest, so it need not end at the very best one."""

WEIGHTS = 257
"""Weights that are tried for inverse covariance intersection, evenly from 0 to 1; the best is flat."""

NEGLIGIBLE = 1e-3
"""Weights below this add nothing and are set to 0, so that an answer names only what it rests on."""

UNMODELLED_MPS2 = 10.0
"""After a manoeuvre flag tracks of older times are brought forward with this unknown acceleration, sigma per axis: about
1 g, so that what was said before a turn does not outweigh what is seen after it."""

MERIDIAN_M = 20_004_000.0
"""Pole to pole along the ellipsoid, to the kilometre: turns rows of a grid into a cell's height."""

CELL_SIGMA = 0.75
"""Sigma per axis of the place that a cell stands for, in cells. A cell is kept until the estimate is half a cell outside
(uniform over two cells: variance 1/3), and its estimate may be as wrong as the cell is wide at 95 % (1/6): sqrt(1/2)."""


@dataclass(frozen=True, eq=False)
class Intersection:
    """tracks: one row; weights (n,): of the inputs, sum 1; used: which inputs have any."""

    tracks: Tracks
    weights: Floats

    @property
    def used(self) -> tuple[int, ...]:
        """Inputs that the result rests on."""
        return tuple(int(k) for k in np.flatnonzero(self.weights))


@dataclass(frozen=True, slots=True)
class ReducedFall:
    """A reduced edition's fall as a density. origin: whose; lat_rad, lon_rad: middle of the cell; sigma_m (east, north);
    time_ns, sigma_s: middle and sigma of the window.
    """

    origin: str
    lat_rad: float
    lon_rad: float
    sigma_m: tuple[float, float]
    time_ns: int
    sigma_s: float


@dataclass(frozen=True, eq=False)
class FusedFall:
    """falls: one row; method and reason: how it was made; used: origins of the editions in it; left_out: those of the
    others, each with why.
    """

    falls: Falls
    method: Method
    reason: str
    used: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def best_weights(information: Floats) -> Floats:
    """Weights (n,) on the simplex that make sum w_i I_i, from informations (n, k, k), largest in determinant.

    Within 0.1 % of the best sigma (the gain of a design bounds what is left); any weights are honest.
    """
    count, size = len(information), information.shape[-1]
    if count == 1:
        return np.ones(1)
    scale = 1 / np.sqrt(np.einsum("nii->i", information))
    scaled = information * np.outer(scale, scale)
    if count == 2:
        return _two_weights(scaled)
    weights = np.full(count, 1 / count)
    for _ in range(PASSES):
        middle = np.linalg.inv(np.einsum("n,nij->ij", weights, scaled))
        gain = np.einsum("nij,ji->n", scaled, middle) / size
        weights = weights * gain
        weights /= weights.sum()
        if float(gain.max()) < CLOSE_ENOUGH:
            break
    weights[weights < NEGLIGIBLE] = 0.0
    weights /= weights.sum()
    return weights


def _two_weights(information: Floats) -> Floats:
    """The best weights of two: the log determinant is concave in them, so its slope is halved down to 1e-12."""
    root = np.linalg.cholesky(information[0] + information[1])
    half = np.linalg.solve(root, information[0])
    share = np.clip(
        np.linalg.eigvalsh(np.linalg.solve(root, half.T)), 0.0, 1.0
    )  # of the first in each direction
    low, high = 0.0, 1.0
    for _ in range(40):
        weight = (low + high) / 2
        if float(((2 * share - 1) / (weight * share + (1 - weight) * (1 - share) + 1e-300)).sum()) > 0:
            low = weight
        else:
            high = weight
    weight = (low + high) / 2
    weight = 0.0 if weight < NEGLIGIBLE else 1.0 if weight > 1 - NEGLIGIBLE else weight
    return np.array([weight, 1 - weight])


def intersect(tracks: Tracks, *, unmodelled_mps2: float | None = None) -> Intersection:
    """One track of n tracks of *one* object whose errors may be correlated in any way; their order does not matter.

    All are taken to the latest of their times. unmodelled_mps2: sigma of an acceleration, per axis, that free fall does
    not know of, and that may have acted on the way there; None: `UNMODELLED_MPS2` if any of them has the flag, else
    none. The result has the flag if one that it rests on has it. Raises TrackError for no tracks.
    """
    if unmodelled_mps2 is None:
        unmodelled_mps2 = 0.0 if tracks.free.all() else UNMODELLED_MPS2
    if not len(tracks):
        raise TrackError("intersect the tracks", cause="there is none")
    at_ns = int(tracks.time_ns.max())
    order = sorted(range(len(tracks)), key=lambda k: _content(tracks, k))
    later = _brought(tracks[order], at_ns, unmodelled_mps2)
    information = inverse(later.covariance)
    weights = best_weights(information)
    covariance = inverse(np.einsum("n,nij->ij", weights, information))
    base = later.mean[int(np.argmax(weights))]
    mean = base + covariance @ np.einsum("n,nij,nj->i", weights, information, later.mean - base)
    placed = np.zeros(len(tracks))
    placed[order] = weights
    used = later[np.flatnonzero(weights)]
    return Intersection(_one(used, at_ns, mean, covariance), placed)


def intersect_inverse(tracks: Tracks) -> Tracks:
    """One track of n tracks of *one* object in free flight that may share evidence, by inverse covariance intersection.

    Tighter than `intersect`, and right where the errors are correlated through common *information* (the same rows in
    several), not where one unknown acceleration has moved all. Two at a time, the surest first. All are taken to the
    latest of their times; their order does not matter. Raises TrackError for no tracks, and for one with the flag.
    """
    if not len(tracks) or not tracks.free.all():
        raise TrackError("intersect the tracks", cause="it takes tracks in free flight, one or more")
    at_ns = int(tracks.time_ns.max())
    later = _brought(tracks, at_ns, 0.0)
    size = np.array([float(np.trace(one[:3, :3])) for one in later.covariance])
    order = sorted(range(len(tracks)), key=lambda k: (size[k], _content(tracks, k)))
    mean, covariance = later.mean[order[0]], later.covariance[order[0]]
    for k in order[1:]:
        mean, covariance = _inverse_pair(mean, covariance, later.mean[k], later.covariance[k])
    return _one(later, at_ns, mean, covariance)


def _inverse_pair(mean_a: Floats, cov_a: Floats, mean_b: Floats, cov_b: Floats) -> tuple[Floats, Floats]:
    """Both brought to one frame where a has the unit covariance and b a diagonal one d; then all is scalar.

    Information 1 + 1/d - 1/(w + (1 - w) d), its determinant the largest over w (unimodal: same source as above).
    """
    root = np.linalg.cholesky(cov_a)
    half = np.linalg.solve(root, cov_b)
    d, turn = np.linalg.eigh(np.linalg.solve(root, half.T))
    d = np.maximum(d, 1e-12)
    weights = np.linspace(0.0, 1.0, WEIGHTS)[:, None]
    total = 1 + 1 / d - 1 / (weights + (1 - weights) * d)
    best = int(np.argmax(np.log(total).sum(axis=1)))
    weight, information = float(weights[best, 0]), total[best]
    axes = root @ turn
    off = np.linalg.solve(axes, mean_b - mean_a)
    gain = (1 / d - (1 - weight) / (weight + (1 - weight) * d)) / information
    return mean_a + axes @ (gain * off), (axes / information) @ axes.T


def reduced_fall(
    origin: str, rows: int, row: int, column: int, from_ns: int, to_ns: int
) -> ReducedFall | None:
    """The density that a reduced edition's fall cell and window stand for; None for a cell or a window that is none.

    Place: sigma of three quarters of a cell on each axis (see `CELL_SIGMA`). Time: the variance of a uniform over the
    window, which bounds that of an estimate whose 95 % lie anywhere inside it.
    """
    if not is_cell(rows, row, column) or not 0 < from_ns < to_ns:
        return None
    lat_rad, lon_rad = centre(rows, row, column)
    height_m = MERIDIAN_M / rows
    across = 2.0 if row in (0, rows - 1) else 1.0  # the round cells at the poles are two rows wide
    width_m = height_m * across
    sigma_s = (to_ns - from_ns) / NS_PER_S / 12**0.5
    sigma_m = (CELL_SIGMA * width_m, CELL_SIGMA * height_m * across)
    return ReducedFall(origin, lat_rad, lon_rad, sigma_m, (from_ns + to_ns) // 2, sigma_s)


def intersect_falls(full: Falls, editions: Sequence[ReducedFall], *, held: Collection[str] = ()) -> FusedFall:
    """One object's fall from a full prediction (one row, perhaps not valid) and reduced editions of others.

    held: origins whose full evidence is already in `full`; their editions are left out, as one never counts beside its
    full form. The rest is fused by covariance intersection over east m, north m and time s.
    """
    if len(full) != 1:
        raise TrackError("fuse the fall", cause=f"{len(full)} predictions instead of one")
    left = [(one.origin, "its full evidence is held") for one in editions if one.origin in held]
    fresh = sorted((one for one in editions if one.origin not in held), key=_edition_key)
    if not fresh:
        reason = "the full evidence alone" if full.valid[0] else "no prediction and no reduced edition"
        return FusedFall(full, "exact", reason, (), tuple(left))
    if full.valid[0]:
        origin_lat, origin_lon, time_ns = float(full.lat_rad[0]), float(full.lon_rad[0]), int(full.time_ns[0])
    else:
        origin_lat, origin_lon, time_ns = fresh[0].lat_rad, fresh[0].lon_rad, fresh[0].time_ns
    means, spreads = [], []
    if full.valid[0]:
        means.append(np.zeros(3))
        spreads.append(full.covariance[0])
    for one in fresh:
        distance, azimuth, _ = geodesic_inverse(origin_lat, origin_lon, one.lat_rad, one.lon_rad)
        d, az = float(distance[0]), float(azimuth[0])
        means.append(np.array([d * np.sin(az), d * np.cos(az), (one.time_ns - time_ns) / NS_PER_S]))
        spreads.append(np.diag(np.square([*one.sigma_m, one.sigma_s])))
    information = inverse(np.array(spreads))
    weights = best_weights(information)
    covariance = inverse(np.einsum("n,nij->ij", weights, information))
    offset = covariance @ np.einsum("n,nij,nj->i", weights, information, np.array(means))
    first = 1 if full.valid[0] else 0
    used = [one.origin for one, weight in zip(fresh, weights[first:], strict=True) if weight > 0]
    left += [
        (one.origin, "it adds nothing to the rest")
        for one, weight in zip(fresh, weights[first:], strict=True)
        if weight == 0
    ]
    if float(covariance[0, 0] + covariance[1, 1]) >= MAX_FALL_SIGMA_M**2:
        return FusedFall(full, "exact", "the editions are too coarse for a place", (), tuple(left))
    place = destination(
        origin_lat, origin_lon, float(np.arctan2(offset[0], offset[1])), float(np.hypot(offset[0], offset[1]))
    )
    falls = Falls(
        np.array([True]),
        np.array([float(np.asarray(place[0]).reshape(-1)[0])]),
        np.array([float(np.asarray(place[1]).reshape(-1)[0])]),
        np.array([time_ns + round(float(offset[2]) * NS_PER_S)], np.int64),
        covariance[None],
    )
    if not used:
        return FusedFall(full, "exact", "the reduced editions add nothing to it", (), tuple(left))
    return FusedFall(
        falls, "covariance-intersection", "reduced editions have no provenance", tuple(used), tuple(left)
    )


_TRACK = ("time_ns", "mean", "covariance", "updates", "first_observed_ns", "last_observed_ns", "free")


def _edition_key(one: ReducedFall) -> tuple[object, ...]:
    return one.origin, one.time_ns, one.sigma_s, one.lat_rad, one.lon_rad


def _content(tracks: Tracks, row: int) -> tuple[bytes, ...]:
    return tuple(getattr(tracks, name)[row].tobytes() for name in _TRACK)


def _brought(tracks: Tracks, at_ns: int, unmodelled_mps2: float) -> Tracks:
    """The tracks at a time not before theirs, with what an acceleration constant on the way may have done."""
    mean, covariance = tracks.mean.copy(), tracks.covariance.copy()
    dt = (at_ns - tracks.time_ns) / NS_PER_S
    kernels.predict_rows(mean, covariance, dt)
    effect = np.zeros((len(tracks), 7, 3))
    for axis in range(3):
        effect[:, axis, axis] = dt * dt / 2 * unmodelled_mps2
        effect[:, axis + 3, axis] = dt * unmodelled_mps2
    covariance += np.einsum("nik,njk->nij", effect, effect)
    times = np.full(len(tracks), at_ns, np.int64)
    return Tracks(
        times,
        mean,
        covariance,
        tracks.updates,
        tracks.first_observed_ns,
        tracks.last_observed_ns,
        tracks.free,
    )


def _one(tracks: Tracks, at_ns: int, mean: Floats, covariance: Floats) -> Tracks:
    """One row; its count of updates is that of the largest input, since rows may stand in several."""
    return Tracks(
        np.array([at_ns], np.int64),
        mean[None],
        covariance[None],
        tracks.updates.max(keepdims=True),
        tracks.first_observed_ns.min(keepdims=True),
        tracks.last_observed_ns.max(keepdims=True),
        np.array([tracks.free.all()]),
    )

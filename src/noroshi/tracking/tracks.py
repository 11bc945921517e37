"""Tracks: estimates of objects in free fall, in columns, one row per object.

A track is an *estimate*. It is neither a `Falls` or `GroundTrack` (predictions) nor an `Observation` (what a sensor
really measured); only the last may make anybody say that something passed or landed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.errors import TrackError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SIZE = 7
"""Numbers in a state: ECEF position m (3), velocity m/s (3), ln of the ballistic coefficient in kg/m^2."""


@dataclass(frozen=True, eq=False)
class Tracks:
    """Estimates of n objects.

    time_ns (n,) int64: UTC of the estimate; mean (n, 7): ECEF position m, velocity m/s (relative to the turning Earth),
    ln ballistic coefficient kg/m^2; covariance (n, 7, 7), same units; updates (n,) int64: measurements used;
    first_observed_ns, last_observed_ns (n,) int64: times of the first and last of them; free (n,) bool: whether it is
    in free fall, which alone allows a fall to be predicted; all when left out. Raises TrackError on shapes.
    """

    time_ns: Ints
    mean: Floats
    covariance: Floats
    updates: Ints
    first_observed_ns: Ints
    last_observed_ns: Ints
    free: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))

    def __post_init__(self) -> None:
        count = len(self.time_ns)
        if not len(self.free):
            object.__setattr__(self, "free", np.ones(count, np.bool_))
        for name, kind, shape in _COLUMNS:
            column = getattr(self, name)
            if column.dtype != kind or column.shape != (count, *shape):
                raise TrackError(
                    "hold the tracks",
                    subject=name,
                    cause=f"the column is {column.dtype} {column.shape}, not {np.dtype(kind)} {(count, *shape)}",
                )
            column = np.ascontiguousarray(column)
            column.flags.writeable = False
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return len(self.time_ns)

    def __getitem__(self, rows: slice | NDArray[np.generic] | Sequence[int]) -> Tracks:
        """The tracks of a slice, a mask or a list of indices, in that order."""
        return Tracks(*(np.array(getattr(self, name)[rows]) for name, _, _ in _COLUMNS))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tracks):
            return NotImplemented
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name, _, _ in _COLUMNS)

    __hash__ = None  # type: ignore[assignment]  # equality is by content of arrays, which have no cheap hash

    @property
    def position_m(self) -> Floats:
        """ECEF positions (n, 3)."""
        return self.mean[:, :3]

    @property
    def velocity_mps(self) -> Floats:
        """ECEF velocities (n, 3), relative to the turning Earth."""
        return self.mean[:, 3:6]

    @property
    def speed_mps(self) -> Floats:
        """Speed over the turning Earth (n,)."""
        speed: Floats = np.sqrt(np.einsum("ij,ij->i", self.velocity_mps, self.velocity_mps))
        return speed


def concatenate_tracks(parts: Sequence[Tracks]) -> Tracks:
    """All tracks, one part after the other."""
    if not parts:
        return no_tracks()
    return Tracks(*(np.concatenate([getattr(part, name) for part in parts]) for name, _, _ in _COLUMNS))


def no_tracks() -> Tracks:
    """Zero tracks."""
    return Tracks(*(np.zeros((0, *shape), kind) for _, kind, shape in _COLUMNS))


_COLUMNS: tuple[tuple[str, type, tuple[int, ...]], ...] = (
    ("time_ns", np.int64, ()),
    ("mean", np.float64, (SIZE,)),
    ("covariance", np.float64, (SIZE, SIZE)),
    ("updates", np.int64, ()),
    ("first_observed_ns", np.int64, ()),
    ("last_observed_ns", np.int64, ()),
    ("free", np.bool_, ()),
)

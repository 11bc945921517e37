"""Warming compiles all that real use needs, and importing compiles nothing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from noroshi.tracking import (
    TrackFilter,
    associate,
    gate,
    ground_track,
    initiate,
    kernels,
    last_observation,
    predict,
    propagate,
    update,
    warm,
)
from tests.tracking.scenes import rows, truth


def compiled_versions() -> dict[str, int]:
    return {
        name: len(one.signatures)
        for name, one in vars(kernels).items()
        if hasattr(one, "signatures") and not name.startswith("_")
    }


def test_nothing_is_compiled_after_warming() -> None:
    warm()
    before = compiled_versions()
    track = TrackFilter()
    track.add(rows()[1:40])
    track.add(rows()[:1])
    track.at(int(rows().time_ns[20]))
    gate(track, rows()[40:45])
    found = associate(track.tracks, rows()[40:41])
    later = update(predict(track.tracks, track.last_observed_ns + 1), rows()[40:41], found.row_of_track)
    ground_track(later[np.array([True])])
    initiate(rows()[[3, 4]])
    last_observation(rows()[::2])
    propagate(truth()[:3], [0.0, 1.0], 3000.0)
    assert compiled_versions() == before


@pytest.mark.slow
def test_importing_compiles_nothing() -> None:
    """In a new process: no kernel has a compiled version before its first call."""
    code = (
        "from noroshi.tracking import kernels\n"
        "found = [len(one.signatures) for one in vars(kernels).values() if hasattr(one, 'signatures')]\n"
        "assert len(found) > 8 and not any(found), found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

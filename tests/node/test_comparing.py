"""A sensor that measures beside the others is named to the staff, once, and by every node that can see it."""

from __future__ import annotations

import msgspec
import pytest

from noroshi.exercise.world import Look
from tests.node.scene import Scene, replayed

BIAS_RAD = 3.5e-3
"""Three sigma of that radar: its rows still fit the object."""


def beside(look: Look) -> Look:
    """What the Korean radar sees when it stands turned."""
    if look.detections.sensor != "kr-central":
        return look
    turned = tuple((r, azimuth + BIAS_RAD, elevation) for r, azimuth, elevation in look.detections.value)
    return Look(look.time_ns, look.node, msgspec.structs.replace(look.detections, value=turned))


@pytest.mark.slow
def test_a_radar_that_stands_turned_is_named_once_and_a_replay_knows_it() -> None:
    scene = Scene("trilateral").watch(until_s=180, thin=2, seen=beside)
    for node in ("jpn", "usa"):
        (row,) = scene[node].staff("finding")
        assert (row["partner"], row["kind"], row["rivals"]) == ("KOR", "azimuth-bias", [])
        assert abs(row["value"] - BIAS_RAD) < 4 * row["sigma"] < 2e-3
        assert "KOR" in row["says"]
    again = replayed(scene["jpn"].member, scene["jpn"].records())
    assert again.snapshot().manifest == scene["jpn"].node.snapshot().manifest


@pytest.mark.slow
def test_honest_radars_are_not_named() -> None:
    scene = Scene("trilateral").watch(until_s=180, thin=2)
    assert [scene[node].staff("finding") for node in ("jpn", "usa", "kor")] == [[], [], []]

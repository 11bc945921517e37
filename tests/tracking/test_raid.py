"""The scene and the scores of the `raid` benchmark, and the tracker on a small one."""

from __future__ import annotations

import numpy as np
import pytest

from noroshi.cli.benches import raid, raid_scene


def test_gospa_counts_what_is_near_missing_and_made_up() -> None:
    truth = np.array([[0.0, 0, 0], [1e5, 0, 0]])
    found = np.array([[30.0, 40.0, 0], [0, 2e5, 0], [0, 3e5, 0]])
    total, near, missed, false = raid.gospa(found, truth)
    assert (near, missed, false) == (50.0, 1, 2)
    assert total == pytest.approx(np.sqrt(50.0**2 + 3 * raid.CUT_M**2 / 2))
    assert raid.gospa(np.zeros((0, 3)), truth)[1:] == (0.0, 2, 0)
    assert raid.gospa(truth, truth)[0] == 0


def test_a_scene_follows_from_its_seed() -> None:
    few = raid_scene.Raid(objects=4, seconds=3, births_s=2.0, deaths=0.5)
    first, again, other = (raid_scene.scans(few, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a.value, b.value) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].value, other[0].value)
    assert first[0].alive.sum() < 4
    assert all(a.owner.max(initial=-1) < 4 for a in first)


def test_known_objects_far_apart_keep_their_rows() -> None:
    looks = raid_scene.scans(raid_scene.Raid(objects=12, seconds=4, spacing_m=3e4), 1)
    played = raid.play(looks, looks[0].states + 50.0)
    assert played.made > 50
    assert played.wrong == 0
    assert raid.scores(played.shown, looks, 1)[2:].tolist() == [0, 0]

"""What may be said from what: observation or prediction, one kind of sensing or two."""

from __future__ import annotations

from pathlib import Path

import pytest

from noroshi.clock import seconds
from noroshi.warning.statements import NotObservedError, basis, lost, passed
from tests.warning.scenes import RULES, draft_at, fall_at, now_at, seen_at


@pytest.mark.parametrize(
    ("sensings", "partners", "expected"),
    [
        (("radar",), ("JPN",), "single-source"),
        (("radar", "radar"), ("JPN", "JPN"), "single-source"),
        (("radar",), ("JPN", "KOR", "USA"), "one-kind"),
        (("infrared",), ("JPN", "USA"), "one-kind"),
        (("radar", "infrared"), ("JPN", "USA"), "confirmed"),
        (("radar", "infrared"), ("USA",), "confirmed"),
        (("radar", "certainty"), ("JPN", "KOR"), "one-kind"),
        (("rumour", "hunch"), ("JPN", "KOR"), "single-source"),
        ((), (), "single-source"),
    ],
)
def test_confirmed_takes_two_known_kinds_of_sensing(
    sensings: tuple[str, ...], partners: tuple[str, ...], expected: str
) -> None:
    assert basis(sensings, partners) == expected


def test_passed_only_once_seen_beyond_the_last_warned_place_by_the_half_width() -> None:
    areas = draft_at().areas
    for lon_deg in (139.0, 141.0, 142.5, 143.1):
        assert not passed(areas, seen_at(lon_deg), RULES)
    assert passed(areas, seen_at(143.3), RULES)


def test_seen_beyond_one_area_is_not_beyond_the_others() -> None:
    west, east = draft_at().areas
    assert passed((west,), seen_at(142.0), RULES)
    assert not passed((west, east), seen_at(142.0), RULES)


def test_a_measurement_beyond_that_is_far_too_early_is_no_proof() -> None:
    areas = draft_at().areas
    early = seen_at(144.0)
    assert passed(areas, early, RULES)
    wild = type(early)(now_at(135.0), early.lat_rad, early.lon_rad, early.height_m, early.sigma_m)
    assert not passed(areas, wild, RULES)


def test_a_coarse_measurement_must_be_further_beyond() -> None:
    areas = draft_at().areas
    sharp = seen_at(143.5)
    coarse = type(sharp)(sharp.time_ns, sharp.lat_rad, sharp.lon_rad, sharp.height_m, 50_000.0)
    assert passed(areas, sharp, RULES)
    assert not passed(areas, coarse, RULES)


def test_of_a_fall_and_of_nothing_nobody_says_passed() -> None:
    falls = draft_at(150.0, fall=fall_at(40.9, 142.3)).areas
    assert falls
    assert not passed(falls, seen_at(160.0), RULES)
    assert not passed((), seen_at(160.0), RULES)


def test_a_prediction_is_refused_at_run_time() -> None:
    with pytest.raises(NotObservedError, match="Fall"):
        passed(draft_at().areas, fall_at(41.0, 150.0), RULES)  # type: ignore[arg-type]  # the point of the test


@pytest.mark.slow
def test_a_prediction_is_refused_by_the_type_checker(tmp_path: Path) -> None:
    mypy = pytest.importorskip("mypy.api")
    root = Path(__file__).resolve().parents[2]
    head = "from noroshi.tracking import GroundTrack, Observation\n"
    head += "from noroshi.warning.draft import DraftArea\nfrom noroshi.warning.rules import WarningRules\n"
    head += "from noroshi.warning.statements import passed\n"
    call = "def say(areas: tuple[DraftArea, ...], what: {}) -> bool:\n    return passed(areas, what, WarningRules())\n"
    outcomes = {}
    for kind in ("Observation", "GroundTrack"):
        claim = tmp_path / f"claim_{kind.lower()}.py"
        claim.write_text(head + call.format(kind))
        out, err, code = mypy.run(
            ["--config-file", str(root / "pyproject.toml"), "--follow-imports=silent", str(claim)]
        )
        assert not err
        outcomes[kind] = (code, out)
    assert outcomes["Observation"][0] == 0, outcomes
    assert 'incompatible type "GroundTrack"; expected "Observation"' in outcomes["GroundTrack"][1]


def test_lost_after_so_long_without_an_observation() -> None:
    at = now_at(140.0)
    assert not lost(at, at + seconds(RULES.lost_after_s), RULES)
    assert lost(at, at + seconds(RULES.lost_after_s) + 1, RULES)
    assert not lost(at, at - seconds(5.0), RULES)

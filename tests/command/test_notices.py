"""What a notice may explain: its window, its area, its azimuths, with the doubt that there is about a launch."""

from __future__ import annotations

from dataclasses import replace
from math import radians
from typing import Any

import pytest

from noroshi.clock import seconds
from noroshi.command.notices import (
    NOTICE_TABLE,
    Notice,
    Sight,
    WatchState,
    fit,
    form_defect,
    life_defect,
)
from noroshi.geo.geodesic import destination
from noroshi.messages.bodies_notice import CircleRow, NoticeBody

NOW_NS = 1_000_000 * 10**9
HOUR_NS = 3600 * 10**9


def body(**changes: Any) -> NoticeBody:
    lat, lon = changes.pop("at", (31.25, 131.08))
    fields: dict[str, Any] = {
        "notice": b"n" * 16,
        "number": 1,
        "step": "announced",
        "unit": "jp-mofa",
        "title": "Study",
        "object": "sounding-rocket",
        "count": 1,
        "from_ns": NOW_NS,
        "to_ns": NOW_NS + HOUR_NS,
        "area": [],
        "circle": CircleRow(latitude_rad=radians(lat), longitude_rad=radians(lon), radius_m=40_000.0),
        "azimuth_from_rad": radians(110.0),
        "azimuth_to_rad": radians(170.0),
        "watches": ["kr-jcs"],
        "informed": [],
        "inform_by_ns": NOW_NS,
    }
    return NoticeBody(**(fields | changes))


def sight(
    azimuth_deg: float,
    away_km: float,
    height_km: float,
    *,
    at: tuple[float, float] = (31.25, 131.08),
    first_s: float = 600.0,
    launch: tuple[float, float, float, float, float] | None = None,
) -> Sight:
    """An object so far from a point. launch: latitude, longitude deg, sigma km, time and sigma s after NOW."""
    lat, lon = destination(radians(at[0]), radians(at[1]), radians(azimuth_deg), away_km * 1e3)
    known = None
    if launch is not None:
        lat_deg, lon_deg, sigma_km, time_s, sigma_s = launch
        known = radians(lat_deg), radians(lon_deg), sigma_km * 1e3, NOW_NS + seconds(time_s), seconds(sigma_s)
    return Sight(NOW_NS + seconds(first_s), (float(lat[0]), float(lon[0]), height_km * 1e3), known)


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (sight(140, 60, 60), "possible"),
        (sight(140, 60, 60, launch=(31.3, 131.1, 20, 550, 30)), "fits"),
        (sight(140, 60, 60, launch=(33.5, 131.1, 20, 550, 30)), "outside-area"),
        (sight(140, 60, 60, launch=(33.5, 131.1, 400, 550, 30)), "possible"),
        (sight(320, 300, 200), "outside-azimuth"),
        (sight(320, 60, 60), "possible"),
        (sight(140, 900, 60), "outside-area"),
        (sight(140, 60, 60, first_s=-60), "outside-window"),
        (sight(140, 60, 60, first_s=3600 + 250), "possible"),
        (sight(140, 60, 60, first_s=3600 + 320), "outside-window"),
        (sight(140, 60, 60, first_s=3600 + 250, launch=(31.3, 131.1, 20, 3600 + 200, 20)), "outside-window"),
    ],
)
def test_a_notice_fits_what_was_launched_in_its_window_from_its_area_towards_its_azimuths(
    seen: Sight, found: str
) -> None:
    assert fit(body(), seen) == found


def test_while_only_directions_are_known_any_place_on_the_line_of_sight_may_be_the_one() -> None:
    """The estimate lies off the azimuths; a place on the line does not. One on no such line is still outside."""
    off, near, other = sight(320, 300, 200), sight(140, 60, 60), sight(300, 700, 60)
    assert fit(body(), replace(off, along=(other.position, near.position))) == "possible"
    assert fit(body(), replace(off, along=(other.position,))) == "outside-azimuth"
    elsewhere = sight(320, 300, 200, launch=(33.5, 131.1, 20, 550, 30))
    assert fit(body(), replace(elsewhere, along=(near.position,))) == "outside-area"


@pytest.mark.parametrize(
    ("azimuth_deg", "found"), [(355, "possible"), (5, "possible"), (180, "outside-azimuth")]
)
def test_a_range_of_azimuths_may_lead_over_north(azimuth_deg: float, found: str) -> None:
    northern = body(azimuth_from_rad=radians(340.0), azimuth_to_rad=radians(20.0))
    assert fit(northern, sight(azimuth_deg, 300, 200)) == found


@pytest.mark.parametrize("azimuth_deg", [0, 90, 180, 270])
def test_all_azimuths_are_all_azimuths(azimuth_deg: float) -> None:
    whole = body(azimuth_from_rad=0.0, azimuth_to_rad=radians(360.0))
    assert fit(whole, sight(azimuth_deg, 300, 200)) == "possible"


@pytest.mark.parametrize("at", [(10.0, 179.9), (89.9, 20.0), (-89.95, -100.0)])
def test_areas_on_the_antimeridian_and_at_the_poles(at: tuple[float, float]) -> None:
    whole = body(at=at, azimuth_from_rad=0.0, azimuth_to_rad=radians(360.0))
    for azimuth_deg in (0, 90, 180, 270):
        assert fit(whole, sight(azimuth_deg, 30, 60, at=at)) == "possible"
        assert fit(whole, sight(azimuth_deg, 900, 60, at=at)) == "outside-area"


def test_a_polygon_across_the_antimeridian() -> None:
    corners = [(-1.0, 179.5), (1.0, 179.5), (1.0, -179.5), (-1.0, -179.5), (-1.0, 179.5)]
    ring = [[radians(lat), radians(lon)] for lat, lon in corners]
    across = body(circle=None, area=[ring], azimuth_from_rad=0.0, azimuth_to_rad=radians(360.0))
    assert form_defect(across, NOW_NS + HOUR_NS, NOW_NS) == ""
    assert fit(across, sight(90, 10, 60, at=(0.0, 180.0))) == "possible"
    assert fit(across, sight(90, 10, 60, at=(0.0, 0.0))) == "outside-area"


def held(**changes: Any) -> Notice:
    return Notice(
        origin="JPN", body=body(**changes), message=b"m" * 16, audience=frozenset({"JPN"}),
        answer_to=frozenset({"JPN"}), state="announced", expires_ns=NOW_NS, shown_ns=NOW_NS,
        watches=[WatchState("kr-jcs", NOW_NS)],
    )  # fmt: skip


def test_a_notice_goes_on_by_its_issuer_only_and_never_back() -> None:
    one = held(number=3)

    def found(origin: str = "JPN", unit: str = "jp-mofa", **changes: Any) -> str:
        return life_defect(one, body(**({"number": 4, "step": "go"} | changes)), origin=origin, unit=unit)

    assert found() == ""
    assert found(origin="KOR") == found(unit="jp-mod") == "not-the-issuer"
    assert found(number=3, step="announced") == "older-than-known"
    assert found(number=3) == "contradicts-itself"
    assert found(number=2) == "older-than-known"
    assert found(step="announced") == "notice-is-announced"
    for state in ("done", "withdrawn", "expired"):
        one.state = state
        assert found() == f"notice-is-{state}"
    assert all(
        after in ("announced", "go", "done", "withdrawn", "expired") for after in NOTICE_TABLE.values()
    )


def test_a_word_counts_for_who_said_it() -> None:
    one = held()
    assert one.acknowledged("kr-mnd", "kr-mnd.duty", one.message, 5) == "reader"
    assert one.acknowledged("kr-mnd", "kr-mnd.duty", one.message, 6) == ""
    assert [watch.unit for watch in one.uninformed] == ["kr-jcs"]
    assert one.acknowledged("kr-jcs", "kr-jcs.watch", b"o" * 16, 6) == "older"
    assert one.acknowledged("kr-jcs", "kr-jcs.watch", one.message, 7) == "watch"
    assert one.acknowledged("kr-jcs", "kr-jcs.second", one.message, 8) == ""
    assert one.uninformed == ()
    assert one.watches[0].post == "kr-jcs.watch"

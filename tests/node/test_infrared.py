"""An infrared sensor in orbit beside the radars: its directions join their track and confirm what is warned of."""

from __future__ import annotations

from functools import cache

import msgspec
import pytest

from noroshi.exercise.coalition import Coalition, found
from noroshi.exercise.scenario import Sensor
from noroshi.exercise.world import looks
from noroshi.messages import KeyedHash
from noroshi.node.inputs import Detections
from tests.node.scene import ENTROPY, Scene, places, staged

ORBIT = {
    "id": "us-orbit",
    "sensing": "infrared",
    "lat_deg": 0.0,
    "lon_deg": 160.0,
    "height_m": 35_786e3,
    "sigma_range_m": None,
    "sigma_azimuth_mrad": 0.03,
    "sigma_elevation_mrad": 0.03,
    "period_s": 4.0,
    "phase_s": 0.8,
    "range_max_km": 50_000.0,
    "elevation_min_deg": -90.0,
}


@cache
def coalition() -> Coalition:
    one = staged("trilateral")
    radar = next(sensor for sensor in one.scenario.sensors if sensor.unit.startswith("us"))
    orbit: Sensor = msgspec.structs.replace(radar, **ORBIT)
    return found(
        msgspec.structs.replace(one.scenario, sensors=(*one.scenario.sensors, orbit)),
        one.structure,
        one.catalogue,
        entropy=ENTROPY,
        scheme=KeyedHash(),
        places_digest=places().digest,
    )


@pytest.mark.slow
def test_a_direction_from_orbit_confirms_what_radars_see() -> None:
    scene = Scene("trilateral", coalition=coalition())
    seen = looks(coalition(), ENTROPY)
    counts: dict[str, int] = {}
    for look in (one for one in seen if one.time_ns < scene.at(130.0)):
        feed = look.detections.feed
        counts[feed] = counts.get(feed, 0) + 1
        if feed != "us-orbit" and counts[feed] % 4:
            continue
        sequence = counts[feed] if feed == "us-orbit" else counts[feed] // 4
        scene.run_to(look.time_ns)
        scene[look.node].take(scene.now_ns, msgspec.structs.replace(look.detections, sequence=sequence))
        scene.pump()
    assert scene["usa"].refusals() == scene["jpn"].refusals() == []
    last = scene["jpn"].staff("warning")[-1]
    assert last["basis"] == "confirmed"
    assert last["sensings"] == ["infrared", "radar"]
    assert len({row["event"] for row in scene["usa"].staff("picture")}) == 1
    pictures = scene["usa"].staff("picture")
    assert pictures[-1]["sensings"] == ["infrared", "radar"]


def test_an_infrared_sensor_with_a_range_is_refused() -> None:
    scene = Scene("trilateral", coalition=coalition())
    given = Detections(
        feed="us-orbit", sequence=1, sensor="us-orbit", time_ns=(scene.now_ns,), value=((5.0, 1.0, -1.0),)
    )
    scene["usa"].take(scene.now_ns, given)
    assert scene["usa"].refusals() == ["impossible-measurement"]

"""Other agencies' files and relays in a played exercise: what control hands in, and what the judge says of it."""

from __future__ import annotations

import msgspec
import pytest

from noroshi.errors import InputError
from noroshi.exercise.checking import check_scenario
from noroshi.exercise.expectations import HazardNever, HazardShown, RelayShown, RelayUnverified
from noroshi.exercise.injecting_hazards import cap_file
from noroshi.exercise.injects import CapInject, RelayInject
from noroshi.exercise.loading import load_scenario
from noroshi.gateways.cap_check import check_cap
from noroshi.service.exercise_files import scenario_text, stage
from tests.exercise.playing import FLIGHT, coalition_of, played

ALERT = CapInject(id="wave", at_s=2.0, node="jpn", lat_deg=38.0, lon_deg=143.0, sender_name="Agency of Waves")
CANCEL = CapInject(id="wave-over", at_s=8.0, node="jpn", type="Cancel", refers=("wave",))
REAL = CapInject(id="real-one", at_s=3.0, node="usa", status="Actual")
RELAY = RelayInject(
    id="rumour", at_s=4.0, node="usa", outlet="A broadcaster", authority="jp-cabsec",
    text="EXERCISE. Government alert: take shelter",
)  # fmt: skip

WANTED = (
    HazardShown(id="held", partner="KOR", identifier="wave", within_s=2.0, ended=True),
    HazardShown(id="never-came", partner="KOR", identifier="else"),
    HazardShown(id="not-ended", partner="USA", identifier="wave-over", ended=True),
    HazardNever(id="real-refused", partner="USA", identifier="real-one"),
    HazardNever(id="was-taken", partner="KOR"),
    RelayUnverified(id="told", partner="USA", unit="jp-cabsec", told_within_s=2.0),
    RelayShown(id="not-verified", partner="USA", unit="jp-cabsec", verdict="verified"),
    RelayUnverified(id="own-too", partner="JPN", unit="jp-cabsec"),
    RelayUnverified(id="nothing", partner="KOR", unit="jp-cabsec"),
)


@pytest.mark.slow
def test_what_control_hands_in_is_judged_from_the_records() -> None:
    coalition = coalition_of(duration_s=15.0, injects=(ALERT, CANCEL, REAL, RELAY))
    game = played(coalition)
    judged = game.judged(msgspec.structs.replace(coalition.scenario, expectations=WANTED))
    assert {name: one.met for name, one in judged.items()} == {
        "held": True, "never-came": False, "not-ended": False, "real-refused": True, "was-taken": False,
        "told": True, "not-verified": False, "own-too": True, "nothing": False,
    }  # fmt: skip
    assert all(one.cites for one in judged.values())
    assert any("Agency of Waves" in says for _, node, says in game.says if node == "usa")
    assert any("UNVERIFIED RELAY" in says for _, node, says in game.says if node == "jpn")
    assert not game.audited()


def test_the_file_is_valid_and_says_what_the_inject_says() -> None:
    scenario = msgspec.structs.replace(stage(FLIGHT).scenario, injects=(ALERT, CANCEL))
    for one in (ALERT, CANCEL):
        assert not check_cap(cap_file(one, scenario, 1_664_835_720 * 10**9))
    assert b"agency@agency.example,wave,2022-10-03T22:22:02-00:00" in cap_file(
        CANCEL, scenario, 1_664_835_720 * 10**9
    )
    assert cap_file(msgspec.structs.replace(ALERT, raw="<alert/>"), scenario, 0) == b"<alert/>"


def test_a_file_that_refers_to_nothing_is_named() -> None:
    text, file = scenario_text(FLIGHT)
    words = "\ninjects:\n  - {id: over, do: cap, at_s: 1, node: jpn, type: Cancel, refers: [wave]}\n"
    staged = stage(FLIGHT)
    loaded = load_scenario(text.split("\ninjects:")[0] + words + "\nexpectations: []\n", file)
    with pytest.raises(InputError, match="refers"):
        check_scenario(loaded, staged.structure, staged.catalogue)

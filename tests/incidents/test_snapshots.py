"""What incidents leave in a node's state comes back from a snapshot: what no ordinary crisis brings is brought here."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from noroshi.exercise import entropy, found
from noroshi.geo.placefile import PlaceTableError
from noroshi.messages import KeyedHash
from noroshi.node import Node
from noroshi.node.saved import BY_CHAIN, DERIVED, Saved
from noroshi.service.exercise_files import stage
from tests.exercise.playing import Played, places, played
from tests.node.alike import differences
from tests.node.test_snapshot import CACHES, ELSEWHERE, filled

INCIDENTS = Path(__file__).parents[2] / "scenarios" / "incidents"
BRINGS = {
    "H4-norway": {"notices", "alarms"},
    "H5-hawaii": {"relays", "relay_lines", "warrant", "refused"},
    "H11-two-or-one": {"counts", "counts_said", "counts_shown"},
    "H1-norad-link": {"security"},
}
"""Incidents, and the tables that each of them fills in one of its nodes."""

ROOM = ".filter._state"
"""A filter's working room: what it still needs of it is saved, what its former guesses left there is not."""


@pytest.fixture(scope="module", autouse=True)
def _places() -> None:
    try:
        places()
    except PlaceTableError as error:
        pytest.skip(f"needs the table of places (`make places`): {error.sentence()}")


@cache
def run_of(name: str) -> Played:
    staged = stage(str(INCIDENTS / f"{name}.yaml"), None)
    key = entropy(staged.scenario.seed, staged.scenario.realm)
    return played(
        found(
            staged.scenario, staged.structure, staged.catalogue, entropy=key, scheme=KeyedHash(),
            places_digest=places().digest, areas=staged.areas,
        ),
        staged.scenario.seed,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", BRINGS)
def test_what_an_incident_leaves_comes_back_from_a_snapshot(name: str) -> None:
    one = run_of(name)
    brought: set[str] = set()
    for member in one.coalition.members:
        records = list(one.result.stores[member.node].records())
        node = Node.replay("record", records, member.secrets, places())
        twin = Node.restore("record", node.snapshot(), (), member.secrets, places())
        found = differences(node.state, twin.state, CACHES | DERIVED | BY_CHAIN)
        assert [one for one in found if not one.endswith(ROOM)] == []
        assert twin.snapshot() == node.snapshot()
        brought |= {field for field in Saved.__struct_fields__ if filled(getattr(node.state, field))}
    assert brought >= BRINGS[name]


def test_nothing_is_left_to_no_test() -> None:
    """Each table that the crisis of `tests.node.test_snapshot` leaves empty is filled here, or where it says."""
    here = set().union(*BRINGS.values())
    there = {
        "area_list",
        "early",
        "enrolled",
        "heard_alerts",
        "templates",
        "templates_by",
        "passkey_counts",
        "hazard_matters",
        "heard_warnings",
    }
    assert here | there >= ELSEWHERE

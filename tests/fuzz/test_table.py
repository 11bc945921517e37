"""Each target with its seeds, with inputs that are nearly right, and with inputs that were built to cost much."""

from __future__ import annotations

import gc
import sys
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noroshi.geo.placefile import PlaceTableError
from tests.fuzz.mutate import mutated
from tests.fuzz.planted import PLANTED, SEED
from tests.fuzz.soak import repeat_command
from tests.fuzz.table import MIB, DefectError, Look, Target, held, peak_bytes
from tests.fuzz.targets import TARGETS, target
from tests.node.scene import places

SLOW_MACHINE = 3.0
"""How much slower than the bounds say this machine may be, with all else that runs on it."""

EXAMPLES = {
    "node:quiet": 6,
    "node:crisis": 6,
    "http:input": 10,
    "http:request": 30,
    "http:staff": 15,
    "scenario": 20,
    "structure": 20,
    "record-store": 15,
    "record-file": 20,
    "genesis": 30,
    "policy-file": 20,
    "trust": 40,
}
"""Inputs of targets that are slow by their nature; of the others there are more."""
USUAL_EXAMPLES = 80

KEPT_BLOCKS = 400
"""Objects that Python may keep of a second look at the same inputs: caches of the libraries below."""


@pytest.fixture(autouse=True)
def _places() -> None:
    try:
        places()
    except PlaceTableError as error:
        pytest.skip(f"needs the table of places (`make places`): {error.sentence()}")


def looked(one: Target, look: Look, data: bytes) -> None:
    """Holds an input to its target; a failure says how to repeat it."""
    try:
        held(one, look, data, SLOW_MACHINE)
    except DefectError as error:
        error.add_note(repeat_command(one.name, data))
        raise


every = pytest.mark.parametrize("name", [one.name for one in TARGETS])


@every
@pytest.mark.slow
def test_nearly_right_inputs_are_taken_or_refused(name: str) -> None:
    one = target(name)
    look, seeds = one.make(), tuple(one.seeds())
    for seed in seeds:
        looked(one, look, seed)
    for count in range(EXAMPLES.get(name, USUAL_EXAMPLES)):
        draw = Random(count)
        looked(one, look, mutated(draw.choice(seeds), draw, one.form, seeds))


@every
@pytest.mark.slow
def test_any_bytes_are_taken_or_refused(name: str) -> None:
    one = target(name)
    look = one.make()

    @settings(max_examples=max(5, EXAMPLES.get(name, USUAL_EXAMPLES) // 2))
    @given(st.one_of(st.binary(max_size=64), st.text(max_size=32).map(str.encode)))
    def check(data: bytes) -> None:
        looked(one, look, data)

    check()


@pytest.mark.soak
@pytest.mark.parametrize("name", [one.name for one in TARGETS if one.worst is not None])
def test_the_largest_inputs_stay_within_their_bounds(name: str) -> None:
    one = target(name)
    assert one.worst is not None
    look = one.make()
    for data in one.worst(one.max_bytes):
        assert len(data) <= one.max_bytes
        looked(one, look, data)
        assert peak_bytes(look, data) <= one.peak_mib * MIB, repr(data[:60])


@every
@pytest.mark.soak
def test_nothing_is_kept_of_an_input(name: str) -> None:
    one = target(name)
    look, seeds = one.make(), tuple(one.seeds())[:8]
    draw = Random(7)
    inputs = [mutated(draw.choice(seeds), draw, one.form, seeds) for _ in range(EXAMPLES.get(name, 30) // 2)]

    def blocks() -> int:
        for data in inputs:
            look(data)
        gc.collect()
        return sys.getallocatedblocks()

    blocks()
    before = blocks()
    assert blocks() - before <= KEPT_BLOCKS


@pytest.mark.parametrize(("name", "data"), [("planted:crash", b"null"), ("planted:slow", b"\n" * 60)])
def test_a_defect_is_told_apart_from_a_refusal(name: str, data: bytes) -> None:
    one = target(name)
    held(one, one.make(), SEED)
    with pytest.raises(DefectError, match="planted"):
        held(one, one.make(), data)


def test_memory_beyond_the_bound_is_seen() -> None:
    one = target("planted:large")
    assert one.worst is not None
    (worst,) = one.worst(one.max_bytes)
    assert peak_bytes(one.make(), SEED) < one.peak_mib * MIB < peak_bytes(one.make(), worst)


def test_what_is_kept_is_seen() -> None:
    keeping = target("planted:keeping").make()
    before = sys.getallocatedblocks()
    for _ in range(KEPT_BLOCKS + 10):
        keeping(SEED)
    assert sys.getallocatedblocks() - before > KEPT_BLOCKS


def test_changes_are_the_same_for_the_same_draw_and_reach_what_is_planted() -> None:
    crash = next(one for one in PLANTED if one.name == "planted:crash")
    changed = [mutated(SEED, Random(number), "yaml", (SEED,)) for number in range(2000)]
    assert changed == [mutated(SEED, Random(number), "yaml", (SEED,)) for number in range(2000)]
    assert any(b"null" in data for data in changed)
    assert repeat_command(crash.name, b"null").startswith("echo bnVsbA== |")


def test_names_are_used_once() -> None:
    names = [one.name for one in (*TARGETS, *PLANTED)]
    assert len(set(names)) == len(names)

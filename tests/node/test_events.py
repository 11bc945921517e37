"""Events by audience: numbers of their own, one estimate for equal evidence, aliases that nobody else can join."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from noroshi.exercise.world import Look
from noroshi.messages import Ed25519
from noroshi.messages.bodies import EventBody
from noroshi.node.events import Event, EventBook, Piece
from noroshi.review.read import read_message
from noroshi.tracking import Measurements, radar_measurements
from tests.node.scene import NODES, Scene, envelopes

ONE, TWO, BOTH = frozenset({"A"}), frozenset({"A", "B"}), frozenset({"A", "B", "C"})


def rows(*times_s: float) -> Measurements:
    count = len(times_s)
    return radar_measurements(
        [int(time_s * 1e9) for time_s in times_s],
        (-3.8e6, 3.3e6, 3.9e6),
        [[1e6 + 1e3 * time_s, 1.0, 0.5] for time_s in times_s] if count else [],
        (50.0, 1e-3, 1e-3),
    )


def piece(time_s: float, *audiences: frozenset[str]) -> Piece:
    return Piece("A", "radar", rows(time_s), audiences)


def opened(book: EventBook, *audiences: frozenset[str]) -> list[Event]:
    return [book.open(audience, "A", 0) for audience in audiences]


def test_equal_evidence_is_one_estimate_until_only_one_of_them_may_use_a_piece() -> None:
    book = EventBook()
    one, two, three = opened(book, ONE, TWO, BOTH)
    book.add(piece(1, ONE, TWO, BOTH), [one, two, three])
    assert one.estimate is two.estimate is three.estimate
    book.add(piece(2, ONE), [one])
    assert one.estimate is not two.estimate
    assert two.estimate is three.estimate
    assert [event.estimate.rows for event in (one, two, three)] == [2, 1, 1]
    book.add(piece(3, ONE, TWO, BOTH), [one, two, three])
    assert [event.estimate.rows for event in (one, two, three)] == [3, 2, 2]
    assert two.estimate is three.estimate
    assert (one.estimate.users, two.estimate.users) == (1, 2)


def test_a_shared_estimate_says_what_separate_ones_would() -> None:
    shared, apart = EventBook(), EventBook()
    one, two = opened(shared, ONE, TWO)
    (alone,) = opened(apart, TWO)
    for time_s in (1, 2, 3, 5, 4, 4):
        hidden = piece(time_s + 0.5, ONE)
        shared.add(piece(time_s, ONE, TWO), [one, two])
        shared.add(hidden, [one])
        apart.add(piece(time_s, TWO), [alone])
    assert two.estimate.filter.tracks == alone.estimate.filter.tracks
    assert two.estimate.rows == alone.estimate.rows == 5


def test_numbers_are_dense_for_each_audience() -> None:
    book = EventBook()
    assert [event.number for event in opened(book, ONE, ONE, TWO, ONE, TWO)] == [1, 2, 1, 3, 2]
    assert book.get(TWO, 2) is book.of(TWO)[1]
    book.of(ONE)[0].over_ns = 5
    assert [event.number for event in book.active(ONE)] == [2, 3]
    assert list(book.active(BOTH)) == []


def test_an_alias_belongs_to_its_partner_and_audience() -> None:
    book = EventBook()
    (event,) = opened(book, ONE)
    book.join(event, "USA", b"alias")
    assert book.find(ONE, "USA", b"alias") is event
    assert book.find(TWO, "USA", b"alias") is None
    assert book.find(ONE, "KOR", b"alias") is None


def test_a_piece_is_for_those_who_may_have_it_by_one_edition() -> None:
    one = piece(1, frozenset({"JPN", "USA"}), frozenset({"KOR", "USA"}))
    assert one.usable_for(frozenset({"JPN", "USA"}))
    assert one.usable_for(frozenset({"USA"}))
    assert not one.usable_for(frozenset({"JPN", "KOR", "USA"}))


def test_under_before_the_two_neighbours_know_the_same_flight_by_other_names() -> None:
    scene = Scene("before").watch(105.0)
    japan, korea = (
        {one.event for one in envelopes(scene["usa"].rows(f"partner:{partner}")) if one.origin == "USA"}
        for partner in ("JPN", "KOR")
    )
    assert japan
    assert korea
    assert not japan & korea


def test_what_was_first_observed_is_what_that_audience_may_have_observed() -> None:
    """Korea's radar sees it first; Japan is not told, not even by a time."""
    scene = Scene("before").watch(105.0)
    first = {
        node: min(
            look["first_observed_ms"] for look in scene[node].staff("picture")[-1:]
        ) for node in ("jpn", "usa")
    }  # fmt: skip
    assert first["usa"] < first["jpn"]
    said = [read_message(row.data) for row in scene["usa"].rows("partner:JPN")]
    times = {body.first_observed_ns for _, body in said if isinstance(body, EventBody)}
    assert min(times) // 10**6 >= first["jpn"]


def test_a_decision_cites_the_event_as_its_audience_knows_it(scene: Scene) -> None:
    scene.watch(110.0)
    scene.answer("jpn", scene.task("jpn", "request"))
    rows_there = [read_message(row.data)[0] for row in scene["jpn"].rows("partner:USA")]
    announced = {one.event for one in rows_there if one is not None and one.kind == "event"}
    (asked,) = [one for one in rows_there if one is not None and one.kind == "decision"]
    assert asked.event in announced


@pytest.mark.slow
@settings(max_examples=5)
@given(shift_m=st.floats(-3e5, 3e5), turn_rad=st.floats(-0.3, 0.3), twice=st.booleans())
def test_whatever_korea_sees_japan_is_told_the_same(shift_m: float, turn_rad: float, twice: bool) -> None:
    """One object or another, near the flight or not, twice as many of them: each audience's rows find its own events."""

    def other(look: Look) -> Look:
        if look.node != "kor":
            return look
        batch = look.detections
        value = tuple((max(r + shift_m, 1.0), az + turn_rad, el) for r, az, el in batch.value)
        if twice:
            value, batch = value + batch.value, structs.replace(batch, time_ns=batch.time_ns * 2)
        return Look(look.time_ns, look.node, structs.replace(batch, value=value))

    def told(scene: Scene) -> list[tuple[int, int, bytes]]:
        return [(row.number, row.now_ns, row.data) for row in scene["usa"].rows("partner:JPN")]

    assert told(Scene("before").watch(105.0, seen=other)) == told(blind())


@cache
def blind() -> Scene:
    """A run in which Korea's radar sees nothing. Not to be changed."""
    return Scene("before").watch(105.0, only=lambda look: look.node != "kor")


@pytest.mark.parametrize("node", NODES)
def test_nothing_genuine_is_refused_with_real_signatures(node: str) -> None:
    scene = Scene("trilateral", Ed25519).watch(130.0, thin=8)
    assert scene[node].refusals() == []
    assert len(scene[node].staff("picture")) > 3


def test_an_object_that_appears_again_after_its_event_was_closed_is_a_new_one() -> None:
    """The link to the only one who sees it was cut for so long that its event was closed here."""
    scene = Scene("before")
    scene.watch(95.0, only=lambda look: look.node == "kor")
    scene.cut |= {("kor", "usa"), ("usa", "kor")}
    scene.watch(100.0, only=lambda look: look.node == "kor")
    (event,) = scene["usa"].node.state.events.of(frozenset({"USA"}))
    event.over_ns = scene.at(96.0)  # closed: nothing was seen for long
    scene.cut.clear()
    scene.pump()
    events = scene["usa"].node.state.events.of(frozenset({"USA"}))
    assert len(events) == 2
    assert events[1].over_ns is None

"""What a node lets go of, when, and that nobody can tell by it what they may not know."""

from __future__ import annotations

from functools import cache

import pytest

from noroshi.clock import seconds
from noroshi.node import Node, pruning, trusting
from noroshi.node.events import EVENT_KEPT_NS, ROWS_KEPT_NS, UNSEEN_OVER_NS, Event, EventBook, Piece
from noroshi.node.inputs import LinkChanged
from noroshi.node.snapshot import dump, opened
from noroshi.node.state import State
from noroshi.node.work import Work
from noroshi.tracking import radar_measurements
from tests.node.scene import NODES, Scene, Side, places, replayed

OURS, BOTH = frozenset({"JPN"}), frozenset({"JPN", "USA"})
HOUR_NS = seconds(3600.0)
DAY_NS = 24 * HOUR_NS


@cache
def ended(structure: str) -> Scene:
    """A crisis to its end: alerts, answers, a consultation; every event is over. Not to be changed."""
    scene = Scene(structure)
    scene.alert()
    for node in NODES:
        for action in ("request", "concur"):
            for task in scene.tasks(node, action):
                scene.answer(node, task)
        for task in scene.tasks(node, "acknowledge")[:1]:
            scene.answer(node, task)
    scene.run_to(scene.at(2400.0))
    return scene


def over(structure: str) -> Scene:
    """The same, to go on with: every node comes back from a snapshot."""
    model, scene = ended(structure), Scene(structure)
    scene.now_ns = model.now_ns
    for name, side in model.sides.items():
        twin = scene[name]
        twin.node = Node.restore(name, side.node.snapshot(), (), side.member.secrets, places())
        twin.batches = list(side.batches)
    return scene


def idle(scene: Scene, node: str, after_ns: int) -> None:
    """Something happens that is about nothing: a link comes up."""
    scene.run_to(scene.now_ns + after_ns)
    up = LinkChanged(party=scene["usa" if node == "jpn" else "jpn"].party, state="up")
    scene[node].take(scene.now_ns, up)


def kept(side: Side) -> dict[str, int]:
    """How much there is of everything that grows."""
    state = side.node.state
    return {
        "events": sum(len(state.events.of(audience)) for audience in state.event_audiences()),
        "rows": sum(
            event.estimate.rows for audience in state.event_audiences() for event in state.events.of(audience)
        ),
        "tasks": len(state.tasks) + len(state.closed_tasks),
        "cases": len(state.cases),
        "warnings": len(state.warnings),
        "alerts": len(state.alerts) + sum(len(desk.events) for desk in state.desks.values()),
        "reach": len(state.reach.saved()),
        "timers": len(state.timers.keys() - {trusting.TIMER}),
    }


@pytest.mark.slow
@pytest.mark.parametrize("node", NODES)
def test_after_the_crisis_a_node_is_as_small_as_before_but_for_what_was_seen(node: str) -> None:
    scene = over("before")
    side = scene[node]
    full, seen = kept(side), len(side.node.state.known)
    assert full["events"]
    assert full["rows"]
    idle(scene, node, HOUR_NS)
    assert kept(side)["rows"] == 0
    assert kept(side)["events"] == full["events"]
    idle(scene, node, 25 * HOUR_NS)
    assert kept(side)["events"] == 0
    assert kept(side)["warnings"] == full["warnings"]
    idle(scene, node, 8 * DAY_NS)
    assert not any(kept(side).values())
    assert len(side.node.state.known) >= seen
    twin = replayed(side.member, side.records())
    assert dump(twin.state) == dump(side.node.state)


@pytest.mark.slow
def test_a_task_that_was_never_done_is_taken_off_the_list() -> None:
    scene = over("trilateral")
    open_ones = {task["task"] for task in scene.tasks("jpn")}
    assert any(name.startswith("acknowledge:") for name in open_ones)
    idle(scene, "jpn", 10 * DAY_NS)
    assert scene.tasks("jpn") == []
    last = {row["task"]: row["state"] for row in scene["jpn"].staff("task")}
    assert {last[name] for name in open_ones} == {"expired"}


def test_an_answer_counts_for_a_week_and_is_history_after_it() -> None:
    scene = over("trilateral")
    tasks = {task["answer"]["of"] for task in scene.tasks("jpn", "acknowledge")}
    state = scene["jpn"].node.state
    for days, known in ((7, True), (2, False)):
        idle(scene, "jpn", days * DAY_NS)
        assert {
            bytes.fromhex(one) in state.alerts or bytes.fromhex(one) in state.warnings for one in tasks
        } == {known}


def test_a_node_with_little_left_goes_on_from_a_snapshot() -> None:
    scene = over("before")
    idle(scene, "usa", HOUR_NS)
    side = scene["usa"]
    twin = opened("usa", side.node.snapshot(), side.member.secrets, places())
    assert dump(twin) == dump(side.node.state)
    assert all(not event.estimate.rows for event in twin.events.of(frozenset({"USA"})))


def copy_of(side: Side) -> State:
    return opened("", side.node.snapshot(), side.member.secrets, places())


@pytest.mark.slow
@pytest.mark.parametrize("hours", [(1, 2, 30), (5, 26, 30), (26, 190, 200, 230)])
def test_it_does_not_show_how_often_it_was_done(hours: tuple[int, ...]) -> None:
    """So nobody can tell by it whether there were inputs, which may be hidden from them, in the hours between."""
    scene = ended("before")
    side, start_ns = scene["usa"], scene.now_ns // HOUR_NS * HOUR_NS
    often, once = copy_of(side), copy_of(side)
    for state, when in ((often, hours), (once, hours[-1:])):
        for hour in when:
            prune(state, start_ns + hour * HOUR_NS)
    assert dump(often)[1] == dump(once)[1]


def prune(state: State, now_ns: int) -> None:
    """The first input of the hour comes half an hour late."""
    work = Work(state, now_ns + HOUR_NS // 2)
    pruning.hourly(work)
    state.outboxes.streams.pop("staff", None)  # what the staff are shown of it has its own time
    assert state.pruned_ns == now_ns


def test_it_is_done_once_an_hour_and_never_after_a_step_back() -> None:
    scene = Scene("trilateral")
    side = scene["jpn"]
    times = []
    for after_s in (600.0, 600.0, 3600.0, 10.0):
        idle(scene, "jpn", seconds(after_s))
        times.append(side.node.state.pruned_ns)
    assert times[0] == times[1] < times[2] == times[3]
    assert all(time_ns % HOUR_NS == 0 for time_ns in times)
    side.take(scene.now_ns - 3 * HOUR_NS, LinkChanged(party=scene["usa"].party, state="down"))
    assert side.node.state.pruned_ns == times[-1]


# Events alone


def opened_at(book: EventBook, audience: frozenset[str], time_ns: int) -> None:
    rows = radar_measurements([time_ns], (-3.8e6, 3.3e6, 3.9e6), [[1e6, 1.0, 0.5]], (50.0, 1e-3, 1e-3))
    event = book.open(audience, "USA", time_ns)
    book.add(Piece("USA", "radar", rows, (audience,)), [event])
    book.join(event, "USA", time_ns.to_bytes(16, "big"))
    book.take_touched()


def numbers(book: EventBook, audience: frozenset[str]) -> list[int]:
    return [event.number for event in book.of(audience)]


def test_events_that_nobody_looks_at_end_by_themselves() -> None:
    book = EventBook()
    opened_at(book, BOTH, HOUR_NS)
    (event,) = book.of(BOTH)
    book.prune(HOUR_NS + UNSEEN_OVER_NS, OURS, frozenset())
    assert event.over_ns is None
    book.prune(HOUR_NS + UNSEEN_OVER_NS + 1, OURS, frozenset())
    assert event.over_ns == HOUR_NS + UNSEEN_OVER_NS
    assert list(book.active(BOTH)) == []


def test_an_event_that_an_alert_cites_stays_with_what_others_call_it() -> None:
    book = EventBook()
    for audience in (OURS, BOTH, OURS):
        opened_at(book, audience, HOUR_NS)
    ours, other = book.of(OURS)
    (theirs,) = book.of(BOTH)
    ours.known_as[BOTH] = theirs
    for event in (ours, other, theirs):
        event.over_ns = event.looked_ns = 2 * HOUR_NS
    late_ns = 2 * HOUR_NS + EVENT_KEPT_NS + 1
    book.prune(late_ns, OURS, {1})
    assert (numbers(book, OURS), numbers(book, BOTH)) == ([1], [1])
    assert book.find(BOTH, "USA", HOUR_NS.to_bytes(16, "big")) is theirs
    book.prune(late_ns, OURS, frozenset())
    assert (numbers(book, OURS), numbers(book, BOTH)) == ([], [])
    assert book.find(BOTH, "USA", HOUR_NS.to_bytes(16, "big")) is None
    opened_at(book, OURS, late_ns)
    assert numbers(book, OURS) == [3]


@pytest.mark.slow
def test_a_book_that_is_pruned_every_hour_does_not_grow() -> None:
    book, sizes = EventBook(), []
    for hour in range(1, 40):
        for minute in range(0, 60, 4):
            opened_at(book, OURS, hour * HOUR_NS + minute * seconds(60.0))
        for event in book.active(OURS):
            event.over_ns = event.looked_ns = event.known_ns + seconds(300.0)
        book.prune((hour + 1) * HOUR_NS, OURS, frozenset())
        parts: dict[bytes, bytes] = {}
        saved = book.saved(lambda data, parts=parts: parts.setdefault(data, data))  # type: ignore[misc]  # bound early
        sizes.append((len(saved.events), len(saved.foreign), len(saved.estimates)))
    assert sizes[27] == sizes[33] == sizes[-1]
    assert sizes[-1][0] <= 15 * (1 + (EVENT_KEPT_NS + ROWS_KEPT_NS) // HOUR_NS + 1)


@pytest.mark.slow
def test_a_row_for_an_event_without_measurements_opens_another(scene: Scene) -> None:
    """Only a clock that was stepped back can bring one: rows that late are too old."""
    scene.watch(100.0)
    side, now_ns = scene["jpn"], scene.now_ns
    before = everything(side.node.state)
    for event in before:
        event.over_ns = now_ns
    side.node.state.events.prune(now_ns + DAY_NS, frozenset({"JPN"}), frozenset())
    scene.watch(104.0)
    assert side.refusals() == []
    fresh = [event for event in everything(side.node.state) if event not in before]
    assert fresh
    assert all(event.estimate.rows for event in fresh)
    assert not any(event.estimate.rows for event in before)


def everything(state: State) -> list[Event]:
    return [one for audience in state.event_audiences() for one in state.events.of(audience)]

"""What a partner may not have shows in nothing that it gets: bytes, order, numbering, tick.

Paired runs of the United States' node under `before`: with and without Korea's evidence, everything in Japan's outbox is
the same; and the other way round. The same comparison finds leaks that are planted on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from noroshi.exercise.world import Look
from noroshi.log import OutboxRow
from noroshi.messages import Envelope, Message
from noroshi.messages.kinds import Lane
from noroshi.node import evidence, flow, speak
from noroshi.node.events import Piece
from noroshi.node.state import State
from noroshi.node.work import Work
from noroshi.review import open_log
from noroshi.sharing import Withheld
from tests.node.scene import Scene, envelopes

UNTIL_S = 150.0


def seen_by(partner: str, *, without: str = "") -> list[tuple[int, int, int, str, bytes]]:
    """All that the United States' node gives a partner in a run where one nation's radars see nothing."""

    def sees(look: Look) -> bool:
        return look.node != without

    scene = Scene("before").watch(UNTIL_S, only=sees)
    rows: list[OutboxRow] = scene["usa"].rows(f"partner:{partner}")
    return [(row.number, row.now_ns, row.lane, row.key, row.data) for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize(("partner", "hidden"), [("JPN", "kor"), ("KOR", "jpn")])
def test_hidden_evidence_changes_nothing_that_a_partner_sees(partner: str, hidden: str) -> None:
    with_it, without = seen_by(partner), seen_by(partner, without=hidden)
    assert with_it == without


def test_there_is_something_to_hide_and_something_to_see() -> None:
    scene = Scene("before").watch(UNTIL_S)
    assert {one.origin for one in envelopes(scene["usa"].rows("partner:JPN"))} == {"USA"}
    assert len(scene["usa"].rows("partner:JPN")) > 10
    origins = {one.origin for one in _held(scene, "usa")}
    assert origins == {"JPN", "KOR", "USA"}


def test_no_byte_of_korean_content_reaches_japan_under_before() -> None:
    scene = Scene("before").watch(UNTIL_S)
    korea = scene["kor"].member.genesis
    marks = {sensor.pseudonym.encode() for sensor in korea.sensors} | {
        sensor.unit.encode() for sensor in korea.sensors
    }
    marks |= {one.id for one in _held(scene, "kor") if one.origin == "KOR"}
    marks |= {one.event for one in _held(scene, "kor") if one.origin == "KOR"} - {b""}
    assert len(marks) > 10
    given = b"".join(row.data for row in scene["usa"].rows("partner:JPN"))
    assert given
    assert not [mark for mark in marks if mark in given]


@contextmanager
def planted(monkeypatch: pytest.MonkeyPatch, leak: str) -> Iterator[None]:
    with monkeypatch.context() as patch:
        if leak == "pictures of everything":
            patch.setattr(Piece, "usable_for", lambda self, audience: True)
        elif leak == "one counter for all":
            ids = State.new_id

            def shared(self: State, audience: frozenset[str]) -> bytes:
                self.counters["all"] = self.counters.get("all", 0) + 1
                return ids(self, frozenset((f"{self.counters['all']}",)))

            patch.setattr(State, "new_id", shared)
        elif leak == "a withheld row leaves a trace":
            release = speak.release

            def tracing(work: Work, message: Message, *, lane: int) -> None:
                release(work, message, lane=lane)
                if isinstance(work.state.policy.onward(message, "JPN"), Withheld):
                    work.send("partner:JPN", Lane.NOTICE, b"withheld")

            patch.setattr(flow, "release", tracing)
        elif leak == "one numbering of events":
            opened = evidence._event_for

            def numbered(work: Work, audience: frozenset[str], *rest: object) -> object:
                event = opened(work, audience, *rest)  # type: ignore[arg-type]  # as the stage calls it
                assert event is not None
                event.number = 1 + len(work.state.known)
                return event

            patch.setattr(evidence, "_event_for", numbered)
        yield


@pytest.mark.slow
@pytest.mark.parametrize(
    "leak",
    [
        "pictures of everything",
        "one counter for all",
        "a withheld row leaves a trace",
        "one numbering of events",
    ],
)
def test_the_comparison_finds_planted_leaks(monkeypatch: pytest.MonkeyPatch, leak: str) -> None:
    with planted(monkeypatch, leak):
        try:
            differ = seen_by("JPN") != seen_by("JPN", without="kor")
        except (AssertionError, LookupError):
            differ = True
    assert differ


def _held(scene: Scene, node: str) -> list[Envelope]:
    """Every message that a node's record holds as accepted."""
    entries = open_log(node, scene[node].records()).entries
    return [entry.envelope for entry in entries if entry.envelope is not None and entry.accepted]

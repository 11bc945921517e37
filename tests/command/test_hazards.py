"""The book of other agencies' alerts: what stands follows from what was heard, in whatever order it came."""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest

from noroshi.command.hazards import (
    MAX_MARKS,
    TABLE,
    Hazard,
    HazardBook,
    SavedHazards,
    diagram,
    identity,
)
from noroshi.messages.canonical import encode

NOW_NS = 1_000
LATER_NS = 10_000

Said = tuple[str, str, int, tuple[tuple[str, int], ...]]
"""(name, type, sent, the (name, sent) of those that it refers to) of a message of one agency."""


def key(name: str, sent_ns: int, sender: str = "agency") -> bytes:
    return identity(sender, name, sent_ns)


def hazard(
    name: str,
    sent_ns: int,
    *,
    digest: bytes = b"",
    signed: bool = False,
    sender: str = "agency",
    until_ns: int = LATER_NS,
) -> Hazard:
    return Hazard(
        key=key(name, sent_ns, sender),
        sender=sender,
        identifier=name,
        sent_ns=sent_ns,
        until_ns=until_ns,
        digest=digest or name.encode(),
        act=True,
        signed=signed,
        name=name,
    )


def told(book: HazardBook, said: Said, **more: bool) -> str:
    """Tells the book; why not, or what became of the message."""
    name, type_, sent_ns, refers = said
    new = hazard(name, sent_ns, **more)  # type: ignore[arg-type]  # flags
    named = [("agency", key(*one), one[1]) for one in refers]
    reason = book.defect(new, type_, named)
    if reason:
        return reason
    taken = book.take(new, type_, [one[1] for one in named], NOW_NS)
    return "duplicate" if taken is None else taken.hazard.state


def states(book: HazardBook) -> dict[str, str]:
    return {one.identifier: one.state for one in book}


ALERT: Said = ("a", "Alert", 10, ())
FIRST: Said = ("u1", "Update", 20, (("a", 10),))
SECOND: Said = ("u2", "Update", 30, (("u1", 20),))
CANCEL: Said = ("c", "Cancel", 40, (("a", 10),))

STORIES: dict[str, tuple[tuple[Said, ...], dict[str, str]]] = {
    "update": ((ALERT, FIRST), {"a": "superseded", "u1": "standing"}),
    "chain": ((ALERT, FIRST, SECOND), {"a": "superseded", "u1": "superseded", "u2": "standing"}),
    "older update": (
        (ALERT, ("late", "Update", 15, (("a", 10),)), FIRST),
        {"a": "superseded", "late": "superseded", "u1": "standing"},
    ),
    "cancel of the first ends the chain": (
        (ALERT, FIRST, SECOND, CANCEL),
        {"a": "cancelled", "u1": "cancelled", "u2": "cancelled", "c": "notice"},
    ),
    "update after a cancel": (
        (ALERT, CANCEL, ("again", "Update", 50, (("a", 10),))),
        {"a": "superseded", "c": "notice", "again": "standing"},
    ),
    "error": ((ALERT, ("e", "Error", 12, (("a", 10),))), {"a": "withdrawn", "e": "notice"}),
}


@pytest.mark.parametrize("story", STORIES)
def test_in_whatever_order_the_same_stands(story: str) -> None:
    messages, wanted = STORIES[story]
    for order in permutations(messages):
        book = HazardBook()
        for one in (*order, *order):
            told(book, one)
        assert states(book) == wanted, order


def test_a_message_counts_once_and_cannot_say_two_things() -> None:
    book = HazardBook()
    assert [told(book, ALERT), told(book, ALERT)] == ["standing", "duplicate"]
    other = hazard("a", 10, digest=b"other")
    assert book.defect(other, "Alert", ()) == "contradictory"
    assert len(book) == 1


def test_what_changes_another_must_be_able_to() -> None:
    book = HazardBook()
    told(book, ALERT)
    mine, theirs = ("agency", key("a", 10), 10), ("else", key("b", 10), 10)
    new = hazard("x", 5)
    assert book.defect(hazard("x", 20), "Cancel", ()) == "refers-to-nothing"
    assert book.defect(hazard("x", 20), "Cancel", (theirs,)) == "refers-to-another-sender"
    assert book.defect(hazard("x", 20), "Update", (theirs,)) == ""
    assert book.defect(hazard("x", 20), "Cancel", (("its other name", *mine[1:]),)) == ""
    assert book.defect(new, "Cancel", (mine,)) == "older-than-what-it-changes"
    assert book.defect(new, "Update", (("agency", new.key, 5),)) == "older-than-what-it-changes"
    assert book.defect(hazard("x", 20), "Cancel", (mine,) * 101) == "too-many-references"
    assert states(book) == {"a": "standing"}


def test_what_was_signed_is_changed_by_what_is_signed_only() -> None:
    book = HazardBook()
    told(book, ALERT, signed=True)
    assert told(book, CANCEL) == "weaker-than-what-it-changes"
    assert told(book, CANCEL, signed=True) == "notice"
    assert states(book)["a"] == "cancelled"
    before = HazardBook()
    assert told(before, CANCEL) == "notice"
    assert told(before, ALERT, signed=True) == "standing"  # nobody who could has taken it back
    assert told(before, ("b", "Alert", 10, ()), signed=True) == "standing"


def test_it_runs_out_and_an_old_one_is_history() -> None:
    book = HazardBook()
    told(book, ALERT)
    assert book.run_out(key("a", 10), LATER_NS - 1) is None
    ended = book.run_out(key("a", 10), LATER_NS)
    assert ended is not None
    assert ended.state == "expired"
    assert book.run_out(key("a", 10), LATER_NS) is None
    taken = book.take(hazard("old", 5, until_ns=NOW_NS), "Alert", (), NOW_NS)
    assert taken is not None
    assert taken.hazard.state == "expired"
    assert told(book, FIRST) == "standing"
    assert states(book)["a"] == "superseded"


def test_it_comes_back_from_a_snapshot_and_stays_small() -> None:
    book = HazardBook()
    for one in (CANCEL, SECOND):
        told(book, one)
    raw = encode(book.saved())
    again = HazardBook.loaded(msgspec.msgpack.decode(raw, type=SavedHazards))
    assert told(again, FIRST) == "cancelled"
    assert told(again, ALERT) == "cancelled"
    assert states(again) == {"c": "notice", "u2": "cancelled", "u1": "cancelled", "a": "cancelled"}
    again.prune(LATER_NS)
    assert states(again) == {}
    for place in range(1, 400):
        refers = [key(f"{place}.{one}", 1) for one in range(100)]
        again.take(hazard(f"flood {place}", 10 + place), "Update", refers, NOW_NS)
    assert len(again.saved().marks) <= MAX_MARKS


def test_the_table_is_the_diagram_and_nothing_stands_again() -> None:
    assert len(diagram()) == len(TABLE)
    assert {before for (before, _), after in TABLE.items() if after == "standing"} == {"none"}

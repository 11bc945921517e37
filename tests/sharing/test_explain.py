"""Why a partner has or has not got a message: read off the log as it was decided."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from noroshi.errors import OperatorError
from noroshi.log import Chain, Record
from noroshi.messages import Label, Lane, label_for
from noroshi.messages.canonical import encode
from noroshi.node.inputs import Control, ReceiptGiven, Received, TimerDue, encode_input
from noroshi.sharing.explain import REASONS, explain
from noroshi.sharing.streams import START
from tests.sharing.policies import EVENT, NATIONS, TRACK, message

THREE, PAIR = label_for(NATIONS), label_for(["JPN", "USA"])


class Writer:
    """A log in the making: inputs, and what followed from them."""

    def __init__(self) -> None:
        self.chain = Chain()
        self.records: list[Record] = []

    def given(self, given: Any) -> None:
        self.records.append(self.chain.link(len(self.records) + 100, *encode_input(given)))

    def said(self, id: bytes, label: Label, kind: str = "track", **decided: Any) -> None:
        sent = message("JPN", "jp-mod", label, kind, TRACK if kind == "track" else EVENT, id=id)
        self.records.append(self.chain.link(len(self.records) + 100, "message", sent.raw))
        self.decided(id, kind, **decided)

    def decided(self, id: bytes, kind: str = "track", **decided: Any) -> None:
        fields = {"id": id, "kind": kind, "to": {}, "rules": {}, "withheld": {}, **decided}
        self.records.append(self.chain.link(len(self.records) + 100, "release", encode(fields)))


WIDE, NARROW, RELAYED = b"\xaa" * 16, b"\xab" * 16, b"\xbb" * 16


def receipt(upto: int, party: str = "partner:USA") -> ReceiptGiven:
    position = START.at(Lane.TRACK, upto, bytes(32))
    return ReceiptGiven(party=party, position=position, signature=b"s" * 64)


@pytest.fixture
def log() -> Writer:
    """A saying in two editions; then a message of another's, passed on; then receipts."""
    writer = Writer()
    writer.given(TimerDue(name="look"))
    writer.said(WIDE, THREE, to={"USA": 4}, rules={"KOR": "tri-kr", "USA": "us-jp"})
    writer.said(
        NARROW, PAIR, to={"USA": 5}, rules={"USA": "us-jp"},
        withheld={"KOR": "not-in-label"}, denied_by={"KOR": "label"},
    )  # fmt: skip
    relayed = message("KOR", "kr-jcs", THREE, id=RELAYED)
    writer.given(Received(party="partner:USA", number=1, raw=relayed.raw))
    writer.decided(RELAYED, withheld={"USA": "not-on-the-way"})
    writer.given(receipt(4))
    writer.given(receipt(6, "partner:KOR"))
    return writer


def test_who_got_it_is_told_with_rows_rule_and_receipt(log: Writer) -> None:
    told = explain(log.records, WIDE.hex(), "USA")
    (asked,) = told.asked
    assert (asked.id, asked.rule("USA"), asked.rows("USA")) == (WIDE, "us-jp", (("partner:USA/track", 4),))
    assert told.got[0] is asked
    assert told.receipts == {("partner:USA/track", 4): 106 + 1}
    assert told.doubtful == {}


def test_who_got_another_edition_is_told_which(log: Writer) -> None:
    told = explain(log.records, NARROW.hex()[:4], "partner:KOR")
    (asked,) = told.asked
    assert (asked.reason("KOR"), asked.rule("KOR")) == ("not-in-label", "label")
    (other,) = told.got
    assert (other.id, other.rule("KOR")) == (WIDE, "tri-kr")
    assert other.rows("KOR") == (("partner:USA/track", 4),), "by way of the neighbour that has it"
    assert told.receipts == {}


def test_who_got_none_is_told_why(log: Writer) -> None:
    told = explain(log.records, "last", "USA")
    assert (told.asked[-1].id, told.asked[-1].reason("USA"), told.got) == (RELAYED, "not-on-the-way", [])
    assert told.asked[-1].envelope is not None
    assert told.asked[-1].envelope.origin == "KOR"


def test_a_decision_that_was_taken_again_is_told_with_the_first() -> None:
    writer = Writer()
    writer.given(TimerDue(name="look"))
    writer.said(WIDE, PAIR, to={"USA": 4}, rules={"USA": "us-jp"})
    writer.given(Control(party="post:x", raw=b"changed"))
    writer.decided(WIDE, withheld={"USA": "removed"})
    writer.given(receipt(9))
    told = explain(writer.records, WIDE.hex(), "USA")
    assert [one.reason("USA") for one in told.asked] == ["", "removed"]
    assert told.receipts == {}, "row 4 may be another row since"
    assert told.doubtful == {("partner:USA/track", 4): 4}


def test_a_receipt_from_before_says_nothing() -> None:
    writer = Writer()
    writer.given(TimerDue(name="look"))
    writer.said(WIDE, PAIR, to={"USA": 4}, rules={"USA": "us-jp"})
    writer.given(receipt(9))
    writer.given(TimerDue(name="look"))
    writer.said(NARROW, PAIR, to={"USA": 5}, rules={"USA": "us-jp"})
    assert explain(writer.records, NARROW.hex(), "USA").receipts == {}
    assert len(explain(writer.records, WIDE.hex(), "USA").receipts) == 1


def test_a_log_whose_bodies_retention_has_dropped_is_read_all_the_same(log: Writer) -> None:

    kept = [
        record if record.type == "release" else msgspec.structs.replace(record, body=None)
        for record in log.records
    ]
    told = explain(kept, NARROW.hex(), "KOR")
    assert told.asked[0].envelope is None
    assert told.asked[0].reason("KOR") == "not-in-label"
    assert explain(kept, "last", "USA").asked[0].id == RELAYED


@pytest.mark.parametrize(
    ("message_id", "party", "cause"),
    [
        ("ee", "USA", "no decision about such a message"),
        ("a", "USA", "2 messages begin so"),
        ("aa", "AUS", "nothing was decided about it"),
        ("aa", "staff", "nothing was decided about it"),
        ("aa", "JPN", "nothing was decided about it"),
    ],
)
def test_what_cannot_be_told_is_said(log: Writer, message_id: str, party: str, cause: str) -> None:
    with pytest.raises(OperatorError) as refused:
        explain(log.records, message_id, party)
    assert cause in refused.value.cause
    assert refused.value.hint


def test_an_empty_log_has_no_last_message() -> None:
    with pytest.raises(OperatorError):
        explain([], "last", "USA")


def test_every_reason_is_one_plain_clause() -> None:
    assert all(text and not text.endswith(".") for text in REASONS.values())

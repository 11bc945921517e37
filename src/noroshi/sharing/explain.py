"""Why a partner has or has not got a message: read off a node's log, from what was decided when it was decided.

Each edition that a node says, and each message that it passes on, is followed on the log by one `release` record: rows,
rules, and reasons of what was withheld. The editions of one saying follow from the same input. This reads those records
and nothing else; nothing is decided again.

    told = explain(records, "last", "KOR")
    told.got                                  # the Decisions by which KOR got an edition
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import msgspec

from noroshi.errors import OperatorError
from noroshi.log import Record
from noroshi.messages import KINDS, Lane
from noroshi.messages.envelope import Envelope, Signed
from noroshi.sharing.outbox import partner_party
from noroshi.sharing.streams import stream_of

LAST = "last"
"""Stands for the message of the newest release decision."""

MOST_LISTED = 5
"""Ids in one hint."""

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "not-in-label": "its label does not name the partner",
        "unknown-classification": "its label has a rank that is not known",
        "unknown-caveat": "its label has a caveat that is not known",
        "label-not-canonical": "its label is not in the one form that labels have",
        "unknown-partner-form": "its label names what is no partner",
        "unknown-marking-form": "its label has a marking that is none",
        "unknown-kind": "this version does not know its kind",
        "unknown-partner": "the policy does not name the partner",
        "removed": "the partner is removed",
        "unknown-rank": "its rank, or the partner's highest, is not one that may be released",
        "rank-too-high": "its rank is above the highest that the partner may have",
        "unknown-category": "it has a category that the policy does not know",
        "not-cleared-for-category": "the partner is not cleared for one of its categories",
        "unknown-marking-policy": "it is marked by a marking policy of which there is no table",
        "denied": "a rule denies it",
        "reduced-only": "the partner gets only reduced editions of it",
        "no-rule-names-it": "the partner is an observer, and no rule names it",
        "waits-for-a-post": "it waits for a post to release it",
        "over-budget": "the partner has had as many in the last hour as its budget allows; it waits for a post",
        "not-alone": "the partner must have an edition of its own, and this one names others too",
        "label-too-wide": "its label names somebody who may not have it",
        "no-sharing-edge": "no sharing edge of the structure lets it go there",
        "no-route": "there is no way over links of partners who may have it",
        "not-on-the-way": "this node is not on its way",
        "arrived": "this node is where it was going",
        "next-hop-may-not": "the next partner on the way may not have it",
        "declared-only": "the partner is warned by a tear-line only",
        "never-had-it": "it takes back what the partner never had",
    }
)
"""What reasons mean; the manual's table is made from it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One release decision. sequence and now_ns: of its record; id: of the edition; envelope: None where retention has
    dropped the message.
    """

    sequence: int
    now_ns: int
    id: bytes
    kind: str
    envelope: Envelope | None
    fields: Mapping[str, Any]

    @property
    def lane(self) -> Lane:
        """The lane of its rows."""
        kind = KINDS.get(self.kind)
        return kind.lane if kind is not None else Lane.NOTICE

    def allows(self, partner: str) -> bool:
        """Whether it let the edition go towards the partner."""
        return partner in self.fields.get("rules", {})

    def rule(self, partner: str) -> str:
        """The rule that decided about the partner; empty where the record does not say."""
        either = self.fields.get("rules", {}).get(partner) or self.fields.get("denied_by", {}).get(partner)
        return str(either or "")

    def reason(self, partner: str) -> str:
        """Why it was withheld from the partner; empty where it was not, or nobody asked."""
        return str(self.fields.get("withheld", {}).get(partner, ""))

    def rows(self, partner: str) -> tuple[tuple[str, int], ...]:
        """Stream and number of each row by which it went towards the partner: its own, or those of relays."""
        sent: Mapping[str, int] = self.fields.get("to", {})
        way = self.fields.get("ways", {}).get(partner)
        hops = [way] if way in sent else [partner] if partner in sent else sorted(sent)
        return tuple((stream_of(partner_party(hop), self.lane), sent[hop]) for hop in hops)


@dataclass(slots=True)
class Explanation:
    """asked: the decisions about the message itself, oldest first; got: those, of it or of another edition of the same
    saying, that let something go to the partner; receipts: per row, when the partner's receipt covered it, where known;
    doubtful: per row that was not receipted before a change by a root, the record of that change. Such a row may have
    been taken out before it went, or have another number since.
    """

    partner: str
    asked: list[Decision]
    got: list[Decision]
    receipts: dict[tuple[str, int], int] = field(default_factory=dict)
    doubtful: dict[tuple[str, int], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Mark:
    """upto: the partner's last row of each lane that is durable there; None: rows before this may have other numbers."""

    sequence: int
    now_ns: int
    upto: tuple[int, ...] | None


_SIGNED = msgspec.msgpack.Decoder(Signed)
_ENVELOPE = msgspec.msgpack.Decoder(Envelope)


def explain(records: Iterable[Record], message: str, party: str) -> Explanation:
    """What a node's log says of a message and a partner.

    message: the head of its id in hexadecimal, or `last`; party: `KOR` or `partner:KOR`. Raises OperatorError where the
    log has no such message, several, or no decision about such a party.
    """
    partner = party.removeprefix(partner_party(""))
    chosen: list[list[Decision]] = []
    marks: list[_Mark] = []
    for group, given in _groups(records):
        mark = _mark(given, partner) if chosen else None
        if mark is not None:
            marks.append(mark)
        if not group:
            continue
        if message == LAST:
            chosen, marks = [group], []
        elif any(one.id.hex().startswith(message.lower()) for one in group):
            chosen.append(group)
    asked = _asked(chosen, message, partner)
    wanted = {one.id for one in asked}
    editions = [
        one
        for group in chosen
        if any(each.id in wanted for each in group)
        for one in group
        if one.id in wanted or (one.kind == asked[-1].kind and one.allows(partner))
    ]
    told = Explanation(partner, asked, [one for one in editions if one.allows(partner)])
    _follow(told, marks)
    return told


def _groups(records: Iterable[Record]) -> Iterator[tuple[list[Decision], Record]]:
    """For each input, the release decisions that followed from it, and the input."""
    given: Record | None = None
    group: list[Decision] = []
    envelopes: dict[bytes, Envelope] = {}
    for record in records:
        if record.is_input:
            if given is not None:
                yield group, given
            given, group, envelopes = record, [], {}
        if record.body is None:
            continue
        if record.type == "message":
            _open(record.body, envelopes)
        elif record.type == "received":
            raw = msgspec.msgpack.decode(record.body).get("raw")
            if isinstance(raw, bytes):
                _open(raw, envelopes)
        elif record.type == "release":
            fields = msgspec.msgpack.decode(record.body)
            known = envelopes.get(fields["id"])
            group.append(
                Decision(record.sequence, record.now_ns, fields["id"], fields["kind"], known, fields)
            )
    if given is not None:
        yield group, given


def _open(raw: bytes, envelopes: dict[bytes, Envelope]) -> None:
    try:
        envelope = _ENVELOPE.decode(_SIGNED.decode(raw).payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return  # bytes that were refused as no message: nothing was decided about them
    envelopes[envelope.id] = envelope


def _asked(chosen: list[list[Decision]], message: str, partner: str) -> list[Decision]:
    """The decisions about the one message that is meant."""
    found = [one for group in chosen for one in group]
    if message == LAST:
        found = found[-1:]
    else:
        found = [one for one in found if one.id.hex().startswith(message.lower())]
    ids = sorted({one.id.hex() for one in found})
    if not ids:
        raise OperatorError(
            "explain the release", subject=message, cause="this log has no decision about such a message",
            hint="give the head of its id, as `noroshi log tail` shows it, or `last`",
        )  # fmt: skip
    if len(ids) > 1:
        some = ", ".join(one[:16] for one in ids[:MOST_LISTED])
        raise OperatorError(
            "explain the release", subject=message, cause=f"{len(ids)} messages begin so", hint=f"give more: {some}"
        )  # fmt: skip
    if not any(one.allows(partner) or one.reason(partner) for one in found):
        fields = found[-1].fields
        known = ", ".join(sorted({*fields.get("rules", {}), *fields.get("withheld", {})})) or "nobody"
        raise OperatorError(
            "explain the release", subject=partner, cause="nothing was decided about it for this message",
            hint=f"it was decided about {known}; the originator and the node's own partner have it anyway",
        )  # fmt: skip
    return found


def _mark(given: Record, partner: str) -> _Mark | None:
    """What an input tells about rows that went before: a receipt of the partner, or a change by a root."""
    if given.type == "control":
        return _Mark(given.sequence, given.now_ns, None)
    if given.type != "receipt" or given.body is None:
        return None
    fields = msgspec.msgpack.decode(given.body)
    if fields["party"] != partner_party(partner):
        return None
    return _Mark(given.sequence, given.now_ns, tuple(fields["position"][1]))


def _follow(told: Explanation, marks: list[_Mark]) -> None:
    """Notes what became of each row: a receipt of the partner's, or a change by a root before there was one."""
    for decision in told.got:
        own = stream_of(partner_party(told.partner), decision.lane)
        for row in decision.rows(told.partner):
            for mark in marks:
                if mark.sequence < decision.sequence:
                    continue
                if mark.upto is None:
                    told.doubtful[row] = mark.sequence
                    break
                if row[0] == own and mark.upto[decision.lane] >= row[1]:
                    told.receipts[row] = mark.now_ns
                    break

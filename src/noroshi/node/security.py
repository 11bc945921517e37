"""What comes and cannot be believed: one notice for each source, with counts, however much of it comes.

A message of another realm, a forged, damaged or future-dated one is refused and recorded each time; the staff are told
of the source once, and from then on how many. What comes in our own name and was not sent by us is an alarm, and so is
a key that has signed two contents under one id: both stand on the record with their signatures, and anybody can check.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from noroshi.clock import NS_PER_S
from noroshi.messages import Message, Refused, key_id
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import Signed, digest, read_payload
from noroshi.node.inputs import Received
from noroshi.node.refused import MAX_NAME
from noroshi.node.work import ACTS_S, MS_PER_NS, Work

TIMER = "security"

TOLD_NS = 2 * NS_PER_S
"""After the first of a source, its counts are told again no oftener than this."""

QUIET_NS = 3600 * NS_PER_S
"""A source that was quiet for so long is a new one when it begins again."""

MAX_WORD = 40
"""Characters that are shown of a kind's name: one that nobody here knows may be of any length."""

MAX_SOURCES = 256
"""Sources with a notice of their own: the names of parties come from outside, and may be many."""

OTHERS = "others"
"""The source that stands for all beyond those."""

OWN_NAME = "in-our-own-name"

CONTRADICTORY = "contradictory"
"""The reason for what says something else than what the same author has said before of the same."""

WORDS = {
    "foreign-realm": "messages of another realm",
    "future-dated": "messages dated in the future",
    "malformed": "bytes that are no message",
    "realm-not-said": "measurements that do not say their realm",
    "stream-differs": "rows that differ from what their sender signed",
    "receipt-differs": "receipts for other rows than this node sent",
    "receipt-for-unsent-rows": "receipts for rows that this node never sent",
    "not-canonical": "bytes that are no message",
    "bad-signature": "messages with a false signature",
    CONTRADICTORY: "messages that contradict what their author has signed before",
    OWN_NAME: "messages in our own name that we did not send",
}


@dataclass(slots=True)
class Source:
    """What came from one source: how many were refused by reason, and how many of them the staff have been told of."""

    first_ns: int
    last_ns: int
    reasons: dict[str, int] = field(default_factory=dict)
    told: int = 0

    @property
    def count(self) -> int:
        """All that was refused."""
        return sum(self.reasons.values())


class _Said(msgspec.Struct):
    """As much of an envelope as says in whose name it is."""

    realm: str = ""
    origin: str = ""
    kind: str = ""


_SIGNED: msgspec.msgpack.Decoder[Signed] = msgspec.msgpack.Decoder(Signed)
_SAID = msgspec.msgpack.Decoder(_Said)


def refused(work: Work, given: Received, outcome: Refused) -> None:
    """Refuses bytes that did not become a message, and notes from whom they came."""
    first = _count(work, given.party, outcome.reason, outcome.detail)
    work.refuse(given.party, outcome.reason, outcome.detail, shown=first)
    said = _said(given.raw) if given.party.startswith("partner:") else None
    if said is not None and (said.realm, said.origin) == (work.state.genesis.realm, work.state.own):
        _alarm(work, given.party, said.kind, "its signature is not ours")


def came_back(work: Work, given: Received, message: Message) -> None:
    """A message with our own signature that we do not know: an older copy of this node, or another with its key."""
    _alarm(work, given.party, message.envelope.kind, "it bears our own signature")


def contradictory(work: Work, given: Received, message: Message, first: int) -> None:
    """Refuses a message whose author has signed another content under the same id before: both are kept, and its author
    is named, by whomever it came. A person may have answered twice; of a node it is an alarm.

    first: the record that holds the other; 0 where its number is not known.
    """
    envelope, signer = message.envelope, message.signer
    retention_s = message.kind.retention_s if message.kind else 0.0
    work.keep(max(retention_s, ACTS_S))
    second = work.input_record
    what = f"{envelope.kind[:MAX_WORD]} {message.id.hex()} of {message.origin}"
    work.refuse(given.party, CONTRADICTORY, f"{what}: not what record {first} holds", shown=False)
    proof = {
        "about": "contradictory", "origin": message.origin, "signer": signer.subject, "key": key_id(signer.public),
        "kind": envelope.kind[:MAX_WORD], "id": message.id, "first": first, "second": second,
        "digest": digest(read_payload(given.raw)), "party": given.party,
    }  # fmt: skip
    work.record("note", encode(proof), ACTS_S)
    if message.origin == work.state.own and signer.role == "node":
        _alarm(
            work,
            given.party,
            envelope.kind,
            "it bears our own signature and contradicts what this node has said",
        )
    author = f"{message.origin} {signer.subject}"[:MAX_NAME]
    if _count(work, author, CONTRADICTORY, "", alarmed=True):
        is_person = bool(envelope.post)
        work.show(
            "security",
            f"{'Security' if is_person else 'ALARM'}: the key of {signer.subject} ({message.origin}) has signed two "
            f"different contents of one {envelope.kind[:MAX_WORD]}; the first counts, the second came from "
            f"{given.party} and is refused (records {first} and {second})",
            lane=0,
            key=f"security:{author}:{CONTRADICTORY}",
            party=author,
            level="notice" if is_person else "alarm",
            reasons={CONTRADICTORY: 1},
            count=1,
            first_ms=work.now_ns // MS_PER_NS,
            last_ms=work.now_ns // MS_PER_NS,
            origin=message.origin,
            records=[first, second],
        )


def contradicts(work: Work, party: str, what: str) -> None:
    """Refuses what says something else than what its author has said before of the same, and counts it."""
    work.refuse(party, CONTRADICTORY, what, shown=_count(work, party, CONTRADICTORY, what))


def differs(work: Work, party: str, reason: str, what: str) -> None:
    """What a partner has signed of the rows between us is not what we have: shown at once, and counted."""
    _count(work, party, reason, what)


def foreign(work: Work, party: str, reason: str) -> None:
    """Refuses a batch of measurements that is of another realm, or does not say of which."""
    work.refuse(party, reason, shown=_count(work, party, reason, ""))


def due(work: Work, party: str) -> None:
    """The staff are told how many there are by now."""
    source = work.state.security.get(party)
    if source is not None and source.told != source.count:
        _show(work, party, source, "")


def _alarm(work: Work, party: str, kind: str, why: str) -> None:
    first = _count(work, party, OWN_NAME, kind)
    word = kind if kind in ("warning", "alert") else "message"
    if first:
        work.show(
            "security",
            f"ALARM: a {word} in our own name came from {party}, and this node did not send it; {why}",
            lane=0,
            key=f"security:{party}:{OWN_NAME}",
            party=party,
            level="alarm",
            reasons={OWN_NAME: 1},
            count=1,
            first_ms=work.now_ns // MS_PER_NS,
            last_ms=work.now_ns // MS_PER_NS,
        )


def _count(work: Work, party: str, reason: str, detail: str, *, alarmed: bool = False) -> bool:
    """Counts one more of a source; whether it is the first with this reason. alarmed: the first is told in a row of its
    own.
    """
    sources = work.state.security
    if party not in sources and len(sources) >= MAX_SOURCES:
        party = OTHERS
    source = sources.get(party)
    if source is None or source.last_ns + QUIET_NS < work.now_ns:
        source = sources[party] = Source(work.now_ns, work.now_ns)
    source.last_ns = work.now_ns
    first = reason not in source.reasons
    source.reasons[reason] = source.reasons.get(reason, 0) + 1
    if first:
        work.record(
            "note",
            encode({"about": "security", "party": party, "reason": reason, "first": source.count == 1}),
            ACTS_S,
        )
    if first and alarmed:
        source.told = source.count
    elif source.count == 1:
        words = WORDS.get(reason, f"messages that cannot be believed ({reason})")
        told = f" ({detail[:60]})" if detail and reason == "foreign-realm" else ""
        _show(
            work,
            party,
            source,
            f"Security: {words} come from {party}{told}; they are refused and have no effect",
        )
    else:
        name = f"{TIMER}:{party}"
        work.timer(name, work.state.timers.get(name, work.now_ns + TOLD_NS))
    return first


def _show(work: Work, party: str, source: Source, says: str) -> None:
    source.told = source.count
    work.show(
        "security",
        says,
        lane=0,
        key=f"security:{party}",
        party=party,
        level="notice",
        reasons=dict(sorted(source.reasons.items())),
        count=source.count,
        first_ms=source.first_ns // MS_PER_NS,
        last_ms=source.last_ns // MS_PER_NS,
    )


def _said(raw: bytes) -> _Said | None:
    """In whose name bytes are, as far as they can be read at all; nobody has verified it."""
    try:
        return _SAID.decode(_SIGNED.decode(raw).payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None

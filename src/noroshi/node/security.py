"""What comes and cannot be believed: one notice for each source, with counts, however much of it comes.

A message of another realm, a forged, damaged or future-dated one is refused and recorded each time; the staff are told
of the source once, and from then on how many. What comes in our own name and was not sent by us is an alarm.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from noroshi.clock import NS_PER_S
from noroshi.messages import Message, Refused
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import Signed
from noroshi.node.inputs import Received
from noroshi.node.work import ACTS_S, MS_PER_NS, Work

TIMER = "security"

TOLD_NS = 2 * NS_PER_S
"""After the first of a source, its counts are told again no oftener than this."""

QUIET_NS = 3600 * NS_PER_S
"""A source that was quiet for so long is a new one when it begins again."""

MAX_SOURCES = 256
"""Sources with a notice of their own: the names of parties come from outside, and may be many."""

OTHERS = "others"
"""The source that stands for all beyond those."""

OWN_NAME = "in-our-own-name"

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


def _count(work: Work, party: str, reason: str, detail: str) -> bool:
    """Counts one more of a source; whether it is the first with this reason."""
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
    if source.count == 1:
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

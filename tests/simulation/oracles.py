"""What must hold when all has healed and come to rest: read off the durable logs and rows alone.

Each check gives sentences, one for every way in which it does not hold. `lost_and_repeated` is the first of all:
whatever a node has accepted is on the log of every node that must have it, once, and on no other.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from noroshi.clock import seconds
from noroshi.errors import LocalError
from noroshi.log import MemoryStore, OutboxRow, Record
from noroshi.messages import KINDS, Envelope
from noroshi.messages.envelope import Signed
from noroshi.node import Node
from noroshi.node.inputs import Control, Genesis, Input, ReceiptGiven, Received, Retention, decode_input
from noroshi.node.snapshot import dump
from noroshi.sharing import CAP_GATEWAY, STAFF, partner_party
from noroshi.sharing.streams import next_head, streams_of
from tests.simulation import rules
from tests.simulation.coalition import Coalition
from tests.simulation.lines import Line
from tests.simulation.people import Given
from tests.simulation.shell import Host

AHEAD_NS = seconds(2.0)
"""How far ahead of a node's clock a message may be signed."""

_SIGNED = msgspec.msgpack.Decoder(Signed)
_ENVELOPE = msgspec.msgpack.Decoder(Envelope)


@dataclass(frozen=True, slots=True)
class Entry:
    """One input on a log, and what was derived from it."""

    record: Record
    given: Input
    derived: tuple[Record, ...]

    @property
    def reason(self) -> str:
        """Why it was refused, or an empty text."""
        for record in self.derived:
            if record.type == "refusal":
                return str(msgspec.msgpack.decode(record.body or b"")["reason"])
        return ""

    @property
    def released(self) -> list[bytes]:
        """The ids of the messages that it let pass the door, or that were held against it."""
        bodies = (msgspec.msgpack.decode(r.body or b"") for r in self.derived if r.type == "release")
        return [body["id"] for body in bodies]

    @property
    def is_duplicate(self) -> bool:
        """Whether nothing came of it."""
        return not self.derived


@dataclass(frozen=True, slots=True)
class Made:
    """One message that a node has accepted of its own side."""

    raw: bytes
    envelope: Envelope


@dataclass
class Log:
    """One host's log, read."""

    host: Host
    entries: tuple[Entry, ...]
    made: dict[bytes, Made] = field(default_factory=dict)
    taken: Counter[bytes] = field(default_factory=Counter)
    heard: dict[bytes, list[Entry]] = field(default_factory=dict)

    @cached_property
    def staff(self) -> list[dict[str, object]]:
        """All that the staff were shown."""
        return [json.loads(row.data) for row in self.host.store.outbox(STAFF, 0, 1 << 30)]


@dataclass
class Denial:
    """One rule of a policy while it was in force. since, until: records; receipted: what partners had by then."""

    kind: str
    partners: frozenset[str]
    since: int
    receipted: dict[str, tuple[int, ...]]
    until: int = 1 << 62


def read(host: Host) -> Log:
    """A host's log; made: what came in here, by its bytes; taken: how often each was accepted; heard: who gave it."""
    log = Log(host, tuple(_entries(host.store.records())))
    own = host.name
    for entry in log.entries:
        released = entry.released
        if isinstance(entry.given, Received):
            raw = entry.given.raw
            log.heard.setdefault(raw, []).append(entry)
            envelope = opened(raw)
            if envelope is not None and envelope.id in released:
                log.taken[raw] += released.count(envelope.id)
                if envelope.origin == own:
                    log.made[raw] = Made(raw, envelope)
        for record in entry.derived:
            if record.type == "message" and record.body is not None:
                envelope = opened(record.body)
                assert envelope is not None
                log.made[record.body] = Made(record.body, envelope)
                log.taken[record.body] += released.count(envelope.id)
    return log


def opened(raw: bytes) -> Envelope | None:
    """The envelope in these bytes, unchecked; None where there is none."""
    try:
        return _ENVELOPE.decode(_SIGNED.decode(raw).payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _entries(records: Iterable[Record]) -> Iterator[Entry]:
    current: Record | None = None
    derived: list[Record] = []
    for record in records:
        if record.is_input:
            if current is not None:
                yield Entry(current, decode_input(current.body or b""), tuple(derived))
            current, derived = record, []
        else:
            derived.append(record)
    if current is not None:
        yield Entry(current, decode_input(current.body or b""), tuple(derived))


# --- the checks ------------------------------------------------------------------------------------------------


def lost_and_repeated(coalition: Coalition, logs: dict[str, Log]) -> Iterator[str]:
    """Every accepted message: once at each node that must have it, at most once where it may be, nowhere else."""
    structure, wires = coalition.structure, coalition.wires
    denials = [one for log in logs.values() for one in denied(log)]
    for made in [one for log in logs.values() for one in log.made.values()]:
        envelope = made.envelope
        content = KINDS[envelope.kind].content
        may, must = rules.allowed(envelope), rules.required(envelope, content, structure, wires)
        for name, log in logs.items():
            count = log.taken[made.raw]
            what = f"{envelope.kind} {envelope.id.hex()[:8]} of {envelope.origin}"
            if count > 1:
                yield f"{name} accepted {what} {count} times"
            if name not in may and made.raw in log.heard:
                yield f"{name} has {what}, which is for {', '.join(sorted(may))}"
            if name in must and not count and not _stopped_on_the_way(coalition, logs, made, name, denials):
                yield f"{name} never accepted {what}"


def answered(given: Iterable[Given], logs: dict[str, Log]) -> Iterator[str]:
    """Whatever was answered `accepted` is on the log that answered, with its effect."""
    for one in given:
        log = logs[one.host.name]
        if one.answer is None:
            yield f"{one.host.name} never answered {type(one.given).__name__}"
        elif (
            isinstance(one.given, Received)
            and one.answer.outcome == "accepted"
            and log.taken[one.given.raw] != 1
        ):
            yield f"{one.host.name} answered `accepted` and has it {log.taken[one.given.raw]} times"


def denied(log: Log) -> Iterator[Denial]:
    """The policies that a node has put in force, and what they let nobody have any more."""
    receipted: dict[str, tuple[int, ...]] = {}
    since: list[Denial] = []
    for entry in log.entries:
        given = entry.given
        if isinstance(given, ReceiptGiven) and not entry.reason:
            before = receipted.get(given.party, (0, 0, 0, 0))
            receipted[given.party] = tuple(map(max, before, given.position.upto))
        if isinstance(given, Control) and not entry.reason and not entry.is_duplicate:
            for one in since:
                one.until = entry.record.sequence
            payload = msgspec.msgpack.decode(given.raw)[0]
            since = [
                Denial(kind, frozenset(rule["to"]), entry.record.sequence, dict(receipted))
                for rule in msgspec.msgpack.decode(payload)["rules"]
                for kind in rule["kinds"]
            ]
            yield from since


def sent_in_spite(log: Log) -> Iterator[str]:
    """What a policy denies goes nowhere from then on: nothing new, and nothing that was waiting to be sent."""
    released = {
        body["id"]: (entry.record.sequence, body["to"])
        for entry in log.entries
        for record in entry.derived
        if record.type == "release" and (body := msgspec.msgpack.decode(record.body or b""))
    }
    for denial in list(denied(log)):
        for partner in sorted(denial.partners):
            party = partner_party(partner)
            for lane, stream in enumerate(streams_of(party)):
                for row in log.host.store.outbox(stream, 0, 1 << 30):
                    envelope = opened(row.data)
                    if envelope is None or envelope.kind != denial.kind:
                        continue
                    at = released[envelope.id][0]
                    waiting = row.number > denial.receipted.get(party, (0, 0, 0, 0))[lane]
                    if (at < denial.since and waiting) or denial.since < at < denial.until:
                        yield f"{log.host.name} sent a {denial.kind} to {partner}, which its policy denies"


def strangers(logs: dict[str, Log]) -> Iterator[str]:
    """Nobody accepts what nobody said."""
    said = {raw for log in logs.values() for raw in log.made}
    for name, log in logs.items():
        for raw in log.taken:
            if raw not in said:
                yield f"{name} accepted {len(raw)} bytes that nobody said"


def effects(log: Log) -> Iterator[str]:
    """What the staff were shown is what one delivery of each message gives."""
    name, rows = log.host.name, log.staff
    shown = Counter(str(row["text"]) for row in rows if row["type"] == "remark")
    said = Counter(
        msgspec.msgpack.decode(envelope.body)["text"]
        for raw, count in log.taken.items()
        if count and (envelope := opened(raw)) is not None and envelope.kind == "remark"
    )
    if shown != said:
        yield f"{name} was shown other remarks than it accepted: {_difference(shown, said)}"
    once: dict[str, list[object]] = {
        "task opened": [row["task"] for row in rows if row["type"] == "task" and row["state"] == "open"],
        "task closed": [row["task"] for row in rows if row["type"] == "task" and row["state"] != "open"],
        "step of a decision": [
            (row["case"], row["step"], row["partner"], row["unit"])
            for row in rows
            if row["type"] == "decision"
        ],
        "acknowledgement": [(row["of"], row["unit"]) for row in rows if row["type"] == "acknowledgement"],
        "event opened": [
            (row["partner"], row["event"])
            for row in rows
            if row["type"] == "event" and row["step"] == "opened"
        ],
    }
    for what, keys in once.items():
        for key, count in Counter(map(repr, keys)).items():
            if count > 1:
                yield f"{name} was shown {count} times: {what} {key}"


def replayed(log: Log, coalition: Coalition) -> Iterator[str]:
    """The log gives the node back: the same records, and the same state, byte for byte."""
    host, member = log.host, log.host.member
    assert host.process is not None
    try:
        node = Node.replay(host.name, host.store.records(), member.secrets, coalition.places)
    except LocalError as error:
        yield f"{host.name} does not replay: {error}"
        return
    if dump(node.state) != dump(host.process.node.state):
        yield f"{host.name} has another state after a replay"


def damage(host: Host, coalition: Coalition) -> str:
    """What reading the whole record again finds wrong with it: a node that came back from a snapshot did not read it,
    and no node reads its own rows.
    """
    try:
        node = Node.replay(host.name, host.store.records(), host.member.secrets, coalition.places)
    except LocalError as error:
        return str(error)
    for party in (STAFF, CAP_GATEWAY, *map(partner_party, node.neighbours)):
        for stream in streams_of(party):
            number, head = host.store.base(stream)
            for row in host.store.outbox(stream, 0, 1 << 30):
                number, head = number + 1, next_head(head, row.data)
                if (row.number, row.head) != (number, head):
                    return f"{stream}, row {row.number}: its head does not match"
            if number != node.outbox_upto(stream):
                return f"{stream} ends at row {number}"
    return ""


def one_delivery(log: Log, coalition: Coalition) -> Iterator[str]:
    """A node that is given each input once, and nothing again, says and shows exactly the same.

    But for its staff's rows that count what was refused: a repeat is counted there, and is nothing else anywhere.
    """
    member = log.host.member
    first = log.entries[0]
    assert isinstance(first.given, Genesis)
    node, commit = Node.begin(first.record.now_ns, first.given, member.secrets, coalition.places)
    store = MemoryStore()
    store.append([commit.batch])
    for entry in log.entries[1:]:
        if not comes_to_nothing(entry) or _is_next(node, entry.given):
            store.append([node.handle(entry.record.now_ns, _numberless(entry.given)).batch])
    for party in (STAFF, CAP_GATEWAY, *map(partner_party, node.neighbours)):
        for stream in streams_of(party):
            kept, made = (
                [
                    (row.number if party != STAFF else 0, row.data)
                    for row in one.outbox(stream, 0, 1 << 30)
                    if not _counts(row)
                ]
                for one in (log.host.store, store)
            )
            if kept != made:
                yield f"{log.host.name}: {stream} holds other rows than one delivery gives"


def _counts(row: OutboxRow) -> bool:
    """Whether a row counts what was refused, for the staff."""
    return row.stream == STAFF and row.key.startswith("refused:")


def _is_next(node: Node, given: Input) -> bool:
    """Whether it is the next row of a stream: one begun anew may bring what was there before, under a new number."""
    if not isinstance(given, Received) or not given.number:
        return False
    return given.number == node.received(given.party).upto[given.lane] + 1


def _numberless(given: Input) -> Input:
    """The same for a log that is shorter, since it holds no duplicates."""
    return msgspec.structs.replace(given, upto_sequence=0) if isinstance(given, Retention) else given


def streams(line: Line) -> Iterator[str]:
    """Both sides of a line agree on where the streams stand, and on their heads."""
    for sender, receiver in (line.hosts, line.hosts[::-1]):
        if sender.process is None or receiver.process is None:
            continue
        sent = sender.process.sent(partner_party(receiver.name))
        held = receiver.process.received(partner_party(sender.name))
        if sent != held:
            yield f"{sender.name} has sent {sent.upto} to {receiver.name}, which holds {held.upto}: or heads differ"
        if sender.process.durable_there(partner_party(receiver.name)) != held:
            yield f"{sender.name} does not know what {receiver.name} holds"
        for stream in streams_of(partner_party(receiver.name)):
            yield from _dense(sender, stream)


def accusations(log: Log) -> Iterator[str]:
    """Where nobody cheats, no node says that somebody did: every refusal has one of the usual reasons."""
    for entry in log.entries:
        reason = entry.reason
        if reason and reason not in USUAL_REASONS:
            yield f"{log.host.name} refused from {getattr(entry.given, 'party', '')}: {reason}"


USUAL_REASONS = frozenset(
    {
        "future-dated", "too-old", "late", "unknown-case", "case-closed", "already-answered",
        "acknowledges-nothing-known", "unknown-draft", "draft-expired", "draft-is-issued",
        "draft-is-superseded", "draft-is-expired",
        "draft-is-refused", "draft-is-originated", "ruling-differs-from-answers", "second-person-needed", "feed-gap",
        "no-authority", "stale-policy",
    }
)  # fmt: skip
"""What honest partners are refused for: they come too late, or before what they answer to."""


def early_answers(log: Log) -> int:
    """How many answers came before their question and were refused: lines of a mesh are not equally fast."""
    refused: Counter[bytes] = Counter()
    early = 0
    for entry in log.entries:
        envelope = opened(entry.given.raw) if isinstance(entry.given, Received) else None
        if envelope is None or envelope.kind != "decision":
            continue
        body = msgspec.msgpack.decode(envelope.body)
        if entry.reason == "unknown-case":
            refused[body["case"]] += 1
        elif body["step"] == "request" and entry.released and not entry.reason:
            early += refused[body["case"]]
    return early


def comes_to_nothing(entry: Entry) -> bool:
    return entry.is_duplicate and isinstance(entry.given, Received)


def _dense(sender: Host, stream: str) -> Iterator[str]:
    number, head = sender.store.base(stream)
    for row in sender.store.outbox(stream, 0, 1 << 30):
        number, head = number + 1, next_head(head, row.data)
        if (row.number, row.head) != (number, head):
            yield f"{sender.name}: {stream} is not whole at row {number}"
            return


def _stopped_on_the_way(
    coalition: Coalition, logs: dict[str, Log], made: Made, name: str, denials: list[Denial]
) -> bool:
    """Whether it went no further for a lawful reason: some policy denied this kind to somebody whom it names, or a clock
    was wrong, and the first node without it saw it dated in the future.
    """
    envelope = made.envelope
    if any(one.kind == envelope.kind and one.partners & rules.allowed(envelope) for one in denials):
        return True
    for place in rules.way(envelope.origin, name, rules.allowed(envelope), coalition.wires):
        log = logs.get(place)
        if log is None:
            return True
        if log.taken[made.raw]:
            continue
        return any(
            entry.reason == "future-dated" and envelope.time_ns > entry.record.now_ns + AHEAD_NS
            for entry in log.heard.get(made.raw, ())
        )
    return False


def _difference(shown: Counter[str], said: Counter[str]) -> str:
    return f"{sorted((shown - said).elements())} too often, {sorted((said - shown).elements())} too seldom"

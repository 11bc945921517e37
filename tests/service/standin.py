"""A small core with the real one's interface, so that the shell can be tested apart from what a node decides.

It tells the staff of every detection and row, sends each batch of detections on to every neighbour, and refuses
nothing. Control admits or removes a partner (`admit KOR`). `poison` in a feed's name or a row makes it fail, as a defect
would; `slow` makes a partner's row cost 2 ms of work.
work. A feed named `timer` sets a timer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from functools import cache
from typing import Self

import msgspec

from noroshi.clock import NEVER, NS_PER_S
from noroshi.errors import LocalError
from noroshi.log import Batch, Chain, Forget, OutboxRow, Record, Snapshot, verified
from noroshi.messages.signing import KeyedHash
from noroshi.messages.trust import Certificate
from noroshi.node.inputs import (
    Answer,
    ClockStepped,
    Commit,
    Control,
    Detections,
    Genesis,
    Input,
    LinkChanged,
    ReceiptGiven,
    Received,
    Restart,
    Retention,
    RuleSet,
    Secrets,
    TimerDue,
    decode_input,
    encode_input,
)
from noroshi.service.node_dir import NodeDir
from noroshi.service.resources import packaged_decisions, packaged_structure
from noroshi.sharing import Position, Statement, stream_of
from noroshi.sharing.streams import EMPTY_HEAD, LANES, START, next_head
from noroshi.structure import load_catalogue, load_structure

REALM = "exercise:shell"
START_NS = 1_664_835_720 * NS_PER_S
NODES = {"jpn": "JPN", "usa": "USA", "kor": "KOR"}
KEPT_S = 3600
"""How long the stand-in wants bodies kept."""

SLOW_S = 0.002
SECRETS = Secrets(b"s" * 32, b"i" * 32)


@cache
def genesis(node: str = "jpn", neighbours: tuple[str, ...] = ("usa",)) -> Genesis:
    """A genesis that only the stand-in can start from."""
    decisions_file, decisions_text = packaged_decisions()
    catalogue = load_catalogue(decisions_text, decisions_file)
    structure_file, structure_text = packaged_structure("trilateral")
    return Genesis(
        realm=REALM,
        title="Shell",
        partner=NODES[node],
        node=node,
        scheme=KeyedHash.name,
        roots={},
        certificates=(
            Certificate(
                realm=REALM, partner=NODES[node], role="node", subject=node, public=b"p" * 32,
                not_before_ns=0, not_after_ns=NEVER,
            ),
        ),
        structure=load_structure(structure_text, structure_file, catalogue),
        catalogue=catalogue,
        nodes={},
        partners={NODES[name]: name[:2].upper() for name in (node, *neighbours)},
        node_partners={name: NODES[name] for name in (node, *neighbours)},
        wires=tuple((node, name) for name in neighbours),
        assessing_unit="",
        sensors=(),
        posts=(),
        rules=RuleSet(),
        places_digest=b"",
    )  # fmt: skip


def detections(sequence: int, feed: str = "sado", size: int = 1) -> Detections:
    """A batch of `size` measurements."""
    times = tuple(START_NS + n for n in range(size))
    return Detections(
        feed=feed, sequence=sequence, sensor=feed, time_ns=times, value=((1e6, 0.1, 0.2),) * size
    )


class StandIn:
    """The core."""

    def __init__(self, genesis: Genesis) -> None:
        self.genesis = genesis
        self.chain = Chain()
        self.neighbours = tuple(genesis.node_partners[b] for _, b in genesis.wires)
        self._due_ns = NEVER
        self._feeds: dict[str, int] = {}
        self._received: dict[str, Position] = {}
        self._receipted: dict[str, Position] = {}
        self._streams: dict[str, tuple[int, bytes]] = {}

    def foreseen(self, now_ns: int, given: Input) -> Answer | None:
        return None

    def expect(self, now_ns: int, given: Input) -> bool:
        return False

    def work_ahead(self) -> bool:
        return False

    @classmethod
    def begin(cls, now_ns: int, genesis: Genesis) -> tuple[Self, Commit]:
        core = cls(genesis)
        return core, core.handle(now_ns, genesis)

    @classmethod
    def replay(cls, subject: str, records: Iterable[Record]) -> Self:
        core: Self | None = None
        for record in verified(subject, records):
            assert record.body is not None
            given = decode_input(record.body)
            if core is None:
                assert isinstance(given, Genesis)
                core = cls(given)
            assert core.handle(record.now_ns, given).batch.records == (record,)
        assert core is not None
        return core

    @classmethod
    def restore(cls, subject: str, snapshot: Snapshot, records: Iterable[Record]) -> Self:
        if snapshot.signature != b"s" * 64:
            raise LocalError("use the snapshot", subject=subject, cause="its signature does not fit")
        kept = msgspec.msgpack.decode(snapshot.manifest, type=_Kept)
        given = decode_input(kept.genesis)
        assert isinstance(given, Genesis)
        core = cls(given)
        core.chain = Chain(snapshot.sequence, snapshot.head)
        core._due_ns, core._feeds = kept.due_ns, kept.feeds
        core._received, core._receipted, core._streams = kept.received, kept.receipted, kept.streams
        for record in records:
            assert record.body is not None
            assert core.handle(record.now_ns, decode_input(record.body)).batch.records == (record,)
        return core

    def snapshot(self) -> Snapshot:
        kept = _Kept(
            encode_input(self.genesis)[1], self._due_ns, self._feeds, self._received, self._receipted,
            self._streams,
        )  # fmt: skip
        return Snapshot(self.chain.sequence, self.chain.head, msgspec.msgpack.encode(kept), b"s" * 64, {})

    def handle(self, now_ns: int, given: Input) -> Commit:
        type_, body = encode_input(given)
        record = self.chain.link(now_ns, type_, body, now_ns + KEPT_S * NS_PER_S)
        rows: list[OutboxRow] = []
        answer = Answer("accepted")
        forget: Forget | None = None

        def send(party: str, key: str, data: bytes, lane: int = 0) -> None:
            stream = stream_of(party, lane)
            number, head = self._streams.get(stream, (0, EMPTY_HEAD))
            head = next_head(head, data)
            self._streams[stream] = number + 1, head
            rows.append(OutboxRow(stream, number + 1, lane, key, now_ns, data, head))

        def show(says: str, key: str = "") -> None:
            send(
                "staff",
                key,
                json.dumps({"type": "remark", "time_ms": now_ns // 10**6, "says": says}).encode(),
            )

        match given:
            case Detections(feed="poison"):
                raise RuntimeError("the stand-in fails as asked")
            case Detections():
                if given.sequence <= self._feeds.get(given.feed, 0):
                    answer = Answer("duplicate")
                else:
                    self._feeds[given.feed] = given.sequence
                    show(f"{given.feed} {given.sequence}", f"picture:{given.feed}")
                    for partner in self.neighbours:
                        send(f"partner:{partner}", "", body)
                    if given.feed == "timer":
                        self._due_ns = now_ns + NS_PER_S // 10
                    if given.feed == "alert":
                        send("gateway:cap", f"alert-{given.sequence}", b"<alert/>" * given.sequence)
            case Received() if given.number:
                if given.raw == b"poison":
                    raise RuntimeError("the stand-in fails as asked")
                if given.raw.startswith(b"slow"):
                    end_s = time.perf_counter() + SLOW_S
                    while time.perf_counter() < end_s:
                        pass
                answer = self._row(given)
                if answer.outcome == "accepted":
                    show(f"{given.party} row {given.number}")
            case Received():
                show(f"{given.party} says {given.raw!r}")
            case LinkChanged():
                show(f"{given.party} {given.state}", f"link:{given.party}")
            case TimerDue():
                self._due_ns = NEVER
                show(f"timer {given.name}")
            case ReceiptGiven():
                self._receipted[given.party] = given.position
                show(f"{given.party} has {sum(given.position.upto)}")
            case Control():
                word, _, partner = given.raw.decode().partition(" ")
                others = set(self.neighbours) - {partner}
                self.neighbours = tuple(sorted(others | {partner} if word == "admit" else others))
                show(f"{word} {partner}")
            case Restart():
                self._received[given.party] = given.position
            case ClockStepped():
                self._due_ns = min(self._due_ns + given.by_ns, NEVER)
                show(f"clock {given.by_ns}")
            case Retention():
                there = {
                    stream_of(party, lane): position.upto[lane]
                    for party, position in self._receipted.items()
                    for lane in LANES
                }
                forget = Forget(given.upto_sequence, given.before_ns, tuple(there.items()))
                show(f"retention {given.upto_sequence}")
        return Commit(Batch((record,), tuple(rows), (), forget), answer)

    def _row(self, given: Received) -> Answer:
        held = self.received(given.party)
        if given.number <= held.upto[given.lane]:
            return Answer("duplicate")
        if given.number > held.upto[given.lane] + 1:
            return Answer("refused", f"row {given.number} after {held.upto[given.lane]}")
        head = next_head(held.heads[given.lane], given.raw)
        self._received[given.party] = held.at(given.lane, given.number, head)
        return Answer("accepted")

    @property
    def next_due_ns(self) -> int:
        return self._due_ns

    def due(self, now_ns: int) -> list[TimerDue]:
        return [TimerDue(name="t")] if self.next_due_ns <= now_ns else []

    def received(self, party: str) -> Position:
        return self._received.get(party, START)

    def sent(self, party: str) -> Position:
        ends = [self._streams.get(stream_of(party, lane), (0, EMPTY_HEAD)) for lane in LANES]
        return Position(0, tuple(n for n, _ in ends), tuple(head for _, head in ends))  # type: ignore[arg-type]  # four lanes

    def durable_there(self, party: str) -> Position:
        return self._receipted.get(party, START)

    def outbox_upto(self, stream: str) -> int:
        return self._streams.get(stream, (0, EMPTY_HEAD))[0]

    def receipt(self, party: str) -> Statement:
        return Statement(self.received(party), b"r" * 64)

    def checkpoint(self, party: str) -> Statement:
        return Statement(self.sent(party), b"c" * 64)


class _Kept(msgspec.Struct, array_like=True):
    """What a snapshot of the stand-in holds."""

    genesis: bytes
    due_ns: int
    feeds: dict[str, int]
    received: dict[str, Position]
    receipted: dict[str, Position]
    streams: dict[str, tuple[int, bytes]]


class StandInCores:
    """What `run_node` is given instead of the real cores."""

    attribution = "nobody"

    def __init__(self, directory: NodeDir) -> None:
        directory.secrets()

    def begin(self, now_ns: int, genesis: Genesis) -> tuple[StandIn, Commit]:
        return StandIn.begin(now_ns, genesis)

    def replay(self, subject: str, records: Iterable[Record]) -> StandIn:
        return StandIn.replay(subject, records)

    def restore(self, subject: str, snapshot: Snapshot, records: Iterable[Record]) -> StandIn:
        return StandIn.restore(subject, snapshot, records)

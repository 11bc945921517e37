"""A small core with the real one's interface, so that the shell can be tested apart from what a node decides.

It tells the staff of every detection and row, sends each batch of detections on to every neighbour, and refuses
nothing. `poison` in a feed's name makes it fail, as a defect would. A feed named `timer` sets a timer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache

from noroshi.clock import NEVER, NS_PER_S
from noroshi.log import Batch, Chain, OutboxRow, Record, verified
from noroshi.messages.signing import KeyedHash
from noroshi.messages.trust import Certificate
from noroshi.node.inputs import (
    Answer,
    Commit,
    Detections,
    Genesis,
    Input,
    LinkChanged,
    ReceiptGiven,
    Received,
    RuleSet,
    Secrets,
    TimerDue,
    decode_input,
    encode_input,
)
from noroshi.service.node_dir import NodeDir
from noroshi.service.resources import packaged_decisions, packaged_structure
from noroshi.structure import load_catalogue, load_structure

REALM = "exercise:shell"
START_NS = 1_664_835_720 * NS_PER_S
NODES = {"jpn": "JPN", "usa": "USA", "kor": "KOR"}
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
        self._received: dict[str, int] = {}
        self._outboxes: dict[str, int] = {}

    @classmethod
    def begin(cls, now_ns: int, genesis: Genesis) -> tuple[StandIn, Commit]:
        core = cls(genesis)
        return core, core.handle(now_ns, genesis)

    @classmethod
    def replay(cls, subject: str, records: Iterable[Record]) -> StandIn:
        core: StandIn | None = None
        for record in verified(subject, records):
            assert record.body is not None
            given = decode_input(record.body)
            if core is None:
                assert isinstance(given, Genesis)
                core = cls(given)
            assert core.handle(record.now_ns, given).batch.records == (record,)
        assert core is not None
        return core

    def handle(self, now_ns: int, given: Input) -> Commit:
        type_, body = encode_input(given)
        record = self.chain.link(now_ns, type_, body)
        rows: list[OutboxRow] = []
        answer = Answer("accepted")

        def send(party: str, key: str, data: bytes) -> None:
            number = self._outboxes[party] = self._outboxes.get(party, 0) + 1
            rows.append(OutboxRow(party, number, 0, key, now_ns, data))

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
                assert given.number == self._received.get(given.party, 0) + 1
                self._received[given.party] = given.number
                show(f"{given.party} row {given.number}")
            case Received():
                show(f"{given.party} says {given.raw!r}")
            case LinkChanged():
                show(f"{given.party} {given.state}", f"link:{given.party}")
            case TimerDue():
                self._due_ns = NEVER
                show(f"timer {given.name}")
            case ReceiptGiven():
                show(f"{given.party} has {given.upto}")
        return Commit(Batch((record,), tuple(rows)), answer)

    @property
    def next_due_ns(self) -> int:
        return self._due_ns

    def due(self, now_ns: int) -> list[TimerDue]:
        return [TimerDue(name="t")] if self.next_due_ns <= now_ns else []

    def received_upto(self, party: str) -> int:
        return self._received.get(party, 0)

    def outbox_upto(self, party: str) -> int:
        return self._outboxes.get(party, 0)

    def receipt(self, party: str) -> tuple[int, bytes]:
        return self.received_upto(party), b"r" * 64


class StandInCores:
    """What `run_node` is given instead of the real cores."""

    attribution = "nobody"

    def __init__(self, directory: NodeDir) -> None:
        directory.secrets()

    def begin(self, now_ns: int, genesis: Genesis) -> tuple[StandIn, Commit]:
        return StandIn.begin(now_ns, genesis)

    def replay(self, subject: str, records: Iterable[Record]) -> StandIn:
        return StandIn.replay(subject, records)

"""A small coalition of real nodes on one table: their rows are handed over by the test, their clock is the test's.

scene = Scene("trilateral")
scene.watch(until_s=90)                    # the flight as the radars see it, delivered at once
task = scene.task("jpn", "originate-alert")
scene.answer("jpn", task)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from noroshi.clock import seconds
from noroshi.command.posts import Seat, answer
from noroshi.exercise.coalition import Coalition, Member, found
from noroshi.exercise.world import Look, looks
from noroshi.geo.places import PlaceTable, decode
from noroshi.log import Batch, OutboxRow, Record
from noroshi.messages import KINDS, Envelope, KeyedHash, Scheme, label_for, seal
from noroshi.messages.bodies import Body
from noroshi.messages.envelope import SCHEMA_VERSION, Signed
from noroshi.messages.kinds import Lane
from noroshi.messages.signing import derive
from noroshi.node import Commit, Node
from noroshi.node.inputs import Control, Input, ReceiptGiven, Received
from noroshi.service.exercise_files import Staged, stage
from noroshi.service.resources import packaged_places
from noroshi.sharing import STAFF, partner_party, party_of, stream_of
from noroshi.sharing.streams import LANES

FLIGHT = "flight-2022-10-04"
ENTROPY = bytes(range(32))
NODES = ("jpn", "kor", "usa")
THIN = 4
"""Every fourth look of each radar: enough to warn, and quick."""


@cache
def places() -> PlaceTable:
    """The installed table of places. Raises PlaceTableError where it has not been built."""
    return decode(packaged_places())


@cache
def staged(structure: str) -> Staged:
    return stage(FLIGHT, structure)


@cache
def coalition_of(structure: str, scheme: type[Scheme] = KeyedHash) -> Coalition:
    one = staged(structure)
    return found(
        one.scenario,
        one.structure,
        one.catalogue,
        entropy=ENTROPY,
        scheme=scheme(),
        places_digest=places().digest,
    )


@cache
def looks_of(structure: str, thin: int = THIN) -> tuple[Look, ...]:
    """What the radars see of the flight, every `thin`-th look of each, with dense numbers."""
    kept: list[Look] = []
    counts: dict[str, int] = {}
    for look in looks(coalition_of(structure), ENTROPY):
        number = counts[look.detections.feed] = counts.get(look.detections.feed, 0) + 1
        if (number - 1) % thin == 0:
            again = msgspec.structs.replace(look.detections, sequence=(number - 1) // thin + 1)
            kept.append(Look(look.time_ns, look.node, again))
    return tuple(kept)


class Side:
    """One node with its store: what a shell does, without a clock."""

    def __init__(self, member: Member, start_ns: int) -> None:
        self.member = member
        self.node, commit = Node.begin(start_ns, member.genesis, member.secrets, places())
        self.batches: list[Batch] = [commit.batch]

    @property
    def party(self) -> str:
        return partner_party(self.member.trigraph)

    def take(self, now_ns: int, given: Input) -> Commit:
        commit = self.node.handle(now_ns, given)
        self.batches.append(commit.batch)
        return commit

    def restart(self, *, losing: int = 0) -> None:
        """The process dies and comes back; the last `losing` commits were not durable."""
        if losing:
            del self.batches[-losing:]
        self.node = replayed(self.member, self.records())

    def records(self) -> list[Record]:
        return [record for batch in self.batches for record in batch.records]

    def rows(self, party: str) -> list[OutboxRow]:
        """All rows that a party was given, in the order in which they were made."""
        return [row for batch in self.batches for row in batch.outbox if party_of(row.stream) == party]

    def stream(self, party: str, lane: int, after: int) -> list[OutboxRow]:
        """Rows of one of a party's streams."""
        name = stream_of(party, lane)
        return [row for row in self.rows(party) if row.stream == name and row.number > after]

    def staff(self, *types: str) -> list[dict[str, Any]]:
        """What the staff were shown, of these types."""
        shown = (json.loads(row.data) for row in self.rows(STAFF))
        return [row for row in shown if not types or row["type"] in types]

    def refusals(self) -> list[str]:
        return [row["reason"] for row in self.staff("refusal")]

    def seat(self, post: str) -> Seat:
        return self.member.seats[post]


def replayed(member: Member, records: Iterable[Record]) -> Node:
    return Node.replay(member.node, records, member.secrets, places())


class Scene:
    """The coalition's nodes, joined as the scenario joins them."""

    def __init__(
        self,
        structure: str = "trilateral",
        scheme: type[Scheme] = KeyedHash,
        coalition: Coalition | None = None,
    ) -> None:
        self.coalition = coalition or coalition_of(structure, scheme)
        self.structure = structure
        self.now_ns = self.coalition.start_ns
        self.sides = {one.node: Side(one, self.now_ns) for one in self.coalition.members}
        wires = self.coalition.members[0].genesis.wires
        self.wires = {(one, other) for pair in wires for one, other in (pair, pair[::-1])}
        self.cut: set[tuple[str, str]] = set()

    def __getitem__(self, node: str) -> Side:
        return self.sides[node]

    # Time and the world

    def at(self, since_start_s: float) -> int:
        return self.coalition.start_ns + seconds(since_start_s)

    def run_to(self, now_ns: int) -> None:
        """Lets the nodes' timers come due, in order, and their rows arrive."""
        while True:
            due = sorted((max(side.node.next_due_ns, self.now_ns), name) for name, side in self.sides.items())
            if due[0][0] > now_ns:
                break
            self.now_ns, name = due[0]
            for timer in self[name].node.due(self.now_ns):
                self[name].take(self.now_ns, timer)
            self.pump()
        self.now_ns = max(self.now_ns, now_ns)

    def watch(
        self,
        until_s: float,
        *,
        thin: int = THIN,
        only: Callable[[Look], bool] = lambda look: True,
        seen: Callable[[Look], Look] = lambda look: look,
        on_quiet: Callable[[Scene], None] = lambda scene: None,
    ) -> Scene:
        """The flight from the present to `until_s` after the start; `on_quiet` is called after each look.

        only, seen: which looks see anything, and what they see in its place.
        """
        from_ns, until_ns = self.now_ns, self.at(until_s)
        for look in looks_of(self.structure, thin):
            if from_ns <= look.time_ns < until_ns and only(look):
                self.run_to(look.time_ns)
                self[look.node].take(self.now_ns, seen(look).detections)
                self.pump()
                on_quiet(self)
        self.run_to(until_ns)
        return self

    # Links

    def pump(self) -> None:
        """Hands over all rows that are not there yet, over all links that are not cut."""
        while sum(self.deliver(one, other) for one, other in sorted(self.wires - self.cut)):
            pass

    def deliver(self, sender: str, receiver: str, *, limit: int = 1000) -> int:
        """Hands over the next rows of one link, with a receipt; by how many the link has gone on."""
        here, there = self[sender], self[receiver]
        before = there.node.received(here.party)
        rows = [
            row for lane in LANES for row in here.stream(there.party, lane, before.upto[lane])
        ]  # warnings first, as a link serves them
        for row in rows[:limit]:
            given = Received(party=here.party, number=row.number, raw=row.data, lane=row.lane)
            there.take(self.now_ns, given)
        receipt = there.node.receipt(here.party)
        if receipt.position != before:
            position, signature = receipt.position, receipt.signature
            here.take(self.now_ns, ReceiptGiven(party=there.party, position=position, signature=signature))
        return sum(receipt.position.upto) - sum(before.upto)

    # People

    def tasks(self, node: str, action: str = "") -> list[dict[str, Any]]:
        """The newest row of each task that is open."""
        newest = {row["task"]: row for row in self[node].staff("task")}
        return [row for row in newest.values() if row["state"] == "open" and action in ("", row["action"])]

    def task(self, node: str, action: str) -> dict[str, Any]:
        """The one open task of this kind."""
        (row,) = self.tasks(node, action)
        return row

    def answer(self, node: str, task: Mapping[str, Any], outcome: str = "concur", post: str = "") -> Commit:
        """A post does what a task asks."""
        post = post or task["posts"][0]
        raw = answer(task["answer"], outcome, self[node].seat(post), self.now_ns)
        return self.hand_in(node, post, raw)

    def hand_in(self, node: str, post: str, raw: bytes) -> Commit:
        """Bytes from a post."""
        commit = self[node].take(self.now_ns, Received(party=f"post:{post}", number=0, raw=raw))
        self.pump()
        return commit

    def alert(self, until_s: float = 110.0, **options: Any) -> dict[str, Any]:
        """The flight until Japan has warned, and two posts have alerted: the alert's row."""
        if self.now_ns < self.at(until_s):
            self.watch(until_s, **options)
        self.answer("jpn", self.task("jpn", "originate-alert"))
        self.answer("jpn", self.task("jpn", "approve-alert"))
        return self["jpn"].staff("alert")[-1]

    # What a root signs

    def root_secret(self, partner: str) -> bytes:
        """The secret of a partner's root, which no node has."""
        return derive(ENTROPY, "secret", self.coalition.realm, partner, "root", "")

    def control(self, node: str, raw: bytes) -> Commit:
        """Bytes that a root has signed, given at the node by hand."""
        commit = self[node].take(self.now_ns, Control(party="control:hand", raw=raw))
        self.pump()
        return commit

    # Messages of genuine keys that say what they should not

    def sealed(
        self,
        node: str,
        kind: str,
        body: Body | bytes,
        /,
        *,
        post: str = "",
        audience: Iterable[str] = (),
        **more: Any,
    ) -> bytes:
        """A message signed with the node's or a post's real key; body bytes go in as they are."""
        member = self[node].member
        genesis = member.genesis
        seat = member.seats.get(post)
        own = seat.certificate if seat else self[node].node.state.certificate
        fields: dict[str, Any] = {
            "v": SCHEMA_VERSION,
            "realm": genesis.realm,
            "origin": genesis.partner,
            "node": genesis.node,
            "post": post,
            "unit": own.unit or genesis.assessing_unit,
            "id": derive(
                ENTROPY, "hostile", node, repr(body), repr(sorted(more.items(), key=str)), self.now_ns
            )[:16],
            "kind": kind,
            "time_ns": self.now_ns,
            "time_error_ns": 0,
            "label": label_for(audience or ("JPN", "KOR", "USA")),
            "body": msgspec.Raw(b""),
        }
        envelope = Envelope(**(fields | more))
        scheme = self[node].node.state.scheme
        secret = seat.secret if seat else member.secrets.signing
        content: Any = msgspec.Raw(body) if isinstance(body, bytes) else body
        return seal(envelope, content, own, scheme, secret).raw

    def bring(self, sender: str, receiver: str, raw: bytes) -> Commit:
        """Bytes as the next row of a link, whoever wrote them; they are not in the sender's outbox."""
        there, party, lane = self[receiver], self[sender].party, lane_of(raw)
        number = there.node.received(party).upto[lane] + 1
        return there.take(self.now_ns, Received(party=party, number=number, raw=raw, lane=lane))


def lane_of(raw: bytes) -> int:
    """The lane in which a sender would put these bytes; notices where they say nothing."""
    try:
        kind = msgspec.msgpack.decode(msgspec.msgpack.decode(raw)[0])["kind"]
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError):
        return Lane.NOTICE
    return KINDS[kind].lane if kind in KINDS else Lane.NOTICE


def payloads(rows: Iterable[OutboxRow]) -> Iterator[bytes]:
    """The signed payloads in a partner's rows."""
    for row in rows:
        yield msgspec.msgpack.decode(row.data, type=Signed).payload


def envelopes(rows: Iterable[OutboxRow]) -> list[Envelope]:
    return [msgspec.msgpack.decode(payload, type=Envelope) for payload in payloads(rows)]

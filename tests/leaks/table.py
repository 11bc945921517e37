"""One run of a plan: a coalition of real nodes whose rows, receipts and checkpoints are handed over at once.

It keeps all that one partner can see: what its node is given over its lines, with the time and in order, and in the end
the chain of its own log. What may differ between two runs all the same is kept beside it: what persons have released to
that partner by their signed word, and what nodes have declared.

    seen = Table(plan, hidden=True).run()
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import msgspec

from noroshi.clock import NEVER, seconds
from noroshi.command.posts import answer
from noroshi.exercise.draws import uniform
from noroshi.log import Batch, MemoryStore, OutboxRow, Record
from noroshi.messages.canonical import decode
from noroshi.messages.envelope import Signed
from noroshi.node import Node
from noroshi.node.inputs import (
    Gateways,
    Genesis,
    GroupRow,
    Input,
    ReceiptGiven,
    Received,
    Restart,
)
from noroshi.sharing import Position, partner_party
from noroshi.sharing.streams import LANES, START, statement_bytes, stream_of
from tests.leaks.happenings import Happening, happenings
from tests.leaks.plan import AFTER_S, HORIZON_S, Plan
from tests.leaks.voices import SCHEME, policy_of
from tests.simulation.coalition import REALM, START_NS, Member

ANSWERED_PART = 0.85
"""Of the tasks, those that a post answers."""

DECLARING = ("originate-alert", "approve-alert", "retract-alert", "request")
"""What posts are asked to do about all that their own side knows: what they then say, others are told by their word."""

GROUP = "gateway:cot-look"
"""The group of clients of Cursor on Target that each node has for the partner who looks, beside its line."""

_TASK = b'{"type":"task"'

Glimpse = tuple[Any, ...]
"""One thing that the partner sees: what, when (ns since the start), from whom, and all of its bytes and numbers."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run shows. view: to the partner who looks; declared: what was released to it in spite of being hidden."""

    view: list[Glimpse]
    declared: list[Glimpse]
    counts: Counter[str]


class Seat:
    """One node at the table, with its store and its clock."""

    def __init__(self, member: Member, genesis: Genesis, plan: Plan, now_ns: int) -> None:
        self.member = member
        self.places = plan.coalition.places
        self.store = MemoryStore()
        self.off_ns = 0
        self.node, commit = Node.begin(now_ns, genesis, member.secrets, self.places)
        self.store.append([commit.batch])

    @property
    def party(self) -> str:
        """Its partner, as a party."""
        return partner_party(self.member.partner)

    def begin_again(self, *, fresh: bool) -> None:
        """The process dies and comes back: from the snapshot that is kept, or from a fresh one."""
        if fresh:
            self.store.keep(self.node.snapshot())
        kept = self.store.snapshot()
        name, secrets, places = self.member.node, self.member.secrets, self.places
        if kept is None:
            self.node = Node.replay(name, self.store.records(), secrets, places)
        else:
            self.node = Node.restore(name, kept, self.store.records(kept.sequence), secrets, places)


class Table:
    """The nodes of a plan, joined by lines that are whole or cut."""

    def __init__(self, plan: Plan, *, hidden: bool) -> None:
        self.plan = plan
        self.now_ns = START_NS
        self.looker = plan.partner
        self.view: list[Glimpse] = []
        self.declared: list[Glimpse] = []
        self.counts: Counter[str] = Counter()
        self.cuts: Counter[frozenset[str]] = Counter()
        self.lossy: set[tuple[str, str]] = set()
        self.feeds: Counter[str] = Counter()
        self.said: dict[tuple[str, bool], list[tuple[bytes, bytes, tuple[str, ...]]]] = {}
        self._held: dict[tuple[str, str], Position] = {}
        self._later: list[tuple[int, str, int, Happening]] = []
        self._count = 0
        self.seats = {
            member.partner: self._seated(place, member) for place, member in enumerate(plan.coalition.members)
        }
        for name in self.seats:
            if name != self.looker:
                group = GroupRow(name="look", partners=tuple(sorted((name, self.looker))), whole=True)
                self._take(name, Gateways(groups=(group,)))
        self._lines: dict[str, list[str]] = {name: [] for name in self.seats}
        for one, other in plan.coalition.wires:
            self._lines[one].append(other)
            self._lines[other].append(one)
        for step in plan.steps:
            for at_ns, what in happenings(step):
                if hidden or not what.hidden:
                    self.later(START_NS + at_ns, f"step {step.number}", what)

    def run(self) -> Seen:
        """Everything that happens, in order of time."""
        end_ns = START_NS + seconds(HORIZON_S + AFTER_S)
        while True:
            timer_ns, name = min((self._due_ns(seat), name) for name, seat in self.seats.items())
            step_ns = self._later[0][0] if self._later else NEVER
            if min(timer_ns, step_ns) > end_ns:
                break
            self.now_ns = max(self.now_ns, min(timer_ns, step_ns))
            if step_ns <= timer_ns:
                *_, what = heappop(self._later)
                what.act(self, what.step)
            else:
                seat = self.seats[name]
                for timer in seat.node.due(self.now_ns + seat.off_ns):
                    self.give(name, timer)
        self.now_ns = end_ns
        self.cuts.clear()
        self.pump(set(self.seats))
        for name in self._lines[self.looker]:
            self._see("checkpoint", name, self.seats[name].node.checkpoint(partner_party(self.looker)))
        self.view.append(("log", end_ns, self.looker, self.seats[self.looker].node.chain.head))
        return Seen(self.view, self.declared, self.counts)

    # --- what happens -----------------------------------------------------------------------------------------

    def later(self, at_ns: int, name: str, what: Happening) -> None:
        """Something happens then; name: parts what happens in the same moment."""
        self._count += 1
        heappush(self._later, (at_ns, name, self._count, what))

    def give(self, name: str, given: Input) -> str:
        """Gives a node an input, and hands over what follows from it; the answer's outcome."""
        outcome = self._take(name, given)
        self.pump({name})
        return outcome

    def hand_in(self, name: str, raw: bytes) -> str:
        """Gives a node what its watch has signed."""
        post = f"{self.seats[name].member.node}-gov.watch"
        return self.give(name, Received(party=f"post:{post}", number=0, raw=raw))

    def bring(self, name: str, sender: str, raw: bytes, lane: int, ahead: int = 0) -> str:
        """Gives a node bytes on a sender's line, as its next row or further on; the sender knows nothing of it."""
        party = partner_party(sender)
        number = self.seats[name].node.received(party).upto[lane] + 1 + ahead
        return self.give(name, Received(party=party, number=number, raw=raw, lane=lane))

    def local_ns(self, name: str) -> int:
        """The present by a node's clock."""
        return self.now_ns + self.seats[name].off_ns

    def place(self, place: int) -> Seat:
        """The seat of a partner by its place."""
        return self.seats[self.plan.coalition.members[place].partner]

    def joined(self, one: str, other: str) -> bool:
        """Whether two partners have a line."""
        return other in self._lines[one]

    def heal(self, pair: frozenset[str]) -> None:
        """Makes a line whole again, once nothing else cuts it, and lets it catch up."""
        self.cuts[pair] -= 1
        if not self.cuts[pair]:
            self.pump(set(pair))

    def seated_again(self, name: str, *, fresh: bool) -> None:
        """A node's process dies and comes back."""
        self.seats[name].begin_again(fresh=fresh)

    def _seated(self, place: int, member: Member) -> Seat:
        plan, genesis = self.plan, member.genesis
        setting = plan.settings[place]
        if setting != "none":
            policy = policy_of(setting, plan.key, plan.coalition, place, 1, f"first {place}")
            genesis = msgspec.structs.replace(genesis, policy=policy)
        return Seat(member, genesis, plan, START_NS)

    def _due_ns(self, seat: Seat) -> int:
        due_ns = seat.node.next_due_ns
        return due_ns if due_ns == NEVER else due_ns - seat.off_ns

    def _take(self, name: str, given: Input) -> str:
        seat = self.seats[name]
        commit = seat.node.handle(self.now_ns + seat.off_ns, given)
        seat.store.append([commit.batch])
        self.counts[f"{type(given).__struct_config__.tag} {commit.answer.outcome}"] += 1
        self._note(name, commit.batch)
        for row in commit.batch.outbox:
            if row.stream == GROUP:
                self._see("event for clients", name, row)
            if row.stream == "staff" and row.data.startswith(_TASK):
                self._asked(name, row)
        return commit.answer.outcome

    def _asked(self, name: str, row: OutboxRow) -> None:
        """A post is asked, and answers after a while or not: by the task alone, whatever else it knows."""
        task = json.loads(row.data)
        if task["state"] != "open" or not task["posts"]:
            return
        if task["action"] in DECLARING and not self.plan.declaring:
            return
        draw = f"{name} {task['task']}"
        if uniform(self.plan.key, "answered", draw) > ANSWERED_PART:
            return
        outcome = "refuse" if uniform(self.plan.key, "outcome", draw) < 0.15 else "concur"
        post = task["posts"][0]
        seat = self.seats[name].member.seats[post]

        def act(table: Table, _: object) -> None:
            raw = answer(task["answer"], outcome, seat, table.local_ns(name))
            if table.looker in task["answer"]["audience"] and name != table.looker:
                table.declared.append(("person", table.now_ns, name, raw))
            table.give(name, Received(party=f"post:{post}", number=0, raw=raw))

        after_s = 0.05 + 1.5 * uniform(self.plan.key, "answers after", draw)
        self.later(self.now_ns + seconds(after_s), draw, Happening(act, None, hidden=False))

    def _note(self, name: str, batch: Batch) -> None:
        """Keeps what a node's record says that it has declared to the partner who looks: alerts, and tear-lines."""
        before: Record | None = None
        for record in batch.records:
            if record.type == "release" and record.body is not None:
                said = decode(record.body)
                if said["declared"] and self.looker in said["rules"] and before is not None:
                    self.declared.append(("node", self.now_ns, name, before.body))
            before = record

    # --- lines ------------------------------------------------------------------------------------------------

    def pump(self, busy: set[str]) -> None:
        """Hands over all rows of these nodes, and what follows at others, over all lines that are whole.

        In rounds: what comes in one is passed on in the next, so that no row overtakes another because of a third.
        """
        while busy:
            going = [
                (sender, receiver, *self._rows(sender, receiver))
                for sender in sorted(busy)
                for receiver in sorted(self._lines[sender])
                if not self.cuts[frozenset((sender, receiver))]
            ]
            busy = {receiver for _, receiver, rows, _ in going if rows}
            for sender, receiver, rows, restart in going:
                self._hand_over(sender, receiver, rows, restart)

    def _rows(self, sender: str, receiver: str) -> tuple[list[OutboxRow], Position | None]:
        """What the receiver does not hold, and where the sender has begun its streams anew, if it has."""
        here = self.seats[sender]
        party = partner_party(receiver)
        held = self._held.get((sender, receiver), START)
        sent = here.node.sent(party)
        restart = here.node.durable_there(party) if sent.epoch != held.epoch else None
        held = restart or held
        if sent == held:
            return [], restart
        outbox = here.store.outbox
        return [
            row for lane in LANES for row in outbox(stream_of(party, lane), held.upto[lane], 10_000)
        ], restart

    def _hand_over(self, sender: str, receiver: str, rows: list[OutboxRow], restart: Position | None) -> None:
        here, there = self.seats[sender], self.seats[receiver]
        held = self._held.get((sender, receiver), START)
        if restart is not None:
            held = restart
            self._see("restart", sender, restart, to=receiver)
            self._take(receiver, Restart(party=here.party, position=restart))
        for row in rows:
            held = held.at(row.lane, row.number, row.head)
            self._see("row", sender, row, to=receiver)
            number = there.node.received(here.party).upto[row.lane] + 1
            self._take(receiver, Received(party=here.party, number=number, raw=row.data, lane=row.lane))
        self._held[sender, receiver] = held
        if rows:
            self._receipt(sender, receiver, held)
        if rows and receiver == self.looker:
            self._see("checkpoint", sender, here.node.checkpoint(there.party))

    def _receipt(self, sender: str, receiver: str, held: Position) -> None:
        """The receiver's receipt: as its node gives it, or, where rows were slipped in, as it would be without them."""
        here, there = self.seats[sender], self.seats[receiver]
        statement = there.node.receipt(here.party)
        if sender == self.looker:
            self._see("receipt", receiver, statement)
        if (sender, receiver) in self.lossy:
            return
        position, signature = statement.position, statement.signature
        if position != held:
            data = statement_bytes("receipt", REALM, sender, receiver, held)
            position, signature = held, SCHEME.sign(there.member.secrets.signing, data)
        self._take(sender, ReceiptGiven(party=there.party, position=position, signature=signature))

    def _see(self, what: str, by: str, shown: Any, *, to: str = "") -> None:
        """Keeps what the partner who looks is shown."""
        if to in ("", self.looker):
            self.view.append((what, self.now_ns - START_NS, by, shown))


def differing(one: list[Glimpse], other: list[Glimpse]) -> str:
    """The first thing in which two views differ, in words; empty where they are the same."""
    for place in range(max(len(one), len(other))):
        here = one[place] if place < len(one) else None
        there = other[place] if place < len(other) else None
        if here != there:
            return f"glimpse {place + 1}: with what is hidden {_told(here)}; without {_told(there)}"
    return ""


def _told(glimpse: Glimpse | None) -> str:
    if glimpse is None:
        return "nothing"
    what, at_ns, by, shown = glimpse
    text = _row_words(shown) if isinstance(shown, OutboxRow) else repr(shown)
    return f"{what} from {by} at {at_ns / 1e9:.3f} s: {text[:400]}"


def _row_words(row: OutboxRow) -> str:
    """A row with its envelope as far as it can be read."""
    try:
        envelope = decode(msgspec.msgpack.decode(row.data, type=Signed).payload)
    except (msgspec.MsgspecError, ValueError):
        envelope = row.data[:60]
    return f"row {row.number} of {row.stream}: {envelope}"

"""Modelled relays and last hops in virtual time: the real desk of a relay, with the same statements to the real node.

Only the last hops are a model: how long one takes to receipt, which are broken, which line loses how much, when a relay
is down. Last hops of one roster are shared out over its relays; those of a relay that is down go to the next one that is
up, say what they hold, and come to be served by it. What is drawn is keyed by roster, message and last hop.

    relays = Relays(kernel, coalition, shells, key)
    relays.begin(now_ns)
    relays.woken("jp-towns-a", now_ns)           # its node has committed rows for it
    relays.down("jp-towns-a"); relays.up("jp-towns-a")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import seconds
from noroshi.command.passing import PassOn
from noroshi.command.posts import Seat
from noroshi.command.reach import hops_of
from noroshi.command.relaying import RelayDesk
from noroshi.exercise.draws import stream
from noroshi.exercise.kernel import Kernel
from noroshi.exercise.scenario import Relay
from noroshi.log import OutboxRow
from noroshi.messages import TrustStore
from noroshi.node.inputs import Genesis, LinkChanged, Received
from noroshi.sharing import RELAYS
from noroshi.sharing.link import SILENT_AFTER_S

LINE_S = 0.02
"""From a node to its relay, one way."""

BATCH_S = 0.25
"""Receipts are gathered for so long before the node is told; the service tells it sooner when it has time for it."""

FAIL_OVER_S = 3.0
"""How long a last hop takes to find that its relay is gone, and to come to the next."""

RESEND_S = 0.5
"""How long what was lost on the way to a last hop waits before it is sent again; doubled at each further loss."""

MAX_LOSSES = 6


class NodeSide(Protocol):
    """What a modelled relay needs of its node."""

    def take(self, now_ns: int, inputs: Sequence[Received | LinkChanged]) -> None:
        """Gives the node inputs: a relay's statements, and what became of the line to it."""

    def relay_rows(self, party: str, after: int) -> list[OutboxRow]:
        """Durable rows of a relay's outbox."""


def desk_of(genesis: Genesis, relay: Relay, seat: Seat) -> RelayDesk:
    """The desk of a relay of this node, which trusts the roots of the exercise."""
    trust = TrustStore(genesis.realm, seat.scheme, genesis.roots)
    return RelayDesk(seat, trust, roster=relay.roster or relay.id, hops=relay.last_hops)


class _Roster:
    """The last hops of one roster: where each is connected, and what each holds."""

    def __init__(self, name: str, relays: Sequence[Relay]) -> None:
        self.name = name
        self.hops = max(one.last_hops for one in relays)
        self.names = [one.id for one in relays]
        self.at = np.arange(self.hops) % len(relays)
        self.broken: set[int] = {hop for one in relays for hop in one.broken}
        self.held: dict[bytes, int] = {}

    def holds(self, hop: int) -> set[bytes]:
        """The messages that a last hop has."""
        return {of for of, bits in self.held.items() if bits >> hop & 1}


class _Modelled:
    """One relay."""

    def __init__(self, relay: Relay, desk: RelayDesk, node: NodeSide, roster: _Roster) -> None:
        self.relay, self.desk, self.node, self.roster = relay, desk, node, roster
        self.party = f"{RELAYS}{relay.id}"
        self.number = roster.names.index(relay.id)
        self.after = 0
        self.downs = 0
        self.fetching = False
        self.telling = False


class Relays:
    """All modelled relays of an exercise."""

    def __init__(
        self,
        kernel: Kernel,
        key: bytes,
        members: Mapping[str, tuple[NodeSide, Genesis, Sequence[tuple[Relay, Seat]]]],
    ) -> None:
        """members: by node, its side, its genesis, and its relays with their keys."""
        self._kernel = kernel
        self._key = key
        self._relays: dict[str, _Modelled] = {}
        for side, genesis, pairs in members.values():
            rosters: dict[str, list[Relay]] = {}
            for relay, _ in pairs:
                rosters.setdefault(relay.roster or relay.id, []).append(relay)
            made = {name: _Roster(name, many) for name, many in rosters.items()}
            for relay, seat in pairs:
                desk = desk_of(genesis, relay, seat)
                self._relays[relay.id] = _Modelled(relay, desk, side, made[relay.roster or relay.id])

    def begin(self, now_ns: int) -> None:
        """All relays that are up say that they are there."""
        for one in self._relays.values():
            self._kernel.at(now_ns + seconds(LINE_S), self._here, one)

    def woken(self, party: str, now_ns: int) -> None:
        """There are rows for this party; nothing where it is no relay of ours."""
        one = self._relays.get(party.removeprefix(RELAYS))
        if one is not None and party.startswith(RELAYS) and not one.fetching:
            one.fetching = True
            self._kernel.at(now_ns + seconds(LINE_S), self._fetch, one)

    def down(self, name: str) -> None:
        """The relay is gone; its last hops look for another."""
        one = self._relays[name]
        one.downs += 1
        if one.downs == 1:
            moving = np.flatnonzero(one.roster.at == one.number)
            one.roster.at[moving] = -1
            self._kernel.at(self._kernel.now_ns + seconds(SILENT_AFTER_S), self._silent, one)
            self._kernel.at(self._kernel.now_ns + seconds(FAIL_OVER_S), self._move, one.roster)

    def up(self, name: str) -> None:
        """It is back, with what it had kept; several downs need as many ups."""
        one = self._relays[name]
        one.downs -= 1
        if one.downs == 0:
            now_ns = self._kernel.now_ns
            self._kernel.at(now_ns + seconds(LINE_S), self._here, one)
            self._kernel.at(now_ns + seconds(FAIL_OVER_S), self._move, one.roster)

    def _here(self, now_ns: int, one: _Modelled) -> None:
        if one.downs:
            return
        self._line_up(now_ns, one)
        one.node.take(now_ns, [Received(party=one.party, number=0, raw=one.desk.here(now_ns))])
        self.woken(one.party, now_ns)

    def _line_up(self, now_ns: int, one: _Modelled) -> None:
        hops = int(np.count_nonzero(one.roster.at == one.number))
        one.node.take(now_ns, [LinkChanged(party=one.party, state="up", hops=hops)])

    def _silent(self, now_ns: int, one: _Modelled) -> None:
        if one.downs:
            one.node.take(now_ns, [LinkChanged(party=one.party, state="down")])

    def _fetch(self, now_ns: int, one: _Modelled) -> None:
        one.fetching = False
        if one.downs:
            return
        for row in one.node.relay_rows(one.party, one.after):
            one.after = row.number
            outcome = one.desk.take(row.data, now_ns)
            if isinstance(outcome, PassOn):
                to = one.desk.audience(outcome, np.flatnonzero(one.roster.at == one.number).tolist())
                one.desk.passed_all(outcome.id, to)
                self._send(now_ns, one, outcome, to)
        self._tell_soon(now_ns, one)

    def _move(self, now_ns: int, roster: _Roster) -> None:
        """Last hops without a relay come to the next one that is up."""
        ups = [self._relays[name] for name in roster.names if not self._relays[name].downs]
        for place, hop in enumerate(np.flatnonzero(roster.at < 0).tolist() if ups else ()):
            one = ups[place % len(ups)]
            roster.at[hop] = one.number
            held = roster.holds(hop)
            for of in held:
                if of in one.desk.kept:
                    one.desk.receipt(hop, of, now_ns)
            for message in one.desk.wanted(hop, held, now_ns):
                one.desk.passed(message.id, hop)
                self._send(now_ns, one, message, [hop])
        for one in ups:
            self._line_up(now_ns, one)
            self._tell_soon(now_ns, one)

    def _send(self, now_ns: int, one: _Modelled, message: PassOn, hops: Sequence[int]) -> None:
        """Sets the receipts of these last hops, gathered as the relay tells them."""
        if not hops:
            return
        delays_s = self._delays_s(one, message)
        bins: dict[int, int] = {}
        for hop in hops:
            if hop not in one.roster.broken:
                place = int(delays_s[hop] / BATCH_S) + 1
                bins[place] = bins.get(place, 0) | 1 << hop
        for place, bits in sorted(bins.items()):
            at_ns = now_ns + seconds(place * BATCH_S)
            self._kernel.at(at_ns, self._receipted, (one, message.id, bits), 1)

    def _delays_s(self, one: _Modelled, message: PassOn) -> NDArray[np.float64]:
        """How long each last hop of the roster takes, were it to get the message from this relay."""
        relay = one.relay
        rng = stream(self._key, "last hops", one.roster.name, message.identifier)
        delays = relay.delay_s + relay.jitter_s * rng.random(one.roster.hops)
        if relay.loss:
            losses = np.minimum(rng.geometric(1.0 - relay.loss, one.roster.hops) - 1, MAX_LOSSES)
            delays += RESEND_S * (2.0**losses - 1.0)
        return np.asarray(delays)

    def _receipted(self, now_ns: int, what: tuple[_Modelled, bytes, int]) -> None:
        one, of, bits = what
        roster = one.roster
        for hop in hops_of(bits):
            if roster.at[hop] == one.number and not one.downs:
                roster.held[of] = roster.held.get(of, 0) | 1 << hop
                one.desk.receipt(hop, of, now_ns)
        self._tell(now_ns, one)

    def _tell_soon(self, now_ns: int, one: _Modelled) -> None:
        if not one.telling:
            one.telling = True
            self._kernel.at(now_ns + seconds(LINE_S), self._tell_now, one)

    def _tell_now(self, now_ns: int, one: _Modelled) -> None:
        one.telling = False
        self._tell(now_ns, one)

    def _tell(self, now_ns: int, one: _Modelled) -> None:
        said = [] if one.downs else one.desk.deliveries(now_ns)
        if said:
            one.node.take(now_ns, [Received(party=one.party, number=0, raw=raw) for raw in said])

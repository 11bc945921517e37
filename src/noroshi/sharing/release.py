"""The one door out: which partner may have which message, and by which way.

Both must allow it: the originator's label inside the signed bytes, and the `sharing` edges of the structure in
force, read by the crossing rule. The originator signs one edition per audience; a relay passes an edition on
unchanged or not at all, and asks the same two questions again. Of a kind that this version does not know only the
label can be asked: it is the originator's to give, and signed. Everything else is withheld, with a reason.

    for audience in policy.audiences("kr-jcs", "flight-path"): ...
    outcome = policy.onward(message, "JPN")        # Allowed(next_hop=..., rule=...) or Withheld(reason)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from noroshi.messages import Envelope, Label, Message, may_have
from noroshi.structure import Structure, audiences

MAX_KNOWN = 4096
"""Decisions kept to be given again; a busy crisis makes some hundred, and a flood of odd labels costs no more memory."""


@dataclass(frozen=True, slots=True)
class Audience:
    """A set of partners who may hold the same edition, and the edges that let them, per partner."""

    partners: frozenset[str]
    paths: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def name(self) -> str:
        """The partners in order, as the ids of this audience are keyed."""
        return audience_name(self.partners)


@dataclass(frozen=True, slots=True)
class Allowed:
    """It may go: to the outbox of `next_hop` (a neighbour), because of the rule and edges named."""

    next_hop: str
    rule: str


@dataclass(frozen=True, slots=True)
class Withheld:
    """It may not go, and why. The reason stays at home."""

    reason: str


def audience_name(partners: Iterable[str]) -> str:
    """`JPN+USA`: partners sorted and joined."""
    return "+".join(sorted(partners))


class ReleasePolicy:
    """The release rules of one node under one structure. Holds no message and no time."""

    def __init__(
        self,
        structure: Structure,
        *,
        own: str,
        nations: Mapping[str, str],
        wires: Iterable[tuple[str, str]],
    ) -> None:
        """nations: partner to nation code of the structure; wires: pairs of partners whose nodes have a link."""
        self.own = own
        self._structure = structure
        self._nations = dict(nations)
        self._partners = {nation: partner for partner, nation in nations.items()}
        self._wires: dict[str, list[str]] = {partner: [] for partner in nations}
        for one, other in wires:
            self._wires[one].append(other)
            self._wires[other].append(one)
        self._audiences: dict[tuple[str, str, str], tuple[Audience, ...]] = {}
        self._routes: dict[tuple[str, str, frozenset[str]], tuple[str, ...]] = {}
        self._onward: dict[tuple[str, str, str | None, Label, str], Allowed | Withheld] = {}

    @property
    def neighbours(self) -> tuple[str, ...]:
        """Partners to whom this node has a link."""
        return tuple(sorted(self._wires[self.own]))

    def audiences(self, unit: str, content: str, *, origin: str = "") -> tuple[Audience, ...]:
        """The audiences of what `unit` of `origin` (our own if empty) says with this content.

        Each other partner is in the widest audience that has it; empty when the structure lets nobody else have it.
        """
        key = (unit, content, origin or self.own)
        known = self._audiences.get(key)
        if known is None:
            known = self._audiences[key] = self._find_audiences(*key)
        return known

    def onward(self, message: Message, partner: str) -> Allowed | Withheld:
        """Whether this node may send `message`, its own or another's, towards `partner`."""
        envelope = message.envelope
        content = message.kind.content if message.kind is not None else None
        key = (envelope.origin, envelope.unit, content, envelope.label, partner)
        known = self._onward.get(key)
        if known is None:
            if len(self._onward) >= MAX_KNOWN:
                self._onward.clear()
            known = self._onward[key] = self._decide(envelope, content, partner)
        return known

    def _decide(self, envelope: Envelope, content: str | None, partner: str) -> Allowed | Withheld:
        """What `onward` says; follows from the structure and from these alone: origin, unit, label, content."""
        if not may_have(envelope.label, partner, origin=envelope.origin):
            return Withheld("not-in-label")
        if content is None and envelope.origin == self.own:
            return Withheld("unknown-kind")
        rule = "label" if content is not None else "label of a kind that is unknown here"
        if content:
            edges = self._edges(envelope, content, partner)
            if edges is None:
                return Withheld("no-sharing-edge")
            rule = ">".join(edges)
        route = self.route(envelope.origin, partner, envelope.label.audience | {envelope.origin})
        if self.own not in route:
            return Withheld("not-on-the-way" if route else "no-route")
        position = route.index(self.own)
        return Allowed(route[position + 1], rule) if position + 1 < len(route) else Withheld("arrived")

    def route(self, origin: str, partner: str, allowed: frozenset[str]) -> tuple[str, ...]:
        """The shortest way over links through allowed partners only; the same at every node. Empty if none."""
        key = (origin, partner, allowed.intersection(self._wires))
        if key not in self._routes:
            self._routes[key] = self._shortest(*key)
        return self._routes[key]

    def _find_audiences(self, unit: str, content: str, origin: str) -> tuple[Audience, ...]:
        found: dict[frozenset[str], list[tuple[str, tuple[str, ...]]]] = {}
        for nation, reached in sorted(audiences(self._structure, unit, content).items()):
            partner = self._partners.get(nation)
            if partner is None or partner == origin:
                continue
            members = frozenset(self._partners[n] for n in reached.releasable_to if n in self._partners)
            found.setdefault(members | {origin}, []).append((partner, reached.edges))
        return tuple(
            Audience(members, tuple(paths))
            for members, paths in sorted(found.items(), key=lambda i: sorted(i[0]))
        )

    def _edges(self, envelope: Envelope, content: str, partner: str) -> tuple[str, ...] | None:
        """The edges that let this partner have it, when the label is no wider than they allow."""
        if not self._structure.has(envelope.unit):
            return None
        for audience in self.audiences(envelope.unit, content, origin=envelope.origin):
            for member, edges in audience.paths:
                if member == partner and envelope.label.audience <= audience.partners:
                    return edges
        return None

    def _shortest(self, origin: str, partner: str, allowed: frozenset[str]) -> tuple[str, ...]:
        ways: deque[tuple[str, ...]] = deque([(origin,)])
        seen = {origin}
        while ways:
            way = ways.popleft()
            if way[-1] == partner:
                return way
            for following in sorted(self._wires.get(way[-1], ())):
                if following not in seen and (following in allowed or following == partner):
                    seen.add(following)
                    ways.append((*way, following))
        return ()

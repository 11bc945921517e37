"""The one door out: which partner may have which message, and by which way.

Three must allow it: the originator's label inside the signed bytes, the release policy in force, and the `sharing`
edges of the structure, read by the crossing rule. The originator signs one edition per audience; a relay passes an
edition on unchanged or not at all, and asks the same again by its own policy. Of a kind that this version does not know
only the label and the partner's terms can be asked: it is the originator's to give, and signed. Everything else is
withheld. Every outcome names the rule that decided.

    for audience in policy.audiences("kr-jcs", "flight-path"): ...
    outcome = policy.onward(message, "JPN")        # Allowed(next_hop=..., rule=...) or Withheld(reason, rule)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeVar

import msgspec

from noroshi.messages import KINDS, Label, Message, labels, may_have
from noroshi.messages.canonical import encode
from noroshi.messages.labels import USUAL_CLASSIFICATION
from noroshi.sharing.budgets import Spent
from noroshi.sharing.policy import RECALL, Budget, Effect, Policy, default_policy
from noroshi.structure import Structure, audiences

K = TypeVar("K")
V = TypeVar("V")

MAX_KNOWN = 4096
"""Answers kept to be given again; a busy crisis makes some hundred, and a flood of odd labels costs no more memory."""

Edition = Literal["full", "reduced", "declared"]

_EDITIONS: Mapping[Effect, Edition] = MappingProxyType(
    {"full": "full", "reduced": "reduced", "declare": "declared"}
)
_SAID = Label(USUAL_CLASSIFICATION, ())
"""Rank and caveats of what nodes say by themselves: who is not cleared for these is in no audience."""


@dataclass(frozen=True, slots=True)
class Audience:
    """A set of partners who may hold the same edition, and the edges that let them, per partner.

    edition: `full`; `reduced`, which has a kind of its own; `declared`, a tear-line made from more than they may see.
    """

    partners: frozenset[str]
    paths: tuple[tuple[str, tuple[str, ...]], ...]
    edition: Edition = "full"

    @property
    def name(self) -> str:
        """The partners in order, as the ids of this audience are keyed."""
        return audience_name(self.partners)


@dataclass(frozen=True, slots=True)
class Allowed:
    """It may go: to the outbox of `next_hop` (a neighbour), because of the rule and edges named.

    budgets: those that it counts against, asked when it goes and not before.
    """

    next_hop: str
    rule: str
    edition: Edition = "full"
    budgets: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class Withheld:
    """It may not go, why, and by which rule: a policy's own, a budget, or one that is always there. Stays at home."""

    reason: str
    rule: str = ""


class CaseRelease(msgspec.Struct, frozen=True, array_like=True):
    """A post has released one edition to one partner. id: the edition's. The caller has checked the post's signature."""

    id: bytes
    partner: str
    post: str


class ReleaseKey(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All of a message that decides where it may go. content: None for a kind that is unknown here; cases: what posts
    have released of it.
    """

    origin: str
    unit: str
    kind: str
    content: str | None
    label: Label
    cases: tuple[CaseRelease, ...] = ()

    @property
    def subject(self) -> str:
        """What rules call its kind: that of its full form."""
        kind = KINDS.get(self.kind)
        return kind.subject if kind is not None else self.kind


@dataclass(frozen=True, slots=True)
class Plain:
    """What becomes of everything with one key. partners: who may have it, in order; hops: the neighbours to whom it
    goes; the others: by partner, in canonical bytes, as the record of it holds them.
    """

    partners: tuple[str, ...]
    hops: tuple[str, ...]
    rules: msgspec.Raw
    ways: msgspec.Raw
    withheld: msgspec.Raw
    denied_by: msgspec.Raw


@dataclass(frozen=True, slots=True)
class _Permit:
    """What terms, clearance and rules let a partner have. rule: empty where none of the policy's own has decided."""

    edition: Edition
    rule: str
    by_edges: bool
    alone: bool


def audience_name(partners: Iterable[str]) -> str:
    """`JPN+USA`: partners sorted and joined."""
    return "+".join(sorted(partners))


class ReleasePolicy:
    """The release rules of one node under one structure and one policy. Holds no message and no time."""

    def __init__(
        self,
        structure: Structure,
        *,
        own: str,
        nations: Mapping[str, str],
        wires: Iterable[tuple[str, str]],
        policy: Policy | None = None,
    ) -> None:
        """nations: partner to nation code of the structure; wires: pairs of partners whose nodes have a link.

        policy: of `own`, checked; without one the structure and the labels decide.
        """
        self.own = own
        self.policy = policy if policy is not None else default_policy(own, nations)
        self._structure = structure
        self._nations = dict(nations)
        self._partners = {nation: partner for partner, nation in nations.items()}
        self._wires: dict[str, list[str]] = {partner: [] for partner in nations}
        for one, other in wires:
            self._wires[one].append(other)
            self._wires[other].append(one)
        self._ways: dict[tuple[str, str, str], tuple[Audience, ...]] = {}
        self._audiences: dict[tuple[str, str, bool], tuple[Audience, ...]] = {}
        self._routes: dict[tuple[str, str, frozenset[str]], tuple[str, ...]] = {}
        self._onward: dict[ReleaseKey, dict[str, Allowed | Withheld]] = {}
        self._plain: dict[ReleaseKey, Plain | None] = {}
        self._asked: tuple[ReleaseKey | None, dict[str, Allowed | Withheld]] = (None, {})
        self.neighbours = tuple(sorted(self._wires[own]))
        """Partners to whom this node has a link."""

    def audiences(
        self, unit: str, content: str, *, origin: str = "", reduced: bool = False
    ) -> tuple[Audience, ...]:
        """The audiences of what `unit` of `origin` (our own if empty) says with this content.

        Each other partner is in the widest audience that has it; empty when nobody else may have it. Of another origin,
        what the structure says: its policy is its own. reduced: the audiences of reduced editions instead; no partner
        is in both for one unit and content.
        """
        if origin and origin != self.own:
            return self._structural(unit, content, origin)
        key = (unit, content, reduced)
        known = self._audiences.get(key)
        if known is None:
            known = _kept(self._audiences, key, self._find_audiences(*key))
        return known

    def key(self, message: Message, cases: Iterable[CaseRelease] = ()) -> ReleaseKey:
        """What decides where a message may go; kept beside a row that has not gone yet. cases: of any message."""
        envelope = message.envelope
        content = message.kind.content if message.kind is not None else None
        released = tuple(one for one in cases if one.id == envelope.id) if cases else ()
        return ReleaseKey(envelope.origin, envelope.unit, envelope.kind, content, envelope.label, released)

    def onward(self, message: Message, partner: str, cases: Iterable[CaseRelease] = ()) -> Allowed | Withheld:
        """Whether this node may send `message`, its own or another's, towards `partner`."""
        return self.onward_key(self.key(message, cases), partner)

    def onward_key(self, key: ReleaseKey, partner: str) -> Allowed | Withheld:
        """The same of a message of which only its key is at hand. Follows from it, policy, structure and links alone."""
        if key is not self._asked[0]:  # of one message all partners are asked in turn
            answers = self._onward.get(key)
            self._asked = key, answers if answers is not None else _kept(self._onward, key, {})
        answers = self._asked[1]
        known = answers.get(partner)
        if known is None:
            known = answers[partner] = self._decide(key, partner)
        return known

    def may_still_go(self, key: ReleaseKey, next_hop: str) -> bool:
        """Whether a row that stands in a neighbour's outbox and has not gone may go there under this policy."""
        outcomes = (self.onward_key(key, partner) for partner in self._nations if partner != self.own)
        return any(isinstance(one, Allowed) and one.next_hop == next_hop for one in outcomes)

    def charged(self, key: ReleaseKey, partner: str, now_ns: int, spent: Spent) -> Allowed | Withheld:
        """What `onward_key` says, counted against the partner's budgets; a full one withholds until a post releases.

        They are for what is our own. Another's edition its originator answers for; were it held back here, the partner's
        silence about it would tell third parties how much we have told that partner.
        """
        outcome = self.onward_key(key, partner)
        own = key.origin == self.own
        if isinstance(outcome, Allowed) and outcome.budgets and own and not self._case(key, partner):
            full = spent.charge(partner, outcome.budgets, now_ns)
            if full:
                return Withheld("over-budget", full)
        return outcome

    def plain(self, key: ReleaseKey) -> Plain | None:
        """What becomes of everything with this key at all partners, where policy, structure and links alone say it.

        None where something else has a say as well: a budget, a tear-line, or who was given what is recalled.
        """
        if key not in self._plain:
            _kept(self._plain, key, self._find_plain(key))
        return self._plain[key]

    def _find_plain(self, key: ReleaseKey) -> Plain | None:
        if key.kind == RECALL:
            return None
        partners = sorted(one for one in self._nations if one not in (self.own, key.origin))
        outcomes = {partner: self.onward_key(key, partner) for partner in partners}
        allowed = {name: one for name, one in outcomes.items() if isinstance(one, Allowed)}
        if any(one.edition == "declared" or one.budgets for one in allowed.values()):
            return None
        withheld = {name: one for name, one in outcomes.items() if isinstance(one, Withheld)}
        return Plain(
            partners=tuple(allowed),
            hops=tuple(dict.fromkeys(one.next_hop for one in allowed.values())),
            rules=_packed({name: one.rule for name, one in allowed.items()}),
            ways=_packed({name: one.next_hop for name, one in allowed.items()}),
            withheld=_packed({name: one.reason for name, one in withheld.items()}),
            denied_by=_packed({name: one.rule for name, one in withheld.items()}),
        )

    def route(self, origin: str, partner: str, allowed: frozenset[str]) -> tuple[str, ...]:
        """The shortest way over links through allowed partners only; the same at every node. Empty if none."""
        key = (origin, partner, allowed.intersection(self._wires))
        known = self._routes.get(key)
        if known is None:
            known = _kept(self._routes, key, self._shortest(*key))
        return known

    def _decide(self, key: ReleaseKey, partner: str) -> Allowed | Withheld:
        if not may_have(key.label, partner, origin=key.origin):
            return Withheld(labels.defect(key.label) or "not-in-label", "label")
        if key.content is None and key.origin == self.own:
            return Withheld("unknown-kind", "kinds")
        permit = self._permit(key, partner)
        if isinstance(permit, Withheld):
            return permit
        fault = self._company_defect(key, partner, permit)
        if fault is not None:
            return fault
        rule = permit.rule or ("label" if key.content is not None else "label of a kind that is unknown here")
        if key.content and permit.by_edges:
            edges = self._edges(key, key.content, partner)
            if edges is None:
                return Withheld("no-sharing-edge", "structure")
            rule = f"{permit.rule}: {'>'.join(edges)}" if permit.rule else ">".join(edges)
        return self._sent_on(key, partner, permit, rule)

    def _sent_on(self, key: ReleaseKey, partner: str, permit: _Permit, rule: str) -> Allowed | Withheld:
        """Where it goes next, once it may go."""
        route = self.route(key.origin, partner, key.label.audience | {key.origin})
        if self.own not in route:
            return Withheld("not-on-the-way" if route else "no-route", "links")
        position = route.index(self.own) + 1
        if position == len(route):
            return Withheld("arrived", "links")
        hop = route[position]
        if hop != partner:
            there = self._permit(key, hop)
            if isinstance(there, Withheld):
                return Withheld("next-hop-may-not", there.rule)
        return Allowed(hop, rule, permit.edition, self.policy.budgets_for(partner, key.content))

    def _permit(self, key: ReleaseKey, partner: str) -> _Permit | Withheld:
        """What the policy lets a partner have of this; structure, the label's audience and links are asked elsewhere."""
        released = self._case(key, partner)
        verdict = self.policy.verdict(
            partner, key.unit, key.subject, key.content, key.label, released=released
        )
        edition = _EDITIONS.get(verdict.effect)
        if edition is None:
            return Withheld(verdict.reason, verdict.rule)
        if key.subject != key.kind:
            edition = "reduced"
        elif edition == "reduced":
            return Withheld("reduced-only", verdict.rule)
        member = self.policy.on_terms(partner, "member")
        return _Permit(edition, verdict.rule, by_edges=member, alone=not member)

    def _company_defect(self, key: ReleaseKey, partner: str, permit: _Permit) -> Withheld | None:
        """Whether an own edition names somebody with whom this partner may not share it, or who may not have it now.

        Of another's edition its originator has said who may have it, and answers for that; a recall tells nothing new.
        """
        if key.origin != self.own or key.subject == RECALL:
            return None
        company = key.label.audience - {self.own, partner}
        if company and (permit.alone or self.policy.budgets_for(partner, key.content)):
            return Withheld("not-alone", permit.rule or f"terms:{partner}")
        for other in sorted(company):
            there = self._permit(key, other)
            if isinstance(there, Withheld):
                return Withheld("label-too-wide", there.rule)
            if there.alone:
                return Withheld("label-too-wide", there.rule or f"terms:{other}")
        return None

    def _case(self, key: ReleaseKey, partner: str) -> bool:
        """Whether a post that may release has released this to the partner."""
        posts = self.policy.releasing_posts
        return any(one.partner == partner and one.post in posts for one in key.cases)

    def _find_audiences(self, unit: str, content: str, reduced: bool) -> tuple[Audience, ...]:
        subject = next((k.name for k in KINDS.values() if k.content == content and not k.reduces), content)
        found: dict[tuple[frozenset[str], Edition], list[tuple[str, tuple[str, ...]]]] = {}
        editions = {
            name: _EDITIONS.get(self.policy.verdict(name, unit, subject, content, _SAID).effect)
            for name in self.policy.partners
        }
        for way in self._structural(unit, content, self.own):
            for partner, edges in way.paths:
                edition = editions.get(partner)
                if edition is None or not self.policy.on_terms(partner, "member"):
                    continue
                members = {
                    name
                    for name in way.partners
                    if editions.get(name) == edition
                    and self.policy.on_terms(name, "member")
                    and self._shares(name, content)
                }
                company = members if partner in members else {partner}
                found.setdefault((frozenset(company | {self.own}), edition), []).append((partner, edges))
        for partner, edition in editions.items():
            if edition is not None and self.policy.on_terms(partner, "observer"):
                found.setdefault((frozenset((self.own, partner)), edition), []).append((partner, ()))
        return tuple(
            Audience(members, tuple(sorted(paths)), edition)
            for (members, edition), paths in sorted(
                found.items(), key=lambda one: (sorted(one[0][0]), one[0][1])
            )
            if (edition == "reduced") == reduced
        )

    def _shares(self, partner: str, content: str) -> bool:
        """Whether a partner may be in an audience with others: not with a budget, since a relay would go round it."""
        return not self.policy.budgets_for(partner, content)

    def _structural(self, unit: str, content: str, origin: str) -> tuple[Audience, ...]:
        """The audiences that the structure alone gives."""
        key = (unit, content, origin)
        known = self._ways.get(key)
        if known is None:
            known = _kept(self._ways, key, self._find_ways(*key))
        return known

    def _find_ways(self, unit: str, content: str, origin: str) -> tuple[Audience, ...]:
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

    def _edges(self, key: ReleaseKey, content: str, partner: str) -> tuple[str, ...] | None:
        """The edges that let this partner have it, when the label is no wider than they allow."""
        if not self._structure.has(key.unit):
            return None
        for audience in self._structural(key.unit, content, key.origin):
            for member, edges in audience.paths:
                if member == partner and key.label.audience <= audience.partners:
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


def _packed(found: dict[str, str]) -> msgspec.Raw:
    return msgspec.Raw(encode(found))


def _kept(cache: dict[K, V], key: K, value: V) -> V:
    """The value, kept to be given again; a full cache is emptied first."""
    if len(cache) >= MAX_KNOWN:
        cache.clear()
    cache[key] = value
    return value

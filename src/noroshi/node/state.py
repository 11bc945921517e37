"""All that a node knows, derived from its log and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec

from noroshi.clock import NEVER
from noroshi.command.alerts import AlertDesk
from noroshi.command.counts import Count
from noroshi.command.decisions import Case
from noroshi.command.hazard_matters import HazardMatter
from noroshi.command.hazards import HazardBook
from noroshi.command.notices import Notice
from noroshi.command.posts import Task
from noroshi.command.reach import Chase, Reach, Relay, RelayLine, Told
from noroshi.command.readiness import Readiness
from noroshi.errors import LocalError
from noroshi.geo.places import PlaceTable
from noroshi.log import Chain
from noroshi.messages import KINDS, Certificate, Ed25519, KeyedHash, Scheme, TrustStore, derive, key_id
from noroshi.messages.bodies import AlertBody, WarningBody
from noroshi.messages.signing import ID_BYTES
from noroshi.messages.trust import REAL
from noroshi.node import trusting
from noroshi.node.events import REDUCED, Event, EventBook
from noroshi.node.inputs import Genesis, GroupRow, PostRow, Secrets, SensorRow
from noroshi.node.known import RECALLED, Known
from noroshi.node.refused import Tally
from noroshi.node.security import Source
from noroshi.node.standing import Standing
from noroshi.sharing import Outboxes, Position, ReleasePolicy
from noroshi.sharing.budgets import Spent
from noroshi.sharing.policy import Policy, default_policy
from noroshi.sharing.release import audience_name
from noroshi.structure.authority import members, units_with
from noroshi.warning.area_list import AreaList, own_watch
from noroshi.warning.watch import Watch, watch_over

MODE = "crisis"
"""The mode in which authorities are read: a node exists for the minutes that count."""

MAX_ALIASES = 4096
"""Aliases that are kept at hand: more than a crisis needs, and they can be worked out again."""

COUNTRIES = MappingProxyType({"US": ("US", "GU", "MP", "AS", "PR", "VI")})
"""Codes of the places that a nation warns, where it is more than its own: territories have ISO codes of their own."""


def scheme_named(name: str, realm: str) -> Scheme:
    """The signature scheme of a genesis. Raises LocalError when the realm may not use it."""
    if name == Ed25519.name:
        return Ed25519()
    if name == KeyedHash.name and realm != REAL:
        return KeyedHash()
    raise LocalError(
        "start the node", subject=realm, cause=f"the signature scheme {name!r} is not allowed in this realm"
    )


@dataclass(frozen=True, slots=True)
class Said:
    """A warning, ours or a partner's: what sentences call it, who gets an own post's acknowledgement of it, and when
    it came.
    """

    name: str
    answer_to: frozenset[str]
    said_ns: int


@dataclass(frozen=True, slots=True)
class HeardAlert:
    """A partner's public alert that was believed: what others say in its name is held against it."""

    origin: str
    body: AlertBody
    ended: bool = False


class HeardWord(msgspec.Struct, frozen=True, array_like=True):
    """The newest word of a partner's warning. number: its own; check: of what it said; until_ns: how long it counts."""

    number: int
    check: int
    is_ended: bool
    until_ns: int


class Shown(msgspec.Struct, frozen=True, array_like=True):
    """One event that clients of a group draw. of: origin and id of the message that said it, if one did."""

    type: str
    shown_ns: int
    stale_ns: int
    lat_deg: float
    lon_deg: float
    of: tuple[str, bytes] = ("", b"")


@dataclass(slots=True)
class Recall:
    """One own message that was taken back: who had it, who was asked to put it away, who has said what it did.

    replaced: those who may keep its content and got another edition in its place; done: when each has answered.
    """

    asked_ns: int
    had: frozenset[str]
    asked: frozenset[str]
    replaced: frozenset[str] = frozenset()
    done: dict[str, int] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)


class State:
    """One node's state. Mutated only by the stages, only inside `Node.handle`."""

    def __init__(self, genesis: Genesis, secrets: Secrets, places: PlaceTable) -> None:
        self.genesis = genesis
        self.secrets = secrets
        self.own = genesis.partner
        self.own_audience = frozenset((self.own,))
        self.scheme = scheme_named(genesis.scheme, genesis.realm)
        own = trusting.publics(self.scheme, secrets)
        self.trust = TrustStore(genesis.realm, self.scheme, genesis.roots, own)
        self.trust.admit_all(genesis.certificates)
        self.certificate = self._own_certificate()
        self.catalogue = genesis.catalogue
        self.structure = genesis.structure
        self._picture_audiences: tuple[frozenset[str], ...] = ()
        self._event_audiences: tuple[frozenset[str], ...] = ()
        self.release_policy = genesis.policy or default_policy(self.own, genesis.partners, genesis.realm)
        self.spent = Spent()
        self._take_policy()
        self.nation = genesis.partners[self.own]
        self.bits = sorted(genesis.partners)
        self.chain = Chain()
        self.outboxes = Outboxes()
        self.timers: dict[str, int] = {}
        self.feeds: dict[str, int] = {}
        self.received: dict[str, Position] = {}
        self.attested: dict[str, Position] = {}
        self.known = Known(secrets.ids)
        self.now_ns = 0
        self.clock_error_ns = 0
        self.retained: list[tuple[int, dict[str, int]]] = []
        self.counters: dict[str, int] = {}
        self.sensors: dict[str, SensorRow] = {row.id: row for row in genesis.sensors}
        self.posts: dict[str, PostRow] = {row.id: row for row in genesis.posts}
        self.events = EventBook()
        self.desks: dict[str, AlertDesk] = {}
        self.cases: dict[bytes, Case] = {}
        self.tasks: dict[str, Task] = {}
        self.closed_tasks: set[str] = set()
        self.reach = Reach()
        self.relays: dict[str, Relay] = {}
        self.relay_lines: dict[str, RelayLine] = {}
        self.enrolled: dict[str, bytes] = {}
        self.told: dict[bytes, Told] = {}
        self.chases: dict[bytes, list[Chase]] = {}
        self.readiness = Readiness()
        self.alarms: dict[str, str] = {}
        self.alerts: dict[bytes, AlertBody] = {}
        self.warnings: dict[bytes, Said] = {}
        self.links: dict[str, str] = {}
        self.early: dict[bytes, list[tuple[int, str, str, bytes]]] = {}
        self.pruned_ns = 0
        self.recalls: dict[bytes, Recall] = {}
        self.groups: dict[str, GroupRow] = {}
        self.shown: dict[str, dict[str, Shown]] = {}
        self.standing: dict[str, Standing] = {}
        self.notices: dict[bytes, Notice] = {}
        self.security: dict[str, Source] = {}
        self.refused: dict[str, Tally] = {}
        self.counts: dict[str, Count] = {}
        self.counts_said: dict[str, Count] = {}
        self.counts_shown: dict[str, str] = {}
        self.hazards = HazardBook()
        self.hazard_matters: dict[int, HazardMatter] = {}
        self.relayed: dict[bytes, int] = {}
        self.heard_alerts: dict[str, HeardAlert] = {}
        self.feeds_heard: dict[str, str] = {}
        self.feed_hashes: dict[str, bytes] = {}
        self.warrant: bytes = b"" if genesis.warrant is msgspec.UNSET else genesis.warrant
        self.templates: bytes = b""
        self.templates_by: tuple[str, ...] = ()
        self.warned: dict[int, WarningBody] = {}
        self.heard_warnings: dict[tuple[str, bytes], tuple[int, bytes]] = {}
        self.heard_words: dict[tuple[str, bytes], HeardWord] = {}
        self.passkey_counts: dict[bytes, int] = {}
        self.countries: tuple[str, ...] = COUNTRIES.get(self.nation, (self.nation,))
        self.watch = watch_over(places, self.countries, genesis.rules)
        self._places = places
        self.area_list: AreaList | None = None
        self.own_watch: Watch | None = None
        self.take_areas(genesis.areas or None)
        self._able: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        self._members: dict[str, tuple[str, ...]] = {}
        self._sitting: dict[str, frozenset[str]] = {}
        self._titles: dict[str, str] = {}
        self._posts_with: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        self._aliases: dict[tuple[str, int, frozenset[str]], bytes] = {}

    def bit(self, partner: str) -> int:
        """The bit that stands for a partner in `known`; those that are admitted later come after the first ones."""
        if partner not in self.bits:
            self.bits.append(partner)
        return self.bits.index(partner)

    def is_recalled(self, origin: str, message: bytes) -> bool:
        """Whether its originator has taken a message back."""
        return bool(self.known.mask(self.known.key(origin, message)) >> RECALLED & 1)

    def put_away(self, origin: str, message: bytes) -> None:
        """Notes that a message was taken back; one that is not here yet is then taken for a repeat when it comes."""
        key = self.known.key(origin, message)
        self.known.add(key)
        self.known.mark(key, RECALLED)

    def given_to(self, origin: str, message: bytes) -> frozenset[str]:
        """The partners to whom this node has released a message, or passed it on."""
        mask = self.known.mask(self.known.key(origin, message))
        return frozenset(partner for place, partner in enumerate(self.bits) if mask >> place & 1)

    def adopt(self, policy: Policy) -> None:
        """Puts a policy in force that has been looked at."""
        self.release_policy = policy
        self._take_policy()

    def take_areas(self, given: AreaList | None) -> None:
        """Puts an agency's own areas in force, in the place of those before."""
        self.area_list = given
        self.own_watch = (
            own_watch(given, self._places, self.countries[0], self.genesis.rules)
            if given is not None
            else None
        )

    def admission_defect(self, policy: Policy) -> str:
        """Why a policy cannot admit whom it admits, or an empty text: what it says of them is another's already."""
        admitted = {name: one.admitted for name, one in policy.partners.items() if one.admitted is not None}
        genesis = self.genesis
        nodes, units, nations = set(genesis.node_partners), set(genesis.nodes), set(genesis.partners.values())
        for name, one in admitted.items():
            if name in genesis.partners or one.node in nodes or one.unit in units or one.nation in nations:
                return "admits-what-is-there"
            if self.structure.has(one.unit):
                return "admits-what-is-there"
            nodes.add(one.node)
            units.add(one.unit)
            nations.add(one.nation)
        return ""

    def _take_policy(self) -> None:
        """Who is spoken with, and by which rules, under the policy in force."""
        genesis = self.genesis
        self.partners = dict(genesis.partners)
        self.node_partners = dict(genesis.node_partners)
        self.serving = dict(genesis.nodes)
        wires = [(genesis.node_partners[a], genesis.node_partners[b]) for a, b in genesis.wires]
        for name, terms in sorted(self.release_policy.partners.items()):
            if terms.admitted is not None:
                self.partners[name] = terms.admitted.nation
                self.node_partners[terms.admitted.node] = name
                self.serving[terms.admitted.unit] = terms.admitted.node
                wires.append((self.own, name))
        gone = {name for name, one in self.release_policy.partners.items() if one.terms == "removed"}
        wires = [pair for pair in wires if not gone.intersection(pair)]
        self.others = tuple(sorted(set(self.partners) - {self.own}))
        self.policy = ReleasePolicy(
            self.structure, own=self.own, nations=self.partners, wires=wires, policy=self.release_policy
        )
        self._picture_audiences = ()
        self._event_audiences = ()

    def new_id(self, audience: frozenset[str]) -> bytes:
        """The next message id for an audience: keyed, so that it tells neither time nor count to anybody."""
        name = audience_name(audience)
        count = self.counters[name] = self.counters.get(name, 0) + 1
        return derive(self.secrets.ids, "message", name, count)[:ID_BYTES]

    def alias(self, what: str, number: int, audience: frozenset[str]) -> bytes:
        """What an own thing is called towards an audience; another audience cannot join the two."""
        key = (what, number, audience)
        if key not in self._aliases:
            if len(self._aliases) >= MAX_ALIASES:
                self._aliases.clear()
            self._aliases[key] = derive(self.secrets.ids, what, audience_name(audience), number)[:ID_BYTES]
        return self._aliases[key]

    def event_alias(self, event: Event) -> bytes:
        """What an own event is called inside its audience."""
        return self.alias("event", event.number, event.audience)

    def alias_towards(self, event: Event, audience: frozenset[str]) -> bytes:
        """What one of our own events is called towards an audience; empty where that audience knows of none."""
        known = event.known_as.get(audience)
        return self.event_alias(known) if known is not None else b""

    def able(self, decision: str, *roles: str) -> tuple[str, ...]:
        """The units that have one of these roles for a decision in the coordination mode of a crisis."""
        key = (decision, roles)
        if key not in self._able:
            self._able[key] = tuple(
                unit for role in roles for unit in units_with(self.structure, decision, role, MODE)
            )
        return self._able[key]

    def members(self, body: str) -> tuple[str, ...]:
        """The units that sit in a body; nobody where the structure has no such body."""
        if body not in self._members:
            self._members[body] = members(self.structure, body) if self.structure.has(body) else ()
        return self._members[body]

    def posts_with(self, duty: str, *units: str) -> tuple[str, ...]:
        """The own posts with a duty, at these units (any unit when none is given)."""
        key = (duty, units)
        if key not in self._posts_with:
            self._posts_with[key] = tuple(
                p.id for p in self.posts.values() if duty in p.duties and (not units or p.unit in units)
            )
        return self._posts_with[key]

    def sitting(self, body: str) -> frozenset[str]:
        """The partners whose units are members of a consulting body; nobody where there is no such body."""
        if body not in self._sitting:
            nodes = {self.genesis.nodes.get(unit, "") for unit in self.members(body)}
            partners = self.genesis.node_partners
            self._sitting[body] = frozenset(partners[node] for node in nodes if node in partners)
        return self._sitting[body]

    def title_of(self, decision: str) -> str:
        """What a decision is called in the catalogue. Raises OperatorError when it is not in it."""
        if decision not in self._titles:
            self._titles[decision] = self.catalogue.decision(decision).title
        return self._titles[decision]

    def picture_audiences(self) -> tuple[frozenset[str], ...]:
        """The audiences for which this node keeps a picture: itself, and all to whom it may speak of events."""
        if not self._picture_audiences:
            unit = self.genesis.assessing_unit
            spoken = {
                one.partners
                for kind in ("event", "warning")
                for one in self.policy.audiences(unit, KINDS[kind].content)
                if one.edition == "full"
            }
            self._picture_audiences = (self.own_audience, *sorted(spoken, key=sorted))
        return self._picture_audiences

    def looked_audiences(self) -> tuple[frozenset[str], ...]:
        """The audiences whose pictures are looked at: those above, and those of groups of clients, to whom it speaks of
        nothing for that.
        """
        pictures = self.picture_audiences()
        if not self.groups:
            return pictures
        groups = {frozenset(row.partners) for row in self.groups.values()}
        return (*pictures, *sorted(groups.difference(pictures), key=sorted))

    def adopt_groups(self, rows: Mapping[str, GroupRow]) -> None:
        """Puts other groups in the place of those that there were."""
        self.groups = dict(rows)
        self._event_audiences = ()

    def event_audiences(self) -> tuple[frozenset[str], ...]:
        """The audiences with events of their own: those with a picture, and those who get own increments."""
        if not self._event_audiences:
            pictures = self.looked_audiences()
            told = {
                one.partners if full else one.partners | {REDUCED}
                for sensor in self.sensors.values()
                for full in (True, False)
                for one in self.policy.audiences(sensor.unit, KINDS["track"].content, reduced=not full)
            }
            self._event_audiences = (*pictures, *sorted(told.difference(pictures), key=sorted))
        return self._event_audiences

    def name_of(self, message: bytes) -> str:
        """What a message of ours or a partner's warning is called in a sentence."""
        alert = self.alerts.get(message)
        return f"the alert {alert.identifier}" if alert else self.warnings[message].name

    def next_due_ns(self) -> int:
        """When the earliest timer is due."""
        return min(self.timers.values(), default=NEVER)

    def _own_certificate(self) -> Certificate:
        public = self.scheme.public_key(self.secrets.signing)
        holder = self.trust.holder(key_id(public), self.genesis.certificates[0].not_before_ns)
        if isinstance(holder, str) or holder.subject != self.genesis.node or holder.partner != self.own:
            raise LocalError(
                "start the node",
                subject=self.genesis.node,
                cause="its signing key is not the one that its first record certifies",
                hint="start it with the secrets that belong to this record",
            )
        return holder

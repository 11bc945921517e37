"""What a node knows, as plain values and back: everything in `State` that does not follow from the first record.

Each field of `Saved` is the field of `State` with the same name. Tables keep their order, since it shows in what is
said next; what is large or seldom changes is put apart, and named here by its digest. Caches are left out.

    saved = save(state, put)
    fill(state, saved, get)              # a new state of the same genesis
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
import numpy as np

from noroshi.command.alerts import AlertDesk, SavedDesk
from noroshi.command.counts import Count
from noroshi.command.decisions import Case
from noroshi.command.hazard_matters import HazardMatter
from noroshi.command.hazards import HazardBook, SavedHazards
from noroshi.command.notices import Notice
from noroshi.command.posts import Action, Task
from noroshi.command.reach import Chase, Reach, Recipient, Relay, RelayLine, Told
from noroshi.command.readiness import Readiness, Tested
from noroshi.errors import LocalError
from noroshi.messages.bodies import AlertBody, WarningBody
from noroshi.messages.canonical import encode
from noroshi.messages.keys import Bundle
from noroshi.node.events import EventBook, SavedBook
from noroshi.node.inputs import GroupRow
from noroshi.node.known import Known, Segment
from noroshi.node.refused import Tally
from noroshi.node.security import Source
from noroshi.node.standing import Standing
from noroshi.node.state import HeardAlert, HeardWord, Recall, Said, Shown, State
from noroshi.sharing import Outboxes, Position
from noroshi.sharing.budgets import Spent
from noroshi.sharing.outbox import Stream, Unreceipted
from noroshi.sharing.policy import Policy
from noroshi.sharing.release import ReleaseKey
from noroshi.sharing.streams import head_after
from noroshi.warning.area_list import AreaList

DERIVED = frozenset(
    {
        "_able",
        "_aliases",
        "_event_audiences",
        "_members",
        "_picture_audiences",
        "_places",
        "_posts_with",
        "_sitting",
        "_titles",
        "catalogue",
        "certificate",
        "countries",
        "genesis",
        "nation",
        "node_partners",
        "others",
        "own",
        "own_audience",
        "own_watch",
        "partners",
        "policy",
        "posts",
        "scheme",
        "secrets",
        "sensors",
        "serving",
        "structure",
        "watch",
    }
)
"""Fields of a state that follow from its genesis, secrets, the table of places and the policy in force; and caches."""

BY_CHAIN = frozenset({"chain"})
"""Fields of a state that a snapshot's manifest holds itself."""

Get = Callable[[bytes], bytes]
"""Gives the bytes of a digest. Raises LookupError."""


class Put(Protocol):
    """Takes bytes that are kept apart, with their SHA-256 if it is at hand, and gives their SHA-256."""

    def __call__(self, data: bytes, digest: bytes = b"") -> bytes: ...


_BUNDLES = msgspec.msgpack.Decoder(list[tuple[str, Bundle]])


class SavedTask(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A task; its fields as pairs, since their order shows. Of many the collector of cycles knows nothing."""

    id: str
    action: Action
    duty: str
    unit: str
    posts: tuple[str, ...]
    title: str
    deadline_ns: int
    audience: frozenset[str]
    event: bytes
    fields: list[tuple[str, Any]]


class SavedKnown(msgspec.Struct, frozen=True, array_like=True):
    """What was ever seen: digests of its segments, what is in none yet, and marks on what is in one. said: digests of
    what the messages of each segment said, empty where that was not noted; recent_said: of those that are in none yet.
    """

    segments: list[bytes]
    recent: bytes
    marks: bytes
    said: list[bytes] = []
    recent_said: bytes = b""


class SavedStream(msgspec.Struct, frozen=True, array_like=True):
    """A stream's end; of the rows that are not receipted the digests of their data, one after the other, and why each
    may go, as its place in the list of reasons (little-endian, 4 bytes each).
    """

    name: str
    number: int
    head: bytes
    receipted: int
    receipted_head: bytes
    digests: bytes
    whys: bytes


class SavedOutboxes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ends of all streams, the epochs of partners, and the reasons for which unreceipted rows may go."""

    streams: list[SavedStream]
    epochs: list[tuple[str, int]]
    reasons: list[ReleaseKey | None]


class Saved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A state's own fields. One that came after the first form has a default: what a node has that never heard of it."""

    alarms: list[tuple[str, str]] = []
    chases: list[tuple[bytes, list[Chase]]] = []
    readiness: list[Tested] = []
    relays: list[tuple[str, Relay]] = []
    relay_lines: list[tuple[str, RelayLine]] = []
    enrolled: list[tuple[str, bytes]] = []
    told: list[tuple[bytes, Told]] = []
    alerts: list[tuple[bytes, AlertBody]]
    area_list: AreaList | None = None
    attested: list[tuple[str, Position]]
    bits: list[str]
    cases: list[tuple[bytes, Case]]
    now_ns: int
    clock_error_ns: int
    closed_tasks: frozenset[str]
    counters: list[tuple[str, int]]
    desks: list[tuple[str, SavedDesk]]
    early: list[tuple[bytes, list[tuple[int, str, str, bytes]]]] = []
    events: SavedBook
    feeds: list[tuple[str, int]]
    known: SavedKnown
    links: list[tuple[str, str]]
    feeds_heard: list[tuple[str, str]] = []
    feed_hashes: list[tuple[str, bytes]] = []
    hazards: SavedHazards = SavedHazards([], [])
    hazard_matters: list[HazardMatter] = []
    heard_alerts: list[tuple[str, HeardAlert]] = []
    notices: list[tuple[bytes, Notice]] = []
    security: list[tuple[str, Source]] = []
    refused: list[tuple[str, Tally]] = []
    counts: list[tuple[str, Count]] = []
    counts_said: list[tuple[str, Count]] = []
    counts_shown: list[tuple[str, str]] = []
    relayed: list[tuple[bytes, int]] = []
    outboxes: SavedOutboxes
    pruned_ns: int
    reach: list[tuple[bytes, list[Recipient]]]
    recalls: list[tuple[bytes, Recall]] = []
    groups: list[GroupRow] = []
    shown: list[tuple[str, list[tuple[str, Shown]]]] = []
    standing: list[tuple[str, Standing]] = []
    release_policy: Policy
    retained: list[tuple[int, dict[str, int]]]
    spent: list[tuple[str, str, list[int]]]
    received: list[tuple[str, Position]]
    tasks: list[SavedTask]
    timers: list[tuple[str, int]]
    trust: bytes
    warnings: list[tuple[bytes, Said]]
    warrant: bytes = b""
    templates: bytes = b""
    templates_by: tuple[str, ...] = ()
    warned: list[tuple[int, WarningBody]] = []
    heard_warnings: list[tuple[str, bytes, int, bytes]] = []
    heard_words: list[tuple[str, bytes, HeardWord]] = []
    passkey_counts: list[tuple[bytes, int]] = []


def save(state: State, put: Put) -> Saved:
    """The state's own fields; what is kept apart goes to `put`."""
    return Saved(
        alarms=list(state.alarms.items()),
        chases=list(state.chases.items()),
        readiness=state.readiness.saved(),
        relays=list(state.relays.items()),
        relay_lines=list(state.relay_lines.items()),
        enrolled=list(state.enrolled.items()),
        told=list(state.told.items()),
        alerts=list(state.alerts.items()),
        area_list=state.area_list,
        attested=list(state.attested.items()),
        bits=state.bits,
        cases=list(state.cases.items()),
        now_ns=state.now_ns,
        clock_error_ns=state.clock_error_ns,
        closed_tasks=frozenset(state.closed_tasks),
        counters=list(state.counters.items()),
        desks=[(unit, desk.saved()) for unit, desk in state.desks.items()],
        early=list(state.early.items()),
        events=state.events.saved(put),
        feeds=list(state.feeds.items()),
        known=_save_known(state.known, put),
        links=list(state.links.items()),
        feeds_heard=list(state.feeds_heard.items()),
        feed_hashes=list(state.feed_hashes.items()),
        hazards=state.hazards.saved(),
        hazard_matters=list(state.hazard_matters.values()),
        heard_alerts=list(state.heard_alerts.items()),
        notices=list(state.notices.items()),
        security=list(state.security.items()),
        refused=list(state.refused.items()),
        counts=list(state.counts.items()),
        counts_said=list(state.counts_said.items()),
        counts_shown=list(state.counts_shown.items()),
        relayed=list(state.relayed.items()),
        outboxes=_save_outboxes(state.outboxes),
        pruned_ns=state.pruned_ns,
        reach=state.reach.saved(),
        recalls=list(state.recalls.items()),
        groups=list(state.groups.values()),
        shown=[(group, list(items.items())) for group, items in state.shown.items()],
        standing=list(state.standing.items()),
        release_policy=state.release_policy,
        retained=state.retained,
        spent=state.spent.dump(),
        received=list(state.received.items()),
        tasks=[_save_task(one) for one in state.tasks.values()],
        timers=list(state.timers.items()),
        trust=put(encode(list(state.trust.bundles().items()))),
        warnings=list(state.warnings.items()),
        warrant=state.warrant,
        templates=state.templates,
        templates_by=state.templates_by,
        warned=list(state.warned.items()),
        heard_warnings=[(*key, *one) for key, one in state.heard_warnings.items()],
        heard_words=[(*key, one) for key, one in state.heard_words.items()],
        passkey_counts=list(state.passkey_counts.items()),
    )


def fill(state: State, saved: Saved, get: Get) -> None:
    """Puts what was saved into a new state of the same genesis. Raises LookupError or LocalError."""
    _fill_trust(state, _BUNDLES.decode(get(saved.trust)))
    state.adopt(saved.release_policy)
    state.alarms = dict(saved.alarms)
    state.chases = dict(saved.chases)
    state.readiness = Readiness.loaded(saved.readiness)
    state.relays = dict(saved.relays)
    state.relay_lines = dict(saved.relay_lines)
    state.enrolled = dict(saved.enrolled)
    state.told = dict(saved.told)
    state.alerts = dict(saved.alerts)
    if saved.area_list != state.area_list:
        state.take_areas(saved.area_list)
    state.attested = dict(saved.attested)
    state.bits = saved.bits
    state.cases = dict(saved.cases)
    state.now_ns = saved.now_ns
    state.clock_error_ns = saved.clock_error_ns
    state.closed_tasks = set(saved.closed_tasks)
    state.counters = dict(saved.counters)
    state.desks = {unit: AlertDesk.loaded(one) for unit, one in saved.desks}
    state.early = dict(saved.early)
    state.events = EventBook.loaded(saved.events, get)
    state.feeds = dict(saved.feeds)
    state.known = _load_known(state.secrets.ids, saved.known, get)
    state.links = dict(saved.links)
    state.feeds_heard = dict(saved.feeds_heard)
    state.feed_hashes = dict(saved.feed_hashes)
    state.hazards = HazardBook.loaded(saved.hazards)
    state.hazard_matters = {one.number: one for one in saved.hazard_matters}
    state.heard_alerts = dict(saved.heard_alerts)
    state.notices = dict(saved.notices)
    state.security = dict(saved.security)
    state.refused = dict(saved.refused)
    state.counts = dict(saved.counts)
    state.counts_said = dict(saved.counts_said)
    state.counts_shown = dict(saved.counts_shown)
    state.relayed = dict(saved.relayed)
    state.outboxes = _load_outboxes(saved.outboxes)
    state.pruned_ns = saved.pruned_ns
    state.reach = Reach.loaded(saved.reach)
    state.recalls = dict(saved.recalls)
    state.adopt_groups({row.name: row for row in saved.groups})
    state.shown = {group: dict(items) for group, items in saved.shown}
    state.standing = dict(saved.standing)
    state.retained = saved.retained
    state.spent = Spent.load(saved.spent)
    state.received = dict(saved.received)
    state.tasks = {one.id: _load_task(one) for one in saved.tasks}
    state.timers = dict(saved.timers)
    state.warnings = dict(saved.warnings)
    state.warrant = saved.warrant
    state.templates = saved.templates
    state.templates_by = saved.templates_by
    state.warned = dict(saved.warned)
    state.heard_warnings = {
        (origin, event): (until, raw) for origin, event, until, raw in saved.heard_warnings
    }
    state.heard_words = {(origin, event): one for origin, event, one in saved.heard_words}
    state.passkey_counts = dict(saved.passkey_counts)


def _fill_trust(state: State, bundles: list[tuple[str, Bundle]]) -> None:
    """Gives the store all that it had been given; every signature is looked at again, but for those of the genesis."""
    known = frozenset(state.genesis.certificates)
    for partner, bundle in bundles:
        rest = tuple(one for one in bundle.certificates if one not in known)
        taken = state.trust.take(msgspec.structs.replace(bundle, certificates=rest))
        if taken.refused:
            raise LocalError("read the keys", subject=partner, cause=taken.refused[0][1])


def _save_known(known: Known, put: Put) -> SavedKnown:
    return SavedKnown(
        [put(one.data, one.digest) for one in known.segments],
        *known.recent,
        [put(one.said, one.said_digest) if one.said else b"" for one in known.segments],
        known.recent_said,
    )


def _load_known(secret: bytes, saved: SavedKnown, get: Get) -> Known:
    said = [get(digest) if digest else b"" for digest in saved.said] or [b""] * len(saved.segments)
    segments = [Segment(get(digest), words) for digest, words in zip(saved.segments, said, strict=True)]
    return Known.of(secret, segments, saved.recent, saved.marks, saved.recent_said)


def _save_task(one: Task) -> SavedTask:
    return SavedTask(
        one.id,
        one.action,
        one.duty,
        one.unit,
        one.posts,
        one.title,
        one.deadline_ns,
        one.audience,
        one.event,
        list(one.fields.items()),
    )


def _load_task(one: SavedTask) -> Task:
    return Task(
        one.id,
        one.action,
        one.duty,
        one.unit,
        one.posts,
        one.title,
        one.deadline_ns,
        one.audience,
        one.event,
        dict(one.fields),
    )


def _save_outboxes(outboxes: Outboxes) -> SavedOutboxes:
    reasons: dict[Any, int] = {}
    streams = [
        SavedStream(
            name,
            one.number,
            one.head,
            one.receipted,
            one.receipted_head,
            b"".join([row.digest for row in one.unreceipted]),
            np.array([reasons.setdefault(row.why, len(reasons)) for row in one.unreceipted], "<u4").tobytes(),
        )
        for name, one in outboxes.streams.items()
    ]
    return SavedOutboxes(streams, list(outboxes.epochs.items()), list(reasons))


def _load_outboxes(saved: SavedOutboxes) -> Outboxes:
    outboxes = Outboxes()
    outboxes.epochs = dict(saved.epochs)
    for one in saved.streams:
        rows: deque[Unreceipted] = deque()
        head = one.receipted_head
        for place, why in enumerate(np.frombuffer(one.whys, "<u4").tolist()):
            digest = one.digests[32 * place : 32 * place + 32]
            head = head_after(head, digest)
            rows.append(Unreceipted(one.receipted + 1 + place, digest, head, saved.reasons[why]))
        outboxes.streams[one.name] = Stream(one.number, one.head, one.receipted, one.receipted_head, rows)
    return outboxes

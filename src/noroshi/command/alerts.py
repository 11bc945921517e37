"""Public alerts: a draft that two posts approve, the alert that stands, and its end to the same recipients.

One post originates, another approves; both sign the digest of the whole draft, so nobody can have approved other
words or another area. One post retracts: the words of the correction are ready from the moment that the alert is out.
A draft that nobody approves in time lapses; a wider one replaces it. What a partner's root has warranted beyond two
persons (a corroborating partner's warning as the second, an alert that the node issues by itself) is checked by whoever
gets the alert, as the signatures are: `approval_defect`.

    desk = AlertDesk(unit="jp-cabsec")
    draft = desk.draft(event, body, now_ns, deadline_ns)
    desk.sign(draft.digest, Approval("jp-cabsec.watch", "originate", raw, now_ns))      # '' or the reason why not
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import Literal

import msgspec

from noroshi.clock import seconds
from noroshi.command import confirming
from noroshi.command.corroboration import corroboration_defect, hazard_corroboration_defect
from noroshi.command.hazard_rules import automatic_s, rule_of
from noroshi.command.warrant import BASES, NOTHING, AlertRules, opened
from noroshi.messages import KINDS, Message, Refused, TrustStore, Unverified, verify
from noroshi.messages.bodies import AlertBody, AreaRow, DecisionBody, WarningBody
from noroshi.messages.bodies_hazard import HazardBody
from noroshi.messages.canonical import encode
from noroshi.messages.trust import REAL

ISSUE = "civil-alert-issue"
CANCEL = "civil-alert-cancel"

DraftState = Literal["drafted", "originated", "ready", "issued", "refused", "superseded", "expired"]
PostStep = Literal["originate", "approve", "refuse"]
DraftStep = PostStep | Literal["corroborate", "automatic", "supersede", "expire"]

DRAFT_TABLE: Mapping[tuple[DraftState, DraftStep], DraftState] = MappingProxyType(
    {
        ("drafted", "originate"): "originated",
        ("drafted", "refuse"): "refused",
        ("drafted", "supersede"): "superseded",
        ("drafted", "expire"): "expired",
        ("originated", "approve"): "issued",
        ("originated", "refuse"): "refused",
        ("originated", "supersede"): "superseded",
        ("originated", "expire"): "expired",
        ("drafted", "automatic"): "issued",
        ("originated", "automatic"): "issued",
        ("originated", "corroborate"): "issued",
        ("ready", "originate"): "originated",
        ("ready", "refuse"): "ready",
        ("ready", "supersede"): "superseded",
        ("ready", "expire"): "expired",
    }
)
"""The life of a draft; a step that is not here is refused. `ready`: the end of what stands, before anybody wants it."""

CLOSED_KEPT_NS = seconds(KINDS["decision"].expiry_s)
"""A draft that is closed, and an alert that has run out, are kept for so long: a late signature is told why."""

PERSONS = {"Alert": 2, "Update": 2, "Cancel": 1}
"""How many different posts must sign: two to tell the public something new, one to take it back."""

APPROVING = frozenset({("request", ""), ("ruling", "decided")})
"""(step, outcome) of the messages that carry an alert: originated, approved. A refusal is signed as well, and never
counts as a signature under what it refuses."""


@dataclass(frozen=True, slots=True)
class Approval:
    """One post's signature under a draft's digest: its whole signed message."""

    post: str
    step: PostStep
    raw: bytes
    time_ns: int


@dataclass(slots=True)
class Draft:
    """An alert on its way: what it will say, who has signed, until when it may be approved.

    event: the number of the own event that it is about; below 0, of an agency's hazard, or of an alert that a post has
    asked for without one.
    """

    event: int
    body: AlertBody
    digest: bytes
    deadline_ns: int
    state: DraftState = "drafted"
    approvals: list[Approval] = field(default_factory=list)

    def move(self, step: DraftStep) -> bool:
        """Takes a step of the table; whether there is one. Where one person is enough, the first signature issues."""
        after = DRAFT_TABLE.get((self.state, step))
        if after is None:
            return False
        self.state = "issued" if after == "originated" and PERSONS[self.body.type] == 1 else after
        return True

    def whole(self, now_ns: int) -> AlertBody:
        """The alert with the signatures that it has so far, as it would be sent now."""
        return msgspec.structs.replace(
            self.body, sent_ns=now_ns, approvals=[one.raw for one in self.approvals]
        )


def digest_of(body: AlertBody) -> bytes:
    """What the posts sign: SHA-256 of the alert without its sending time, signatures and digest."""
    return sha256(encode(msgspec.structs.replace(body, sent_ns=0, approvals=[], digest=b""))).digest()


class AlertDesk:
    """The drafts and standing alerts of one authority's unit."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self._drafts: dict[bytes, Draft] = {}
        self._standing: dict[int, list[AlertBody]] = {}
        self._taken_back: dict[int, frozenset[tuple[str, str]]] = {}

    def draft(self, event: int, body: AlertBody, deadline_ns: int) -> tuple[Draft, tuple[Draft, ...]]:
        """A new draft for an event, and the unfinished ones of that event which it replaces."""
        replaced = tuple(one for one in self._drafts.values() if one.event == event and _open(one))
        for one in replaced:
            one.move("supersede")
        return self._add(event, body, deadline_ns, "drafted"), replaced

    def prepare(self, event: int, body: AlertBody, deadline_ns: int) -> Draft:
        """The end of what stands for an event, worded beforehand: it waits until a post signs it."""
        return self._add(event, body, deadline_ns, "ready")

    def ready(self, event: int) -> tuple[Draft, ...]:
        """The ends that are worded for what stands for an event."""
        return tuple(one for one in self._drafts.values() if one.event == event and one.state == "ready")

    def originated(self) -> tuple[Draft, ...]:
        """The drafts that wait for a second person."""
        return tuple(one for one in self._drafts.values() if one.state == "originated")

    def _add(self, event: int, body: AlertBody, deadline_ns: int, state: DraftState) -> Draft:
        digest = digest_of(body)
        whole = msgspec.structs.replace(body, digest=digest)
        made = self._drafts[digest] = Draft(event, whole, digest, deadline_ns, state)
        return made

    def find(self, digest: bytes) -> Draft | None:
        """The draft with this digest."""
        return self._drafts.get(digest)

    def pending(self, event: int) -> Draft | None:
        """The unfinished draft of an event, if there is one."""
        return next((one for one in self._drafts.values() if one.event == event and _open(one)), None)

    def standing(self, event: int) -> tuple[AlertBody, ...]:
        """The alerts that stand for an event, oldest first; none once they have been cancelled."""
        return tuple(self._standing.get(event, ()))

    def sign(self, digest: bytes, approval: Approval) -> str:
        """Takes a post's signature; an empty text, or the reason why it does not count."""
        draft = self._drafts.get(digest)
        if draft is None:
            return "unknown-draft"
        if approval.time_ns > draft.deadline_ns:
            return "draft-expired"
        if (draft.state, approval.step) not in DRAFT_TABLE:
            return f"draft-is-{draft.state}"
        if any(one.post == approval.post for one in draft.approvals):
            return "second-person-needed"
        draft.move(approval.step)
        if draft.state != "ready":
            draft.approvals.append(approval)
        return ""

    def stand(self, draft: Draft, body: AlertBody) -> None:
        """The draft has been sent as `body`: it stands from now on, or ends what stood."""
        if body.type == "Cancel":
            self._standing.pop(draft.event, None)
        else:
            self._standing.setdefault(draft.event, []).append(body)

    def take_back(self, event: int, areas: frozenset[tuple[str, str]]) -> None:
        """A person has ended the alert of an event that is still warned of: the same warning asks for it no more."""
        self._taken_back[event] = areas | self._taken_back.get(event, frozenset())

    def is_taken_back(self, event: int, areas: frozenset[tuple[str, str]]) -> bool:
        """Whether a person has ended an alert of this event for all these areas."""
        return areas <= self._taken_back.get(event, frozenset())

    def think_again(self, event: int) -> None:
        """The warning has ended: a new one may ask again for what a person had ended."""
        self._taken_back.pop(event, None)

    def expire(self, digest: bytes, now_ns: int) -> bool:
        """Lets a draft lapse that is past its deadline; whether it did."""
        draft = self._drafts.get(digest)
        return draft is not None and now_ns >= draft.deadline_ns and draft.move("expire")

    def prune(self, now_ns: int) -> None:
        """Lets go of drafts that have been closed, and of alerts that have run out, for long."""
        self._drafts = {
            digest: one
            for digest, one in self._drafts.items()
            if _open(one) or one.deadline_ns + CLOSED_KEPT_NS >= now_ns
        }
        self._standing = {
            event: bodies
            for event, bodies in self._standing.items()
            if bodies[-1].expires_ns + CLOSED_KEPT_NS >= now_ns
        }
        known = self.events
        self._taken_back = {event: areas for event, areas in self._taken_back.items() if event in known}

    @property
    def events(self) -> frozenset[int]:
        """Numbers of the events for which there is a draft or an alert."""
        return frozenset(one.event for one in self._drafts.values()).union(self._standing)

    def saved(self) -> SavedDesk:
        """All of it, in the order in which it came."""
        back = [(event, sorted(areas)) for event, areas in self._taken_back.items()]
        return SavedDesk(self.unit, list(self._drafts.values()), list(self._standing.items()), back)

    @classmethod
    def loaded(cls, saved: SavedDesk) -> AlertDesk:
        """The desk that `saved` gave."""
        desk = cls(saved.unit)
        desk._drafts = {one.digest: one for one in saved.drafts}
        desk._standing = dict(saved.standing)
        desk._taken_back = {event: frozenset(areas) for event, areas in saved.taken_back}
        return desk


class SavedDesk(msgspec.Struct, frozen=True, array_like=True):
    """A desk as a snapshot holds it."""

    unit: str
    drafts: list[Draft]
    standing: list[tuple[int, list[AlertBody]]]
    taken_back: list[tuple[int, list[tuple[str, str]]]] = []


def rules_of(body: AlertBody, trust: TrustStore, origin: str) -> AlertRules | str:
    """What the warrant that an alert carries allows, when the root of its partner has signed it; or why it is none."""
    if body.warrant is msgspec.UNSET:
        return NOTHING
    found = opened(body.warrant, trust.scheme, trust.root(origin), partner=origin, realm=trust.realm)
    return found if isinstance(found, str) else found.rules


def approval_defect(body: AlertBody, trust: TrustStore, now_ns: int, *, origin: str) -> str:
    """Why an alert's signatures do not carry it, or an empty text. Anybody who holds the certificates can ask.

    origin: the partner whose alert it is; nobody else's posts can have signed it.
    """
    if digest_of(body) != body.digest:
        return "digest-differs"
    rules = rules_of(body, trust, origin)
    if isinstance(rules, str):
        return rules
    if (
        body.hazard is not msgspec.UNSET
        and body.type != "Cancel"
        and rule_of(rules.hazards, body.hazard) is None
    ):
        return "hazard-not-warranted"
    persons: set[str] = set()
    others = 0
    for raw in body.approvals:
        outcome = verify(Unverified(raw), trust, now_ns)
        if isinstance(outcome, Refused):
            return f"approval-{outcome.reason}"
        if isinstance(outcome.body, WarningBody | HazardBody):
            reason = _second_defect(body, outcome, rules, origin)
            others = 1
        elif outcome.origin != origin or not _approves(outcome, body):
            reason = "approval-of-something-else"
        elif not outcome.envelope.post:
            return automatic_defect(body, rules)
        else:
            reason = signature_defect(body, outcome, rules)
            persons.add(outcome.envelope.post)
        if reason:
            return reason
    if body.automatic is True:
        return "not-issued-by-its-node"
    return "" if persons and len(persons) + others >= PERSONS[body.type] else "second-person-needed"


def signature_defect(body: AlertBody, message: Message, rules: AlertRules) -> str:
    """Why one post's verified signature under an alert is not enough of a person, or an empty text.

    In the real realm a person signs with a passkey, and types what it is that goes out, and to whom. A correction is not
    typed: it has to be quick.
    """
    envelope, content = message.envelope, message.body
    assert isinstance(content, DecisionBody)  # asked of signatures only
    is_real = envelope.realm == REAL
    if is_real and message.signer.passkey is msgspec.UNSET and envelope.post not in rules.machines:
        return "needs-a-passkey"
    if body.type == "Cancel" or content.outcome == "refused":
        return "" if content.typed is msgspec.UNSET else "typed-where-nothing-is-asked"
    if content.typed is msgspec.UNSET:
        return "not-typed" if is_real else ""
    return confirming.defect(content.typed, envelope.realm, body.areas)


def automatic_defect(body: AlertBody, rules: AlertRules) -> str:
    """Why an alert that no person has signed is none, or an empty text: its partner's root must have allowed it."""
    terms = rules.automatic
    if body.automatic is not True or body.type == "Cancel":
        return "second-person-needed"
    if body.hazard is not msgspec.UNSET:
        return _time_left(body, automatic_s(rules.hazards, body.hazard))
    if terms is None:
        return "automatic-not-allowed"
    if body.basis is msgspec.UNSET or BASES.index(body.basis) < BASES.index(terms.needs):
        return "automatic-not-sure-enough"
    return _time_left(body, terms.below_s)


def _time_left(body: AlertBody, below_s: float) -> str:
    """Why people had time to sign; below_s: what they need, 0 where nothing goes out by itself."""
    if not below_s:
        return "automatic-not-allowed"
    first_ns = min((area.from_ns for area in body.areas), default=0)
    return "automatic-with-time-left" if first_ns - body.sent_ns > seconds(below_s) else ""


def _second_defect(body: AlertBody, message: Message, rules: AlertRules, origin: str) -> str:
    if not rules.second_by_partner:
        return "second-by-partner-not-allowed"
    if isinstance(message.body, HazardBody):
        return hazard_corroboration_defect(body, message, origin, seconds(rules.fresh_s))
    return corroboration_defect(body, message, origin, seconds(rules.fresh_s))


def _approves(message: Message, body: AlertBody) -> bool:
    content = message.body
    return (
        isinstance(content, DecisionBody)
        and content.subject == body.digest
        and content.unit == body.unit
        and (not message.envelope.post or message.signer.unit == body.unit)
        and content.decision == (CANCEL if body.type == "Cancel" else ISSUE)
        and (content.step, content.outcome) in APPROVING
    )


def _open(draft: Draft) -> bool:
    return draft.state in ("drafted", "originated")


def regions(areas: Iterable[AreaRow]) -> frozenset[tuple[str, str]]:
    """The (country, region) pairs that an alert's areas name."""
    return frozenset((area.country, area.region) for area in areas)

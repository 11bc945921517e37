"""Which rules beyond two persons are in force for our alerts, and from which public words they are made.

The partner's root says both, in a warrant: it lies in the first record or comes by hand. A set of templates of one's own
comes by hand too; it is approved by the warrant, which names its digest, or by two posts of an alerting unit, who sign
it. In an exercise the packaged set is approved from the beginning; in the real realm nothing is, until somebody does.

    templates(state)                         # the TemplateSet in force, or None: then nothing is drafted
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import msgspec

from noroshi.command.alerts import ISSUE
from noroshi.command.hazard_matters import HazardMatter
from noroshi.command.hazard_rules import is_named, is_released, listed
from noroshi.command.warrant import NOTHING, AlertRules, Warrant, is_warrant, opened
from noroshi.messages import Refused, Unverified, canonical, verify
from noroshi.messages.bodies import DecisionBody
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import Lane
from noroshi.messages.trust import REAL
from noroshi.node import security
from noroshi.node.work import FOR_EVER_S, Work
from noroshi.warning.templates import RealmKind, TemplateSet, packaged, read_set, with_hazards

if TYPE_CHECKING:
    from noroshi.node.state import State

APPROVE_TEMPLATES = "alert-templates"
"""What two posts sign about a set of public words."""


class GivenTemplates(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A set of public words on its way to a node: its canonical bytes, and the posts' signed approvals."""

    what: Literal["templates"]
    payload: bytes
    approvals: tuple[bytes, ...]


_GIVEN = msgspec.msgpack.Decoder(GivenTemplates)


def rules(state: State) -> AlertRules:
    """What our root allows beyond two persons."""
    found = warrant(state)
    return found.rules if found is not None else NOTHING


def is_held(state: State, matter: HazardMatter) -> bool:
    """Whether an agency's word may not be told to the public, by its own label or that of the partner who told us, or
    since our root lets no alert rest on it any more.
    """
    hazards = rules(state).hazards
    if not is_named(hazards, matter.cited):
        return True
    if matter.held == "agency":
        return not is_released(hazards, matter.cited)
    return matter.held == "partner"


def warrant(state: State) -> Warrant | None:
    """The warrant in force. It counts for as long as the root that signed it does."""
    if not state.warrant:
        return None
    found = opened(
        state.warrant, state.scheme, state.trust.root(state.own), partner=state.own, realm=state.genesis.realm
    )
    return found if isinstance(found, Warrant) else None


def templates(state: State) -> TemplateSet | None:
    """The public words in force: the set that was given last, or the packaged one; None where none is approved."""
    kind: RealmKind = "real" if state.genesis.realm == REAL else "exercise"
    in_force = warrant(state)
    approved = in_force.templates if in_force is not None else ()
    given = read_set(state.templates) if state.templates else ""
    if isinstance(given, TemplateSet) and (state.templates_by or given.digest in approved):
        return given
    own = packaged(kind)
    if kind == "exercise" or own.digest in approved:
        return own
    both = with_hazards(kind)
    return both if both.digest in approved else None


def hazard_templates(state: State) -> TemplateSet | None:
    """The public words for other agencies' hazards: those of the set in force if it has any, else the packaged ones.

    None where none are approved: in the real realm the packaged ones are not until the warrant names them.
    """
    found = templates(state)
    if found is not None and found.hazards is not msgspec.UNSET:
        return found
    kind: RealmKind = "real" if state.genesis.realm == REAL else "exercise"
    in_force = warrant(state)
    both = with_hazards(kind)
    approved = kind == "exercise" or (in_force is not None and both.digest in in_force.templates)
    return both if approved else None


def is_ours(raw: bytes) -> bool:
    """Whether these bytes, given at the node, are a warrant or a set of templates."""
    return is_warrant(raw) or _read(raw) is not None


def adopt(work: Work, party: str, raw: bytes) -> None:
    """Puts a warrant or a set of templates in force, if it is ours and entitled people have signed it."""
    if party.partition(":")[0] != "control":
        work.refuse(party, "not-by-this-way", "warrants and templates are given at the node")
        return
    given = _read(raw)
    if given is None:
        _adopt_warrant(work, party, raw)
    else:
        _adopt_templates(work, party, given)


def _adopt_warrant(work: Work, party: str, raw: bytes) -> None:
    state = work.state
    if raw == state.warrant:
        work.duplicate()
        return
    realm = state.genesis.realm
    found = opened(raw, state.scheme, state.trust.root(state.own), partner=state.own, realm=realm)
    if isinstance(found, str):
        work.refuse(party, found)
        return
    before = warrant(state)
    if before is not None and found.version == before.version:
        security.contradicts(work, party, f"another warrant of version {found.version}")
        return
    if before is not None and found.version < before.version:
        work.refuse(party, "older-warrant", f"version {found.version} after {before.version}")
        return
    state.warrant = raw
    work.keep(FOR_EVER_S)
    _tell(work, f"Alert warrant {found.version} is in force: {words(found.rules)}", found.templates)


def _adopt_templates(work: Work, party: str, given: GivenTemplates) -> None:
    state = work.state
    found = read_set(given.payload)
    if isinstance(found, str):
        work.refuse(party, found)
        return
    kind = "real" if state.genesis.realm == REAL else "exercise"
    if found.realm != kind:
        work.refuse(party, "templates-of-the-other-realm", f"{found.realm}, and this realm is {kind}")
        return
    in_force = warrant(state)
    by_root = in_force is not None and found.digest in in_force.templates
    posts = _approvers(work, found.digest, given.approvals)
    if isinstance(posts, str):
        work.refuse(party, posts)
        return
    if not by_root and len(posts) < 2:
        work.refuse(party, "templates-not-approved", found.digest.hex())
        return
    state.templates, state.templates_by = given.payload, () if by_root else tuple(sorted(posts))
    work.keep(FOR_EVER_S)
    who = "the root" if by_root else " and ".join(sorted(posts))
    says = f"Public words {found.realm}/{found.version} are in force, approved by {who}: {found.digest.hex()[:16]}"
    _tell(work, says, (found.digest,))


def _approvers(work: Work, digest: bytes, approvals: Iterable[bytes]) -> set[str] | str:
    """The posts that have signed a set, each with its own key; or why one of the signatures does not count."""
    state = work.state
    posts: set[str] = set()
    for raw in approvals:
        outcome = verify(Unverified(raw), state.trust, work.now_ns)
        if isinstance(outcome, Refused):
            return f"approval-{outcome.reason}"
        body, unit = outcome.body, outcome.envelope.unit
        approves = (
            isinstance(body, DecisionBody)
            and (body.decision, body.step, body.outcome) == (APPROVE_TEMPLATES, "ruling", "decided")
            and body.subject == digest
            and unit in state.able(ISSUE, "decide")
        )
        if outcome.origin != state.own or not approves or not outcome.envelope.post:
            return "approval-of-something-else"
        machine = outcome.envelope.post in rules(state).machines
        if state.genesis.realm == REAL and outcome.signer.passkey is msgspec.UNSET and not machine:
            return "needs-a-passkey"
        posts.add(outcome.envelope.post)
    return posts


def words(given: AlertRules) -> str:
    """What a warrant allows, as a sentence's end."""
    said = []
    if given.second_by_partner:
        said.append("a partner's corroborating warning may stand for the second person")
    if given.automatic is not None:
        terms = given.automatic
        said.append(f"a {terms.needs} warning issues by itself with under {terms.below_s:.0f} s left")
    if given.without_warning:
        said.append("two persons may alert without a warning")
    if given.machines:
        said.append(f"machines: {', '.join(given.machines)}")
    if listed(given.hazards):
        names = dict.fromkeys(one.name.en for one in listed(given.hazards))
        said.append(f"alerts on the word of {', '.join(names)}")
    if given.scopes:
        said.append(f"regions of their own: {', '.join(sorted(given.scopes))}")
    return "; ".join(said) or "nothing beyond two persons"


def _tell(work: Work, says: str, digests: tuple[bytes, ...]) -> None:
    body = {"about": "warrant", "says": says, "templates": list(digests)}
    work.record("note", encode(body), FOR_EVER_S)
    work.show("policy", says, lane=Lane.DECISION, templates=[one.hex() for one in digests])


def _read(raw: bytes) -> GivenTemplates | None:
    if len(raw) > canonical.MAX_BYTES:
        return None
    try:
        given = _GIVEN.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return given if encode(given) == raw else None

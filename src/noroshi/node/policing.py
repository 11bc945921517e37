"""Policy stage: a release policy that our root has signed takes the place of the one before, while the node runs.

It comes by hand only. What it no longer lets go is taken out of the outboxes in the same commit, so that what was
decided under the old policy and has not been receipted is decided again before it is sent, however long the line was
down. A partner that the policy admits is spoken with from now on; one that it removes is not. A post that the policy
names may release single messages to a partner: to one on case-by-case terms, or beyond a budget.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from noroshi.messages import Message, Refused, Unverified, verify
from noroshi.messages.bodies import ReleaseBody
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import Lane
from noroshi.node import groups, security, trusting
from noroshi.node.speak import say
from noroshi.node.work import FOR_EVER_S, Work
from noroshi.sharing import partner_party
from noroshi.sharing.policy import Policy, opened, partners_changed, succession_defect
from noroshi.sharing.release import ReleaseKey

if TYPE_CHECKING:
    from noroshi.node.state import State


FOUNDING_VERSION = 1
"""Of the policy that a node begins with, which nobody has signed: another of that version contradicts no root."""


def adopt(work: Work, party: str, raw: bytes) -> None:
    """Puts a signed policy in force, if it is ours, newer and usable."""
    state = work.state
    policy = trusting.by_own_root(work, party, raw, opened, "a policy")
    if policy is None:
        return
    before = state.release_policy
    if policy == before:
        work.duplicate()
        return
    is_ours = (policy.partner, policy.realm) == (before.partner, before.realm)
    if is_ours and policy.version == before.version > FOUNDING_VERSION:
        security.contradicts(work, party, f"another policy of version {policy.version}")
        return
    reason = succession_defect(before, policy) or state.admission_defect(policy)
    if reason:
        work.refuse(party, reason, f"version {policy.version} after {before.version}")
        return
    changed = partners_changed(before, policy)
    neighbours = state.policy.neighbours
    state.adopt(policy)
    groups.policy_changed(work, changed)
    for neighbour in neighbours:
        # What waits for others is looked at too, since it may name whoever has changed. A restart is seen by the
        # partner: where nothing is taken out there is none, or it would tell of terms that are not its own.
        party_there, may_still_go = partner_party(neighbour), partial(_may_still_go, state, neighbour)
        if neighbour in changed or state.outboxes.must_restart(party_there, may_still_go):
            work.restart(party_there, may_still_go)
    _tell(work, before, policy, changed)


def _may_still_go(state: State, neighbour: str, why: ReleaseKey | None) -> bool:
    """Keys go to every neighbour that is spoken with; of everything else the policy says whether it goes."""
    if why is None:
        return not state.release_policy.on_terms(neighbour, "removed")
    return state.policy.may_still_go(why, next_hop=neighbour)


def _tell(work: Work, before: Policy, policy: Policy, changed: frozenset[str]) -> None:
    who = ", ".join(sorted(changed)) or "nobody"
    body = {
        "about": "policy",
        "version": policy.version,
        "before": before.version,
        "changed": sorted(changed),
    }
    work.record("note", encode(body), FOR_EVER_S)
    work.show(
        "policy",
        f"Release policy {policy.version} is in force in the place of {before.version}; it changes what goes to {who}",
        lane=Lane.DECISION,
        version=policy.version,
        changed=sorted(changed),
    )


def release_defect(state: State, message: Message, body: ReleaseBody, now_ns: int) -> str:
    """Why a post may not release a message to a partner, or an empty text."""
    envelope = message.envelope
    if envelope.origin != state.own or envelope.post not in state.release_policy.releasing_posts:
        return "no-authority"
    if envelope.label.audience - state.own_audience:
        return "label-too-wide"
    original = verify(Unverified(body.original), state.trust, now_ns)
    known = not isinstance(original, Refused) and original.origin == state.own and original.id == body.of
    if isinstance(original, Refused) or not known:
        return "not-the-message-itself"
    key = state.policy.key(original)
    if state.is_recalled(state.own, body.of) or original.body is None or not key.kind:
        return "recalled"
    return "" if body.partner in state.partners and body.partner != state.own else "unknown-partner"


def released(work: Work, message: Message, body: ReleaseBody) -> None:
    """A post has released one message to one partner: an edition for it alone, if label, policy and links allow it."""
    state = work.state
    original = verify(Unverified(body.original), state.trust, work.now_ns)
    if isinstance(original, Refused) or original.body is None:
        return  # `release_defect` has looked
    envelope = original.envelope
    post = message.envelope.post
    edition = say(
        work,
        envelope.kind,
        envelope.unit,
        frozenset((state.own, body.partner)),
        original.body,
        expires_ns=envelope.expires_ns,
        label=msgspec.structs.replace(envelope.label, releasable_to=tuple(sorted((state.own, body.partner)))),
        released=(body.partner, post),
    )
    went = body.partner in state.given_to(state.own, edition.id)
    what = f"{envelope.kind} {body.of.hex()[:8]}"
    work.show(
        "policy",
        f"{post} released {what} to {body.partner}"
        if went
        else f"{post} could not release {what} to {body.partner}",
        lane=Lane.DECISION,
        partner=body.partner,
        of=body.of.hex(),
        edition=edition.id.hex() if went else "",
    )

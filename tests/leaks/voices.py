"""What people and hostile partners say at a table: signed with genuine keys, whatever the words.

raw = sealed(member, seat, "remark", body, audience, now_ns, "name of this draw")
policy = policy_of(setting, key, coalition, place, version, "first")
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from noroshi.command.posts import Seat
from noroshi.exercise.draws import uniform
from noroshi.messages import Certificate, Envelope, KeyedHash, derive, label_for, seal
from noroshi.messages.bodies import Body
from noroshi.messages.cells import COARSEST_ROWS
from noroshi.messages.envelope import SCHEMA_VERSION
from noroshi.messages.signing import ID_BYTES
from noroshi.sharing.policy import Budget, Policy, Rule, Terms, default_policy
from noroshi.sharing.reduced import Grid
from tests.leaks.plan import Setting
from tests.simulation.coalition import REALM, Coalition, Member

SCHEME = KeyedHash()

GRID = Grid(rows=COARSEST_ROWS, window_s=600, every_s=5)
"""Coarse and quick, so that the few looks of a run are enough for a reduced edition or two."""


def watch(member: Member) -> Seat:
    """The seat of the post that asks, answers, releases and recalls."""
    return member.seats[f"{member.node}-gov.watch"]


def said(
    member: Member,
    kind: str,
    body: Body,
    audience: Iterable[str],
    now_ns: int,
    name: str,
    classification: str = "restricted",
) -> tuple[bytes, bytes]:
    """Id and bytes of what the watch of a member says."""
    seat = watch(member)
    own = seat.certificate
    identity = derive(seat.ids_secret, "said", name)[:ID_BYTES]
    fields = {"post": own.subject, "unit": own.unit, "label": label_for(audience, classification)}
    return identity, _sealed(member, own, seat.secret, kind, body, identity, now_ns, fields)


def by_node(
    member: Member,
    kind: str,
    body: Body | msgspec.Raw,
    audience: Iterable[str],
    now_ns: int,
    name: str,
    **more: Any,
) -> bytes:
    """What a member's node would sign, were it to say this."""
    own = next(
        one for one in member.genesis.certificates if one.role == "node" and one.subject == member.node
    )
    identity = derive(member.secrets.ids, "hostile", name)[:ID_BYTES]
    fields = {"post": "", "unit": member.genesis.assessing_unit, "label": label_for(audience)} | more
    return _sealed(member, own, member.secrets.signing, kind, body, identity, now_ns, fields)


def _sealed(
    member: Member,
    own: Certificate,
    secret: bytes,
    kind: str,
    body: Any,
    identity: bytes,
    now_ns: int,
    fields: dict[str, Any],
) -> bytes:
    usual: dict[str, Any] = {
        "v": SCHEMA_VERSION,
        "realm": REALM,
        "origin": member.partner,
        "node": member.node,
        "id": identity,
        "kind": kind,
        "time_ns": now_ns,
        "time_error_ns": 0,
        "body": msgspec.Raw(b""),
    }
    return seal(Envelope(**(usual | fields)), body, own, SCHEME, secret).raw


def policy_of(
    setting: Setting, key: bytes, coalition: Coalition, place: int, version: int, name: str
) -> Policy:
    """The release policy of a node under a setting; whom it is about is drawn by `name`."""
    member = coalition.members[place]
    others = [one.partner for one in coalition.members if one is not member]
    base = default_policy(member.partner, [*others, member.partner], REALM)
    one = others[int((1.0 - uniform(key, "policy about", name)) * len(others))]
    share = 0.75 if setting in ("reduced", "declared") else 0.4
    some = tuple(p for p in others if p == one or uniform(key, "policy too", name, p) < share)
    partners = dict(base.partners)
    rules: tuple[Rule, ...] = ()
    budgets: tuple[Budget, ...] = ()
    posts: tuple[str, ...] = ()
    match setting:
        case "denied":
            rules = (Rule(id="denied-here", to=some, effect="deny", kinds=("remark",)),)
        case "observer":
            partners[one] = Terms(terms="observer", highest="restricted")
            rules = (Rule(id="told-only", to=(one,), effect="declare", kinds=("warning",)),)
        case "case":
            partners[one] = Terms(terms="case-by-case", highest="restricted")
            posts = (watch(member).certificate.subject,)
        case "reduced":
            rules = (Rule(id="coarse", to=some, effect="reduced", kinds=("track",)),)
        case "declared":
            rules = (
                Rule(id="coarse", to=some, effect="reduced", kinds=("track",)),
                Rule(id="tear-line", to=some, effect="declare", kinds=("warning",)),
            )
        case "budget":
            budgets = (Budget(id="few", to=some, contents=("flight-path", "launch-point"), per_hour=3),)
            posts = (watch(member).certificate.subject,)
    return msgspec.structs.replace(
        base,
        version=version,
        partners=partners,
        rules=rules,
        budgets=budgets,
        releasing_posts=posts,
        grid=GRID,
    )


def apart(policy: Policy, looker: str) -> str:
    """A partner, not the one who looks, whose terms show to nobody else, since it shares no audience; empty if none."""
    names = (
        name for name, one in sorted(policy.partners.items()) if one.terms in ("observer", "case-by-case")
    )
    return next((name for name in names if name != looker), "")


def other_terms(policy: Policy, partner: str, version: int) -> Policy:
    """The same policy with other terms for a partner who is apart."""
    observer = policy.on_terms(partner, "observer")
    terms = Terms(terms="case-by-case" if observer else "observer", highest="restricted")
    rules = tuple(one for one in policy.rules if one.to != (partner,))
    if not observer:
        rules += (Rule(id="apart-told", to=(partner,), effect="declare", kinds=("warning",)),)
    return msgspec.structs.replace(
        policy, version=version, partners={**policy.partners, partner: terms}, rules=rules
    )

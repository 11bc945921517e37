"""The warrant: what a partner's root allows its alerting units beyond two persons, and which public words are approved.

Nothing in it is needed for an alert that two persons sign in an exercise. A partner warning that stands for the second
person, an alert that the node issues by itself, a post that is a machine, a post that may alert without any warning:
each takes a warrant, and the alert carries it along, so that whoever holds the partner's root can check it.

    raw = warranted(Warrant(schema=SCHEMA, realm="real", partner="JPN", version=1, templates=(digest,)), scheme, seed)
    opened(raw, scheme, root, partner="JPN", realm="real")             # the Warrant, or a word why it is none
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from noroshi.command.hazard_rules import MAX_RULES, HazardRule
from noroshi.documents import Element
from noroshi.messages import Scheme, canonical
from noroshi.messages.rooted import open_rooted
from noroshi.messages.trust import is_realm

SCHEMA: Literal["noroshi.alert-warrant/1"] = "noroshi.alert-warrant/1"
DOMAIN = b"noroshi alert warrant 1\x00"

MAX_TEMPLATES = 64
MAX_NAMED = 1000
"""Posts and regions in one list: a person must still be able to read it."""

LONGEST_AUTOMATIC_S = 3600.0
"""With an hour left there is time for two persons, whoever they are."""

Basis = Literal["single-source", "one-kind", "confirmed"]
BASES: tuple[Basis, ...] = ("single-source", "one-kind", "confirmed")
"""How sure a warning is, rising."""


class Automatic(Element, frozen=True, kw_only=True):
    """When a node issues by itself: with less than `below_s` left before the first area is reached, which is what its
    people need, and a warning that is at least as sure as `needs`. A single source is enough only where it is named.
    """

    below_s: Annotated[float, Meta(gt=0.0, le=LONGEST_AUTOMATIC_S)]
    needs: Basis = "confirmed"


class AlertRules(Element, frozen=True, kw_only=True):
    """What a nation allows its alerting units; without any of it two persons sign each alert, on a standing warning.

    second_by_partner: a corroborating signed warning of a partner stands for the second person, while it is at most
    `fresh_s` old. without_warning: two persons may alert where nothing was warned of. machines: posts whose key lies in
    a file, also in the real realm. scopes: units that may alert some regions only, with the names of those. hazards: on
    whose word, beside our own warnings, an alert is drafted; on nobody's where it is not there.
    """

    second_by_partner: bool = False
    fresh_s: Annotated[float, Meta(gt=0.0, le=600.0)] = 60.0
    automatic: Automatic | None = None
    without_warning: bool = False
    machines: Annotated[tuple[str, ...], Meta(max_length=MAX_NAMED)] = ()
    scopes: Annotated[dict[str, tuple[str, ...]], Meta(max_length=MAX_NAMED)] = msgspec.field(
        default_factory=dict
    )
    hazards: Annotated[tuple[HazardRule, ...], Meta(max_length=MAX_RULES)] | msgspec.UnsetType = msgspec.UNSET


class Warrant(Element, frozen=True, kw_only=True):
    """One partner's warrant in one realm. version: the higher one counts; templates: digests of the sets of public words
    that are approved.
    """

    schema: Literal["noroshi.alert-warrant/1"]
    realm: str
    partner: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
    version: Annotated[int, Meta(ge=1, lt=2**53)]
    templates: Annotated[tuple[bytes, ...], Meta(max_length=MAX_TEMPLATES)] = ()
    rules: AlertRules = AlertRules()


class SignedWarrant(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What travels: what it is, the warrant's canonical bytes, and its partner's root's signature of them."""

    what: Literal["warrant"]
    payload: bytes
    signature: bytes


_SIGNED = msgspec.msgpack.Decoder(SignedWarrant)
_WARRANT = msgspec.msgpack.Decoder(Warrant)

NOTHING = AlertRules()
"""The rules where there is no warrant."""


def warranted(warrant: Warrant, scheme: Scheme, root_secret: bytes) -> bytes:
    """The warrant, signed by the root whose secret this is."""
    payload = canonical.encode(_WARRANT.decode(canonical.encode(warrant)))  # numbers in the form that is read
    return canonical.encode(SignedWarrant("warrant", payload, scheme.sign(root_secret, DOMAIN + payload)))


def is_warrant(raw: bytes) -> bool:
    """Whether bytes say that they are a warrant."""
    return read(raw) is not None


def read(raw: bytes) -> SignedWarrant | None:
    """The signed warrant in these bytes, of whose signature nothing is known yet; None where there is none."""
    if len(raw) > canonical.MAX_BYTES:
        return None
    try:
        signed = _SIGNED.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return signed if canonical.encode(signed) == raw else None


def opened(raw: bytes, scheme: Scheme, root: bytes | None, *, partner: str, realm: str) -> Warrant | str:
    """The warrant in these bytes, when this root of this partner and realm has signed it; or why not. Never raises."""
    warrant = open_rooted(raw, _SIGNED, _WARRANT, DOMAIN, scheme, root or b"")
    if isinstance(warrant, str):
        return "bad-warrant" if warrant == "bad-signature" else "malformed-warrant"
    if warrant.realm != realm or warrant.partner != partner or not is_realm(warrant.realm):
        return "warrant-of-another"
    return warrant if all(len(one) == 32 for one in warrant.templates) else "malformed-warrant"

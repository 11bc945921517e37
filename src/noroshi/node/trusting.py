"""Keys that change while the node runs: bundles of statements by roots, and pins by two persons of our own side.

A bundle is judged by what roots have signed and not by who brought it, so it may come over any link, by hand, late and
repeatedly. It travels as it is, ahead of everything else, and not inside a message: the message that tells of a
node's new key could not be believed before. Pins hold at this node only and come by hand only.

    onward = trusting.apply(work, "partner:USA", raw)        # what the other neighbours should have as well
    certificate, secret = trusting.signer(state, now_ns)     # with what this node signs at the moment
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from noroshi.clock import to_iso
from noroshi.messages import Certificate, Scheme, key_id
from noroshi.messages.canonical import encode
from noroshi.messages.keys import (
    AnyStatement,
    Pin,
    Replacement,
    Revocation,
    bundle_bytes,
    fingerprint,
    key_of,
    read_bundle,
)
from noroshi.messages.kinds import Lane
from noroshi.messages.trust import DAY_NS
from noroshi.node.inputs import Secrets
from noroshi.node.work import FOR_EVER_S, Work

if TYPE_CHECKING:
    from noroshi.node.state import State

LANE = Lane.WARNING
"""Rows with bundles go before all others: a warning under a new key is worth nothing where the key is not known."""

TIMER = "keys"
"""The timer on which a node looks once a day whether keys are near their end."""

NAMED = 5
"""Statements of one bundle that are told one by one; of a partner's whole list only the count is worth reading."""

Given = TypeVar("Given", covariant=True)
Found = TypeVar("Found")


class Opener(Protocol[Given]):
    """Reads what a root has signed: the thing itself, or the reason why it is refused. Never raises."""

    def __call__(
        self, raw: bytes, scheme: Scheme, root: bytes, /, *, partner: str, realm: str
    ) -> Given | str: ...


@dataclass(frozen=True, slots=True, repr=False)
class Keyring(Secrets):
    """The secrets of a node whose signing key has changed: `later` are the seeds after the first, oldest first.

    Seeds stay for as long as the record goes back to them: a replay signs again what was signed.
    """

    later: tuple[bytes, ...] = ()


def seeds(secrets: Secrets) -> tuple[bytes, ...]:
    """All seeds of a node's signing keys, oldest first."""
    return (secrets.signing, *(secrets.later if isinstance(secrets, Keyring) else ()))


def publics(scheme: Scheme, secrets: Secrets) -> tuple[bytes, ...]:
    """The public keys of a node: those under which its pins count."""
    return tuple(scheme.public_key(seed) for seed in seeds(secrets))


def signer(state: State, now_ns: int) -> tuple[Certificate, bytes]:
    """The certificate and the secret with which this node signs: of its keys that count now, the newest certified.

    Where none counts, the one it began with: it goes on speaking, partners refuse it, and its staff have been told.
    """
    best: tuple[Certificate, bytes] | None = None
    for seed in seeds(state.secrets):
        found = state.trust.holder(key_id(state.scheme.public_key(seed)), now_ns, state.own)
        if isinstance(found, Certificate) and (found.role, found.subject) == ("node", state.genesis.node):
            best = (found, seed) if best is None or found.number > best[0].number else best
    return best or (state.certificate, state.secrets.signing)


def apply(work: Work, party: str, raw: bytes) -> bytes:
    """Takes a bundle that a party has brought; the bytes that the other neighbours should have, or none.

    party: `control:...` (by hand, at this machine) or `partner:...`. What is refused is recorded with its reason.
    """
    state = work.state
    side = party.partition(":")[0]
    bundle = read_bundle(raw)
    if isinstance(bundle, str):
        work.refuse(party, bundle)
        return b""
    if side != "control" and (bundle.pins or side != "partner"):
        work.refuse(party, "not-by-this-way", "pins are made at the node" if bundle.pins else "")
        return b""
    taken = state.trust.take(bundle)
    if taken.refused:
        words = "; ".join(f"{_what(one)}: {reason}" for one, reason in taken.refused[:NAMED])
        work.refuse(party, taken.refused[0][1], f"{len(taken.refused)} statements: {words}")
    if not taken.new:
        if not taken.refused:
            work.duplicate()
        return b""
    work.keep(FOR_EVER_S)
    told = list(_told(state, taken.new))
    work.record("note", encode({"about": "keys", "party": party, "told": told}), FOR_EVER_S)
    for words in told:
        work.show("keys", words, lane=LANE, party=party)
    # Relays are our own business, and older nodes do not know their role: a bundle with one would say nothing to them.
    others = tuple(one for one in bundle.certificates if one.role != "relay")
    public = msgspec.structs.replace(bundle, pins=(), certificates=others)
    return bundle_bytes(public) if len(public) else b""


def by_own_root(work: Work, party: str, raw: bytes, opener: Opener[Found], what: str) -> Found | None:
    """What was given at the node and our own root has signed; None where it is refused, with its reason."""
    state = work.state
    if party.partition(":")[0] != "control":
        work.refuse(party, "not-by-this-way", f"{what} is given at the node")
        return None
    root = state.trust.root(state.own)
    if root is None:
        work.refuse(party, "no-root", state.own)
        return None
    found = opener(raw, state.scheme, root, partner=state.own, realm=state.genesis.realm)
    if isinstance(found, str):
        work.refuse(party, found)
        return None
    return found


def begin(work: Work) -> None:
    """Sets the daily look; to be called once, with the first record."""
    work.timer(TIMER, work.now_ns + DAY_NS)


def due(work: Work) -> None:
    """Tells the staff of keys that are near their end, or past it, while there is time to certify new ones."""
    for one in work.state.trust.endings(work.now_ns):
        if not one.is_near:
            continue
        card = one.certificate
        name = f"{card.partner}:{card.subject}"
        left = (one.until_ns - work.now_ns) / DAY_NS
        when = f"ends in {left:.1f} days" if left > 0 else "has ended"
        says = f"The key of {card.subject} ({card.partner}) {when}, {to_iso(one.until_ns, digits=0)}"
        work.show("keys", says, key=f"{TIMER}:{name}", party=name)
    work.timer(TIMER, work.now_ns + DAY_NS)


def _told(state: State, new: Iterable[AnyStatement]) -> Iterator[str]:
    """A sentence for each statement; one for all certificates of a partner where they are many."""
    certificates: dict[str, list[Certificate]] = {}
    for one in new:
        if isinstance(one, Certificate):
            certificates.setdefault(one.partner, []).append(one)
        else:
            yield _sentence(state, one)
    for partner, several in certificates.items():
        if len(several) > NAMED:
            yield f"{partner} has certified {len(several)} keys"
        else:
            yield from (_sentence(state, one) for one in several)


def _sentence(state: State, one: AnyStatement) -> str:
    match one:
        case Certificate():
            ends = to_iso(one.not_after_ns, digits=0)
            return f"{one.partner} has certified a key of {one.subject}, good until {ends}"
        case Revocation():
            return (
                f"{one.partner} has taken back {_keys(state, one)}: nothing that they sign counts from now on"
            )
        case Replacement():
            new = fingerprint(one.realm, one.partner, one.new)
            return f"The root of {one.partner} has handed over to {new}{_contest(state, one.partner)}"
        case Pin(what="root"):
            pinned = fingerprint(one.realm, one.partner, one.value)
            return f"{one.persons[0]} and {one.persons[1]} have pinned the root {pinned} of {one.partner}"
        case Pin():
            return f"{one.persons[0]} and {one.persons[1]} have pinned the link of {one.partner}: {one.value.hex()}"
        case _:
            return ""


def _contest(state: State, partner: str) -> str:
    contested = state.trust.is_contested(partner)
    return ", and to another one as well: compare fingerprints and pin one of them" if contested else ""


def _keys(state: State, one: Revocation) -> str:
    """Whose keys, as far as they are known here, and since when they are in doubt."""
    subjects = {key_of(c): c.subject for c in state.trust.certificates() if c.partner == one.partner}
    words = []
    for row in one.keys[-NAMED:]:
        since = f" (in doubt since {to_iso(row.since_ns)})" if row.since_ns else ""
        words.append(f"a key of {subjects.get(row.key, 'nobody known here')}{since}")
    more = len(one.keys) - len(words)
    return ", ".join(words) + (f" and {more} before" if more else "")


def _what(one: AnyStatement) -> str:
    subject = f" {one.subject}" if isinstance(one, Certificate) else ""
    return f"{type(one).__name__.lower()} of {one.partner}{subject}"

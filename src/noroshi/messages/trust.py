"""Whose signature counts: roots per partner and realm, certificates under them, and what took either back.

A realm is a trust root, not a flag: a store holds the roots of exactly one realm, and a statement of another
realm cannot enter it. A key may speak only as the subject that its certificate names. What the store believes follows
from the *set* of statements that it holds: they may come in any order, late and repeatedly, over any link or by hand.

    trust = TrustStore("exercise:demo", Ed25519(), {"JPN": root_public})
    trust.admit(certificate)             # "", or the reason of the refusal
    trust.take(bundle)                   # Taken(new=..., refused=...)
    trust.holder(key_id, now_ns, "JPN")  # the certificate, or the reason why nobody
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from noroshi.clock import NS_PER_S
from noroshi.messages import labels
from noroshi.messages.keys import (
    MAX_ROOTS,
    REAL,
    AnyStatement,
    Bundle,
    Certificate,
    Pin,
    Replacement,
    Request,
    Revocation,
    certify,
    defect,
    is_realm,
    key_of,
    signed_bytes,
)
from noroshi.messages.labels import Label
from noroshi.messages.roots import Standing, chosen, standings
from noroshi.messages.signing import Scheme, key_id

__all__ = ["REAL", "Certificate", "Ending", "Taken", "TrustStore", "certify", "is_realm"]

MAX_PER_PARTNER = 8192
"""Statements kept of one partner: two changes of all keys of the largest. More would fill our memory at its will."""

MAX_SOUND = 1024
"""Labels remembered as sound: a crisis has some ten; a flood of others costs no more memory."""

MAX_BAD = 8
"""Bad signatures in one bundle, after which the rest of it is left."""

DAY_NS = 86_400 * NS_PER_S
NEAR_SHARE = 10
NEAR_MOST_NS = 30 * DAY_NS
"""A certificate nears its end in the last tenth of its life, at most 30 days: time to carry a request to a root."""

S = TypeVar("S", Certificate, Revocation, Replacement, Pin)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a bundle: the statements that were new, and those refused with their reasons."""

    new: tuple[AnyStatement, ...]
    refused: tuple[tuple[AnyStatement, str], ...]


@dataclass(frozen=True, slots=True)
class Ending:
    """Until when a subject's newest key counts. is_near: somebody should be asking the root for the next one."""

    certificate: Certificate
    until_ns: int
    is_near: bool


@dataclass(frozen=True, slots=True)
class _Holder:
    """One partner's word on one key: when it counts, by which certificate (newest first), or why it does not."""

    spans: tuple[tuple[int, int, Certificate], ...]
    reason: str = ""


@dataclass(slots=True)
class _Partner:
    """All statements about one partner's keys, each under its bytes; what follows is made when asked for."""

    first: bytes | None = None
    certificates: dict[bytes, Certificate] = field(default_factory=dict)
    revocations: dict[bytes, Revocation] = field(default_factory=dict)
    replacements: dict[bytes, Replacement] = field(default_factory=dict)
    pins: dict[bytes, Pin] = field(default_factory=dict)
    signers: dict[bytes, bytes] = field(default_factory=dict)
    standing: dict[bytes, Standing] | None = None
    holders: dict[bytes, _Holder] | None = None

    def roots(self) -> dict[bytes, Standing]:
        """The standing of every root."""
        if self.standing is None:
            pins = [one for one in self.pins.values() if one.what == "root"]
            self.standing = standings(self.first, pins, self.replacements.values())
        return self.standing

    def changed(self) -> None:
        """What follows from the statements is to be made anew."""
        self.standing = self.holders = None

    def __len__(self) -> int:
        counts = (len(self.certificates), len(self.revocations), len(self.replacements), len(self.pins))
        return sum(counts)


class TrustStore:
    """The keys that one node believes, in one realm. Takes only what a pinned root, or the node's own key, has signed.

    roots: of the genesis, by partner. own: public keys with which this node signs; pins count under them only.
    """

    def __init__(
        self, realm: str, scheme: Scheme, roots: Mapping[str, bytes], own: Iterable[bytes] = ()
    ) -> None:
        self.realm = realm
        self.scheme = scheme
        self.own = {key_id(public): public for public in own}
        self._partners = {partner: _Partner(first=root) for partner, root in roots.items()}
        self._sound: set[Label] = set()

    # Taking statements

    def apply(self, statement: AnyStatement) -> str:
        """Takes one statement; an empty text when it counts from now on (or did before), else why not."""
        return self._take(statement)[1]

    def admit(self, certificate: Certificate) -> str:
        """Takes a certificate."""
        return self.apply(certificate)

    def admit_all(self, certificates: Iterable[Certificate]) -> dict[str, str]:
        """Admits each; gives the refused subjects with their reasons."""
        reasons = {one.subject: self.admit(one) for one in certificates}
        return {subject: reason for subject, reason in reasons.items() if reason}

    def take(self, bundle: Bundle) -> Taken:
        """Takes what a bundle holds: roots before what they have signed, whatever their order in it.

        After MAX_BAD bad signatures the rest is not looked at: checking them is our time, and it is not who it says.
        """
        new: list[AnyStatement] = []
        refused: list[tuple[AnyStatement, str]] = []
        bad = 0
        statements: list[AnyStatement] = [*bundle.pins, *_by_descent(bundle.replacements)]
        statements += [*bundle.certificates, *bundle.revocations]
        for statement in statements:
            is_new, reason = self._take(statement)
            if reason:
                refused.append((statement, reason))
                bad += reason.startswith("bad-")
                if bad >= MAX_BAD:
                    break
            elif is_new:
                new.append(statement)
        return Taken(tuple(new), tuple(refused))

    def _take(self, statement: AnyStatement) -> tuple[bool, str]:
        """Whether it was new, and why it is refused if it is."""
        if statement.realm != self.realm:
            return False, "foreign-realm"
        if defect(statement):
            return False, defect(statement)
        if isinstance(statement, Request):
            return False, "a-request-is-no-statement"
        if isinstance(statement, Pin):
            return self._take_pin(statement)
        held = self._partners.get(statement.partner)
        if held is None:
            return False, "unknown-partner"
        if isinstance(statement, Certificate):
            return self._take_signed(held, held.certificates, statement, "bad-certificate")
        if isinstance(statement, Replacement):
            return self._take_replacement(held, statement)
        return self._take_revocation(held, statement)

    def _take_pin(self, pin: Pin) -> tuple[bool, str]:
        public = self.own.get(pin.key)
        if public is None or not self.scheme.verify(public, signed_bytes(pin), pin.signature):
            return False, "not-this-nodes-pin"
        held = self._partners.setdefault(pin.partner, _Partner())
        return self._keep(held, held.pins, pin)

    def _take_replacement(self, held: _Partner, one: Replacement) -> tuple[bool, str]:
        data = signed_bytes(one)
        known = one.old in held.roots() and self.scheme.verify(one.old, data, one.signature)
        if not known or not self.scheme.verify(one.new, data, one.accepted):
            return False, "bad-replacement"
        if len(held.replacements) >= MAX_ROOTS and data not in held.replacements:
            return False, "too-many-statements"
        return self._keep(held, held.replacements, one)

    def _take_revocation(self, held: _Partner, one: Revocation) -> tuple[bool, str]:
        """A list that a newer one of the same root holds whole adds nothing and is not kept, whichever came first."""
        is_new, reason = self._take_signed(held, held.revocations, one, "bad-revocation")
        if not is_new:
            return is_new, reason
        stale = [
            data
            for data, old in held.revocations.items()
            if any(_covers(held, data, old, *other) for other in held.revocations.items())
        ]
        for data in stale:
            del held.revocations[data], held.signers[data]
        return (False, "stale-revocation") if signed_bytes(one) in stale else (True, "")

    def _take_signed(self, held: _Partner, kept: dict[bytes, S], one: S, bad: str) -> tuple[bool, str]:
        """A statement under one of the partner's roots, whichever of them it is."""
        data = signed_bytes(one)
        root = next((r for r in held.roots() if self.scheme.verify(r, data, one.signature)), None)
        if root is None:
            return False, bad
        is_new, reason = self._keep(held, kept, one)
        if not reason:
            held.signers[data] = root
        return is_new, reason

    def _keep(self, held: _Partner, kept: dict[bytes, S], one: S) -> tuple[bool, str]:
        data = signed_bytes(one)
        before = kept.get(data)
        if before is None and len(held) >= MAX_PER_PARTNER:
            return False, "too-many-statements"
        if (
            before is None or one.signature < before.signature
        ):  # one of two lawful signatures, at every node the same
            kept[data] = one
            held.changed()
        return before is None, ""

    # Asking

    def label_defect(self, label: Label) -> str:
        """What `labels.defect` says; sound labels are few and come again and again, so they are remembered."""
        if label in self._sound:
            return ""
        reason = labels.defect(label)
        if not reason:
            if len(self._sound) >= MAX_SOUND:
                self._sound.clear()
            self._sound.add(label)
        return reason

    def holder(self, key: bytes, now_ns: int, partner: str = "") -> Certificate | str:
        """The certificate of a key id that is valid now, or the reason why there is none.

        partner: who is said to hold it. Whoever does not say gets an answer only where one partner alone has certified
        the key, since anybody may certify another's key as its own.
        """
        if partner:
            one = self._holder(partner, key)
        else:
            found = [claim for name in self._partners if (claim := self._holder(name, key)) is not None]
            if len(found) > 1:
                return "key-of-two-partners"
            one = found[0] if found else None
        if one is None:
            return self._nobody(key)
        if one.reason:
            return one.reason
        for from_ns, until_ns, certificate in one.spans:
            if from_ns <= now_ns <= until_ns:
                return certificate
        return "key-not-valid-now"

    def _nobody(self, key: bytes) -> str:
        known = any(self._holder(name, key) is not None for name in self._partners)
        return "wrong-speaker" if known else "unknown-key"

    def valid(self, partner: str, role: str, now_ns: int) -> tuple[Certificate, ...]:
        """A partner's certificates of a role that count now, one for each key."""
        found = (self.holder(key, now_ns, partner) for key in self._holders(partner))
        return tuple(one for one in found if isinstance(one, Certificate) and one.role == role)

    def certificates(self) -> tuple[Certificate, ...]:
        """All that were admitted, whether or not they count, by partner and bytes."""
        return tuple(one for bundle in self.bundles().values() for one in bundle.certificates)

    def revoked(self, partner: str) -> dict[bytes, int]:
        """Key ids that a partner's roots have taken back, with the time since when they are in doubt (0: not said)."""
        found: dict[bytes, int] = {}
        for one in self._partners.get(partner, _Partner()).revocations.values():
            for row in one.keys:
                known = found.get(row.key, 0)
                found[row.key] = min(known, row.since_ns) if known and row.since_ns else known or row.since_ns
        return found

    def partners(self) -> tuple[str, ...]:
        """The partners with a root here, in alphabetical order."""
        return tuple(sorted(self._partners))

    def root(self, partner: str) -> bytes | None:
        """The root that speaks for a partner at present; None when there is none, or two claim to."""
        held = self._partners.get(partner, _Partner())
        present = [(one.rank, root) for root, one in held.roots().items() if one.is_present]
        return max(present)[1] if present else None

    def roots(self, partner: str) -> tuple[bytes, ...]:
        """All roots that a partner has, had, or is said to have, sorted."""
        return tuple(sorted(self._partners.get(partner, _Partner()).roots()))

    def is_contested(self, partner: str) -> bool:
        """Whether a root of this partner has named two successors, and nobody has pinned anew since."""
        roots = self._partners.get(partner, _Partner()).roots().values()
        return any(one.contested for one in roots if one.keeps is None)

    def root_signed(self, partner: str, data: bytes, signature: bytes) -> bool:
        """Whether a partner's present root has signed these bytes, which must have a domain and the realm in them."""
        root = self.root(partner)
        return root is not None and self.scheme.verify(root, data, signature)

    def pins(self, partner: str, what: str) -> tuple[Pin, ...]:
        """The pins of a partner's roots (`root`) or of its link's certificates (`link`), by rising number."""
        held = self._partners.get(partner, _Partner())
        return tuple(chosen(one for one in held.pins.values() if one.what == what))

    def endings(self, now_ns: int) -> tuple[Ending, ...]:
        """Until when each subject's newest key counts, soonest first; those whose keys were taken back are left out."""
        last: dict[tuple[str, tuple[str, str, str]], tuple[int, int, Certificate]] = {}
        for partner in self.partners():
            for one in self._holders(partner).values():
                for from_ns, until_ns, certificate in one.spans if not one.reason else ():
                    key = (partner, certificate.holder)
                    if key not in last or until_ns > last[key][1]:
                        last[key] = (from_ns, until_ns, certificate)
        endings = [
            Ending(
                certificate,
                until_ns,
                until_ns - now_ns < min((until_ns - from_ns) // NEAR_SHARE, NEAR_MOST_NS),
            )
            for from_ns, until_ns, certificate in last.values()
        ]
        return tuple(
            sorted(endings, key=lambda one: (one.until_ns, one.certificate.partner, one.certificate.holder))
        )

    def bundles(self) -> dict[str, Bundle]:
        """All statements by partner, in the order of their bytes: equal stores give equal bundles."""
        return {
            name: Bundle(
                replacements=_sorted(held.replacements),
                pins=_sorted(held.pins),
                certificates=_sorted(held.certificates),
                revocations=_sorted(held.revocations),
            )
            for name, held in sorted(self._partners.items())
        }

    # What follows

    def _holder(self, partner: str, key: bytes) -> _Holder | None:
        held = self._partners.get(partner)
        if held is None:
            return None
        holders = held.holders
        if holders is None:
            holders = held.holders = _derived(held)
        return holders.get(key)

    def _holders(self, partner: str) -> Mapping[bytes, _Holder]:
        self._holder(partner, b"")
        held = self._partners.get(partner)
        return {} if held is None or held.holders is None else held.holders


def _derived(held: _Partner) -> dict[bytes, _Holder]:
    """Each key with what the partner's roots say of it, taken together."""
    roots = held.roots()
    taken_back: dict[bytes, tuple[int, int]] = {}
    for data, one in held.revocations.items():
        rank = roots[held.signers[data]].rank
        for row in one.keys:
            taken_back[row.key] = max(rank, taken_back.get(row.key, rank))
    by_key: dict[bytes, list[tuple[Standing, Certificate]]] = {}
    for data, certificate in held.certificates.items():
        by_key.setdefault(key_of(certificate), []).append((roots[held.signers[data]], certificate))
    return {key: _judged(key, rows, taken_back.get(key)) for key, rows in by_key.items()}


def _judged(
    key: bytes, rows: list[tuple[Standing, Certificate]], taken_back: tuple[int, int] | None
) -> _Holder:
    """What holds of one key: its newest certificate says who holds it, others of that holder say when as well."""
    left = [(s, c) for s, c in rows if taken_back is None or s.rank > taken_back]
    if not left:
        return _Holder((), "revoked-key")
    left = [(s, c) for s, c in left if not s.contested and (s.keeps is None or key in s.keeps)]
    if not left:
        return _Holder((), "key-of-a-lost-root")
    left.sort(key=lambda pair: (pair[0].rank, pair[1].number, signed_bytes(pair[1])), reverse=True)
    holder = left[0][1].holder
    spans = [(c.not_before_ns, min(c.not_after_ns, s.until_ns), c) for s, c in left if c.holder == holder]
    return _Holder(tuple(spans))


def _covers(held: _Partner, data: bytes, old: Revocation, other_data: bytes, other: Revocation) -> bool:
    """Whether a later list of the same root says all that this one does."""
    same_root = held.signers[data] == held.signers[other_data]
    return same_root and other.number > old.number and set(old.keys) <= set(other.keys)


def _sorted(kept: Mapping[bytes, S]) -> tuple[S, ...]:
    return tuple(one for _, one in sorted(kept.items()))


def _by_descent(replacements: Iterable[Replacement]) -> list[Replacement]:
    """Replacements so that each follows those that lead to its old root."""
    waiting, found = list(replacements), []
    while waiting:
        awaited = {one.new for one in waiting}
        free = [one for one in waiting if one.old not in awaited] or waiting
        found += free
        waiting = [one for one in waiting if one not in free]
    return found

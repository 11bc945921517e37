"""Roots of the scene's coalition, and what they say while its nodes run."""

from __future__ import annotations

from typing import Any

from noroshi.log import OutboxRow, Record
from noroshi.messages import Certificate, certify, key_id
from noroshi.messages.keys import (
    AnyStatement,
    Bundle,
    Pin,
    Replacement,
    Revocation,
    Revoked,
    bundle_bytes,
    replace_root,
    signed,
)
from noroshi.messages.signing import derive
from noroshi.messages.trust import DAY_NS
from noroshi.node import trusting
from noroshi.node.inputs import Answer
from noroshi.node.work import Work
from tests.node.scene import ENTROPY, Scene

PERSONS = ("A. Sato", "B. Ito")


class Roots:
    """What each partner's root can sign. `secret` gives any secret by name: `USA` is the root of the genesis."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.realm = scene.coalition.realm
        self.scheme = scene["jpn"].node.state.scheme

    def secret(self, name: str) -> bytes:
        if len(name) == 3:
            return derive(ENTROPY, "secret", self.realm, name, "root", "")
        return derive(ENTROPY, "secret of the test", name)

    def public(self, name: str) -> bytes:
        return self.scheme.public_key(self.secret(name))

    def certificate(self, root: str, name: str, subject: str, **changes: Any) -> Certificate:
        """Of the key that is called `name`, for a node unless `role` says otherwise."""
        now_ns = self.scene.now_ns
        fields: dict[str, Any] = {
            "realm": self.realm,
            "partner": root[:3],
            "role": "node",
            "subject": subject,
            "public": self.public(name),
            "not_before_ns": now_ns - DAY_NS,
            "not_after_ns": now_ns + 300 * DAY_NS,
            "serial": 1,
        }
        return certify(self.scheme, self.secret(root), Certificate(**(fields | changes)))

    def revocation(self, root: str, *publics: bytes, number: int = 1, since_ns: int = 0) -> Revocation:
        keys = tuple(Revoked(key=key_id(public), since_ns=since_ns) for public in publics)
        bare = Revocation(
            realm=self.realm, partner=root[:3], number=number, time_ns=self.scene.now_ns, keys=keys
        )
        return signed(self.scheme, self.secret(root), bare)

    def replacement(self, old: str, new: str) -> Replacement:
        now_ns = self.scene.now_ns
        bare = Replacement(
            realm=self.realm, partner=old[:3], old=self.public(old), new=self.public(new),
            time_ns=now_ns, ends_ns=now_ns + DAY_NS, keeps=(),
        )  # fmt: skip
        return replace_root(self.scheme, self.secret(old), self.secret(new), bare)

    def pin(self, node: str, root: str, seed: bytes = b"", **changes: Any) -> Pin:
        """A pin at a node, with its own key unless another seed is given."""
        seed = seed or self.scene[node].member.secrets.signing
        fields: dict[str, Any] = {
            "realm": self.realm,
            "partner": root[:3],
            "own": self.scene[node].member.trigraph,
            "node": node,
            "what": "root",
            "number": 1,
            "value": self.public(root),
            "persons": PERSONS,
            "time_ns": self.scene.now_ns,
            "key": key_id(self.scheme.public_key(seed)),
        }
        return signed(self.scheme, seed, Pin(**(fields | changes)))


class Given:
    """What a bundle led to at a node: the answer, the records, the rows, and what is to go on to others."""

    def __init__(self, scene: Scene, node: str, party: str, raw: bytes) -> None:
        state = scene[node].node.state
        state.trust.own |= {key_id(one): one for one in trusting.publics(state.scheme, state.secrets)}
        work = Work(state, scene.now_ns)
        work.record("control", raw)
        self.onward = trusting.apply(work, party, raw)
        commit = work.finish()
        self.answer: Answer = commit.answer
        self.records: tuple[Record, ...] = commit.batch.records
        self.rows: tuple[OutboxRow, ...] = commit.batch.outbox

    @property
    def says(self) -> str:
        """All that the staff were shown and the record says."""
        parts = [row.data for row in self.rows] + [record.body or b"" for record in self.records[1:]]
        return b"\n".join(parts).decode("utf-8", errors="replace")


def give(scene: Scene, node: str, party: str, *statements: AnyStatement) -> Given:
    """Statements come to a node in one bundle."""
    bundle = Bundle(
        replacements=tuple(one for one in statements if isinstance(one, Replacement)),
        pins=tuple(one for one in statements if isinstance(one, Pin)),
        certificates=tuple(one for one in statements if isinstance(one, Certificate)),
        revocations=tuple(one for one in statements if isinstance(one, Revocation)),
    )
    return Given(scene, node, party, bundle_bytes(bundle))

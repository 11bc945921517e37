"""Targets: what a partner, a post or a feed sends, from the outermost bytes to the values of a body.

A signed message cannot be had by changing bytes at random, so each layer has a target of its own, with a genuine key put
behind what is inside it: a hostile partner has one too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, partial

import msgspec

from noroshi.messages import (
    KINDS,
    Certificate,
    Ed25519,
    Envelope,
    KeyedHash,
    Scheme,
    TrustStore,
    canonical,
    certify,
    label_for,
    seal,
    signing,
)
from noroshi.messages.bodies import Body
from noroshi.messages.envelope import (
    SCHEMA_VERSION,
    Message,
    Refused,
    Signed,
    Unverified,
    signing_bytes,
    verify,
)
from noroshi.messages.soundness import defect
from noroshi.node.inputs import Input, decode_input
from tests.fuzz.sample import samples
from tests.fuzz.table import Look, Target

REALM = "exercise:fuzz"
NOW_NS = 1_664_835_810_000_000_000
MESSAGE_MIB = 160.0
"""What a message of 1 MiB costs at most: half a million empty maps in a body that is looked at as plain values."""

_SUBJECTS = {
    "node": ("usa", ""), "post": ("us-dod.duty", "us-dod"), "control": ("control", ""),
    "relay": ("us-relay", "us-dod"),
}  # fmt: skip


@cache
def keys(scheme: Scheme) -> tuple[TrustStore, dict[str, tuple[Certificate, bytes]]]:
    """A store that believes one partner, and the keys of its node, a post of it and its control."""
    root = signing.derive(b"fuzz", "root")
    trust = TrustStore(REALM, scheme, {"USA": scheme.public_key(root)})
    held = {}
    for role, (subject, unit) in _SUBJECTS.items():
        secret = signing.derive(b"fuzz", "key", role)
        bare = Certificate(
            realm=REALM,
            partner="USA",
            role=role,  # type: ignore[arg-type]  # the names above
            subject=subject,
            unit=unit,
            public=scheme.public_key(secret),
            not_before_ns=0,
            not_after_ns=2**62,
        )
        held[role] = certify(scheme, root, bare), secret
        assert trust.admit(held[role][0]) == ""
    return trust, held


KEYED, CURVE = KeyedHash(), Ed25519()


def sealed(kind: str, body: bytes, scheme: Scheme = KEYED) -> bytes:
    """A message with these body bytes, signed by a genuine key that may speak this kind."""
    role = next(iter(sorted(KINDS[kind].speakers))) if kind in KINDS else "node"
    certificate, secret = keys(scheme)[1][role]  # type: ignore[arg-type]  # both schemes have the hash of every object
    envelope = Envelope(
        v=SCHEMA_VERSION,
        realm=REALM,
        origin="USA",
        node="usa",
        post="" if role == "node" else certificate.subject,
        unit=certificate.unit or "us-dod",
        id=b"i" * 16,
        kind=kind,
        time_ns=NOW_NS,
        time_error_ns=0,
        label=label_for(["JPN", "USA"]),
        event=b"e" * 16,
        body=msgspec.Raw(b""),
    )
    content: Body = msgspec.Raw(body)  # type: ignore[assignment]  # put in as it is
    return seal(envelope, content, certificate, scheme, secret).raw


def bodies(kind: str) -> tuple[bytes, ...]:
    """Bodies of a kind, right in form."""
    return tuple(canonical.encode(one) for one in samples(KINDS[kind].body))


def whole() -> tuple[bytes, ...]:
    """A message of each kind."""
    return tuple(sealed(kind, bodies(kind)[-1]) for kind in KINDS)


def inputs() -> tuple[bytes, ...]:
    """Each kind of input."""
    return tuple(canonical.encode(one) for one in samples(Input))


# --- how each is looked at ------------------------------------------------------------------------------------------


def _canonical(data: bytes) -> None:
    try:
        value = canonical.decode(data)
    except canonical.NotCanonicalError:
        return
    assert canonical.encode(value) == data


def _verified(trust: TrustStore, raw: bytes) -> Message | Refused:
    outcome = verify(Unverified(raw), trust, NOW_NS)
    if isinstance(outcome, Refused):
        assert outcome.reason
        return outcome
    assert outcome.raw == raw
    if outcome.body is not None:
        assert defect(outcome.body) == ""
        canonical.encode(outcome.body)
    return outcome


def _raw_look() -> Look:
    stores = [keys(KEYED)[0], keys(CURVE)[0], TrustStore(REALM, KEYED, {})]

    def look(raw: bytes) -> None:
        for trust in stores:
            _verified(trust, raw)

    return look


def _payload_look() -> Look:
    trust, held = keys(KEYED)
    certificate, secret = held["node"]

    def look(payload: bytes) -> None:
        signature = KEYED.sign(secret, signing_bytes(REALM, payload))
        _verified(trust, canonical.encode(Signed(payload, signing.key_id(certificate.public), signature)))

    return look


def _body_look(kind: str) -> Look:
    trust = keys(KEYED)[0]

    def look(body: bytes) -> None:
        try:
            canonical.decode(body)
        except canonical.NotCanonicalError:
            # In the envelope it would be other fields: that is the payload's own target.
            return
        outcome = _verified(trust, sealed(kind, body))
        assert isinstance(outcome, Message) or outcome.reason in (
            "malformed-body",
            "impossible-body",
            "malformed",
        )

    return look


def _input(body: bytes) -> None:
    try:
        decode_input(body)
    except msgspec.MsgspecError:
        return


# --- inputs that cost much ------------------------------------------------------------------------------------------


def crowded(size: int) -> Iterable[bytes]:
    """As many values as fit: empty maps and lists, short texts, numbers, and nesting as deep as it goes."""
    for head, piece in (
        (b"\xdd%b", b"\x80"),
        (b"\xdd%b", b"\x90"),
        (b"\xdd%b", b"\xa1a"),
        (b"\xdd%b", b"\xc4\x00"),
        (b"\xdd%b", b"\x91\x90"),
        (b"\xdd%b", b"\xcb?\xf0\x00\x00\x00\x00\x00\x00"),
        (b"\xdd%b", b"\x81\xa0\x80"),
        (b"\xdd%b", b"\xce\x00\x01\x00\x00"),
    ):
        count = (size - 5) // len(piece)
        yield head % count.to_bytes(4, "big") + piece * count
    yield b"\x91" * (size - 1) + b"\x90"
    names = (size - 5) // 5
    keys_ = b"".join(b"\xa3" + b"%03x" % n + b"\x00" for n in range(min(names, 4096)))
    yield b"\xdf" + min(names, 4096).to_bytes(4, "big") + keys_
    yield b"\xdb" + (size - 5).to_bytes(4, "big") + b"a" * (size - 5)


def _within(kind: str, size: int) -> Iterable[bytes]:
    """A body with one such field beside its own, or with one of its own lists as long as it goes."""
    own = msgspec.msgpack.decode(bodies(kind)[-1])
    if kind == "event":  # what is not known is looked at in the same way in all kinds
        for crowd in crowded(size - len(bodies(kind)[-1]) - 600):
            yield canonical.encode({**own, "zz": msgspec.Raw(crowd)})
    for name, value in own.items():
        if isinstance(value, list) and value:
            item = canonical.encode(value[0])
            count = (size - len(bodies(kind)[-1]) - 600) // len(item)
            yield canonical.encode({**own, name: [value[0]] * count})


def _payloads(size: int) -> Iterable[bytes]:
    own = msgspec.msgpack.decode(_payload_seeds()[0])
    for crowd in crowded(size - 600):
        yield canonical.encode({**own, "zz": msgspec.Raw(crowd)})


def _payload_seeds() -> Sequence[bytes]:
    return [msgspec.msgpack.decode(raw, type=Signed).payload for raw in whole()]


def _large_inputs(size: int) -> Iterable[bytes]:
    for crowd in crowded(size - 100):
        yield canonical.encode(
            {
                "type": "received",
                "party": "partner:USA",
                "number": 1,
                "lane": 0,
                "raw": b"",
                "zz": msgspec.Raw(crowd),
            }
        )
    row = canonical.encode([1, 2, 3])
    rows = (size - 100) // (len(row) + 1)
    value = b"\xdd" + rows.to_bytes(4, "big") + row * rows
    times = b"\xdd" + rows.to_bytes(4, "big") + b"\x01" * rows
    yield canonical.encode(
        {
            "type": "detections",
            "feed": "a",
            "sequence": 1,
            "sensor": "a",
            "time_ns": msgspec.Raw(times),
            "value": msgspec.Raw(value),
        }
    )


MIB_1 = 1 << 20

TARGETS = (
    Target(
        "canonical",
        "the one byte form of a value",
        lambda: _canonical,
        lambda: whole() + inputs(),
        "msgpack",
        MIB_1,
        MESSAGE_MIB,
        2.0,
        crowded,
    ),
    Target(
        "message",
        "bytes in the place of a signed message, under three trust stores",
        _raw_look,
        whole,
        "msgpack",
        MIB_1,
        MESSAGE_MIB,
        2.0,
        crowded,
    ),
    Target(
        "payload",
        "any payload behind a genuine signature",
        _payload_look,
        _payload_seeds,
        "msgpack",
        MIB_1 - 200,
        MESSAGE_MIB,
        2.0,
        _payloads,
    ),
    *(
        Target(
            f"body:{kind}",
            f"any body of the kind {kind} behind a genuine signature",
            partial(_body_look, kind),
            partial(bodies, kind),
            "msgpack",
            MIB_1 - 1000,
            MESSAGE_MIB,
            2.0,
            partial(_within, kind),
        )
        for kind in KINDS
    ),
    Target(
        "input",
        "the body of a record: any input of the core",
        lambda: _input,
        inputs,
        "msgpack",
        4 * MIB_1,
        320.0,
        3.0,
        _large_inputs,
    ),
)

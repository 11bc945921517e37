"""The envelope, and the way from received bytes to a verified message.

`Unverified` is bytes that somebody sent; `Message` is what came out of `verify`, and the core acts on nothing
else. The received bytes are kept as they came: a relay passes on exactly them, with the fields it does not know.

    outcome = verify(Unverified(raw), trust, now_ns)
    if isinstance(outcome, Refused): ...
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from noroshi.clock import NS_PER_S
from noroshi.messages import canonical, passkeys, soundness
from noroshi.messages.bodies import Body
from noroshi.messages.kinds import KINDS, Kind
from noroshi.messages.labels import Label
from noroshi.messages.signing import ID_BYTES, SIGNATURE_BYTES, Scheme, key_id
from noroshi.messages.trust import Certificate, TrustStore

SCHEMA_VERSION = 3
"""Of all kinds together. 1: the first; 2: `recall`, `release`, `reduced-track`; 3: `count` and all others of
warnings and alerts whose row says so. A message bears the version that brought
its kind, so that a node of the version before reads all that it knows; one that is two ahead is refused by name.
"""

MESSAGE_DOMAIN = b"noroshi message 1\x00"

MAX_AHEAD_NS = 2 * NS_PER_S
"""How far ahead of our clock a signing time may lie: more is refused as future-dated, less is clock error."""

MAX_ERROR_NS = 60 * NS_PER_S
"""The largest clock error that anybody may claim: with more, any time would pass as the present."""

_KNOWN = frozenset(
    {"v", "realm", "origin", "node", "post", "unit", "id", "kind", "time_ns", "time_error_ns", "label",
     "event", "refs", "expires_ns", "critical", "body"}
)  # fmt: skip


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The header of a message and its body's bytes.

    v: schema version of its kind (`Kind.since`); realm: its trust root; origin: partner; node: where it entered the
    coalition; post: who spoke, if a person did; unit: the speaker's unit in the structure; id, event, refs: 16-byte
    aliases that mean something only inside the label's audience; time_ns and time_error_ns: the originator's clock and
    its claimed error; critical: names of fields that a receiver must understand or refuse.
    """

    v: int
    realm: str
    origin: str
    node: str
    unit: str
    id: bytes
    kind: str
    time_ns: int
    time_error_ns: int
    label: Label
    body: msgspec.Raw
    post: str = ""
    event: bytes = b""
    refs: tuple[bytes, ...] = ()
    expires_ns: int = 0
    critical: tuple[str, ...] = ()


class _Claim(msgspec.Struct, frozen=True):
    """As much of an envelope as says whose key it is."""

    realm: str
    origin: str


class Signed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What travels: the payload's bytes, the signing key's id, the signature."""

    payload: bytes
    key: bytes
    signature: bytes


class Unverified(msgspec.Struct, frozen=True):
    """Bytes that a party sent. Nothing in them is believed."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """Why bytes did not become a message: a word for the record, and a detail for our own operator only."""

    reason: str
    detail: str = ""


class Message(msgspec.Struct, frozen=True):
    """A message whose signature, realm, label and form have been checked. Made by `verify` and `seal` only.

    kind and body are None when this version does not know the kind: it is then kept and relayed, never acted on.
    """

    envelope: Envelope
    kind: Kind | None
    body: Body | None
    signer: Certificate
    raw: bytes

    @property
    def id(self) -> bytes:
        """The 16-byte id; unique for ever together with the origin."""
        return self.envelope.id

    @property
    def origin(self) -> str:
        """The partner that signed."""
        return self.envelope.origin


_DECODERS = {name: msgspec.msgpack.Decoder(kind.body) for name, kind in KINDS.items()}
_FLOATLESS = {
    name: decoder
    for name, decoder in _DECODERS.items()
    if b'"type":"number"' not in msgspec.json.encode(msgspec.json.schema(KINDS[name].body))
}
"""Decoders of the kinds whose bodies hold no floats; in a JSON Schema these, and only these, are `number`."""
_ENVELOPE = msgspec.msgpack.Decoder(Envelope)
_CLAIM = msgspec.msgpack.Decoder(_Claim)
_SIGNED = msgspec.msgpack.Decoder(Signed)


def signing_bytes(realm: str, payload: bytes) -> bytes:
    """What is signed: a domain, the realm, the payload; so no signature of one realm fits another."""
    name = realm.encode()
    return b"".join((MESSAGE_DOMAIN, len(name).to_bytes(2, "big"), name, payload))


def seal(envelope: Envelope, body: Body, signer: Certificate, scheme: Scheme, secret: bytes) -> Message:
    """Signs a message of our own: `envelope.body` is replaced by the canonical bytes of `body`."""
    whole = msgspec.structs.replace(envelope, body=msgspec.Raw(canonical.encode(body)))
    payload = canonical.encode(whole)
    signature = scheme.sign(secret, signing_bytes(envelope.realm, payload))
    raw = joined(payload, signer.public, signature)
    return Message(whole, KINDS.get(envelope.kind), body, signer, raw)


def payload_of(envelope: Envelope, body: Body) -> bytes:
    """The payload of a message that somebody else signs: a person, whose key no program has."""
    return canonical.encode(msgspec.structs.replace(envelope, body=msgspec.Raw(canonical.encode(body))))


def joined(payload: bytes, public: bytes, signature: bytes) -> bytes:
    """The message of a payload and the signature of its `signing_bytes`; whether it holds, `verify` says."""
    return canonical.encode(Signed(payload, key_id(public), signature))


def verify(received: Unverified, trust: TrustStore, now_ns: int) -> Message | Refused:
    """The verified message, or why it is refused. Never raises on what a party sent.

    Order: form, realm, key, signature, speaker, label, time, kind; the signature is checked before any field is
    acted on. A message from the past is history, not refused here; one from the future is refused.
    """
    try:
        signed = _SIGNED.decode(received.raw)
        if canonical.encode(signed) != received.raw:
            return Refused("not-canonical")
        envelope = _ENVELOPE.decode(signed.payload)
        body = _exact_body(envelope, signed.payload)
        has_body = body is not None or _has_body(canonical.decode(signed.payload))
    except (msgspec.MsgspecError, canonical.NotCanonicalError, UnicodeDecodeError, RecursionError) as error:
        return Refused("malformed", str(error))
    if envelope.v > SCHEMA_VERSION + 1 or envelope.v < 1:
        return Refused("unknown-version", str(envelope.v))
    if envelope.realm != trust.realm:
        return Refused("foreign-realm", envelope.realm)
    holder = trust.holder(signed.key, now_ns, envelope.origin)
    if isinstance(holder, str):
        return Refused(holder)
    data = signing_bytes(envelope.realm, signed.payload)
    if holder.passkey is not msgspec.UNSET:
        reason = passkeys.defect(holder.passkey, data, signed.signature)
        if reason:
            return Refused(reason)
    elif len(signed.signature) != SIGNATURE_BYTES or not trust.scheme.verify(
        holder.public, data, signed.signature
    ):
        return Refused("bad-signature")
    reason = (
        _speaker_defect(envelope, holder)
        or _form_defect(envelope, has_body)
        or trust.label_defect(envelope.label)
    )
    if reason:
        return Refused(reason)
    if envelope.time_ns > now_ns + MAX_AHEAD_NS + envelope.time_error_ns:
        return Refused("future-dated", f"{(envelope.time_ns - now_ns) / NS_PER_S:.3f} s ahead")
    return _open(envelope, body, holder, received.raw)


def claim(received: Unverified, trust: TrustStore, now_ns: int) -> tuple[bytes, bytes, bytes] | None:
    """What `verify` will ask of the scheme about these bytes: public key, data, signature. None where it will not come
    so far. Nothing is decided by it, and nothing changes.
    """
    try:
        signed = _SIGNED.decode(received.raw)
        said = _CLAIM.decode(signed.payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    holder = trust.holder(signed.key, now_ns, said.origin) if said.realm == trust.realm else ""
    if isinstance(holder, str) or holder.passkey is not msgspec.UNSET:
        return None
    return holder.public, signing_bytes(said.realm, signed.payload), signed.signature


def read_signature(raw: bytes) -> bytes:
    """The signature of a message that has been verified."""
    return _SIGNED.decode(raw).signature


def read_payload(raw: bytes) -> bytes:
    """What is signed of a message that has been verified: the same, whoever of its author's keys has signed it."""
    return _SIGNED.decode(raw).payload


def digest(raw: bytes) -> bytes:
    """SHA-256 of bytes, as used for body hashes and drafts."""
    return hashlib.sha256(raw).digest()


def _speaker_defect(envelope: Envelope, holder: Certificate) -> str:
    if holder.partner != envelope.origin:
        return "wrong-speaker"
    kind = KINDS.get(envelope.kind)
    if kind is not None and holder.role not in kind.speakers:
        return "speaker-may-not"
    if holder.role == "node":
        return "" if holder.subject == envelope.node and not envelope.post else "wrong-speaker"
    if holder.subject != envelope.post or (holder.unit and holder.unit != envelope.unit):
        return "wrong-speaker"
    return ""


def _exact_body(envelope: Envelope, payload: bytes) -> Body | None:
    """The body, where the payload is the canonical bytes of exactly what was decoded from it: the quick way for most.

    None says nothing: a body with floats (one may be no number), a field or kind of a newer version, and what is not
    canonical all take the long way through `canonical.decode`.
    """
    decoder = _FLOATLESS.get(envelope.kind)
    if decoder is None or len(payload) > canonical.MAX_BYTES or canonical.encode(envelope) != payload:
        return None
    try:
        body: Body = decoder.decode(envelope.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return body if canonical.encode(body) == bytes(envelope.body) else None


def _has_body(fields: dict[str, object]) -> bool:
    return isinstance(fields.get("body"), dict)


def _form_defect(envelope: Envelope, has_body: bool) -> str:
    if len(envelope.id) != ID_BYTES or len(envelope.event) not in (0, ID_BYTES):
        return "malformed-id"
    if envelope.refs and any(len(one) != ID_BYTES for one in envelope.refs):
        return "malformed-id"
    if not 0 <= envelope.time_error_ns <= MAX_ERROR_NS or not 0 <= envelope.time_ns < soundness.LAST_NS:
        return "malformed-time"
    if envelope.critical and not _KNOWN.issuperset(envelope.critical):
        return "unknown-critical-field"
    return "" if has_body else "malformed-body"


def _open(envelope: Envelope, body: Body | None, holder: Certificate, raw: bytes) -> Message | Refused:
    """body: where it has been decoded already."""
    kind = KINDS.get(envelope.kind)
    if kind is None:
        return Message(envelope, None, None, holder, raw)
    try:
        body = body if body is not None else _DECODERS[envelope.kind].decode(envelope.body)
    except msgspec.MsgspecError as error:
        return Refused("malformed-body", str(error))
    reason = soundness.defect(body)
    return Refused("impossible-body", reason) if reason else Message(envelope, kind, body, holder, raw)

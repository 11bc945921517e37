"""The bodies of what relays say: which last hops have received a message, and that the way to them works.

A last hop is where an alert comes out: a municipal loudspeaker, the entry to a cell broadcast, an app. It is known by
its number in a roster; several relays may serve one roster, so that a last hop can go from one to another.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from noroshi.messages.bodies import Body

Receipts = Literal["keyed", "counted"]
"""How a relay knows that a last hop has received: by a code under that hop's own key, or by its own count."""

MAX_HOPS = 65_536
"""Last hops of one roster: every municipality and ward of a large nation twenty times over; a bitmap of 8 KiB."""


MAX_NAME = 128
"""Longest name of a relay or a roster, and longest reason, characters: as of subjects of certificates."""

HASH_BYTES, SIGNATURE_BYTES = 32, 64
MAX_PROOFS = 64
"""Receipts that are shown at one time: some 20 KiB with their paths; whoever wants more asks again."""


class HopProof(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One last hop's own signature under a receipt, and the hashes beside its way up to the root, from below."""

    hop: int
    signature: bytes
    path: tuple[bytes, ...]


class DeliveryBody(Body, frozen=True, kw_only=True):
    """A relay says which of its roster's last hops have receipted the message `of`, as far as it knows. Cumulative.

    of: the message's id. sequence: rises with each statement of the relay about it; an older or repeated one harms
    nothing. hops: in the roster. received: a bit for each, the lowest bit of the first byte for hop 0; no zero byte at
    its end. count: of set bits. first_ns, last_ns: when the first and the newest of the receipts came, 0 without any.
    refused: why the relay has not passed it on, where its signatures do not carry it.

    signed: bits of those whose own signature under the receipt the relay holds; root: of the hash tree over these
    signatures, so that the relay cannot think of another one later; proofs: some of them, where the node has asked.
    """

    of: bytes
    relay: str
    roster: str
    hops: int
    sequence: int
    received: bytes
    count: int
    first_ns: int
    last_ns: int
    receipts: Receipts
    refused: str = ""
    signed: bytes | msgspec.UnsetType = msgspec.UNSET
    root: bytes | msgspec.UnsetType = msgspec.UNSET
    proofs: tuple[HopProof, ...] | msgspec.UnsetType = msgspec.UNSET


class ReadinessBody(Body, frozen=True, kw_only=True):
    """A relay says that it is there (`here`), or a node tests the way to every last hop (`test`). Never a warning.

    number: of the test, rising, 0 from a relay. roster, hops, receipts: whom the relay serves, empty in a test. trust:
    digest of the keys that the relay believes, so that its node gives it those that it lacks. version: what the relay
    can do: one that says nothing takes ends for alerts that it has; from 2 on an alert may come after its end.

    `prove`: a node asks a relay to show signatures of last hops: under receipts of the message `of`, of the last hops
    `wanted`, in the tree with this root over those of `signed`.
    """

    step: Literal["here", "test", "prove"]
    number: int = 0
    roster: str = ""
    hops: int = 0
    receipts: Receipts = "keyed"
    trust: bytes = b""
    version: int | msgspec.UnsetType = msgspec.UNSET
    of: bytes | msgspec.UnsetType = msgspec.UNSET
    root: bytes | msgspec.UnsetType = msgspec.UNSET
    signed: bytes | msgspec.UnsetType = msgspec.UNSET
    wanted: bytes | msgspec.UnsetType = msgspec.UNSET


def bits_of(received: bytes) -> int:
    """The bitmap as a number: bit n stands for hop n."""
    return int.from_bytes(received, "little")


def bytes_of(bits: int) -> bytes:
    """The shortest bitmap with these bits."""
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def delivery_defect(body: DeliveryBody) -> str:
    """What cannot be in a delivery, or an empty text."""
    if not 0 < body.hops <= MAX_HOPS or body.sequence < 1:
        return "a roster that is none"
    if not (_is_name(body.relay) and _is_name(body.roster)) or not _is_reason(body.refused):
        return "a name that is none"
    bits = bits_of(body.received)
    if len(body.received) * 8 > MAX_HOPS or bytes_of(bits) != body.received:
        return "a bitmap that is not canonical"
    if bits.bit_length() > body.hops or bits.bit_count() != body.count:
        return "receipts of last hops that are none"
    times = (body.first_ns == 0, body.last_ns == 0, body.first_ns > body.last_ns)
    if (body.count and (any(times))) or (not body.count and times != (True, True, False)):
        return "times of receipts that are none"
    return _signed_defect(body, bits)


def _signed_defect(body: DeliveryBody, received: int) -> str:
    """What cannot be in what a delivery says of last hops' own signatures, or an empty text."""
    if body.signed is msgspec.UNSET or body.root is msgspec.UNSET:
        alone = body.signed is body.root is body.proofs is msgspec.UNSET
        return "" if alone else "signatures without a root"
    signed = bits_of(body.signed)
    if not signed or bytes_of(signed) != body.signed or signed & ~received or len(body.root) != HASH_BYTES:
        return "signatures of last hops that are none"
    proofs = () if body.proofs is msgspec.UNSET else body.proofs
    depth = (body.hops - 1).bit_length()
    sound = all(
        0 <= one.hop < body.hops
        and signed >> one.hop & 1
        and len(one.signature) == SIGNATURE_BYTES
        and len(one.path) == depth
        and all(len(part) == HASH_BYTES for part in one.path)
        for one in proofs
    )
    return "" if sound and len(proofs) <= MAX_PROOFS else "a proof that is none"


def readiness_defect(body: ReadinessBody) -> str:
    """What cannot be in a statement of readiness, or an empty text."""
    asks = (body.of, body.root, body.signed, body.wanted)
    if body.step == "prove":
        return "" if all(isinstance(one, bytes) and one for one in asks) else "a question that is none"
    if any(one is not msgspec.UNSET for one in asks):
        return "a question that is none"
    if body.step == "test":
        return "" if body.number > 0 and not body.roster and not body.hops else "a test that is none"
    return (
        ""
        if _is_name(body.roster) and 0 < body.hops <= MAX_HOPS and not body.number
        else "a roster that is none"
    )


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME and text.isprintable()


def _is_reason(text: str) -> bool:
    """A word of the table of refusals: letters, digits and dashes."""
    return text == "" or (len(text) <= MAX_NAME and text.isascii() and text.replace("-", "").isalnum())

"""The bodies of what relays say: which last hops have received a message, and that the way to them works.

A last hop is where an alert comes out: a municipal loudspeaker, the entry to a cell broadcast, an app. It is known by
its number in a roster; several relays may serve one roster, so that a last hop can go from one to another.
"""

from __future__ import annotations

from typing import Literal

from noroshi.messages.bodies import Body

Receipts = Literal["keyed", "counted"]
"""How a relay knows that a last hop has received: by a code under that hop's own key, or by its own count."""

MAX_HOPS = 65_536
"""Last hops of one roster: every municipality and ward of a large nation twenty times over; a bitmap of 8 KiB."""


MAX_NAME = 128
"""Longest name of a relay or a roster, and longest reason, characters: as of subjects of certificates."""


class DeliveryBody(Body, frozen=True, kw_only=True):
    """A relay says which of its roster's last hops have receipted the message `of`, as far as it knows. Cumulative.

    of: the message's id. sequence: rises with each statement of the relay about it; an older or repeated one harms
    nothing. hops: in the roster. received: a bit for each, the lowest bit of the first byte for hop 0; no zero byte at
    its end. count: of set bits. first_ns, last_ns: when the first and the newest of the receipts came, 0 without any.
    refused: why the relay has not passed it on, where its signatures do not carry it.
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


class ReadinessBody(Body, frozen=True, kw_only=True):
    """A relay says that it is there (`here`), or a node tests the way to every last hop (`test`). Never a warning.

    number: of the test, rising, 0 from a relay. roster, hops, receipts: whom the relay serves, empty in a test. trust:
    digest of the keys that the relay believes, so that its node gives it those that it lacks.
    """

    step: Literal["here", "test"]
    number: int = 0
    roster: str = ""
    hops: int = 0
    receipts: Receipts = "keyed"
    trust: bytes = b""


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
    return ""


def readiness_defect(body: ReadinessBody) -> str:
    """What cannot be in a statement of readiness, or an empty text."""
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

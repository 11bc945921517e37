"""Bodies about what others say in public: another agency's alert, and what somebody says in an authority's name.

A hazard holds the agency's message as it came, whole. What it says is read from these bytes by each node for itself, so
nobody who passes it on can make it say something else. A claim is quoted, never believed.
"""

from __future__ import annotations

from typing import Literal

from noroshi.messages.bodies import Body

MAX_HAZARD_BYTES = 640 << 10
"""Largest message of an agency that is taken in, 640 KiB: the largest real one has 459 kB, and a message has 1 MiB."""

MAX_CLAIM_TEXT = 8_000
"""Characters of what somebody says in an authority's name: a long article's beginning."""

MAX_CLAIM_WORD = 500
"""Characters of an outlet's name, of whom it names, of an address."""


class HazardBody(Body, frozen=True, kw_only=True):
    """Another agency's alert, in the Common Alerting Protocol.

    cap: the file, byte for byte as it came; sender, identifier, sent_ns: which message of the agency it is, as the file
    says. signature: what the node at which it entered found: `signed` by a certificate that it trusts, `unsigned`, or
    `not-checked`, since it has no certificate of this agency. A wrong signature enters nowhere.
    """

    cap: bytes
    sender: str
    identifier: str
    sent_ns: int
    signature: Literal["signed", "unsigned", "not-checked"]


class ClaimBody(Body, frozen=True, kw_only=True):
    """To the partner in whose authority's name somebody speaks: who, in whose name, and the words, quoted.

    outlet: who says it; unit: the authority that it names; said_ns: when; form: words, or a file in the Common Alerting
    Protocol. The authority's signature was not with it.
    """

    outlet: str
    unit: str
    text: str
    link: str
    said_ns: int
    form: Literal["text", "cap"]


def hazard_defect(body: HazardBody) -> str:
    """What cannot be in an agency's message as it is told, or an empty text. The file itself is looked at elsewhere."""
    if not 0 < len(body.cap) <= MAX_HAZARD_BYTES:
        return "a file of another size"
    named = 0 < len(body.sender) <= MAX_CLAIM_WORD and 0 < len(body.identifier) <= MAX_CLAIM_WORD
    return "" if named else "a name of another size"


def claim_defect(body: ClaimBody) -> str:
    """What cannot be in a claim, or an empty text."""
    words = (body.outlet, body.unit)
    whole = all(0 < len(word) <= MAX_CLAIM_WORD for word in words) and len(body.link) <= MAX_CLAIM_WORD
    return "" if whole and 0 < len(body.text) <= MAX_CLAIM_TEXT else "words of another size"

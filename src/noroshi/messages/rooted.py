"""Documents that a partner's root has signed: policies, area lists, rosters, warrants. They are opened in one way.

In bytes such a document is an array with a payload and the root's signature over a domain of its kind and the payload,
both in canonical form. Whose it is stands in the payload; whether that is right and whether it can be used is for its
kind to say.

    found = open_rooted(raw, _SIGNED, _PAYLOAD, DOMAIN, scheme, root)
    if isinstance(found, str): ...                       # why not: `malformed`, `not-canonical`, `bad-signature`
"""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

from noroshi.messages import canonical
from noroshi.messages.signing import SIGNATURE_BYTES, Scheme


class Signed(Protocol):
    """What every such document is outside."""

    @property
    def payload(self) -> bytes: ...
    @property
    def signature(self) -> bytes: ...


T = TypeVar("T")
S = TypeVar("S", bound=Signed)


def open_rooted(
    raw: bytes,
    signed: msgspec.msgpack.Decoder[S],
    payload: msgspec.msgpack.Decoder[T],
    domain: bytes,
    scheme: Scheme,
    root: bytes,
) -> T | str:
    """What the payload says, when this root has signed it; or why it is refused. An empty root has signed nothing.

    signed, payload: read the document's outside and its inside. Never raises.
    """
    try:
        found = signed.decode(raw)
        same = len(raw) <= canonical.MAX_BYTES and canonical.encode(found) == raw
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "malformed"
    if not same:
        return "not-canonical"
    has_form = bool(root) and len(found.signature) == SIGNATURE_BYTES
    if not has_form or not scheme.verify(root, domain + found.payload, found.signature):
        return "bad-signature"
    try:
        inside = payload.decode(found.payload)
        same = canonical.encode(inside) == found.payload
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "malformed"
    return inside if same else "not-canonical"

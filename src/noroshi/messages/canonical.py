"""The one byte form of a value: canonical msgpack.

Rules: map keys are strings, sorted by their UTF-8 bytes, each once; integers and lengths in their shortest form;
floats are 64 bits and finite; no extension types. Two implementations that hold the same value therefore sign
the same bytes, and a received message that is not in this form is refused before anything is looked at.

    encode({"b": 1, "a": 2.0})            # the same bytes on every machine
    decode(b"...")                        # raises NotCanonicalError unless encode(decode(x)) == x
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import msgspec

from noroshi.errors import PartnerError

MAX_BYTES = 1 << 20
"""Largest encoded value, 1 MiB: a public alert with many polygons is below half of it."""

MAX_DEPTH = 32
"""Deepest nesting: no kind needs more than 8."""


class NotCanonicalError(PartnerError):
    """The bytes are not msgpack, or not in the canonical form."""


_SCALARS = frozenset({str, int, bytes, bool, type(None)})
_TEXT, _NUMBER = frozenset({str}), frozenset({float})

_ENCODER = msgspec.msgpack.Encoder(order="sorted")


def encode(value: Any) -> bytes:
    """The canonical bytes of `value` (msgspec structs, maps, lists, texts, bytes, numbers)."""
    return _ENCODER.encode(value)


def decode(data: bytes) -> Any:
    """The plain value of canonical bytes. Raises NotCanonicalError."""
    if len(data) > MAX_BYTES:
        raise NotCanonicalError("decode a value", cause=f"{len(data)} bytes are more than {MAX_BYTES}")
    try:
        value = msgspec.msgpack.decode(data)
        plain = _is_plain(value, MAX_DEPTH)
        same = plain and _ENCODER.encode(value) == data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, OverflowError) as error:
        raise NotCanonicalError("decode a value", cause=f"not msgpack: {error}") from None
    if not same:
        raise NotCanonicalError("decode a value", cause="not in the canonical form")
    return value


def _is_plain(value: Any, depth: int) -> bool:
    """Whether a decoded value holds only what the form knows. Looks at types in bulk: most of a body is numbers."""
    kind = type(value)
    if kind is list:
        items = value
    elif kind is dict:
        if not _TEXT.issuperset(map(type, value)):
            return False
        items = value.values()
    else:
        return kind in _SCALARS or (kind is float and isfinite(value))
    if depth == 0:
        return False
    kinds = set(map(type, items))
    if kinds <= _SCALARS:
        return True
    if kinds == _NUMBER:
        return all(map(isfinite, items))
    return all(_is_plain(item, depth - 1) for item in items if type(item) not in _SCALARS)

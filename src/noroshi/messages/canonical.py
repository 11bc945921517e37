"""The one byte form of a value: canonical msgpack.

Rules: map keys are strings, sorted by their UTF-8 bytes, each once; integers and lengths in their shortest form;
floats are 64 bits and finite; no extension types. Two implementations that hold the same value therefore sign
the same bytes, and a received message that is not in this form is refused before anything is looked at.

    encode({"b": 1, "a": 2.0})            # the same bytes on every machine
    decode(b"...")                        # raises NotCanonicalError unless encode(decode(x)) == x
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any

import msgspec

from noroshi.errors import PartnerError

MAX_BYTES = 1 << 20
"""Largest encoded value, 1 MiB: a public alert with many polygons is below half of it."""

MAX_DEPTH = 32
"""Deepest nesting: no kind needs more than 8."""

MAX_CONTAINERS = MAX_BYTES // 16
"""Most lists and maps in one value, 65,536: a corner of a ring takes 19 bytes. A million empty ones, which cost a byte
each to send, took a second to look through.
"""


class NotCanonicalError(PartnerError):
    """The bytes are not msgpack, or not in the canonical form."""


_SCALARS = frozenset({str, int, bytes, bool, type(None)})
_TEXT, _NUMBER, _CONTAINERS = frozenset({str}), frozenset({float}), frozenset({dict, list})
_KNOWN = _SCALARS | _NUMBER | _CONTAINERS

_ENCODER = msgspec.msgpack.Encoder(order="sorted")


encode: Callable[[Any], bytes] = _ENCODER.encode
"""The canonical bytes of a value (msgspec structs, maps, lists, texts, bytes, numbers)."""


def decode(data: bytes) -> Any:
    """The plain value of canonical bytes. Raises NotCanonicalError."""
    if len(data) > MAX_BYTES:
        raise NotCanonicalError("decode a value", cause=f"{len(data)} bytes are more than {MAX_BYTES}")
    try:
        value = msgspec.msgpack.decode(data)
        plain = _is_plain(value)
        same = plain and _ENCODER.encode(value) == data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, OverflowError) as error:
        raise NotCanonicalError("decode a value", cause=f"not msgpack: {error}") from None
    if not same:
        raise NotCanonicalError("decode a value", cause="not in the canonical form")
    return value


def _is_plain(value: Any) -> bool:
    """Whether a decoded value holds only what the form knows. Looks at types in bulk: most of a body is numbers."""
    if type(value) not in _CONTAINERS:
        return type(value) in _SCALARS or (type(value) is float and isfinite(value))
    level, containers = [value], 1
    for _ in range(MAX_DEPTH + 1):
        deeper: list[Any] = []
        for one in level:
            if type(one) is dict and not _TEXT.issuperset(map(type, one)):
                return False
            items = one.values() if type(one) is dict else one
            kinds = set(map(type, items))
            if not kinds <= _KNOWN or (float in kinds and not _are_finite(items, kinds)):
                return False
            if not kinds.isdisjoint(_CONTAINERS):
                deeper += [item for item in items if type(item) in _CONTAINERS]
        containers += len(deeper)
        if not deeper or containers > MAX_CONTAINERS:
            return not deeper
        level = deeper
    return False


def _are_finite(items: Iterable[Any], kinds: set[type]) -> bool:
    return all(map(isfinite, items if kinds == _NUMBER else [one for one in items if type(one) is float]))

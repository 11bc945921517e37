"""The one byte form: equal values give equal bytes, anything else is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noroshi.messages import canonical

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_a_value_survives_and_its_bytes_are_stable(value: object) -> None:
    data = canonical.encode(value)
    again = canonical.decode(data)
    assert canonical.encode(again) == data


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    try:
        value = canonical.decode(data)
    except canonical.NotCanonicalError:
        return
    assert canonical.encode(value) == data


@pytest.mark.parametrize(
    "data",
    [
        b"\x82\xa1b\x01\xa1a\x02",  # keys out of order
        b"\x82\xa1a\x01\xa1a\x02",  # a key twice
        b"\xcc\x01",  # an integer longer than it must be
        b"\xd9\x01a",  # a text longer than it must be
        b"\xca\x3f\x80\x00\x00",  # a 32-bit float
        b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",  # not a number
        b"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00",  # infinity
        b"\xd6\xff\x00\x00\x00\x00",  # a timestamp extension
        b"\xd4\x01\x00",  # another extension
        b"\x81\x01\x01",  # a key that is no text
        b"\x01\x01",  # bytes after the end
        b"",
        b"\xa1\xff",  # not UTF-8
    ],
)
def test_other_forms_are_refused(data: bytes) -> None:
    with pytest.raises(canonical.NotCanonicalError):
        canonical.decode(data)


def test_depth_and_size_are_bounded() -> None:
    deep: object = 1
    for _ in range(canonical.MAX_DEPTH + 2):
        deep = [deep]
    with pytest.raises(canonical.NotCanonicalError):
        canonical.decode(canonical.encode(deep))
    with pytest.raises(canonical.NotCanonicalError):
        canonical.decode(b"\x91" * 100_000)
    with pytest.raises(canonical.NotCanonicalError):
        canonical.decode(msgspec.msgpack.encode(b"x" * (canonical.MAX_BYTES + 1)))

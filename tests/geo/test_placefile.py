"""The table's bytes: there and back, the same each time, and every kind of damage told plainly."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noroshi.errors import OperatorError
from noroshi.geo import PlaceTableError, decode
from noroshi.geo.placefile import MAGIC, VERSION, pack, unpack
from tests.geo.tables import small_bytes

WHOLE = small_bytes([(40.8, 140.7, 300, "Town"), (33.1, 139.8, 20, "Isle")], [0, 2])


def resealed(data: bytes) -> bytes:
    """The same bytes with a checksum that fits."""
    return data[:10] + hashlib.sha256(data[42:]).digest() + data[42:]


@given(
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=30),
    st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), max_size=30),
)
def test_columns_there_and_back(numbers: list[int], texts: list[str]) -> None:
    data = pack({"n": np.array(numbers, np.int32), "t": texts}, {"attribution": "あ"})
    back = unpack(data)
    assert back.numbers["n"].tolist() == numbers
    assert back.texts["t"] == texts
    assert back.head["attribution"] == "あ"


def test_the_same_columns_give_the_same_bytes() -> None:
    assert small_bytes([(40.8, 140.7, 300, "Town"), (33.1, 139.8, 20, "Isle")], [0, 2]) == WHOLE


def test_the_attribution_stands_in_clear_text() -> None:
    assert b"A test (CC BY 4.0)" in WHOLE


@pytest.mark.parametrize("size", [1, len(MAGIC), 12, 45, 46, 200, len(WHOLE) - 1])
def test_a_truncated_table_is_refused(size: int) -> None:
    with pytest.raises(PlaceTableError, match=r"cut short.*make places"):
        decode(WHOLE[:size])


@given(st.integers(42, len(WHOLE) - 1), st.integers(1, 255))
def test_a_changed_byte_is_found(at: int, change: int) -> None:
    damaged = WHOLE[:at] + bytes([WHOLE[at] ^ change]) + WHOLE[at + 1 :]
    with pytest.raises(PlaceTableError, match="checksum"):
        decode(damaged)


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(PlaceTableError):
        decode(data)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "the file is empty"),
        (b'{"places": []}' * 10, "not a table of places"),
        (
            WHOLE[:8] + struct.pack("<H", VERSION + 1) + WHOLE[10:],
            f"version {VERSION + 1}, this noroshi reads",
        ),
        (WHOLE + b"\0", "checksum does not match"),
        (resealed(WHOLE[:-40]), "columns cannot be read"),
        (resealed(WHOLE[:46] + b"?" + WHOLE[47:]), "columns cannot be read"),
        (pack({"names": ["a"]}, {"attribution": "", "source": ""}), "a column is missing"),
        (small_bytes([], []), "empty or differ in length"),
        (small_bytes([(0.0, 0.0, 1, "a"), (0.0, 0.0, 1, "b")], [0]), "empty or differ in length"),
        (small_bytes([(0.0, 0.0, 1, "a")], [9]), "names a region that the table does not hold"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_sentence(data: bytes, cause: str) -> None:
    with pytest.raises(PlaceTableError) as caught:
        decode(data)
    sentence = caught.value.sentence()
    assert cause in sentence
    assert "make places" in sentence
    assert "\n" not in sentence
    assert isinstance(caught.value, OperatorError)

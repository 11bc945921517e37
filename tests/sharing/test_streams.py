"""Names, heads and positions of streams, and what is signed about them."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noroshi.messages.canonical import encode
from noroshi.sharing.streams import (
    EMPTY_HEAD,
    LANES,
    MAX_NUMBER,
    START,
    Position,
    head_after,
    next_head,
    party_of,
    resume_defect,
    statement_bytes,
    stream_of,
    streams_of,
)
from tests.sharing.sides import position

OTHER = b"\x01" * 32


def test_names_of_streams_and_their_parties() -> None:
    assert streams_of("partner:USA") == (
        "partner:USA/warning",
        "partner:USA/decision",
        "partner:USA/notice",
        "partner:USA/track",
    )
    assert streams_of("staff") == ("staff",)
    for party in ("partner:USA", "staff", "gateway:cap"):
        assert {party_of(stream) for stream in streams_of(party)} == {party}
        assert tuple(dict.fromkeys(stream_of(party, lane) for lane in LANES)) == streams_of(party)


@given(st.lists(st.binary(max_size=20), max_size=8), st.data())
def test_a_head_tells_each_row_and_their_order(rows: list[bytes], draw: st.DataObject) -> None:
    def head_of(data: list[bytes]) -> bytes:
        head = EMPTY_HEAD
        for one in data:
            assert head_after(head, sha256(one).digest()) == next_head(head, one)
            head = next_head(head, one)
        return head

    other = draw.draw(st.permutations(rows).map(list) | st.lists(st.binary(max_size=20), max_size=8))
    assert (head_of(rows) == head_of(other)) == (rows == other)


def test_a_head_is_as_the_wire_format_says() -> None:
    data = b"a row"
    said = sha256(b"noroshi stream 1\x00" + EMPTY_HEAD + sha256(data).digest()).digest()
    assert next_head(EMPTY_HEAD, data) == said


def test_a_position_travels_as_an_array_and_names_what_cannot_be_in_it() -> None:
    place = position(1, 2, 3, 4, epoch=5, head=OTHER)
    assert encode(place) == encode([5, [1, 2, 3, 4], [OTHER] * 4])
    assert msgspec.msgpack.decode(encode(place), type=Position) == place
    assert place.at(1, 9, EMPTY_HEAD) == Position(5, (1, 9, 3, 4), (OTHER, EMPTY_HEAD, OTHER, OTHER))
    assert (place.defect, START.defect) == ("", "")


@pytest.mark.parametrize(
    "place",
    [
        position(-1, 0, 0, 0),
        position(0, 0, 0, MAX_NUMBER),
        position(0, 0, 0, 0, epoch=-1),
        position(0, 0, 0, 0, epoch=MAX_NUMBER),
        position(0, 0, 0, 0, head=b""),
        position(0, 0, 0, 0, head=bytes(33)),
    ],
)
def test_positions_that_cannot_be(place: Position) -> None:
    assert place.defect


def test_what_is_signed_differs_in_all_that_it_says() -> None:
    said = {
        statement_bytes(what, realm, sender, receiver, place)
        for what in ("receipt", "checkpoint")
        for realm in ("real", "exercise:a")
        for sender, receiver in (("USA", "JPN"), ("JPN", "USA"), ("JPN", "KOR"))
        for place in (
            START,
            position(1, 0, 0, 0),
            position(0, 0, 0, 0, epoch=1),
            position(0, 0, 0, 0, head=OTHER),
        )
    }
    assert len(said) == 2 * 2 * 3 * 4


@pytest.mark.parametrize(
    ("held", "says"),
    [
        (position(4, 4, 4, 4, epoch=1), ""),
        (position(2, 2, 2, 2, epoch=1), ""),
        (position(3, 0, 4, 1, epoch=1, head=OTHER), "another decision row 0"),
        (position(0, 5, 0, 0, epoch=1), "decision row 5 of ours, and this record ends at 4"),
        (position(0, 0, 0, 0, epoch=2), "this record is an older copy"),
        (position(9, 9, 9, 9, epoch=0, head=OTHER), ""),
        (position(2, 2, 2, 2, epoch=0, head=OTHER), ""),
        (
            position(2, 2, 2, 1, epoch=0),
            "track row 1 of ours and has receipted 2: its record is an older copy",
        ),
        (position(4, 4, 2, 4, epoch=1, head=OTHER), "another warning row 4"),
        (position(2, 3, 3, 3, epoch=1, head=OTHER), "another warning row 2"),
    ],
)
def test_where_a_partner_may_go_on(held: Position, says: str) -> None:
    sent, receipted = position(4, 4, 4, 4, epoch=1), position(2, 0, 2, 2, epoch=1)
    found = resume_defect(held, sent, receipted)
    assert says in found
    assert bool(says) == bool(found)

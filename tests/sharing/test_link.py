"""The link protocol without sockets: two sessions joined in memory, and everything that ends one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noroshi.log import OutboxRow
from noroshi.messages.canonical import encode
from noroshi.sharing.link import (
    MAX_FRAME_BYTES,
    Heard,
    LinkProtocolError,
    LinkSession,
    Offset,
    PeerReady,
    Receipt,
    Row,
)

REALM = "exercise:test"


def pair() -> tuple[LinkSession, LinkSession]:
    one = LinkSession(REALM, own="JPN", peer="USA", node="jpn")
    other = LinkSession(REALM, own="USA", peer="JPN", node="usa")
    hello = one.hello(resume_after=0, now_ns=0)
    answer = other.hello(resume_after=7, now_ns=0)
    assert other.receive(hello, 0) == [PeerReady(0, "jpn")]
    assert one.receive(answer, 0) == [PeerReady(7, "usa")]
    return one, other


def rows(*numbers: int) -> list[OutboxRow]:
    return [OutboxRow("partner:USA", number, 0, "", 0, b"data %d" % number) for number in numbers]


def frame(*fields: object) -> bytes:
    data = encode(list(fields))
    return len(data).to_bytes(4, "big") + data


def test_rows_arrive_in_order_whatever_the_cuts() -> None:
    one, other = pair()
    data = one.rows(rows(8, 9, 10))
    events = [event for byte in data for event in other.receive(bytes([byte]), 0)]
    assert events == [Row(8, b"data 8"), Row(9, b"data 9"), Row(10, b"data 10")]


def test_repeated_rows_are_dropped_and_gaps_end_the_link() -> None:
    one, other = pair()
    assert other.receive(one.rows(rows(8, 9)), 0) == [Row(8, b"data 8"), Row(9, b"data 9")]
    assert other.receive(one.rows(rows(8, 9, 10)), 0) == [Row(10, b"data 10")]
    with pytest.raises(LinkProtocolError, match="row 12 came after 10"):
        other.receive(one.rows(rows(12)), 0)


def test_receipts_pings_and_the_clock_offset() -> None:
    one, other = pair()
    assert other.receive(one.receipt(5, b"s" * 64), 0) == [Receipt(5, b"s" * 64)]
    (heard,) = other.receive(one.ping(1_000_000_000), 6_100_000_000)
    assert isinstance(heard, Heard)
    (offset,) = one.receive(heard.answer, 1_200_000_000)
    assert isinstance(offset, Offset)
    assert offset.offset_s == pytest.approx(5.0)
    assert offset.error_s == pytest.approx(0.1)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x00",
        (MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
        b"GET / HTTP/1.1\r\n\r\n",
        frame("row", 1),
        frame("row", "1", b""),
        frame("receipt", 1, b"short"),
        frame("hello", 1, REALM, "USA", "JPN", "usa", 0, 0),
        frame("unheard-of"),
        frame(),
        b"\x00\x00\x00\x02\xff\xff",
    ],
)
def test_what_is_no_frame_ends_the_link(data: bytes) -> None:
    one, _ = pair()
    with pytest.raises(LinkProtocolError):
        one.receive(data, 0)


@pytest.mark.parametrize(
    "hello",
    [
        frame("hello", 2, REALM, "USA", "JPN", "usa", 0, 0),
        frame("hello", 1, "real", "USA", "JPN", "usa", 0, 0),
        frame("hello", 1, REALM, "KOR", "JPN", "usa", 0, 0),
        frame("hello", 1, REALM, "USA", "KOR", "usa", 0, 0),
        frame("hello", 1, REALM, "USA", "JPN", "usa", -1, 0),
        frame("row", 1, b"before hello"),
    ],
)
def test_a_wrong_greeting_ends_the_link(hello: bytes) -> None:
    one = LinkSession(REALM, own="JPN", peer="USA")
    one.hello(resume_after=0, now_ns=0)
    with pytest.raises(LinkProtocolError):
        one.receive(hello, 0)


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_give_events_or_end_the_link(chunks: list[bytes]) -> None:
    one, _ = pair()
    try:
        for chunk in chunks:
            one.receive(chunk, 0)
    except LinkProtocolError:
        pass
    assert len(one._buffer) <= sum(map(len, chunks))

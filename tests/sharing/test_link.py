"""The link protocol without sockets: two sessions joined in memory, and everything that ends one."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from noroshi.log import Batch, Forget
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import Lane
from noroshi.sharing import Position, Statement, link
from noroshi.sharing.frames import MAX_FRAME_BYTES
from noroshi.sharing.link import (
    MAX_SERVED_BYTES,
    WINDOW_BYTES,
    WINDOW_ROWS,
    Attested,
    Event,
    Heard,
    LinkProtocolError,
    LinkSession,
    Offset,
    PeerReady,
    Receipted,
    Restarted,
    Row,
)
from noroshi.sharing.streams import EMPTY_HEAD, LANES, START, next_head
from tests.sharing.sides import REALM, UNSIGNED, Side, greeted, position

OTHER_HEAD = b"\x01" * 32


def frame(*fields: object) -> bytes:
    data = encode(list(fields))
    return len(data).to_bytes(4, "big") + data


def hello(
    version: object = 2, realm: str = REALM, own: str = "USA", peer: str = "JPN", held: object = START
) -> bytes:
    return frame("hello", version, realm, own, peer, "usa", held, 0)


def opened(*, upto: int = 0) -> LinkSession:
    """A session that has said hello as JPN, and heard it from USA. upto: what each holds of the other, in each lane."""
    one = LinkSession(REALM, own="JPN", peer="USA", node="jpn")
    place = position(upto, upto, upto, upto)
    one.hello(held=place, now_ns=0)
    assert one.receive(hello(held=place), 0) == [PeerReady(place, "usa")]
    one.resume(place)
    return one


def served(session: LinkSession, side: Side, budget_bytes: int = MAX_SERVED_BYTES) -> list[tuple[int, int]]:
    """Which rows leave next: lane and number."""
    reader = LinkSession(REALM, own=side.party[-3:], peer=side.own)
    reader.hello(held=Position(0, session.sent, START.heads), now_ns=0)  # type: ignore[arg-type]  # four
    reader.receive(hello(own=side.own, peer=reader.own), 0)
    events = reader.receive(session.serve(side.rows, budget_bytes), 0)
    return [(event.lane, event.number) for event in events if isinstance(event, Row)]


# --- rows, receipts, time ---------------------------------------------------------------------------------------------


def test_rows_arrive_in_order_whatever_the_cuts() -> None:
    one, other, side, _ = greeted()
    side.put(Lane.TRACK, b"data 1", b"data 2")
    side.put(Lane.DECISION, b"data 3")
    data = one.serve(side.rows)
    events = [event for byte in data for event in other.receive(bytes([byte]), 0)]
    assert events == [Row(1, 1, b"data 3"), Row(3, 1, b"data 1"), Row(3, 2, b"data 2")]


def test_repeated_rows_are_dropped_and_gaps_end_the_link() -> None:
    one = opened(upto=7)
    assert one.receive(frame("row", 2, 8, b"a") + frame("row", 2, 9, b"b"), 0) == [
        Row(2, 8, b"a"),
        Row(2, 9, b"b"),
    ]
    assert one.receive(b"".join(frame("row", 2, number, b"c") for number in (-1, 0, 7, 8, 9, 10)), 0) == [
        Row(2, 10, b"c")
    ]
    assert one.repeated == 5
    assert one.receive(frame("row", 1, 8, b"each lane counts for itself"), 0) != []
    with pytest.raises(LinkProtocolError, match="row 12 came after 10"):
        one.receive(frame("row", 2, 12, b""), 0)


def test_receipts_checkpoints_pings_and_the_clock_offset() -> None:
    one, other, side, _ = greeted()
    side.put(Lane.NOTICE, b"x")
    other.receive(one.serve(side.rows), 0)
    said = Statement(position(0, 0, 1, 0), b"s" * 64)
    assert one.receive(other.receipt(said), 0) == [Receipted(said)]
    assert other.receive(one.checkpoint(said), 0) == [Attested(said)]
    (heard,) = other.receive(one.ping(1_000_000_000), 6_100_000_000)
    assert isinstance(heard, Heard)
    (offset,) = one.receive(heard.answer, 1_200_000_000)
    assert isinstance(offset, Offset)
    assert offset.offset_s == pytest.approx(5.0)
    assert offset.error_s == pytest.approx(0.1)


@pytest.mark.slow
def test_a_hundred_warnings_go_before_a_hundred_thousand_tracks() -> None:
    one, _, side, _ = greeted()
    side.put(Lane.TRACK, *(b"track %d" % number for number in range(100_000)))
    waiting = served(one, side)
    assert waiting == [(Lane.TRACK, number + 1) for number in range(len(waiting))]
    side.put(Lane.WARNING, *(b"warning %d" % number for number in range(100)))
    side.put(Lane.NOTICE, b"notice")
    side.put(Lane.DECISION, b"decision")
    assert served(one, side)[:102] == [
        *((Lane.WARNING, number + 1) for number in range(100)),
        (Lane.DECISION, 1),
        (Lane.NOTICE, 1),
    ]


def test_no_more_is_put_on_the_line_at_a_time_than_it_carries_in_a_tick() -> None:
    one, _, side, _ = greeted()
    side.put(Lane.TRACK, *(bytes([number]) * 1000 for number in range(10)))
    side.put(Lane.WARNING, b"w" * 1500)
    assert served(one, side, 2500) == [(Lane.WARNING, 1), (Lane.TRACK, 1)]
    assert served(one, side, 2500) == [(Lane.TRACK, 2), (Lane.TRACK, 3), (Lane.TRACK, 4)]
    assert one.can_serve(side.sent)


# --- windows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lane", LANES)
def test_a_lane_without_receipts_stops_after_its_window_and_no_other_lane_does(lane: Lane) -> None:
    one, other, side, there = greeted()
    side.put(lane, *(b"%d" % number for number in range(WINDOW_ROWS[lane] + 10)))
    first = served(one, side)
    assert len(first) == WINDOW_ROWS[lane]
    assert served(one, side) == []
    assert not one.can_serve(side.sent)
    for beside in set(LANES) - {lane}:
        side.put(beside, b"goes")
    assert one.can_serve(side.sent)
    assert [row[0] for row in served(one, side)] == sorted(set(LANES) - {lane})
    upto = [0, 0, 0, 0]
    upto[lane] = 4
    one.receive(other.receipt(Statement(position(*upto), UNSIGNED)), 0)
    assert [number for _, number in served(one, side)] == list(
        range(WINDOW_ROWS[lane] + 1, WINDOW_ROWS[lane] + 5)
    )
    assert there.held == START


def test_the_window_counts_bytes_too() -> None:
    one, other, side, _ = greeted()
    size = WINDOW_BYTES // 4 - 1
    side.put(Lane.WARNING, *(bytes([number]) * size for number in range(8)))
    data = one.serve(side.rows, 64 << 20)
    rows = other.receive(data, 0)
    assert len(rows) == 5
    assert one.serve(side.rows, 64 << 20) == b""
    statement = Statement(position(1, 0, 0, 0), UNSIGNED)
    one.receive(other.receipt(statement), 0)
    assert len(other.receive(one.serve(side.rows, 64 << 20), 0)) == 1


@pytest.mark.parametrize("lane", LANES)
def test_a_sender_that_ignores_the_window_loses_its_link(lane: Lane) -> None:
    one = opened()
    for number in range(WINDOW_ROWS[lane]):
        assert one.receive(frame("row", lane, number + 1, b""), 0)
    with pytest.raises(LinkProtocolError, match=f"more than {WINDOW_ROWS[lane]} rows came without waiting"):
        one.receive(frame("row", lane, WINDOW_ROWS[lane] + 1, b""), 0)


def test_a_sender_that_ignores_the_window_in_bytes_loses_its_link() -> None:
    one, big = opened(), b"x" * (1 << 20)
    for number in range(4):
        assert one.receive(frame("row", 0, number + 1, big), 0)
    with pytest.raises(LinkProtocolError, match="more than 4 rows came without waiting"):
        one.receive(frame("row", 0, 5, b""), 0)


def test_our_receipt_opens_the_window_and_an_old_one_does_not() -> None:
    one = opened()
    for number in range(WINDOW_ROWS[0]):
        one.receive(frame("row", 0, number + 1, b""), 0)
    one.receipt(Statement(position(0, 0, 0, 0), UNSIGNED))
    one.receipt(Statement(position(9, 0, 0, 0, epoch=5), UNSIGNED))
    with pytest.raises(LinkProtocolError):
        one.receive(frame("row", 0, WINDOW_ROWS[0] + 1, b""), 0)
    one.receipt(Statement(position(2, 0, 0, 0), UNSIGNED))
    assert len(one.receive(frame("row", 0, WINDOW_ROWS[0] + 1, b""), 0)) == 1


@given(st.lists(st.tuples(st.sampled_from(LANES), st.integers(0, 9), st.booleans()), max_size=60))
def test_an_honest_sender_never_breaks_the_window(steps: list[tuple[Lane, int, bool]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(link, "WINDOW_ROWS", (3, 3, 3, 5))
        patch.setattr(link, "WINDOW_BYTES", 12)
        one, other, side, there = greeted()
        for number, (lane, size, receipts) in enumerate(steps):
            side.put(lane, b"%03d" % number + b"x" * size)
            for event in other.receive(one.serve(side.rows, 20), 0):
                assert isinstance(event, Row)
                there.take(event)
            if receipts:
                one.receive(other.receipt(Statement(there.held, UNSIGNED)), 0)
        for _ in steps:
            for event in other.receive(one.serve(side.rows), 0):
                assert isinstance(event, Row)
                there.take(event)
            one.receive(other.receipt(Statement(there.held, UNSIGNED)), 0)
    assert there.held == side.sent
    assert there.got == side.said


# --- what ends a link -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x00",
        (MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
        b"GET / HTTP/1.1\r\n\r\n",
        frame("row", 1),
        frame("row", 0, "1", b""),
        frame("row", 0, 1, "text"),
        frame("row", 0, 1, b"", "more"),
        frame("row", 1, b"of the first protocol"),
        frame("row", True, 1, b"not a number of a lane"),
        frame("row", 0, True, b"not a number of a row"),
        frame("row", 0, 1.5, b""),
        frame("row", 4, 1, b"no such lane"),
        frame("row", -1, 1, b"no such lane"),
        frame("row", 0, 2**64 - 1, b""),
        frame("receipt", 1, b"of the first protocol" * 3),
        frame("receipt", Statement(START, b"short")),
        frame("receipt", Statement(position(0, 0, 0, 0, epoch=1), UNSIGNED)),
        frame("receipt", Statement(position(-1, 0, 0, 0), UNSIGNED)),
        frame("receipt", Statement(position(0, 0, 0, 0, head=b"short"), UNSIGNED)),
        frame("receipt", [[0, [0, 0, 0], [EMPTY_HEAD] * 3], UNSIGNED]),
        frame("receipt", [[False, [0, 0, 0, 0], [EMPTY_HEAD] * 4], UNSIGNED]),
        frame("checkpoint", Statement(START, b"short")),
        frame("checkpoint", Statement(position(0, 0, 2**62, 0), UNSIGNED)),
        frame("restart", START),
        frame("restart", position(0, 0, 1, 0, epoch=1)),
        frame("restart", position(0, 0, 0, -1, epoch=1)),
        frame("restart", position(0, 0, 0, 0, epoch=2**62)),
        frame("restart", position(0, 0, 0, 0, epoch=1, head=b"short")),
        frame("pong", -1, 1),
        frame("pong", 0, True),
        frame("ping"),
        hello(),
        frame("unheard-of"),
        frame(),
        frame(1),
        encode({"row": 1}),
        b"\x00\x00\x00\x02\xff\xff",
        b"\x00\x00\x00\x03\x92\xa1\xff",
        b"\x00\x01\x86\xa0" + b"\x91" * 100_000,
        b"\x00\x00\x00\x06\xd6\xff\x00\x00\x00\x00",
    ],
)
def test_what_is_no_frame_ends_the_link(data: bytes) -> None:
    with pytest.raises(LinkProtocolError):
        opened().receive(data, 0)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (hello(0), "version 0"),
        (hello(1), "version 1"),
        (hello(4), "version 4"),
        (frame("hello", 1, REALM, "USA", "JPN", "usa", 0, 0), "not a frame"),
        (hello(True), "not a frame"),
        (hello(realm="real"), "it is in realm 'real'"),
        (hello(realm="x" * 1000), "it is in realm 'x{80}'"),
        (hello(own="KOR"), "not the partner"),
        (hello(peer="KOR"), "not the partner"),
        (hello(held=position(-1, 0, 0, 0)), "a number that is none"),
        (hello(held=position(0, 0, 0, 2**62)), "a number that is none"),
        (hello(held=position(0, 0, 0, 0, epoch=-1)), "a number that is none"),
        (hello(held=position(0, 0, 0, 0, epoch=2**62)), "a number that is none"),
        (hello(held=position(0, 0, 0, 0, head=b"")), "a head of another size"),
        (hello(held=[0, [0, 0, 0, 0, 0], [EMPTY_HEAD] * 5]), "not a frame"),
        (hello(held=0), "not a frame"),
        (frame("row", 0, 1, b"before hello"), "before the greetings"),
        (frame("restart", position(0, 0, 0, 0, epoch=1)), "before the greetings"),
        (frame("ping", 0), "before the greetings"),
    ],
)
def test_a_wrong_greeting_ends_the_link(data: bytes, cause: str) -> None:
    one = LinkSession(REALM, own="JPN", peer="USA")
    one.hello(held=START, now_ns=0)
    with pytest.raises(LinkProtocolError, match=cause):
        one.receive(data, 0)


def test_nothing_is_taken_before_we_have_said_what_we_hold() -> None:
    one = LinkSession(REALM, own="JPN", peer="USA")
    with pytest.raises(LinkProtocolError, match="before the greetings"):
        one.receive(hello() + frame("restart", position(0, 0, 0, 0, epoch=1)), 0)


def test_the_next_version_may_say_more_in_its_greeting() -> None:
    one = LinkSession(REALM, own="JPN", peer="USA")
    one.hello(held=START, now_ns=0)
    said = frame("hello", 3, REALM, "USA", "JPN", "usa", START, 0, {"more": [1, 2]})
    assert one.receive(said, 0) == [PeerReady(START, "usa")]


# --- going on where the peer is ---------------------------------------------------------------------------------------


def told(count: int, epochs: int = 0) -> Side:
    """A side that has put so many warnings, the last two not receipted, and has begun its streams anew so often."""
    side = Side("JPN", "USA")
    side.put(Lane.WARNING, *(b"warning %d" % number for number in range(count)))
    head = side.rows(Lane.WARNING, count - 3, 1)[0].head
    side.outboxes.receipted(side.party, START.at(Lane.WARNING, count - 2, head))
    for _ in range(epochs):
        side.restart(lambda why: True)
    return side


def held(side: Side, upto: int, epoch: int = 0) -> Position:
    """What a peer holds that has `upto` of its warnings."""
    head = side.rows(Lane.WARNING, upto - 1, 1)[0].head if upto else EMPTY_HEAD
    return Position(epoch, START.upto, START.heads).at(Lane.WARNING, upto, head)


@pytest.mark.parametrize("upto", [0, 3, 4, 5, 6])
def test_rows_go_on_after_what_the_peer_holds(upto: int) -> None:
    one, side = opened(), told(6)
    assert one.greet(held(side, upto), side.sent, side.durable_there) == b""
    assert served(one, side) == [(0, number) for number in range(upto + 1, 7)]


def test_a_greeting_and_a_receipt_may_come_in_one_piece() -> None:
    """The shell answers the greeting only after the whole piece: the receipt must not fall on streams not yet begun."""
    side = told(6, epochs=1)
    there = held(side, 6, epoch=1)
    one = LinkSession(REALM, own="JPN", peer="USA")
    one.hello(held=START, now_ns=0)
    said = Statement(there, UNSIGNED)
    assert one.receive(hello(held=there) + frame("receipt", said), 0) == [
        PeerReady(there, "usa"),
        Receipted(said),
    ]
    assert one.greet(there, side.sent, side.durable_there) == b""


@pytest.mark.parametrize(
    ("there", "cause"),
    [
        (position(7, 0, 0, 0), "it holds warning row 7 of ours, and this record ends at 6"),
        (position(0, 0, 0, 1), "it holds track row 1 of ours, and this record ends at 0"),
        (position(0, 0, 0, 0, epoch=1), "this record is an older copy"),
        (position(6, 0, 0, 0, head=OTHER_HEAD), "it holds another warning row 6 than this record"),
        (position(4, 0, 0, 0, head=OTHER_HEAD), "it holds another warning row 4 than this record"),
    ],
)
def test_records_that_do_not_fit_each_other_are_named(there: Position, cause: str) -> None:
    one, side = opened(), told(6)
    with pytest.raises(LinkProtocolError, match=cause):
        one.greet(there, side.sent, side.durable_there)


@pytest.mark.parametrize("upto", [1, 3, 5])
def test_a_peer_with_another_row_in_the_middle_is_found_with_the_next_row(upto: int) -> None:
    """An older copy of a record that has gone on since: its numbers fit, and what they number does not."""
    one, side = opened(), told(6)
    one.greet(Position(0, (upto, 0, 0, 0), (OTHER_HEAD, *START.heads[1:])), side.sent, side.durable_there)
    with pytest.raises(LinkProtocolError, match=f"another partner:USA/warning row {upto} than this record"):
        one.serve(side.rows)


def test_rows_that_retention_has_let_go_are_not_skipped() -> None:
    one, side = opened(), told(6)
    side.store.append([Batch((), forget=Forget(0, 0, (("partner:USA/warning", 3),)))])
    one.greet(held(side, 0), side.sent, side.durable_there)
    with pytest.raises(LinkProtocolError, match="row 1, which this record has let go"):
        one.serve(side.rows)


def test_a_peer_of_earlier_streams_is_told_where_they_begin_anew() -> None:
    side = told(6, epochs=2)
    one, other = opened(), LinkSession(REALM, own="USA", peer="JPN")
    there = held(side, 6)
    other.hello(held=there, now_ns=0)
    other.receive(hello(own="JPN", peer="USA"), 0)
    begun = other.receive(one.greet(there, side.sent, side.durable_there), 0)
    assert begun == [Restarted(side.durable_there)]
    assert side.durable_there.upto == (4, 0, 0, 0)
    assert [event.number for event in other.receive(one.serve(side.rows), 0) if isinstance(event, Row)] == [
        5,
        6,
    ]


def test_a_peer_that_has_lost_what_it_receipted_is_named() -> None:
    one, side = opened(), told(6, epochs=1)
    with pytest.raises(
        LinkProtocolError, match="holds warning row 3 of ours and has receipted 4: its record is an old"
    ):
        one.greet(held(side, 3), side.sent, side.durable_there)


# --- beginning anew while connected -----------------------------------------------------------------------------------


def test_a_restart_with_rows_under_way() -> None:
    """Rows of the old streams are on the line, so are receipts for them: the new ones follow what was receipted."""
    one, other, side, there = greeted()
    side.put(Lane.TRACK, *(b"%d" % number for number in range(6)))
    rows = other.receive(one.serve(side.rows), 0)
    for row in rows[:2]:
        assert isinstance(row, Row)
        there.take(row)
    first = Statement(there.held, UNSIGNED)
    side.take_receipt(first)
    one.receive(other.receipt(first), 0)
    for row in rows[2:]:
        assert isinstance(row, Row)
        there.take(row)
    late = other.receipt(Statement(there.held, UNSIGNED))
    side.restart(lambda why: True)
    data = one.restart(side.durable_there) + one.serve(side.rows)
    assert one.receive(late, 0) == []
    begun, *again = other.receive(data, 0)
    assert begun == Restarted(side.durable_there)
    assert isinstance(begun, Restarted)
    there.held = begun.position
    for row in again:
        assert isinstance(row, Row)
        there.take(row)
    assert (there.held, there.got) == (side.sent, side.said)
    assert one.receive(other.receipt(Statement(there.held, UNSIGNED)), 0) == [
        Receipted(Statement(there.held, UNSIGNED))
    ]
    assert one.sent == side.sent.upto


def test_a_restart_opens_the_windows_of_both_sides() -> None:
    one, other, side, _ = greeted()
    side.put(Lane.WARNING, *(b"%d" % number for number in range(2 * WINDOW_ROWS[0])))
    other.receive(one.serve(side.rows), 0)
    side.restart(lambda why: True)
    events = other.receive(one.restart(side.durable_there) + one.serve(side.rows), 0)
    assert len(events) == 1 + WINDOW_ROWS[0]
    assert one.serve(side.rows) == b""


def test_a_restart_goes_on_where_we_are() -> None:
    one, place = opened(upto=7), position(7, 0, 7, 5, epoch=3)
    assert one.receive(frame("restart", place), 0) == [Restarted(place)]
    assert one.receive(frame("row", 1, 1, b"") + frame("row", 3, 6, b""), 0) == [
        Row(1, 1, b""),
        Row(3, 6, b""),
    ]


@pytest.mark.parametrize(
    ("place", "cause"),
    [
        (position(0, 0, 0, 0, epoch=3), "did so before"),
        (position(0, 0, 0, 0, epoch=2), "did so before"),
        (position(7, 7, 7, 8, epoch=4), "goes on after row 8, and this node holds 7"),
    ],
)
def test_a_restart_counts_up_and_leaves_nothing_out(place: Position, cause: str) -> None:
    one = opened(upto=7)
    one.receive(frame("restart", position(7, 7, 7, 7, epoch=3)), 0)
    with pytest.raises(LinkProtocolError, match=cause):
        one.receive(frame("restart", place), 0)


# --- any bytes --------------------------------------------------------------------------------------------------------


def heard(session: LinkSession, data: bytes, size: int = 1 << 30) -> list[Event] | None:
    """The events in these bytes, or None when they end the link; what else is raised is a failure."""
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    try:
        return [event for piece in pieces for event in session.receive(piece, 10)]
    except LinkProtocolError:
        return None


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_give_events_or_end_the_link(chunks: list[bytes]) -> None:
    one = opened()
    for chunk in chunks:
        if heard(one, chunk) is None:
            break
    assert len(one._buffer) <= sum(map(len, chunks))


FRAMES = (
    hello(),
    frame("row", 0, 1, b"data"),
    frame("receipt", Statement(START, UNSIGNED)),
    frame("checkpoint", Statement(position(1, 2, 3, 4), UNSIGNED)),
    frame("restart", position(0, 0, 0, 0, epoch=1)),
    frame("ping", 5),
    frame("pong", 5, 7),
)


def session_for(data: bytes) -> LinkSession:
    """A session for which this frame comes at the right moment."""
    if data != FRAMES[0]:
        return opened()
    one = LinkSession(REALM, own="JPN", peer="USA")
    one.hello(held=START, now_ns=0)
    return one


@pytest.mark.parametrize("data", FRAMES)
def test_every_frame_cut_short_waits_and_is_whole_with_the_rest(data: bytes) -> None:
    whole = session_for(data).receive(data, 10)
    assert len(whole) == 1
    for cut in range(len(data)):
        one = session_for(data)
        assert one.receive(data[:cut], 10) == []
        assert one.receive(data[cut:], 10) == whole


@pytest.mark.parametrize("data", FRAMES)
def test_every_frame_with_a_shorter_body_ends_the_link(data: bytes) -> None:
    for cut in range(5, len(data)):
        assert heard(session_for(data), (cut - 4).to_bytes(4, "big") + data[4:cut]) is None


@given(st.sampled_from(FRAMES), st.data())
def test_every_frame_with_a_flipped_bit_is_another_frame_or_ends_the_link(
    data: bytes, draw: st.DataObject
) -> None:
    place = draw.draw(st.integers(0, len(data) * 8 - 1), label="bit")
    flipped = bytearray(data)
    flipped[place // 8] ^= 1 << place % 8
    one, same = session_for(data), session_for(data)
    events = heard(one, bytes(flipped))
    assert events == heard(same, bytes(flipped), 1)
    for event in events or []:
        assert_sound(event)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=9)
    | st.binary(max_size=65)
)
NAMES = ("hello", "row", "receipt", "checkpoint", "restart", "ping", "pong")


@given(
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=5), max_leaves=20), st.sampled_from(NAMES)
)
@example([True, True, b""], "row")
def test_any_fields_give_sound_events_or_end_the_link(fields: object, name: str) -> None:
    said = fields if isinstance(fields, list) else [fields]
    for event in heard(opened(), frame(name, *said)) or []:
        assert_sound(event)


def assert_sound(event: Event) -> None:
    """What a session hands on can be put on the log and read from it again, type by type."""
    match event:
        case Row(lane, number, data):
            assert (type(lane), type(number), type(data)) == (int, int, bytes)
            assert lane in LANES
            assert number > 0
        case PeerReady(place, _) | Restarted(place):
            assert_position(place)
        case Receipted(statement) | Attested(statement):
            assert_position(statement.position)
            assert len(statement.signature) == len(UNSIGNED)
        case Heard() | Offset():
            pass


def assert_position(place: Position) -> None:
    assert place.defect == ""
    assert msgspec.msgpack.decode(encode(place), type=Position) == place


def test_heads_are_those_of_the_rows() -> None:
    side = told(6)
    head = EMPTY_HEAD
    for row in side.rows(Lane.WARNING, 0, 100):
        head = next_head(head, row.data)
        assert row.head == head
    assert side.sent.heads[Lane.WARNING] == head

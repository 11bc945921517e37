"""What a third person can tell from signatures and digests alone: who changed what, and who said two things."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noroshi.messages import Ed25519, derive
from noroshi.messages.kinds import Lane
from noroshi.sharing import Position, Statement
from noroshi.sharing.proof import Between, Difference, Finding, Shown, What
from noroshi.sharing.streams import LANES, START, head_after, next_head, statement_bytes

SCHEME = Ed25519()
SECRETS = {name: derive(b"proof", name) for name in ("USA", "JPN", "KOR")}
BETWEEN = Between("real", "USA", "JPN")
ROWS = tuple(b"row %d" % number for number in range(1, 9))


def digest(data: bytes) -> bytes:
    return sha256(data).digest()


def verified_by(name: str) -> Callable[[bytes, bytes], bool]:
    key = SCHEME.public_key(SECRETS[name])
    return lambda data, signature: SCHEME.verify(key, data, signature)


def standing(rows: tuple[bytes, ...], lane: Lane = Lane.NOTICE, base: Position = START) -> Position:
    """Where a stream stands after these rows."""
    head = base.heads[lane]
    for data in rows:
        head = next_head(head, data)
    return base.at(lane, base.upto[lane] + len(rows), head)


def signed(
    position: Position, what: What = "checkpoint", signer: str = "USA", between: Between = BETWEEN
) -> Statement:
    data = statement_bytes(what, between.realm, between.sender, between.receiver, position)
    return Statement(position, SCHEME.sign(SECRETS[signer], data))


def shown(rows: tuple[bytes, ...], lane: Lane = Lane.NOTICE, base: Position = START) -> Shown:
    one = Shown(base)
    for data in rows:
        one.add(lane, digest(data))
    return one


def examined(
    rows: tuple[bytes, ...], *, own: tuple[bytes, ...] | None = ROWS, signed_for: tuple[bytes, ...] = ROWS
) -> Finding:
    """What is found about rows that Japan shows, when America has signed for `signed_for` and shows `own`."""
    signers = None if own is None else shown(own)
    return BETWEEN.examine(
        "checkpoint", signed(standing(signed_for)), shown(rows), verified_by("USA"), signers
    )


def test_rows_that_were_signed_for_agree_and_so_do_those_with_later_ones() -> None:
    assert examined(ROWS, own=None) == Finding(True, True, ())
    assert examined(ROWS, own=None).agrees
    assert examined((*ROWS, b"not signed for yet"), own=None).agrees
    assert examined((), own=None, signed_for=()).agrees


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((*ROWS[:3], b"other", *ROWS[4:]), [("altered", 4, 4, 1)]),
        ((*ROWS[:3], b"other", b"others", *ROWS[5:]), [("altered", 4, 5, 2)]),
        ((*ROWS[:3], *ROWS[4:]), [("omitted", 4, 4, 1)]),
        (ROWS[3:], [("omitted", 1, 3, 3)]),
        (ROWS[:5], [("omitted", 6, 8, 3)]),
        ((), [("omitted", 1, 8, 8)]),
        ((b"more", *ROWS), [("added", 1, 1, 1)]),
        ((*ROWS[:4], b"more", b"and more", *ROWS[4:]), [("added", 5, 6, 2)]),
        ((*ROWS[:1], *ROWS[2:6], b"more", *ROWS[6:]), [("omitted", 2, 2, 1), ("added", 6, 6, 1)]),
        ((*ROWS[:7], b"other"), [("altered", 8, 8, 1)]),
        ((*ROWS[:7], b"other", b"later"), [("altered", 8, 8, 1)]),
    ],
)  # fmt: skip
def test_with_the_signers_rows_it_is_told_what_was_done(
    rows: tuple[bytes, ...], expected: list[tuple[str, int, int, int]]
) -> None:
    found = examined(rows)
    assert not found.agrees
    assert [(one.what, one.first, one.last, one.count) for one in found.differences] == expected
    assert {one.lane for one in found.differences} == {Lane.NOTICE}


@pytest.mark.parametrize("own", [None, ROWS[:7], (*ROWS[:7], b"not as signed"), ()])
def test_without_the_signers_rows_or_with_false_ones_it_is_told_that_something_was(
    own: tuple[bytes, ...] | None,
) -> None:
    assert examined((*ROWS[:3], b"other", *ROWS[4:]), own=own).differences == (
        Difference(2, "unsettled", 1, 8, 1),
    )
    assert examined((*ROWS[:3], *ROWS[4:]), own=own).differences == (Difference(2, "omitted", 1, 8, 1),)
    assert examined(ROWS, own=own).agrees, "what fits the signature needs nobody else's word"


def test_an_earlier_statement_that_both_accept_narrows_the_place() -> None:
    agreed = standing(ROWS[:5])
    rows = (*ROWS[:6], b"other", ROWS[7])
    late = shown(rows[5:], base=agreed)
    found = BETWEEN.examine("checkpoint", signed(standing(ROWS)), late, verified_by("USA"))
    assert found.differences == (Difference(2, "unsettled", 6, 8, 1),)
    told = BETWEEN.examine(
        "checkpoint", signed(standing(ROWS)), late, verified_by("USA"), shown(ROWS[5:], base=agreed)
    )
    assert told.differences == (Difference(2, "altered", 7, 7, 1),)


def test_a_statement_from_before_the_shown_rows_or_of_other_streams_says_nothing_about_them() -> None:
    late = shown(ROWS[5:], base=standing(ROWS[:5]))
    for position in (standing(ROWS[:4]), Position(1, standing(ROWS).upto, standing(ROWS).heads)):
        found = BETWEEN.examine("checkpoint", signed(position), late, verified_by("USA"))
        assert found == Finding(signed=True, comparable=False)
        assert not found.agrees


def test_each_lane_is_held_against_its_own_rows() -> None:
    place = standing(ROWS[:3], Lane.WARNING, standing(ROWS))
    one = shown(ROWS)
    for data in (ROWS[0], ROWS[2]):
        one.add(Lane.WARNING, digest(data))
    found = BETWEEN.examine("checkpoint", signed(place), one, verified_by("USA"))
    assert found.differences == (Difference(Lane.WARNING, "omitted", 1, 3, 1),)


def test_a_receiver_is_bound_by_its_receipt() -> None:
    """It has receipted eight rows and shows seven: it, or its record, has lost one since."""
    receipt = signed(standing(ROWS), "receipt", "JPN")
    found = BETWEEN.examine("receipt", receipt, shown(ROWS[:7]), verified_by("JPN"), shown(ROWS))
    assert found.differences == (Difference(2, "omitted", 8, 8, 1),)
    assert BETWEEN.examine("receipt", receipt, shown(ROWS), verified_by("JPN")).agrees


def test_a_sender_that_signs_two_things_about_one_place_is_caught() -> None:
    one, other = signed(standing(ROWS)), signed(standing((*ROWS[:7], b"another")))
    verify = verified_by("USA")
    assert BETWEEN.contradiction("checkpoint", one, other, verify) == (Lane.NOTICE,)
    assert BETWEEN.contradiction("checkpoint", one, one, verify) == ()
    assert BETWEEN.contradiction("checkpoint", one, signed(standing(ROWS[:7])), verify) == ()
    other_epoch = Position(1, other.position.upto, other.position.heads)
    assert BETWEEN.contradiction("checkpoint", one, signed(other_epoch), verify) == ()


@pytest.mark.parametrize(
    "forged",
    [
        Statement(standing(ROWS), bytes(64)),
        Statement(standing(ROWS[:7]), signed(standing(ROWS)).signature),
        signed(standing(ROWS), signer="KOR"),
        signed(standing(ROWS), "receipt"),
        signed(standing(ROWS), between=Between("exercise:a", "USA", "JPN")),
        signed(standing(ROWS), between=Between("real", "USA", "KOR")),
        signed(standing(ROWS), between=Between("real", "JPN", "USA")),
        signed(Position(0, (0, 0, -1, 0), START.heads)),
        signed(START.at(2, 0, b"short")),
    ],
)
def test_a_statement_that_is_not_genuine_proves_nothing(forged: Statement) -> None:
    verify = verified_by("USA")
    assert BETWEEN.examine("checkpoint", forged, shown(()), verify) == Finding(signed=False)
    genuine = signed(standing((*ROWS[:7], b"another")))
    assert BETWEEN.contradiction("checkpoint", genuine, forged, verify) == ()
    assert BETWEEN.contradiction("checkpoint", forged, genuine, verify) == ()


def test_rows_of_streams_that_were_begun_anew() -> None:
    one = shown(ROWS[:6])
    one.add(Lane.TRACK, digest(b"a track"))
    place = standing(ROWS[:4])
    one.restart(Position(1, place.upto, place.heads))
    for data in (ROWS[5], b"later"):
        one.add(Lane.NOTICE, digest(data))
    begun = standing((*ROWS[:4], ROWS[5], b"later"))
    position = Position(1, begun.upto, begun.heads)
    assert BETWEEN.examine("checkpoint", signed(position), one, verified_by("USA")).agrees
    assert one.upto(Lane.TRACK) == 0


def test_a_sender_that_begins_anew_after_rows_that_it_never_sent_is_caught() -> None:
    one = shown(ROWS[:6])
    false = standing((*ROWS[:3], b"rewritten"))
    one.restart(Position(1, false.upto, false.heads))
    one.add(Lane.NOTICE, digest(b"later"))
    after = standing((b"later",), base=Position(1, false.upto, false.heads))
    found = BETWEEN.examine("checkpoint", signed(after), one, verified_by("USA"))
    assert found.differences == (Difference(2, "unsettled", 1, 5, 1),)


def test_streams_begun_anew_before_the_shown_rows_have_no_other_base() -> None:
    one = shown(ROWS[5:], base=standing(ROWS[:5]))
    place = standing(ROWS[:2])
    one.restart(Position(1, place.upto, place.heads))
    assert (one.base, one.upto(Lane.NOTICE)) == (Position(1, place.upto, place.heads), 2)


@given(st.lists(st.integers(0, 5), max_size=12), st.lists(st.integers(0, 5), max_size=12))
def test_any_rows_agree_only_with_what_was_signed_for_and_what_was_done_gives_them(
    signed_for: list[int], held: list[int]
) -> None:
    """Rows repeat here, which no real rows do: even so what is told, done to the signed rows, gives those shown."""
    rows, other = tuple(b"%d" % one for one in signed_for), tuple(b"%d" % one for one in held)
    found = examined(other, own=rows, signed_for=rows)
    assert found.agrees == (other[: len(rows)] == rows)
    if found.agrees:
        return
    assert found.differences
    assert all(one.count == one.last - one.first + 1 for one in found.differences)
    left = {
        number
        for one in found.differences
        if one.what in ("altered", "omitted")
        for number in range(one.first, one.last + 1)
    }
    kept = [data for number, data in enumerate(rows, 1) if number not in left]
    rest = iter(other)
    assert all(data in rest for data in kept), "the rows that are not named are there, in order"


def test_heads_come_from_digests_alone() -> None:
    one = shown(ROWS)
    assert [one.head(Lane.NOTICE, upto) for upto in range(9)] == [
        standing(ROWS[:upto]).heads[2] for upto in range(9)
    ]
    assert head_after(one.head(2, 7), digest(ROWS[7])) == one.head(2, 8)
    assert [one.upto(lane) for lane in LANES] == [0, 0, 8, 0]

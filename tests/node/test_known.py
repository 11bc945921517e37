"""What was ever seen: like a dictionary, whatever was joined meanwhile; small, quick, and shared between snapshots."""

from __future__ import annotations

import sys
import time
from hashlib import blake2b

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from noroshi.errors import LocalError
from noroshi.node import known as module
from noroshi.node.known import KEY_BYTES, RECALLED, SEGMENT, Known, Segment

SECRET = bytes(range(32))


def keys(count: int, start: int = 0) -> list[bytes]:
    return [
        blake2b(n.to_bytes(8, "big"), digest_size=KEY_BYTES).digest() for n in range(start, start + count)
    ]


def again(known: Known) -> Known:
    """The same, by way of bytes."""
    recent, marks = known.recent
    return Known.of(SECRET, [Segment(one.data) for one in known.segments], recent, marks)


class LikeADictionary(RuleBasedStateMachine):
    """Segments of four messages, so that they are joined often."""

    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(module, "SEGMENT", 4)
        self.patch.setattr(module, "LARGEST", 32)
        self.known = Known(SECRET)
        self.plain: dict[bytes, int] = {}

    def teardown(self) -> None:
        self.patch.undo()

    @rule(count=st.integers(1, 9))
    def add(self, count: int) -> None:
        for key in keys(count, len(self.plain)):
            self.plain[key] = 0
            self.known.add(key)

    @rule(key=st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES), same_half=st.booleans())
    def add_any(self, key: bytes, same_half: bool) -> None:
        key = bytes(8) + key[8:] if same_half else key
        if key not in self.plain:
            self.plain[key] = 0
            self.known.add(key)

    @rule(which=st.integers(0, 10_000), bit=st.integers(0, RECALLED))
    def mark(self, which: int, bit: int) -> None:
        if self.plain:
            key = list(self.plain)[which % len(self.plain)]
            self.plain[key] |= 1 << bit
            self.known.mark(key, bit)

    @rule()
    def restart(self) -> None:
        self.known = again(self.known)

    @invariant()
    def alike(self) -> None:
        if not hasattr(self, "plain"):
            return
        assert len(self.known) == len(self.plain)
        assert {key: self.known.mask(key) for key in self.plain} == self.plain
        assert all(key in self.known for key in self.plain)
        assert not any(key in self.known for key in keys(5, 10**6))


TestLikeADictionary = LikeADictionary.TestCase
TestLikeADictionary.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_a_key_belongs_to_origin_id_and_secret() -> None:
    known = Known(SECRET)
    different = {
        known.key("USA", b"a" * 16),
        known.key("KOR", b"a" * 16),
        known.key("USA", b"b" * 16),
        known.key("A", b"a" * 15 + b"US"),
        Known(bytes(32)).key("USA", b"a" * 16),
    }
    assert len(different) == 5
    assert known.key("USA", b"a" * 16) == Known(SECRET).key("USA", b"a" * 16)


def test_what_was_never_seen_has_no_mark_and_takes_none() -> None:
    known = Known(SECRET)
    (key,) = keys(1)
    assert known.mask(key) == 0
    with pytest.raises(LookupError):
        known.mark(key, 1)


def test_torn_bytes_are_refused() -> None:
    with pytest.raises(LocalError):
        Segment(b"1" * 19)
    with pytest.raises(LocalError):
        Known.of(SECRET, [], b"1" * 21, b"")


def test_segments_never_change_and_few_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT", 4)
    monkeypatch.setattr(module, "LARGEST", 32)
    known, before = Known(SECRET), [b""]
    for key in keys(4 * 31):
        known.add(key)
        now = [one.digest for one in known.segments]
        if len(now) > len(before):
            assert now[: len(before)] == before
        before = now
    assert [len(one) for one in known.segments] == [32, 32, 32, 16, 8, 4]


@pytest.mark.slow
def test_many_messages_are_small_and_quickly_asked() -> None:
    known = Known(SECRET)
    for key in keys(300_000):
        known.add(key)
    in_segments = sum(sys.getsizeof(one.data) for one in known.segments)
    assert in_segments < 21 * len(known)
    assert [len(one) for one in known.segments] == [4 * SEGMENT]
    assert best_us(known, keys(1000, 299_000)) < 20  # recent
    assert best_us(known, keys(1000)) < 200  # old: a wide margin, for busy machines
    assert best_us(known, keys(1000, 2_000_000)) < 200  # never seen


def best_us(known: Known, wanted: list[bytes]) -> float:
    """The best of five times for one look, microseconds."""
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        for key in wanted:
            key in known  # noqa: B015  # the look is what is timed
        times.append(time.perf_counter() - begin)
    return min(times) / len(wanted) * 1e6

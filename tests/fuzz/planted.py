"""Targets with a defect in each, by which the fuzzers themselves are tested: what they are for, they must find."""

from __future__ import annotations

import time

from tests.fuzz.table import MIB, Look, Target

SEED = b"a: 1\nb: 2\nc: 3\n"


def _crash(data: bytes) -> None:
    if b"null" in data:
        raise LookupError("planted")


def _slow(data: bytes) -> None:
    """Time with the square of the lines."""
    lines = data.split(b"\n")
    end_s = time.thread_time() + (0.0001 * len(lines) ** 2 if len(lines) > 20 else 0.0)
    while time.thread_time() < end_s:
        pass


def _large(data: bytes) -> None:
    bytearray(data.count(b"\n") * MIB)


def _keeping() -> Look:
    kept: list[bytes] = []
    return lambda data: kept.append(data + bytes(64 << 10))


def _target(name: str, look: Look) -> Target:
    worst = b"a\n" * 500
    return Target(
        name, "planted", lambda: look, lambda: [SEED], "yaml", 1000, 16.0, 0.2, lambda size: [worst]
    )


PLANTED = (
    _target("planted:crash", _crash),
    _target("planted:slow", _slow),
    _target("planted:large", _large),
    Target("planted:keeping", "planted", _keeping, lambda: [SEED], "yaml", 1000, 16.0, 0.2),
)

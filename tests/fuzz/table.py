"""What a target of the fuzzers is, and how one input is held to it.

A target takes any bytes. It lets through the refusals that the decoder promises and nothing else: another exception is
a defect, and so is an input that takes more processor time than `seconds` or more memory than `peak_mib` while it is
looked at. Both bounds are what the largest input may cost, `max_bytes` of it.

    one = target("canonical")
    held(one, one.make(), b"...")             # raises DefectError
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.fuzz.mutate import Form

MIB = 1 << 20

Look = Callable[[bytes], object]
"""Looks at one input; what it gives is not used."""


class DefectError(AssertionError):
    """An input that a target does not take as it should."""


@dataclass(frozen=True, slots=True)
class Target:
    """One row of the table.

    make: what is prepared once per process, and gives the function that looks at an input. seeds: inputs that are right.
    worst: inputs of at most so many bytes that were built to cost as much as they can. peak_mib: MiB of Python's memory
    at the height of one input; seconds: of processor time on a slow machine, for one input of `max_bytes`.
    """

    name: str
    says: str
    make: Callable[[], Look]
    seeds: Callable[[], Sequence[bytes]]
    form: Form
    max_bytes: int
    peak_mib: float
    seconds: float
    worst: Callable[[int], Iterable[bytes]] | None = None


def held(one: Target, look: Look, data: bytes, slower: float = 1.0) -> None:
    """Looks at one input of a target within its time. Raises DefectError, from the cause where there is one.

    slower: how much more time is allowed, in a process that watches itself.
    """
    began = time.thread_time()
    try:
        look(data)
    except Exception as error:  # any exception at all is what is being looked for
        raise DefectError(f"{one.name}: {type(error).__name__}: {error}") from error
    took_s = time.thread_time() - began
    allowed_s = one.seconds * slower
    if took_s > allowed_s:
        raise DefectError(
            f"{one.name}: {len(data)} bytes took {took_s:.2f} s, and {allowed_s:g} s are allowed"
        )


def peak_bytes(look: Look, data: bytes) -> int:
    """How much more of Python's memory was in use at the height of one input than before it."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        look(data)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()

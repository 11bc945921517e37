"""Time as a value: UTC nanoseconds since 1970, handed in, never read below `service`.

now_ns = from_iso("2022-10-03T22:22:00Z")
to_iso(now_ns + seconds(1.5))        # '2022-10-03T22:22:01.500Z'
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

NS_PER_S = 1_000_000_000
NEVER = 2**63 - 1
"""A time after all others: "does not happen"."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Gives the present; only the shell owns one."""

    def now_ns(self) -> int:
        """UTC nanoseconds. May step backwards on a real machine; callers cope."""
        ...


def seconds(value_s: float) -> int:
    """Seconds as nanoseconds, rounded to the nearest."""
    return round(value_s * NS_PER_S)


def from_iso(text: str) -> int:
    """UTC nanoseconds of an ISO 8601 time with a zone. Raises ValueError when it has no zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write for example 2022-10-03T22:22:00Z")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * NS_PER_S + delta.microseconds * 1000


def to_datetime(time_ns: int) -> datetime:
    """The aware UTC datetime of `time_ns`, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def to_iso(time_ns: int, *, digits: int = 3) -> str:
    """ISO 8601 in UTC with `digits` decimals of the second (0 to 9), cut not rounded."""
    whole, part = divmod(time_ns, NS_PER_S)
    text = (_EPOCH + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{part:09d}"[: 20 + digits] + "Z" if digits else text + "Z"


def ceil_to(time_ns: int, step_ns: int) -> int:
    """The first multiple of `step_ns` at or after `time_ns`: the tick on which a party is served."""
    return -(-time_ns // step_ns) * step_ns

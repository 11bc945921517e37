"""Clocks of the nations whose public is told: a fixed offset each, since none of them shifts its clocks.

zone_of("JP").hhmm(from_iso("2022-10-03T22:28:30Z"))        # '07:28'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from noroshi.clock import NS_PER_S, to_datetime


@dataclass(frozen=True, slots=True)
class Zone:
    """A clock: its short name and how many seconds it is ahead of UTC."""

    name: str
    ahead_s: int

    def hhmm(self, time_ns: int) -> str:
        """Hour and minute, cut."""
        return (to_datetime(time_ns) + timedelta(seconds=self.ahead_s)).strftime("%H:%M")

    def iso(self, time_ns: int) -> str:
        """ISO 8601 to the second (cut) with a numeric offset; UTC is `-00:00`, as CAP 1.2 asks."""
        local = (to_datetime(time_ns) + timedelta(seconds=self.ahead_s)).strftime("%Y-%m-%dT%H:%M:%S")
        hours, minutes = divmod(abs(self.ahead_s) // 60, 60)
        return f"{local}{'+' if self.ahead_s > 0 else '-'}{hours:02d}:{minutes:02d}"


UTC_ZONE = Zone("UTC", 0)

_ZONES: Mapping[str, Zone] = MappingProxyType(
    {"JP": Zone("JST", 9 * 3600), "KR": Zone("KST", 9 * 3600), "GU": Zone("ChST", 10 * 3600)}
)


def zone_of(nation: str) -> Zone:
    """The clock of a nation by its code; UTC for one with several clocks or none known."""
    return _ZONES.get(nation, UTC_ZONE)


def ceil_s(time_ns: int) -> int:
    """The first whole second at or after a time."""
    return -(-time_ns // NS_PER_S) * NS_PER_S

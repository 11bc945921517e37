"""How wide an alert of a unit may be: no wider than its authority, and no wider than what it rests on.

A unit of local government alerts its own place, every other unit its nation, unless its partner's warrant names the
regions. An alert that would be wider is refused at the source, with the widest one that would pass.

    scope = Scope(countries=frozenset({"KR"}), regions=frozenset({"Seoul"}))
    narrow(asked, scope, warned)             # Narrowed(areas=..., reason="wider-than-warning")
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from noroshi.structure import Structure

Region = tuple[str, str]
"""A country's code and the name of a region in it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one unit may alert: all of these countries, or of them only these regions."""

    countries: frozenset[str]
    regions: frozenset[str] | None = None

    def holds(self, region: Region) -> bool:
        """Whether a region is within it."""
        country, name = region
        return country in self.countries and (self.regions is None or name in self.regions)


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What would pass of what was asked for, and why not all of it; an empty reason where all of it passes."""

    areas: tuple[Region, ...]
    reason: str = ""

    @property
    def words(self) -> str:
        """For the operator: the widest alert that would pass."""
        names = ", ".join(name for _, name in self.areas)
        return f"the widest that would pass: {names}" if names else "no part of it would pass"


def scope_of(
    structure: Structure,
    unit: str,
    countries: Iterable[str],
    known: Collection[str],
    named: Mapping[str, Collection[str]],
) -> Scope:
    """The scope of a unit that serves these countries. known: names of their regions; named: units that the warrant
    has given regions of their own.
    """
    own = frozenset(countries)
    if unit in named:
        return Scope(own, frozenset(named[unit]))
    found = structure.unit(unit) if structure.has(unit) else None
    if found is None or found.kind != "local-government" or not found.place:
        return Scope(own)
    places = frozenset(part.strip() for part in found.place.split(";")).intersection(known)
    return Scope(own, places or None)


def narrow(asked: Iterable[Region], scope: Scope, warned: Collection[Region] | None) -> Narrowed:
    """What of the regions asked for may be alerted. warned: what is warned of; None where the alert rests on nothing."""
    regions = tuple(dict.fromkeys(asked))
    lawful = tuple(one for one in regions if scope.holds(one))
    passing = lawful if warned is None else tuple(one for one in lawful if one in warned)
    if not regions:
        return Narrowed((), "no-areas")
    if len(lawful) < len(regions):
        return Narrowed(passing, "wider-than-authority")
    return Narrowed(passing, "wider-than-warning" if len(passing) < len(regions) else "")

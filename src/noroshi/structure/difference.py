"""What differs between two structures, and what the difference does to who is warned live.

for change in difference(before, after).changes:
    print(change.section, change.what, change.key, change.fields)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from noroshi.structure.crossing import audiences
from noroshi.structure.model import WARNING_CONTENT, Cited, Structure, fields_of

HEAD = ("title", "valid_from", "valid_to", "combination")


@dataclass(frozen=True, slots=True)
class Change:
    """section: head, units, links, sharing or authorities; what: added, removed or changed; key: which element.

    fields: of a change, (name, value in the first, value in the second), None where a side has none.
    """

    section: str
    what: str
    key: str
    fields: tuple[tuple[str, object, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """A nation that live warning data of a sensor group begin (gained) or cease to get to, and the edges of the way."""

    sensor: str
    content: str
    nation: str
    gained: bool
    edges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Every change in the order of the files, and the effects on live warning."""

    first: str
    second: str
    changes: tuple[Change, ...]
    effects: tuple[Effect, ...]


def difference(first: Structure, second: Structure) -> Difference:
    """What is added, removed and changed from `first` to `second`, sources and confidence included."""
    changes = [
        *_head(first, second),
        *_section("units", _keyed(first.units), _keyed(second.units)),
        *_section("links", _keyed(first.links), _keyed(second.links)),
        *_section("sharing", _keyed(first.sharing), _keyed(second.sharing)),
        *_section("authorities", _keyed(first.authorities), _keyed(second.authorities)),
    ]
    return Difference(first.id, second.id, tuple(changes), tuple(_effects(first, second)))


def _head(first: Structure, second: Structure) -> Iterator[Change]:
    for name in HEAD:
        one, other = getattr(first, name), getattr(second, name)
        if one != other:
            yield Change("head", "changed", name, ((name, one, other),))


def _keyed(elements: Iterable[Cited]) -> dict[str, dict[str, object]]:
    """Elements under the names by which they are the same in both; a second one of a name gets `#2`."""
    found = {}
    times: Counter[str] = Counter()
    for element in elements:
        fields = fields_of(element)
        key = _key(fields)
        times[key] += 1
        found[key if times[key] == 1 else f"{key} #{times[key]}"] = fields
    return found


def _key(fields: dict[str, object]) -> str:
    if "id" in fields:
        return str(fields["id"])
    if "decision" in fields:
        return f"{fields['unit']} {fields['role']} {fields['decision']}"
    return f"{fields['from']} {fields['type']} {fields['to']}"


def _section(
    section: str, first: dict[str, dict[str, object]], second: dict[str, dict[str, object]]
) -> Iterator[Change]:
    for key in first:
        if key not in second:
            yield Change(section, "removed", key)
    for key, fields in second.items():
        if key not in first:
            yield Change(section, "added", key)
            continue
        names = dict.fromkeys((*first[key], *fields))
        rows = tuple((name, first[key].get(name), fields.get(name)) for name in names)
        differing = tuple(row for row in rows if row[1] != row[2])
        if differing:
            yield Change(section, "changed", key, differing)


def _effects(first: Structure, second: Structure) -> Iterator[Effect]:
    both = [unit.id for unit in second.units if unit.kind == "sensor-group" and first.has(unit.id)]
    for sensor in both:
        for content in WARNING_CONTENT:
            one, other = audiences(first, sensor, content), audiences(second, sensor, content)
            for nation in sorted(one.keys() ^ other.keys()):
                gained = nation in other
                way = other[nation] if gained else one[nation]
                yield Effect(sensor, content, nation, gained, way.edges)

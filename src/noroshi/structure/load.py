"""Text of a structure file to a `Structure`, with every check that types alone cannot make.

Refused with file, line and field: ids given twice, references to nothing, nations outside the list, a command
or an authority that would reach over a nation's own, one-sided `joint_with`, dates in the wrong order, and
anything about a weapon. What is legal but suspicious is no error: `check.findings` lists it.

    catalogue = load_catalogue(decisions_text, "decisions.yaml")
    structure = load_structure(text, "after.yaml", catalogue)
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from datetime import date
from typing import Any, NoReturn

from noroshi.documents import Document, Path, convert, fail, json_schema, parse, suggest
from noroshi.structure.model import (
    BODY_KINDS,
    NATIONS,
    REFERENCE_PATTERN,
    ROLES,
    Authority,
    Catalogue,
    Cited,
    Link,
    Structure,
    Unit,
    references,
)

EXCLUDED_WORDS = re.compile(
    r"\b(weapon|armament|intercept|target|engage|engagement|strike|fire|firing|shoot|munition|warhead|nuclear|attack"
    r"|offensive|offence|offense|exploit|kill|bombard|launch-order|launch-authority|rules-of-engagement)",
    re.IGNORECASE,
)
"""What no decision may be about: the catalogue's `excluded` list as words. The product warns, shares,
coordinates and exercises; a file cannot bring in authority over a weapon under a new name."""


def load_catalogue(text: str, file: str) -> Catalogue:
    """The catalogue of decisions. Raises InputError."""
    document = parse(text, file)
    catalogue = convert(document, Catalogue)
    _unique(document, "decisions", "id", catalogue.decision_ids)
    for role in catalogue.roles:
        if role not in ROLES:
            fail(document, ("roles", role), "unknown role", suggest(role, ROLES))
    for role in ROLES:
        if role not in catalogue.roles:
            fail(document, ("roles", role), "the role is not explained", f"add `{role}:` with its meaning")
    _check_sources(document, "decisions", catalogue.decisions)
    for position, decision in enumerate(catalogue.decisions):
        for name, value in (("id", decision.id), ("title", decision.title)):
            _refuse_excluded(document, ("decisions", position, name), value)
    return catalogue


def load_structure(text: str, file: str, catalogue: Catalogue) -> Structure:
    """The structure in the text, checked against the catalogue. Raises InputError at the first fault."""
    document = parse(text, file)
    structure = convert(document, Structure)
    _check_dates(document, structure)
    _unique(document, "units", "id", structure.unit_ids)
    _unique(document, "sharing", "id", [edge.id for edge in structure.sharing])
    units = {unit.id: unit for unit in structure.units}
    for position, unit in enumerate(structure.units):
        _check_nations(document, ("units", position, "nation"), unit.nation.split("+"))
    _check_links(document, structure, units)
    _check_sharing(document, structure, units)
    _check_authorities(document, structure, units, catalogue)
    for section in ("units", "links", "sharing", "authorities"):
        _check_sources(document, section, getattr(structure, section))
    return structure


def published_schemas() -> dict[str, dict[str, Any]]:
    """File names and contents of the JSON Schemas in `docs/schemas`; they cannot say all that loading checks."""
    kinds = {"structure": Structure, "decisions": Catalogue}
    return {
        f"{name}.schema.json": {
            "$id": f"https://noroshi.invalid/schemas/{name}.schema.json",
            **json_schema(kind),
        }
        for name, kind in kinds.items()
    }


def _check_dates(document: Document, structure: Structure) -> None:
    start = _day(document, "valid_from", structure.valid_from)
    if structure.valid_to is not None and _day(document, "valid_to", structure.valid_to) <= start:
        fail(
            document,
            ("valid_to",),
            "not later than valid_from",
            "give a later date, or null while it is open",
        )


def _check_sources(document: Document, section: str, elements: Iterable[Cited]) -> None:
    for position, element in enumerate(elements):
        path: Path = (section, position, "source")
        for number, reference in enumerate(references(element.source)):
            if not re.fullmatch(REFERENCE_PATTERN, reference):
                place = path if isinstance(element.source, str) else (*path, number)
                hint = "give a report's id such as report-a, or a page address"
                fail(document, place, f"{reference!r} is no source", hint)


def _day(document: Document, name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(document, (name,), f"{text} is no day of the calendar", "give a date such as 2025-03-24")


def _check_nations(document: Document, path: Path, nations: Iterable[str]) -> None:
    """path: of the field that holds them all, or of the list that holds one each."""
    seen: set[str] = set()
    for position, nation in enumerate(nations):
        place = (*path, position) if path[-1] == "releasable_to" else path
        if nation not in NATIONS:
            fail(document, place, f"unknown nation {nation}", suggest(nation, NATIONS))
        if nation in seen:
            fail(document, place, f"{nation} is given twice", "give each nation once")
        seen.add(nation)


def _check_links(document: Document, structure: Structure, units: dict[str, Unit]) -> None:
    seen: dict[Hashable, int] = {}
    superiors: dict[str, list[str]] = {}
    for position, link in enumerate(structure.links):
        path: Path = ("links", position)
        _ends(document, path, link.from_unit, link.to_unit, units)
        _once(document, path, (link.from_unit, link.to_unit, link.type), seen, "the same link")
        if link.type == "command":
            _check_command(document, path, link, units)
            superiors.setdefault(link.to_unit, []).append(link.from_unit)
            if _above(link.to_unit, link.from_unit, superiors):
                cause = f"{link.to_unit} would command itself by way of {link.from_unit}"
                fail(document, (*path, "to"), cause, "a chain of command runs one way")
        if link.type == "member":
            _check_member(document, path, link, units)


def _check_command(document: Document, path: Path, link: Link, units: dict[str, Unit]) -> None:
    superior, subordinate = units[link.from_unit], units[link.to_unit]
    if superior.nations != subordinate.nations:
        cause = f"{superior.id} ({superior.nation}) cannot command {subordinate.id} ({subordinate.nation})"
        fail(document, (*path, "type"), cause, "across nations use coordination, counterpart or liaison")


def _above(unit: str, start: str, superiors: dict[str, list[str]]) -> bool:
    """Whether `unit` is `start` or stands above it."""
    waiting, seen = [start], {start}
    while waiting:
        here = waiting.pop()
        if here == unit:
            return True
        for above in superiors.get(here, ()):
            if above not in seen:
                seen.add(above)
                waiting.append(above)
    return False


def _check_member(document: Document, path: Path, link: Link, units: dict[str, Unit]) -> None:
    body, member = units[link.from_unit], units[link.to_unit]
    if body.kind not in BODY_KINDS and not body.shared:
        cause = f"{body.id} is no body but of kind {body.kind}"
        fail(document, (*path, "from"), cause, "a member link runs from the body to its member")
    if "multi" not in body.nations and not member.nations <= body.nations:
        cause = f"{member.id} ({member.nation}) is outside the nations of {body.id} ({body.nation})"
        fail(document, (*path, "to"), cause, "name a unit of the body's nations, or widen the body's nation")


def _check_sharing(document: Document, structure: Structure, units: dict[str, Unit]) -> None:
    for position, edge in enumerate(structure.sharing):
        path: Path = ("sharing", position)
        _ends(document, path, edge.from_unit, edge.to_unit, units)
        _check_nations(document, (*path, "releasable_to"), edge.releasable_to)
        _distinct(document, (*path, "content"), edge.content)


def _check_authorities(
    document: Document, structure: Structure, units: dict[str, Unit], catalogue: Catalogue
) -> None:
    known = catalogue.decision_ids
    seen: dict[Hashable, int] = {}
    for position, row in enumerate(structure.authorities):
        path: Path = ("authorities", position)
        _exists(document, (*path, "unit"), row.unit, units)
        _refuse_excluded(document, (*path, "decision"), row.decision)
        if row.decision not in known:
            cause = f"{row.decision} is not in the catalogue of decisions"
            fail(document, (*path, "decision"), cause, suggest(row.decision, known))
        _distinct(document, (*path, "modes"), row.modes)
        for mode in row.modes:
            _once(
                document,
                path,
                (row.unit, row.decision, row.role, mode),
                seen,
                f"the same authority in {mode}",
            )
        if row.joint_with is not None:
            _check_partner(document, (*path, "joint_with"), row, units)
    for position, row in enumerate(structure.authorities):
        if row.joint_with is not None:
            _check_both_sides(document, ("authorities", position, "joint_with"), row, structure)


def _check_partner(document: Document, path: Path, row: Authority, units: dict[str, Unit]) -> None:
    other = row.joint_with or ""
    _exists(document, path, other, units)
    if other == row.unit:
        fail(
            document, path, "a unit cannot decide jointly with itself", "name the other unit, or leave it out"
        )
    if row.role != "decide":
        fail(document, path, f"only the role decide is joint, not {row.role}", "leave joint_with out")


def _check_both_sides(document: Document, path: Path, row: Authority, structure: Structure) -> None:
    match = (row.joint_with, row.decision, "decide", row.unit, set(row.modes))
    for back in structure.authorities:
        if (back.unit, back.decision, back.role, back.joint_with, set(back.modes)) == match:
            return
    cause = f"{row.joint_with} has no matching row: decide {row.decision} joint_with {row.unit}"
    fail(document, path, cause, f"add one with modes [{', '.join(row.modes)}], or leave joint_with out")


def _ends(document: Document, path: Path, start: str, end: str, units: dict[str, Unit]) -> None:
    _exists(document, (*path, "from"), start, units)
    _exists(document, (*path, "to"), end, units)
    if start == end:
        fail(document, (*path, "to"), f"{end} is at both ends", "name another unit")


def _exists(document: Document, path: Path, unit: str, units: dict[str, Unit]) -> None:
    if unit not in units:
        fail(document, path, f"there is no unit {unit}", suggest(unit, units))


def _unique(document: Document, section: str, name: str, values: Iterable[str]) -> None:
    seen: dict[str, int] = {}
    for position, value in enumerate(values):
        if value in seen:
            first = document.line((section, seen[value], name))
            cause = f"{value} is given twice, first in line {first}"
            fail(document, (section, position, name), cause, "rename one or leave it out")
        seen[value] = position


def _once(document: Document, path: Path, key: Hashable, seen: dict[Hashable, int], what: str) -> None:
    first = seen.setdefault(key, document.line(path))
    if first != document.line(path):
        fail(document, path, f"{what} is given twice, first in line {first}", "leave one out")


def _distinct(document: Document, path: Path, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for position, value in enumerate(values):
        if value in seen:
            fail(document, (*path, position), f"{value} is given twice", "give it once")
        seen.add(value)


def _refuse_excluded(document: Document, path: Path, text: str) -> None:
    if found := EXCLUDED_WORDS.search(text):
        _refuse_weapon(document, path, text, found[0])


def _refuse_weapon(document: Document, path: Path, text: str, word: str) -> NoReturn:
    cause = f"{text!r} is excluded ({word}): no decision concerns a weapon, nuclear policy or an attack"
    fail(document, path, cause, "leave it out; see `excluded` in decisions.yaml")

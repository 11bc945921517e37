"""From a scenario's text to a scenario that is known to be playable under a structure.

loaded = load_scenario(text, "crisis.yaml")
check_scenario(loaded, structure, catalogue)         # raises InputError: file, line, field, what would be right
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from noroshi.clock import from_iso
from noroshi.documents import Document, Path, convert, fail, json_schema, parse
from noroshi.exercise.scenario import MaybeInForce, Scenario


@dataclass(frozen=True, slots=True)
class Loaded:
    """A scenario, and the document that it was read from, for naming lines."""

    scenario: Scenario
    document: Document

    def structures_named(self) -> tuple[str, ...]:
        """All structures that its elements' `when` name, in alphabetical order."""
        named = (one.when.structure for _, one in choices(self.scenario) if one.when)
        return tuple(sorted({name for names in named for name in names}))


def load_scenario(text: str, file: str) -> Loaded:
    """The scenario in `text`. Raises InputError for what is wrong whatever the structure."""
    document = parse(text, file)
    scenario = convert(document, Scenario)
    try:
        from_iso(scenario.start)
    except ValueError:
        fail(
            document, ("start",), f"{scenario.start!r} is no time with a zone", 'write "2022-10-03T22:22:00Z"'
        )
    return Loaded(scenario, document)


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema of scenario files."""
    schema = json_schema(Scenario)
    return {
        "$id": "https://noroshi.invalid/schemas/scenario.schema.json",
        "title": "noroshi scenario",
        **schema,
    }


def choices(scenario: Scenario) -> Iterator[tuple[Path, MaybeInForce]]:
    """Every element that may have a `when`, with its path."""
    for field in (
        "shared_units",
        "links",
        "sensors",
        "posts",
        "relays",
        "consultations",
        "injects",
        "expectations",
    ):
        for index, one in enumerate(getattr(scenario, field)):
            yield (field, index), one
    for index, flight in enumerate(scenario.world.flights):
        yield ("world", "flights", index), flight
    for index, partner in enumerate(scenario.partners):
        for number, row in enumerate(partner.assessing):
            yield ("partners", index, "assessing", number), row

"""All targets of the fuzzers, in one table."""

from __future__ import annotations

from tests.fuzz import (
    cot,
    hazards,
    keyrings,
    links,
    messages,
    nodes,
    persons,
    planted,
    records,
    served,
    texts,
)
from tests.fuzz.table import Target

TARGETS: tuple[Target, ...] = (
    *messages.TARGETS,
    *keyrings.TARGETS,
    *persons.TARGETS,
    *texts.TARGETS,
    *cot.TARGETS,
    *hazards.TARGETS,
    *links.TARGETS,
    *records.TARGETS,
    *served.TARGETS,
    *nodes.TARGETS,
)


def target(name: str) -> Target:
    """The target of that name, or the planted one. Raises KeyError."""
    return {one.name: one for one in (*TARGETS, *planted.PLANTED)}[name]

"""All targets of the fuzzers, in one table."""

from __future__ import annotations

from tests.fuzz import keyrings, links, messages, nodes, planted, records, served, texts
from tests.fuzz.table import Target

TARGETS: tuple[Target, ...] = (
    *messages.TARGETS,
    *keyrings.TARGETS,
    *texts.TARGETS,
    *links.TARGETS,
    *records.TARGETS,
    *served.TARGETS,
    *nodes.TARGETS,
)


def target(name: str) -> Target:
    """The target of that name, or the planted one. Raises KeyError."""
    return {one.name: one for one in (*TARGETS, *planted.PLANTED)}[name]

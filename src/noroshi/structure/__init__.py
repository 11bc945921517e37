"""Command and coordination structures: checked files, crossing rule, service map, authorities, comparison."""

from noroshi.structure.authority import alert_recipients, deciders, may, members, rows, units_with
from noroshi.structure.check import Finding, findings
from noroshi.structure.crossing import Way, audiences, reach, ways
from noroshi.structure.difference import Change, Difference, Effect, difference
from noroshi.structure.draw import mermaid, svg
from noroshi.structure.load import load_catalogue, load_structure, published_schemas
from noroshi.structure.model import (
    LIVE,
    MODES,
    ROLES,
    Authority,
    Catalogue,
    Decision,
    Link,
    SharingEdge,
    Structure,
    Unit,
    UnknownUnitError,
)
from noroshi.structure.nodes import AssignmentError, assign, unserved

__all__ = [
    "LIVE",
    "MODES",
    "ROLES",
    "AssignmentError",
    "Authority",
    "Catalogue",
    "Change",
    "Decision",
    "Difference",
    "Effect",
    "Finding",
    "Link",
    "SharingEdge",
    "Structure",
    "Unit",
    "UnknownUnitError",
    "Way",
    "alert_recipients",
    "assign",
    "audiences",
    "deciders",
    "difference",
    "findings",
    "load_catalogue",
    "load_structure",
    "may",
    "members",
    "mermaid",
    "published_schemas",
    "reach",
    "rows",
    "svg",
    "units_with",
    "unserved",
    "ways",
]

"""Small structures for tests: made of values, or of a text whose lines are known."""

from __future__ import annotations

from collections.abc import Iterable

from noroshi.structure import Authority, Link, SharingEdge, Structure, Unit
from noroshi.structure.model import Cadence, LinkType, Mode, Role, UnitKind


def unit(name: str, nation: str, kind: UnitKind = "military-hq") -> Unit:
    return Unit(id=name, name=name, nation=nation, kind=kind, source="report-a", confidence="notional")


def link(start: str, kind: LinkType, end: str) -> Link:
    return Link(from_unit=start, to_unit=end, type=kind, source="report-a", confidence="notional")


def edge(
    name: str,
    start: str,
    end: str,
    releasable_to: str,
    *,
    both_ways: bool = False,
    cadence: Cadence = "realtime",
    content: str = "flight-path",
) -> SharingEdge:
    return SharingEdge(
        id=name,
        from_unit=start,
        to_unit=end,
        content=(content,),  # type: ignore[arg-type]  # tests name contents as plain texts
        cadence=cadence,
        releasable_to=tuple(releasable_to.split()),
        both_ways=both_ways,
        source="report-a",
        confidence="notional",
    )


def authority(
    holder: str,
    role: Role,
    decision: str,
    *,
    joint_with: str | None = None,
    modes: tuple[Mode, ...] = ("peacetime", "crisis", "hostilities"),
) -> Authority:
    return Authority(
        unit=holder,
        role=role,
        decision=decision,
        joint_with=joint_with,
        modes=modes,
        source="report-a",
        confidence="notional",
    )


def structure(
    units: Iterable[Unit],
    links: Iterable[Link] = (),
    sharing: Iterable[SharingEdge] = (),
    authorities: Iterable[Authority] = (),
) -> Structure:
    return Structure(
        schema="noroshi.structure/1",
        id="small",
        title="Small",
        valid_from="2023-01-01",
        valid_to=None,
        combination="counterfactual",
        units=tuple(units),
        links=tuple(links),
        sharing=tuple(sharing),
        authorities=tuple(authorities),
    )


TEXT = """\
schema: noroshi.structure/1
id: small
title: Small
valid_from: "2023-01-01"
valid_to: null
combination: counterfactual
units:
  - {id: us-hq, name: US headquarters, nation: US, kind: military-hq, source: report-a, confidence: notional}
  - {id: us-radar, name: US radar, nation: US, kind: sensor-group, source: report-a, confidence: notional}
  - {id: jp-hq, name: JP headquarters, nation: JP, kind: military-hq, source: report-a, confidence: notional}
  - id: bi-group
    name: Group
    nation: US+JP
    kind: consult-body
    source: [report-a, 'https://example.org/page']
    confidence: reported
  - {id: kr-hq, name: KR headquarters, nation: KR, kind: military-hq, source: report-a, confidence: notional}
links:
  - {from: us-hq, to: us-radar, type: command, source: report-a, confidence: notional}
  - {from: bi-group, to: us-hq, type: member, source: report-a, confidence: notional}
  - {from: bi-group, to: jp-hq, type: member, source: report-a, confidence: notional}
sharing:
  - id: radar-up
    from: us-radar
    to: us-hq
    content: [launch-point, flight-path]
    cadence: realtime
    releasable_to: [US, JP]
    source: report-a
    confidence: notional
  - id: us-jp
    from: us-hq
    to: jp-hq
    content: [flight-path]
    cadence: realtime
    both_ways: true
    releasable_to:
      - US
      - JP
    source: report-a
    confidence: notional
authorities:
  - {unit: us-hq, decision: exercise-approval, role: decide, joint_with: jp-hq, source: report-a, confidence: notional}
  - {unit: jp-hq, decision: exercise-approval, role: decide, joint_with: us-hq, source: report-a, confidence: notional}
  - unit: jp-hq
    decision: civil-alert-issue
    role: decide
    modes: [crisis, hostilities]
    source: report-a
    confidence: notional
"""

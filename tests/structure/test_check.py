"""Findings: each kind on the smallest structure that has it, and what the packaged files are known to have."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from noroshi.structure import Catalogue, Structure, findings
from noroshi.structure.check import CODES
from tests.structure.small import authority, edge, link, structure, unit


def codes(given: Structure, catalogue: Catalogue) -> Counter[str]:
    return Counter(finding.code for finding in findings(given, catalogue))


def subjects(given: Structure, catalogue: Catalogue, code: str) -> list[str]:
    return [finding.subject for finding in findings(given, catalogue) if finding.code == code]


def test_the_findings_of_the_packaged_files_are_known(
    packaged: dict[str, Structure], catalogue: Catalogue
) -> None:
    expected = {
        "before": {"nobody-decides": 4, "convened-only": 2, "single-point-of-failure": 5},
        "after": {"nobody-decides": 3, "convened-only": 2, "single-point-of-failure": 5},
        "trilateral": {"nobody-decides": 1, "convened-only": 3, "single-point-of-failure": 3},
    }
    common = {"unit-without-link": 4, "body-without-members": 1, "alert-reaches-nobody": 2}
    for name, counts in expected.items():
        assert codes(packaged[name], catalogue) == counts | common


def test_trilateral_sharing_frees_the_warning_from_one_headquarters(
    packaged: dict[str, Structure], catalogue: Catalogue
) -> None:
    assert "us-jfhqj" in subjects(packaged["after"], catalogue, "single-point-of-failure")
    assert subjects(packaged["trilateral"], catalogue, "single-point-of-failure") == [
        "us-indopacom",
        "jp-mod",
        "kr-jcs",
    ]


def test_findings_come_in_the_order_of_the_table(
    packaged: dict[str, Structure], catalogue: Catalogue
) -> None:
    order = [list(CODES).index(finding.code) for finding in findings(packaged["before"], catalogue)]
    assert order == sorted(order)


def test_a_decision_by_proposal_is_enough_for_a_request_only(catalogue: Catalogue) -> None:
    units = [unit("jp-a", "JP")]
    rows = [authority("jp-a", "propose", name) for name in ("verification-request", "exercise-approval")]
    missing = subjects(structure(units, authorities=rows), catalogue, "nobody-decides")
    assert "verification-request" not in missing
    assert "exercise-approval" in missing


def test_a_decision_that_misses_a_mode_says_which(catalogue: Catalogue) -> None:
    rows = [authority("jp-a", "decide", "hotline-contact", modes=("crisis",))]
    given = structure([unit("jp-a", "JP")], authorities=rows)
    says = [finding.says for finding in findings(given, catalogue) if finding.subject == "hotline-contact"]
    assert says == ["nobody can take hotline-contact in peacetime or hostilities"]


def test_an_unconnected_concurrer_is_found(catalogue: Catalogue) -> None:
    units = [unit("jp-a", "JP"), unit("jp-b", "JP"), unit("us-a", "US")]
    rows = [
        authority("jp-a", "decide", "exercise-approval"),
        authority("us-a", "concur", "exercise-approval"),
        authority("jp-b", "concur", "exercise-approval"),
    ]
    links = [link("jp-a", "command", "jp-b")]
    assert subjects(structure(units, links, authorities=rows), catalogue, "concurrer-unreachable") == ["us-a"]
    joined = structure(units, [*links, link("us-a", "liaison", "jp-b")], authorities=rows)
    assert subjects(joined, catalogue, "concurrer-unreachable") == []


@pytest.mark.parametrize(
    ("releasable_to", "both_ways", "found"),
    [
        ("US", False, ["e"]),
        ("JP", False, []),
        ("JP", True, ["e"]),
        ("KR", True, ["e", "e"]),
        ("US JP", True, []),
    ],
)
def test_an_edge_that_can_never_deliver_is_found(
    releasable_to: str, both_ways: bool, found: list[str], catalogue: Catalogue
) -> None:
    units = [unit("us-a", "US"), unit("jp-a", "JP")]
    given = structure(units, sharing=[edge("e", "us-a", "jp-a", releasable_to, both_ways=both_ways)])
    assert subjects(given, catalogue, "edge-never-delivers") == found


def test_units_bodies_and_outsiders(catalogue: Catalogue) -> None:
    units = [unit("bi", "US+JP", "consult-body"), unit("us-a", "US"), unit("cn-a", "CN", "external")]
    rows = [authority("cn-a", "decide", "hotline-contact")]
    given = structure(units, [link("us-a", "hotline", "cn-a")], authorities=rows)
    assert subjects(given, catalogue, "unit-without-link") == ["bi"]
    assert subjects(given, catalogue, "body-without-members") == ["bi"]
    assert subjects(given, catalogue, "external-authority") == ["cn-a"]


def test_a_second_way_removes_the_single_point(catalogue: Catalogue) -> None:
    units = [unit("s", "US", "sensor-group"), unit("us-a", "US"), unit("us-b", "US"), unit("jp-a", "JP")]
    one = [edge("e1", "s", "us-a", "US JP"), edge("e2", "us-a", "jp-a", "US JP")]
    assert subjects(structure(units, sharing=one), catalogue, "single-point-of-failure") == ["us-a", "jp-a"]
    two = [*one, edge("e3", "s", "us-b", "US JP"), edge("e4", "us-b", "jp-a", "US JP")]
    assert subjects(structure(units, sharing=two), catalogue, "single-point-of-failure") == ["jp-a"]
    asked = [
        *one,
        edge("e3", "s", "us-b", "US JP"),
        edge("e4", "us-b", "jp-a", "US JP", cadence="on-request"),
    ]
    assert subjects(structure(units, sharing=asked), catalogue, "single-point-of-failure") == ["us-a", "jp-a"]


def test_the_manual_explains_every_finding() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "manual" / "structures.md").read_text(
        encoding="utf-8"
    )
    assert (
        dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", page.partition("| finding |")[2], re.MULTILINE))
        == CODES
    )

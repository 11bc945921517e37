"""Structure files: what is refused, in which line and field, and what the refusal advises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from noroshi.errors import InputError
from noroshi.service.resources import packaged_decisions
from noroshi.structure import Catalogue, load_catalogue, load_structure, reach
from tests.structure.small import TEXT

LINES = TEXT.splitlines()


def at(fragment: str, occurrence: int = 0) -> int:
    """The 1-based line with the fragment, so that the expected line is found in another way than by the parser."""
    return [number for number, line in enumerate(LINES, 1) if fragment in line][occurrence]


# What is replaced, by what, in which line the error then is, its field, and parts of its cause and hint.
BAD = [
    (
        "schema: noroshi.structure/1",
        "schema: noroshi.structure/2",
        1,
        "schema",
        "structure/2' is not",
        "structure/1",
    ),
    ("title: Small\n", "", 1, "title", "missing", "add `title:`"),
    (
        'valid_from: "2023-01-01"',
        'valid_from: "2023-02-30"',
        4,
        "valid_from",
        "no day of the calendar",
        "2025-03-24",
    ),
    ('valid_from: "2023-01-01"', "valid_from: 2023", 4, "valid_from", "expected text", "a date"),
    ("valid_to: null", 'valid_to: "2023-01-01"', 5, "valid_to", "not later than valid_from", "null"),
    ("valid_to: null\n", "", 1, "valid_to", "missing", "date"),
    (
        "combination: counterfactual",
        "combination: factual",
        6,
        "combination",
        "not allowed",
        "mean counterfactual?",
    ),
    (
        "id: us-radar,",
        "id: us-hq,",
        at("us-radar"),
        "units[1].id",
        "us-hq is given twice, first in line 8",
        "rename",
    ),
    ("id: us-radar,", "id: US_radar,", at("us-radar"), "units[1].id", "does not fit", "lower-case"),
    ("nation: KR,", "nation: XX,", at("kr-hq"), "units[4].nation", "unknown nation XX", "known: US, JP, KR"),
    ("nation: KR,", "nation: kr,", at("kr-hq"), "units[4].nation", "does not fit", "such as US+JP"),
    ("nation: US+JP", "nation: US+US", 13, "units[3].nation", "US is given twice", "once"),
    ("nation: US+JP", "nation: US+multi", 13, "units[3].nation", "does not fit", "multi"),
    ("kind: consult-body", "kind: consult-boddy", 14, "units[3].kind", "not allowed", "mean consult-body"),
    (
        "    name: Group\n",
        "    name: Group\n    weapon: none\n",
        13,
        "units[3].weapon",
        "unknown field",
        "known: id",
    ),
    ("    name: Group\n", "", 11, "units[3].name", "missing", "add `name:`"),
    ("    name: Group\n", "    name: ''\n", 12, "units[3].name", "length >= 1", "not empty"),
    (
        "'https://example.org/page'",
        "somewhere",
        15,
        "units[3].source[1]",
        "'somewhere' is no source",
        "report-a",
    ),
    ("[report-a, 'https://example.org/page']", "[]", 15, "units[3].source", "length >= 1", ""),
    ("[report-a, 'https://example.org/page']", "7", 15, "units[3].source", "expected text or a list", "'7'"),
    (
        "confidence: reported",
        "confidence: sure",
        16,
        "units[3].confidence",
        "not allowed",
        "assumed, notional",
    ),
    ("to: us-radar, type", "to: us-rader, type", 19, "links[0].to", "no unit us-rader", "mean us-radar"),
    (
        "{from: us-hq, to: us-radar",
        "{from: us-qh, to: us-radar",
        19,
        "links[0].from",
        "no unit us-qh",
        "us-hq",
    ),
    ("to: us-radar, type", "to: us-hq, type", 19, "links[0].to", "at both ends", "another"),
    (
        "to: us-radar, type: command",
        "to: jp-hq, type: command",
        19,
        "links[0].type",
        "cannot command",
        "coordination",
    ),
    ("type: command", "type: comand", 19, "links[0].type", "not allowed", "mean command"),
    (
        "to: jp-hq, type: member",
        "to: us-hq, type: member",
        21,
        "links[2]",
        "twice, first in line 20",
        "leave one",
    ),
    ("to: jp-hq, type: member", "to: kr-hq, type: member", 21, "links[2].to", "outside the nations", "widen"),
    (
        "{from: bi-group, to: jp-hq",
        "{from: us-hq, to: jp-hq",
        21,
        "links[2].from",
        "is no body",
        "from the body",
    ),
    ("id: us-jp\n", "id: radar-up\n", 31, "sharing[1].id", "given twice, first in line 23", "rename"),
    ("    to: us-hq\n", "    to: us-headquarters\n", 25, "sharing[0].to", "no unit", "us-hq"),
    (
        "[launch-point, flight-path]",
        "[launch-point, flight-pat]",
        26,
        "sharing[0].content[1]",
        "'flight-pat'",
        "flight-path",
    ),
    (
        "[launch-point, flight-path]",
        "[flight-path, flight-path]",
        26,
        "sharing[0].content[1]",
        "given twice",
        "once",
    ),
    (
        "[launch-point, flight-path]",
        "[launch-point, firing-data]",
        26,
        "sharing[0].content[1]",
        "'firing-data'",
        "",
    ),
    ("[launch-point, flight-path]", "[]", 26, "sharing[0].content", "length >= 1", ""),
    (
        "    cadence: realtime\n    rel",
        "    cadence: live\n    rel",
        27,
        "sharing[0].cadence",
        "'live'",
        "realtime",
    ),
    ("releasable_to: [US, JP]", "releasable_to: []", 28, "sharing[0].releasable_to", "length >= 1", ""),
    (
        "releasable_to: [US, JP]",
        "releasable_to: JP",
        28,
        "sharing[0].releasable_to",
        "expected a list",
        "[JP]",
    ),
    (
        "      - JP\n",
        "      - JPN\n",
        39,
        "sharing[1].releasable_to[1]",
        "does not fit",
        "one nation such as JP",
    ),
    ("      - JP\n", "      - AU\n", 39, "sharing[1].releasable_to[1]", "unknown nation AU", "known"),
    ("      - JP\n", "      - US\n", 39, "sharing[1].releasable_to[1]", "US is given twice", "once"),
    ("      - JP\n", "      - NO\n", 39, "sharing[1].releasable_to[1]", "unknown nation NO", "known"),
    (
        "both_ways: true",
        "both_ways: yes",
        36,
        "sharing[1].both_ways",
        "expected true or false",
        "true or false",
    ),
    (
        "joint_with: us-hq",
        "joint_with: bi-group",
        43,
        "authorities[0].joint_with",
        "no matching row",
        "modes",
    ),
    ("joint_with: us-hq", "joint_with: nobody", 44, "authorities[1].joint_with", "no unit nobody", "known"),
    ("joint_with: jp-hq", "joint_with: us-hq", 43, "authorities[0].joint_with", "with itself", "other"),
    (
        "role: decide, joint_with: jp-hq",
        "role: concur, joint_with: jp-hq",
        43,
        "authorities[0].joint_with",
        "only",
        "leave",
    ),
    (
        "decision: civil-alert-issue",
        "decision: civil-alert",
        46,
        "authorities[2].decision",
        "not in the cat",
        "civil-alert-issue",
    ),
    (
        "decision: civil-alert-issue",
        "decision: weapon-release",
        46,
        "authorities[2].decision",
        "excluded",
        "excluded",
    ),
    (
        "decision: civil-alert-issue",
        "decision: intercept-order",
        46,
        "authorities[2].decision",
        "excluded",
        "excluded",
    ),
    ("    role: decide\n", "    role: order\n", 47, "authorities[2].role", "not allowed", "known: "),
    ("[crisis, hostilities]", "[crisis, war]", 48, "authorities[2].modes[1]", "not allowed", "hostilities"),
    ("[crisis, hostilities]", "[crisis, crisis]", 48, "authorities[2].modes[1]", "given twice", "once"),
    ("[crisis, hostilities]", "[]", 48, "authorities[2].modes", "length >= 1", ""),
    ("unit: jp-hq\n", "unit: jp-qh\n", 45, "authorities[2].unit", "no unit jp-qh", "mean jp-hq"),
    ("links:", "lnks:", 18, "lnks", "unknown field", "mean links?"),
]


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "cause", "hint"), BAD, ids=[f"{b[3]}-{b[4]}" for b in BAD]
)
def test_a_bad_file_is_refused_where_it_is_bad(
    old: str, new: str, line: int, field: str, cause: str, hint: str, catalogue: Catalogue
) -> None:
    assert old in TEXT
    with pytest.raises(InputError) as caught:
        load_structure(TEXT.replace(old, new, 1), "small.yaml", catalogue)
    error = caught.value
    assert (error.file, error.line, error.field) == ("small.yaml", line, field)
    assert cause in error.cause
    assert hint in error.hint


def test_the_text_that_the_cases_bend_is_good(catalogue: Catalogue) -> None:
    structure = load_structure(TEXT, "small.yaml", catalogue)
    assert structure.unit("bi-group").nations == {"US", "JP"}
    assert structure.sharing[0].both_ways is False
    assert structure.authorities[2].modes == ("crisis", "hostilities")


def test_the_same_authority_twice_is_refused_only_where_modes_overlap(catalogue: Catalogue) -> None:
    row = "  - {unit: jp-hq, decision: civil-alert-issue, role: decide, modes: [%s], source: report-a, "
    row += "confidence: notional}\n"
    assert len(load_structure(TEXT + row % "peacetime", "small.yaml", catalogue).authorities) == 4
    with pytest.raises(InputError) as caught:
        load_structure(TEXT + row % "peacetime, crisis", "small.yaml", catalogue)
    assert (caught.value.line, caught.value.field) == (len(LINES) + 1, "authorities[3]")
    assert "in crisis is given twice, first in line 45" in caught.value.cause


def test_joint_rows_must_agree_in_their_modes(catalogue: Catalogue) -> None:
    text = TEXT.replace("joint_with: us-hq,", "joint_with: us-hq, modes: [crisis],")
    with pytest.raises(InputError) as caught:
        load_structure(text, "small.yaml", catalogue)
    assert caught.value.field == "authorities[0].joint_with"


def test_a_circle_of_command_is_refused(catalogue: Catalogue) -> None:
    row = "  - {from: us-radar, to: us-hq, type: command, source: report-a, confidence: notional}\n"
    with pytest.raises(InputError) as caught:
        load_structure(TEXT.replace("sharing:\n", row + "sharing:\n"), "small.yaml", catalogue)
    assert (caught.value.line, caught.value.field) == (22, "links[3].to")
    assert "would command itself" in caught.value.cause


def test_a_file_cut_short_is_refused(catalogue: Catalogue) -> None:
    for length in range(0, len(TEXT) - 40, 97):
        with pytest.raises(InputError):
            load_structure(TEXT[:length], "small.yaml", catalogue)


BAD_CATALOGUE = [
    ("id: civil-alert-cancel", "id: civil-alert-issue", "decisions[4].id", "given twice"),
    ("id: civil-alert-cancel", "id: target-assignment", "decisions[4].id", "excluded"),
    ("title: Lift a civil alert", "title: Release an interceptor", "decisions[4].title", "excluded"),
    ("  concur: must", "  conkur: must", "roles.conkur", "unknown role"),
    ("  concur: must agree before it takes effect\n", "", "roles.concur", "not explained"),
    ("reversible: true", "reversible: maybe", "decisions[0].reversible", "expected true or false"),
    ("source: report-e", "source: rumour", "decisions[0].source", "no source"),
    ("excluded:", "exluded:", "exluded", "unknown field"),
    ("schema: noroshi.decisions/1", "schema: noroshi.structure/1", "schema", "not allowed"),
]


@pytest.mark.parametrize(("old", "new", "field", "cause"), BAD_CATALOGUE)
def test_a_bad_catalogue_is_refused_where_it_is_bad(old: str, new: str, field: str, cause: str) -> None:
    file, text = packaged_decisions()
    bent = text.replace(old, new, 1)
    assert bent != text
    with pytest.raises(InputError) as caught:
        load_catalogue(bent, file)
    assert (caught.value.field, caught.value.file) == (field, "decisions.yaml")
    assert cause in caught.value.cause
    position = text.index(old)
    if new:
        assert caught.value.line == text.count("\n", 0, position) + 1


def test_a_structure_cannot_bring_in_its_own_decision(catalogue: Catalogue) -> None:
    """Only the catalogue names decisions, and the catalogue names none about weapons."""
    assert all("weapon" not in decision.title.lower() for decision in catalogue.decisions)
    assert any("weapon" in text for text in catalogue.excluded)


def test_the_example_of_the_manual_is_good(catalogue: Catalogue) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "manual" / "structures.md").read_text(
        encoding="utf-8"
    )
    (example,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert reach(load_structure(example, "example", catalogue), "us-radar", "flight-path").keys() == {
        "us-hq",
        "jp-hq",
    }

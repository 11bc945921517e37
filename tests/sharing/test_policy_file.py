"""The file of a release policy: unusable ones are refused with file, line and field; odd ones are found out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from noroshi.documents import parse
from noroshi.errors import InputError
from noroshi.service.release_files import packaged_policies, read_policy
from noroshi.service.structure_files import read_structure
from noroshi.sharing.policy import Budget, Policy, Rule, Terms
from noroshi.sharing.policy_check import CODES, Finding, findings, structure_findings
from noroshi.sharing.policy_file import load_policy, published_schema
from tests.sharing.policies import CASE, OBSERVER, REMOVED, STRUCTURES, written

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "release-policy.schema.json"

GOOD = """\
schema: noroshi.release-policy/1
partner: JPN
realm: exercise:t
version: 7
ranks: [unclassified, restricted]
categories: [exercise]
partners:
  KOR: {terms: member, highest: restricted}
  USA: {terms: member, highest: restricted, categories: [exercise]}
rules:
  - {id: cells, to: [KOR], contents: [flight-path], effect: reduced}
  - id: no-events
    to: [KOR]
    kinds: [event]
    effect: deny
budgets:
  - {id: few, to: [KOR], contents: [expected-impact], per_hour: 5}
markings:
  - {policy: tlp, version: 1, ranks: {clear: unclassified, green: restricted}}
releasing_posts: [jp-mod.duty]
"""


def test_a_policy_is_read_as_it_is_written() -> None:
    policy = load_policy(GOOD, "jpn.yaml")
    assert (policy.partner, policy.realm, policy.version) == ("JPN", "exercise:t", 7)
    assert [one.id for one in policy.rules] == ["cells", "no-events"]
    assert policy.partners["USA"] == Terms(terms="member", highest="restricted", categories=("exercise",))


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "says"),
    [
        ("realm: exercise:t", "realm: exercize:t", 3, "realm", "is no realm"),
        ("version: 7", "version: 0", 4, "version", ""),
        ("[unclassified, restricted]", "[restricted, unclassified]", 5, "ranks", "rising order"),
        ("[unclassified, restricted]", "[unclassified, cosmic]", 5, "ranks[1]", "unknown rank cosmic"),
        ("[unclassified, restricted]", "[]", 5, "ranks", ""),
        ("  KOR: {", "  JPN: {", 8, "partners.JPN", "own"),
        ("  KOR: {", "  KR: {", 8, "partners.KR", "no partner"),
        ("highest: restricted}", "highest: secret}", 8, "partners.KOR.highest", "unknown rank secret"),
        ("terms: member, highest: restricted}", "terms: member}", 8, "partners.KOR.highest", "is missing"),
        ("terms: member, highest: restricted}", "terms: friend, highest: restricted}", 8, "partners.KOR.terms", ""),
        ("categories: [exercise]}", "categories: [space]}", 9, "partners.USA.categories[0]", "unknown category"),
        ("to: [KOR], contents: [flight", "to: [], contents: [flight", 11, "rules[0].to", ""),
        ("to: [KOR], contents: [flight", "to: [AUS], contents: [flight", 11, "rules[0].to[0]", "unknown partner"),
        ("contents: [flight-path], effect", "contents: [flight-plan], effect", 11, "rules[0].contents[0]", ""),
        ("contents: [flight-path], effect", "effect", 11, "rules[0]", "neither kinds nor contents"),
        ("effect: reduced", "effect: hide", 11, "rules[0].effect", ""),
        ("effect: reduced", "effect: declare", 11, "rules[0].effect", "declare cannot be"),
        ("id: cells", "id: label", 11, "rules[0].id", "always there"),
        ("kinds: [event]", "kinds: [events]", 14, "rules[1].kinds[0]", "unknown kind"),
        ("kinds: [event]", "kinds: [reduced-track]", 14, "rules[1].kinds[0]", "unknown kind"),
        ("kinds: [event]", "kinds: [recall]", 14, "rules[1].kinds[0]", "unknown kind"),
        ("kinds: [event]", "kinds: [event, event]", 14, "rules[1].kinds[1]", "twice"),
        ("id: no-events", "id: cells", 12, "rules[1].id", "twice"),
        ("id: few", "id: cells", 17, "budgets[0].id", "a rule too"),
        ("per_hour: 5", "per_hour: 0", 17, "budgets[0].per_hour", ""),
        ("green: restricted", "green: unclassified", 19, "markings[0].ranks.green", "equal rank"),
        ("green: restricted", "green: secret", 19, "markings[0].ranks.green", "unknown rank"),
        ("releasing_posts: [jp-mod.duty]", "releasing_post: [jp-mod.duty]", 20, "releasing_post", ""),
        ("partner: JPN\n", "", 1, "partner", "missing"),
    ],
)  # fmt: skip
def test_an_unusable_policy_is_refused_where_it_is_wrong(
    old: str, new: str, line: int, field: str, says: str
) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as refused:
        load_policy(GOOD.replace(old, new, 1), "jpn.yaml")
    assert (refused.value.file, refused.value.line, refused.value.field) == ("jpn.yaml", line, field)
    assert says in refused.value.cause


def test_the_published_schema_is_that_of_the_types() -> None:
    """To renew: write `published_schema()` with `json.dumps(schema, indent=2, ensure_ascii=False)` and a line end."""
    schema = published_schema()
    assert SCHEMA.read_text(encoding="utf-8") == json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    validator = jsonschema.Draft202012Validator(schema)
    data = parse(GOOD, "jpn.yaml").data
    validator.validate(data)
    data["rules"][0]["effect"] = "hide"
    assert not validator.is_valid(data)


@pytest.mark.parametrize("name", packaged_policies())
def test_a_packaged_policy_has_no_findings_under_any_packaged_structure(name: str) -> None:
    policy, document = read_policy(name)
    jsonschema.Draft202012Validator(published_schema()).validate(document.data)
    assert findings(policy) == ()
    for structure in STRUCTURES.values():
        assert structure_findings(policy, structure) == ()


# Findings


def rule(id: str, to: str, effect: Any, **match: Any) -> Rule:
    return Rule(id=id, to=tuple(to.split()), effect=effect, **match)


def found(policy: Policy) -> list[tuple[str, str]]:
    return [(one.code, one.subject) for one in findings(policy)]


TRACKS: dict[str, Any] = {"contents": ("flight-path",)}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule("a", "KOR", "deny", **TRACKS), rule("b", "USA", "full", **TRACKS)], []),
        (
            [rule("a", "KOR", "deny", **TRACKS), rule("b", "KOR USA", "full", kinds=("track",))],
            [("contradiction", "b")],
        ),
        (
            [rule("a", "KOR", "deny", **TRACKS), rule("b", "KOR", "full", kinds=("track",))],
            [("contradiction", "b"), ("unreachable-rule", "b")],
        ),
        ([rule("a", "KOR", "deny", units=("jp-mod",), **TRACKS), rule("b", "KOR", "full", **TRACKS)], []),
        (
            [rule("a", "KOR", "full", **TRACKS), rule("b", "KOR", "deny", units=("jp-mod",), **TRACKS)],
            [("unreachable-rule", "b")],
        ),
        (
            [
                rule("a", "KOR", "full", units=("jp-mod",), **TRACKS),
                rule("b", "KOR", "full", units=("jp-jso",), **TRACKS),
                rule("c", "KOR", "deny", units=("jp-jso", "jp-mod"), **TRACKS),
            ],
            [("unreachable-rule", "c")],
        ),
        (
            [
                rule("a", "KOR", "full", kinds=("event",)),
                rule("b", "KOR", "full", **TRACKS),
                rule("c", "KOR", "deny", kinds=("event", "track")),
            ],
            [("unreachable-rule", "c")],
        ),
        ([rule("a", "KOR", "full", contents=("summary",))], [("unreachable-rule", "a")]),
        ([rule("a", "KOR", "full", kinds=("event",), **TRACKS)], [("unreachable-rule", "a")]),
    ],
)
def test_rules_that_contradict_or_never_decide_are_found(
    rules: list[Rule], expected: list[tuple[str, str]]
) -> None:
    assert found(written(rules=rules)) == expected


def test_terms_that_come_to_nothing_are_found() -> None:
    low = Terms(terms="member", highest="unclassified")
    policy = written(partners={"AUS": OBSERVER, "FRA": CASE, "KOR": low, "USA": REMOVED})
    with_rule = msgspec.structs.replace(policy, rules=(rule("a", "USA", "full", **TRACKS),))
    assert found(with_rule) == [
        ("unreachable-rule", "a"),
        ("observer-gets-nothing", "AUS"),
        ("never-cleared", "KOR"),
        ("nobody-releases", "JPN"),
    ]


def test_a_budget_on_warnings_is_found() -> None:
    budget = Budget(id="few", to=("KOR",), contents=("flight-path", "expected-impact"), per_hour=5)
    (one,) = findings(written(budgets=(budget,), releasing_posts=("jp-mod.duty",)))
    assert (one.code, one.subject, one.path) == ("warnings-may-wait", "few", ("budgets", 0, "contents"))
    assert "every warning over 5" in one.says


def edges(policy: Policy, structure: str) -> list[Finding]:
    return [
        one for one in structure_findings(policy, read_structure(structure)[1]) if one.code.startswith("edge")
    ]


def test_the_sharing_edges_that_a_policy_defeats_are_named_one_by_one() -> None:
    assert edges(written(), "trilateral") == []
    denied = written(rules=[rule("no-tracks", "KOR", "deny", **TRACKS)])
    (one,) = edges(denied, "trilateral")
    assert (one.code, one.subject, one.path) == ("edge-defeated", "tri-kr", ("rules", 0))
    assert one.says == "tri-kr would bring KOR flight-path of jp-mod, jp-asdf-radars; no-tracks withholds it"
    assert edges(denied, "before") == []
    cells = written(rules=[rule("cells", "KOR", "reduced", **TRACKS)])
    assert [(one.code, one.subject) for one in edges(cells, "trilateral")] == [("edge-narrowed", "tri-kr")]
    removed = edges(written(partners={"USA": REMOVED}), "before")
    assert {one.code for one in removed} == {"edge-defeated"}
    assert {one.path for one in removed} == {("partners", "USA")}


def test_what_a_structure_does_not_have_is_found() -> None:
    policy = written(
        partners={"AUS": Terms(terms="member", highest="restricted")},
        rules=[rule("a", "KOR", "deny", units=("jp-navy",), **TRACKS)],
    )
    names = [(one.code, one.subject) for one in structure_findings(policy, STRUCTURES["before"])]
    assert names == [("partner-not-in-structure", "AUS"), ("unit-not-in-structure", "a")]


def test_every_finding_has_a_meaning() -> None:
    assert all(CODES.values())

"""Scenario files: what loads, what is refused, and at which line and field."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml

from noroshi.errors import InputError
from noroshi.exercise.checking import check_scenario
from noroshi.exercise.loading import Loaded, load_scenario, scenario_schema
from noroshi.exercise.scenario import Scenario, selected
from noroshi.structure import Catalogue, Structure, load_catalogue, load_structure

PACKAGED = (files("noroshi.exercise") / "data" / "flight-2022-10-04.yaml").read_text(encoding="utf-8")
STRUCTURES = files("noroshi.structure") / "data"
NAMES = ("before", "after", "trilateral")
SCHEMA_FILE = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "scenario.schema.json"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue((STRUCTURES / "decisions.yaml").read_text(encoding="utf-8"), "decisions.yaml")


@pytest.fixture(scope="module")
def structures(catalogue: Catalogue) -> dict[str, Structure]:
    texts = {name: (STRUCTURES / f"{name}.yaml").read_text(encoding="utf-8") for name in NAMES}
    return {name: load_structure(text, f"{name}.yaml", catalogue) for name, text in texts.items()}


def line_of(text: str, part: str) -> int:
    """The 1-based line of the only place where `part` stands."""
    found = [number for number, line in enumerate(text.splitlines(), 1) if part in line]
    assert len(found) == 1, f"{part!r} stands in lines {found}"
    return found[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_packaged_scenario_is_good_under_every_structure(
    name: str, structures: dict[str, Structure], catalogue: Catalogue
) -> None:
    loaded = load_scenario(PACKAGED, "flight.yaml")
    check_scenario(loaded, structures[name], catalogue, NAMES)
    kept = selected(loaded.scenario, name)
    assert len(kept.consultations) == 1
    assert {one.id for one in kept.expectations} < {one.id for one in loaded.scenario.expectations}


def test_the_published_schema_is_that_of_the_types_and_takes_the_packaged_scenario() -> None:
    published = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    assert published == scenario_schema()
    document = yaml.safe_load(PACKAGED)
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.validate(document, published)
    document["links"][0]["loss"] = 1.5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, published)


# Each row: a text of the packaged scenario, what stands there instead, the field and words of the refusal.
FAULTS = [
    ("duration_s: 1470", "duration_s: -3", "duration_s", "0"),
    ('start: "2022-10-03T22:22:00Z"', 'start: "2022-10-03T22:22:00"', "start", "no time with a zone"),
    ("seed: 20221004", "seed: many", "seed", "whole number"),
    ("id: us-shariki", "id: jp-ominato", "sensors[3]", "given twice"),
    ("unit: us-radars-jp", "unit: us-radars", "sensors[3].unit", "no unit 'us-radars'"),
    ("unit: kr-radars", "unit: kr-radar", "sensors[0].unit", "no unit 'kr-radar'"),
    ("azimuth_deg: 84.8", "azimuth_deg: 400", "world.flights[0].azimuth_deg", "360"),
    ("launch_s: 55", "launch_s: 5500", "world.flights[0].launch_s", "after the end"),
    ("apogee_km: 1000", "apogee_km: 1", "world.flights[0].apogee_km", "out of reach"),
    ("range_km: 4600", "range_miles: 4600", "world.flights[0].range_miles", "unknown field"),
    ("  - {unit: bi-acg, node: jpn}", "  - {unit: bi-acg, node: jp}", "shared_units[2].node", "no node 'jp'"),
    ("  - {unit: bi-acg, node: jpn}\n", "", "shared_units", "bi-acg"),
    ("{unit: kr-jcs}", "{unit: jp-mod}", "partners[2].assessing[0].unit", "is of JP, not of KR"),
    ("node: kor\n", "node: usa\n", "partners[2].node", "two partners"),
    ("between: [KOR, USA], delay_s", "between: [KOR, USB], delay_s", "links[1].between[1]", "no partner 'USB'"),
    ("between: [KOR, USA], delay_s", "between: [USA, JPN], delay_s", "links[1]", "given twice"),
    ("between: [KOR, USA], delay_s", "between: [USA, USA], delay_s", "links[1].between", "linked to itself"),
    ("- {id: kr-jcs.watch,", "- {id: jcs.watch,", "posts[14].id", "does not begin with its unit"),
    ("post: jp-pm.duty, after", "post: kr-mnd.minister, after", "consultations[0].post", "not the duty request"),
    ("post: jp-mofa.duty, after", "post: jp-fdma.duty, after", "consultations[1].post", "duty request"),
    ("decision: bilateral-consult, post", "decision: tri-consult, post", "consultations[1].decision", "no decision"),
    ("{unit: bi-stf, node: usa, when: {structure: [before]}}", "{unit: bi-stf, node: usa, when: {structure: [befor]}}",
     "shared_units[7].when.structure[0]", "no structure 'befor'"),
    ("    at_s: 5\n", "    at_s: 5000\n", "injects[0].at_s", "after the end"),
    ("    do: message", "    do: massage", "injects[0].do", "massage"),
    ("share: 0.8", "share: 80", "expectations[14].share", "1"),
    ("type: intact", "type: in-tact", "expectations[19].type", "in-tact"),
    ("from: KOR, to: JPN, within_s: 1,", "from: KOR, to: KOR, within_s: 1,", "expectations[0].to", "itself"),
    ("sigma_range_m: 50\n", "sigma_range_m: 50\n    sensing: infrared\n", "sensors[0].sigma_range_m", "angles"),
    ("sigma_range_m: 50\n", "height_m: 100\n", "sensors[0].sigma_range_m", "a radar has a range"),
    ("pd: 0.95\n    label: notional\n\nworld", "pd: 1.95\n    label: notional\n\nworld", "sensors[3].pd", "1"),
]  # fmt: skip


@pytest.mark.parametrize(("there", "instead", "field", "words"), FAULTS, ids=[row[2] for row in FAULTS])
def test_a_fault_is_refused_with_its_line_and_field(
    there: str, instead: str, field: str, words: str, structures: dict[str, Structure], catalogue: Catalogue
) -> None:
    assert PACKAGED.count(there) == 1
    text = PACKAGED.replace(there, instead)
    name = "before" if "bilateral" in there or "jp-mofa" in there or "befor]" in instead else "trilateral"
    with pytest.raises(InputError) as refused:
        check_scenario(load_scenario(text, "bad.yaml"), structures[name], catalogue, NAMES)
    error = refused.value
    assert error.field == field
    assert words in error.cause
    assert error.line is not None
    if instead:
        pairs = zip(PACKAGED.splitlines(), text.splitlines(), strict=False)
        changed = next(number for number, (was, now) in enumerate(pairs, 1) if was != now)
        assert error.line in (changed, changed - 1, line_before_element(text, changed))


def line_before_element(text: str, line: int) -> int:
    """The first line of the list element around a line: what is said of a whole element names its beginning."""
    lines = text.splitlines()
    while line > 1 and not lines[line - 1].lstrip().startswith("- "):
        line -= 1
    return line


def test_injects_name_things_that_exist(structures: dict[str, Structure], catalogue: Catalogue) -> None:
    rows = {
        "{id: a, do: link_down, at_s: 9, between: [JPN, KOR], for_s: 5}": (
            "between",
            "no link between JPN and KOR",
        ),
        "{id: a, do: node_down, at_s: 9, node: jp, for_s: 5}": ("node", "no node 'jp'"),
        "{id: a, do: sensor_down, at_s: 9, sensor: sado}": ("sensor", "no sensor 'sado'"),
        "{id: a, do: post_absent, at_s: 9, post: jp-pm}": ("post", "no post 'jp-pm'"),
        "{id: a, do: message, at_s: 9, unit: jp, text: x}": ("unit", "no unit 'jp'"),
    }
    for row, (field, words) in rows.items():
        text = PACKAGED.replace("injects:\n", f"injects:\n  - {row}\n")
        with pytest.raises(InputError) as refused:
            check_scenario(load_scenario(text, "bad.yaml"), structures["trilateral"], catalogue, NAMES)
        assert refused.value.field == f"injects[0].{field}"
        assert refused.value.line == line_of(text, row)
        assert words in refused.value.cause


def test_one_node_cannot_die_twice_at_once(structures: dict[str, Structure], catalogue: Catalogue) -> None:
    rows = (
        "  - {id: a, do: node_down, at_s: 100, node: usa, for_s: 60}\n"
        "  - {id: b, do: node_down, at_s: 130, node: usa, for_s: 60}\n"
    )
    text = PACKAGED.replace("injects:\n", f"injects:\n{rows}")
    with pytest.raises(InputError, match="down already at 130 s; begin after 160 s") as refused:
        check_scenario(load_scenario(text, "bad.yaml"), structures["trilateral"], catalogue, NAMES)
    assert refused.value.field == "injects[1].at_s"


def test_what_is_not_yaml_is_refused_with_a_line() -> None:
    with pytest.raises(InputError) as refused:
        load_scenario("schema: noroshi.scenario/1\nid: {a\ntitle: x\n", "bad.yaml")
    assert refused.value.line in (2, 3)


def test_elements_for_other_structures_are_left_out() -> None:
    loaded: Loaded = load_scenario(PACKAGED, "flight.yaml")
    assert loaded.structures_named() == ("after", "before", "trilateral")
    before: Scenario = selected(loaded.scenario, "before")
    assert [post.id for post in before.posts if post.id.startswith("us-usfj")] == ["us-usfj.watch"]
    assert not [post for post in before.posts if post.id.startswith("us-jfhqj")]
    assert loaded.scenario.realm == "exercise:flight-2022-10-04"

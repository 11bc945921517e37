"""The packaged structures: what may get where live is fixed here, row by row, so that no change of it goes unseen."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import jsonschema
import pytest

from noroshi.documents import parse
from noroshi.errors import OperatorError
from noroshi.service.resources import packaged_decisions, packaged_names, packaged_structure
from noroshi.structure import Catalogue, Structure, audiences, published_schemas, reach
from noroshi.structure.model import WARNING_CONTENT, Cited, references

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schemas"
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "structures"
SENSORS = ("us-radars-jp", "jp-asdf-radars", "kr-radars")

# All units that live warning data of a sensor group get to, besides the group itself.
US_CHAIN = {"us-indopacom", "us-usfk"}
REACHED = {
    ("before", "us-radars-jp"): US_CHAIN | {"us-usfj", "jp-mod"},
    ("before", "jp-asdf-radars"): US_CHAIN | {"us-usfj", "jp-mod"},
    ("before", "kr-radars"): US_CHAIN | {"us-usfj", "kr-jcs"},
    ("after", "us-radars-jp"): US_CHAIN | {"us-jfhqj", "jp-mod", "jp-jjoc"},
    ("after", "jp-asdf-radars"): US_CHAIN | {"us-jfhqj", "jp-mod", "jp-jjoc"},
    ("after", "kr-radars"): US_CHAIN | {"us-jfhqj", "kr-jcs"},
}
ALL_THREE = US_CHAIN | {"us-jfhqj", "jp-mod", "jp-jjoc", "kr-jcs", "tri-warning"}
REACHED |= {("trilateral", sensor): ALL_THREE for sensor in SENSORS}


@pytest.mark.parametrize(("name", "sensor"), sorted(REACHED))
@pytest.mark.parametrize("content", WARNING_CONTENT)
def test_live_warning_data_get_to_these_units_and_no_others(
    name: str, sensor: str, content: str, packaged: dict[str, Structure]
) -> None:
    assert set(reach(packaged[name], sensor, content)) == REACHED[name, sensor]


@pytest.mark.parametrize("name", ["before", "after"])
def test_a_korean_report_never_gets_to_japan_live(name: str, packaged: dict[str, Structure]) -> None:
    """From no Korean unit, with any content that has a live edge."""
    structure = packaged[name]
    contents = {content for edge in structure.sharing for content in edge.content}
    for unit in structure.units:
        if "KR" not in unit.nations:
            continue
        for content in contents:
            reached = reach(structure, unit.id, content)
            assert [end for end in reached if "JP" in structure.unit(end).nations] == []


@pytest.mark.parametrize("name", ["before", "after"])
def test_a_japanese_report_never_gets_to_korea_live(name: str, packaged: dict[str, Structure]) -> None:
    for content in WARNING_CONTENT:
        for sensor in ("jp-asdf-radars", "us-radars-jp"):
            assert "KR" not in audiences(packaged[name], sensor, content)


def test_trilateral_brings_a_korean_report_to_japan_by_the_reported_path(
    packaged: dict[str, Structure],
) -> None:
    for content in WARNING_CONTENT:
        way = reach(packaged["trilateral"], "kr-radars", content)["jp-mod"]
        assert way.units == ("kr-radars", "kr-jcs", "tri-warning", "jp-mod")
        assert way.edges == ("kr-radar-up", "tri-kr", "tri-jp")
        assert way.releasable_to == {"US", "JP", "KR"}


def test_only_on_request_do_korea_and_japan_share_in_before(packaged: dict[str, Structure]) -> None:
    structure = packaged["before"]
    assert reach(structure, "kr-mnd", "assessment") == {}
    asked = reach(structure, "kr-mnd", "assessment", {"on-request"})
    assert {end: way.releasable_to for end, way in asked.items()} == {"jp-mod": {"JP", "KR"}}


def test_no_content_of_any_unit_gets_to_an_external_unit_live(packaged: dict[str, Structure]) -> None:
    for structure in packaged.values():
        outside = {unit.id for unit in structure.units if unit.kind == "external"}
        contents = {content for edge in structure.sharing for content in edge.content}
        for unit in structure.unit_ids:
            for content in contents:
                assert outside.isdisjoint(reach(structure, unit, content))


def test_an_alert_stays_in_its_nation(packaged: dict[str, Structure]) -> None:
    for structure in packaged.values():
        assert audiences(structure, "jp-cabsec", "alert") == {}


def test_the_packaged_names_are_the_three_structures() -> None:
    assert packaged_names() == ("after", "before", "trilateral")
    for name in packaged_names():
        file, text = packaged_structure(name)
        assert file == f"{name}.yaml"
        assert parse(text, file).data["id"] == name
    with pytest.raises(OperatorError, match="did you mean before"):
        packaged_structure("befor")
    with pytest.raises(OperatorError):
        packaged_structure("../data/before")


def test_every_element_names_its_source_and_confidence(
    packaged: dict[str, Structure], catalogue: Catalogue
) -> None:
    for structure in packaged.values():
        elements: list[Cited] = [*structure.units, *structure.links, *structure.sharing]
        for element in (*elements, *structure.authorities, *catalogue.decisions):
            assert all(references(element.source))
            assert element.confidence in ("reported", "assumed", "notional")


def test_the_published_schemas_are_those_of_the_types() -> None:
    """To renew: write each of `published_schemas()` with `json.dumps(schema, indent=2)` and a line end."""
    for file, schema in published_schemas().items():
        published = (SCHEMAS / file).read_text(encoding="utf-8")
        assert published == json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def test_the_packaged_files_are_valid_under_the_published_schemas() -> None:
    schemas = published_schemas()
    structure = jsonschema.Draft202012Validator(schemas["structure.schema.json"])
    for name in packaged_names():
        file, text = packaged_structure(name)
        data = parse(text, file).data
        structure.validate(data)
        data["links"][0]["type"] = "comand"
        assert not structure.is_valid(data)
        data["links"][0]["type"] = "command"
        data["units"][0]["source"] = "hearsay"
        assert not structure.is_valid(data)
    file, text = packaged_decisions()
    jsonschema.Draft202012Validator(schemas["decisions.schema.json"]).validate(parse(text, file).data)


@pytest.mark.parametrize("name", ["before", "after", "trilateral", "decisions"])
def test_the_files_are_those_that_were_taken_over(name: str) -> None:
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data/structures")
    _, text = packaged_decisions() if name == "decisions" else packaged_structure(name)
    original = (SHARED / f"{name}.yaml").read_bytes()
    assert hashlib.sha256(text.encode()).hexdigest() == hashlib.sha256(original).hexdigest()

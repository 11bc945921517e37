"""Settings: what loads, what is refused at which line and field, and what a node is founded with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from noroshi.errors import InputError
from noroshi.exercise.cast import Keys
from noroshi.exercise.setting import (
    Setting,
    cast_of_setting,
    check_setting,
    load_setting,
    setting_schema,
)
from noroshi.node.inputs import Genesis, Publishing, decode_input, encode_input
from noroshi.service.founding import unpinned, wanting
from noroshi.service.setting_files import read_setting
from noroshi.service.structure_files import read_structure

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "scenarios" / "settings" / "two-nations.yaml"
TEXT = FILE.read_text(encoding="utf-8")
SCHEMA_FILE = ROOT / "docs" / "schemas" / "setting.schema.json"
CATALOGUE, STRUCTURE = read_structure(str(FILE.with_name("two-nations-structure.yaml")))


def genesis_of(setting: Setting, node: str, partner: str, **keys: Any) -> Genesis:
    cast = cast_of_setting(setting, STRUCTURE, CATALOGUE)
    own = cast.seat(node, partner)
    assert own is not None
    held = Keys(**({"ids": b"i" * 32, "scheme": "ed25519", "roots": {}, "certificates": ()} | keys))
    return cast.genesis(own, held, places_digest=bytes(32))


def test_the_published_schema_is_that_of_the_types_and_takes_the_example() -> None:
    published = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    assert published == setting_schema()
    jsonschema.Draft202012Validator.check_schema(published)
    document = yaml.safe_load(TEXT)
    jsonschema.validate(document, published)
    document["posts"][0]["duties"] = ["decide"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, published)


# Each row: a text of the example, what stands there instead, the field and words of the refusal.
FAULTS = [
    ("realm: real", "realm: drill", "realm", "no realm"),
    ("schema: noroshi.setting/1", "schema: noroshi.scenario/1", "schema", "not allowed"),
    ("title: Two nations that warn one another\n", "title: x\nseed: 4\n", "seed", "unknown field"),
    ("title: Two nations that warn one another\n", "title: x\nworld: {}\n", "world", "unknown field"),
    ("    node: usa\n", "    node: jpn\n", "partners[1].node", "two partners"),
    ("    nation: US\n", "    nation: UK\n", "partners[1].nation", "no nation"),
    ("assessing: us-watch", "assessing: jp-mod", "partners[1].assessing", "is of JP, not of US"),
    ("assessing: us-watch", "assessing: us-wach", "partners[1].assessing", "no unit 'us-wach'"),
    ("lost_after_s: 10", "lost_after_s: -1", "partners[0].rules.lost_after_s", "no such figure"),
    ("warn_probability: 0.1", "warn_probability: 1", "partners[0].rules.warn_probability", "probability"),
    ("lost_after_s: 10", "alerts: {}", "partners[0].rules.alerts", "unknown field"),
    ("https://alerts.example/jp", "alerts.example/jp", "partners[0].publishing.web", "no address"),
    ("Crisis centre, +81", "This is an exercise, +81", "partners[0].publishing.contact", "claims to be an exercise"),
    ("contact:", "profile: eas, contact:", "partners[0].publishing.profile", "not allowed"),
    ("- [JPN, USA]", "- [JPN, KOR]", "links[0][1]", "no partner 'KOR'"),
    ("- [JPN, USA]", "- [USA, USA]", "links[0]", "linked to itself"),
    ("- [JPN, USA]", "- [JPN, USA]\n  - [USA, JPN]", "links[1]", "given twice"),
    ("id: us-shariki", "id: jp-sado", "sensors[2]", "given twice"),
    ("unit: us-radars\n", "unit: us-radar\n", "sensors[2].unit", "no unit 'us-radar'"),
    ("lat_deg: 40.9", "lat_deg: 140.9", "sensors[2].lat_deg", "90"),
    ("sigma_range_m: 20\n", "height_m: 3\n", "sensors[2].sigma_range_m", "a radar has a range"),
    ("sigma_range_m: 20\n", "sigma_range_m: 20\n    sensing: infrared\n", "sensors[2].sigma_range_m", "angles"),
    ("sigma_range_m: 20\n", "sigma_range_m: 20\n    bias_range_m: 5\n", "sensors[2].bias_azimuth_mrad", "in part"),
    ("sigma_range_m: 20\n", "sigma_range_m: 20\n    pd: 0.9\n", "sensors[2].pd", "unknown field"),
    ("id: us-watch.duty", "id: watch.duty", "posts[4].id", "does not begin with its unit"),
    ("duties: [approve]", "duties: [approve, approve]", "posts[1].duties", "given twice"),
    ("duties: [approve]", "duties: [decide]", "posts[1].duties[0]", "does not fit"),
    ("duties: [approve]", "duties: ['request:tea']", "posts[1].duties[0]", "no decision 'tea'"),
    ("duties: [approve]", "duties: ['request:bilateral-consult']", "posts[1].duties[0]", "may not ask"),
    ("title: Approving officer", "title: Approving officer, presence: 1", "posts[1].presence", "unknown field"),
    ("id: towns-b, unit: jp-fdma, roster: jp-towns, last_hops: 120",
     "id: towns-b, unit: jp-fdma, roster: jp-towns, last_hops: 9", "relays[1].last_hops", "same roster"),
    ("\nrelays:", "\noutside: [KR]\nrelays:", "outside[0]", "no nation"),
    ("\nrelays:", "\noutside: [US]\nrelays:", "outside[0]", "nation of USA"),
]  # fmt: skip


@pytest.mark.parametrize(("there", "instead", "field", "words"), FAULTS)
def test_a_fault_is_refused_with_its_line_and_field(there: str, instead: str, field: str, words: str) -> None:
    assert TEXT.count(there) == 1
    with pytest.raises(InputError) as refused:
        check_setting(load_setting(TEXT.replace(there, instead), "bad.yaml"), STRUCTURE, CATALOGUE)
    error = refused.value
    assert error.field == field
    assert words in error.cause
    assert error.line is not None


def test_a_nation_without_a_node_is_said_to_be_outside_or_refused() -> None:
    """The packaged structure has three nations, and here are two of them."""
    catalogue, trilateral = read_structure("trilateral")
    partners = [
        {"id": "JPN", "nation": "JP", "name": "Japan", "node": "jpn", "assessing": "jp-mod"},
        {"id": "USA", "nation": "US", "name": "United States", "node": "usa", "assessing": "us-indopacom"},
    ]
    shared = [
        {"unit": one.id, "node": "usa"}
        for one in trilateral.units
        if one.shared and one.kind != "external" and one.nations & {"JP", "US"}
    ]
    document = {
        "schema": "noroshi.setting/1", "realm": "exercise:standing", "title": "Two of three", "partners": partners,
        "structure": "trilateral", "shared_units": shared,
    }  # fmt: skip
    with pytest.raises(InputError) as refused:
        check_setting(load_setting(yaml.safe_dump(document), "two.yaml"), trilateral, catalogue)
    assert "name it in `outside`" in refused.value.hint
    loaded = load_setting(yaml.safe_dump(document | {"outside": ["KR"]}), "two.yaml")
    check_setting(loaded, trilateral, catalogue)
    nodes = cast_of_setting(loaded.setting, trilateral, catalogue).nodes
    assert "kr-mois" not in nodes
    assert nodes["jp-cabsec"] == "jpn"
    seats = [{"id": "kr-mois.duty", "unit": "kr-mois", "title": "x", "duties": ["watch"]}]
    loaded = load_setting(yaml.safe_dump(document | {"outside": ["KR"], "posts": seats}), "two.yaml")
    with pytest.raises(InputError, match="no node serves kr-mois"):
        check_setting(loaded, trilateral, catalogue)


def test_a_node_begins_with_what_is_its_own() -> None:
    given = read_setting(str(FILE))
    jpn, usa = genesis_of(given.setting, "jpn", "JPN"), genesis_of(given.setting, "usa", "USA")
    assert [one.id for one in jpn.sensors] == ["jp-sado", "jp-ominato"]
    assert [one.id for one in usa.posts] == ["us-watch.duty"]
    assert (jpn.realm, jpn.wires, jpn.partners) == ("real", (("jpn", "usa"),), {"JPN": "JP", "USA": "US"})
    assert (jpn.rules.edition, jpn.rules.receipt_within_s) == (2, 30.0)
    assert jpn.sensors[0].sigma == (40.0, 0.001, 0.001)
    assert jpn.sensors[0].clock_sigma_s == 0.001
    assert jpn.sensors[0].pseudonym.startswith("radar-")
    assert isinstance(jpn.publishing, Publishing)
    assert usa.publishing is msgspec.UNSET
    for one in (jpn, usa):
        assert decode_input(encode_input(one)[1]) == one
    assert given.relays_of("jpn") == ("towns-a", "towns-b")
    assert given.relays_of("usa") == ()


def test_what_is_wanting_is_said_to_whoever_founds_it() -> None:
    given = read_setting(str(FILE))
    said = wanting(genesis_of(given.setting, "jpn", "JPN"), given.relays_of("jpn"))
    assert unpinned(genesis_of(given.setting, "jpn", "JPN")) == ["JPN", "USA"]
    assert said == [
        "no key is certified yet of the posts jp-cabsec.watch, jp-cabsec.approver, jp-mod.watch, jp-fdma.duty",
        "no key is certified yet of the relays towns-a, towns-b",
        "22 elements of the structure two-nations are notional: invented, and no agreement of anybody",
        "no public words are approved yet: until they are, it drafts no public alert",
    ]
    lonely = load_setting(TEXT.replace("duties: [approve]", "duties: [watch]"), "x.yaml").setting
    assert any("has not two posts" in one for one in wanting(genesis_of(lonely, "jpn", "JPN")))
    blind = msgspec.structs.replace(lonely, sensors=())
    assert any("no sensors of its own" in one for one in wanting(genesis_of(blind, "jpn", "JPN")))
    played = msgspec.structs.replace(given.setting, realm="exercise:standing")
    assert not any("notional" in one for one in wanting(genesis_of(played, "jpn", "JPN")))


@pytest.mark.parametrize(
    ("raw", "words"),
    [(None, "no such file"), (b"\xff\xfe", "not readable as UTF-8"), (b"x" * (5 << 20), "larger than")],
)
def test_an_unusable_file_is_one_sentence(tmp_path: Path, raw: bytes | None, words: str) -> None:
    path = tmp_path / "setting.yaml"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(InputError, match=words):
        read_setting(str(path))


def test_a_structure_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "setting.yaml"
    path.write_text(TEXT)
    with pytest.raises(InputError) as refused:
        read_setting(str(path))
    assert (refused.value.field, "no structure 'two-nations-structure.yaml'" in refused.value.cause) == (
        "structure",
        True,
    )

"""Reading and writing CAP: nothing is lost, nothing is guessed, and what is broken is refused with its line."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random

import msgspec
import pytest
from lxml import etree

from noroshi.clock import from_iso
from noroshi.gateways.cap_check import cap_root, check_cap
from noroshi.gateways.cap_container import alerts_in
from noroshi.gateways.cap_convert import cap_geojson, to_cap12
from noroshi.gateways.cap_json import alert_of, cap_document
from noroshi.gateways.cap_model import CapNamed, CapResource, CapUnreadableError, words_of
from noroshi.gateways.cap_read import MAX_EXTRA_BYTES, read_cap
from noroshi.gateways.cap_values import circle_of, polygon_of, references_of, time_of
from noroshi.gateways.cap_write import write_cap
from tests.gateways.cap_samples import DATA, OLD_10, OLD_11, WHOLE, plain_canonical, spoilt

REFUSED = {
    "google__xee.xml": "document-type",
    "kelvinn__smhi.se.alerts.xml": "root",
    "kelvinn__invalid_xmlns.xml": "namespace",
}
"""Samples that are no single CAP message, with the rule that says so."""


def test_all_of_the_standard_is_read() -> None:
    alert = read_cap(WHOLE)
    assert (alert.version, alert.identifier, alert.sender, alert.status) == (
        "1.2",
        "KUMO-7",
        "duty@kumo.example",
        "Exercise",
    )
    assert (alert.msg_type, alert.scope, alert.restriction) == ("Update", "Restricted", "harbour masters")
    assert words_of(alert.addresses) == ("East Pier", "west-pier")
    assert (alert.codes, alert.note, alert.incidents, alert.source) == (
        ("IPAWSv1.0",), "for a rehearsal", "tide-3", "tide gauge 4",
    )  # fmt: skip
    assert (alert.sent.time_ns, alert.sent.offset_s) == (from_iso("2026-02-01T00:00:00Z"), 9 * 3600)
    (reference,) = references_of(alert)
    assert (reference.sender, reference.identifier, reference.sent.text) == (
        "duty@kumo.example", "KUMO-6", "2026-02-01T08:00:00+09:00",
    )  # fmt: skip
    (info,) = alert.infos
    assert (info.language, info.categories, info.response_types) == (
        "en-GB",
        ("Geo", "Met"),
        ("Evacuate", "Avoid"),
    )
    assert info.sender_name == "Harbour office & co."
    assert info.description == "Two\nlines."
    assert [(one.name, one.value) for one in info.parameters] == [("EAS-ORG", "CIV"), ("height", "1.20 m")]
    assert info.resources[0].deref_uri == "Y2hhcnQ="
    (area,) = info.areas
    assert area.polygons[0].points == ((35.0, 139.0), (35.1, 139.0), (35.1, 139.1), (35.0, 139.0))
    assert (area.circles[0].latitude, area.circles[0].radius_km) == (35.05, 2.5)
    assert (area.altitude, area.ceiling) == ("0", "12.5")


def test_every_sample_comes_out_as_it_went_in(shared: Path) -> None:
    assert shared.is_dir()
    refused = {}
    for file in sorted(DATA.glob("*/*.xml")):
        data = file.read_bytes()
        try:
            written = write_cap(read_cap(data, forgiving=True))
        except CapUnreadableError as error:
            refused[file.name] = error.rule
            continue
        assert plain_canonical(written) == plain_canonical(data), file.name
        assert read_cap(written, forgiving=True) == read_cap(data, forgiving=True), file.name
    assert refused == REFUSED


@pytest.mark.parametrize("sample", [WHOLE, OLD_11, OLD_10])
def test_any_message_comes_out_as_it_went_in_however_strange(sample: bytes) -> None:
    root, version = cap_root(sample)
    draw = Random(3)
    for _ in range(60):
        data = spoilt(root, version, draw)
        assert plain_canonical(write_cap(read_cap(data, forgiving=True))) == plain_canonical(data), data


def test_what_cap_does_not_have_is_kept_in_its_place() -> None:
    strange = (
        WHOLE.replace(b"<scope>", b'<k:near xmlns:k="urn:k" a="1">b<k:c/></k:near><scope>')
        .replace(b"<geocode>", b"<mesh>5339</mesh><geocode x='1'>")
        .replace(b"<event>", b"<event lang='ja'>")
    )  # fmt: skip
    alert = read_cap(strange)
    assert [one.rule for one in check_cap(strange) if one.severity == "error"] == [
        "unknown-element", "unknown-attribute", "unknown-element", "unknown-attribute",
    ]  # fmt: skip
    assert alert.extra == (
        b'<k:near xmlns="urn:oasis:names:tc:emergency:cap:1.2" xmlns:k="urn:k" a="1">b<k:c></k:c></k:near>',
    )
    assert b"5339" in alert.infos[0].areas[0].extra[0]
    assert plain_canonical(write_cap(alert)) == plain_canonical(strange)


def test_a_namespace_without_canonical_form_is_kept_as_it_stands() -> None:
    strange = WHOLE.replace(b"<scope>", b'<x xmlns="near" b="2" a="1"/><scope>')
    assert read_cap(strange).extra == (b'<x xmlns="near" b="2" a="1"/>',)
    assert b'<x xmlns="near" b="2" a="1"/>' in write_cap(read_cap(strange))


def test_a_prefix_comments_and_other_encodings_change_nothing() -> None:
    prefixed = (
        WHOLE.replace(b"<", b"<c:")
        .replace(b"<c:/", b"</c:")
        .replace(b"<c:?", b"<?")
        .replace(b"xmlns=", b"xmlns:c=")
    )
    assert plain_canonical(write_cap(read_cap(prefixed))) == plain_canonical(prefixed)
    noted = WHOLE.replace(b"Leave the", b"Leave<!-- not --> the").replace(
        b"<event>", b"<!-- b --><?c d?><event>"
    )
    assert read_cap(noted).infos[0].instruction == "Leave the quay."
    kana = WHOLE.decode().replace("Harbour<", "港<")
    for encoding in ("utf-16", "utf-8", "utf-8-sig", "Shift_JIS", "EUC-JP", "windows-31j", "GB18030", "big5"):
        data = kana.replace("UTF-8", encoding.removesuffix("-sig")).encode(
            encoding.replace("windows-31j", "cp932")
        )
        assert read_cap(data).infos[0].areas[0].description == "港"
        assert check_cap(data) == []
    latin = WHOLE.decode().replace("Harbour<", "Ålesund<").replace("UTF-8", "ISO-8859-1").encode("latin-1")
    assert read_cap(latin).infos[0].areas[0].description == "Ålesund"
    for wrong in (
        WHOLE.replace(b"UTF-8", b"UTF-7"),
        WHOLE.replace(b"UTF-8", b"UTF-16"),
        kana.encode("shift_jis"),
    ):
        with pytest.raises(CapUnreadableError):
            read_cap(wrong)


def test_a_changed_message_keeps_its_order_and_what_is_added_stands_where_it_must() -> None:
    alert = read_cap(WHOLE)
    info = alert.infos[0]
    more = msgspec.structs.replace(
        info,
        headline="Water to the third step",
        contact="",
        event_codes=(*info.event_codes, CapNamed("local", "tide")),
        resources=(*info.resources, CapResource("map", "image/png", uri="https://kumo.example/map.png")),
    )
    written = write_cap(msgspec.structs.replace(alert, infos=(more, more), note="again"))
    assert check_cap(written) == []
    back = read_cap(written)
    assert back.note == "again"
    assert [one.headline for one in back.infos] == ["Water to the third step"] * 2
    assert [one.value for one in back.infos[1].event_codes] == ["CFW", "tide"]
    assert [one.description for one in back.infos[0].resources] == ["chart", "map"]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (b"<status>Exercise", b"<status>Rehearsal", "value"),
        (b"<sent>2026-02-01T09:00:00+09:00</sent>", b"", "missing"),
        (b"<sent>2026-02-01T09:00:00+09:00</sent>", b"<sent>2026-02-01T09:00:00</sent>", "time"),
        (b"<sender>", b"<sender>a</sender><sender>", "repeated"),
        (b"<headline>", b"<headline><b/>", "markup"),
        (b"cap:1.2", b"cap:2.0", "namespace"),
    ],
)
def test_what_is_broken_is_refused_unless_it_is_only_looked_at(old: bytes, new: bytes, rule: str) -> None:
    data = WHOLE.replace(old, new, 1)
    with pytest.raises(CapUnreadableError) as caught:
        read_cap(data)
    assert (caught.value.rule, caught.value.line > 0) == (rule, True)
    if rule != "namespace":
        assert plain_canonical(write_cap(read_cap(data, forgiving=True))) == plain_canonical(data)


def test_what_is_out_of_order_is_read() -> None:
    moved = WHOLE.replace(b"    <event>High tide</event>\n", b"").replace(
        b"  </info>", b"<event>High tide</event></info>"
    )
    assert [one.rule for one in check_cap(moved)] == ["order"]
    assert read_cap(moved).infos[0].event == "High tide"


def test_namespaces_do_not_make_a_message_grow_without_bound() -> None:
    spaces = b" ".join(b'xmlns:p%d="urn:%s"' % (n, b"x" * 200) for n in range(60))
    data = WHOLE.replace(b"<alert ", b"<alert " + spaces + b" ").replace(
        b"</alert>", b"<x/>" * 20_000 + b"</alert>"
    )
    with pytest.raises(CapUnreadableError, match=str(MAX_EXTRA_BYTES)) as caught:
        read_cap(data)
    assert caught.value.rule == "size"


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2022-10-04T07:25:10+09:00", "2022-10-03T22:25:10Z"),
        ("2022-10-04T07:25:10.123456789Z", "2022-10-04T07:25:10.123456Z"),
        ("2022-12-31T24:00:00-01:30", "2023-01-01T01:30:00Z"),
        ("2022-10-04T07:25:10", None),
        ("2023-02-29T00:00:00Z", None),
        ("2022-10-04T25:00:00Z", None),
        ("2022-10-04T07:25:10+15:00", None),
        ("soon", None),
        ("٢٠٢٢-10-04T07:25:10Z", None),
    ],
)
def test_times(text: str, iso: str | None) -> None:
    known = time_of(text).time_ns
    assert (known if known is None else known // 1000 * 1000) == (None if iso is None else from_iso(iso))


def test_polygons_and_circles_that_make_no_sense_have_their_text_only() -> None:
    for text in (
        "",
        "1,2 1,3 1,2",
        "1,2 1,3 2,3 2,2",
        "1,2 1,3 91,3 1,2",
        "1,2 1,3 nan,3 1,2",
        "1 2,1 3,2 3,1 2",
        "x",
    ):
        assert (polygon_of(text).text, polygon_of(text).points) == (text, ())
    assert polygon_of(" 1,2\n1,3\t2,3 1.0,2.0 ").points[-1] == (1.0, 2.0)
    for text in ("1,2", "1,2 -1", "1,181 2", "1,2 inf", "1,2 3 4", "1,2,3 4"):
        assert circle_of(text).radius_km is None
    assert circle_of("1,2 0").radius_km == 0.0


def test_old_versions_become_cap_12_and_say_what_they_lost() -> None:
    old = to_cap12(read_cap(OLD_10))
    written = write_cap(old.alert)
    assert [(one.rule, one.severity) for one in check_cap(written)] == [("empty", "warning")]
    assert [one.split(":")[0] for one in old.lost] == [
        "password (CAP 1.2 has none)", "no scope", "info[0] no category", "info[0] certainty Very Likely",
        "info[0].parameter 'bare' has no name",
    ]  # fmt: skip
    info = read_cap(written).infos[0]
    assert [(one.name, one.value) for one in info.parameters] == [("height", "1=2"), ("", "bare")]
    assert (info.certainty, info.areas[0].geocodes[0].value) == ("Likely", "006109")
    assert b"sesame" not in written
    newer = to_cap12(read_cap(OLD_11))
    assert newer.lost == (
        "info[0].effective fraction of the second",
        "info[0].resource[0] no mimeType: written as application/octet-stream",
        "info[0].area[0] altitude 'sea level' (CAP 1.2 takes numbers only)",
    )
    assert [(one.rule, one.severity) for one in check_cap(write_cap(newer.alert))] == [("ceiling", "warning")]
    assert newer.alert.infos[0].effective == time_of("2026-02-01T00:00:00-00:00")
    assert to_cap12(read_cap(WHOLE)).lost == ()
    zoneless = OLD_11.replace(b"<sent>2026-02-01T09:00:00+09:00", b"<sent>2026-02-01T09:00:00")
    with pytest.raises(CapUnreadableError, match="no zone"):
        to_cap12(read_cap(zoneless))


def test_json_and_geojson() -> None:
    document = cap_document(read_cap(WHOLE))
    (info,) = document["info"]
    assert (document["version"], document["sent"], info["parameter"][1]) == (
        "1.2", "2026-02-01T09:00:00+09:00", {"valueName": "height", "value": "1.20 m"},
    )  # fmt: skip
    assert info["area"][0]["circle"][0] == {
        "text": "35.05,139.05 2.50",
        "centre": [35.05, 139.05],
        "radius_km": 2.5,
    }
    assert msgspec.json.decode(msgspec.json.encode(document)) == document
    (feature,) = cap_geojson(read_cap(WHOLE))["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    triangle = feature["geometry"]["coordinates"][0][0]
    assert triangle[0] == [139.0, 35.0]
    assert sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(triangle)) > 0
    assert feature["properties"]["left_out"] == []


def spaceless(data: bytes) -> bytes:
    parser = etree.XMLParser(remove_blank_text=True, remove_comments=True, remove_pis=True, no_network=True)
    return etree.tostring(etree.fromstring(data, parser), method="c14n", with_comments=False)


def test_json_gives_every_sample_back_but_for_white_space(shared: Path) -> None:
    files = [file for folder in ("cap10", "cap11", "cap12") for file in sorted((DATA / folder).glob("*.xml"))]
    samples = [WHOLE, OLD_11, OLD_10, *(file.read_bytes() for file in files if file.name not in REFUSED)]
    for data in samples:
        if {one.rule for one in check_cap(data) if one.severity == "error"} <= {"unknown-element"}:
            alert = read_cap(data)
            document = msgspec.json.decode(msgspec.json.encode(cap_document(alert)))
            wanted = (
                data
                if not alert.form or not alert.form.prefix
                else write_cap(msgspec.structs.replace(alert, form=None))
            )
            assert spaceless(write_cap(alert_of(document))) == spaceless(wanted)


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"version": "2.0"}, {"version": []}, {"version": "1.2", "namespace": "x"}, {"version": "1.2", "x": 1},
     {"version": "1.2", "identifier": 7}, {"version": "1.2", "sent": None}, {"version": "1.2", "note": "\x00"},
     {"version": "1.2", "info": {}}, {"version": "1.2", "info": ["x"]}, {"version": "1.2", "extra": ["<a"]},
     {"version": "1.2", "info": [{"area": [{"polygon": ["1,2"]}]}]}, {"version": "1.0", "info": [{"parameter": ["a"]}]}],
)  # fmt: skip
def test_json_that_is_no_message_is_refused(document: object) -> None:
    with pytest.raises(CapUnreadableError) as caught:
        alert_of(document)
    assert caught.value.rule == "json"


def test_a_polygon_across_180_degrees_is_split_in_geojson() -> None:
    across = WHOLE.replace(
        b"35.0,139.0 35.1,139.0 35.1,139.10 35.0,139.0", b"50,179 52,179 52,-179 50,-179 50,179"
    )
    coordinates = cap_geojson(read_cap(across))["features"][0]["geometry"]["coordinates"]
    assert all(abs(a[0] - b[0]) < 180 for (ring,) in coordinates for a, b in pairwise(ring))
    broken = WHOLE.replace(b"35.1,139.10 35.0,139.0<", b"35.1,139.10<").replace(
        b"<circle>35.05,139.05 2.50</circle>", b""
    )
    feature = cap_geojson(read_cap(broken))["features"][0]
    assert (feature["geometry"], feature["properties"]["left_out"]) == (
        None,
        ["35.0,139.0 35.1,139.0 35.1,139.10"],
    )


def test_messages_are_found_in_lists_feeds_and_envelopes() -> None:
    body = WHOLE.partition(b"?>")[2]
    edxl = b'<EDXLDistribution xmlns="urn:oasis:names:tc:emergency:EDXL:DE:1.0"><contentObject><xmlContent>'
    edxl += (
        b"<embeddedXMLContent>"
        + body
        + b"</embeddedXMLContent></xmlContent></contentObject></EDXLDistribution>"
    )
    found = alerts_in(edxl)
    assert (found.kind, len(found.alerts)) == ("edxl", 1)
    assert read_cap(found.alerts[0].data()).identifier == "KUMO-7"
    assert alerts_in(WHOLE).kind == "alert"
    assert len(alerts_in(b"<alerts>" + body * 3 + b"</alerts>").alerts) == 3
    nested = WHOLE.replace(b"</alert>", b'<o xmlns="urn:o">' + body + b"</o></alert>")
    assert len(alerts_in(b"<x>" + nested.partition(b"?>")[2] + b"</x>").alerts) == 1

"""The verdict on a CAP file: that of the schema in every case, and the rules of the standard's text and of a profile."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from lxml import etree

from noroshi.gateways.cap_check import MAX_FINDINGS, cap_root, check_cap
from noroshi.gateways.cap_model import NAMESPACES, CapUnreadableError, CapVersion
from tests.gateways.cap_samples import DATA, OLD_10, OLD_11, WHOLE, spoilt

SCHEMA_FILES: dict[CapVersion, str] = {"1.1": "cap11.xsd", "1.2": "CAP-v1.2.xsd"}


@pytest.fixture(scope="module")
def schemas(shared: Path) -> dict[CapVersion, Any]:
    folder = shared / "data" / "cap" / "schema"
    return {version: etree.XMLSchema(etree.parse(folder / name)) for version, name in SCHEMA_FILES.items()}


def errors(data: bytes) -> list[str]:
    return [one.rule for one in check_cap(data) if one.severity == "error"]


def warnings(data: bytes) -> list[str]:
    return [one.rule for one in check_cap(data) if one.severity == "warning"]


def test_our_samples_have_no_findings() -> None:
    assert check_cap(WHOLE) == []
    assert check_cap(WHOLE, profile="ipaws") == []
    assert errors(OLD_11) == errors(OLD_10) == []


def test_every_sample_of_others_is_judged_as_the_schema_judges_it(schemas: dict[CapVersion, Any]) -> None:
    files = sorted(DATA.glob("*/*.xml"))
    assert len(files) >= 32
    for file in files:
        data = file.read_bytes()
        tree = etree.fromstring(
            data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        )
        version = next((one for one, name in NAMESPACES.items() if tree.tag == f"{{{name}}}alert"), "1.2")
        if version in schemas:
            assert schemas[version].validate(tree) == (not errors(data)), file.name
        else:
            assert errors(data) == [], file.name


@pytest.mark.slow
@pytest.mark.parametrize("count", [400, pytest.param(30_000, marks=pytest.mark.soak)])
def test_no_changed_message_is_judged_otherwise_than_by_the_schema(
    schemas: dict[CapVersion, Any], count: int
) -> None:
    roots = [cap_root(WHOLE), cap_root(OLD_11)]
    for file in sorted(DATA.glob("cap1[12]/*.xml")):
        if file.stat().st_size < 20_000 and check_cap(file.read_bytes())[:1] == []:
            roots.append(cap_root(file.read_bytes()))
    draw = Random(5)
    valid = 0
    for _ in range(count):
        root, version = draw.choice(roots)
        data = spoilt(root, version, draw)
        verdict = schemas[version].validate(etree.fromstring(data))
        assert verdict == (not errors(data)), (check_cap(data)[:3], data)
        valid += verdict
    assert 0.1 < valid / count < 0.9


OTHER_INFO = b"""<info><category>Met</category><event>e</event><urgency>Past</urgency><severity>Minor</severity>
<certainty>Likely</certainty></info>"""

VALUES = {
    "sent": (
        "2022-10-04T07:25:10Z 2022-10-04T24:00:00+09:00 2022-10-04T24:00:01+09:00 2022-13-04T07:25:10+09:00"
        " 2022-02-29T07:25:10+09:00 2024-02-29T07:25:10+09:00 0000-01-01T00:00:00+00:00 2022-10-04T07:25:60+09:00"
        " 2022-10-04T07:25:10+14:00 2022-10-04T07:25:10+14:01 2022-10-04T07:25:10-13:60 2022-10-04T07:25:10,09:00"
        " 2022-10-04T07:25:10.5+09:00 -2022-10-04T07:25:10+09:00 12022-10-04T07:25:10+09:00 1900-02-29T00:00:00Z"
    ).split()
    + ["", " 2022-10-04T07:25:10+09:00 ", "２022-10-04T07:25:10+09:00"],
    "web": (
        "http://[::1]/ http://[::1 http://a.b:80x/ %zz %2 : :: a:b:c 1a:b // /// http:// http:///x http://a#b#c #"
        " http://a/[x] http://a/?[x] http://a/#[x] http://a@b@c/ http://:80/ http://a:2147483648/ http://a:/ [x] x:/b"
        " http://日本.jp/道 mailto:x@y urn:x:y ?q?"
    ).split()
    + ["", "a b", "\t http://x \n", "http://a b/c"],
    "size": ["1", "+1", "-1", "", "1.0", " 1 ", "1e3", "9" * 30, "\u0661", "1 2"],
    "altitude": ["1", "+1.5", ".5", "5.", "", "1e3", " 2 ", "INF", ".", "1,5", "9" * 40],
    "language": ["en-US", "", "e", "toolonglang", "en_US", "en-", "12", " en ", "en-123456789"],
    "status": ["Actual", " Actual", "actual", ""],
    "scope": ["Public", "public"],
    "certainty": ["Very Likely", "Observed"],
}


def test_no_value_is_judged_otherwise_than_by_the_schema(schemas: dict[CapVersion, Any]) -> None:
    for version, sample in (("1.2", WHOLE), ("1.1", OLD_11)):
        for name, values in VALUES.items():
            for value in values:
                root = etree.fromstring(sample)
                for one in root.iter(f"{{*}}{name}"):
                    one.text = value
                data = etree.tostring(root)
                judged = schemas[version].validate(etree.fromstring(data))  # type: ignore[index]  # the loop's names are versions
                assert judged == (not errors(data)), (version, name, value)


@pytest.mark.parametrize(
    ("old", "new", "line", "rule"),
    [
        (b"  <scope>Restricted</scope>\n", b"", 2, "missing"),
        (b"<status>Exercise", b"<status>Rehearsal", 6, "value"),
        (b"2026-02-01T10:30:00+09:00", b"soon", 29, "time"),
        (b"<event>", b"<event/><event>", 20, "repeated"),
        (b"<source>tide gauge 4</source>", b"<sorce>4</sorce>", 8, "unknown-element"),
        (b"<note>", b"<note x='1'>", 13, "unknown-attribute"),
        (b"<note>for", b"<note><b/>for", 13, "markup"),
        (b"  <info>", b" words <info>", 2, "text"),
        (b"<size>5", b"<size>five", 43, "integer"),
        (b"<altitude>0", b"<altitude>low", 53, "decimal"),
        (b"cap:1.2", b"cap:1.3", 2, "namespace"),
        (b"alert>", b"warning>", 2, "well-formed"),
    ],
)
def test_an_error_names_its_line_and_rule(old: bytes, new: bytes, line: int, rule: str) -> None:
    found = [one for one in check_cap(WHOLE.replace(old, new, 1)) if one.severity == "error"]
    assert rule in [one.rule for one in found]
    if rule != "well-formed":
        assert (line, rule) in [(one.line, one.rule) for one in found]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (b"<identifier>KUMO-7", b"<identifier>KUMO 7", "identifier"),
        (b"<sender>duty@", b"<sender>duty,&amp;@", "sender"),
        (b"KUMO-6,2026", b"KUMO-6 2026", "references"),
        (
            b"  <references>duty@kumo.example,KUMO-6,2026-02-01T08:00:00+09:00</references>\n",
            b"",
            "references",
        ),
        (b"  <restriction>harbour masters</restriction>\n", b"", "restriction"),
        (b"<scope>Restricted", b"<scope>Public", "restriction"),
        (b"  <note>for a rehearsal</note>\n", b"", "note"),
        (b"35.1,139.10 35.0,139.0<", b"35.1,139.10<", "polygon"),
        (b"35.1,139.10 35.0,139.0<", b"35.1,239.10 35.0,139.0<", "polygon"),
        (b"35.05,139.05 2.50", b"35.05,139.05", "circle"),
        (b"https://kumo.example/", b"kumo.example/", "uri-form"),
        (b"text/plain", b"plain", "mime-type"),
        (b"Y2hhcnQ=", b"Y2hhcnQ", "base64"),
        (b"Y2hhcnQ=", b"Y2hhcnR=", "base64"),
        (b"b82b40b8", b"00000000", "digest"),
        (b"<ceiling>12.5", b"<ceiling>-12.5", "ceiling"),
        (b"      <altitude>0</altitude>\n", b"", "ceiling"),
        (b"2026-02-01T12:00:00+09:00</expires>", b"2026-02-01T08:00:00+09:00</expires>", "expires"),
        (b"<areaDesc>Harbour", b"<areaDesc>", "empty"),
    ],
)
def test_what_only_the_text_forbids_is_a_warning(old: bytes, new: bytes, rule: str) -> None:
    data = WHOLE.replace(old, new, 1)
    assert data != WHOLE
    assert errors(data) == []
    assert warnings(data) == [rule] or rule == "base64"


def test_scope_private_wants_addresses_and_an_alert_wants_an_info() -> None:
    private = WHOLE.replace(b"Restricted", b"Private").replace(
        b"  <restriction>harbour masters</restriction>\n", b""
    )
    assert warnings(private) == []
    assert warnings(private.replace(b'<addresses>"East Pier" west-pier</addresses>', b"")) == ["addresses"]
    head = WHOLE[: WHOLE.index(b"  <info>")] + b"</alert>"
    assert (errors(head), warnings(head)) == ([], ["info"])


def test_a_time_without_a_numeric_zone_is_a_warning_in_old_versions() -> None:
    assert warnings(OLD_11) == ["time-zone", "altitude"]
    assert warnings(OLD_11.replace(b"00.25Z<", b"00<")) == ["time-zone", "altitude"]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (b"IPAWSv1.0", b"other", "ipaws-code"),
        (b"<value>CFW", b"<value>Tide", "ipaws-same"),
        (b"<eventCode><valueName>SAME</valueName><value>CFW</value></eventCode>", b"", "ipaws-same"),
        (b"    <expires>2026-02-01T12:00:00+09:00</expires>\n", b"", "ipaws-expires"),
        (b"<value>012345", b"<value>12345", "ipaws-geocode"),
        (b"<value>CIV", b"<value>ABC", "ipaws-eas-org"),
        (b"  </info>\n", b"  </info>" + OTHER_INFO, "ipaws-same-event"),
    ],
)  # fmt: skip
def test_the_profile_has_rules_of_its_own(old: bytes, new: bytes, rule: str) -> None:
    data = WHOLE.replace(old, new, 1)
    assert errors(data) == []
    assert rule in [one.rule for one in check_cap(data, profile="ipaws") if one.severity == "error"]
    assert all(one.rule.startswith("ipaws-") for one in check_cap(data, profile="ipaws"))


def test_what_the_profiles_schema_forbids_we_find(shared: Path) -> None:
    folder = shared / "data" / "cap" / "schema"
    schema = etree.XMLSchema(etree.parse(folder / "capv1.2-ipaws-profile-v1.0-pr02.xsd"))
    root, version = cap_root(WHOLE)
    assert schema.validate(root)
    draw = Random(11)
    refused = 0
    for _ in range(300):
        data = spoilt(root, version, draw)
        if not schema.validate(etree.fromstring(data)):
            refused += 1
            found = check_cap(data, profile="ipaws")
            assert any(one.severity == "error" for one in found) or b"Signature" in data, data
    assert refused > 100


def test_what_is_no_single_message_says_what_it_is() -> None:
    body = WHOLE.partition(b"?>")[2]
    for root, word in (
        ("alerts", "list of alerts"),
        ("EDXLDistribution", "EDXL"),
        ("feed", "root element is feed"),
    ):
        (finding,) = check_cap(b"<%s>%s%s</%s>" % (root.encode(), body, body, root.encode()))
        assert (finding.rule, finding.line) == ("root", 1)
        assert word in finding.text
        assert "2 CAP messages" in finding.text
    with pytest.raises(CapUnreadableError) as caught:
        cap_root(b'<feed xmlns="http://www.w3.org/2005/Atom"/>')
    assert caught.value.says == "this is an Atom feed, not a CAP message"


def test_findings_are_bounded() -> None:
    many = WHOLE.replace(b"</alert>", b"<x/>" * 20_000 + b"</alert>")
    assert len(check_cap(many)) == MAX_FINDINGS


_CLAIMS = """<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"
 xmlns:s="http://www.w3.org/2001/XMLSchema"><identifier>a</identifier><sender>b</sender>
 <sent>2026-02-01T00:00:00+09:00</sent><status>Test</status><msgType>Alert</msgType><scope>Public</scope>
 <d:Signature xmlns:d="http://www.w3.org/2000/09/xmldsig#"><d:X {}>{}</d:X></d:Signature></alert>"""


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        ('i:type="s:string"', "x"),
        ('i:type="s:string"', "<d:Y/>"),
        ('i:type="s:string" a="1"', "x"),
        ('i:type="s:int"', "x"),
        ('i:type="s:int"', "5"),
        ('i:type="s:none"', ""),
        ('i:type="none"', ""),
        ('i:type="u:b"', ""),
        ('i:type="s:anyType"', "<d:Y/>"),
        ('i:nil="true"', "x"),
    ],
)
def test_types_that_are_claimed_inside_a_signature_are_judged_as_the_schema_does(
    claim: str, text: str, schemas: dict[CapVersion, Any]
) -> None:
    data = _CLAIMS.format(claim, text).encode()
    tree = etree.fromstring(data).getroottree()
    assert (not errors(data)) == schemas["1.2"].validate(tree)

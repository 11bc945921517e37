"""Nasty CAP files: each is judged as the schema judges it, by line and rule, and the command line ends as it should."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from noroshi.cli.main import main
from noroshi.gateways.cap_check import check_cap
from tests.gateways.cap_samples import OLD_10, WHOLE

ELEMENTS = (
    "identifier sender sent status msgType scope info category event urgency severity certainty areaDesc"
    " resourceDesc mimeType size uri altitude web language valueName value"
).split()

XS = "xmlns:xs='http://www.w3.org/2001/XMLSchema'"
XSI = "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"

REFUSED_ANYHOW = ("document type", "size claiming to be a number", "altitude claiming to be a number")
"""What the schema lets pass, and we do not: a document type can do anything, and a narrower type than its own that an
element claims for itself has no use.
"""

VALUES = {
    "sent": (
        "2026-02-01T09:00:00", "2026-02-01T09:00:00Z", "2026-02-01T09:00:00+9:00", "2026-02-29T09:00:00+09:00",
        "2026-02-01T24:00:00+09:00", "2026-02-01T09:00:60+09:00", "2026-02-01T09:00:00-00:00",
        "2026-02-01T09:00:00+14:01", "0000-02-01T09:00:00+09:00", "12026-02-01T09:00:00+09:00",
        " 2026-02-01T09:00:00+09:00 ", "2026-02-01 09:00:00+09:00", "\uff12026-02-01T09:00:00+09:00",
    ),
    "size": ("", "5.0", "-1", "+5", " 5 ", "1e3", "0x5", "9" * 30, "05", "\u0665"),
    "altitude": ("", "1e3", "INF", "+.5", "5.", "-0", "1,5", " 5 ", "NaN", "."),
    "language": ("", " ", "en_US", "e", "en-", "-en", "en-US-x-y", "abcdefghi", "en US", "\u65e5\u672c"),
    "web": ("", "  ", "http://a b", "http://[::1]/", "http://[x", "%zz", "a#b#c", "\u65e5\u672c", ":", "//"),
}  # fmt: skip


def nasty() -> Iterator[tuple[str, bytes]]:
    """Names and files."""
    for name in ELEMENTS:
        found = re.search(f"<{name}>(.*?)</{name}>".encode(), WHOLE, re.DOTALL)
        assert found is not None
        whole, inner = found[0].decode(), found[1].decode()
        for what, text in (
            ("missing", ""),
            ("twice", whole + whole),
            ("empty", f"<{name}/>"),
            ("blank", f"<{name}>  \n </{name}>"),
            ("with an element in it", f"<{name}><b>x</b></{name}>"),
            ("with an attribute", f"<{name} a='1'>{inner}</{name}>"),
            ("with a comment in it", f"<{name}><!-- c -->{inner}</{name}>"),
            ("with an instruction in it", f"<{name}><?x y?>{inner}</{name}>"),
            ("claiming to be text", f"<{name} {XSI} {XS} xsi:type='xs:string'>{inner}</{name}>"),
            ("claiming to be a number", f"<{name} {XSI} {XS} xsi:type='xs:int'>{inner}</{name}>"),
            ("claiming to be nothing", f"<{name} {XSI} xsi:nil='true'/>"),
            ("as CDATA", f"<{name}><![CDATA[{inner}]]></{name}>"),
            ("of a stranger", f"<q:{name} xmlns:q='urn:q'>{inner}</q:{name}>"),
            ("of nobody", f"<{name} xmlns=''>{inner}</{name}>"),
            ("in capitals", f"<{name.upper()}>{inner}</{name.upper()}>"),
            ("after a space", f"<{name}>&#x20;{inner}</{name}>"),
            ("after a hard space", f"<{name}>&#xa0;{inner}</{name}>"),
        ):
            yield f"{name} {what}", WHOLE.replace(found[0], text.encode(), 1)
        away = WHOLE.replace(found[0], b"", 1)
        yield f"{name} at the end", away.replace(b"</alert>", found[0] + b"</alert>")
        yield f"{name} at the front", away.replace(b'cap:1.2">', b'cap:1.2">' + found[0])
    for name, values in VALUES.items():
        for value in values:
            yield (
                f"{name} {value!r}",
                re.sub(
                    f"<{name}>.*?</{name}>".encode(), f"<{name}>{value}</{name}>".encode(), WHOLE, count=1
                ),
            )
    text = WHOLE.decode()
    yield "a byte order mark", b"\xef\xbb\xbf" + WHOLE
    yield "UTF-16", text.replace("UTF-8", "UTF-16").encode("utf-16")
    yield "bytes that are no UTF-8", WHOLE.replace(b"lines.", b"lines \xe9.")
    yield "a control character", WHOLE.replace(b"lines.", b"lines \x01.")
    yield "Latin 1", WHOLE.replace(b"UTF-8", b"ISO-8859-1").replace(b"lines.", b"lines \xe9.")
    yield "instructions around", WHOLE.replace(b"<alert", b"<?a b?><!-- c --><alert", 1) + b"<!-- d -->"
    yield "document type", WHOLE.replace(b"<alert", b"<!DOCTYPE alert><alert", 1)
    yield "two roots", WHOLE + b"<alert/>"
    yield "text between", WHOLE.replace(b"<status>", b"x<status>", 1)
    yield "CDATA between", WHOLE.replace(b"<status>", b"<![CDATA[x]]><status>", 1)
    yield (
        "a place of the schema",
        WHOLE.replace(b'cap:1.2">', f'cap:1.2" {XSI} xsi:schemaLocation="a b">'.encode()),
    )
    yield "an id", WHOLE.replace(b'cap:1.2">', b'cap:1.2" xml:id="a">')
    prefixed = re.sub(rb"<(/?)(?=[a-zA-Z])", rb"<\1c:", WHOLE).replace(b"xmlns=", b"xmlns:c=")
    yield "a prefix everywhere", prefixed


def errors(data: bytes) -> list[str]:
    return [one.rule for one in check_cap(data) if one.severity == "error"]


@cache
def judged() -> dict[str, tuple[bytes, list[str]]]:
    """Each file, and what is wrong with it."""
    return {name: (data, errors(data)) for name, data in nasty()}


def test_every_nasty_file_is_judged_as_the_schema_judges_it(shared: Path) -> None:
    schema = etree.XMLSchema(etree.parse(shared / "data" / "cap" / "schema" / "CAP-v1.2.xsd"))
    wrong = []
    for name, (data, found) in judged().items():
        try:
            valid = schema.validate(etree.fromstring(data, etree.XMLParser(resolve_entities=False)))
        except etree.XMLSyntaxError:
            valid = False
        if valid == bool(found) and name not in REFUSED_ANYHOW:
            wrong.append((name, valid, found))
    assert wrong == []


def test_what_is_wrong_with_a_nasty_file_is_named() -> None:
    found = {name: rules for name, (_, rules) in judged().items()}
    assert len(found) > 400
    assert {name: rules for name, rules in found.items() if name in EXPECTED} == EXPECTED
    assert found["a prefix everywhere"] == found["a byte order mark"] == found["UTF-16"] == []


EXPECTED = {
    "identifier missing": ["missing"],
    "sender twice": ["repeated"],
    "sent empty": ["time"],
    "status blank": ["value"],
    "event with an element in it": ["markup"],
    "urgency with an attribute": ["unknown-attribute"],
    "web with a comment in it": [],
    "areaDesc claiming to be text": [],
    "sent claiming to be text": ["unknown-attribute"],
    "scope claiming to be nothing": ["unknown-attribute", "value"],
    "msgType of a stranger": ["missing", "unknown-element"],
    "web at the end": ["unknown-element"],
    "language ''": [],
    "language ' '": ["language"],
    "document type": ["document-type"],
    "two roots": ["well-formed"],
    "text between": ["text"],
}


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("35.0,139.0 35.1,139.0 35.1,139.10 35.0,139.0", new, rule)
        for new, rule in {
            "35,139 36,139 36,140": "polygon",
            "35,139 36,139 35,139": "polygon",
            "35,139 36,140 36,139 35,139": "",
            "10,179 10,-179 12,-179 12,179 10,179": "",
            "10,179 10,181 12,181 12,179 10,179": "polygon",
            "80,0 80,90 80,180 80,-90 80,0": "",
            "90,0 89,10 89,-10 90,0": "",
            "91,0 89,10 89,-10 91,0": "polygon",
            "35 139 36 139 36 140 35 139": "polygon",
            "35,139,5 36,139,5 36,140,5 35,139,5": "polygon",
            "NaN,1 2,3 4,5 NaN,1": "polygon",
            "\uff11,2 3,4 5,6 \uff11,2": "polygon",
            "": "polygon",
        }.items()
    ]
    + [
        ("35.05,139.05 2.50", new, rule)
        for new, rule in {
            "35,139 0": "",
            "35,139 -1": "circle",
            "35,139 1e3": "circle",
            "35 139 5": "circle",
            "35,139": "circle",
            "91,0 5": "circle",
            "35,139 inf": "circle",
            " 35,139  5 ": "",
            "": "circle",
        }.items()
    ]
    + [
        ("duty@kumo.example,KUMO-6,2026-02-01T08:00:00+09:00", new, rule)
        for new, rule in {
            "a,b,2026-02-01T08:00:00+09:00\n  c,d,2026-02-01T08:00:00+09:00": "",
            "a b,c,2026-02-01T08:00:00+09:00": "references",
            "a, b, 2026-02-01T08:00:00+09:00": "references",
            "a,b,2026-02-01T08:00:00+09:00,c,d,2026-02-01T08:00:00+09:00": "references",
            "a,,2026-02-01T08:00:00+09:00": "references",
            "a,b,yesterday": "references",
        }.items()
    ],
)
def test_places_and_references_that_the_text_forbids_are_warned_of(old: str, new: str, rule: str) -> None:
    found = check_cap(WHOLE.replace(old.encode(), new.encode()))
    assert [(one.rule, one.severity) for one in found] == ([(rule, "warning")] if rule else [])


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("<password>sesame</password>", "", []),
        ("</sender>", "</sender><password>x</password>", ["order", "repeated"]),
        ("<event>High tide</event>", "<event>a</event><language/>", ["order"]),
        ("<certainty>Very Likely</certainty>", "<certainty>Observed</certainty>", ["value"]),
        ("<event>", "<category>CBRNE</category><event>", ["value"]),
        ("<event>", "<responseType>Shelter</responseType><event>", ["unknown-element"]),
        ("<status>Actual</status>", "<status>Draft</status>", ["value"]),
        ("<geocode>fips6=006109</geocode>", "<geocode><valueName>a</valueName></geocode>", ["markup"]),
        ("<area>", "<resource><resourceDesc>a</resourceDesc><derefUri>YQ==</derefUri></resource><area>",
         ["unknown-element"]),
        ("<parameter>bare</parameter>", "<polygon>1,2 3,4</polygon>", ["unknown-element"]),
    ],
)  # fmt: skip
def test_cap_1_0_is_judged_as_its_schema_judges_it(old: str, new: str, rules: list[str]) -> None:
    """The schema of CAP 1.0 is an appendix of its standard; its order holds like that of the others."""
    assert errors(OLD_10) == []
    assert sorted(set(errors(OLD_10.replace(old.encode(), new.encode())))) == rules


def test_the_profile_wants_references_of_an_update() -> None:
    bare = re.sub(b"<references>.*</references>", b"", WHOLE)
    for data, rules in ((WHOLE, []), (bare, ["ipaws-references"])):
        found = check_cap(data, profile="ipaws")
        assert [one.rule for one in found if one.severity == "error"] == rules


def test_the_command_line_ends_with_2_and_names_line_and_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, data, line in (
        ("missing", WHOLE.replace(b"  <identifier>KUMO-7</identifier>\n", b""), ":2: missing: alert has no identifier"),
        ("order", WHOLE.replace(b"<source>tide gauge 4</source>", b"").replace(
            b"</alert>", b"<source/></alert>"), ": order: source is out of its order in alert"),
        ("empty", b"", ": empty: "),
        ("folder", None, ": file: it cannot be read"),
    ):  # fmt: skip
        file = tmp_path / f"{name}.xml"
        if data is None:
            file.mkdir()
        else:
            file.write_bytes(data)
        assert main(["cap", "check", str(file)]) == 2
        assert line in capsys.readouterr().out

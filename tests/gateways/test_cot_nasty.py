"""Nasty events: each is judged by line and rule, and goes over into the other forms with what is listed and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from noroshi.cli.main import main
from noroshi.gateways.cot import defects, read_event
from noroshi.gateways.cot_json import from_document, to_document
from noroshi.gateways.tak_proto import from_proto, losses, to_proto
from noroshi.gateways.tak_stream import FrameError, read_datagram
from noroshi.gateways.xml_parse import XmlRefusedError

POINT = '<point lat="35.1" lon="139.5" hae="0.0" ce="9.9" le="9.9"/>'
DETAIL = '<detail><contact callsign="ANN"/></detail>'
GOOD = (
    '<event version="2.0" uid="u" type="a-f-G" how="h-e" time="2026-01-01T00:00:00.000Z"'
    f' start="2026-01-01T00:00:00.000Z" stale="2026-01-01T00:01:00.000Z">\n{POINT}\n{DETAIL}\n</event>'
)

NUMBERS = {
    "": False, "NaN": False, "inf": False, "1e400": False, "1_0": False, "0x1": False, "\uff11": False, "1,5": False,
    "--1": False, " 5 ": True, "+5.": True, "1E1": True, "1.5e+1": True,
}  # fmt: skip
"""Values of a point's number, and whether they are one."""


def nasty() -> Iterator[tuple[str, str, list[str]]]:
    """Names, events, and the rules that each breaks."""
    for name in ("version", "uid", "type", "how", "time", "start", "stale"):
        found = re.search(f' {name}="[^"]*"', GOOD)
        assert found is not None
        for what, text, rules in (
            ("missing", "", [f"{name}-missing"]),
            ("empty", f' {name}=""', [name]),
            ("odd", f' {name}="\u65e5 x"', [] if name == "uid" else [name]),
            ("twice", found[0] * 2, ["well-formed"]),
            ("of a stranger", f' xmlns:q="urn:q" q:{name}="x"', [f"{name}-missing"]),
        ):
            yield f"{name} {what}", GOOD.replace(found[0], text, 1), rules
    for name, far in (("lat", "90.1"), ("lon", "-180.1"), ("hae", "1e10"), ("ce", "-1"), ("le", "-0.1")):
        found = re.search(f' {name}="[^"]*"', GOOD)
        assert found is not None
        for value, sound in {**NUMBERS, far: False}.items():
            yield (
                f"{name} {value!r}",
                GOOD.replace(found[0], f' {name}="{value}"', 1),
                [] if sound else [name],
            )
        yield f"{name} missing", GOOD.replace(found[0], "", 1), [f"{name}-missing"]
    inside = POINT.replace("/>", ">x</point>"), POINT.replace("/>", "><x/></point>")
    times = 'time="2026-01-01T00:00:00.000Z"'
    for what, old, new, rules in (
        ("no point", POINT, "", ["point-missing"]),
        ("two points", POINT, POINT * 2, ["point-twice"]),
        ("two details", DETAIL, DETAIL * 2, ["detail-twice"]),
        ("no detail", DETAIL, "", []),
        ("detail first", f"{POINT}\n{DETAIL}", f"{DETAIL}\n{POINT}", []),
        ("text in the point", POINT, inside[0], ["text"]),
        ("an element in the point", POINT, inside[1], ["element"]),
        ("a stranger", DETAIL, f"<x/>{DETAIL}", ["element"]),
        ("text between", POINT, f"hello{POINT}", ["text"]),
        ("CDATA in the detail", DETAIL, "<detail><remarks><![CDATA[<a>]]></remarks></detail>", []),
        ("a comment", POINT, f"<!-- c -->{POINT}", []),
        ("an instruction", POINT, f"<?a b?>{POINT}", []),
        ("a prefix", "event", "e:event", ["well-formed"]),
        ("a namespace", "<event ", '<event xmlns="urn:e" ', ["no-event"]),
        ("a list", GOOD, f"<events>{GOOD}</events>", ["no-event"]),
        ("capitals", "event", "Event", ["no-event"]),
        ("a document type", "<event", "<!DOCTYPE event><event", ["document-type"]),
        ("two roots", "</event>", "</event><event/>", ["well-formed"]),
        ("truncated", "</event>", "</eve", ["well-formed"]),
        ("too deep", DETAIL, f"<detail>{'<a>' * 40}{'</a>' * 40}</detail>", ["depth"]),
        ("no zone", times, times.replace("Z", ""), ["time"]),
        ("another zone", times, times.replace("Z", "+09:00"), []),
        ("no such day", times, times.replace("01-01", "02-30"), ["time"]),
        ("nanoseconds", times, times.replace(".000Z", ".123456789Z"), []),
        ("stale before it starts", "T00:01:00.000Z", "T00:00:00.000Z", []),
        ("stale an hour before", 'stale="2026-01-01T00', 'stale="2025-12-31T23', ["stale"]),
        ("an old version", '"2.0"', '"1.9"', ["version"]),
        ("a type that ends in a dash", "a-f-G", "a-f-", ["type"]),
        ("a name of 20,000 characters", 'uid="u"', f'uid="{"u" * 20_000}"', ["attribute"]),
    ):
        yield what, GOOD.replace(old, new), rules


def judged(data: bytes) -> list[str]:
    try:
        return [one.rule for one in defects(read_event(read_datagram(data).data))]
    except XmlRefusedError as error:
        return [error.rule]
    except FrameError as error:
        return [error.reason]


def test_every_nasty_event_is_judged() -> None:
    found = {name: judged(text.encode()) for name, text, _ in nasty()}
    assert len(found) > 120
    assert found == {name: rules for name, _, rules in nasty()}


def test_what_can_be_read_goes_over_and_back_with_what_is_listed_and_no_more() -> None:
    """As JSON it is the same event; as a TAK message a second time over nothing more is lost."""
    count = 0
    for name, text, _ in nasty():
        try:
            event = read_event(text.encode())
        except XmlRefusedError:
            continue
        count += 1
        again = from_document(json.loads(json.dumps(to_document(event))))
        assert to_document(again) == to_document(event), name
        over = from_proto(to_proto(event))
        lost = losses(event)
        same = [getattr(over, one) == getattr(event, one) for one in ("uid", "type", "how")]
        assert all(same), name
        assert losses(over) == [], name
        if not lost and "CDATA" not in name:
            assert to_document(over) == to_document(read_event(text.replace("\n", "").encode())), name
    assert count > 100


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        (POINT, POINT.replace("/>", ">x</point>"), "what stands inside the point"),
        (f"{POINT}\n{DETAIL}", f"{DETAIL}\n{POINT}", "that the detail stands before the point"),
        ('version="2.0"', 'version=""', "`version` of the event: ''"),
        (' lat="35.1"', "", "that the point has no `lat`"),
        ("</event>", "<x/></event>", "the element `x` beside the detail"),
    ],
)
def test_what_is_lost_is_said(old: str, new: str, lost: str) -> None:
    assert losses(read_event(GOOD.encode())) == []
    assert losses(read_event(GOOD.replace(old, new).encode())) == [lost]


def test_the_command_line_judges_files_of_every_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declared = GOOD.replace("<event", '<?xml version="1.0" encoding="UTF-16"?>\n<event', 1)
    for data, code in (
        (GOOD.encode(), 0), (b"\xef\xbb\xbf" + GOOD.encode(), 0), (declared.encode("utf-16"), 0), (b"", 2),
        (b"hello", 2), (b"{", 2), (b"[]", 2), (b"\xbf", 2), (b"\xbf\x01\xbf", 2), (b"\xbf\x02\xbf\x00", 2),
        (b"\xff\xfe", 2), (b"\x00" * 9, 2), (b'{"element": "event", "children": [1]}', 2),
    ):  # fmt: skip
        file = tmp_path / "event"
        file.write_bytes(data)
        assert main(["cot", "check", str(file)]) == code, data
        said = capsys.readouterr().out
        assert ("valid" in said) == (code == 0)
        assert code == 0 or re.match(rf"{re.escape(str(file))}:\d+: [a-z-]+: ", said), said
    for to in ("proto", "json", "xml"):
        file.write_text(GOOD)
        out = tmp_path / to
        assert main(["cot", "convert", str(file), "--to", to, "--out", str(out)]) == 0
        assert main(["cot", "check", str(out)]) == 0
        assert capsys.readouterr().err == ""

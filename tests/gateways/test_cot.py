"""Events of Cursor on Target: kept whole, judged by rule, taken to TAK messages and back, cut out of streams."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from noroshi.errors import LocalError
from noroshi.gateways import cot_write
from noroshi.gateways.cot import MAX_EVENT_BYTES, defects, detail_of, number_of, read_event, root_of
from noroshi.gateways.cot_json import DocumentRefusedError, from_document, to_document
from noroshi.gateways.tak_proto import ProtoRefusedError, from_proto, losses, tak_message, to_proto
from noroshi.gateways.tak_stream import (
    FrameError,
    StreamReader,
    mesh_frame,
    read_datagram,
    stream_frame,
)
from noroshi.gateways.xml_parse import XmlRefusedError

HEAD = 'version="2.0" uid="u1" type="a-f-G" how="m-g" time="2026-01-01T00:00:00.250Z"'
TIMES = 'start="2026-01-01T00:00:00.250Z" stale="2026-01-01T00:05:00.250Z"'
POINT = '<point lat="35.5" lon="-139.25" hae="12.5" ce="9.9" le="9999999.0"/>'
KNOWN = '<contact callsign="ANN" endpoint="*:-1:stcp"/><__group name="Cyan" role="HQ"/><status battery="78"/>'
ODD = '<x:more xmlns:x="urn:x" a="1">t<!-- c --><b/></x:more><remarks>R &amp; D</remarks>'

ODD_ALONE = ODD.partition("<remarks>")[0].encode()


def event(detail: str = KNOWN + ODD) -> bytes:
    return f"<event {HEAD} {TIMES}>{POINT}<detail>{detail}</detail></event>".encode()


def same(one: bytes, other: bytes) -> bool:
    """Whether two events are the same but for how XML may be written."""
    return c14n(one) == c14n(other)


def _part(xml: bytes) -> bytes:
    """The unknown element of an event's detail."""
    detail = detail_of(read_event(xml))
    assert detail is not None
    (found,) = detail.findall("{urn:x}more")
    return etree.tostring(found, with_tail=False)


def c14n(data: bytes) -> bytes:
    return etree.tostring(etree.fromstring(data), method="c14n", with_comments=True)


# --- kept whole --------------------------------------------------------------------------------------------------


def test_an_event_is_kept_as_it_came() -> None:
    raw = event()
    assert read_event(raw).xml == raw
    declared = read_event(b'<?xml version="1.0" encoding="UTF-8"?>\n' + raw)
    assert declared.xml.strip() == raw
    assert (declared.uid, declared.type, declared.point and declared.point.lat) == ("u1", "a-f-G", "35.5")
    assert defects(declared) == []


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1"])
def test_another_encoding_becomes_utf_8(encoding: str) -> None:
    raw = event("<remarks>é</remarks>").decode()
    read = read_event(f'<?xml version="1.0" encoding="{encoding}"?>{raw}'.encode(encoding))
    assert same(read.xml, raw.encode())


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "empty"),
        (b"<event", "well-formed"),
        (b"<event/><event/>", "well-formed"),
        (b"<alert/>", "no-event"),
        (b"<!DOCTYPE a><event/>", "document-type"),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><event>&b;</event>', "document-type"),
        (b"<event>" + b"<a>" * 40 + b"</a>" * 40 + b"</event>", "depth"),
        (b'<event a="' + b"x" * 20_000 + b'"/>', "attribute"),
        (b"<event>" + b"<a/>" * 3_000 + b"</event>", "elements"),
        (b"<event>" + b" " * MAX_EVENT_BYTES + b"</event>", "size"),
    ],
)
def test_no_trick_of_xml_gets_in(raw: bytes, rule: str) -> None:
    with pytest.raises(XmlRefusedError) as refused:
        read_event(raw)
    assert refused.value.rule == rule


def test_what_is_wrong_is_named_with_its_line() -> None:
    head = b"<event version='1' uid='' type='f G' time='noon'>"
    raw = head + b"\n<point lat='91' lon='x' hae='0' ce='-1'/>\n<b/>text</event>"
    found = [(one.line, one.rule) for one in defects(read_event(raw))]
    assert found == [
        (1, "how-missing"), (1, "start-missing"), (1, "stale-missing"), (1, "version"), (1, "uid"), (1, "type"),
        (1, "time"), (1, "text"), (2, "lat"), (2, "lon"), (2, "ce"), (2, "le-missing"), (3, "element"),
    ]  # fmt: skip


# --- TAK messages ------------------------------------------------------------------------------------------------


def test_a_tak_message_carries_an_event_whole() -> None:
    read = read_event(event())
    assert losses(read) == []
    again = from_proto(to_proto(read))
    assert tags(again.xml) == tags(read.xml)
    assert same(ODD_ALONE, _part(again.xml)), "what is unknown stands as it stood"
    message = tak_message()()
    message.ParseFromString(to_proto(read))
    detail = message.cotEvent.detail  # type: ignore[attr-defined]  # declared at run time
    assert (detail.contact.callsign, detail.group.role, detail.status.battery) == ("ANN", "HQ", 78)


@pytest.mark.parametrize(
    ("raw", "lost"),
    [
        (event('<status battery="078"/>'), []),
        (event('<contact callsign="A" phone="1"/><contact callsign="B"/>'), []),
        (event('<track speed="1.50" course="2.0"/>'), ["the digits in `track` of the detail"]),
        (event("<a/><contact callsign='A'/>"), ["the order of the elements of the detail"]),
        (event().replace(b"<detail>", b"<detail n='1'>"), ["attributes of the detail"]),
        (event().replace(b"00.250Z", b"00.2505Z"), ["parts of a millisecond in `time` of the event"]),
        (event().replace(b' le="9999999.0"', b""), ["that the point has no `le`"]),
        (event().replace(b"<event ", b"<event caveat='x' "), ["`caveat` of the event: 'x'"]),
        (event().replace(b"<detail>", b"<b/><detail>"), ["the element `b` beside the detail"]),
    ],
)
def test_what_a_tak_message_cannot_carry_is_listed(raw: bytes, lost: list[str]) -> None:
    assert losses(read_event(raw))[: len(lost) or 1] == lost


@pytest.mark.parametrize(
    "payload",
    [b"\xff", b"", b"\x0a\x00", to_proto(read_event(event()))[:-9], b"\0" * (MAX_EVENT_BYTES + 1)],
)
def test_what_is_no_tak_message_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtoRefusedError):
        from_proto(payload)


@pytest.mark.parametrize("text", ["<a>", "</detail><b/><detail>", "&b;", "\x01", "<!DOCTYPE a>"])
def test_text_of_a_detail_cannot_break_out_of_it(text: str) -> None:
    message = tak_message()()
    made = message.cotEvent  # type: ignore[attr-defined]  # declared at run time
    made.uid, made.type, made.detail.xmlDetail = "u", "a", text
    try:
        again = from_proto(message.SerializeToString())
    except ProtoRefusedError:
        return
    assert defects(again), "and what is beside its detail is a defect"


def test_the_reference_library_reads_ours_and_is_read() -> None:
    takproto = pytest.importorskip("takproto")
    raw = event('<uid Droid="ANN"/>' + KNOWN)
    for frame in (stream_frame, mesh_frame):
        theirs = takproto.parse_proto(bytearray(frame(to_proto(read_event(raw)))))
        assert (theirs.cotEvent.uid, theirs.cotEvent.detail.contact.callsign) == ("u1", "ANN")
        assert theirs.cotEvent.staleTime - theirs.cotEvent.sendTime == 300_000
    for version in (takproto.TAKProtoVer.STREAM, takproto.TAKProtoVer.MESH):
        framed = read_datagram(bytes(takproto.xml2proto(raw.decode(), version)))
        read = from_proto(framed.data)
        found = detail_of(read)
        assert found is not None
        assert {one.tag for one in found} == {"uid", "contact", "__group", "status"}


@pytest.mark.slow
def test_all_samples_go_over_and_back_with_what_is_listed_and_no_more(shared: Path) -> None:
    takproto = pytest.importorskip("takproto")
    files = sorted((shared / "data" / "cot").glob("*.xml"))
    assert len(files) == 37
    clean = 0
    for file in files:
        read = read_event(file.read_bytes())
        assert same(read.xml, file.read_bytes()), file.name
        assert same(from_document(json.loads(json.dumps(to_document(read)))).xml, read.xml), file.name
        payload = to_proto(read)
        again = from_proto(payload)
        assert takproto.parse_proto(bytearray(stream_frame(payload))).cotEvent.uid == read.uid
        lost = losses(read)
        clean += not lost
        assert losses(again) == [], "what has gone over once loses nothing more"
        for name in ("uid", "type", "how", "access"):
            assert getattr(again, name) == getattr(read, name), file.name
        for name in ("lat", "lon", "hae", "ce", "le"):
            text = getattr(read.point, name)
            assert not text or number_of(text) == number_of(getattr(again.point, name)), file.name
        if not any("of the detail as it was" in one or "text stands" in one for one in lost):
            assert tags(again.xml) == tags(read.xml), file.name
    assert clean >= 4


def tags(xml: bytes) -> list[str]:
    """Every element of the detail, with its attributes' names, in no order."""
    detail = detail_of(read_event(xml))
    return sorted(
        f"{one.tag!s} {sorted(map(str, one.attrib))}"
        for one in (detail.iter("*") if detail is not None else ())
    )


# --- JSON --------------------------------------------------------------------------------------------------------


def test_json_carries_an_event_whole() -> None:
    raw = event("<a>one<b/>two<!-- c --><?pi x?></a>")
    assert same(from_document(to_document(read_event(raw))).xml, raw)


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"element": 1}, {"element": "event", "attributes": {"a": 1}}, {"element": "a b"}],
)
def test_json_that_is_no_event_is_refused(document: object) -> None:
    with pytest.raises(DocumentRefusedError):
        from_document(document)


# --- streams -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(st.lists(st.integers(1, 700), max_size=12))
def test_a_stream_is_cut_the_same_however_it_comes(steps: list[int]) -> None:
    raw = event()
    payload = to_proto(read_event(raw))
    whole = (
        b"\xef\xbb\xbf \r\n"
        + raw
        + b"\n"
        + stream_frame(payload)
        + b"<?xml version='1.0'?>\n"
        + raw
        + stream_frame(b"")
    )
    reader, at, found = StreamReader(), 0, []
    for step in [*steps, len(whole)]:
        found += reader.feed(whole[at : at + step])
        at += step
    assert [one.xml for one in found] == [True, False, True, False]
    assert (found[0].data, found[1].data, found[3].data) == (raw, payload, b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "no-event"),
        (b"\x00\xff\xfe", "no-event"),
        (b"<html>", "no-event"),
        (b"<event " + b"a" * MAX_EVENT_BYTES, "too-long"),
        (b"\xbf\xff\xff\xff\xff\xff\x01", "no-event"),
        (b"\xbf\xff\xff\xff\x7f", "too-long"),
    ],
)
def test_what_is_no_event_ends_a_stream(data: bytes, reason: str) -> None:
    with pytest.raises(FrameError) as refused:
        StreamReader().feed(data)
    assert refused.value.reason == reason


def test_datagrams_are_read_in_either_form() -> None:
    payload = to_proto(read_event(event()))
    assert read_datagram(mesh_frame(payload)).data == payload
    assert read_datagram(b"\xbf\x00\xbf" + event()).xml
    assert read_datagram(event()).data == event()
    for data in (b"", b"\xbf", b"\xbf\x05abc", b"hello"):
        with pytest.raises(FrameError):
            read_datagram(data)


# --- what is written ---------------------------------------------------------------------------------------------


def test_no_type_of_tasking_or_of_weapons_is_ever_written() -> None:
    for type_ in cot_write.WRITTEN:
        parts = type_.split("-")
        assert parts[0] in ("a", "u", "b", "t")
        assert "W" not in parts, "no weapon"
        assert parts[0] != "t" or type_.startswith(("t-x-c-t", "t-x-takp-", "t-x-d-d")), (
            "the protocol's own words only"
        )
    for type_ in ("t-k-d", "t-o-s", "a-h-A-W-M", "a-f-G", "b-r-f-h-c"):
        with pytest.raises(LocalError):
            cot_write.write_event(cot_write.Writing("exercise:x", "u", type_, 0, 0))


@pytest.mark.parametrize(("realm", "says"), [("exercise:x", True), ("real", False)])
def test_an_exercise_says_so_in_every_event(realm: str, says: bool) -> None:
    head = cot_write.Writing(realm, "u", cot_write.ALERT, 10**18, 10**18)
    raw = cot_write.write_event(
        head,
        callsign="Alert \x01<&",
        remarks="Take shelter",
        details=[cot_write.emergency("Alert", "Name", realm)],
    )
    read = read_event(raw)
    assert defects(read) == []
    texts = [
        one.get("callsign") or one.text or "" for one in root_of(read).iter("contact", "remarks", "emergency")
    ]
    assert len(texts) == 3
    assert all(text.startswith("EXERCISE") == says for text in texts)


def test_a_long_outline_is_thinned_and_stays_closed() -> None:
    ring = [[math.cos(k / 500 * math.tau), math.sin(k / 500 * math.tau)] for k in range(500)]
    links = [
        one.get("point") for one in cot_write.outline([*ring, ring[0]], cot_write.RED) if one.tag == "link"
    ]
    assert len(links) <= cot_write.MAX_CORNERS + 1
    assert links[0] == links[-1]


# --- the command line --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_line_checks_and_converts(
    tmp_path: Path, command: Callable[..., tuple[int, str, str]]
) -> None:
    good, bad = tmp_path / "good.xml", tmp_path / "bad.xml"
    good.write_bytes(event())
    bad.write_bytes(b"<event version='2.0' uid='u'\n type='a-f-G'><point lat='1' lon='2' hae='3'/></event>")
    assert command("cot", "check", str(good))[0] == 0
    code, out, _ = command("cot", "check", "--json", str(good), str(bad))
    rows = json.loads(out)["files"]
    assert (code, [row["valid"] for row in rows]) == (2, [True, False])
    assert {"how-missing", "ce-missing"} <= {one["rule"] for one in rows[1]["defects"]}
    assert all(one["line"] >= 1 for one in rows[1]["defects"])
    at = good
    for form in ("proto", "json", "xml"):
        into = tmp_path / f"out.{form}"
        assert command("cot", "convert", str(at), "--to", form, "--out", str(into))[0] == 0
        at = into
    assert sorted(tags(at.read_bytes())) == sorted(tags(event()))
    code, _, err = command("cot", "convert", str(tmp_path / "none.xml"))
    assert code == 2
    assert "none.xml" in err
    assert command("cot", "check", str(tmp_path / "none.xml"))[0] == 2


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line in this process: exit code, standard output, standard error."""
    from noroshi.cli.main import main

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        seen = capsys.readouterr()
        return code, seen.out, seen.err

    return run

"""CAP 1.2: valid by the schema, the same bytes each time, one realm, and nothing in it that we did not mean to say."""

from __future__ import annotations

from dataclasses import replace
from math import pi, radians
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noroshi.clock import NS_PER_S, from_iso
from noroshi.gateways.cap import MAX_POLYGON_POINTS, CapContext, CapError, encode_alert
from noroshi.gateways.cap_check import MAX_CAP_BYTES, check_cap
from noroshi.gateways.cap_model import CapInfo, CapResource, CapUnreadableError
from noroshi.gateways.cap_own import check_own
from noroshi.gateways.cap_values import references_of
from noroshi.gateways.realm import RealmError
from noroshi.messages.bodies import AlertBody, AreaRow, PlaceRow, Ring, TextRow

SCHEMAS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "cap" / "schema"
SENT_NS = from_iso("2022-10-03T22:25:10Z")
RING: Ring = [
    [radians(lat), radians(lon)] for lat, lon in ((40.0, 139.0), (40.0, 142.0), (42.0, 142.0), (40.0, 139.0))
]


def area(region: str = "Aomori", **changes: Any) -> AreaRow:
    place = PlaceRow(name="Hachinohe", latitude_rad=0.7, longitude_rad=2.47, people=239_046, probability=0.98)
    row = AreaRow(
        kind="pass",
        region=region,
        region_ja="青森県",
        region_ko="아오모리현",
        country="JP",
        probability=0.98,
        from_ns=SENT_NS + 170 * NS_PER_S,
        to_ns=SENT_NS + 200 * NS_PER_S,
        people=1_200_000,
        places=[place],
    )
    return msgspec.structs.replace(row, **changes)


def text(language: str, **changes: str) -> TextRow:
    mark = {"en": "EXERCISE. ", "ja": "【訓練】", "ko": "[훈련] "}[language]
    row = TextRow(
        language=language,
        headline=mark + "Missile launched",
        description=mark + "Expected to pass",
        instruction=mark + "Go inside",
    )
    return msgspec.structs.replace(row, **changes)


def alert(**changes: Any) -> AlertBody:
    body = AlertBody(
        identifier="JPN-0a1b2c-1",
        type="Alert",
        unit="jp-cabsec",
        sent_ns=SENT_NS,
        expires_ns=SENT_NS + 1800 * NS_PER_S,
        template="exercise/pass/1",
        texts=[text("ja"), text("en"), text("ko")],
        areas=[area("Hokkaido", region_ja="北海道", region_ko=""), area()],
        rings=[RING],
        references=[],
        recipients=["jp-fdma"],
        digest=b"\x01" * 32,
        approvals=[b"secret approval"],
    )
    return msgspec.structs.replace(body, **changes)


def context(**changes: Any) -> CapContext:
    fields: dict[str, Any] = {
        "realm": "exercise:demo",
        "sender": "jp-cabsec@exercise.noroshi.invalid",
        "sender_name": "Cabinet Secretariat",
        "nation": "JP",
        "incident": "00ff" * 8,
        "sent_of": {"JPN-0a1b2c-1": SENT_NS},
    }
    return CapContext(**{**fields, **changes})


@pytest.fixture(scope="module")
def schemas() -> list[Any]:
    """The OASIS schema and the stricter one."""
    etree = pytest.importorskip("lxml.etree")
    if not SCHEMAS.is_dir():
        pytest.skip("needs ../shared/data/cap/schema")
    return [etree.XMLSchema(etree.parse(SCHEMAS / name)) for name in ("CAP-v1.2.xsd", "cap12_extended.xsd")]


def codes(info: CapInfo) -> list[list[str]]:
    return [[code.value for code in area.geocodes] for area in info.areas]


def expires_ns(info: CapInfo) -> int:
    assert info.expires is not None
    assert info.expires.time_ns is not None
    return info.expires.time_ns


def validate(data: bytes, schemas: list[Any]) -> None:
    from lxml import etree

    tree = etree.fromstring(data)
    for schema in schemas:
        schema.assertValid(tree)


def test_an_alert_says_what_it_should_and_is_valid(schemas: list[Any]) -> None:
    data = encode_alert(alert(), context(basis="one-kind"))
    validate(data, schemas)
    read = check_own(data)
    assert (read.status, read.msg_type, read.identifier) == ("Exercise", "Alert", "JPN-0a1b2c-1")
    assert read.sent.time_ns == SENT_NS
    assert read.note == "EXERCISE / 訓練 / 훈련: demo"
    assert read.incidents == "00ff" * 8
    assert [info.language for info in read.infos] == ["ja-JP", "en-US", "ko-KR"]
    japanese, english, korean = read.infos
    assert (english.response_types, english.urgency, english.severity, english.certainty) == (
        ("Shelter",),
        "Immediate",
        "Extreme",
        "Likely",
    )
    assert english.onset is not None
    assert english.onset.time_ns == SENT_NS + 170 * NS_PER_S
    assert expires_ns(english) == SENT_NS + 1800 * NS_PER_S
    assert english.sender_name == "EXERCISE: Cabinet Secretariat"
    assert [one.description for one in japanese.areas] == [
        "北海道 (JP)",
        "青森県 (JP)",
        "予想される経路に沿った地域",
    ]
    assert [one.description for one in korean.areas][:2] == ["Hokkaido (JP)", "아오모리현 (JP)"]
    assert codes(english) == [["JP/Hokkaido"], ["JP/Aomori"], []]
    (polygon,) = english.areas[-1].polygons
    assert polygon.points == ((40.0, 139.0), (40.0, 142.0), (42.0, 142.0), (40.0, 139.0))
    assert check_cap(data) == []


def test_times_carry_the_nations_offset_and_utc_is_minus_zero() -> None:
    assert b"<sent>2022-10-04T07:25:10+09:00</sent>" in encode_alert(alert(), context())
    assert b"<sent>2022-10-03T22:25:10-00:00</sent>" in encode_alert(alert(), context(nation="US"))
    assert b"<expires>2022-10-04T07:55:11+09:00</expires>" in encode_alert(
        alert(expires_ns=SENT_NS + 1800 * NS_PER_S + 1), context()
    )


def test_the_same_alert_gives_the_same_bytes() -> None:
    assert encode_alert(alert(), context()) == encode_alert(alert(), context())


def test_nothing_internal_leaves() -> None:
    data = encode_alert(alert(), context())
    for hidden in (b"secret approval", b"jp-fdma", b"\x01\x01", b"<!--", b"noroshi.node", b"239046"):
        assert hidden not in data


def test_an_update_and_a_cancellation_refer_to_what_they_change(schemas: list[Any]) -> None:
    for kind, reason in (("Update", ""), ("Cancel", "passed"), ("Cancel", "false"), ("Cancel", "superseded")):
        body = alert(identifier="JPN-0a1b2c-2", type=kind, references=["JPN-0a1b2c-1"], reason=reason)
        data = encode_alert(body, context())
        validate(data, schemas)
        read = check_own(data)
        (reference,) = references_of(read)
        assert (reference.sender, reference.identifier) == (
            "jp-cabsec@exercise.noroshi.invalid",
            "JPN-0a1b2c-1",
        )
        assert reference.sent.time_ns == SENT_NS
        info = read.infos[0]
        if kind == "Cancel":
            certainty = {"passed": "Observed", "false": "Unlikely", "superseded": "Unknown"}[reason]
            assert (info.response_types, info.urgency, info.certainty) == (("AllClear",), "Past", certainty)
            assert info.onset is None
        else:
            assert info.response_types == ("Shelter",)


@pytest.mark.parametrize(
    ("basis", "probability", "certainty"),
    [
        ("single-source", 1.0, "Possible"),
        ("one-kind", 0.4, "Possible"),
        ("one-kind", 0.9, "Likely"),
        ("confirmed", 1.0, "Likely"),
    ],
)
def test_a_prediction_is_never_observed(basis: str, probability: float, certainty: str) -> None:
    data = encode_alert(alert(areas=[area(probability=probability)]), context(basis=basis))
    assert {info.certainty for info in check_own(data).infos} == {certainty}


@pytest.mark.parametrize(
    ("ahead_min", "urgency"), [(-1, "Immediate"), (5, "Immediate"), (40, "Expected"), (90, "Future")]
)
def test_urgency_follows_the_window(ahead_min: int, urgency: str) -> None:
    from_ns = SENT_NS + ahead_min * 60 * NS_PER_S
    body = alert(areas=[area(from_ns=from_ns, to_ns=from_ns + NS_PER_S)])
    assert check_own(encode_alert(body, context())).infos[0].urgency == urgency


def test_the_real_realm_says_actual_and_carries_no_mark() -> None:
    plain = [TextRow(language="en", headline="Take shelter", description="Now", instruction="Go inside")]
    read = check_own(encode_alert(alert(texts=plain), context(realm="real")))
    assert (read.status, read.note, read.infos[0].event) == ("Actual", "", "Missile warning")


@pytest.mark.parametrize("status", ["Actual", "Test", "System", "Draft"])
def test_an_exercise_can_never_be_given_another_status(status: str) -> None:
    with pytest.raises(RealmError, match="does not belong to this realm"):
        encode_alert(alert(), context(status=status))


def test_the_real_realm_refuses_the_exercises_texts_and_the_other_way_round() -> None:
    with pytest.raises(CapError, match="claims to be an exercise"):
        encode_alert(alert(), context(realm="real"))
    with pytest.raises(CapError, match="must say EXERCISE"):
        encode_alert(alert(texts=[text("en", headline="Missile launched")]), context())
    with pytest.raises(CapError, match="claims to be real"):
        encode_alert(alert(texts=[text("en", description="EXERCISE. This is not a drill")]), context())
    with pytest.raises(RealmError):
        encode_alert(alert(), context(realm="exercise"))


@pytest.mark.parametrize(
    ("body", "changes", "cause"),
    [
        (alert(identifier=""), {}, "identifier"),
        (alert(identifier="a b"), {}, "identifier"),
        (alert(identifier="a,b"), {}, "identifier"),
        (alert(identifier="a<b"), {}, "identifier"),
        (alert(identifier="a\x00b"), {}, "identifier"),
        (alert(), {"sender": "a&b"}, "sender"),
        (alert(type="Update"), {}, "0 references"),
        (alert(type="Cancel"), {}, "0 references"),
        (alert(references=["JPN-0a1b2c-1"]), {}, "1 references"),
        (alert(type="Update", references=["unknown"]), {}, "not known when unknown was sent"),
        (alert(sent_ns=0), {}, "expires before"),
        (alert(expires_ns=SENT_NS), {}, "expires before"),
        (alert(texts=[]), {}, "no text"),
        (alert(texts=[text("en"), text("en")]), {}, "two in one language"),
        (alert(texts=[msgspec.structs.replace(text("en"), language="fr")]), {}, "'fr' is unknown"),
        (alert(rings=[[[0.1, pi - 0.1], [0.1, 0.1 - pi], [0.2, pi - 0.1]]]), {}, "crosses 180"),
    ],
)
def test_an_unfit_alert_is_refused_with_its_cause(
    body: AlertBody, changes: dict[str, Any], cause: str
) -> None:
    with pytest.raises(CapError, match=cause):
        encode_alert(body, context(**changes))


def test_degenerate_rings_are_left_out_and_long_ones_are_thinned(schemas: list[Any]) -> None:
    point = [[0.7, 2.4]] * 5
    long = [[0.7 + 0.01 * i, 2.0 + 0.0001 * (i % 7)] for i in range(50)] * 20
    data = encode_alert(alert(rings=[point, [], long]), context())
    validate(data, schemas)
    (polygon,) = check_own(data).infos[0].areas[-1].polygons
    assert 4 <= len(polygon.points) <= MAX_POLYGON_POINTS + 1
    bare = check_own(encode_alert(alert(rings=[]), context()))
    assert codes(bare.infos[0]) == [["JP/Hokkaido"], ["JP/Aomori"]]


def test_what_an_agency_adds_is_written_and_the_profile_is_kept(schemas: list[Any]) -> None:
    picture = CapResource("Map", "image/png", "12", "https://example.org/map.png")
    more = context(
        web="https://example.org/a",
        contact="+81 3 0000 0000",
        resources=(picture,),
        circles=((0.7, 2.4, 12_345.0),),
    )
    coded = alert(areas=[area(codes=[["SAME", "002013"], ["JMA", "020000"]])], texts=[text("en")])
    data = encode_alert(coded, replace(more, profile="ipaws"))
    validate(data, schemas)
    assert check_cap(data, profile="ipaws") == []
    (info,) = check_own(data).infos
    assert (info.web, info.contact, info.resources[0].uri) == (more.web, more.contact, picture.uri)
    assert codes(info) == [["JP/Aomori", "002013", "020000"], []]
    assert info.areas[-1].circles[0].radius_km == 12.345
    with pytest.raises(CapError, match="no area has a geocode SAME"):
        encode_alert(alert(texts=[text("en")]), context(profile="ipaws"))
    with pytest.raises(CapError, match="not an absolute address"):
        encode_alert(alert(), context(web="a.html"))


awkward = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("<>&'\"]\r\n\t\x00\x0b\x1f\x7f\x85\u2028\ufffe\uffff\ud800\u202e🚀 ,;"),
    ),
    max_size=40,
)
corner = st.tuples(st.floats(-pi / 2, pi / 2), st.floats(0.0, 3.0)).map(list)


@st.composite
def alerts(draw: st.DrawFn) -> AlertBody:
    rows = [
        area(
            draw(awkward),
            region_ja=draw(awkward),
            region_ko=draw(awkward),
            country=draw(st.sampled_from(["JP", "KR", ""])),
            probability=draw(st.floats(0, 1)),
            from_ns=draw(st.integers(0, 2**61)),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    kind = draw(st.sampled_from(["Alert", "Update", "Cancel"]))
    languages = draw(st.lists(st.sampled_from(["en", "ja", "ko"]), min_size=1, max_size=3, unique=True))
    sent_ns = draw(st.integers(1, 2**61))
    return alert(
        identifier=draw(st.from_regex(r"[A-Za-z0-9.-]{1,40}", fullmatch=True)),
        type=kind,
        references=[] if kind == "Alert" else ["JPN-0a1b2c-1"],
        sent_ns=sent_ns,
        expires_ns=sent_ns + draw(st.integers(1, 2**60)),
        texts=[text(one, description=text(one).description + draw(awkward)) for one in languages],
        areas=rows,
        rings=draw(st.lists(st.lists(corner, max_size=8), max_size=3)),
        reason=draw(st.sampled_from(["", "false", "superseded", "passed"])),
    )


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@given(alerts(), st.sampled_from(["JP", "KR", "US", ""]))
def test_any_alert_is_valid_and_reads_back(schemas: list[Any], body: AlertBody, nation: str) -> None:
    data = encode_alert(body, context(nation=nation))
    validate(data, schemas)
    read = check_own(data)
    assert read.status == "Exercise"
    assert read.sent.time_ns == body.sent_ns // NS_PER_S * NS_PER_S
    assert 0 <= expires_ns(read.infos[0]) - body.expires_ns < NS_PER_S
    for info, wanted in zip(read.infos, body.texts, strict=True):
        assert info.headline == wanted.headline
        assert len({one.description for one in info.areas}) >= bool(body.areas)
        plain = wanted.description.replace("\r\n", "\n").replace("\r", "\n")
        assert len(info.description) == len(plain)


GOOD = encode_alert(alert(), context())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<alert/>",
        GOOD[:-20],
        GOOD.replace(b"<alert ", b"<!DOCTYPE alert><alert ", 1),
        GOOD.replace(b"<alert ", b'<!DOCTYPE a [<!ENTITY x "y">]><alert ', 1),
        GOOD.replace(b"<scope>", b"<!-- note --><scope>", 1),
        GOOD.replace(b"<scope>", b"<?run it?><scope>", 1),
        GOOD.replace(b"cap:1.2", b"cap:1.1", 1),
        GOOD.replace(b"<scope>", b'<scope x="1">', 1),
        GOOD.replace(b"<scope>Public</scope>", b"", 1),
        GOOD.replace(b"<scope>", b"<source>me</source><scope>", 1),
        GOOD.replace(b"<scope>", b"stray<scope>", 1),
        GOOD.replace(b">Exercise<", b">Test<", 1),
        GOOD.replace(b">Alert<", b">Ack<", 1),
        GOOD.replace(b"2022-10-04T07:25:10+09:00", b"2022-10-04T07:25:10", 1),
        GOOD.replace(b"2022-10-04T07:25:10+09:00", b"soon", 1),
        GOOD.replace(b"40.0000,139.0000", b"95.0,139.0", 1),
        GOOD.replace(b"40.0000,139.0000", b"41.0,139.0", 1),
        GOOD.replace(b"40.0000,139.0000", b"x,y", 1),
        GOOD.replace(b"UTF-8", b"no-such", 1),
        GOOD + b" " * MAX_CAP_BYTES,
    ],
)
def test_anything_that_we_did_not_write_is_unreadable(data: bytes) -> None:
    with pytest.raises(CapUnreadableError):
        check_own(data)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_read_but_never_breaks_anything(at: int, flip: int) -> None:
    data = bytearray(GOOD)
    data[at] ^= flip
    try:
        read = check_own(bytes(data))
    except CapUnreadableError:
        return
    assert read.status in ("Exercise", "Actual")


@pytest.mark.parametrize("name", ["google__xee.xml", "google__canada.xml", "wmo-im__cap_example.xml"])
def test_others_files_are_not_ours(name: str) -> None:
    path = SCHEMAS.parent / "cap12" / name
    if not path.is_file():
        pytest.skip("needs ../shared/data/cap/cap12")
    with pytest.raises(CapUnreadableError):
        check_own(path.read_bytes())

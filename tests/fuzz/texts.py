"""Targets: files that people write or bring: YAML of structures, scenarios and policies, `node.json`, CAP, certificates.

A file is refused with its name, line and field, whatever is in it.
"""

from __future__ import annotations

import xml.sax.saxutils
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache

from lxml.etree import C14NError

from noroshi.clock import from_iso
from noroshi.documents import MAX_CHARACTERS, parse
from noroshi.errors import InputError
from noroshi.exercise.checking import check_scenario
from noroshi.exercise.loading import load_scenario
from noroshi.gateways.atom import AtomEntry, AtomFeed, FeedUnreadableError, feed_bytes, read_feed
from noroshi.gateways.cap import NAMESPACE
from noroshi.gateways.cap_check import MAX_CAP_BYTES, check_cap
from noroshi.gateways.cap_container import MAX_CONTAINER_BYTES
from noroshi.gateways.cap_model import CapUnreadableError
from noroshi.gateways.cap_own import check_own
from noroshi.gateways.cap_read import read_cap
from noroshi.gateways.cap_signature import check_signature, sign_cap
from noroshi.gateways.cap_write import write_cap
from noroshi.service.exercise_files import scenario_text
from noroshi.service.link_keys import fingerprint, new_link_key
from noroshi.service.node_config import parse_config
from noroshi.service.resources import packaged_decisions, packaged_names, packaged_structure
from noroshi.structure import Catalogue, Structure, load_catalogue, load_structure
from tests.fuzz.table import Look, Target
from tests.gateways.cap_samples import OLD_10, OLD_11, WHOLE, key_pair, plain_canonical

SCENARIO = "flight-2022-10-04"
YAML_MIB = 224.0
"""What the largest file costs at most, 4 million characters: 200,000 elements, each with its line and its path."""

CONFIG = (
    b'{"realm":"exercise:fuzz","partner":"JPN","node":"jpn","link":{"port":7000},"page":{"port":7001,"token_sha256":"%s"},'
    b'"feeds":{"token_sha256":"%s","sensors":["sado"]},"clock":{"mode":"scaled","start_ns":1664835720000000000,'
    b'"anchor_unix_ns":1664835720000000000,"speed":2.5},"peers":[{"partner":"USA","host":"127.0.0.1","port":7002,'
    b'"tls_fingerprint":"%s"}],"pages":[{"partner":"USA","name":"United States","node":"usa","url":"http://127.0.0.1:1/"}]}'
    % ((b"0" * 64,) * 3)
)


@cache
def catalogue() -> Catalogue:
    file, text = packaged_decisions()
    return load_catalogue(text, file)


@cache
def structure() -> Structure:
    file, text = packaged_structure("trilateral")
    return load_structure(text, file, catalogue())


def of_text(load: Callable[[str], object]) -> Look:
    """Hands on what is UTF-8, as a file's reader does; a refusal names the file and says why."""

    def look(data: bytes) -> None:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return
        try:
            load(text)
        except InputError as error:
            assert error.sentence().startswith("f.yaml")
            assert error.cause

    return look


def _scenario(text: str) -> None:
    check_scenario(load_scenario(text, "f.yaml"), structure(), catalogue(), packaged_names())


def _cap(data: bytes) -> None:
    try:
        alert = check_own(data)
    except CapUnreadableError as error:
        assert error.cause
        return
    assert alert.status in ("Actual", "Exercise")


def _cap_of_others() -> Look:
    """A message of anybody: judged, read whole, written the same, its signatures looked at."""
    _, certificate = key_pair()

    def look(data: bytes) -> None:
        findings = check_cap(data, profile="ipaws")
        try:
            alert = read_cap(data, forgiving=True)
        except CapUnreadableError as error:
            assert error.says
            assert findings[0].severity == "error"
            return
        written = write_cap(alert)
        with suppress(C14NError):  # a namespace that is no absolute address has no canonical form
            assert plain_canonical(written) == plain_canonical(data)
        assert check_signature(data, {"agency": certificate}, 0).state in ("none", "untrusted", "broken")

    return look


def _feed(data: bytes) -> None:
    try:
        entries = read_feed(data).entries
    except FeedUnreadableError as error:
        assert error.rule
        return
    for one in entries[:50]:
        if one.alert is not None:
            check_cap(one.alert)


def _time(data: bytes) -> None:
    try:
        assert isinstance(from_iso(data.decode("utf-8", "replace")), int)
    except ValueError:
        return


def _certificate(data: bytes) -> None:
    try:
        assert len(fingerprint(data)) == 64
    except ValueError:
        return


# --- seeds ----------------------------------------------------------------------------------------------------------


def _structures() -> Sequence[bytes]:
    return [packaged_structure(name)[1].encode() for name in packaged_names()]


def _yaml_seeds() -> Sequence[bytes]:
    return [
        b"a: &x [1, 2.5, true, null, 'text']\nb: *x\nc:\n  - d: |\n      lines\n      of text\n    e: {f: [g, h]}\n",
        b'? a\n: "b\\u00e9"\n# words\nc: >-\n  folded\n  text\n',
        CONFIG,
    ]


def cap_seeds() -> Sequence[bytes]:
    """A file as our own gateway writes it: see `noroshi.gateways.cap`."""
    words = {
        "identifier": "a-1",
        "sender": "jpn@exercise",
        "sent": "2022-10-04T07:29:00+09:00",
        "status": "Exercise",
        "msgType": "Update",
        "scope": "Public",
        "note": "EXERCISE",
        "references": "jpn@x,a-0,2022-10-04T07:28:00+09:00",
        "incidents": "e1",
    }
    info = {
        "language": "en",
        "category": "Safety",
        "event": "Overflight",
        "responseType": "Shelter",
        "urgency": "Immediate",
        "severity": "Severe",
        "certainty": "Likely",
        "effective": "2022-10-04T07:29:00+09:00",
        "onset": "2022-10-04T07:29:00+09:00",
        "expires": "2022-10-04T07:59:00+09:00",
        "senderName": "Notional",
        "headline": "H",
        "description": "D & d",
        "instruction": "I",
    }
    area = "<area><areaDesc>Aomori</areaDesc><polygon>40.0,140.0 41.0,140.0 41.0,141.0 40.0,140.0</polygon><geocode>"
    area += "<valueName>ISO 3166-2</valueName><value>JP-02</value></geocode></area>"
    text = f"<?xml version='1.0' encoding='utf-8'?>\n<alert xmlns='{NAMESPACE}'>{_elements(words)}"
    text += f"<info>{_elements(info)}{area}</info></alert>"
    return [text.encode()]


def _elements(words: dict[str, str]) -> str:
    return "".join(f"<{name}>{xml.sax.saxutils.escape(text)}</{name}>" for name, text in words.items())


def _feed_seeds() -> Sequence[bytes]:
    entry = AtomEntry(
        id="urn:a", title="T", updated_ns=0, published_ns=0, link="https://kumo.example/a.xml", alert=WHOLE
    )
    feed = AtomFeed(id="urn:f", title="F", updated_ns=0, author="A", link="", entries=(entry,))
    body = WHOLE.partition(b"?>")[2]
    rss = b"<rss><channel><item><guid>g</guid><link>https://kumo.example/a.xml</link></item></channel></rss>"
    return [feed_bytes(feed), b"<alerts>" + body + body + b"</alerts>", rss]


# --- inputs that cost much ------------------------------------------------------------------------------------------


def crowded_yaml(size: int) -> Iterable[bytes]:
    """As many elements, levels, aliases, keys and characters as fit."""
    for start, piece, end in (
        (b"a:\n", b"- b\n", b""),
        (b"a: [", b"b,", b"]"),
        (b"a: ", b"[", b""),
        (b"a: ", b"{a: ", b""),
        (b"a:\n", b"- " * 40 + b"\n", b""),
        (b"", b"- ", b"x"),
        (b"a: [", b"{},", b"]"),
        (b"a: [", b"[],", b"]"),
        (b"a: '", b"b ", b"'"),
        (b'a: "', b"\\x41", b'"'),
        (b"a: |\n", b" b\n", b""),
        (b"", b"#\n", b"a: 1"),
        (b"a: ", b"\n", b""),
        (b"a: &b [", b"&b b,", b"]"),
        (b"a: 1", b"0", b""),
        (b"a: [", b"? a,", b"]"),
        (b"", b"---\n", b""),
        (b"a: [", b"'',", b"]"),
        (b"", b"? a\n", b""),
        (b"a: 0.", b"1", b"e1"),
        (b"a: 'b", b"\n\n", b"'"),
        (b"a: [", b"*b,", b"]"),
        (b"%A ", b"b ", b"\n--- a"),
        (b"a: b: ", b"c: ", b""),
        (b"a: !<", b"b", b"> c"),
    ):
        yield start + piece * ((size - len(start) - len(end)) // len(piece)) + end
    lines = [b"a0: &a0 [%s]" % b",".join([b"x"] * 30)]
    lines += [b"a%d: &a%d [%s]" % (n, n, b",".join([b"*a%d" % (n - 1)] * 30)) for n in range(1, 30)]
    yield b"\n".join(lines)
    yield b"".join(b"k%d: v\n" % number for number in range(size // 12))
    yield b"a: {" + b"".join(b"k%d: v," % number for number in range(size // 12)) + b"}"
    yield b"a: {" + b"".join(b"k%d," % number for number in range(size // 10)) + b"}"


def crowded_xml(size: int) -> Iterable[bytes]:
    """As many elements, levels, attributes and characters as fit, each where the form lets it stand."""
    (seed,) = cap_seeds()
    head, info, tail = seed.partition(b"<info>")
    own = info + tail.removesuffix(b"</alert>")
    room = size - len(head) - 100
    areas, _, _rest = own.partition(b"<area>")
    for piece in (b"<info/>", b"<a>", b"<a/>", b"<info><area/></info>", b"x", b"&amp;", b"<a b=''/>", own):
        yield head + piece * (room // len(piece)) + b"</alert>"
    for piece in (b"<area/>", b"<area><areaDesc/></area>"):
        yield head + areas + piece * ((room - len(areas)) // len(piece)) + b"</info></alert>"
    named = b"<area><areaDesc/>"
    for piece in (b"<polygon/>", b"<geocode/>", b"<geocode><valueName/><value/></geocode>"):
        yield (
            head
            + areas
            + named
            + piece * ((room - len(areas) - 40) // len(piece))
            + b"</area></info></alert>"
        )
    ring = b"<polygon>" + b"1,2 " * ((room - len(areas) - 100) // 4) + b"1,2</polygon>"
    yield head + areas + named + ring + b"</area></info></alert>"
    attributes = b"".join(b" a%d=''" % number for number in range(room // 12))
    yield b"<alert xmlns='" + NAMESPACE.encode() + b"'" + attributes + b"/>"
    yield head.replace(b"a-0", b"a-0 " * ((room - len(own)) // 4)) + own + b"</alert>"


def _crowded_times(size: int) -> Iterable[bytes]:
    yield b"2" * size
    yield b"2022-10-04T07:29:00." + b"0" * (size - 30) + b"+09:00"


def _pems(size: int) -> Iterable[bytes]:
    yield b"-----BEGIN CERTIFICATE-----\n" + b"MIIB" * ((size - 60) // 4) + b"\n-----END CERTIFICATE-----\n"
    yield b"-----BEGIN CERTIFICATE-----\n" * (size // 28)


TARGETS = (
    Target(
        "yaml",
        "any YAML, as files are read",
        lambda: of_text(lambda text: parse(text, "f.yaml")),
        _yaml_seeds,
        "yaml",
        MAX_CHARACTERS,
        YAML_MIB,
        15.0,
        crowded_yaml,
    ),
    Target(
        "node-json",
        "the file node.json",
        lambda: of_text(lambda text: parse_config(text, "f.yaml")),
        lambda: [CONFIG],
        "yaml",
        MAX_CHARACTERS,
        YAML_MIB,
        15.0,
    ),
    Target(
        "structure",
        "the file of a structure",
        lambda: of_text(lambda text: load_structure(text, "f.yaml", catalogue())),
        _structures,
        "yaml",
        MAX_CHARACTERS,
        YAML_MIB,
        15.0,
    ),
    Target(
        "catalogue",
        "the file of decisions",
        lambda: of_text(lambda text: load_catalogue(text, "f.yaml")),
        lambda: [packaged_decisions()[1].encode()],
        "yaml",
        MAX_CHARACTERS,
        YAML_MIB,
        15.0,
    ),
    Target(
        "scenario",
        "the file of an exercise",
        lambda: of_text(_scenario),
        lambda: [scenario_text(SCENARIO)[0].encode()],
        "yaml",
        MAX_CHARACTERS,
        YAML_MIB,
        15.0,
    ),
    Target("cap", "a CAP file", lambda: _cap, cap_seeds, "xml", MAX_CAP_BYTES, 160.0, 3.0, crowded_xml),
    Target(
        "cap-of-others",
        "a CAP message of anybody",
        _cap_of_others,
        lambda: [WHOLE, OLD_10, OLD_11, sign_cap(WHOLE, *key_pair())],
        "xml",
        MAX_CAP_BYTES,
        160.0,
        6.0,
        crowded_xml,
    ),
    Target(
        "cap-feed",
        "a feed of CAP messages",
        lambda: _feed,
        _feed_seeds,
        "xml",
        MAX_CONTAINER_BYTES,
        160.0,
        6.0,
    ),
    Target(
        "time",
        "a time as text",
        lambda: _time,
        lambda: [b"2022-10-03T22:22:00Z", b"2022-10-04T07:29:00.5+09:00"],
        "bytes",
        1 << 20,
        16.0,
        1.0,
        _crowded_times,
    ),
    Target(
        "link-certificate",
        "a partner's link certificate, PEM",
        lambda: _certificate,
        lambda: [new_link_key("jpn")[1]],
        "bytes",
        1 << 20,
        16.0,
        1.0,
        _pems,
    ),
)

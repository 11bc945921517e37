"""No trick of XML does anything: each is refused by name, in little time and memory."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from noroshi.gateways.cap_check import check_cap
from noroshi.gateways.cap_model import CapUnreadableError
from noroshi.gateways.cap_read import read_cap
from noroshi.gateways.xml_parse import XmlLimits, XmlRefusedError, canonical, parse_xml, plain_text
from tests.gateways.cap_samples import WHOLE

SECONDS = 1.0
"""Of processor time for one trick, on a slow machine."""
MIB = 24
"""Of Python's memory for one trick."""

LAUGHS = b"<!DOCTYPE a [<!ENTITY a0 'ha'>%s]><alert>&a30;</alert>" % b"".join(
    b"<!ENTITY a%d '&a%d;&a%d;&a%d;'>" % (n, n - 1, n - 1, n - 1) for n in range(1, 31)
)

TRICKS = {
    "laughs": (LAUGHS, "document-type"),
    "blown-up": (
        b"<!DOCTYPE a [<!ENTITY x '%s'>]><a>%s</a>" % (b"y" * 500_000, b"&x;" * 100_000),
        "document-type",
    ),
    "external": (b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><a>&x;</a>", "document-type"),
    "parameter": (b"<!DOCTYPE a [<!ENTITY % p SYSTEM 'http://127.0.0.1:1/p'> %p;]><a/>", "document-type"),
    "doctype": (b"<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/a.dtd'><a/>", "document-type"),
    "undeclared": (b"<a>&nbsp;</a>", "well-formed"),
    "deep": (b"<a>" * 200_000, "depth"),
    "many": (b"<a>" + b"<b/>" * 60_000 + b"</a>", "elements"),
    "attributes": (b"<a %s/>" % b" ".join(b"a%d=''" % n for n in range(20_000)), "attributes"),
    "twice": (b"<a b='1' b='2'/>", "well-formed"),
    "namespaces": (b"<a %s/>" % b" ".join(b"xmlns:n%d='u%d'" % (n, n) for n in range(10_000)), "attributes"),
    "long-namespace": (b"<a xmlns='%s'/>" % (b"u" * 1_000), "attribute"),
    "long-value": (b"<a b='%s'/>" % (b"c" * 1_500_000), "attribute"),
    "long-name": (b"<%s/>" % (b"n" * 1_500_000), "name"),
    "large": (b"<a>%s</a>" % (b"x" * 2_000_000), "size"),
    "nul": (b"<a>\0</a>", "well-formed"),
    "control": (b"<a>&#1;</a>", "well-formed"),
    "surrogate": (b"<a>\xed\xa0\x80</a>", "well-formed"),
    "not-utf-8": (b"<a>\xff</a>", "well-formed"),
    "unknown-encoding": (b"<?xml version='1.0' encoding='rot13'?><a/>", "encoding"),
    "wrong-encoding": (b"<?xml version='1.0' encoding='UTF-16'?><a/>", "encoding"),
    "version": (b"<?xml version='1.1'?><a>&#1;</a>", "well-formed"),
    "cut": (b"<a><b>", "well-formed"),
    "two-roots": (b"<a/><a/>", "well-formed"),
    "unbound": (b"<p:a/>", "well-formed"),
    "empty": (b"", "empty"),
    "blank": (b" \n\t ", "empty"),
    "words": (b"not XML", "well-formed"),
    "json": (b'{"alert": {}}', "well-formed"),
    "zip": (b"PK\x03\x04" + bytes(range(256)) * 100, "well-formed"),
}


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_is_refused_by_name_and_costs_little(name: str) -> None:
    data, rule = TRICKS[name]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    began = time.thread_time()
    try:
        with pytest.raises(XmlRefusedError) as caught:
            parse_xml(data)
        took_s = time.thread_time() - began
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert caught.value.rule == rule
    assert took_s < SECONDS
    assert peak < MIB << 20
    with pytest.raises(CapUnreadableError):
        read_cap(data)
    assert [one.severity for one in check_cap(data)] == ["error"]


def test_nothing_is_fetched_or_included(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("do not read")
    for trick in (
        b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" parse="text" href="file://%s"/>',
        b'<x xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a file://%s"/>',
    ):
        strange = trick % str(secret).encode()
        data = WHOLE.replace(b"</alert>", strange + b"</alert>")
        data = data.replace(b"?>\n", b'?>\n<?xml-stylesheet href="file://%s"?>\n' % str(secret).encode(), 1)
        alert = read_cap(data)
        assert b"do not read" not in alert.extra[0]
        assert str(secret).encode() in alert.extra[0]


def test_comments_do_not_cut_a_text_and_canonical_form_stands_alone() -> None:
    root = parse_xml(b'<a xmlns="u:a" xmlns:b="u:b"><c>ad<!-- x -->min<?y z?>@x</c><b:d><e/></b:d></a>')
    assert plain_text(root[0]) == "admin@x"
    alone = canonical(root[1])
    assert alone == b'<b:d xmlns="u:a" xmlns:b="u:b"><e></e></b:d>'
    assert canonical(parse_xml(alone)) == alone


def test_limits_are_the_callers() -> None:
    small = XmlLimits(max_bytes=20, max_depth=2, max_elements=2)
    assert parse_xml(b"<a><b/></a>", small).tag == "a"
    for data, rule in (
        (b"<a><b><c/></b></a>", "depth"),
        (b"<a><b/><b/></a>", "elements"),
        (b"<a>" + b" " * 20, "size"),
    ):
        with pytest.raises(XmlRefusedError) as caught:
            parse_xml(data, small)
        assert caught.value.rule == rule

"""Atom feeds of CAP messages: ours are the same for the same entries, and others' are read, whatever is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from noroshi.clock import from_iso
from noroshi.gateways.atom import CAP_TYPE, AtomEntry, AtomFeed, FeedUnreadableError, feed_bytes, read_feed
from noroshi.gateways.cap_container import alerts_in
from noroshi.gateways.cap_read import read_cap
from tests.gateways.cap_samples import DATA, WHOLE
from tests.gateways.test_xml_parse import LAUGHS

NOW_NS = from_iso("2026-02-01T00:00:00Z")


def feed(*entries: AtomEntry) -> AtomFeed:
    return AtomFeed(
        id="urn:kumo", title="Alerts <&> 警報", updated_ns=NOW_NS, author="KUMO",
        link="https://kumo.example/feed.atom", entries=entries,
    )  # fmt: skip


def entry(number: int = 1, alert: bytes = b"") -> AtomEntry:
    return AtomEntry(
        id=f"urn:kumo:{number}", title="High\x00 tide", updated_ns=NOW_NS, published_ns=NOW_NS,
        link=f"https://kumo.example/{number}.xml?a&b", summary="Water", words=(("status", "Exercise"),), alert=alert,
    )  # fmt: skip


def test_our_feed_is_read_back_and_is_the_same_each_time() -> None:
    data = feed_bytes(feed(entry(2, WHOLE), entry(1)))
    assert data == feed_bytes(feed(entry(2, WHOLE), entry(1)))
    read = read_feed(data)
    assert (read.id, read.title, read.beyond) == ("urn:kumo", "Alerts <&> 警報", 0)
    assert read.updated is not None
    assert read.updated.time_ns == NOW_NS
    assert [one.link for one in read.entries] == [
        "https://kumo.example/2.xml?a&b",
        "https://kumo.example/1.xml?a&b",
    ]
    assert read.entries[0].title == "High\ufffd tide"
    held = read.entries[0].alert
    assert held is not None
    assert read_cap(held).identifier == "KUMO-7"
    assert read.entries[1].alert is None
    assert alerts_in(data).kind == "atom"


def test_others_feeds_are_read() -> None:
    body = WHOLE.partition(b"?>")[2]
    atom = b"""<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><entry><id>a</id><title>T</title>
     <updated>2026-02-01T09:00:00+09:00</updated><link rel="self" href="self"/><link href="page.html"/>
     <link type="%s" href=" a.cap "/></entry><entry><content src="b.cap"/></entry><entry/></feed>""" % CAP_TYPE.encode()
    assert [(one.id, one.link) for one in read_feed(atom).entries] == [
        ("a", "a.cap"),
        ("", "b.cap"),
        ("", ""),
    ]
    rss = b"<rss><channel><title>R</title><item><guid>g</guid><link>c.cap</link></item></channel></rss>"
    assert [(one.id, one.link) for one in read_feed(rss).entries] == [("g", "c.cap")]
    several = read_feed(b"<alerts>" + body * 2 + b"</alerts>")
    assert [one.id for one in several.entries] == ["KUMO-7", "KUMO-7"]
    assert [one.id for one in read_feed(WHOLE).entries] == ["KUMO-7"]


def test_a_real_list_of_messages_is_a_feed(shared: Path) -> None:
    assert shared.is_dir()
    read = read_feed((DATA / "cap12" / "kelvinn__smhi.se.alerts.xml").read_bytes())
    assert len(read.entries) == 17
    assert all(one.alert is not None and read_cap(one.alert).identifier == one.id for one in read.entries)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "empty"),
        (b"<html/>", "root"),
        (LAUGHS, "document-type"),
        (b"<feed", "well-formed"),
        (b"<feed/>", "root"),
    ],
)
def test_what_is_no_feed_is_refused(data: bytes, rule: str) -> None:
    with pytest.raises(FeedUnreadableError) as caught:
        read_feed(data)
    assert caught.value.rule == rule


def test_a_feed_of_too_many_entries_is_cut_and_says_so() -> None:
    data = b'<feed xmlns="http://www.w3.org/2005/Atom">' + b"<entry/>" * 2_010 + b"</feed>"
    read = read_feed(data)
    assert (len(read.entries), read.beyond) == (2_000, 10)

"""Atom feeds of CAP messages: ours as bytes, always the same for the same entries, and others' read for polling.

An entry of ours links to the message and may hold it whole. Of others' feeds an entry gives what a poller needs: its id,
when it was updated, where its message is, and the message itself where the feed holds it.

    data = feed_bytes(AtomFeed(id="urn:x", title="Alerts", updated_ns=0, author="JPN", link="", entries=()))
    read_feed(data).entries                  # ()

Source: RFC 4287; RFC 5023 section 4.2 for the media type; CAP 1.2 messages are `application/cap+xml`.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from noroshi.clock import to_iso
from noroshi.errors import PartnerError
from noroshi.gateways.cap_container import ATOM, CONTAINER_LIMITS, container_of
from noroshi.gateways.cap_model import NAMESPACES, CapTime
from noroshi.gateways.cap_values import time_of
from noroshi.gateways.xml_parse import (
    XmlRefusedError,
    children,
    line_of,
    parse_xml,
    plain_text,
    split_name,
    xml_text,
)

ATOM_TYPE = "application/atom+xml"
CAP_TYPE = "application/cap+xml"

MAX_ENTRIES = 2_000
"""Of a feed that is read: what is beyond is named, not read."""


class FeedUnreadableError(PartnerError):
    """Bytes that are not a feed of messages. `line` is 1-based, 0 when there is none; `rule` names what was broken."""

    def __init__(self, cause: str, *, line: int = 0, rule: str = "feed") -> None:
        self.line = line
        self.rule = rule
        where = f"line {line}: {cause} [{rule}]" if line else f"{cause} [{rule}]"
        super().__init__("read a feed", cause=where)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomEntry:
    """One message of ours.

    id: an address that is its own for ever; link: where it is; words: (scheme, word) such as its status; alert: the
    message itself, to be held whole, or nothing.
    """

    id: str
    title: str
    updated_ns: int
    published_ns: int
    link: str
    summary: str = ""
    words: tuple[tuple[str, str], ...] = ()
    alert: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomFeed:
    """Our feed, the newest entry first. link: where it is itself."""

    id: str
    title: str
    updated_ns: int
    author: str
    link: str
    entries: tuple[AtomEntry, ...]


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One entry of somebody's feed. link: where its message is, as written; alert: the message, where the feed holds it.

    `updated` is None when the entry names no time.
    """

    id: str
    title: str
    updated: CapTime | None
    link: str
    alert: bytes | None


@dataclass(frozen=True, slots=True)
class ReadFeed:
    """Somebody's feed: its entries in their order, and how many were beyond the most that are read."""

    id: str
    title: str
    updated: CapTime | None
    entries: tuple[FeedEntry, ...]
    beyond: int


def feed_bytes(feed: AtomFeed) -> bytes:
    """The feed in UTF-8. Raises XmlRefusedError when the message of an entry is not safe XML."""
    root = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})
    _put(root, "id", feed.id)
    _put(root, "title", feed.title)
    _put(root, "updated", to_iso(feed.updated_ns))
    _put(_put(root, "author", ""), "name", feed.author)
    if feed.link:
        _link(root, "self", ATOM_TYPE, feed.link)
    for one in feed.entries:
        entry = _put(root, "entry", "")
        _put(entry, "id", one.id)
        _put(entry, "title", one.title)
        _put(entry, "updated", to_iso(one.updated_ns))
        _put(entry, "published", to_iso(one.published_ns))
        for scheme, word in one.words:
            _put(entry, "category", "").attrib.update({"scheme": xml_text(scheme), "term": xml_text(word)})
        if one.link:
            _link(entry, "alternate", CAP_TYPE, one.link)
        if one.summary:
            _put(entry, "summary", one.summary)
        if one.alert:
            content = _put(entry, "content", "")
            content.set("type", CAP_TYPE)
            content.append(parse_xml(one.alert))
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + etree.tostring(root, encoding="UTF-8") + b"\n"


def _put(parent: etree._Element, name: str, text: str) -> etree._Element:
    child = etree.SubElement(parent, f"{{{ATOM}}}{name}")
    child.text = xml_text(text) or None
    return child


def _link(parent: etree._Element, relation: str, kind: str, address: str) -> None:
    _put(parent, "link", "").attrib.update({"rel": relation, "type": kind, "href": xml_text(address)})


def read_feed(data: bytes) -> ReadFeed:
    """Somebody's feed: Atom, RSS 2.0, a list with the root `alerts`, or one message alone as a feed of one.

    Entries without any message or link are kept, with an empty link. Raises FeedUnreadableError, and never anything
    else.
    """
    try:
        root = parse_xml(data, CONTAINER_LIMITS)
    except XmlRefusedError as error:
        raise FeedUnreadableError(error.plain, line=error.line, rule=error.rule) from error
    held = container_of(root)
    if held.kind in ("alert", "alerts", "edxl"):
        entries = [_held_entry(one.element, one.data()) for one in held.alerts]
        return ReadFeed("", "", None, tuple(entries[:MAX_ENTRIES]), max(0, len(entries) - MAX_ENTRIES))
    if held.kind == "atom" and held.root == "feed":
        found = [one for one in children(root) if split_name(one) == (ATOM, "entry")]
        read = tuple(_atom_entry(one) for one in found[:MAX_ENTRIES])
        updated = _text(root, "updated")
        when = time_of(updated) if updated else None
        return ReadFeed(_text(root, "id"), _text(root, "title"), when, read, max(0, len(found) - MAX_ENTRIES))
    if held.kind == "rss":
        found = list(root.iter("item"))
        read = tuple(_rss_entry(one) for one in found[:MAX_ENTRIES])
        channel = root.find("channel")
        title = "" if channel is None else _text(channel, "title")
        return ReadFeed("", title, None, read, max(0, len(found) - MAX_ENTRIES))
    raise FeedUnreadableError(f"the root element is {held.root}, not a feed", line=line_of(root), rule="root")


def _held_entry(alert: etree._Element, data: bytes) -> FeedEntry:
    sent = _text(alert, "sent")
    return FeedEntry(_text(alert, "identifier"), "", time_of(sent) if sent else None, "", data)


def _atom_entry(entry: etree._Element) -> FeedEntry:
    links = [one for one in children(entry) if split_name(one) == (ATOM, "link") and one.get("href")]
    own = [one for one in links if one.get("type") == CAP_TYPE] or [
        one for one in links if one.get("rel", "alternate") == "alternate"
    ]
    content = next((one for one in children(entry) if split_name(one) == (ATOM, "content")), None)
    link = (own[0].get("href") or "") if own else (content.get("src") or "") if content is not None else ""
    updated = _text(entry, "updated")
    when = time_of(updated) if updated else None
    return FeedEntry(_text(entry, "id"), _text(entry, "title"), when, link.strip(), _inside(entry))


def _rss_entry(item: etree._Element) -> FeedEntry:
    identity = _text(item, "guid") or _text(item, "link")
    return FeedEntry(identity, _text(item, "title"), None, _text(item, "link"), _inside(item))


def _inside(entry: etree._Element) -> bytes | None:
    """The first message that an entry holds whole; None when it holds none."""
    for namespace in NAMESPACES.values():
        found = entry.find(f".//{{{namespace}}}alert")
        if found is not None:
            return container_of(found).alerts[0].data()
    return None


def _text(element: etree._Element, name: str) -> str:
    """The text of the first child of that local name."""
    found = next((one for one in children(element) if split_name(one)[1] == name), None)
    return "" if found is None else plain_text(found).strip()

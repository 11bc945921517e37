"""What `node.json` says of alerts in CAP: which feeds are asked, what is taken by hand, where our own are served.

"cap_feeds": [{"name": "waves", "url": "https://agency.example/feed.atom", "senders": ["waves@agency.example"]}],
"cap_hand": {"certificates": ["peers/agency.pem"], "require_signature": true},
"cap_feed": {"host": "127.0.0.1", "port": 8721}
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from noroshi.documents import Document, Element, fail

MIN_EVERY_S, MAX_EVERY_S = 5.0, 3600.0
"""Between two questions to a feed: more often is rude, and after an hour a warning is no warning."""

MAX_FEEDS = 32
"""Feeds that one node asks: each costs a connection at a time."""

MAX_NAMES = 64
"""Senders, hosts and certificates of one entrance."""

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,31}")


class CapEntrance(Element, frozen=True, kw_only=True):
    """Whose messages may come by an entrance, and what they must carry.

    senders: the agencies' own names in their messages, any if empty; certificates: PEM files, from the node's directory,
    with which they sign; authorities: PEM files of those who certify them, one in each; signers: whom an authority must
    name in a certificate for it to count, one at least; chain: PEM files of certificates in between that messages do not
    bring; revocations: revocation lists; require_signature: whether what is unsigned, or signed by somebody else, is
    refused; share: whether partners are told of what an agency has published.
    """

    senders: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    authorities: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    revocations: tuple[str, ...] = ()
    require_signature: bool = False
    share: bool = True


class CapFeedConfig(CapEntrance, frozen=True, kw_only=True):
    """A feed of another agency that this node asks: Atom, RSS, or one message. hosts: others that its links may name."""

    name: str
    url: str
    every_s: float = 30.0
    hosts: tuple[str, ...] = ()


def check_cap(document: Document, feeds: tuple[CapFeedConfig, ...], hand: CapEntrance) -> None:
    """Refuses what the types cannot see. Raises InputError naming the field."""
    if len(feeds) > MAX_FEEDS:
        fail(document, ("cap_feeds",), f"{len(feeds)} feeds are too many", f"a node asks at most {MAX_FEEDS}")
    names = [one.name for one in feeds]
    for place, feed in enumerate(feeds):
        here = ("cap_feeds", place)
        if not _NAME.fullmatch(feed.name) or names.index(feed.name) != place:
            hint = "give each feed a short name of its own in small letters"
            fail(document, (*here, "name"), f"{feed.name!r} cannot be its name", hint)
        if _address_defect(feed.url):
            fail(
                document,
                (*here, "url"),
                f"{feed.url!r} cannot be asked",
                "write http:// or https:// and a host",
            )
        if not MIN_EVERY_S <= feed.every_s <= MAX_EVERY_S:
            hint = f"between {MIN_EVERY_S:.0f} and {MAX_EVERY_S:.0f} seconds"
            fail(document, (*here, "every_s"), f"{feed.every_s} is no such pause", hint)
        _check_entrance(document, here, feed)
    _check_entrance(document, ("cap_hand",), hand)


def _check_entrance(document: Document, here: tuple[str | int, ...], entrance: CapEntrance) -> None:
    for field in ("senders", "certificates", "authorities", "signers", "chain", "revocations"):
        if len(getattr(entrance, field)) > MAX_NAMES:
            fail(document, (*here, field), "there are too many", f"give at most {MAX_NAMES}")
    if entrance.require_signature and not entrance.certificates and not entrance.authorities:
        hint = "name the agency's certificate, or take unsigned messages"
        fail(document, (*here, "require_signature"), "nobody's signature could be checked", hint)
    if entrance.authorities and not entrance.signers:
        hint = "name the agency as its certificate does: an authority certifies many others"
        fail(
            document,
            (*here, "authorities"),
            "an authority without `signers` would let in all whom it certified",
            hint,
        )


def _address_defect(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:
        return True

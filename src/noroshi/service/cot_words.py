"""What clients of Cursor on Target say: acknowledgements and reports of the post that a connection is bound to.

A client says something for a post only over a connection that is bound to that post, by its certificate or its token,
and only this: that a message was read and understood, or words for the timeline, of a place or an alarm too. The gateway
signs it with a key that the post's root has certified for that, and names itself in it; the node holds that key to just
these two kinds.

    words = GroupWords(shell, feed, group, clients, keys, realm, node)
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from noroshi.errors import NoroshiError
from noroshi.gateways import cot_write as cot
from noroshi.gateways.cot import CotEvent, detail_of, number_of
from noroshi.messages.bodies import AcknowledgementBody, Body, RemarkBody
from noroshi.node.inputs import Received
from noroshi.service.cot_client import CotConnection, admitted
from noroshi.service.cot_config import CotClient, CotGroup
from noroshi.service.cot_feed import GroupFeed
from noroshi.service.cot_items import marked_event
from noroshi.service.cot_repeats import REPEATED, HeardEvents
from noroshi.service.key_files import Key
from noroshi.service.post_speech import spoken
from noroshi.service.shell import NodeShell

MAX_TEXT = 500
"""Characters of a report that go into the timeline."""

MAX_UNDER_WAY = 8
"""What one post may be saying at once; more is refused to it."""

WORDS_PER_S, WORDS_BURST = 2.0, 20.0
"""What one post may say: each word is a record that is kept."""

AGAIN_S, MAX_REPORTED = 600.0, 2_000
"""What a client says again within so long is no news; so many things of all clients are remembered."""

_ACK = re.compile(r"\s*ack\s+([0-9a-f]{4,32})\s*", re.IGNORECASE)
_POSITION = re.compile(r"a-[a-z](-[A-Za-z0-9.]+)*")
_REPORTS = ("b-t-f", "b-m-p-", "b-r-", "b-a-")
"""Chat, marked points, reports, and alarms that a client raises: all are words of its post."""

_SILENT = ("t-x-", "u-", "b-t-f-", "b-i-", "b-f-")
"""The protocol's own words, drawings, receipts of chat, pictures, files: nothing is done with them."""


Saying = Callable[[Key], AcknowledgementBody | RemarkBody | str]
"""What a post says, made with its key at hand; or why nothing can be said."""


class GroupWords:
    """One group's entrance. keys: those that the gateway holds, by post."""

    def __init__(
        self, shell: NodeShell, feed: GroupFeed, group: CotGroup, clients: tuple[CotClient, ...],
        keys: Mapping[str, Key], realm: str, node: str,
    ) -> None:  # fmt: skip
        self._shell = shell
        self._feed = feed
        self._group = group
        self._clients = clients
        self._keys = keys
        self._realm = realm
        self._node = node
        self._allowances: dict[str, tuple[float, float]] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._reported: dict[tuple[str, str], tuple[str, float]] = {}
        self._heard = HeardEvents()

    def admit(self, token: str, sha256: str) -> CotClient | None:
        """The known client of this group with such a token, or such a certificate."""
        return admitted(self._clients, self._group.name, token, sha256)

    def heard(self, connection: CotConnection, event: CotEvent) -> None:
        """Does what an event of a client asks for."""
        if event.type == cot.PING:
            self._pong(connection, event)
            return
        text, acked = _said(event)
        if acked:
            self._speak(connection, event, f"ack {acked}", lambda key: self._acknowledgement(key, acked))
        elif _is_position(event) and not _is_marked(event):
            self._position(event)
        elif event.type.startswith(_SILENT):
            self._feed.counts["passed-over"] += 1
        elif event.type.startswith(_REPORTS) or _is_position(event):
            words = _report(event, text)
            if self._said_lately(connection, event, words):
                self._feed.counts[REPEATED] += 1
                return
            self._speak(
                connection, event, words,
                lambda key: RemarkBody(unit=key.unit, text=words, through=self._group.name),
            )  # fmt: skip
        else:
            self._feed.counts["passed-over"] += 1

    def _why_not(self, speaker: str, event: CotEvent, says: str) -> str:
        """Why an event is not taken, as one said before or not of now; counted. An empty text where it is taken."""
        reason = self._heard.judge(speaker, event, says, self._feed.now_ns())
        if reason:
            self._feed.counts[reason if reason == REPEATED else f"refused:{reason}"] += 1
        return reason

    def _said_lately(self, connection: CotConnection, event: CotEvent, words: str) -> bool:
        """Whether a client says again what it has said of the same thing: alarms and marks are sent until they end."""
        post = connection.identity.post if connection.identity is not None else ""
        said, at_s = self._reported.get((post, event.uid), ("", -AGAIN_S))
        now_s = asyncio.get_running_loop().time()
        return event.type != cot.CHAT and said == words and now_s < at_s + AGAIN_S

    def _note_report(self, post: str, event: CotEvent, words: str) -> None:
        while len(self._reported) >= MAX_REPORTED:
            del self._reported[next(iter(self._reported))]
        self._reported.pop((post, event.uid), None)
        self._reported[post, event.uid] = words, asyncio.get_running_loop().time()

    def _pong(self, connection: CotConnection, event: CotEvent) -> None:
        now_ns = self._feed.now_ns()
        head = cot.Writing(self._realm, event.uid, cot.PONG, now_ns, now_ns + 20 * 10**9)
        connection.say(cot.write_event(head))

    def _position(self, event: CotEvent) -> None:
        """A client's own position, or a track of its own sensors: for the others only where the group says so."""
        if not self._group.share_positions:
            self._feed.counts["positions-not-shared"] += 1
        elif event.stale_ns is None or "W" in event.type.split("-")[2:]:
            self._feed.counts["passed-over"] += 1  # no weapon is shown, whoever draws it
        else:
            says = f"{event.point} {event.stale}"
            if not self._why_not("", event, says):
                self._heard.note("", event, says)
                self._feed.relay(marked_event(event, self._realm))

    def _acknowledgement(self, key: Key, head: str) -> AcknowledgementBody | str:
        found = self._feed.find(head.lower())
        if len(found) != 1:
            return (
                f"{len(found)} messages shown to this group begin with {head}"
                if found
                else "no such message stands here"
            )
        return AcknowledgementBody(of=bytes.fromhex(found[0]), unit=key.unit, through=self._group.name)

    def _speak(self, connection: CotConnection, event: CotEvent, says: str, body: Saying) -> None:
        """Lets the node hear what a post says; the client is told what came of it."""
        post = connection.identity.post if connection.identity is not None else ""
        key = self._keys.get(post)
        if key is None:
            self._feed.counts["refused:bound-to-no-post"] += 1
            connection.say(connection.chat("Nothing was recorded: this connection is bound to no post"))
            return
        reason = self._why_not(post, event, says)
        if reason:
            connection.say(connection.chat(f"Nothing was recorded: {reason}"))
            return
        made = body(key)
        if isinstance(made, str):
            self._feed.counts["refused:unknown-message"] += 1
            connection.say(connection.chat(f"Nothing was recorded: {made}"))
            return
        if len(self._under_way) >= MAX_UNDER_WAY or not self._may_speak(post):
            self._feed.counts["refused:too-much-at-once"] += 1
            connection.say(connection.chat("Nothing was recorded: too much at once, say it again"))
            return
        self._heard.note(post, event, says)
        self._note_report(post, event, says)
        task = asyncio.ensure_future(self._give(connection, key, made))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _may_speak(self, post: str) -> bool:
        """Whether a post has not said more than a person can, all its clients together."""
        now_s = asyncio.get_running_loop().time()
        words, at_s = self._allowances.get(post, (WORDS_BURST, now_s))
        words = min(WORDS_BURST, words + (now_s - at_s) * WORDS_PER_S) - 1.0
        self._allowances[post] = max(words, -1.0), now_s
        return words >= 0.0

    async def _give(self, connection: CotConnection, key: Key, body: Body) -> None:
        kind = "acknowledgement" if isinstance(body, AcknowledgementBody) else "remark"
        raw = spoken(key, node=self._node, kind=kind, body=body, now_ns=self._shell.clock.now_ns())
        try:
            answer = await self._shell.give(Received(party=self._feed.party, number=0, raw=raw))
        except NoroshiError as error:
            self._feed.counts["refused:node"] += 1
            connection.say(connection.chat(f"Nothing was recorded: {error.cause or error.operation}"))
            return
        self._feed.counts[f"{kind}:{answer.outcome}"] += 1
        if answer.outcome == "refused":
            connection.say(connection.chat(f"Refused: {answer.reason}"))
        elif kind == "acknowledgement":
            connection.say(connection.chat(f"Acknowledged for {key.subject}"))


def _said(event: CotEvent) -> tuple[str, str]:
    """The words of an event, and the head of the id that it acknowledges, if it does."""
    detail = detail_of(event)
    if detail is None:
        return "", ""
    own = detail.find("noroshi")
    if own is not None and own.get("ack"):
        match = _ACK.fullmatch(f"ack {own.get('ack')}")
        return "", match[1] if match else "none"
    remarks = detail.find("remarks")
    text = " ".join((remarks.text or "").split()) if remarks is not None else ""
    match = _ACK.fullmatch(text)
    return text, match[1] if match else ""


def _is_position(event: CotEvent) -> bool:
    return _POSITION.fullmatch(event.type) is not None


def _is_marked(event: CotEvent) -> bool:
    """Whether a thing was put on the map by a person, as a marker is, and is no client's own position."""
    detail = detail_of(event)
    if detail is None or detail.find("takv") is not None or detail.find("__group") is not None:
        return False
    by = any(one.get("relation") == "p-p" for one in detail.iterfind("link"))
    return event.how.startswith("h-") and (by or any(detail.find(name) is not None for name in _MARKER))


_MARKER = ("archive", "usericon", "precisionlocation")
"""What clients write into a marker, and not into where they are."""

_KIND = MappingProxyType(
    {"f": "friendly", "h": "hostile", "n": "neutral", "u": "unknown", "s": "suspect", "a": "assumed friendly"}
)
_WHERE = MappingProxyType(
    {"A": "in the air", "G": "on the ground", "S": "at sea", "U": "under water", "P": "in space"}
)
"""Words for a marker's type; what exactly it is stays the reporter's word, and nothing here is made of it."""


def _report(event: CotEvent, text: str) -> str:
    """What the timeline shows of a report. It is a person's word: nothing of it becomes a detection or a track."""
    detail = detail_of(event)
    contact = detail.find("contact") if detail is not None else None
    name = contact.get("callsign", "") if contact is not None else ""
    place = ""
    if event.point is not None and event.type != cot.CHAT:
        lat, lon = number_of(event.point.lat), number_of(event.point.lon)
        if lat is not None and lon is not None and (lat or lon):
            place = f" at {lat:.5f}, {lon:.5f}"
    if event.type == cot.CHAT:
        return (text or "no words")[:MAX_TEXT]
    if event.type.startswith("b-a-"):
        alarm = detail.find("emergency") if detail is not None else None
        by = " ".join((alarm.text or "").split()) if alarm is not None else ""
        kind = alarm.get("type", "") if alarm is not None else ""
        ends = event.type == cot.CANCEL or (alarm is not None and alarm.get("cancel") == "true")
        what = f"Emergency of {by or name or event.uid} {'ended' if ends else 'raised'}"
        return f"{what}{f' ({kind})' if kind and not ends else ''}{place}{f': {text}' if text else ''}"[
            :MAX_TEXT
        ]
    if _is_position(event):
        parts = event.type.split("-")
        kind = _KIND.get(parts[1], "unknown")
        where = f", {_WHERE[parts[2]]}" if len(parts) > 2 and parts[2] in _WHERE else ""
        return f"Marked by hand: {name or 'no name'} ({kind}{where}){place}{f': {text}' if text else ''}"[
            :MAX_TEXT
        ]
    return f"{name or event.type}{place}: {text or 'no words'}"[:MAX_TEXT]

"""One connection of a client of Cursor on Target: plain TCP, TLS, or WebSocket; XML or TAK messages.

Whatever is wrong on a connection costs that connection. What waits for a client that reads slowly is the newest of each
thing and every warning; one that takes nothing for too long is told so and cut off, and finds what stands when it comes
back. Nothing is sent before a client is let in.

    factory = partial(CotConnection, feed, words, server)
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from ssl import SSLObject
from typing import Any, Protocol

from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from noroshi.gateways import cot_write as cot
from noroshi.gateways.cot import MAX_EVENT_BYTES, CotEvent, detail_of, read_event
from noroshi.gateways.tak_proto import ProtoRefusedError, from_proto
from noroshi.gateways.tak_stream import Framed, FrameError, StreamReader
from noroshi.gateways.xml_parse import XmlLimits, XmlRefusedError, parse_xml
from noroshi.messages.kinds import Lane
from noroshi.service.cot_config import CotClient, CotServer
from noroshi.service.cot_feed import GroupFeed
from noroshi.service.cot_items import Batch, Form, Item

FIRST_S = 10.0
"""How long a client that needs a token may take to show it, and a WebSocket to ask for one."""

SLOW_S = 20.0
"""A client that takes nothing for so long is cut off."""

BYE_S = 3.0
"""How long the last words to a client may take."""

WRITE_BYTES = 64 * 1024
"""What may wait in a connection itself; the rest waits by uid, where it can be conflated."""

MAX_WARNINGS = 500
"""Warnings that may wait for one client: more come in no crisis while it still reads."""

EVENTS_PER_S, EVENTS_BURST = 100.0, 400.0
"""What is taken of one client; a faster one is read more slowly, and loses nothing."""

MAX_ODD = 20
"""Events of one client that cannot be used, after which it is cut off."""

MAX_AUTH = XmlLimits(max_bytes=4_096, max_depth=3, max_elements=4)

OFFERED = "1"
"""The version of the TAK protocol that is offered beside XML; there is no other."""

SLOW = "this client could not keep up; it may come back and is then sent what stands"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a connection belongs to: a known client, or nobody in particular."""

    client: CotClient | None

    @property
    def post(self) -> str:
        """The post for which it may speak; empty for most."""
        return self.client.post if self.client is not None else ""


class Hearing(Protocol):
    """What is done with what clients say."""

    def heard(self, connection: CotConnection, event: CotEvent) -> None:
        """Takes one event."""

    def admit(self, token: str, sha256: str) -> CotClient | None:
        """The known client of this group with such a token, or such a certificate."""


class CotConnection(asyncio.Protocol):
    """One client. gone: is called once when it has left."""

    def __init__(
        self,
        feed: GroupFeed,
        words: Hearing,
        server: CotServer,
        realm: str,
        gone: Callable[[CotConnection], None],
    ) -> None:
        self.identity: Identity | None = None
        self.form = Form.STREAM_XML
        self._feed = feed
        self._words = words
        self._server = server
        self._realm = realm
        self._gone = gone
        self._transport: asyncio.Transport | None = None
        self._reader = StreamReader()
        self._paused_s = 0.0
        self._warnings: list[Item] = []
        self._others: dict[str, Item] = {}
        self._tokens, self._tokens_at_s = EVENTS_BURST, 0.0
        self._odd = 0
        self._first: asyncio.TimerHandle | None = None
        self._socket: ServerProtocol | None = None
        self._whole = bytearray()
        self._ended = False

    # --- the connection ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Lets the client in, or waits for its token."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_BYTES)
        loop = asyncio.get_running_loop()
        if self._server.is_encrypted:
            client = self._words.admit("", _certificate_of(transport))
            if client is None:
                self._refuse("unknown-certificate")
                return
            self.identity = Identity(client)
        if self._server.transport.startswith("websocket"):
            self._socket = ServerProtocol(max_size=MAX_EVENT_BYTES)
        elif self.identity is None and self._server.is_open:
            self.identity = Identity(None)
        if self.identity is not None and self._socket is None:
            self._enter()
        else:
            self._first = loop.call_later(FIRST_S, self._refuse, "no-token")

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left."""
        if self._first is not None:
            self._first.cancel()
        self._feed.clients.pop(self, None)
        self._warnings.clear()
        self._others.clear()
        self._ended = True
        self._gone(self)

    def eof_received(self) -> None:
        """It says nothing more, and is then closed."""

    def data_received(self, data: bytes) -> None:
        """Takes what a client sends."""
        if self._ended:
            return
        try:
            if self._socket is None:
                self._stream(data)
            else:
                self._messages(self._socket, data)
        except FrameError as error:
            self._malformed(error.reason)
        except XmlRefusedError as error:
            self._malformed(error.rule)
        except ProtoRefusedError:
            self._malformed("no-event")
        except WebSocketException:
            self._malformed("websocket")

    def pause_writing(self) -> None:
        """The client reads more slowly than it is written to."""
        self._paused_s = asyncio.get_running_loop().time()

    def resume_writing(self) -> None:
        """It reads again: sends what has waited, warnings first."""
        self._paused_s = 0.0
        self._flush()

    # --- out ----------------------------------------------------------------------------------------------------

    def take(self, batch: Batch) -> None:
        """Sends events, or keeps them until the client reads again."""
        if self._transport is None or self._ended:
            return
        if not self._paused_s and not self._warnings and not self._others:
            self._transport.write(batch.data(self.form))
            return
        for item in batch.items:
            self._hold(item)

    def say(self, data: bytes) -> None:
        """Sends this client alone an event of ours."""
        self.take(Batch([Item("", Lane.WARNING, read_event(data))]))

    def look(self, now_s: float) -> None:
        """Cuts the client off if it has taken nothing for too long."""
        if self._paused_s and now_s - self._paused_s > SLOW_S:
            self.cut("slow", SLOW)

    def cut(self, reason: str, words: str) -> None:
        """Tells the client why, and ends its connection."""
        if self._ended:
            return
        self._feed.counts[f"cut-off:{reason}"] += 1
        self._ended = True
        self._feed.clients.pop(self, None)
        transport = self._transport
        if transport is None:
            return
        if self.identity is not None:
            transport.write(Item("", Lane.WARNING, read_event(self.chat(words))).data(self.form))
        if self._socket is not None:
            with contextlib.suppress(WebSocketException):
                self._socket.send_close(1008, reason)
                transport.write(b"".join(self._socket.data_to_send()))
        transport.close()
        asyncio.get_running_loop().call_later(BYE_S, transport.abort)

    def chat(self, text: str) -> bytes:
        """Words of the node to this client."""
        now_ns = self._feed.now_ns()
        uid = f"GeoChat.noroshi.{self._feed.group}.{now_ns}"
        name = cot.marked("noroshi", self._realm)
        chat = cot.element(
            "__chat", parent="RootContactGroup", groupOwner="false", chatroom=self._feed.group, id=self._feed.group,
            senderCallsign=name,
        )  # fmt: skip
        cot.element("chatgrp", chat, uid0="noroshi", uid1=self._feed.group, id=self._feed.group)
        head = cot.Writing(self._realm, uid, cot.CHAT, now_ns, now_ns + 60 * 10**9, how=cot.HOW_HUMAN)
        return cot.write_event(head, remarks=text, details=[chat])

    def _hold(self, item: Item) -> None:
        if item.lane == Lane.WARNING:
            self._warnings.append(item)
            if len(self._warnings) > MAX_WARNINGS:
                self.cut("slow", SLOW)
        else:
            if self._others.pop(item.key, None) is not None:
                self._feed.counts["conflated"] += 1
            self._others[item.key] = item

    def _flush(self) -> None:
        transport = self._transport
        while (
            transport is not None
            and not self._paused_s
            and not self._ended
            and (self._warnings or self._others)
        ):
            if self._warnings:
                waiting, self._warnings = self._warnings[:20], self._warnings[20:]
            else:
                waiting = [self._others.pop(key) for key in list(self._others)[:20]]
            transport.write(b"".join([one.data(self.form) for one in waiting]))

    def _enter(self) -> None:
        """The client is let in: it is sent what stands."""
        if self._first is not None:
            self._first.cancel()
        self._feed.counts["connections"] += 1
        self._feed.clients[self] = None
        if self.form == Form.STREAM_XML:
            self._write_control(cot.VERSIONS, cot.element("TakProtocolSupport", version=OFFERED))
        for item in self._feed.standing():
            self._hold(item)
        self._flush()

    def _write_control(self, type_: str, what: Any) -> None:
        """Says something of the protocol itself, always as XML."""
        now_ns = self._feed.now_ns()
        head = cot.Writing(self._realm, "protouid", type_, now_ns, now_ns + 60 * 10**9)
        control = cot.element("TakControl")
        control.append(what)
        if self._transport is not None:
            data = Item("", Lane.WARNING, read_event(cot.write_event(head, details=[control])))
            self._transport.write(data.data(Form.STREAM_XML))

    # --- in -----------------------------------------------------------------------------------------------------

    def _stream(self, data: bytes) -> None:
        for framed in self._reader.feed(data):
            self._framed(framed)
            if self._ended:
                return

    def _framed(self, framed: Framed) -> None:
        if framed.xml and framed.data.startswith(b"<auth"):
            self._token(framed.data)
            return
        if self.identity is None:
            self._refuse("no-token")
            return
        self._spend()
        event = read_event(framed.data) if framed.xml else from_proto(framed.data)
        if event.type == cot.REQUEST and self.form == Form.STREAM_XML:
            self._agree(event)
        elif not event.uid or not event.type:
            self._feed.counts["malformed:no-uid-or-type"] += 1
            self._odd += 1
            if self._odd > MAX_ODD:
                self.cut("malformed", "too many events without a uid or a type")
        else:
            self._words.heard(self, event)

    def _agree(self, event: CotEvent) -> None:
        """Answers which version of the protocol is spoken from now on: the one that was offered, or XML as before."""
        detail = detail_of(event)
        wish = detail.find("TakControl/TakRequest") if detail is not None else None
        agreed = wish is not None and wish.get("version") == OFFERED
        self._write_control(cot.RESPONSE, cot.element("TakResponse", status="true" if agreed else "false"))
        self._feed.counts["takp:agreed" if agreed else "takp:another-version"] += 1
        if agreed:
            self.form = Form.STREAM_PROTO

    def _token(self, data: bytes) -> None:
        """`<auth><cot username="..." password="..."/></auth>`: the password is the token."""
        found = parse_xml(data, MAX_AUTH).find("cot")
        client = self._words.admit(found.get("password", "") if found is not None else "", "")
        if client is None and self in self._feed.clients:
            self._feed.counts["refused:wrong-token"] += 1
            self.cut("wrong-token", "this token is nobody's")
        elif client is None:
            self._refuse("wrong-token")
        elif self.identity is None:
            self.identity = Identity(client)
            self._enter()
        else:
            self.identity = Identity(client)

    def _spend(self) -> None:
        """Takes an event from the client's allowance; reads on later where it is used up."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        self._tokens = min(EVENTS_BURST, self._tokens + (now_s - self._tokens_at_s) * EVENTS_PER_S) - 1.0
        self._tokens_at_s = now_s
        if self._tokens < 0.0 and self._transport is not None and self._transport.is_reading():
            self._feed.counts["read-slowly"] += 1
            self._transport.pause_reading()
            loop.call_later((-self._tokens + EVENTS_BURST / 10) / EVENTS_PER_S, self._read_on)

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _malformed(self, reason: str) -> None:
        self._feed.counts[f"malformed:{reason}"] += 1
        self.cut("malformed", f"what you sent cannot be read ({reason})")

    def _refuse(self, reason: str) -> None:
        """Ends a connection that is not let in; it is told nothing."""
        if self._ended or self in self._feed.clients:
            return
        self._feed.counts[f"refused:{reason}"] += 1
        self._ended = True
        if self._transport is not None:
            self._transport.abort()

    # --- WebSocket ------------------------------------------------------------------------------------------------

    def _messages(self, socket: ServerProtocol, data: bytes) -> None:
        socket.receive_data(data)
        for event in socket.events_received():
            if isinstance(event, Request):
                self._request(socket, event)
            elif isinstance(event, Frame):
                self._frame(event)
            if self._ended:
                return
        self._answer(socket)
        if socket.parser_exc is not None and not self._ended:
            self._malformed("websocket")

    def _request(self, socket: ServerProtocol, request: Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        client = self._words.admit(token, "") if scheme.lower() == "bearer" else None
        if self.identity is None and (client is not None or (self._server.is_open and not token)):
            self.identity = Identity(client)
        if self.identity is None:
            socket.send_response(socket.reject(403, "refused\n"))
            self._answer(socket)
            self._refuse("wrong-token" if token else "no-token")
            return
        self.form = Form.SOCKET_PROTO if request.path.rstrip("/").endswith("takproto/1") else Form.SOCKET_XML
        socket.send_response(socket.accept(request))
        self._answer(socket)
        if socket.handshake_exc is not None:
            self._refuse("websocket")
            return
        self._enter()

    def _frame(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._whole += frame.data
            if frame.fin:
                data, self._whole = bytes(self._whole), bytearray()
                self._stream(data)
            elif len(self._whole) > MAX_EVENT_BYTES:
                raise FrameError("too-long", "a message is too long")

    def _answer(self, socket: ServerProtocol) -> None:
        data = b"".join(socket.data_to_send())
        if self._transport is not None and data:
            self._transport.write(data)
        if socket.close_expected() and self._transport is not None:
            self._transport.close()


def admitted(clients: tuple[CotClient, ...], group: str, token: str, sha256: str) -> CotClient | None:
    """The client of a group that shows this token or this certificate; takes the same time whichever it is."""
    shown = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest() if token else ""
    found: CotClient | None = None
    for one in clients:
        by_token = shown and one.token_sha256 and hmac.compare_digest(one.token_sha256, shown)
        by_card = sha256 and one.certificate_sha256 and hmac.compare_digest(one.certificate_sha256, sha256)
        if one.group == group and (by_token or by_card):
            found = one
    return found


def _certificate_of(transport: asyncio.Transport) -> str:
    """SHA-256 of the client's certificate; empty where there is none."""
    connection = transport.get_extra_info("ssl_object")
    der = connection.getpeercert(binary_form=True) if isinstance(connection, SSLObject) else None
    return hashlib.sha256(der).hexdigest() if der else ""

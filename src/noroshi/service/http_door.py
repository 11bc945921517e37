"""HTTP connections that cost little until they have said what they want: bounded in number, in time and in bytes.

A request must be there, head and body, within a time; who dawdles is cut off. When there are too many, the one that has
waited longest without a whole request goes, so that a flood of silent ones keeps nobody out. What is no HTTP is counted.

    uvicorn.Config(..., http=http_door("page", shell.doors))
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from noroshi.service.doors import Doors

REQUEST_S = 20.0
"""How long a request may take to come whole: four MiB at 2 Mbit/s."""

MAX_WAITING = 256
"""Connections of one door without a whole request: those of an honest page are there for milliseconds."""


def http_door(entrance: str, doors: Doors) -> type[asyncio.Protocol]:
    """The protocol of one door; its connections know of one another."""
    waiting: dict[Door, None] = {}

    class Bound(Door):
        """The connections of this door."""

        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self.entrance, self.doors, self.waiting = entrance, doors, waiting

    return Bound


class Door(H11Protocol):
    """One connection."""

    entrance: str
    doors: Doors
    waiting: dict[Door, None]
    _due: asyncio.TimerHandle | None = None

    @property
    def source(self) -> str:
        """The other side's address."""
        return self.client[0] if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Takes the connection, perhaps in the place of the one that has waited longest."""
        super().connection_made(transport)
        if len(self.waiting) >= MAX_WAITING:
            next(iter(self.waiting)).cut("too-many-connections")
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Takes bytes; what follows a whole request is waited for anew."""
        try:
            super().data_received(data)
        except h11.LocalProtocolError:
            self.cut("malformed-http")
            return
        if self.transport.get_protocol() is not self or self._is_whole():
            self._done()
        elif self._due is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side has left."""
        self._done()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP: said, counted, and the end of the connection."""
        self.doors.count(self.entrance, self.source, "malformed-http")
        super().send_400_response(msg)

    def cut(self, reason: str) -> None:
        """Ends a connection that has not asked for anything."""
        self.doors.count(self.entrance, self.source, reason)
        self._done()
        self.transport.abort()

    def _is_whole(self) -> bool:
        """Whether nothing is half said."""
        state = self.conn.their_state
        if not self.scope or state is h11.SEND_BODY:  # type: ignore[redundant-expr]  # uvicorn sets it late
            return False
        return state is not h11.IDLE or not self.conn.trailing_data[0]

    def _wait(self) -> None:
        self.waiting[self] = None
        self._due = self.loop.call_later(REQUEST_S, self.cut, "too-slow")

    def _done(self) -> None:
        self.waiting.pop(self, None)
        if self._due is not None:
            self._due.cancel()
            self._due = None

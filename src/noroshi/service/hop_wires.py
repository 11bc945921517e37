"""What goes over a connection between a relay and a last hop: frames over TCP, or over WebSocket, as bytes or as text.

Over TCP a frame has its length before it. Over WebSocket each message is one frame: the same bytes, or at the path
`/json` the same array as text, bytes in it as Base64, so that a page or a small machine needs no library of ours.

    cast = Cast(MessageFrame(raw)); transport.write(cast.data(Form.STREAM))     # made once for all last hops
    tls://192.0.2.20:9001#3e20...           HopAddress.of(...): where a relay is, and which certificate it shows
"""

from __future__ import annotations

import enum
import ssl
from typing import NamedTuple

import msgspec
from websockets.frames import Frame as SocketFrame
from websockets.frames import Opcode

from noroshi.errors import InputError
from noroshi.messages import canonical
from noroshi.service.relay_frames import Frame, framed

JSON_PATH = "/json"

SCHEMES = ("tcp", "tls", "ws", "wss")


class Form(enum.Enum):
    """How frames are written on one connection."""

    STREAM = "stream"
    BINARY = "binary"
    TEXT = "text"


class Cast:
    """A frame on its way to many: its bytes are made once for each form."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self._data: dict[Form, bytes] = {}

    def data(self, form: Form) -> bytes:
        """What a relay writes."""
        found = self._data.get(form)
        if found is None:
            found = self._data[form] = written(self.frame, form)
        return found


def written(frame: Frame, form: Form) -> bytes:
    """A frame as a relay writes it."""
    if form is Form.STREAM:
        return framed(frame)
    opcode = Opcode.TEXT if form is Form.TEXT else Opcode.BINARY
    return SocketFrame(opcode, payload(frame, form)).serialize(mask=False)


def payload(frame: Frame, form: Form) -> bytes:
    """The frame itself, without what the connection puts around it."""
    return msgspec.json.encode(frame) if form is Form.TEXT else canonical.encode(frame)


class HopAddress(NamedTuple):
    """Where a relay is. scheme: `tcp`, `tls`, `ws`, `wss`; fingerprint: SHA-256 of the certificate that it must show,
    hexadecimal; without one the machine's own authorities are asked, by the name of the host.
    """

    host: str
    port: int
    scheme: str = "tcp"
    fingerprint: str = ""

    @classmethod
    def of(cls, text: str) -> HopAddress:
        """An address in words: `HOST:PORT`, or `SCHEME://HOST:PORT#FINGERPRINT`. Raises InputError."""
        scheme, found, rest = text.partition("://")
        scheme, rest = (scheme, rest) if found else ("tcp", text)
        place, _, fingerprint = rest.partition("#")
        host, _, port = place.rstrip("/").rpartition(":")
        sound = (
            scheme in SCHEMES and host and port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65_536
        )
        pinned = len(fingerprint) == 64 and all(one in "0123456789abcdef" for one in fingerprint)
        if not sound or (fingerprint and not (pinned and scheme in ("tls", "wss"))):
            raise InputError(
                "relay", None, "address", f"{text!r} is no relay's address",
                "write HOST:PORT, or tls://HOST:PORT#FINGERPRINT, ws://HOST:PORT, wss://HOST:PORT#FINGERPRINT",
            )  # fmt: skip
        return cls(host.strip("[]"), int(port), scheme, fingerprint)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        head = "" if self.scheme == "tcp" else f"{self.scheme}://"
        return f"{head}{host}:{self.port}" + (f"#{self.fingerprint}" if self.fingerprint else "")

    @property
    def is_socket(self) -> bool:
        """Whether it is spoken to by WebSocket."""
        return self.scheme.startswith("ws")

    def context(self) -> ssl.SSLContext | None:
        """TLS for it, if any. With a fingerprint the certificate is compared later, before a word is said."""
        if self.scheme not in ("tls", "wss"):
            return None
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if self.fingerprint:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

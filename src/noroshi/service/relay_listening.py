"""Last hops at a terminal: connects those of a file to its relays, and prints what holds.

listen_as("towns.hops", "0-9", seconds=30.0)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec

from noroshi.clock import to_iso
from noroshi.command.passing import PassOn
from noroshi.errors import InputError
from noroshi.messages import Ed25519, Message, TrustStore, Unverified, verify
from noroshi.messages.bodies import AlertBody
from noroshi.messages.bodies_reach import MAX_HOPS
from noroshi.messages.signing import SECRET_BYTES
from noroshi.service.files import read_file
from noroshi.service.hop_wires import HopAddress
from noroshi.service.last_hop import Believed, LastHop
from noroshi.service.relay_process import raise_file_limit


class HopsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What last hops need: the realm, whose alerts they are, the roots, addresses of relays, keys in hexadecimal.

    secrets: the keys under which some of them sign, by number; nobody else has those.
    """

    realm: str
    partner: str
    roster: str
    roots: dict[str, str]
    relays: list[str]
    hops: dict[str, str]
    secrets: dict[str, str] = {}


def read_hops(path: Path) -> HopsFile:
    """The file of `noroshi relay keys`. Raises InputError."""
    try:
        found = msgspec.json.decode(read_file(path, "make it with `noroshi relay keys`"), type=HopsFile)
        for text in (*found.roots.values(), *found.hops.values(), *found.secrets.values()):
            bytes.fromhex(text)
        if any(len(text) != 2 * SECRET_BYTES for text in found.secrets.values()):
            raise ValueError("a key under which a last hop signs is none")
        sound = bool(found.relays and found.hops) and all(
            _is_number(one) for one in (*found.hops, *found.secrets)
        )
        for text in found.relays:
            HopAddress.of(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise InputError(
            str(path), None, "", f"it is no file of last hops ({error})", "make it again"
        ) from None
    if not sound:
        raise InputError(str(path), None, "", "it names no relay or no last hop", "make it again")
    return found


def _is_number(text: str) -> bool:
    """Whether it is the number of a last hop, as it is written everywhere."""
    return text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_HOPS)) and str(int(text)) == text


def made(
    file: HopsFile,
    believed: Believed,
    shown: Callable[[int, PassOn], None],
    dropped: Callable[[int, str], None] = lambda hop, reason: None,
    only: set[int] | None = None,
) -> list[LastHop]:
    """The last hops of a file; each begins with another of its relays, so that those share the work."""
    relays = [HopAddress.of(one) for one in file.relays]
    return [
        LastHop(
            int(hop),
            bytes.fromhex(key),
            relays,
            believed,
            shown,
            dropped,
            first=int(hop),
            secret=bytes.fromhex(file.secrets.get(hop, "")),
        )
        for hop, key in file.hops.items()
        if only is None or int(hop) in only
    ]


def believed_of(file: HopsFile) -> Believed:
    """Whom last hops of this file believe: who is certified by the roots in it."""
    roots = {partner: bytes.fromhex(root) for partner, root in file.roots.items()}
    return Believed(file.realm, file.partner, TrustStore(file.realm, Ed25519(), roots), roster=file.roster)


def listen_as(path: Path, hops: str, seconds: float) -> None:
    """Runs last hops until Ctrl-C, or for so many seconds. Raises InputError."""
    file = read_hops(path)
    only = _only(hops, file) if hops else None
    raise_file_limit()
    believed = believed_of(file)

    told: dict[bytes, str] = {}

    def shown(hop: int, message: PassOn) -> None:
        if message.id not in told:
            told[message.id] = json.dumps(_row(message, believed), ensure_ascii=False)[1:]
        print(f'{{"hop": {hop}, {told[message.id]}', flush=True)

    def dropped(hop: int, reason: str) -> None:
        print(json.dumps({"hop": hop, "shown": "unverified relay", "reason": reason}), flush=True)

    asyncio.run(_run(made(file, believed, shown, dropped, only), seconds))


def _row(message: PassOn, believed: Believed) -> dict[str, object]:
    """What is printed of a message: its words in all languages."""
    row: dict[str, object] = {"purpose": message.purpose, "identifier": message.identifier}
    found = verify(Unverified(message.raw), believed.trust, believed.now_ns())
    if isinstance(found, Message) and isinstance(found.body, AlertBody):
        body = found.body
        row |= {"type": body.type, "unit": body.unit, "sent": to_iso(body.sent_ns), "reason": body.reason}
        row["headlines"] = {text.language: text.headline for text in body.texts}
    return row


async def _run(hops: list[LastHop], seconds: float) -> None:
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    for hop in hops:
        hop.start()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds or None):
            await stop.wait()
    await asyncio.gather(*(hop.stop() for hop in hops))


def _only(text: str, file: HopsFile) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not _is_number(first) or (last and not _is_number(last)):
            raise InputError("--hops", None, "hops", f"{text!r} names no last hops", "write 0-9 or 3,5")
        found |= {int(hop) for hop in file.hops if int(first) <= int(hop) <= int(last or first)}
    if not found:
        raise InputError("--hops", None, "hops", f"the file has none of {text}", "name some that it has")
    return found

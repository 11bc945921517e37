"""Gives the running node what somebody has put into its directory's `trust/`: pins, and what roots have said.

A message that lies there, from an export or another node's record, is judged as a message and never let in by this way;
the staff are told of the folder as of any other source of messages that cannot be believed. It goes to `trust/refused/`.

A file is moved to `trust/given/` once what follows from it is durable; a file that was given before is a duplicate and
harmless. What is refused is moved too: the record says why, and the operator is told.

    await ControlFiles(shell, directory, note).run()
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from noroshi.errors import InputError, NoroshiError
from noroshi.messages.envelope import Signed
from noroshi.node.inputs import FILES, Control, Received
from noroshi.service.files import read_file
from noroshi.service.node_dir import NodeDir
from noroshi.service.shell import NodeShell
from noroshi.service.trust_files import TrustFiles

PARTY = "control:trust"
MAX_CONTROL_BYTES = 16 << 20
"""Largest file of trust: areas of a whole nation with their outlines have some."""

LOOK_S = 1.0
"""Pause between looks into the directory: a person has just walked up to the machine."""


_SIGNED: msgspec.msgpack.Decoder[Signed] = msgspec.msgpack.Decoder(Signed)


class ControlFiles:
    """Looks into the directory for as long as the node runs."""

    def __init__(
        self, shell: NodeShell, directory: NodeDir, note: Callable[[str], None] = lambda _: None
    ) -> None:
        self._shell = shell
        self._files = TrustFiles(directory)
        self._note = note
        self._told: set[str] = set()

    async def run(self) -> None:
        """Gives files as they appear, until cancelled."""
        while True:
            try:
                await self.give()
            except (OSError, NoroshiError) as error:
                self._note(f"a file of trust is not taken yet: {error}; trying again")
            await asyncio.sleep(LOOK_S)

    async def give(self) -> int:
        """Gives what waits; how many files. Raises NoroshiError and OSError."""
        paths = await asyncio.to_thread(self._files.waiting)
        for path in paths:
            try:
                raw = await asyncio.to_thread(_read, path)
            except InputError as error:
                self._passed_over(path, error)
                continue
            given = as_input(raw)
            answer = await self._shell.give(given)
            if isinstance(given, Received):  # the staff are told of the folder, however many lie in it
                await asyncio.to_thread(self._files.mark_refused, path)
                continue
            if answer.outcome == "refused":
                self._note(f"{path.name} of trust was refused: {answer.reason}")
            await asyncio.to_thread(self._files.mark_given, path)
        return len(paths)

    def _passed_over(self, path: Path, error: InputError) -> None:
        """Says once that a file cannot be read: it keeps the others from nothing."""
        if path.name not in self._told:
            self._told.add(path.name)
            self._shell.doors.count("control", path.name.replace(" ", "_"), "unreadable-file")
            self._note(f"a file of trust is not taken: {error}")


def as_input(raw: bytes) -> Control | Received:
    """What a file is to the node: something of a root's, or a message, which has no business here."""
    if is_message(raw):
        return Received(party=FILES, number=0, raw=raw)
    return Control(party=PARTY, raw=raw)


def is_message(raw: bytes) -> bool:
    """Whether these bytes want to be a message between nodes, whoever signed them."""
    try:
        payload = msgspec.msgpack.decode(_SIGNED.decode(raw).payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(payload, dict) and {"origin", "kind", "body"} <= payload.keys()


def _read(path: Path) -> bytes:
    return read_file(path, "give it again", MAX_CONTROL_BYTES, regular=True)

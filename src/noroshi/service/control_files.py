"""Gives the running node what somebody has put into its directory's `trust/`: pins, and what roots have said.

A file is moved to `trust/given/` once what follows from it is durable; a file that was given before is a duplicate
and harmless. What is refused is moved too: the record says why, and the operator is told.

    await ControlFiles(shell, directory, note).run()
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from noroshi.errors import InputError, NoroshiError
from noroshi.node.inputs import Control
from noroshi.service.files import read_file
from noroshi.service.node_dir import NodeDir
from noroshi.service.shell import NodeShell
from noroshi.service.trust_files import TrustFiles

PARTY = "control:trust"
MAX_CONTROL_BYTES = 16 << 20
"""Largest file of trust: areas of a whole nation with their outlines have some."""

LOOK_S = 1.0
"""Pause between looks into the directory: a person has just walked up to the machine."""


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
            answer = await self._shell.give(Control(party=PARTY, raw=raw))
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


def _read(path: Path) -> bytes:
    return read_file(path, "give it again", MAX_CONTROL_BYTES, regular=True)

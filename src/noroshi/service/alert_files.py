"""The gateway for public alerts: writes each row of its outbox as one CAP file, whole or not at all.

What was written is what lies in the directory: after a crash rows are looked at again, and a file that is
there with the same bytes is left alone.

    written = await AlertFiles(shell, directory / "alerts").run()
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from noroshi.errors import LocalError
from noroshi.log import OutboxRow
from noroshi.service.files import write_file
from noroshi.service.shell import NodeShell

PARTY = "gateway:cap"
PAGE_ROWS = 50
RETRY_S = 2.0
"""Pause after a failed write: the record has the alert, so it is only late, and a person is told."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class AlertFiles:
    """Follows one outbox for as long as the node runs."""

    def __init__(
        self, shell: NodeShell, directory: Path, note: Callable[[str], None] = lambda _: None
    ) -> None:
        self._shell = shell
        self._directory = directory
        self._note = note
        self._done = 0

    async def run(self) -> None:
        """Writes rows as they become durable, until cancelled."""
        wake = self._shell.follow(PARTY)
        try:
            while True:
                wake.clear()
                try:
                    await asyncio.to_thread(self._directory.mkdir, mode=0o700, parents=True, exist_ok=True)
                    await self._catch_up()
                except (OSError, LocalError) as error:
                    self._note(f"an alert's file is not written yet: {error}; trying again")
                    await asyncio.sleep(RETRY_S)
                    continue
                await wake.wait()
        finally:
            self._shell.unfollow(PARTY, wake)

    async def _catch_up(self) -> None:
        while rows := self._shell.store.outbox(PARTY, self._done, PAGE_ROWS):
            for row in rows:
                await asyncio.to_thread(self._write, row)
                self._done = row.number

    def _write(self, row: OutboxRow) -> None:
        if not _NAME.fullmatch(row.key):
            self._note(f"alert row {row.number} is not written: its name {row.key!r} is no file name")
            return
        path = self._directory / f"{row.key}.xml"
        if path.is_file() and path.read_bytes() == row.data:
            return
        write_file(path, row.data, 0o644)

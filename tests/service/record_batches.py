"""Commits for the record's tests: inputs with derived records, and rows on the streams of two partners and the staff."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from noroshi.clock import NEVER
from noroshi.log import Batch, Chain, Forget, OutboxRow, Record
from noroshi.service.record_room import Budget
from noroshi.service.sqlite_store import SqliteStore
from noroshi.sharing.streams import EMPTY_HEAD, next_head

REALM, NODE = "exercise:store", "jpn"
TRACKS, WARNINGS = "partner:USA/track", "partner:USA/warning"


def body_of(number: int, size: int = 200) -> bytes:
    """The body of the input of one commit."""
    return b"%08d" % number + random.Random(number).randbytes(size)


class Author:
    """Makes commits that follow one another: one chain of records, and one of rows per stream."""

    def __init__(self) -> None:
        self.chain = Chain()
        self.heads: dict[str, tuple[int, bytes]] = {}

    def row(self, stream: str, lane: int, key: str, now_ns: int, data: bytes) -> OutboxRow:
        """The next row of a stream."""
        number, head = self.heads.get(stream, (0, EMPTY_HEAD))
        self.heads[stream] = number + 1, next_head(head, data)
        return OutboxRow(stream, number + 1, lane, key, now_ns, data, self.heads[stream][1])

    def batch(self, number: int, size: int = 200, forget: Forget | None = None) -> Batch:
        """One commit: an input that is kept until `number`, one kept for ever, rows for the staff and two partners."""
        now_ns = 1000 + number
        body = body_of(number, size)
        records = (
            self.chain.link(now_ns, "timer", body, keep_ns=number),
            self.chain.link(now_ns, "note", b"made of " + body[:8], keep_ns=NEVER),
        )
        rows = (
            self.row("staff", 2, f"key:{number % 3}", now_ns, body[:40]),
            self.row(TRACKS, 3, "", now_ns, body),
            self.row(
                "partner:KOR/warning" if number % 5 == 0 else "partner:KOR/track", 3, "", now_ns, body[:60]
            ),
        )
        return Batch(records, rows, forget=forget)


def opened(path: Path, realm: str = REALM, node: str = NODE, budget: Budget | None = None) -> SqliteStore:
    """The store of a test."""
    return SqliteStore.open(path, realm=realm, node=node, budget=budget)


def filled(path: Path, count: int = 60) -> list[Record]:
    """A record with `count` commits, closed."""
    author = Author()
    with opened(path) as store:
        for number in range(1, count + 1):
            store.append([author.batch(number)])
        return list(store.records())


def filled_up(store: SqliteStore, author: Author) -> None:
    """Appends until the disk refuses, which is an error of the store."""
    for number in range(1, 2000):
        store.append([author.batch(number, 2000)])


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A disk of its own, of this size; skips the test where it may not be made."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)]
    if shutil.which("mount") is None or os.name != "posix":
        pytest.skip("needs `mount`")
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)

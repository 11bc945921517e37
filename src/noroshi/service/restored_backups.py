"""Backups that a node would not start from, since they are another node's record or another realm's.

The operator is told at once, and the node does not start. That there was one is kept beside the record and counted when
the node starts again from its own, so that it is on the record and before the staff like all else that was refused.

    with keeping(directory.path):
        store = SqliteStore.open(...)                        # or `check_first(store, path, realm, node)`
    tell(shell.doors, directory.path)
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from noroshi.log import Record
from noroshi.node.inputs import NOT_OURS, RECORD, RESTORED
from noroshi.service.doors import Doors
from noroshi.service.files import write_file
from noroshi.service.record_schema import NotOurRecordError

NAME = "refused-backups.json"

MAX_KEPT = 1_000
"""Starts that are counted: a supervisor gives up long before."""

_HINT = "restore the newest copy of this node's own record"


class Kept(Protocol):
    """A record that is open for reading."""

    def records(self, after: int = 0) -> Iterator[Record]: ...


@contextlib.contextmanager
def keeping(directory: Path) -> Iterator[None]:
    """Keeps in the node's directory that a record was refused within, and lets the error go on."""
    try:
        yield
    except NotOurRecordError:
        count = min(_read(directory) + 1, MAX_KEPT)
        with contextlib.suppress(OSError):  # what is refused is refused, on a full disk as well
            write_file(directory / NAME, json.dumps({NOT_OURS: count}).encode(), 0o600)
        raise


def check_first(store: Kept, path: Path, realm: str, node: str) -> None:
    """Whether the first record is this node's and of this realm, whatever the file says of itself.

    Raises NotOurRecordError. A record that is damaged is left to who replays it.
    """
    first = next(store.records(), None)
    if first is None or first.type != "genesis" or first.body is None:
        return
    try:
        fields = msgspec.msgpack.decode(first.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    for name, wanted in (("realm", realm), ("node", node)):
        found = fields.get(name) if isinstance(fields, dict) else None
        if found != wanted:
            cause = f"its first record is of {name} {found!r}, not of {wanted!r}"
            raise NotOurRecordError("start the node", subject=str(path), cause=cause, hint=_HINT)


def tell(doors: Doors, directory: Path) -> None:
    """Counts what was refused since the node last ran, once."""
    for _ in range(_read(directory)):
        doors.count(RECORD, RESTORED, NOT_OURS)
    (directory / NAME).unlink(missing_ok=True)


def _read(directory: Path) -> int:
    """How many there were; what cannot be read counts as one."""
    try:
        found = json.loads((directory / NAME).read_bytes())
    except FileNotFoundError:
        return 0
    except (OSError, ValueError):
        return 1
    count = found.get(NOT_OURS) if isinstance(found, dict) else 1
    return min(count, MAX_KEPT) if isinstance(count, int) and count > 0 else 1

"""What waits at a node's alerting desks, read from its record: open tasks, and the corrections that lie ready.

with RecordFile(path) as file:
    waiting(file)                        # rows of the staff's stream, the oldest first
    found(waiting(file), "approve:3f")   # the one whose name begins so
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from noroshi.errors import OperatorError
from noroshi.service.record_file import RecordFile
from noroshi.sharing import STAFF

ACTIONS = frozenset({"originate-alert", "approve-alert", "retract-alert", "stop-alert"})
"""Tasks that are about public alerts."""

Row = Mapping[str, Any]


def waiting(file: RecordFile) -> list[Row]:
    """The open tasks about alerts and the ready corrections, each as the staff were shown it last."""
    rows: list[Row] = []
    newest = file.newest(STAFF)
    for key, number in sorted(newest.items(), key=lambda pair: pair[1]):
        if not key.startswith(("task:", "correction:")):
            continue
        for found in file.outbox(STAFF, number - 1, 1):
            row = json.loads(found.data)
            open_task = row["type"] == "task" and row["state"] == "open" and row["action"] in ACTIONS
            if open_task or (row["type"] == "correction" and row["state"] == "ready"):
                rows.append(row)
    return rows


def name_of(row: Row) -> str:
    """What a person calls it: `approve:3f2a...`; of a correction, `retract:...`."""
    return str(row["answer"]["task"])


def found(rows: Iterable[Row], head: str) -> Row:
    """The one whose name, or its digest, begins with `head`. Raises OperatorError when it is none or several."""
    wanted = head.lower()
    matching = [
        row
        for row in rows
        if name_of(row).startswith(wanted) or name_of(row).partition(":")[2].startswith(wanted)
    ]
    if len(matching) == 1:
        return matching[0]
    cause = f"{len(matching)} of them have such a name" if matching else "nothing like it waits at this node"
    hint = "give more of the name" if matching else "`noroshi alert tasks DIR` shows what waits"
    raise OperatorError("find the task", subject=head, cause=cause, hint=hint)


def correction(rows: Iterable[Row], post: str, reason: str, identifier: str = "") -> Row:
    """The correction that this post can send now. Raises OperatorError when there is none, or it is not told which."""
    ready = [
        row
        for row in rows
        if row["type"] == "correction" and row["reason"] == reason and identifier in ("", row["of"])
    ]
    mine = [row for row in ready if post in row["posts"]]
    if len(mine) == 1:
        return mine[0]
    if mine:
        names = ", ".join(row["of"] for row in mine)
        raise OperatorError(
            "take back the alert", subject=post, cause=f"several stand: {names}", hint="name one of them"
        )
    cause = "it is not this post's to take back" if ready else "no alert stands that could be taken back so"
    raise OperatorError(
        "take back the alert", subject=post, cause=cause, hint="`noroshi alert tasks DIR` shows what waits"
    )

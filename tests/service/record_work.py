"""Work on a record, drawn by a seed, step by step: done by a traced process, and by a store in memory to compare with.

python -m tests.service.record_work DIRECTORY SEED     does it in DIRECTORY; says each step that has returned to `acks`
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from noroshi.log import Batch, Cut, Forget, MemoryStore, Snapshot
from noroshi.sharing.streams import next_head
from tests.service.record_batches import TRACKS, Author, opened

STEPS = 60

Step = tuple[str, Any]


def steps(seed: int, count: int = STEPS) -> Iterator[Step]:
    """What is done, in order: (append, batches), (keep, snapshot), upkeep, checkpoint, and opening again."""
    draw, author, memory = random.Random(seed), Author(), MemoryStore()
    number = 0
    for _ in range(count):
        act = draw.choices(("append", "keep", "upkeep", "checkpoint", "open"), (70, 5, 12, 8, 5))[0]
        if act == "append":
            batches = []
            for _ in range(draw.choice((1, 1, 2, 5))):
                number += 1
                batches.append(drawn_batch(draw, author, memory, number))
                memory.append(batches[-1:])
            yield act, batches
        elif act != "keep":
            yield act, None
        elif number:
            kept = snapshot(memory, b"the same", draw.randbytes(draw.choice((50, 9000))))
            memory.keep(kept)
            yield act, kept


def snapshot(store: Any, *texts: bytes) -> Snapshot:
    """A snapshot of the last record, whose parts are these bytes."""
    last = list(store.records())[-1]
    parts = {hashlib.sha256(text).digest(): text for text in texts}
    return Snapshot(last.sequence, last.hash, b"".join(parts), b"s" * 64, parts)


def drawn_batch(draw: random.Random, author: Author, store: MemoryStore, number: int) -> Batch:
    """A commit, now and then one that begins a stream anew or lets something go."""
    cuts: tuple[Cut, ...] = ()
    rows = store.outbox(TRACKS, 0, 10_000)
    if draw.random() < 0.1 and rows:
        after = draw.randrange(rows[0].number - 1, rows[-1].number + 1)
        head = rows[after - rows[0].number].head if after >= rows[0].number else store.base(TRACKS)[1]
        kept = []
        for row in rows:
            if row.number > after and draw.random() < 0.5:
                head = next_head(head, row.data)
                kept.append((row.number, head))
        cuts = (Cut(TRACKS, after, tuple(kept)),)
        author.heads[TRACKS] = after + len(kept), head
    made = author.batch(number, draw.choice((10, 200, 6000)))
    forget = None
    if draw.random() < 0.1:
        chosen = tuple((stream, draw.randrange(0, number + 3)) for stream in ("staff", "partner:KOR/track"))
        tracks = (TRACKS, draw.randrange(0, author.heads[TRACKS][0] + 1))
        forget = Forget(draw.randrange(1, 2 * number + 1), draw.randrange(number + 1), (*chosen, tracks))
    return Batch(made.records, made.outbox, cuts, forget)


def work(directory: Path, seed: int, *, careless: bool) -> None:
    """Does the steps, and says each one that has returned. careless: with a store that does not wait for the disk."""
    acks = os.open(directory / "acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    store = opened(directory / "record.db")
    if careless:
        store._writer.execute("PRAGMA synchronous = OFF")
    for number, (act, what) in enumerate(steps(seed), 1):
        match act:
            case "append":
                store.append(what)
            case "keep":
                store.keep(what)
            case "upkeep":
                store.upkeep()
            case "checkpoint":
                store.checkpoint()
            case "open":
                store.close()
                store = opened(directory / "record.db")
        os.write(acks, b"%d\n" % number)
    store.close()


def migrate(directory: Path) -> None:
    """Opens an older record."""
    acks = os.open(directory / "acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    opened(directory / "record.db").close()
    os.write(acks, b"migrated\n")


if __name__ == "__main__":
    if sys.argv[2] == "migrate":
        migrate(Path(sys.argv[1]))
    else:
        work(Path(sys.argv[1]), int(sys.argv[2]), careless="careless" in sys.argv)

"""What is left of files after a power cut, from a trace of what a program has done to them (`disk_trace.c`).

What was synced is there. Of what was not, anything may be there: all, none, the first so many writes, any of them, and
half of the last. Names are durable when their directory was synced, and come and go in their order.

    trace = traced(directory, ["-m", "tests.service.record_work", ...])
    for at in places: trace.files_after(at, draw)
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECTOR_BYTES = 512


@dataclass
class Event:
    """One entry of a trace: c(reate), w(rite), t(runcate), s(ync), d(irectory synced), u(nlink), r(ename)."""

    kind: str
    inode: int
    offset: int
    data: bytes


@dataclass
class File:
    """A file: the bytes that last, and what was done to it since they were synced."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Event] = field(default_factory=list)

    def sync(self) -> None:
        """Makes all of it last."""
        for event in self.pending:
            apply(self.durable, event)
        self.pending = []

    def after_a_cut(self, draw: random.Random) -> bytes:
        """One of the ways in which a power cut may leave it."""
        left, chosen = bytearray(self.durable), list(self.pending)
        match draw.randrange(4):
            case 0:
                chosen = []
            case 1:
                chosen = chosen[: draw.randrange(len(chosen) + 1)]
            case 2:
                chosen = [event for event in chosen if draw.random() < 0.5]
        torn = bool(chosen) and chosen[-1].kind == "w" and draw.random() < 0.5
        for place, event in enumerate(chosen, 1):
            if torn and place == len(chosen):
                whole = draw.random() < 0.5  # a whole number of sectors, or any number of bytes
                size = draw.randrange(len(event.data) + 1)
                size = size // SECTOR_BYTES * SECTOR_BYTES if whole else size
                event = Event("w", event.inode, event.offset, event.data[:size])
            apply(left, event)
        return bytes(left)


def apply(content: bytearray, event: Event) -> None:
    """What a write or a truncation makes of a file."""
    end = event.offset + len(event.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    if event.kind == "w":
        content[event.offset : end] = event.data
    else:
        del content[event.offset :]


class Disk:
    """The files of one directory as a trace goes on."""

    def __init__(self, before: dict[str, tuple[int, bytes]]) -> None:
        self._files = {inode: File(bytearray(content)) for inode, content in before.values()}
        self._names = {name: self._files[inode] for name, (inode, _) in before.items()}
        self._durable_names = dict(self._names)
        self._moves: list[tuple[str, str, File | None]] = []

    def see(self, event: Event) -> None:
        """The next entry of the trace."""
        match event.kind:
            case "c":
                made = self._files[event.inode] = File()
                self._move("", event.data.decode(), made)
            case "u":
                self._move(event.data.decode(), "", None)
            case "r":
                old, new = event.data.decode().split("\n")
                self._move(old, new, self._names[old])
            case "d":
                self._durable_names, self._moves = dict(self._names), []
            case "s" if event.inode in self._files:
                self._files[event.inode].sync()
            case "w" | "t" if event.inode in self._files:
                self._files[event.inode].pending.append(event)

    def _move(self, old: str, new: str, file: File | None) -> None:
        self._moves.append((old, new, file))
        _rename(self._names, old, new, file)

    def after_a_cut(self, draw: random.Random) -> dict[str, bytes]:
        """The files that a power cut may leave now."""
        names = dict(self._durable_names)
        for move in self._moves[: draw.randrange(len(self._moves) + 1)]:
            _rename(names, *move)
        return {name: file.after_a_cut(draw) for name, file in names.items()}


def _rename(names: dict[str, File], old: str, new: str, file: File | None) -> None:
    names.pop(old, None)
    if file is not None:
        names[new] = file


@dataclass
class Trace:
    """The entries, the files that were there before them, and where in them the program said what (`acks`)."""

    before: dict[str, tuple[int, bytes]]
    events: list[Event]
    acks: list[tuple[int, str]]

    def cuts(self, count: int, draw: random.Random) -> Iterator[tuple[int, int, dict[str, bytes]]]:
        """Power cuts at `count` drawn places, in order: the place, how many acks came before it, the files left."""
        disk, seen, done = Disk(self.before), 0, 0
        for at in sorted(draw.choices(range(len(self.events) + 1), k=count)):
            while seen < at:
                disk.see(self.events[seen])
                seen += 1
            while done < len(self.acks) and self.acks[done][0] <= at:
                done += 1
            yield at, done, disk.after_a_cut(draw)


def tracer(place: Path) -> Path:
    """The built library that traces; skips the test where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C compiler")
    library = place / "disk_trace.so"
    source = Path(__file__).with_name("disk_trace.c")
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the C compiler cannot build it: {done.stderr.strip()[-200:]}")
    return library


def traced(directory: Path, arguments: list[str]) -> Trace:
    """Runs Python with these arguments, and gives what it did to the files in a directory. It says acks to a file `acks`
    there, one line each.
    """
    library = tracer(directory.parent)
    log = directory.parent / "trace.bin"
    before = {one.name: (one.stat().st_ino, one.read_bytes()) for one in directory.iterdir() if one.is_file()}
    settings = {"LD_PRELOAD": str(library), "NOROSHI_TRACED": str(directory), "NOROSHI_TRACE": str(log)}
    subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, **settings}, check=True, timeout=300
    )
    raw, at = log.read_bytes(), 0
    events: list[Event] = []
    acks: list[tuple[int, str]] = []
    ack_inode = (directory / "acks").stat().st_ino
    while at < len(raw):
        inode, offset, length = (int.from_bytes(raw[at + n : at + n + 8], sys.byteorder) for n in (1, 9, 17))
        event = Event(chr(raw[at]), inode, offset, raw[at + 25 : at + 25 + length])
        at += 25 + length
        if inode == ack_inode and event.kind == "w":
            acks.append((len(events), event.data.decode().strip()))
        elif inode != ack_inode and not event.data.endswith(b"-shm"):
            events.append(event)
    return Trace(before, events, acks)

"""An export: what one party was given, as a file that shows by itself whether it was changed.

One JSON document per line. The first says whose it is and where each of the party's streams begins and ends; every other
is one row with its number, its head and its data. Nothing else of the record is in it: the rows are what the party
itself has, and so are their heads.

    count = write_export(record, "partner:USA", Path("usa.jsonl"))
    check_export(Path("usa.jsonl")).damaged          # None, or the first row that is not as it was
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, TypeVar

import msgspec

from noroshi.errors import InputError, OperatorError
from noroshi.service.record_file import RecordFile
from noroshi.sharing.streams import next_head, streams_of

FORMAT = "noroshi-outbox/2"
_MARK = b"noroshi-outbox/"
_Line = TypeVar("_Line", "Title", "Line")

PAGE_ROWS = 200

MAX_LINE_BYTES = 8 << 20
"""Longest line that is read: a row is a message of at most 1 MiB, and base64 and JSON make it a half longer."""


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row's number, and the head of its stream after it."""

    number: int
    head: bytes


class Extent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of a stream is in the file: the rows after `after`, up to `upto`."""

    after: Place
    upto: Place


class Title(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line."""

    format: str
    realm: str
    node: str
    party: str
    streams: dict[str, Extent]


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row."""

    stream: str
    number: int
    head: bytes
    data: bytes


class ExportFound(msgspec.Struct, frozen=True):
    """What the check of an export gave. damaged: the first thing that is not as it was, in words; empty when all is."""

    path: str
    node: str
    realm: str
    party: str
    rows: int
    streams: dict[str, int]
    damaged: str

    @property
    def sentence(self) -> str:
        """All of it for a person."""
        whose = f"{self.path} (the rows of {self.node} for {self.party} in {self.realm})"
        return f"{whose}: {self.damaged or f'{self.rows} rows, all as they were'}"


def parties(file: RecordFile) -> list[str]:
    """Who has been given anything."""
    return sorted({stream.partition("/")[0] for stream in file.streams()})


def write_export(file: RecordFile, party: str, out: Path) -> int:
    """Writes the party's rows to a new file; how many. Raises OperatorError."""
    known = file.streams()
    extents = {
        stream: _extent(file, stream, known[stream]) for stream in streams_of(party) if stream in known
    }
    if not extents:
        hint = f"it has: {', '.join(parties(file)) or 'none'}"
        raise _cannot(party, "this record has no outbox for it", hint)
    try:
        with out.open("x", encoding="utf-8") as target:
            _put(target, Title(FORMAT, file.realm, file.node, party, extents))
            return sum(_write_rows(target, file, stream, extent) for stream, extent in extents.items())
    except FileExistsError:
        raise _cannot(str(out), "the file is there already", "choose another name") from None
    except OSError as error:
        raise _cannot(str(out), error.strerror or "", "choose a file that may be written") from None
    except _MovedError as error:
        out.unlink(missing_ok=True)
        raise _cannot(str(error), "the stream was changed meanwhile", "export it again") from None


class _MovedError(Exception):
    """A live record let rows go, or began a stream anew, between two reads."""


def _cannot(subject: str, cause: str, hint: str) -> OperatorError:
    return OperatorError("export an outbox", subject=subject, cause=cause, hint=hint)


def _extent(file: RecordFile, stream: str, upto: int) -> Extent:
    after = Place(*file.base(stream))
    last = file.outbox(stream, upto - 1, 1) if upto > after.number else []
    return Extent(after, Place(last[0].number, last[0].head) if last else after)


def _put(target: TextIO, value: object) -> None:
    target.write(msgspec.json.encode(value).decode() + "\n")


def _write_rows(target: TextIO, file: RecordFile, stream: str, extent: Extent) -> int:
    """The rows of one stream, up to where its extent says: a live record goes on meanwhile. Raises _MovedError."""
    last, head = extent.after.number, extent.after.head
    while last < extent.upto.number:
        rows = file.outbox(stream, last, min(PAGE_ROWS, extent.upto.number - last))
        for row in rows:
            head = next_head(head, row.data)
            if (row.number, row.head) != (last + 1, head):
                raise _MovedError(stream)
            _put(target, Line(stream, row.number, row.head, row.data))
            last = row.number
        if not rows:
            raise _MovedError(stream)
    return last - extent.after.number


def is_export(path: Path) -> bool:
    """Whether a file begins as an export does, of whatever version."""
    try:
        with path.open("rb") as source:
            begin = source.read(4 * len(_MARK))
    except OSError:
        return False
    return begin.startswith(b"{") and _MARK in begin


def check_export(path: Path) -> ExportFound:
    """Whether all rows of an export give their heads, from where its streams begin to where they end.

    Raises InputError, naming the line, for what is no export. An export of another version is one too.
    """
    lines = _lines(path)
    title = _read(path, 1, next(lines, b""), Title)
    if title.format != FORMAT:
        raise InputError(
            str(path), 1, "format", f"{title.format!r} is not {FORMAT!r}", "use the version that wrote it"
        )
    ends = {stream: extent.after for stream, extent in title.streams.items()}
    rows, damaged = 0, ""
    for at, raw in enumerate(lines, 2):
        line = _read(path, at, raw, Line)
        damaged = damaged or _defect(title, ends, line)
        if damaged:
            break
        ends[line.stream] = Place(line.number, line.head)
        rows += 1
    for stream, extent in title.streams.items():
        if not damaged and ends[stream].number < extent.upto.number:
            damaged = f"{stream} row {ends[stream].number + 1} is missing"
        elif not damaged and ends[stream] != extent.upto:
            damaged = f"{stream} row {ends[stream].number} was changed: the stream does not end with its head"
    upto = {stream: end.number for stream, end in ends.items()}
    return ExportFound(str(path), title.node, title.realm, title.party, rows, upto, damaged)


def _defect(title: Title, ends: dict[str, Place], line: Line) -> str:
    """What is wrong with a row after those before it; empty when nothing is."""
    if line.stream not in ends:
        return f"{line.stream} row {line.number} was added: the export has no such stream"
    before = ends[line.stream]
    if line.number <= before.number or line.number > title.streams[line.stream].upto.number:
        return f"{line.stream} row {line.number} was added"
    if line.number != before.number + 1:
        return f"{line.stream} row {before.number + 1} is missing"
    if next_head(before.head, line.data) != line.head:
        return f"{line.stream} row {line.number} was changed: it does not give its head"
    return ""


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as source:
            number = 0
            while raw := source.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(raw) > MAX_LINE_BYTES:
                    raise InputError(str(path), number, "", f"the line is longer than {MAX_LINE_BYTES} bytes")
                yield raw
    except OSError as error:
        raise InputError(str(path), None, "", f"it cannot be read: {error.strerror}") from None


def _read(path: Path, at: int, raw: bytes, type_: type[_Line]) -> _Line:
    try:
        return msgspec.json.decode(raw, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            str(path), at, "", f"it is no line of an export: {error}", "give the file as it was written"
        ) from None

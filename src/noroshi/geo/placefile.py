"""The one binary file that holds the world's populated places: bytes to columns and back.

Pure: bytes are handed in and out; `service` reads the file that `table_path` names and the tool
`tools/build_places.py` writes it. The same columns give the same bytes on the same liblzma.

Layout (little-endian): 8 bytes `MAGIC`; version, 2 bytes; SHA-256 of all that follows it, 32 bytes; length of
the head, 4 bytes; the head, JSON in clear text (attribution, source, rows, and for each column its name,
kind and compressed size); then the columns, each compressed by LZMA. A column of kind `i4` is its
32-bit integers as four byte planes, which compresses better than row by row; `text` is UTF-8, one row a line.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noroshi.errors import OperatorError

MAGIC = b"NRSHPLCS"
VERSION = 1
"""Of the layout and of the columns; a table of another version is refused, never guessed at."""

_PREFIX = struct.Struct("<8sH32sI")
_PRESET = 6 | lzma.PRESET_EXTREME
"""Its dictionary of 8 MB holds any column whole; a higher preset only takes longer."""

_REPAIR = "run `make places` to build it again"

Columns = Mapping[str, Sequence[str] | NDArray[np.int32]]


class PlaceTableError(OperatorError):
    """The place table is missing, damaged, or from another version; building it again repairs it."""


@dataclass(frozen=True)
class Unpacked:
    """What the file holds: its head, its 32-bit integer columns and its text columns, by name."""

    head: dict[str, Any]
    numbers: dict[str, NDArray[np.int32]]
    texts: dict[str, list[str]]


def table_path() -> Path:
    """Where set-up puts the table. Only names the place; `service` reads it."""
    return Path(__file__).parent / "data" / "places.bin"


def refuse(cause: str, hint: str = _REPAIR) -> PlaceTableError:
    """The error for a table that cannot be used, with what to do."""
    return PlaceTableError("read the table of places", cause=cause, hint=hint)


def pack(columns: Columns, about: Mapping[str, Any]) -> bytes:
    """The file's bytes. `about` is put into the head in clear text and must be JSON.

    Integer columns are int32; text columns hold no line breaks.
    """
    blobs: list[bytes] = []
    kinds: list[dict[str, Any]] = []
    for name, column in columns.items():
        if isinstance(column, np.ndarray):
            kind, raw = "i4", column.astype("<i4").view(np.uint8).reshape(-1, 4).T.tobytes()
        else:
            kind, raw = "text", "\n".join(column).encode()
        blob = lzma.compress(raw, format=lzma.FORMAT_XZ, check=lzma.CHECK_NONE, preset=_PRESET)
        blobs.append(blob)
        kinds.append({"name": name, "kind": kind, "rows": len(column), "size": len(blob)})
    head = json.dumps({**about, "columns": kinds}, ensure_ascii=False, sort_keys=True).encode()
    body = struct.pack("<I", len(head)) + head + b"".join(blobs)
    return struct.pack("<8sH", MAGIC, VERSION) + hashlib.sha256(body).digest() + body


def unpack(data: bytes) -> Unpacked:
    """The columns of the file. Raises PlaceTableError when the bytes are not a whole, undamaged table."""
    if not data:
        raise refuse("the file is empty", "run `make places` to build it")
    if not MAGIC.startswith(data[: len(MAGIC)]) and not data.startswith(MAGIC):
        raise refuse("these bytes are not a table of places")
    if len(data) < _PREFIX.size:
        raise refuse("the file is cut short")
    _, version, digest, head_size = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise refuse(f"it has version {version}, this noroshi reads version {VERSION}")
    if hashlib.sha256(memoryview(data)[_PREFIX.size - 4 :]).digest() != digest:
        raise refuse("its checksum does not match: the file is damaged or cut short")
    # Past the checksum the bytes are what `pack` wrote; what fails now is a defect of the builder.
    try:
        return _columns(
            data, json.loads(data[_PREFIX.size : _PREFIX.size + head_size]), _PREFIX.size + head_size
        )
    except (ValueError, KeyError, TypeError, lzma.LZMAError) as error:
        raise refuse(f"its columns cannot be read ({error})") from error


def _columns(data: bytes, head: dict[str, Any], at: int) -> Unpacked:
    numbers: dict[str, NDArray[np.int32]] = {}
    texts: dict[str, list[str]] = {}
    for column in head["columns"]:
        raw = lzma.decompress(data[at : at + column["size"]], format=lzma.FORMAT_XZ)
        at += column["size"]
        name, rows = column["name"], column["rows"]
        if column["kind"] == "i4":
            planes = np.frombuffer(raw, np.uint8).reshape(4, rows)
            numbers[name] = np.ascontiguousarray(planes.T).view("<i4").reshape(rows).astype(np.int32)
        else:
            texts[name] = raw.decode().split("\n") if rows else []
            if len(texts[name]) != rows:
                raise ValueError(f"column {name} has {len(texts[name])} rows instead of {rows}")
    return Unpacked(head, numbers, texts)

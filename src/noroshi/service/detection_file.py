"""Files of detections: one JSON object a line, or Parquet with the same columns; read in blocks, refused by line.

Rules: a line is right or the file is refused, naming line and field; nothing is guessed. Times are kept to the
nanosecond as they are written. A detection may be older than the newest before it by the lag at most, and is put in
its place. Fields nobody knows are left out and counted.

    reading = DetectionReading(sensors, lag_s=5.0)
    for block in reading.blocks(Path("detections.jsonl")):     # in order of time, bounded memory
        block.time_ns, block.sensor, block.value, block.rate
    reading.left_out
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S, to_iso
from noroshi.errors import InputError
from noroshi.service.detection_parquet import parquet_blocks
from noroshi.service.detection_rows import (
    FIELDS,
    OPTIONAL,
    DetectionBlock,
    RowChecks,
    joined,
    refuse_value,
    shortened,
    time_ns_of,
)
from noroshi.tracking.sensors import Sensor

Ints = NDArray[np.int64]

BLOCK_ROWS = 32_768
"""Rows read at a time: some 10 MB with all their objects, and enough to make columns pay."""
DEFAULT_LAG_S = 5.0
"""How far back a detection's time may go: links between partners and batches of a sensor need seconds."""
MAX_LAG_S = 600.0
"""Rows within the lag are held in memory; a file further out of order wants sorting first."""
MAX_HELD_ROWS = 4_000_000
"""Rows held for their order at most, some 400 MB; a file with more within its lag is refused, not swallowed."""
MAX_LINE_BYTES = 65_536
"""A detection has some 150 bytes; a longer line is another kind of file."""
PARQUET = ".parquet"
BOM = b"\xef\xbb\xbf"
"""What some editors put before UTF-8."""

NUMBERS = ("range_m", "azimuth_rad", "elevation_rad", "range_rate_mps")


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    time_s: Any
    sensor: str
    azimuth_rad: float
    elevation_rad: float
    range_m: float | msgspec.UnsetType | None = msgspec.UNSET
    range_rate_mps: float | msgspec.UnsetType | None = msgspec.UNSET


def _canonical(block: DetectionBlock) -> DetectionBlock:
    """By time, then sensor, then content: what is at one instant has an order that does not depend on the file's."""
    return block[np.lexsort((*block.value.T[::-1], block.sensor, block.time_ns))]


@dataclass(slots=True)
class DetectionReading:
    """Reads one file. read: rows taken so far; left_out: what of them was not used, by reason; reordered: rows that
    stood later in the file than a newer one.
    """

    sensors: Sequence[Sensor]
    lag_s: float = DEFAULT_LAG_S
    block_rows: int = BLOCK_ROWS
    read: int = 0
    reordered: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def blocks(self, path: Path) -> Iterator[DetectionBlock]:
        """All rows in order of time, those of one instant in one block. Raises InputError."""
        checks = RowChecks(str(path), self.sensors, self.left_out)
        held: list[DetectionBlock] = []
        newest_ns, lag_ns = 0, round(self.lag_s * NS_PER_S)
        for block in self._raw(path, checks):
            self.read += len(block)
            newest = np.maximum.accumulate(np.maximum(block.time_ns, newest_ns))
            self._keep_lag(checks, block, newest, lag_ns)
            self.reordered += int((block.time_ns < newest).sum())
            newest_ns = int(newest[-1])
            held.append(block)
            waiting = joined(held)
            waiting = waiting[np.argsort(waiting.time_ns, kind="stable")]
            ready = int(np.searchsorted(waiting.time_ns, newest_ns - lag_ns, "left"))
            held = [waiting[ready:]]
            if len(waiting) - ready > MAX_HELD_ROWS:
                cause = f"more than {MAX_HELD_ROWS} detections lie within {self.lag_s:g} s"
                checks.refuse(
                    int(block.line[-1]), "time_s", cause, "sort the file by time and give a smaller --lag"
                )
            if ready:
                yield _canonical(waiting[:ready])
        if not self.read:
            raise InputError(
                str(path), 1, "", "there is no detection in the file", "was it cut off, or never filled?"
            )
        if held and len(held[0]):
            yield _canonical(held[0])

    def _raw(self, path: Path, checks: RowChecks) -> Iterator[DetectionBlock]:
        """Blocks as they stand in the file."""
        with _opened(path) as file:
            read = parquet_blocks if path.suffix.lower() == PARQUET else _line_blocks
            yield from read(file, checks, self.block_rows)

    def _keep_lag(self, checks: RowChecks, block: DetectionBlock, newest: Ints, lag_ns: int) -> None:
        behind = newest - block.time_ns
        if int(behind.max()) <= lag_ns:
            return
        row = int(np.argmax(behind > lag_ns))
        checks.refuse(
            int(block.line[row]),
            "time_s",
            f"the time {to_iso(int(block.time_ns[row]))} is {behind[row] / NS_PER_S:.3f} s older than one before it, "
            f"more than the {self.lag_s:g} s that may be",
            f"sort the file by time, repair the sensor's clock, or give --lag up to {MAX_LAG_S:g}",
        )


def _line_blocks(file: BinaryIO, checks: RowChecks, size: int) -> Iterator[DetectionBlock]:
    """Blocks of a file of lines, as they stand in it."""
    decode = msgspec.json.Decoder(_Line, float_hook=Decimal).decode
    number = 0
    lines: list[bytes] = []
    numbers: list[int] = []
    while text := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            text = text.removeprefix(BOM)
        if len(text) > MAX_LINE_BYTES:
            checks.refuse(number, "", f"a line of more than {MAX_LINE_BYTES} bytes", "is it the right file?")
        if text.isspace():
            continue
        lines.append(text)
        numbers.append(number)
        if len(lines) == size:
            yield _block_of_lines(lines, numbers, checks, decode)
            lines, numbers = [], []
    if lines:
        yield _block_of_lines(lines, numbers, checks, decode)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        hint = "give the path of a .jsonl or .parquet file with detections"
        raise InputError(str(path), None, "", "there is no such file", hint) from None
    except OSError as error:
        raise InputError(str(path), None, "", f"it cannot be read: {error.strerror}") from None


def _block_of_lines(
    lines: list[bytes], numbers: list[int], checks: RowChecks, decode: Callable[[bytes], _Line]
) -> DetectionBlock:
    rows: list[_Line] = []
    times: list[int] = []
    sensors: list[int] = []
    index = checks.index
    for text, number in zip(lines, numbers, strict=True):
        try:
            row = decode(text)
        except (msgspec.MsgspecError, UnicodeError):
            row = _diagnosed(text, number, checks)
        else:
            # A field written twice shows as a colon too many; so does a colon in a sensor's name, to no harm.
            given = (row.range_m is not msgspec.UNSET) + (row.range_rate_mps is not msgspec.UNSET)
            if text.count(b":") != 4 + given:
                row = _diagnosed(text, number, checks)
        rows.append(row)
        times.append(time_ns_of(row.time_s, number, checks))
        known = index.get(row.sensor)
        if known is None:
            checks.unknown_sensor(number, row.sensor)
        sensors.append(known)
    distance = np.array([_number(row.range_m) for row in rows], np.float64)
    rate = np.array([_number(row.range_rate_mps) for row in rows], np.float64)
    value = np.array([(0.0, row.azimuth_rad, row.elevation_rad) for row in rows], np.float64)
    has_range = ~np.isnan(distance)
    value[:, 0] = np.where(has_range, distance, 0.0)
    times_ns, sensor = np.array(times, np.int64), np.array(sensors, np.int64)
    return checks.sound(DetectionBlock(times_ns, sensor, value, rate, np.array(numbers, np.int64)), has_range)


def _number(given: float | msgspec.UnsetType | None) -> float:
    return math.nan if given is None or given is msgspec.UNSET else given


def _diagnosed(text: bytes, line: int, checks: RowChecks) -> _Line:
    """The row of a line that the quick reader refused, unknown fields left out and counted; or what is wrong with it."""
    whole = text.endswith(b"\n")
    try:
        found = json.loads(text, parse_float=Decimal, object_pairs_hook=lambda pairs: pairs)
    except UnicodeDecodeError:
        checks.refuse(line, "", "not readable as UTF-8", "save the file as UTF-8")
    except RecursionError:
        checks.refuse(line, "", "nested too deep", "give one detection a line, as a flat JSON object")
    except json.JSONDecodeError as error:
        if not whole:
            cause = "the file ends in the middle of this line: it was cut off"
            checks.refuse(
                line, "", cause, "get the whole file, or remove the line to do without what is missing"
            )
        checks.refuse(line, "", f"not JSON ({error.msg}, column {error.colno})", "give one detection a line")
    except ValueError:  # a whole number of thousands of digits, which Python does not read
        checks.refuse(line, "", "a number has too many digits", "give numbers as the sensor measured them")
    if not text.lstrip().startswith(b"{"):
        checks.refuse(line, "", "the line is not a JSON object", f"give {{{', '.join(FIELDS[:5])}}}")
    fields: dict[str, Any] = {}
    for written, value in found:
        name = written.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair cannot be printed
        if name in fields:
            checks.refuse(line, name, "the field is given twice", "keep one of them")
        fields[name] = value
    for name in [name for name in fields if name not in FIELDS]:
        checks.leave_field_out(name)
        del fields[name]
    for name in FIELDS:
        if name not in fields and name not in OPTIONAL:
            checks.refuse(line, name, "the field is missing", f"a detection has {', '.join(FIELDS[:5])}")
    for name, value in fields.items():
        if value is None and name in OPTIONAL:
            continue
        right = isinstance(value, str) if name == "sensor" else type(value) in (int, Decimal)
        if not right:
            refuse_value(name, value, line, checks)
        if name in NUMBERS:
            fields[name] = _finite(name, value, line, checks)
    return _Line(**fields)


def _finite(name: str, value: Any, line: int, checks: RowChecks) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        checks.refuse(line, name, f"{shortened(value)} cannot be", "give a finite number")
    return number

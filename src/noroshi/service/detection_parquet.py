"""Detections in Parquet: the columns of the lines, nulls where a value is absent; a row's number stands for its line.

for block in parquet_blocks(stream, checks, 32_768):
    block.time_ns
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.errors import InputError
from noroshi.service.detection_rows import (
    FIELDS,
    MAX_TIME_S,
    OPTIONAL,
    UNKNOWN_FIELD,
    DetectionBlock,
    RowChecks,
    time_ns_of,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def parquet_blocks(stream: BinaryIO, checks: RowChecks, size: int) -> Iterator[DetectionBlock]:
    """Blocks of a Parquet file as they stand in it, `size` rows each at most. Raises InputError."""
    import pyarrow as pa  # slow to load, and only Parquet needs it
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(stream)
    except (pa.ArrowException, OSError) as error:
        cause = f"not a whole Parquet file: {str(error).splitlines()[0]}"
        raise InputError(checks.file, None, "", cause, "was it cut off?") from None
    names = file.schema_arrow.names
    _check_columns(file.schema_arrow, checks)
    for name in [name for name in names if name not in FIELDS]:
        checks.left_out[UNKNOWN_FIELD.format(name)] += file.metadata.num_rows
    first = 1
    batches = file.iter_batches(batch_size=size, columns=[name for name in FIELDS if name in names])
    while True:
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError) as error:
            checks.refuse(first, "", f"rows cannot be read: {str(error).splitlines()[0]}", "was it cut off?")
        if batch is None:
            return
        if len(batch):
            yield _block_of_batch(batch, first, checks)
        first += len(batch)


def _check_columns(schema: Any, checks: RowChecks) -> None:
    import pyarrow as pa

    for name in FIELDS:
        found = schema.get_all_field_indices(name)
        if not found and name not in OPTIONAL:
            checks.refuse(1, name, "the column is missing", f"a detection has {', '.join(FIELDS[:5])}")
        if len(found) > 1:
            checks.refuse(1, name, "the column is there twice", "keep one of them")
        if not found:
            continue
        kind = schema.field(found[0]).type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        numeric = pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        optional = name in OPTIONAL and pa.types.is_null(kind)
        if not (text if name == "sensor" else numeric or optional):
            checks.refuse(
                1, name, f"the column holds {kind}", "give text" if name == "sensor" else "give numbers"
            )


def _block_of_batch(batch: Any, first: int, checks: RowChecks) -> DetectionBlock:
    count = len(batch)
    line = np.arange(first, first + count, dtype=np.int64)
    columns = {name: batch.column(name) for name in batch.schema.names}
    for name, column in columns.items():
        if name not in OPTIONAL and column.null_count:
            row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            checks.refuse(int(line[row]), name, "the value is missing", "fill it in or remove the row")
    names = columns["sensor"].to_pylist()
    sensor = np.array([checks.index.get(name, -1) for name in names], np.int64)
    if (sensor < 0).any():
        row = int(np.argmax(sensor < 0))
        checks.unknown_sensor(int(line[row]), names[row])
    distance, has_range = _numbers(columns, "range_m", line, checks)
    rate, has_rate = _numbers(columns, "range_rate_mps", line, checks)
    angles = [_numbers(columns, name, line, checks)[0] for name in ("azimuth_rad", "elevation_rad")]
    value = np.column_stack((np.where(has_range, distance, 0.0), *angles))
    block = DetectionBlock(
        _times(columns["time_s"], line, checks), sensor, value, np.where(has_rate, rate, np.nan), line
    )
    return checks.sound(block, has_range)


def _numbers(
    columns: dict[str, Any], name: str, line: Ints, checks: RowChecks
) -> tuple[Floats, NDArray[np.bool_]]:
    """A column as numbers, and where there is one; a NaN that is there is refused, a null is not there."""
    import pyarrow as pa

    if name not in columns:
        return np.full(len(line), np.nan), np.zeros(len(line), np.bool_)
    column = columns[name]
    given = column.is_valid().to_numpy(zero_copy_only=False)
    number = column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    bad = given & ~np.isfinite(number)
    if bad.any():
        row = int(np.argmax(bad))
        checks.refuse(
            int(line[row]), name, f"{number[row]:g} cannot be", "give a finite number, or null for none"
        )
    return number, given


def _times(column: Any, line: Ints, checks: RowChecks) -> Ints:
    """Nanoseconds of a column of seconds: exact for whole and decimal columns, to 0.24 us for binary fractions."""
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        number = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        with np.errstate(invalid="ignore"):
            good = (number >= 0) & (number <= MAX_TIME_S)
        if not good.all():
            row = int(np.argmin(good))
            time_ns_of(_as_decimal(float(number[row])), int(line[row]), checks)
        whole = np.floor(number)
        times: Ints = whole.astype(np.int64) * NS_PER_S + np.rint((number - whole) * NS_PER_S).astype(
            np.int64
        )
        return times
    values = zip(column.to_pylist(), line, strict=True)
    return np.array([time_ns_of(value, int(number), checks) for value, number in values], np.int64)


def _as_decimal(number: float) -> Any:
    return Decimal(repr(number)) if math.isfinite(number) else number

"""Columns as bytes and back, bit for bit: canonical msgpack of [dtype, shape, bytes] for each.

data = pack((time_ns, mean))
time_ns, mean = unpack(data, (np.int64, np.float64))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from noroshi.messages.canonical import encode
from noroshi.tracking.errors import TrackError

Array = NDArray[Any]

_COLUMNS = msgspec.msgpack.Decoder(tuple[tuple[str, tuple[int, ...], bytes], ...])


def pack(columns: Sequence[Array]) -> bytes:
    """The columns, little-endian."""
    kept = [np.ascontiguousarray(column, column.dtype.newbyteorder("<")) for column in columns]
    return encode([(column.dtype.str, column.shape, column.tobytes()) for column in kept])


def unpack(data: bytes, kinds: Sequence[type]) -> list[Array]:
    """The columns as new arrays that may be written to. Raises TrackError where they are not of these kinds."""
    try:
        found = _COLUMNS.decode(data)
        arrays = [np.frombuffer(raw, np.dtype(name)).reshape(shape) for name, shape, raw in found]
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise TrackError("read the columns", cause=str(error)) from None
    if [array.dtype for array in arrays] != [np.dtype(kind) for kind in kinds]:
        raise TrackError("read the columns", cause=f"they are {[array.dtype.str for array in arrays]}")
    return [array.copy() for array in arrays]

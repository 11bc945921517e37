"""The record: a node's append-only, hash-chained log, and what stores it must promise."""

from noroshi.log.record import DERIVED, INPUTS, Chain, Record, check
from noroshi.log.store import (
    Batch,
    Cut,
    DamagedRecordError,
    Forget,
    MemoryStore,
    OutboxRow,
    Snapshot,
    Store,
    verified,
)

__all__ = [
    "DERIVED",
    "INPUTS",
    "Batch",
    "Chain",
    "Cut",
    "DamagedRecordError",
    "Forget",
    "MemoryStore",
    "OutboxRow",
    "Record",
    "Snapshot",
    "Store",
    "check",
    "verified",
]

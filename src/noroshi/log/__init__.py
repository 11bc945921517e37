"""The record: a node's append-only, hash-chained log, and what stores it must promise."""

from noroshi.log.record import DERIVED, INPUTS, Chain, Record, check
from noroshi.log.store import Batch, DamagedRecordError, MemoryStore, OutboxRow, Store, verified

__all__ = [
    "DERIVED",
    "INPUTS",
    "Batch",
    "Chain",
    "DamagedRecordError",
    "MemoryStore",
    "OutboxRow",
    "Record",
    "Store",
    "check",
    "verified",
]

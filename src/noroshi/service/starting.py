"""Brings a node back from its record: from the newest snapshot and what came after it, or from the first record on.

Rules: a snapshot that cannot be used costs time and not the node, as long as retention has let go of nothing that the
replay needs; a record that is damaged is said to be so, whatever the snapshot says. The node must then stand where the
record does, stream by stream.

    core = core_of(store, cores, "jpn/record.db", note)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from noroshi.errors import LocalError
from noroshi.log import DamagedRecordError, Record, Snapshot
from noroshi.service.shell import Core


class Kept(Protocol):
    """What is kept of a node, for reading: records, the newest snapshot, and where its streams end."""

    def records(self, after: int = 0) -> Iterator[Record]: ...
    def snapshot(self) -> Snapshot | None: ...
    def streams(self) -> dict[str, int]: ...


class Replaying(Protocol):
    """Makes the core of a node from what is kept of it. subject names the record in errors."""

    def replay(self, subject: str, records: Iterable[Record]) -> Core: ...
    def restore(self, subject: str, snapshot: Snapshot, records: Iterable[Record]) -> Core: ...


def core_of(store: Kept, cores: Replaying, subject: str, note: Callable[[str], None]) -> Core:
    """The core as the record leaves it. Raises LocalError, DamagedRecordError for a record that is damaged."""
    core, defect = _from_snapshot(store, cores, subject)
    if core is None:
        if defect:
            note(f"the snapshot cannot be used, so the whole record is replayed: {defect}")
        core = cores.replay(subject, _whole(subject, store.records(), defect))
    for stream, number in store.streams().items():
        if core.outbox_upto(stream) != number:
            raise LocalError(
                "go on with the record",
                subject=subject,
                cause=f"it has {number} rows for {stream}, of which this version makes {core.outbox_upto(stream)}",
                hint="run the version that wrote it",
            )
    return core


def _from_snapshot(store: Kept, cores: Replaying, subject: str) -> tuple[Core | None, str]:
    """The core from the newest snapshot, or None and why not; an empty reason when there is no snapshot."""
    try:
        snapshot = store.snapshot()
        if snapshot is None:
            return None, ""
        return cores.restore(subject, snapshot, store.records(snapshot.sequence)), ""
    except DamagedRecordError:
        raise
    except LocalError as error:
        return None, str(error)


def _whole(subject: str, records: Iterable[Record], defect: str) -> Iterator[Record]:
    """The same records, all of them with their bodies. Raises LocalError at the first without."""
    for record in records:
        if record.body is None:
            raise LocalError(
                "replay the record",
                subject=f"{subject}, record {record.sequence}",
                cause="retention has let its body go, and there is no snapshot to start from"
                + (f" ({defect})" if defect else ""),
                hint="restore a copy of the record",
            )
        yield record

"""Brings a node back from its record: from the newest snapshot and what came after it, or from the first record on.

Rules: a snapshot that cannot be used costs time and not the node, as long as retention has let go of nothing that the
replay needs; a record that is damaged is said to be so, whatever the snapshot says. The node must then stand where the
record does, stream by stream. What an older version has made must come out again as well, unless its snapshot covers it:
messages of kinds that it did not know, which this one acts on, are the usual reason why it does not.

    core = core_of(store, cores, "jpn/record.db", note)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from noroshi.errors import LocalError
from noroshi.log import DamagedRecordError, Record, Snapshot
from noroshi.messages.envelope import SCHEMA_VERSION
from noroshi.node import ReplayDiffersError
from noroshi.service.record_schema import Head
from noroshi.service.shell import Core


class Kept(Protocol):
    """What is kept of a node, for reading: records, the newest snapshot, where its streams end, and who wrote it."""

    @property
    def head(self) -> Head: ...
    def records(self, after: int = 0) -> Iterator[Record]: ...
    def snapshot(self) -> Snapshot | None: ...
    def streams(self) -> dict[str, int]: ...


class Replaying(Protocol):
    """Makes the core of a node from what is kept of it. subject names the record in errors."""

    def replay(self, subject: str, records: Iterable[Record]) -> Core: ...
    def restore(self, subject: str, snapshot: Snapshot, records: Iterable[Record]) -> Core: ...


class OlderRecordError(LocalError):
    """An older version's record that gives another node back than it left; nothing was changed in it."""

    def __init__(self, subject: str, version: int, error: LocalError) -> None:
        super().__init__(
            "go on with the record of an older version",
            subject=subject,
            cause=f"schema version {version} wrote it, and version {SCHEMA_VERSION} makes something else of its inputs"
            f" ({error.subject}: {error.cause})",
            hint="start the older version once more and stop it with SIGTERM, so that its snapshot stands at the end,"
            " then start this one; nothing was changed",
        )


def core_of(store: Kept, cores: Replaying, subject: str, note: Callable[[str], None]) -> Core:
    """The core as the record leaves it. Raises LocalError: DamagedRecordError for a record that is damaged,
    OlderRecordError for one that this version cannot follow.
    """
    try:
        return _core_of(store, cores, subject, note)
    except (ReplayDiffersError, OtherRowsError) as error:
        if store.head.messages < SCHEMA_VERSION:
            raise OlderRecordError(subject, store.head.messages, error) from None
        raise


class OtherRowsError(LocalError):
    """A record whose inputs give back other streams than it has."""


def _core_of(store: Kept, cores: Replaying, subject: str, note: Callable[[str], None]) -> Core:
    core, defect = _from_snapshot(store, cores, subject)
    if core is None:
        if defect:
            note(f"the snapshot cannot be used, so the whole record is replayed: {defect}")
        core = cores.replay(subject, _whole(subject, store.records(), defect))
    for stream, number in store.streams().items():
        if core.outbox_upto(stream) != number:
            raise OtherRowsError(
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
        if isinstance(error, ReplayDiffersError) and store.head.messages < SCHEMA_VERSION:
            raise  # a replay from the first record on comes to the same place, and is told the same
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

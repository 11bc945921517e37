"""Targets: what lies on a disk or comes on one: record files, exports, a log's bodies, snapshots, a node's first record.

A disk may give back anything. What comes of it is a record, or one sentence that names what is damaged.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import msgspec

from noroshi.errors import NoroshiError
from noroshi.log import Batch, Chain, Record, Snapshot
from noroshi.messages import canonical
from noroshi.node.inputs import encode_input
from noroshi.node.snapshot import SnapshotError, opened
from noroshi.review.read import NEEDED, merged, open_log
from noroshi.service.node_dir import read_genesis
from noroshi.service.record_check import check_record
from noroshi.service.record_export import check_export, parties, write_export
from noroshi.service.record_file import RecordFile
from noroshi.service.record_words import words
from noroshi.service.sqlite_store import SqliteStore
from tests.fuzz.messages import MIB_1, NOW_NS, REALM, crowded, inputs, whole
from tests.fuzz.table import Look, Target
from tests.node.scene import Scene, places

TYPES = (
    "genesis",
    "detections",
    "received",
    "receipt",
    "checkpoint",
    "restart",
    "timer",
    "link",
    "clock",
    "control",
    "retention",
    "message",
    "release",
    "refusal",
    "note",
    "unheard-of",
)


@cache
def folder() -> tempfile.TemporaryDirectory[str]:
    """A folder of this process, in memory where there is one: it goes with the process."""
    shm = Path("/dev/shm")
    return tempfile.TemporaryDirectory(prefix="noroshi-fuzz-", dir=shm if os.access(shm, os.W_OK) else None)


def on_disk(name: str, look: Callable[[Path], object]) -> Look:
    """Hands the bytes on as a file."""

    def looked(data: bytes) -> None:
        with tempfile.TemporaryDirectory(dir=folder().name) as place:
            path = Path(place) / name
            path.write_bytes(data)
            path.chmod(0o600)
            try:
                look(path)
            except NoroshiError as error:
                assert error.sentence()

    return looked


@cache
def scene() -> Scene:
    """Three nodes in the middle of a crisis."""
    return Scene("trilateral").watch(95.0, thin=12)


def _record_files() -> Sequence[bytes]:
    with tempfile.TemporaryDirectory(dir=folder().name) as place:
        path = Path(place) / "record.db"
        with SqliteStore.open(path, realm=REALM, node="jpn") as store:
            small = path.read_bytes()
            store.append(scene()["jpn"].batches)
            store.keep(scene()["jpn"].node.snapshot())
        return [path.read_bytes(), small]


def _read(path: Path) -> None:
    with RecordFile(path) as file:
        for record in file.records():
            words(record)
        for stream, upto in file.streams().items():
            file.base(stream)
            file.newest(stream)
            file.outbox(stream, max(0, upto - 100), 100)
        file.last_sequence()
        file.snapshot()
        for party in parties(file):
            out = path.with_name(f"{abs(hash(party))}.jsonl")
            out.unlink(missing_ok=True)
            write_export(file, party, out)
            check_export(out)
    check_record(path)


def _write(path: Path) -> None:
    with SqliteStore.open(path, realm=REALM, node="jpn") as store:
        records = list(store.records())
        last = records[-1] if records else None
        chain = Chain(last.sequence, last.hash) if last else Chain()
        store.append([Batch((chain.link(NOW_NS, "timer", b"x"),))])
        store.upkeep()
        store.checkpoint()
        store.status()
        store.room()


def _exports() -> Sequence[bytes]:
    with tempfile.TemporaryDirectory(dir=folder().name) as place:
        path, out = Path(place) / "record.db", Path(place) / "out.jsonl"
        with SqliteStore.open(path, realm=REALM, node="jpn") as store:
            store.append(scene()["jpn"].batches)
        with RecordFile(path) as file:
            write_export(file, "partner:USA", out)
        return [out.read_bytes()]


# --- bodies of a log --------------------------------------------------------------------------------------------------


def _derived() -> Iterable[bytes]:
    """Bodies of records that a node makes, of each type."""
    found = {record.type: record.body for record in scene()["jpn"].records()}
    return [body for body in found.values() if body is not None]


def _bodies() -> Sequence[bytes]:
    return [*inputs(), *whole(), *_derived()]


def _words(body: bytes) -> None:
    chain = Chain()
    for type_ in TYPES:
        assert words(chain.link(NOW_NS, type_, body))


def _logs() -> Sequence[bytes]:
    """Logs as lists of type and body: a real one behind a short first record, and one of everything."""
    first = [
        "genesis",
        {key: [] for key in NEEDED["genesis"]}
        | {"node": "usa", "partner": "USA", "realm": REALM, "title": "T"},
    ]
    real = [[record.type, _value(record)] for record in scene()["usa"].records()[1:40]]
    every = [[type_, msgspec.msgpack.decode(body)] for body in inputs()[2:] for type_ in TYPES]
    return [canonical.encode([first, *real]), *(canonical.encode([first, *every[n::7]]) for n in range(7))]


def _value(record: Record) -> object:
    """A body as plain values, so that a change of it is a change of one of them; a message's stays bytes."""
    return (
        record.body
        if record.type == "message" or record.body is None
        else msgspec.msgpack.decode(record.body)
    )


def _review(data: bytes) -> None:
    """Any bodies, on a chain that is whole: what a node logs is in part what others sent."""
    try:
        rows = msgspec.msgpack.decode(data, type=list[tuple[object, object]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    chain, records = Chain(), []
    for number, (type_, value) in enumerate(rows):
        name = type_ if type_ in TYPES[:-1] else TYPES[number % (len(TYPES) - 1)]
        body = value if isinstance(value, bytes) else msgspec.msgpack.encode(value)
        records.append(chain.link(NOW_NS + number, str(name), body))
    try:
        log = open_log("fuzz", records)
    except NoroshiError as error:
        assert error.sentence()
        return
    for entry in merged([log]):
        assert entry.cites


def _genesis() -> Sequence[bytes]:
    return [encode_input(scene()["jpn"].member.genesis)[1]]


def _read_genesis(path: Path) -> None:
    member = scene()["jpn"].member
    read_genesis(path, realm=member.genesis.realm, partner="JPN", node="jpn")


# --- snapshots --------------------------------------------------------------------------------------------------------


def _snapshots() -> Sequence[bytes]:
    one = scene()["jpn"].node.snapshot()
    return [canonical.encode([one.sequence, one.head, one.manifest, one.signature, [*one.parts.items()]])]


def _snapshot_look() -> Look:
    secrets, (seed,) = scene()["jpn"].member.secrets, _snapshots()

    def look(data: bytes) -> None:
        try:
            sequence, head, manifest, signature, parts = msgspec.msgpack.decode(
                data, type=tuple[int, bytes, bytes, bytes, list[tuple[bytes, bytes]]]
            )
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        taken = Snapshot(sequence, head, manifest, signature, dict(parts))
        try:
            opened("fuzz", taken, secrets, places())
        except SnapshotError as error:
            assert error.cause
            return
        assert manifest in seed
        assert signature in seed

    return look


def _large_logs(size: int) -> Iterable[bytes]:
    real = msgspec.msgpack.decode(_logs()[0])
    for crowd in crowded(size - len(_logs()[0]) - 100):
        for type_ in ("received", "note", "release"):
            yield canonical.encode([*real, [type_, crowd]])


def _large_snapshots(size: int) -> Iterable[bytes]:
    one = scene()["jpn"].node.snapshot()
    for crowd in crowded(size - 1000):
        yield canonical.encode([one.sequence, one.head, crowd, one.signature, []])


def _large_exports(size: int) -> Iterable[bytes]:
    title, _, rows = _exports()[0].partition(b"\n")
    yield b"[" * size
    yield title + b"\n" + b"[" * (size - len(title) - 1)
    yield title + b"\n" + rows.partition(b"\n")[0] * ((size - len(title)) // len(rows.partition(b"\n")[0]))
    yield title.replace(
        b'"streams":{', b'"streams":{' + b"".join(b'"k%d":{},' % n for n in range(size // 20))
    )
    yield b"\n" * size


TARGETS = (
    Target(
        "record-file",
        "the file of a record, for reading",
        lambda: on_disk("record.db", _read),
        _record_files,
        "bytes",
        4 * MIB_1,
        64.0,
        5.0,
    ),
    Target(
        "record-store",
        "the file of a record, for writing",
        lambda: on_disk("record.db", _write),
        _record_files,
        "bytes",
        4 * MIB_1,
        64.0,
        5.0,
    ),
    Target(
        "export",
        "an export of what a party was given",
        lambda: on_disk("out.jsonl", check_export),
        _exports,
        "json",
        4 * MIB_1,
        64.0,
        5.0,
        _large_exports,
    ),
    Target(
        "record-words",
        "the body of any record, in words",
        lambda: _words,
        _bodies,
        "msgpack",
        MIB_1,
        160.0,
        20.0,
        crowded,
    ),
    Target(
        "review",
        "the bodies of a log, for a review",
        lambda: _review,
        _logs,
        "msgpack",
        2 * MIB_1,
        320.0,
        5.0,
        _large_logs,
    ),
    Target(
        "genesis",
        "the file of a node's first record",
        lambda: on_disk("genesis.bin", _read_genesis),
        _genesis,
        "msgpack",
        MIB_1,
        160.0,
        2.0,
        crowded,
    ),
    Target(
        "snapshot",
        "a snapshot of a node, as the disk gives it back",
        _snapshot_look,
        _snapshots,
        "msgpack",
        4 * MIB_1,
        320.0,
        3.0,
        _large_snapshots,
    ),
)

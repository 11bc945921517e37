"""A disk that forgets: what was written and not synced may be there after a crash, in part, torn, or wrong.

Rules of the disk: everything up to the last sync is there after a crash. Of what came after it any sectors may be
there, the last one cut at any byte, and a bit of it may have changed. Nothing else changes, unless `rot` is asked for.

    disk = Disk()
    store = DiskStore(disk)                  # raises DamagedRecordError
    store.begin([batch]); store.finish()     # written; synced
    disk.crash(key)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b

import msgspec

from noroshi.errors import LocalError
from noroshi.exercise.draws import uniform
from noroshi.log import Batch, DamagedRecordError, MemoryStore, OutboxRow, Record, Snapshot

SECTOR = 512
"""What a disk writes whole or not at all."""

SNAPSHOT_ROTS = 0.3
"""Of the bits that change in what was safe, those in the snapshot, where there is one."""

_CHECK_BYTES = 16
_HEADER_BYTES = 4 + _CHECK_BYTES

_BATCHES = msgspec.msgpack.Decoder(list[Batch])
_ENCODER = msgspec.msgpack.Encoder()


class Disk:
    """The bytes of one file, and which of them are safe."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._synced = 0
        self.rotten = False
        self.kept: Snapshot | None = None

    @property
    def data(self) -> bytes:
        """What a reader sees."""
        return bytes(self._data)

    @property
    def synced(self) -> int:
        """How many bytes are safe."""
        return self._synced

    def write(self, data: bytes) -> None:
        """Adds bytes at the end; they are not safe yet."""
        self._data += data

    def sync(self) -> None:
        """Makes safe what is written."""
        self._synced = len(self._data)

    def cut(self, length: int) -> None:
        """Lets go all bytes from `length` on, safely."""
        del self._data[length:]
        self._synced = length

    def crash(self, key: bytes) -> None:
        """The power goes: what was not synced is there as the key says."""
        loose = bytes(self._data[self._synced :])
        del self._data[self._synced :]
        self._data += _what_is_left(loose, key)
        self.sync()

    def rot(self, key: bytes) -> None:
        """One bit of what was safe changes, and the disk's own checks do not see it: of the log, or of the snapshot."""
        self.rotten = True
        if self.kept is not None and uniform(key, "rot of what") < SNAPSHOT_ROTS:
            self.kept = _rotten(self.kept, key)
            return
        place = int(uniform(key, "rot") * 8 * self._synced) % (8 * self._synced)
        self._data[place // 8] ^= 1 << place % 8


def _what_is_left(loose: bytes, key: bytes) -> bytes:
    chance = uniform(key, "what is left")
    if chance < 0.25:
        return b""
    if chance < 0.45:
        return loose
    if chance < 0.65:
        return loose[: int(uniform(key, "torn at") * len(loose))]
    left = bytearray(loose)
    if chance < 0.85:
        for start in range(0, len(left), SECTOR):
            if uniform(key, "sector", start) < 0.5:
                end = min(start + SECTOR, len(left))
                left[start:end] = bytes(end - start)
    elif left:
        place = int(uniform(key, "flip") * 8 * len(left)) % (8 * len(left))
        left[place // 8] ^= 1 << place % 8
    return bytes(left)


class DiskStore:
    """A store on a simulated disk: one frame per append, whole or not at all. Implements `noroshi.log.Store`.

    It checks what a store must: frames that were not synced. It does not check what only the record itself can tell:
    a bit that changed in what was safe, where the checks of its frames say nothing (`Disk.rotten`).
    """

    def __init__(self, disk: Disk, *, subject: str = "record", whole: bool = True) -> None:
        """whole: whether an append is one frame; a store that writes each batch for itself is a planted defect."""
        self._disk = disk
        self._subject = subject
        self._whole = whole
        self._image = MemoryStore()
        self._waiting: list[Batch] = []
        self._check = bytes(_CHECK_BYTES)
        self._read()

    def begin(self, batches: Sequence[Batch]) -> None:
        """Writes, without a sync: nothing of it may be told."""
        parts = [list(batches)] if self._whole else [piece for one in batches for piece in _torn(one)]
        for part in parts:
            payload = _ENCODER.encode(part)
            self._check = _check(self._check, payload)
            self._disk.write(len(payload).to_bytes(4, "big") + self._check + payload)
        self._waiting += batches

    def finish(self) -> None:
        """Syncs what was begun."""
        self._disk.sync()
        self._image.append(self._waiting)
        self._waiting = []

    def append(self, batches: Sequence[Batch]) -> None:
        self.begin(batches)
        self.finish()

    def records(self, after: int = 0) -> Iterator[Record]:
        return self._image.records(after)

    def outbox(self, stream: str, after: int, limit: int) -> list[OutboxRow]:
        return self._image.outbox(stream, after, limit)

    def base(self, stream: str) -> tuple[int, bytes]:
        return self._image.base(stream)

    def keep(self, snapshot: Snapshot) -> None:
        self._disk.kept = snapshot

    def snapshot(self) -> Snapshot | None:
        return self._disk.kept

    def _read(self) -> None:
        data, start = self._disk.data, 0
        while len(data) - start >= _HEADER_BYTES:
            length = int.from_bytes(data[start : start + 4], "big")
            payload = data[start + _HEADER_BYTES : start + _HEADER_BYTES + length]
            check = _check(self._check, payload)
            good = len(payload) == length and check == data[start + 4 : start + _HEADER_BYTES]
            if not good and not self._disk.rotten:
                break
            self._take(payload)
            self._check = check
            start += _HEADER_BYTES + length
        if self._disk.rotten and start != len(data):
            raise self._damaged("its frames do not fit")
        self._disk.cut(start)

    def _take(self, payload: bytes) -> None:
        try:
            self._image.append(_BATCHES.decode(payload))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._damaged(f"a frame does not decode: {error}") from None

    def _damaged(self, cause: str) -> LocalError:
        last = max((record.sequence for record in self._image.records()), default=0)
        return DamagedRecordError(self._subject, last + 1, cause)


def _rotten(kept: Snapshot, key: bytes) -> Snapshot:
    """The snapshot with one bit changed in one of its parts."""
    digests = sorted(kept.parts)
    digest = digests[int(uniform(key, "part") * (len(digests) - 0.001))]
    part = bytearray(kept.parts[digest])
    place = int(uniform(key, "bit of part") * 8 * len(part)) % (8 * len(part))
    part[place // 8] ^= 1 << place % 8
    return replace(kept, parts=kept.parts | {digest: bytes(part)})


def _check(before: bytes, payload: bytes) -> bytes:
    """The check of a frame, which holds for this place in the file only."""
    return blake2b(before + payload, digest_size=_CHECK_BYTES).digest()


def _torn(batch: Batch) -> list[list[Batch]]:
    """A commit as a store without transactions writes it: record by record, then row by row."""
    records = [[Batch((record,), (), batch.cuts if not n else ())] for n, record in enumerate(batch.records)]
    return [*records, *([Batch((), (row,))] for row in batch.outbox)]

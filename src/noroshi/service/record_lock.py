"""One process per record: a lock file beside it, which the kernel gives back however the process ends.

lock = take_lock(place)      # RecordFileError names the process that has it
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from noroshi.service.record_schema import RecordFileError


def take_lock(place: Path) -> int:
    """The open lock file of a record. Raises RecordFileError when another process has it, or it cannot be made."""
    path = place.with_suffix(".lock")
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RecordFileError(
            "open the record", subject=str(place), cause=f"its lock file cannot be opened: {error.strerror}",
            hint="check that the directory belongs to the node's user",
        ) from None  # fmt: skip
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise RecordFileError(
            "open the record", subject=str(place), cause=f"a node is already running on it as pid {holder}",
            hint="stop that one first",
        ) from None  # fmt: skip
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        # On a full disk the pid cannot be written; the lock holds all the same, and the node serves what it has.
        return lock
    return lock


def running_pid(path: Path) -> int | None:
    """The process that has a record open, None when there is none."""
    try:
        lock = os.open(path.with_suffix(".lock"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else None
    else:
        return None
    finally:
        os.close(lock)


def sync_directory(directory: Path) -> None:
    """Makes the names in a directory durable. Raises OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

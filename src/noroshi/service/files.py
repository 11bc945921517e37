"""Files that are there whole or not at all, and directories that nobody else can enter.

make_private(root / "jpn")                    # 0700 whatever the umask; OperatorError where others could meddle
write_file(root / "jpn" / "node.json", data, 0o600)
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from noroshi.errors import InputError, OperatorError


def write_file(path: Path, data: bytes, mode: int) -> None:
    """Puts a whole file in place: either all of it is there and on the disk, or nothing. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


MAX_FILE_BYTES = 256 << 20
"""Largest file that is read whole, 256 MiB: no file of keys, policies, areas or alerts has a tenth of it."""


MAX_TEXT_BYTES = 64 << 20
"""Largest text that is read whole, 64 MiB: the borders of a nation's zones, as they come from an agency."""


def read_text(path: Path, most: int = MAX_TEXT_BYTES) -> str:
    """The text of a file, or of a pipe. Raises OSError, UnicodeDecodeError, and InputError for one without an end."""
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise InputError(str(path), None, "", f"larger than {most} bytes", "is it the right file?")
    return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def given_text(
    given: str | Path, hint: str, *, most: int = MAX_TEXT_BYTES, missing: str = "there is no such file"
) -> str:
    """The text of a file, or of a pipe, that a person has named. Raises InputError, with this hint where there is none.

    most: bytes; missing: how it is said that there is none.
    """
    file = str(given)
    try:
        return read_text(Path(given), most)
    except FileNotFoundError:
        raise InputError(file, None, "", missing, hint) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(file, line, "", "not readable as UTF-8", "save the file as UTF-8") from None
    except OSError as error:
        raise InputError(file, None, "", f"it cannot be read: {error.strerror or error}", hint) from None
    except ValueError as error:
        # A name with a zero byte in it.
        raise InputError(file, None, "", f"it cannot be read: {error}", hint) from None


def read_file(path: Path, hint: str, most: int = MAX_FILE_BYTES, *, regular: bool = False) -> bytes:
    """All bytes of a file. Raises InputError with this hint, also where there are more than `most`.

    regular: a pipe, a directory or a device is none, where nobody stands by who could end it.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (os.O_NONBLOCK if regular else 0))
        with os.fdopen(handle, "rb") as file:
            if regular and not stat.S_ISREG(os.fstat(handle).st_mode):
                raise InputError(str(path), None, "", "it is no file", hint)
            data = file.read(most + 1)
            if len(data) > most:
                raise InputError(str(path), None, "", f"it has more than {most} bytes", hint)
            return data
    except FileNotFoundError:
        raise InputError(str(path), None, "", "there is no such file", hint) from None
    except OSError as error:
        raise InputError(str(path), None, "", f"it cannot be read: {error.strerror}", hint) from None


def make_private(path: Path) -> None:
    """A directory of mode 0700, made or taken over, whatever the umask is.

    Raises OperatorError when others could have put something into it or could exchange it: when they may write in it or,
    without a sticky bit, in the directory above it; OSError when it cannot be made.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise _open_to_others(path, "it is a link or a file", "choose a new directory")
    for missing in reversed([one for one in path.parents if not one.exists()]):
        missing.mkdir(mode=0o755)
    above = path.parent.resolve().stat()
    if above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
        raise _open_to_others(path.parent, "everybody may write in it", "choose a place that is yours alone")
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise _open_to_others(path, "it belongs to another user", "choose a new directory")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        hint = f"look at what is in it, then run `chmod 700 {path}`, or choose a new directory"
        raise _open_to_others(path, f"others may write in it (mode {stat.S_IMODE(found.st_mode):04o})", hint)
    path.chmod(0o700)


def _open_to_others(path: Path, cause: str, hint: str) -> OperatorError:
    return OperatorError("keep secrets in the directory", subject=str(path), cause=cause, hint=hint)

"""Writes the program as it is now into one zip, which tests then run as an older node beside today's.

Run it when a schema version is about to be left behind, never again for one that has a file: an older node is what it
was, with its faults. Only our own sources go in: no page, no table of places, nothing compiled. The same sources give
the same bytes (on the same zlib): names are sorted, times and modes fixed.

Version 1 was never released. Its node is today's without what version 2 has brought, which `EDITS` takes out.

    python tools/freeze.py 1 tests/frozen          # noroshi-schema-1.zip, and its line in SHA256SUMS
"""

import hashlib
import sys
import zipfile
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "noroshi"
SUFFIXES = frozenset({".py", ".yaml", ".typed"})
NOT_OURS = frozenset({"__pycache__", "static"})
TIME = (2026, 1, 1, 0, 0, 0)
"""The time of every file in the zip; also what compiled code is kept by, so it must not move."""

SUMS = "SHA256SUMS"

Edits = Mapping[str, Iterable[tuple[str, str]]]

EDITS: Mapping[int, Edits] = {
    1: {
        "messages/envelope.py": [("\nSCHEMA_VERSION = 2\n", "\nSCHEMA_VERSION = 1\n")],
        "messages/kinds.py": [("for row in _ROWS})", "for row in _ROWS if row.since == 1})")],
        "node/snapshot.py": [("\nVERSION = 2\n", "\nVERSION = 1\n")],
        "node/saved.py": [
            ("    recalls: list[tuple[bytes, Recall]] = []\n", ""),
            ("        recalls=list(state.recalls.items()),\n", ""),
            ("    state.recalls = dict(saved.recalls)\n", ""),
        ],
    }
}
"""Per schema version what is other in it than in the tree that it is frozen from: file, and old text for new text.

Of version 1: the three kinds of version 2, and where a snapshot holds what a node knows of recalls.
"""


class FreezeError(Exception):
    """The tree is not the one that this version can be frozen from."""


def frozen(source: Path, edits: Edits) -> bytes:
    """The zip of these sources, changed by `edits`. Raises FreezeError for an edit that does not fit exactly once."""
    texts = {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in source.rglob("*")
        if path.is_file() and path.suffix in SUFFIXES and NOT_OURS.isdisjoint(path.relative_to(source).parts)
    }
    for name, pairs in edits.items():
        for old, new in pairs:
            count = texts.get(name, b"").count(old.encode())
            if count != 1:
                raise FreezeError(f"{name}: {old.strip()!r} stands there {count} times, and not once")
            texts[name] = texts[name].replace(old.encode(), new.encode())
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(texts):
            entry = zipfile.ZipInfo(f"noroshi/{name}", TIME)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, texts[name])
    return made.getvalue()


def archive_name(version: int) -> str:
    """What the zip of a schema version is called."""
    return f"noroshi-schema-{version}.zip"


def main(arguments: list[str]) -> int:
    """Writes the zip of a version into a folder, unless there is one."""
    if len(arguments) != 2 or not arguments[0].isdecimal():
        print("usage: python tools/freeze.py VERSION FOLDER", file=sys.stderr)
        return 2
    version, folder = int(arguments[0]), Path(arguments[1])
    path = folder / archive_name(version)
    if path.exists():
        print(f"{path} is there: a frozen version is never made again", file=sys.stderr)
        return 2
    try:
        data = frozen(SOURCE, EDITS.get(version, {}))
    except FreezeError as error:
        print(error, file=sys.stderr)
        return 2
    path.write_bytes(data)
    with (folder / SUMS).open("a", encoding="utf-8") as sums:
        sums.write(f"{hashlib.sha256(data).hexdigest()}  {path.name}\n")
    print(f"{path}: {len(data)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

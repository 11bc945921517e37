"""Older nodes to run beside today's: the frozen zips, unpacked where they keep from run to run.

tree = unpacked(1)                       # holds the package `noroshi` as it was
Supervisor({"usa": path}, environment=environment(tree))
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

import pytest

from noroshi.geo.placefile import table_path
from tests.conftest import ROOT
from tools.freeze import SUMS, archive_name

FROZEN = ROOT / "tests" / "frozen"
TREES = ROOT / "build" / "frozen"

OLD, NEW = 2, 3
"""Schema versions: the frozen one, and today's."""


def digests() -> dict[str, str]:
    """SHA-256 (hex) of each frozen zip, by its name, as they were when they were made."""
    lines = (FROZEN / SUMS).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def unpacked(version: int) -> Path:
    """The folder with the package of a frozen version, made when it is not there; skips without a table of places."""
    if not table_path().is_file():
        pytest.skip("needs the table of places: `make places`")
    data = (FROZEN / archive_name(version)).read_bytes()
    tree = TREES / hashlib.sha256(data).hexdigest()[:16]
    if not tree.is_dir():
        TREES.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=TREES) as beside:
            made = Path(beside) / "tree"
            with zipfile.ZipFile(FROZEN / archive_name(version)) as archive:
                archive.extractall(made)
            (made / "noroshi" / "geo" / "data").mkdir(exist_ok=True)
            made.rename(tree)
    places = tree / "noroshi" / "geo" / "data" / table_path().name
    if not places.exists():
        places.unlink(missing_ok=True)
        places.symlink_to(table_path())
    return tree


def bumped(tree: Path, folder: Path, *changes: tuple[str, str, str]) -> Path:
    """A copy of a tree with (file, old text, new text) changed in it: what a later version would be."""
    copy = folder / "tree"
    shutil.copytree(tree, copy, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in changes:
        path = copy / "noroshi" / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new), encoding="utf-8")
    return copy


def environment(tree: Path) -> dict[str, str]:
    """For a process that is to run the package in `tree`: uncompiled, since compiling takes longer than a short test."""
    return {"PYTHONPATH": os.pathsep.join((str(tree), str(ROOT))), "NUMBA_DISABLE_JIT": "1"}


def today() -> dict[str, str]:
    """The same for the package as it is now; compiled, since set-up has done that already."""
    return {"PYTHONPATH": os.pathsep.join((str(ROOT / "src"), os.environ.get("PYTHONPATH", "")))}

"""The frozen zips are what they were when they were made, and the tool that makes them does so the same way twice."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from noroshi.messages import KINDS
from noroshi.messages.envelope import SCHEMA_VERSION
from tests.versions.frozen import FROZEN, NEW, OLD, digests, environment, unpacked
from tools import freeze

MAX_BYTES = 1 << 20


def test_the_zips_are_what_they_were() -> None:
    assert sorted(digests()) == sorted(path.name for path in FROZEN.glob("*.zip"))
    for name, digest in digests().items():
        data = (FROZEN / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest, name
        assert len(data) < MAX_BYTES, name
        with zipfile.ZipFile(FROZEN / name) as archive:
            assert {Path(one).suffix for one in archive.namelist()} <= freeze.SUFFIXES
            assert {one.partition("/")[0] for one in archive.namelist()} == {"noroshi"}


def test_every_version_before_this_one_that_may_still_be_met_is_frozen() -> None:
    assert (OLD, NEW) == (SCHEMA_VERSION - 1, SCHEMA_VERSION)
    assert freeze.archive_name(OLD) in digests()


def test_the_frozen_version_knows_the_kinds_of_its_time() -> None:
    """A kind of then is there today with the same lane, and its messages bear the same version."""
    asks = (
        "import json; from noroshi.messages import KINDS; from noroshi.messages.envelope import SCHEMA_VERSION as v;"
        "print(json.dumps([v, {name: [one.lane, one.since] for name, one in KINDS.items()}]))"
    )
    told = subprocess.run(
        [sys.executable, "-c", asks], env=os.environ | environment(unpacked(OLD)), cwd=FROZEN,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    version, kinds = json.loads(told.stdout)
    assert version == OLD
    assert kinds == {name: [one.lane, one.since] for name, one in KINDS.items() if one.since <= OLD}
    assert max(one.since for one in KINDS.values()) == NEW


@pytest.fixture
def source(tmp_path: Path) -> Path:
    place = tmp_path / "noroshi"
    for name, text in {
        "b.py": "B = 1\n",
        "a/c.py": "C = 2\n",
        "__pycache__/b.pyc": "",
        "static/x.py": "X\n",
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    return place


def test_the_same_sources_give_the_same_bytes(source: Path, tmp_path: Path) -> None:
    data = freeze.frozen(source, {"b.py": [("1", "7")]})
    os.utime(source / "b.py", (1, 1))
    assert freeze.frozen(source, {"b.py": [("1", "7")]}) == data
    (tmp_path / "made.zip").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "made.zip") as archive:
        assert archive.namelist() == ["noroshi/a/c.py", "noroshi/b.py"]
        assert archive.read("noroshi/b.py") == b"B = 7\n"


@pytest.mark.parametrize("edit", [("9", ""), ("", "x")])
def test_an_edit_that_does_not_fit_is_refused(source: Path, edit: tuple[str, str]) -> None:
    with pytest.raises(freeze.FreezeError, match=r"b\.py: .* times, and not once"):
        freeze.frozen(source, {"b.py": [edit]})


def test_a_version_is_frozen_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / freeze.archive_name(7)).write_bytes(b"as it was")
    assert freeze.main(["7", str(tmp_path)]) == 2
    assert "a frozen version is never made again" in capsys.readouterr().err
    assert (tmp_path / freeze.archive_name(7)).read_bytes() == b"as it was"
    assert freeze.main(["seven"]) == 2
    assert freeze.main(["8", str(tmp_path)]) == 0
    line = (tmp_path / freeze.SUMS).read_text(encoding="utf-8").split()
    assert line == [
        hashlib.sha256((tmp_path / freeze.archive_name(8)).read_bytes()).hexdigest(),
        freeze.archive_name(8),
    ]

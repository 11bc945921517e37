"""The files of an exercise: scenarios and structures by name or path in, a folder of results out.

staged = stage("flight-2022-10-04", structure="before", seed=None)    # InputError names file, line, field
folder = OutFolder.prepare(None)
folder.write(...)
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from noroshi.documents import Document, fail, suggest
from noroshi.errors import InputError, OperatorError
from noroshi.exercise.cast import Cast, cast_of_scenario
from noroshi.exercise.checking import check_scenario
from noroshi.exercise.loading import Loaded, load_scenario
from noroshi.exercise.scenario import Scenario
from noroshi.log import Batch
from noroshi.service.area_files import areas_beside
from noroshi.service.files import given_text
from noroshi.service.record_file import RECORD_NAME
from noroshi.service.resources import packaged_names
from noroshi.service.sqlite_store import SqliteStore
from noroshi.service.structure_files import read_structure
from noroshi.structure import Catalogue, Structure
from noroshi.warning import AreaList

PACKAGED_SCENARIO = "flight-2022-10-04"
"""What `noroshi demo` plays."""

DEFAULT_OUT = "noroshi-demo"
SUMMARY = "summary.json"
REVIEW = "review.html"
_SCENARIOS = files("noroshi.exercise") / "data"
_OTHER = re.compile(rb"^schema: *['\"]?noroshi\.(?!scenario/)", re.MULTILINE)
_OURS = (SUMMARY, REVIEW, "records", "alerts", "nodes")
"""Names in a folder of results that a new run there replaces."""

_MARK = '"schema": "noroshi.summary/1"'
"""What a summary of ours begins with; a folder without it is not ours to clear."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A scenario that is good under a structure, the seed to play it with, and the own areas of its partners."""

    loaded: Loaded
    structure: Structure
    catalogue: Catalogue
    seed: int
    areas: Mapping[str, AreaList] = field(default_factory=dict)

    realm_field = "id"
    """The field that says in which realm it is played."""

    @property
    def scenario(self) -> Scenario:
        """The scenario, all structures' elements in it."""
        return self.loaded.scenario

    @property
    def document(self) -> Document:
        """What it was read from."""
        return self.loaded.document

    @property
    def cast(self) -> Cast:
        """Who takes part in it."""
        return cast_of_scenario(self.scenario, self.structure, self.catalogue)


def packaged_scenarios() -> tuple[str, ...]:
    """The names of the packaged scenarios, in alphabetical order."""
    return tuple(
        sorted(one.name.removesuffix(".yaml") for one in _SCENARIOS.iterdir() if one.name.endswith(".yaml"))
    )


def scenario_text(given: str) -> tuple[str, str]:
    """The text of a scenario and the name by which messages call it. Raises InputError.

    given: a packaged name, a file, or a folder with one scenario file in it.
    """
    if given in packaged_scenarios():
        return (_SCENARIOS / f"{given}.yaml").read_text(encoding="utf-8"), f"{given}.yaml"
    path = Path(given)
    return _text(_only_file(path) if path.is_dir() else path)


def scenario_files(given: str) -> tuple[str, ...]:
    """All scenarios that a name, a file or a folder stands for: files that say that they are something else of
    ours, such as structures, are left out. Raises InputError when a folder holds none.
    """
    folder = Path(given)
    if given in packaged_scenarios() or not folder.is_dir():
        return (given,)
    found = tuple(str(path) for path in sorted(folder.rglob("*.yaml")) if not _is_other(path))
    if not found:
        raise InputError(
            given, None, "", "no scenario file (*.yaml) is in it", "give a folder with scenarios"
        )
    return found


def is_folder(given: str) -> bool:
    """Whether a folder of scenarios is meant, and not a packaged name or a file."""
    return given not in packaged_scenarios() and Path(given).is_dir()


def stage(scenario: str, structure: str | None = None, seed: int | None = None) -> Staged:
    """Reads and checks a scenario under a structure (its own, when None). Raises InputError."""
    text, file = scenario_text(scenario)
    loaded = load_scenario(text, file)
    named = structure
    if named is None:
        named = structure_of(loaded.document, loaded.scenario.structure, file)
    catalogue, found = read_structure(named)
    check_scenario(loaded, found, catalogue, packaged_names())
    areas = areas_beside(file, {one.id: one.areas for one in loaded.scenario.partners})
    return Staged(loaded, found, catalogue, loaded.scenario.seed if seed is None else seed, areas)


def structure_of(document: Document, named: str, file: str) -> str:
    """The structure that a file names, packaged or beside it. Raises InputError at its field `structure`."""
    beside = Path(file).parent / named
    if named not in packaged_names() and beside.is_file():
        return str(beside)
    if named not in packaged_names():
        cause = f"there is no structure {named!r}, neither packaged nor beside this file"
        fail(document, ("structure",), cause, suggest(named, packaged_names()))
    return named


@dataclass(frozen=True, slots=True)
class OutFolder:
    """Where a run leaves its files. replaced: what was there before, in words, or empty."""

    path: Path
    replaced: str = ""

    @classmethod
    def prepare(cls, given: Path | None, default: str = DEFAULT_OUT) -> OutFolder:
        """A folder for a new run: the one given (a former run in it is replaced, and `replaced` says so), or
        a new one.

        Raises OperatorError when the folder cannot be used, or holds others' files under our names.
        """
        if given is None:
            return cls(_make(fresh_folder(default)))
        taken = [name for name in _OURS if (given / name).exists()]
        if not taken:
            return cls(_make(given))
        if not _is_former_run(given):
            raise OperatorError(
                "write the results",
                subject=str(given),
                cause=f"it holds {', '.join(taken)} that no former run left there",
                hint="choose another folder with --out",
            )
        for name in taken:
            place = given / name
            shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
        return cls(_make(given), f"the former run in {given} is replaced")

    def begun(self, scenario: str, structure: str, seed: int) -> None:
        """Marks the folder as ours before anything else is in it."""
        text = {"schema": "noroshi.summary/1", "outcome": "unfinished"}
        self.write_summary({**text, "scenario": scenario, "structure": structure, "seed": seed})

    def write_summary(self, document: Mapping[str, Any]) -> Path:
        """Writes summary.json."""
        path = self.path / SUMMARY
        path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        return path

    def write_review(self, html: str) -> Path:
        """Writes review.html."""
        path = self.path / REVIEW
        path.write_text(html, encoding="utf-8")
        return path

    def write_alerts(self, alerts: Iterable[tuple[str, str, bytes]]) -> list[Path]:
        """Writes each alert (node, file name, bytes) as a CAP file."""
        folder = self.path / "alerts"
        folder.mkdir(exist_ok=True)
        paths = []
        for _, name, data in alerts:
            path = folder / Path(name).name
            path.write_bytes(data)
            paths.append(path)
        return paths

    def write_record(self, node: str, realm: str, batches: list[Batch]) -> Path:
        """Writes a node's whole record, to be read like that of a running node."""
        folder = self.path / "records" / node
        folder.mkdir(parents=True, exist_ok=True)
        with SqliteStore.open(folder / RECORD_NAME, realm=realm, node=node) as store:
            store.append(batches)
        return folder / RECORD_NAME


def _is_other(path: Path) -> bool:
    """Whether a file's own words make it another kind of document of ours; one that cannot be read is not left out."""
    try:
        return _OTHER.search(path.read_bytes()) is not None
    except OSError:
        return False


def _text(path: Path) -> tuple[str, str]:
    missing = "there is no such file, and nothing packaged has that name"
    return given_text(path, suggest(str(path), packaged_scenarios()), missing=missing), str(path)


def _only_file(folder: Path) -> Path:
    files = sorted(folder.glob("*.yaml"))
    if len(files) != 1:
        cause = f"{len(files)} scenario files are in it"
        raise InputError(str(folder), None, "", cause, "name one of them")
    return files[0]


def fresh_folder(name: str) -> Path:
    """A folder of this name, or the first numbered one beside it, that does not exist."""
    wanted = Path(name)
    path, number = wanted, 1
    while path.exists():
        number += 1
        path = wanted.with_name(f"{wanted.name}-{number}")
    return path


def _is_former_run(folder: Path) -> bool:
    try:
        head = (folder / SUMMARY).read_text(encoding="utf-8")[:200]
    except (OSError, UnicodeDecodeError):
        return False
    return _MARK in head


def _make(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            "write the results", subject=str(path), cause=error.strerror or str(error),
            hint="choose a folder that you may write with --out",
        ) from None  # fmt: skip
    return path

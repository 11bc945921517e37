"""Scenarios played live one after the other, with real processes; the document of runs on the virtual clock.

A cost is measured where it is held against another measure of the same run; what a rule would have cost without it needs
the same run twice, and no two live ones are the same. Of a study of days a sample is played: see `SAMPLE`.

    document = run_live(("scenarios/incidents/H3-oko.yaml",), runs=1, seed=None, speed=10.0, out=folder, say=print)
    document["played"], document["outcome"]      # 'live', 'held' or 'failed'
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from noroshi.errors import NoroshiError
from noroshi.exercise import background
from noroshi.exercise.background_parts import Background
from noroshi.exercise.costing import priced
from noroshi.exercise.evidence import Evidence
from noroshi.exercise.loading import Loaded
from noroshi.exercise.scenario import Scenario, selected
from noroshi.exercise.varying import varied
from noroshi.geo.places import PlaceTable, decode
from noroshi.service.demo import Stage, play_staged
from noroshi.service.exercise_files import OutFolder, Staged, stage
from noroshi.service.resources import packaged_places
from noroshi.service.trial_document import Row, broken_off, price_row, unmet, whole
from noroshi.tracking import warm

SAMPLE = (("benign", False), ("launch", True), ("true", True))
"""Of a study's episodes the first of each of these is played: a benign alarm, an announced launch and a true event
beneath a notice, the last two with the notices and without. The days themselves are for the virtual clock.
"""

SLACK_S = 1.0
"""Seconds of life by which one of two live runs may be later than the other, through the machine alone."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Hall:
    """What all runs share."""

    places: PlaceTable
    folder: Path
    speed: float
    say: Say
    names: set[str] = field(default_factory=set)

    def folder_for(self, name: str) -> OutFolder:
        """A folder below for one play; scenarios of one name have one each."""
        own, number = name, 1
        while own in self.names:
            number += 1
            own = f"{name}-{number}"
        self.names.add(own)
        return OutFolder.prepare(self.folder / own)


def run_live(
    files: Iterable[str],
    *,
    runs: int,
    seed: int | None,
    speed: float,
    out: Path,
    say: Say,
    structure: str | None = None,
) -> dict[str, Any]:
    """Plays each scenario `runs` times, with the seeds from `seed` on (each scenario's own, if None); the document.

    out: each run leaves its records and its review in a folder below it. After Ctrl-C the document has the runs that
    were made. All files are read before anything is played: raises InputError for one that cannot be.
    """
    staged = tuple(stage(file, structure, seed) for file in files)
    warm()
    hall = _Hall(decode(packaged_places()), out, speed, say)
    done: list[Row] = []
    with contextlib.suppress(KeyboardInterrupt):
        for one in staged:
            for run in range(runs):
                done.append(_run(hall, one, one.seed + run))
                held = done[-1]["outcome"] == "held"
                took = f"{one.scenario.id}: held live, in {done[-1]['took_s']:.0f} s of life"
                say(took if held else unmet(done[-1]))
    return whole("live", [one.scenario for one in staged], runs, done, speed=speed)


def _run(hall: _Hall, staged: Staged, seed: int) -> Row:
    """One scenario with one seed. A run that broke off has failed, and says so."""
    began_s = time.monotonic()
    study = staged.scenario.background
    head = {
        "scenario": staged.scenario.id,
        "file": staged.loaded.document.file,
        "played": "live",
        "seed": seed,
    }
    try:
        row = _study(hall, staged, study, seed) if study is not None else _play(hall, staged, seed)
    except (NoroshiError, ArithmeticError, LookupError, ValueError, AssertionError, OSError) as error:
        row = broken_off(error)
    return {**head, **row, "took_s": round(time.monotonic() - began_s, 1)}


def _play(hall: _Hall, staged: Staged, seed: int) -> Row:
    written = staged.scenario
    name = f"{written.id}-{seed}" if seed != written.seed else written.id
    document, evidence = _played(hall, staged, varied(written, seed), seed, name)
    inside = tuple(one for one in selected(written, staged.structure.id).costs if one.without is None)
    return {
        "outcome": "held" if document["outcome"] == "passed" else "failed",
        "expectations": document["expectations"],
        "costs": [price_row(one) for one in priced(inside, evidence, _not_again)],
        "digest": document["digest"],
        "out": document["out"],
    }


def _not_again(_: object) -> Evidence:
    raise AssertionError("a live run is not played again")  # costs that need it are left out


def _played(
    hall: _Hall, staged: Staged, scenario: Scenario, seed: int, name: str
) -> tuple[dict[str, Any], Evidence]:
    """One live exercise in a folder of its own: its summary, and what it was judged from."""
    found: list[Evidence] = []
    one = replace(staged, loaded=Loaded(scenario, staged.loaded.document), seed=seed)
    document = play_staged(
        one, hall.places, hall.folder_for(name), Stage(hall.speed, hall.say, keep=found.append)
    )
    return document, found[0]


def _study(hall: _Hall, staged: Staged, days: Background, seed: int) -> Row:
    """A sample of the study's episodes. What it says of true events is held to what a machine's own delay allows."""
    plan = tuple(_sample(background.episodes(staged.scenario, seed)))
    found: dict[tuple[int, bool], background.Outcome] = {}
    for episode in plan:
        for told in (False, True) if episode.notice else (False,):
            one, own_seed = background.staged(staged.scenario, episode, seed, with_notices=told)
            name = f"{staged.scenario.id}-{episode.kind}-{'told' if told else 'alone'}"
            _, evidence = _played(hall, staged, one, own_seed, name)
            found[episode.number, told] = background.outcome(days, evidence.logs)
    document = background.report(days, plan, found)
    lenient = msgspec.structs.replace(days, most_delay_s=days.most_delay_s + SLACK_S * hall.speed)
    judged = background.judged(lenient, document)
    return {
        "outcome": "held" if all(one["met"] for one in judged) else "failed",
        "expectations": judged,
        "costs": background.cost_rows(days, document),
        "digest": "",
        "out": str(hall.folder),
        "sample": {"episodes": len(plan), "plays": len(found)},
    }


def _sample(plan: Iterable[background.Episode]) -> Iterator[background.Episode]:
    """The first of each kind that `SAMPLE` names, as far as the study has one."""
    every = list(plan)
    for kind, announced in SAMPLE:
        yield from [one for one in every if one.kind == kind and bool(one.notice) == announced][:1]

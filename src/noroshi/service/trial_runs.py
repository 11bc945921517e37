"""Scenarios played many times on the virtual clock: every file, every seed, on several processes.

A run follows from its file and its seed alone, so that any number of workers gives the same document.

    document = run_trials(("scenarios/incidents/H3-oko.yaml",), runs=200, seed=None, workers=2, say=print)
    document["outcome"]                          # 'held' or 'failed'
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from noroshi.errors import NoroshiError
from noroshi.exercise import background
from noroshi.exercise.audit import audit
from noroshi.exercise.background_parts import Background
from noroshi.exercise.coalition import found
from noroshi.exercise.costing import priced
from noroshi.exercise.draws import entropy
from noroshi.exercise.evidence import Evidence
from noroshi.exercise.judge import judge
from noroshi.exercise.run import play
from noroshi.exercise.scenario import Intact, Scenario, selected
from noroshi.exercise.trials import Without
from noroshi.exercise.varying import varied, without
from noroshi.geo.places import PlaceTable, decode
from noroshi.log import MemoryStore
from noroshi.messages import KeyedHash
from noroshi.review import measure, open_log
from noroshi.service.exercise_files import Staged, stage
from noroshi.service.resources import packaged_places
from noroshi.service.trial_document import Row, broken_off, judged_rows, price_row, unmet, whole
from noroshi.tracking import warm

MAX_RUNS = 100_000
"""Of one scenario: more would take days."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Trial:
    """One run that is to be made: which of the staged scenarios, and its seed."""

    index: int
    seed: int


class _Hall:
    """What all runs of one process share."""

    def __init__(self, staged: Sequence[Staged], places: PlaceTable) -> None:
        self.staged = staged
        self.places = places

    def run(self, trial: _Trial) -> dict[str, Any]:
        """One run, judged. An error of the program itself is a run that failed, and says so."""
        staged = self.staged[trial.index]
        if staged.scenario.background is not None:
            return self._study(staged, staged.scenario.background, trial.seed)
        scenario = varied(staged.scenario, trial.seed)
        head = {
            "scenario": scenario.id,
            "file": staged.loaded.document.file,
            "played": "fast",
            "seed": trial.seed,
        }
        try:
            digest, evidence = self._evidence(staged, scenario, trial.seed)
            judged = judge(
                selected(scenario, staged.structure.id), evidence.logs, evidence.measures, evidence.truth,
                evidence.problems,
            )  # fmt: skip
            prices = priced(
                scenario.costs, evidence, lambda off: self._again(staged, scenario, trial.seed, off)
            )
        except (NoroshiError, ArithmeticError, LookupError, ValueError, AssertionError) as error:
            return {**head, **broken_off(error)}
        return {
            **head,
            "outcome": "held" if all(one.met for one in judged) else "failed",
            "expectations": judged_rows(judged),
            "costs": [price_row(one) for one in prices],
            "digest": digest,
        }

    def _study(self, staged: Staged, days: Background, seed: int) -> dict[str, Any]:
        """The days of one seed: each of their episodes played, with notices and without where that matters."""
        head = {
            "scenario": staged.scenario.id,
            "file": staged.loaded.document.file,
            "played": "fast",
            "seed": seed,
        }
        plan = background.episodes(staged.scenario, seed)
        found: dict[tuple[int, bool], background.Outcome] = {}
        for episode in plan:
            for told in (False, True) if episode.notice else (False,):
                one, own_seed = background.staged(staged.scenario, episode, seed, with_notices=told)
                logs = self._evidence(staged, one, own_seed)[1].logs
                found[episode.number, told] = background.outcome(days, logs)
        document = background.report(days, plan, found)
        judged = background.judged(days, document)
        return {
            **head,
            "outcome": "held" if all(one["met"] for one in judged) else "failed",
            "expectations": judged,
            "costs": background.cost_rows(days, document),
            "background": document,
            "digest": "",
        }

    def _evidence(self, staged: Staged, scenario: Scenario, seed: int) -> tuple[str, Evidence]:
        key = entropy(seed, scenario.realm)
        coalition = found(
            scenario, staged.structure, staged.catalogue,
            entropy=key, scheme=KeyedHash(), places_digest=self.places.digest, areas=staged.areas,
        )  # fmt: skip
        result = play(coalition, self.places, entropy=key, store_for=lambda node: MemoryStore())
        audited = any(isinstance(one, Intact) for one in coalition.scenario.expectations)
        nodes = {one.node: (one, result.stores[one.node]) for one in coalition.members}
        problems = audit(nodes, self.places) if audited else ()
        logs = [open_log(name, store.records()) for name, store in sorted(result.stores.items())]
        return result.digest, Evidence(logs, measure(logs), result.truth, problems, 1.0)

    def _again(self, staged: Staged, scenario: Scenario, seed: int, off: Without) -> Evidence:
        """The same run with something left out; nothing is expected of it."""
        other = msgspec.structs.replace(without(scenario, off), expectations=())
        return self._evidence(staged, other, seed)[1]


_hall: _Hall | None = None
"""Of a worker process; set before it is forked, so that nothing is read or compiled twice."""


def run_trials(
    files: Iterable[str], *, runs: int, seed: int | None, workers: int, say: Say, structure: str | None = None
) -> dict[str, Any]:
    """Plays each scenario `runs` times, with the seeds from `seed` on (each scenario's own, if None); the document.

    After Ctrl-C it has the runs that were made. All files are read before anything is played: raises InputError for one
    that cannot be.
    """
    global _hall
    staged = tuple(stage(file, structure, seed) for file in files)
    trials = [_Trial(index, one.seed + run) for index, one in enumerate(staged) for run in range(runs)]
    warm()
    _hall = _Hall(staged, decode(packaged_places()))
    done: list[Row] = []
    with contextlib.suppress(KeyboardInterrupt):
        for row in _played(trials, workers):
            done.append(row)
            if row["outcome"] != "held":
                say(unmet(row))
            elif len(done) % runs == 0:
                say(f"{row['scenario']}: played {runs} times, {len(done)} of {len(trials)} in all")
    return whole("fast", [one.scenario for one in staged], runs, done)


def _played(trials: Sequence[_Trial], workers: int) -> Iterator[dict[str, Any]]:
    """The runs in order; on one process where there is one worker, or the platform cannot fork."""
    if workers < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(_run, trials)
        return
    with multiprocessing.get_context("fork").Pool(min(workers, len(trials)), _leave_interrupts) as pool:
        yield from pool.imap(_run, trials)


def _leave_interrupts() -> None:
    """Ctrl-C is for the process that waits; it ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(trial: _Trial) -> dict[str, Any]:
    assert _hall is not None  # set before any run
    return _hall.run(trial)

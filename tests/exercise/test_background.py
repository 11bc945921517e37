"""The study of days: its rates are those of its file, a seed gives one plan, and its table adds up."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from noroshi.exercise import background
from noroshi.exercise.background import Episode, Outcome
from noroshi.exercise.injects import NoticeInject, SensorDown
from noroshi.exercise.scenario import Scenario
from noroshi.service.exercise_files import stage
from noroshi.service.trial_runs import run_trials

FILE = Path(__file__).resolve().parents[2] / "scenarios" / "incidents" / "H10-background.yaml"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return stage(str(FILE)).scenario


def long(scenario: Scenario) -> Scenario:
    assert scenario.background is not None
    return msgspec.structs.replace(
        scenario, background=msgspec.structs.replace(scenario.background, days=3000.0)
    )


def test_a_seed_gives_one_plan_with_the_rates_of_the_file(scenario: Scenario) -> None:
    whole = long(scenario)
    plan = background.episodes(whole, 5)
    assert plan == background.episodes(whole, 5) != background.episodes(whole, 6)
    benign = sum(one.kind == "benign" for one in plan)
    launches = [one for one in plan if one.kind == "launch"]
    assert benign / 3000 == pytest.approx(0.27, rel=0.12)
    assert len(launches) / 3000 * 7 == pytest.approx(1.0, rel=0.16)
    assert sum(bool(one.notice) for one in launches) / len(launches) == pytest.approx(0.6, abs=0.09)
    assert sorted(bool(one.notice) for one in plan if one.kind == "true") == [False, False, True, True]
    assert [one.day for one in plan] == sorted(one.day for one in plan)


def test_an_episode_is_the_same_but_for_its_notice(scenario: Scenario) -> None:
    plan = background.episodes(long(scenario), 5)
    launch = next(one for one in plan if one.kind == "launch" and one.notice)
    told, seed = background.staged(scenario, launch, 5, with_notices=True)
    alone, same = background.staged(scenario, launch, 5, with_notices=False)
    assert seed == same
    assert [one.id for one in told.injects if isinstance(one, NoticeInject)] == [launch.notice]
    assert msgspec.structs.replace(told, injects=()) == msgspec.structs.replace(alone, injects=())
    glint = next(one for one in plan if one.kind == "benign")
    short, _ = background.staged(scenario, glint, 5, with_notices=True)
    assert {one.id for one in short.sensors} == set(glint.sensors)
    assert [one.sensor for one in short.injects if isinstance(one, SensorDown)] == list(glint.sensors)


def test_the_table_counts_what_notices_spare_and_what_they_cost(scenario: Scenario) -> None:
    days = scenario.background
    assert days is not None
    plan = (
        Episode(0, 0.1, "benign", "ghost", ("radar",), 40.0),
        Episode(1, 1.1, "launch", "test", notice="range-open"),
        Episode(2, 2.1, "true", "attack"),
        Episode(3, 3.1, "true", "attack", notice="range-north"),
    )
    quiet, long_seen = Outcome(5.0, None, None, None, None), Outcome(100.0, None, None, None, None)
    true = Outcome(100.0, None, 20.0, 20.0, 50.0)
    found = {
        (0, False): quiet,
        (1, False): long_seen,
        (1, True): carrying(long_seen, 0.0),
        (2, False): true,
        (3, False): true,
        (3, True): Outcome(100.0, 0.0, 23.0, 23.0, 55.0),
    }
    document = background.report(days, plan, found)
    told, alone = document["with_notices"], document["without_notices"]
    assert (told["precautions"], alone["precautions"]) == (0, 1)
    assert (told["announced"], told["explained"], told["true_missed"]) == (1, 1, 0)
    late = next(one for one in background.judged(days, document) if one["id"] == "true-event-delay")
    assert not late["met"]
    assert "3.0 s later" in late["detail"]
    whole = background.together([document, document])
    assert whole["without_notices"]["precautions_a_year"] == pytest.approx(
        2 * 365.25 / (2 * days.days), abs=1e-3
    )
    assert {row["delay"] for row in background.cost_rows(days, document)} == {0.0, 3.0, 5.0}


def carrying(one: Outcome, carried_s: float) -> Outcome:
    return Outcome(one.seen_s, carried_s, one.warned_s, one.confirmed_s, one.alerted_s)


@pytest.mark.soak
def test_months_of_many_seeds_hold() -> None:
    document = run_trials((str(FILE),), runs=200, seed=None, workers=2, say=print)
    assert document["outcome"] == "held"
    study = document["scenarios"][0]["background"]
    assert study["with_notices"]["precautions"] < study["without_notices"]["precautions"]
    assert study["with_notices"]["true_missed"] == 0

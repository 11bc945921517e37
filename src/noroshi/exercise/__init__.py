"""Exercises: scenarios, a simulated world, modelled people and lines around real nodes on a virtual clock.

Read `scenario`, then `coalition`, `world`, `people`, `wires`, and `run`, which puts them together.
"""

from noroshi.exercise.audit import audit, replayed
from noroshi.exercise.checking import check_scenario
from noroshi.exercise.coalition import Coalition, Member, found
from noroshi.exercise.draws import entropy
from noroshi.exercise.judge import judge
from noroshi.exercise.kernel import Kernel, PastEventError
from noroshi.exercise.loading import Loaded, load_scenario, scenario_schema
from noroshi.exercise.observed import observed_points
from noroshi.exercise.people import Answer, People
from noroshi.exercise.run import Result, people_of, play
from noroshi.exercise.scenario import Scenario, selected
from noroshi.exercise.summary import summary
from noroshi.exercise.wires import Wire
from noroshi.exercise.world import Look, Truth, looks

__all__ = [
    "Answer",
    "Coalition",
    "Kernel",
    "Loaded",
    "Look",
    "Member",
    "PastEventError",
    "People",
    "Result",
    "Scenario",
    "Truth",
    "Wire",
    "audit",
    "check_scenario",
    "entropy",
    "found",
    "judge",
    "load_scenario",
    "looks",
    "observed_points",
    "people_of",
    "play",
    "replayed",
    "scenario_schema",
    "selected",
    "summary",
]

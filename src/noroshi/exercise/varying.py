"""A scenario as it is in one of many runs: every number that varies drawn by the run's seed and its own place alone.

With its own seed a scenario is played as it is written.

    varied(scenario, seed)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from noroshi.exercise.draws import entropy, uniform
from noroshi.exercise.parts import MaybeInForce
from noroshi.exercise.scenario import Link, Scenario, World
from noroshi.exercise.trials import Varied, Without

AnyElement = TypeVar("AnyElement", bound=MaybeInForce)

RESPONSE = frozenset({"median_s", "spread"})
"""Fields of a post's response, which are named like the post's own."""


def varied(scenario: Scenario, seed: int) -> Scenario:
    """The scenario of the run with this seed."""
    if seed == scenario.seed:
        return scenario
    key = entropy(seed, scenario.realm)
    for row in scenario.vary:
        scenario = changed(scenario, row, lambda name, row=row: uniform(key, "vary", row.of, row.field, name))
    return scenario


def changed(scenario: Scenario, row: Varied, draw: Any) -> Scenario:
    """The scenario with one row of `vary` applied; draw gives a number from 0 to 1 for an element's name."""
    if row.of == "flights":
        flights = _each(scenario.world.flights, row, draw)
        return msgspec.structs.replace(scenario, world=World(flights=flights))
    return msgspec.structs.replace(scenario, **{row.of: _each(getattr(scenario, row.of), row, draw)})


def without(scenario: Scenario, off: Without) -> Scenario:
    """The scenario of the run without a rule."""
    return msgspec.structs.replace(
        scenario,
        injects=_less(scenario.injects, off.injects),
        sensors=_less(scenario.sensors, off.sensors),
        posts=_less(scenario.posts, off.posts),
        partners=tuple(
            msgspec.structs.replace(one, rules=off.rules.get(one.id, one.rules)) for one in scenario.partners
        ),
    )


def name_of(element: Any) -> str:
    """What an element is called in `only`: its id, of a link both partners."""
    return "-".join(element.between) if isinstance(element, Link) else str(element.id)


def meant(element: Any, row: Varied) -> bool:
    """Whether a row of `vary` is about this element: it is named or nobody is, and it has such a number."""
    if row.only and name_of(element) not in row.only:
        return False
    return isinstance(_number(element, row.field), int | float)


def _each(elements: Iterable[AnyElement], row: Varied, draw: Any) -> tuple[AnyElement, ...]:
    return tuple(_set(one, row, draw(name_of(one))) if meant(one, row) else one for one in elements)


def _set(element: Any, row: Varied, share: float) -> Any:
    drawn = row.least + (row.most - row.least) * share
    written = _number(element, row.field)
    value = {"value": drawn, "times": written * drawn, "plus": written + drawn}[row.how]
    if _in_response(element, row.field):
        return msgspec.structs.replace(
            element, response=msgspec.structs.replace(element.response, **{row.field: value})
        )
    return msgspec.structs.replace(element, **{row.field: value})


def _number(element: Any, field: str) -> Any:
    return getattr(element.response if _in_response(element, field) else element, field, None)


def _in_response(element: Any, field: str) -> bool:
    return field in RESPONSE and hasattr(element, "response")


def _less(elements: tuple[AnyElement, ...], names: Iterable[str]) -> tuple[AnyElement, ...]:
    off = frozenset(names)
    return tuple(one for one in elements if name_of(one) not in off)

"""Playing scenarios in tests: short ones, with keyed hashes for speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from noroshi.exercise import Coalition, Result, Scenario, Truth, audit, entropy, found, judge, play
from noroshi.exercise.scenario import AnyInject
from noroshi.geo.places import PlaceTable, decode
from noroshi.log import MemoryStore
from noroshi.messages import KeyedHash, Scheme
from noroshi.review import Judged, Log, Measures, measure, open_log
from noroshi.service.exercise_files import stage
from noroshi.service.resources import packaged_places

FLIGHT = "flight-2022-10-04"
SHORT_S = 170.0
"""From the start to a minute and a half after the first detection: the alert has been issued."""


@cache
def places() -> PlaceTable:
    """The installed table of places."""
    return decode(packaged_places())


def coalition_of(
    *,
    structure: str = "trilateral",
    seed: int = 1,
    duration_s: float | None = None,
    injects: Sequence[AnyInject] | None = None,
    scheme: Scheme | None = None,
) -> Coalition:
    """The packaged scenario's coalition, perhaps shorter and with other injects."""
    staged = stage(FLIGHT, structure)
    changes: dict[str, object] = {}
    if duration_s is not None:
        changes["duration_s"] = duration_s
    if injects is not None:
        changes["injects"] = tuple(injects)
    scenario: Scenario = msgspec.structs.replace(staged.scenario, **changes)
    return found(
        scenario,
        staged.structure,
        staged.catalogue,
        entropy=entropy(seed, scenario.realm),
        scheme=scheme or KeyedHash(),
        places_digest=places().digest,
    )


@dataclass(frozen=True)
class Played:
    """A finished run and what can be said of it."""

    coalition: Coalition
    result: Result
    says: tuple[tuple[int, str, str], ...]
    logs: tuple[Log, ...]
    measures: Measures

    def audited(self) -> tuple[str, ...]:
        """What is wrong with the records."""
        members = self.coalition.members
        return audit({one.node: (one, self.result.stores[one.node]) for one in members}, places())

    def judged(self, scenario: Scenario | None = None, problems: Sequence[str] = ()) -> dict[str, Judged]:
        """The answers by expectation's id."""
        found = judge(
            scenario or self.coalition.scenario, self.logs, self.measures, Truth(self.coalition), problems
        )
        return {one.id: one for one in found}


def played(coalition: Coalition, seed: int = 1) -> Played:
    """Plays a coalition with stores in memory."""
    says: list[tuple[int, str, str]] = []
    result = play(
        coalition,
        places(),
        entropy=entropy(seed, coalition.realm),
        store_for=lambda node: MemoryStore(),
        progress=lambda now_ns, node, text: says.append((now_ns, node, text)),
    )
    logs = tuple(open_log(node, store.records()) for node, store in sorted(result.stores.items()))
    return Played(coalition, result, tuple(says), logs, measure(logs))

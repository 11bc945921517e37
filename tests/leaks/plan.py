"""What one seed asks for: a coalition, one partner who looks, what happens, and which of it that partner may not have.

Every draw is keyed by its purpose and each happening by its own number, so that a plan can be made smaller without
changing the rest of it. A hidden happening is in the first run of a pair and not in the second.

    plan = drawn(Wanted(seed=7))
    plan.wanted.command                      # 'python -m tests.leaks --seed 7'
    drawn(Wanted(seed=7, steps=(0, 4)))
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from noroshi.clock import seconds
from noroshi.exercise.draws import entropy, uniform
from noroshi.sharing.release import ReleasePolicy
from tests.simulation.coalition import REALM, SHAPES, SMALLEST, Coalition, found
from tests.simulation.plan import ranges

LARGEST = 5
HORIZON_S = 8.0
"""How long things happen; then all lines are whole again."""

AFTER_S = 8.0
"""How long the nodes go on by themselves after that: looks, deadlines."""

MOST_STEPS = 16
COALITIONS = 60
"""Coalitions that seeds share: structure, council and deadlines are drawn once for each."""

TRACKED_PART = 1 / 16
"""Of the seeds, those in which radars see a flight: tracking takes most of the time of such a run."""

SOME_HIDDEN_PART = 0.7
"""Of those, the ones in which a radar is sure to be hidden from the partner who looks, and another is not."""

HIDDEN_PART = 0.55

DECLARING_PART = 0.15
"""Of the seeds, those in which posts alert and ask for consultations because of what their own side knows: what follows
is declared, mostly differs, and then says nothing.
"""

Open = Literal[
    "remark", "request", "look", "policy", "recall", "garbage", "cut", "step", "restart", "retention"
]
"""What the partner may see, or what happens in both runs."""

Hidden = Literal[
    "remark", "burst", "own", "request", "look", "policy", "recall", "garbage", "link", "receipt", "restart",
    "retention", "release", "unknown", "early", "overtaken",
]  # fmt: skip
"""What the partner may not have. overtaken: something for it that a new policy takes back before its line is whole."""

HIDDEN_KINDS: tuple[Hidden, ...] = get_args(Hidden)

_OPEN: tuple[Open, ...] = (
    "remark", "remark", "remark", "remark", "request", "request", "policy", "recall", "garbage", "garbage", "cut", "cut",
    "step", "restart", "retention",
)  # fmt: skip
_HIDDEN: tuple[Hidden, ...] = (
    "remark", "remark", "remark", "burst", "own", "request", "policy", "policy", "recall", "garbage", "garbage",
    "garbage", "link", "receipt", "receipt", "restart", "restart", "retention", "release", "unknown", "early",
    "overtaken",
)  # fmt: skip

Setting = Literal["none", "denied", "observer", "case", "reduced", "declared", "budget"]
SETTINGS: tuple[Setting, ...] = get_args(Setting)
"""What a node's release policy says at the beginning, beside what holds without one."""


@dataclass(frozen=True, slots=True)
class Step:
    """One happening. by: the place of the node where it happens; whom: of another node; to: places of an audience."""

    number: int
    at_ns: int
    kind: str
    hidden: bool
    by: int
    whom: int
    to: tuple[int, ...] = ()
    for_s: float = 0.0

    def __str__(self) -> str:
        hidden = "hidden " if self.hidden else ""
        when_s, places = self.at_ns / 1e9, f"by {self.by}, whom {self.whom}, to {self.to}"
        return f"{self.number}: {hidden}{self.kind} at {when_s:.3f} s, {places}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A seed, and what of its plan is wanted; None: as the seed draws it. leak: one that is planted."""

    seed: int
    steps: tuple[int, ...] | None = None
    tracked: bool | None = None
    setting: Setting | None = None
    leak: str = ""

    @property
    def command(self) -> str:
        """The one command that repeats this."""
        words = [f"python -m tests.leaks --seed {self.seed}"]
        words += [f"--steps {ranges(self.steps)}"] if self.steps is not None else []
        words += ["--tracked" if self.tracked else "--no-tracked"] if self.tracked is not None else []
        words += [f"--setting {self.setting}"] if self.setting is not None else []
        words += [f"--leak '{self.leak}'"] if self.leak else []
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a pair of runs follows from. looker: the place of the partner who looks; settings: of each place.

    declaring: whether posts act on what their own side knows.
    """

    wanted: Wanted
    key: bytes
    coalition: Coalition
    looker: int
    settings: tuple[Setting, ...]
    steps: tuple[Step, ...]
    tracked: bool
    declaring: bool

    @property
    def partner(self) -> str:
        """The partner who looks."""
        return self.coalition.members[self.looker].partner


def drawn(wanted: Wanted) -> Plan:
    """The plan of a seed, or the wanted part of it."""
    key = entropy(wanted.seed, REALM)
    tracked = uniform(key, "tracked") <= TRACKED_PART if wanted.tracked is None else wanted.tracked
    number = _int(key, COALITIONS, "coalition")
    looker = _int(key, len(coalition_of(number).members), "looker")
    if tracked and uniform(key, "some hidden") < SOME_HIDDEN_PART:
        tables = with_hidden_radars()
        number, looker = tables[_int(key, len(tables), "table")]
    coalition = coalition_of(number)
    size = len(coalition.members)
    settings = tuple(wanted.setting or _setting(key, place, tracked=tracked) for place in range(size))
    count = 5 + _int(key, MOST_STEPS - 4, "steps") + (12 if tracked else 0)
    steps = [_step(key, number, coalition, looker, tracked=tracked) for number in range(count)]
    kept = [one for one in steps if wanted.steps is None or one.number in wanted.steps]
    declaring = uniform(key, "declaring") < DECLARING_PART
    return Plan(wanted, key, coalition, looker, settings, tuple(kept), tracked, declaring)


@cache
def coalition_of(number: int) -> Coalition:
    """One of the coalitions: two to five partners, in all shapes, mostly three or four."""
    key = entropy(number, "leaks")
    size = SMALLEST + min(LARGEST - SMALLEST, int(4 * (1.0 - uniform(key, "size")) ** 0.9))
    return found(key, size=size, shape=SHAPES[_int(key, len(SHAPES), "shape")])


@cache
def with_hidden_radars() -> tuple[tuple[int, int], ...]:
    """Coalitions and lookers, by number and place, where one radar is hidden from the looker and another's is not."""
    tables = []
    for number in range(COALITIONS):
        coalition = coalition_of(number)
        places = range(len(coalition.members))
        for looker in places:
            partner = coalition.members[looker].partner
            hidden = {radar_is_hidden(coalition, place, partner) for place in places if place != looker}
            if hidden == {True, False}:
                tables.append((number, looker))
    return tuple(tables)


@cache
def _door(number: int, place: int) -> ReleasePolicy:
    """The door of a node of a coalition as the structure alone would have it."""
    coalition = coalition_of(number)
    genesis = coalition.members[place].genesis
    return ReleasePolicy(
        genesis.structure, own=genesis.partner, nations=genesis.partners, wires=coalition.wires
    )


def radar_is_hidden(coalition: Coalition, place: int, partner: str) -> bool:
    """Whether nothing that a node's radar sees may come to a partner; no policy gives it more than the structure."""
    number = next(one for one in range(COALITIONS) if coalition_of(one) is coalition)
    member = coalition.members[place]
    if member.partner == partner:
        return False
    ways = _door(number, place).audiences(member.genesis.sensors[0].unit, "flight-path")
    return not any(partner in one.partners for one in ways)


def _setting(key: bytes, place: int, *, tracked: bool) -> Setting:
    """Mostly a policy of its own; where radars see something, often one about what they see."""
    choice: tuple[Setting, ...] = (
        SETTINGS[4:] if tracked and uniform(key, "of tracks", place) < 0.5 else SETTINGS
    )
    given = uniform(key, "set", place) < 0.6
    return choice[_int(key, len(choice), "setting", place)] if given else "none"


def _step(key: bytes, number: int, coalition: Coalition, looker: int, *, tracked: bool) -> Step:
    size = len(coalition.members)
    at_ns = seconds(HORIZON_S * uniform(key, "at", number))
    hidden = uniform(key, "hidden", number) < HIDDEN_PART
    others = [place for place in range(size) if place != looker]
    by = others[_int(key, len(others), "by", number)] if hidden else _int(key, size, "by", number)
    kinds: tuple[str, ...] = _HIDDEN if hidden else _OPEN
    kind = kinds[_int(key, len(kinds), "kind", number)]
    if tracked and uniform(key, "looks", number) < 0.7:
        kind, hidden = "look", radar_is_hidden(coalition, by, coalition.members[looker].partner)
    if kind == "request" and hidden and coalition.members[looker].partner in coalition.council:
        kind = "remark"
    rest = [place for place in range(size) if place not in (by, looker)]
    if hidden and not rest and kind in ("remark", "burst", "request", "link", "receipt", "unknown"):
        kind = "own"
    pool = rest if hidden else [place for place in range(size) if place != by]
    whom = pool[_int(key, len(pool), "whom", number)] if pool else by
    to = tuple(place for place in pool if place == whom or uniform(key, "to", number, place) < 0.6)
    for_s = 0.2 + 4.0 * uniform(key, "for", number) ** 2
    return Step(number, at_ns, kind, hidden, by, whom, to, for_s)


def _int(key: bytes, below: int, purpose: str, *parts: str | int) -> int:
    return int((1.0 - uniform(key, purpose, *parts)) * below)

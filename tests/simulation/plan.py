"""What one seed asks for: the coalition, what is said, what goes wrong, and when. Every draw is keyed by its purpose.

A plan can be made smaller without changing the rest of it, since each thing said and each fault is drawn by its own
number: that is how a failing seed is shrunk, and why one command repeats what is left.

    plan = drawn(Wanted(seed=7))
    plan.command                             # 'python -m tests.simulation --seed 7'
    drawn(Wanted(seed=7, partners=3, faults=(0, 4)))
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from noroshi.exercise.draws import entropy, uniform
from tests.simulation.coalition import LARGEST, REALM, SHAPES, SMALLEST, Shape

HORIZON_S = 8.0
"""How long things are said and go wrong; then everything heals."""

MOST_SAYS, MOST_FAULTS = 14, 8

SayKind = Literal["remark", "burst", "request", "look", "policy", "retention"]
FaultKind = Literal["crash", "cut", "half", "stall", "echo", "garbage", "twin", "step", "slow", "full", "rot"]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

_USUAL: tuple[FaultKind, ...] = (
    "crash", "crash", "crash", "crash", "cut", "cut", "half", "stall", "echo", "garbage", "twin", "twin", "step",
    "slow", "full",
)  # fmt: skip
_SAID: tuple[SayKind, ...] = (
    "remark", "remark", "remark", "remark", "remark", "burst", "burst", "request", "request", "request", "policy",
    "retention",
)  # fmt: skip

TRACKED_PART = 1 / 16
"""Of the seeds, those in which radars see a flight: tracking takes most of the time of such a run."""

ROTTEN_PART = 1 / 25
"""Of the seeds, those in which one bit of what was safe on a disk changes."""

THOROUGH_PART = 1 / 3


@dataclass(frozen=True, slots=True)
class Say:
    """Something said, seen by a radar, or ordered at a node. by: the partner's place, modulo the number of partners."""

    number: int
    at_s: float
    kind: SayKind
    by: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong. where: the place of a node or a line, to be taken modulo their number."""

    number: int
    at_s: float
    kind: FaultKind
    where: int
    for_s: float

    def __str__(self) -> str:
        return f"{self.number}: {self.kind} at {self.at_s:.2f} s for {self.for_s:.2f} s, place {self.where}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A seed, and what of its plan is wanted; None: as the seed draws it."""

    seed: int
    partners: int | None = None
    shape: Shape | None = None
    says: tuple[int, ...] | None = None
    faults: tuple[int, ...] | None = None
    defect: str = ""

    @property
    def command(self) -> str:
        """The one command that repeats this."""
        words = [f"{'python' if sys.executable else 'python3'} -m tests.simulation --seed {self.seed}"]
        words += [f"--partners {self.partners}"] if self.partners is not None else []
        words += [f"--shape {self.shape}"] if self.shape is not None else []
        words += [f"--says {ranges(self.says)}"] if self.says is not None else []
        words += [f"--faults {ranges(self.faults)}"] if self.faults is not None else []
        words += [f"--defect {self.defect}"] if self.defect else []
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a run follows from.

    group: most inputs in one transaction; windows: rows of a lane without a receipt, where they are smaller than usual;
    thorough: whether every check is made, also those that take most of the time.
    """

    wanted: Wanted
    key: bytes
    size: int
    shape: Shape
    says: tuple[Say, ...]
    faults: tuple[Fault, ...]
    tracked: bool
    group: int
    windows: tuple[int, int, int, int] | None
    thorough: bool

    @property
    def rotten(self) -> bool:
        """Whether a bit of what was safe changes."""
        return any(fault.kind == "rot" for fault in self.faults)


def drawn(wanted: Wanted) -> Plan:
    """The plan of a seed, or the wanted part of it."""
    key = entropy(wanted.seed, REALM)
    tracked = uniform(key, "tracked") <= TRACKED_PART
    size = _size(key, tracked=tracked) if wanted.partners is None else wanted.partners
    says = [_say(key, number, tracked=tracked) for number in range(1 + _int(key, MOST_SAYS, "says"))]
    faults = [_fault(key, number) for number in range(_int(key, MOST_FAULTS + 1, "faults"))]
    if uniform(key, "rotten") <= ROTTEN_PART:
        faults.append(_rot(key, len(faults)))
    return Plan(
        wanted,
        key,
        size,
        wanted.shape or SHAPES[_int(key, len(SHAPES), "shape")],
        tuple(one for one in says if wanted.says is None or one.number in wanted.says),
        tuple(one for one in faults if wanted.faults is None or one.number in wanted.faults),
        tracked,
        (1, 4, 64)[_int(key, 3, "group")],
        (2, 3, 2, 4) if uniform(key, "windows") < 0.3 else None,
        uniform(key, "thorough") < THOROUGH_PART,
    )


def ranges(numbers: Iterable[int]) -> str:
    """`0-3,7` of 0, 1, 2, 3, 7; `none` of nothing."""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts) or "none"


def numbers(text: str) -> tuple[int, ...]:
    """The numbers that `ranges` wrote. Raises ValueError."""
    if text == "none":
        return ()
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def _size(key: bytes, *, tracked: bool) -> int:
    """Mostly three or four; pictures of many audiences cost too much where radars see something."""
    largest = 4 if tracked else LARGEST
    return SMALLEST + int((largest - SMALLEST + 1) * (1.0 - uniform(key, "size")) ** 2.2)


def _int(key: bytes, below: int, purpose: str, *parts: str | int) -> int:
    return int((1.0 - uniform(key, purpose, *parts)) * below)


def _say(key: bytes, number: int, *, tracked: bool) -> Say:
    kinds = (*_SAID, *(("look",) * 8)) if tracked else _SAID
    return Say(
        number,
        HORIZON_S * uniform(key, "said at", number),
        kinds[_int(key, len(kinds), "said", number)],
        _int(key, LARGEST, "said by", number),
    )


def _fault(key: bytes, number: int) -> Fault:
    return Fault(
        number,
        HORIZON_S * uniform(key, "fault at", number),
        _USUAL[_int(key, len(_USUAL), "fault", number)],
        _int(key, 840, "fault where", number),
        0.1 + 4.0 * uniform(key, "fault for", number) ** 2,
    )


def _rot(key: bytes, number: int) -> Fault:
    at_s = 1.0 + (HORIZON_S - 1.0) * uniform(key, "rot at")
    return Fault(number, at_s, "rot", _int(key, 840, "rot where"), 0.5)

"""One run of a plan: the coalition lives through it, heals, comes to rest, and is held against the oracles.

outcome = play(drawn(Wanted(seed=7)))
outcome.violations                       # () when all holds
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from noroshi.clock import seconds
from noroshi.exercise.draws import uniform
from noroshi.exercise.kernel import Kernel
from noroshi.sharing import link
from tests.simulation import oracles
from tests.simulation.coalition import START_NS, found
from tests.simulation.defects import planted
from tests.simulation.lines import Line
from tests.simulation.people import People
from tests.simulation.plan import HORIZON_S, Fault, Plan, Say
from tests.simulation.shell import TURN, WORLD, Host, Stage, Violation, Ways

REST_STEP_S = 0.5
SHORTEST_REST_S = 4.0
"""So that consultations with a short time to answer come to their end."""
LONGEST_REST_S = 40.0
"""When all has healed everything must be everywhere by then: ten times as long as a dead connection is noticed."""

STAGES: tuple[Stage, ...] = ("now", "before", "during", "during", "after", "told")
COUNTED = ("control", "restart", "retention", "clock", "detections")
SLOW_S = (0.05, 0.4)
SKEWS_S = (0.0, 0.02, 0.6)
STEPS_S = (0.3, 0.9, 3600.0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. counts: of records, messages, deaths and the like; heads: the end of each host's log."""

    plan: Plan
    violations: tuple[str, ...]
    counts: Counter[str] = field(default_factory=Counter)
    heads: tuple[bytes, ...] = ()


def play(plan: Plan) -> Outcome:
    """Runs a plan. What a node raises is a violation too: nothing that comes from outside may stop one."""
    with planted(plan.wanted.defect) as ways, _windows(plan):
        run = _Run(plan, ways)
        try:
            run.live()
            violations = tuple(run.violations())
        except Violation as error:
            violations = (str(error),)
        return Outcome(plan, violations, run.counts(), run.heads())


class _Run:
    def __init__(self, plan: Plan, ways: Ways) -> None:
        self.plan = plan
        self.kernel = Kernel(START_NS)
        self.coalition = found(plan.key, size=plan.size, shape=plan.shape)
        self.hosts = tuple(
            Host(
                self.kernel,
                member,
                self.coalition.places,
                plan.key + member.partner.encode(),
                group=plan.group,
                ways=ways,
            )
            for member in self.coalition.members
        )
        by_name = {host.name: host for host in self.hosts}
        self.skews_ns = self._skews()
        for host in self.hosts:
            host.offset_ns = self.skews_ns[host.name]
            host.start(START_NS)
        self.lines = tuple(
            Line(self.kernel, by_name[a], by_name[b], plan.key, skips_lane=ways.skips_lane)
            for a, b in self.coalition.wires
        )
        self.people = People(self.kernel, self.coalition, self.hosts, plan.key)
        self.healed = False

    # --- living -----------------------------------------------------------------------------------------------

    def live(self) -> None:
        """Until everything has healed and come to rest. Raises Violation when it does not."""
        for say in self.plan.says:
            self.kernel.at(START_NS + seconds(say.at_s), self._say, say, WORLD)
        for fault in self.plan.faults:
            self.kernel.at(START_NS + seconds(fault.at_s), self._begin, fault, WORLD)
        self.kernel.run(START_NS + seconds(HORIZON_S))
        self._heal()
        end_ns = self.kernel.now_ns + seconds(LONGEST_REST_S)
        rest_ns = self.kernel.now_ns + seconds(SHORTEST_REST_S)
        while True:
            self.kernel.run(self.kernel.now_ns + seconds(REST_STEP_S))
            at_rest = not self._restless()
            if at_rest and self.kernel.now_ns >= rest_ns:
                return
            if self.kernel.now_ns >= end_ns:
                raise Violation(f"it does not come to rest: {self._restless()}")

    def _say(self, now_ns: int, say: Say) -> None:
        self.people.say(now_ns, say)

    def _restless(self) -> str:
        """What is still going on; empty when nothing is."""
        for line in self.lines:
            if not any(host.disk.rotten for host in line.hosts) and not line.settled:
                names = " and ".join(host.name for host in line.hosts)
                return f"{names} do not have all of each other; {'; '.join(line.faults[-2:])}"
        for host in self.hosts:
            if not host.damage and not host.idle:
                return f"{host.name} has not handled what waits"
        return "somebody waits for an answer" if self.people.waiting else ""

    def _skews(self) -> dict[str, int]:
        """How far each clock is off: less than what would make others refuse what its node says."""
        key = self.plan.key
        largest_s = SKEWS_S[0 if self.plan.tracked else int(uniform(key, "skew") * 2.999)]
        return {
            host.name: seconds(largest_s * (2.0 * uniform(key, "skew of", host.name) - 1.0))
            for host in self.hosts
        }

    # --- what goes wrong --------------------------------------------------------------------------------------

    def _begin(self, now_ns: int, fault: Fault) -> None:
        host = self.hosts[fault.where % len(self.hosts)]
        line = self.lines[fault.where % len(self.lines)]
        side = fault.where // 7 % 2
        until_ns = now_ns + seconds(fault.for_s)
        match fault.kind:
            case "crash":
                self._crash(now_ns, host, fault, until_ns)
            case "cut":
                line.cut(now_ns)
                self._at(until_ns, lambda at_ns: line.heal(at_ns))
            case "half":
                line.half(now_ns, side)
                self._at(until_ns, lambda at_ns: line.mend(at_ns, side))
            case "stall":
                line.stalled_until_ns = max(line.stalled_until_ns, until_ns)
            case "echo":
                line.echo(now_ns, side)
            case "garbage":
                line.garbage(now_ns, side)
            case "twin":
                line.twin(now_ns)
            case "step":
                self._step(now_ns, host, fault, until_ns)
            case "slow":
                host.disk_s = SLOW_S[side]
                self._at(until_ns, lambda at_ns: setattr(host, "disk_s", 0.002))
            case "full":
                host.full_until_ns = max(host.full_until_ns, until_ns)
            case "rot":
                host.die(now_ns)
                host.disk.rot(self.plan.key)
                self._at(until_ns, host.start)

    def _at(self, at_ns: int, undo: Callable[[int], None]) -> None:
        """Undoes something later, unless everything has been healed before."""

        def act(now_ns: int, _: object) -> None:
            if not self.healed:
                undo(now_ns)

        self.kernel.at(at_ns, act, None, WORLD)

    def _crash(self, now_ns: int, host: Host, fault: Fault, until_ns: int) -> None:
        """The process dies at once, or at a stage of its next write; it comes back when the fault is over."""
        stage = STAGES[int(uniform(self.plan.key, "stage", fault.number) * (len(STAGES) - 0.001))]
        if stage == "now":
            host.die(now_ns)
        else:
            host.doom = stage
        self._at(until_ns, host.start)

    def _step(self, now_ns: int, host: Host, fault: Fault, until_ns: int) -> None:
        chance = uniform(self.plan.key, "step", fault.number)
        by_s = STEPS_S[int(uniform(self.plan.key, "step by", fault.number) * 2.999)]
        by_ns = seconds(by_s if chance < 0.5 else -by_s)
        host.step(by_ns, now_ns)
        self._at(until_ns, lambda at_ns: host.step(-by_ns, at_ns))

    def _heal(self) -> None:
        """The end of all that is wrong."""
        self.healed = True
        now_ns = self.kernel.now_ns
        for line in self.lines:
            line.heal_all()
        for host in self.hosts:
            host.doom, host.full_until_ns, host.disk_s = None, 0, 0.002
            off_ns = self.skews_ns[host.name] - host.offset_ns
            if off_ns:
                host.step(off_ns, now_ns)
            self.kernel.at(now_ns, lambda at_ns, host: host.start(at_ns), host, TURN)

    # --- what is held against it ------------------------------------------------------------------------------

    def violations(self) -> Iterator[str]:
        """All that does not hold."""
        for host in self.hosts:
            if host.disk.rotten and not host.damage:
                host.damage = oracles.damage(host, self.coalition)
        logs = {host.name: oracles.read(host) for host in self.hosts if not host.damage}
        self.logs = logs
        yield from oracles.strangers(logs) if len(logs) == len(self.hosts) else ()
        for log in logs.values():
            yield from oracles.effects(log)
            yield from oracles.replayed(log, self.coalition)
        if self.plan.rotten:
            return
        yield from oracles.lost_and_repeated(self.coalition, logs)
        yield from oracles.answered(self.people.given, logs)
        for log in logs.values():
            yield from oracles.accusations(log)
            yield from oracles.sent_in_spite(log)
            if self.plan.thorough:
                yield from oracles.one_delivery(log, self.coalition)
        for line in self.lines:
            yield from line.faults
            yield from oracles.streams(line)

    def heads(self) -> tuple[bytes, ...]:
        """The end of each host's log."""
        return tuple(h.process.node.chain.head if h.process else b"" for h in self.hosts)

    def counts(self) -> Counter[str]:
        """How much there was of what."""
        counts: Counter[str] = Counter()
        for log in getattr(self, "logs", {}).values():
            counts["records"] += len(list(log.host.store.records()))
            counts["messages"] += len(log.made)
            counts["accepted"] += log.taken.total()
            counts["deaths"] += log.host.deaths
            counts["answers before their question"] += oracles.early_answers(log)
            counts["restored from a snapshot"] += log.host.restored
            for entry in log.entries:
                counts[f"{entry.record.type} inputs"] += entry.record.type in COUNTED and not entry.reason
                counts["duplicates"] += oracles.comes_to_nothing(entry)
                if entry.reason:
                    counts[f"refused: {entry.reason}"] += 1
        counts["runs"] += 1
        return counts


@contextmanager
def _windows(plan: Plan) -> Iterator[None]:
    """Small windows of the links for the length of a run, where the plan has some."""
    before = link.WINDOW_ROWS
    if plan.windows is not None:
        link.WINDOW_ROWS = plan.windows
    try:
        yield
    finally:
        link.WINDOW_ROWS = before

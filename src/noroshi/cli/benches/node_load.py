"""The full node code in virtual time: how many messages a second the real nodes handle, one core, no disk.

The chain: the cases of the bare approval chain (same draws), each level a decision message. A Japanese post asks for a
trilateral consultation, each of the three nations' members concurs for itself, and the node that convenes records the
outcome at once. The three nodes pass every message on as their structure lets them. A handled message is one `Received`
input: verified, recorded, acted on, released, shown to the staff, its commit stored in memory. Signing for the posts is
done before the clock of the measurement starts. That clock is the process's own processor time, so that others on the
same cores hardly show.

    handled_messages(quick=True, seed=0, progress=print)
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import msgspec

from noroshi.cli.benches.approvals import Chain, draws
from noroshi.cli.benches.report import Result, result
from noroshi.clock import NEVER, seconds
from noroshi.command.posts import answer
from noroshi.errors import LocalError
from noroshi.exercise.coalition import Coalition, Member, found
from noroshi.exercise.draws import entropy
from noroshi.exercise.kernel import Kernel
from noroshi.exercise.run import digest_of, play
from noroshi.geo.places import PlaceTable, decode
from noroshi.log import MemoryStore
from noroshi.messages import Ed25519, KeyedHash, Scheme, derive
from noroshi.messages.signing import ID_BYTES
from noroshi.node import Node
from noroshi.node.inputs import Input, Received
from noroshi.service.exercise_files import PACKAGED_SCENARIO, stage
from noroshi.service.interpreter import settle
from noroshi.service.resources import packaged_places
from noroshi.sharing import partner_party
from noroshi.sharing.streams import streams_of

DECISION, BODY = "trilateral-consult", "tri-ministers"
SPEAK = ("jp-pm.duty", "jp-mod.minister", "us-dod.duty", "kr-mnd.minister")
"""The posts of the packaged scenario that speak at the first four levels: one asks, three concur."""

LINK_NS = 60_000_000
"""From one node to the next: as long as in the packaged scenario."""

WITHIN_S = 3600.0
"""Deadline of a consultation: all cases are decided before it."""

MESSAGES_PER_CASE = 14
"""The request and three concurrences at three nodes each, the outcome at the two that did not record it."""

MUST_PER_S = 20_000
LINE, TIMER, POST = 1, 2, 3
"""Priorities at one instant, as in an exercise."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: cases of the chain, repeats, seconds of the crisis, seeds and cases per worker run."""

    cases: int
    runs: int
    crisis_s: float
    crises: int
    worker_runs: int
    worker_cases: int


FULL = Size(cases=2000, runs=7, crisis_s=1470.0, crises=3, worker_runs=12, worker_cases=100)
QUICK = Size(cases=150, runs=3, crisis_s=200.0, crises=1, worker_runs=2, worker_cases=10)

AFTER_NS = seconds(60.0)
"""So long after the last word the nodes' timers still come due: some of them, as the look at the keys, never end."""

Spoken = tuple[int, str, Received]
"""When, at which node, and what a post says."""


class Office:
    """One node behind the least of a shell: handles, stores in memory, hands rows on to the next node."""

    def __init__(self, kernel: Kernel, member: Member, places: PlaceTable, end_ns: int) -> None:
        self._end_ns = end_ns
        self.handled = 0
        self.party = partner_party(member.trigraph)
        self.partners: dict[str, Office] = {}
        self.store = MemoryStore()
        self._kernel = kernel
        self._timer_ns = NEVER
        self.node, commit = Node.begin(kernel.now_ns, member.genesis, member.secrets, places)
        self.store.append([commit.batch])

    def hear(self, now_ns: int, given: Received) -> None:
        """Takes one message."""
        self.handled += 1
        self._take(now_ns, given)

    def _take(self, now_ns: int, given: Input) -> None:
        batch = self.node.handle(now_ns, given).batch
        self.store.append([batch])
        for row in batch.outbox:
            partner = self.partners.get(row.stream)
            if partner is not None:
                passed = Received(party=self.party, number=row.number, raw=row.data, lane=row.lane)
                self._kernel.at(now_ns + LINK_NS, partner.hear, passed, LINE)
        due_ns = self.node.next_due_ns
        if due_ns < self._timer_ns and due_ns <= self._end_ns:
            self._timer_ns = due_ns
            self._kernel.at(max(due_ns, now_ns), self._timer, due_ns, TIMER)

    def _timer(self, now_ns: int, set_for_ns: int) -> None:
        if set_for_ns != self._timer_ns:
            return
        self._timer_ns = NEVER
        for timer in self.node.due(now_ns):
            self._take(now_ns, timer)


class _Finished(Chain):
    """The chain, with the time at which each level finished each case."""

    def __init__(self, arrivals: list[int], work: list[list[int]]) -> None:
        super().__init__(arrivals, work)
        self.times: dict[tuple[int, int], int] = {}

    def finish(self, now_ns: int, argument: tuple[int, int]) -> None:
        level, case = argument
        self.times[case, level] = now_ns
        super().finish(now_ns, argument)


def coalition_with(scheme: Scheme, places: PlaceTable, duration_s: float | None = None) -> Coalition:
    """The three nations of the packaged scenario, cut off after `duration_s`, with keys of this scheme."""
    staged = stage(PACKAGED_SCENARIO)
    key = entropy(staged.seed, staged.scenario.realm)
    whole = staged.scenario
    return found(
        msgspec.structs.replace(whole, duration_s=min(duration_s or whole.duration_s, whole.duration_s)),
        staged.structure,
        staged.catalogue,
        entropy=key,
        scheme=scheme,
        places_digest=places.digest,
    )


def spoken(coalition: Coalition, seed: int, cases: int) -> list[Spoken]:
    """All that the posts say in the first `cases` of a day, signed, in the order of time."""
    arrivals, work = draws(seed)
    chain = _Finished(arrivals[:cases], work[:cases])
    chain.kernel.run()
    said: list[Spoken] = []
    for case in range(len(chain.arrivals)):
        at_ns = [coalition.start_ns + chain.times[case, level] for level in range(len(SPEAK))]
        said += _case(coalition, case, at_ns)
    return sorted(said, key=lambda one: one[0])


def _case(coalition: Coalition, case: int, at_ns: list[int]) -> list[Spoken]:
    partners = sorted(member.trigraph for member in coalition.members)
    identity = derive(b"noroshi bench", "case", case)[:ID_BYTES]
    common: dict[str, Any] = {
        "kind": "decision",
        "audience": partners,
        "event": derive(b"noroshi bench", "event", case)[:ID_BYTES].hex(),
        "case": identity.hex(),
        "decision": DECISION,
        "body": BODY,
        "deadline_ns": at_ns[0] + seconds(WITHIN_S),
    }
    said = []
    for level, post in enumerate(SPEAK):
        step = "concurrence" if level else "request"
        fields = {**common, "task": f"{step}:{identity.hex()}", "step": step}
        said.append(_says(coalition, post, fields, at_ns[level]))
    return said


def _says(coalition: Coalition, post: str, fields: dict[str, Any], now_ns: int) -> Spoken:
    member = next(one for one in coalition.members if post in one.seats)
    raw = answer(fields, "concur", member.seats[post], now_ns)
    return now_ns, member.node, Received(party=f"post:{post}", number=0, raw=raw)


def run_chain(coalition: Coalition, places: PlaceTable, said: list[Spoken]) -> tuple[int, float, str]:
    """Handled messages, the seconds of processor time that took, and the digest of the three logs.

    Raises LocalError when the nodes did not all decide every case: then something else was measured.
    """
    kernel = Kernel(coalition.start_ns)
    end_ns = said[-1][0] + AFTER_NS
    offices = {member.node: Office(kernel, member, places, end_ns) for member in coalition.members}
    by_partner = {member.trigraph: offices[member.node] for member in coalition.members}
    for office in offices.values():
        for partner in office.node.neighbours:
            for stream in streams_of(partner_party(partner)):
                office.partners[stream] = by_partner[partner]
    for now_ns, node, given in said:
        kernel.at(now_ns, offices[node].hear, given, POST)
    start_s = time.process_time()
    kernel.run()
    took_s = time.process_time() - start_s
    handled = sum(office.handled for office in offices.values())
    cases = len(said) // len(SPEAK)
    decided = [
        sum(case.state == "decided" for case in office.node.state.cases.values())
        for office in offices.values()
    ]
    if handled != cases * MESSAGES_PER_CASE or decided != [cases] * len(offices):
        raise LocalError(
            "run the chain", cause=f"{handled} messages, {decided} decided of {cases} cases at each node"
        )
    heads = {name: office.node.chain.head for name, office in offices.items()}
    return handled, took_s, digest_of(heads, sum(o.node.chain.sequence for o in offices.values()))


def run_crisis(coalition: Coalition, places: PlaceTable, seed: int) -> tuple[int, float, str]:
    """Inputs of all nodes in one whole exercise, the seconds of processor time that took, and its digest."""
    stores: list[MemoryStore] = []

    def store_for(_: str) -> MemoryStore:
        stores.append(MemoryStore())
        return stores[-1]

    start_s = time.process_time()
    outcome = play(coalition, places, entropy=entropy(seed, coalition.realm), store_for=store_for)
    took_s = time.process_time() - start_s
    inputs = sum(record.is_input for store in stores for record in store.records())
    return inputs, took_s, outcome.digest


def small_run(seed: int, cases: int) -> str:
    """The digest of a short chain with this seed: one piece of work for a worker process."""
    places = decode(packaged_places())
    coalition = coalition_with(KeyedHash(), places)
    return run_chain(coalition, places, spoken(coalition, seed, cases))[2]


def digests(seeds: Sequence[int], cases: int, workers: int) -> list[str]:
    """The digests of short chains, worked on by so many processes; by this one when it is one."""
    if workers == 1:
        return [small_run(seed, cases) for seed in seeds]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        return list(pool.map(small_run, seeds, [cases] * len(seeds)))


def handled_messages(
    *, quick: bool, seed: int, progress: Callable[[str], None], size: Size | None = None
) -> list[Result]:
    """Rows of the `engine` benchmark about the nodes: the chain with both schemes, a crisis, repeatability."""
    size = size or (QUICK if quick else FULL)
    places = decode(packaged_places())
    settle()  # as a process that runs a node is set
    keyed = _chain_speeds(KeyedHash(), places, size, seed, progress)
    signed = _chain_speeds(Ed25519(), places, size, seed, progress)
    crisis = coalition_with(KeyedHash(), places, size.crisis_s)
    speeds = []
    for number in range(size.crises):
        progress(f"engine: crisis, run {number + 1} of {size.crises}")
        inputs, took_s, _ = run_crisis(crisis, places, seed)
        speeds.append(inputs / took_s)
    progress("engine: the same cases on one worker and on two")
    seeds = [seed + number for number in range(size.worker_runs)]
    alone, together = (digests(seeds, size.worker_cases, workers) for workers in (1, 2))
    same = float(alone == together and len(set(alone)) == len(seeds))
    return [
        result(
            "engine",
            "messages handled, keyed hashes",
            keyed,
            "1/s",
            must=f"at least {MUST_PER_S:,}/s",
            holds=lambda value, _: value >= MUST_PER_S,
        ),
        result("engine", "messages handled, Ed25519", signed, "1/s"),
        result("engine", "inputs of a crisis, keyed hashes", speeds, "1/s"),
        result(
            "engine",
            "logs equal on 1 and 2 workers",
            [same],
            "of 1",
            must="all equal",
            holds=lambda value, _: value == 1.0,
        ),
    ]


def _chain_speeds(
    scheme: Scheme, places: PlaceTable, size: Size, seed: int, progress: Callable[[str], None]
) -> list[float]:
    coalition = coalition_with(scheme, places)
    said = spoken(coalition, seed, size.cases)
    speeds, found_digests = [], set()
    for number in range(size.runs):
        progress(f"engine: nodes, {scheme.name}, run {number + 1} of {size.runs}")
        handled, took_s, digest = run_chain(coalition, places, said)
        speeds.append(handled / took_s)
        found_digests.add(digest)
    if len(found_digests) != 1:
        raise LocalError("run the chain", cause="the same input gave different logs")
    return speeds

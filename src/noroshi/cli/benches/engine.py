"""The `engine` benchmark: the bare event kernel against SimPy, and the full node code in virtual time.

In the bare part both sides draw the same numbers, so they finish the same cases at the same times, and that is checked
in each run. Times are the process's own processor time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from importlib.metadata import version
from typing import Any

from noroshi.cli.benches.approvals import DAY_NS, STAFF, Chain, draws
from noroshi.cli.benches.node_load import handled_messages
from noroshi.cli.benches.report import Result, result
from noroshi.errors import LocalError, OperatorError


def own_day(arrivals: list[int], work: list[list[int]]) -> tuple[int, int, float]:
    """Decisions, the sum of their times in ns, and the seconds of processor time that it took."""
    start = time.process_time()
    chain = Chain(arrivals, work)
    chain.kernel.run(DAY_NS)
    return chain.decisions, chain.checksum, time.process_time() - start


def simpy_day(arrivals: list[int], work: list[list[int]]) -> tuple[int, int, float]:
    """The same day with SimPy's processes and resources, on integer nanoseconds."""
    import simpy

    start = time.process_time()
    environment = simpy.Environment()
    desks = [simpy.Resource(environment, capacity) for capacity in STAFF]
    done = [0, 0]

    def case_process(case: int) -> Generator[Any, Any, None]:
        for level, desk in enumerate(desks):
            with desk.request() as request:
                yield request
                yield environment.timeout(work[case][level])
                done[0] += 1
                done[1] += int(environment.now)

    def source() -> Generator[Any, Any, None]:
        for case, at in enumerate(arrivals):
            yield environment.timeout(at - environment.now)
            environment.process(case_process(case))

    environment.process(source())
    environment.run(until=DAY_NS + 1)
    return done[0], done[1], time.process_time() - start


def run(*, quick: bool, seed: int, progress: Callable[[str], None]) -> list[Result]:
    """All rows of the benchmark. Raises OperatorError when the peer is not installed."""
    try:
        peer_version = version("simpy")
    except ModuleNotFoundError:
        raise OperatorError(
            "run the benchmark",
            subject="engine",
            cause="SimPy is not installed",
            hint="pip install noroshi[bench]",
        ) from None
    rounds = 3 if quick else 9
    own, peer = [], []
    for number in range(rounds):
        progress(f"engine: approval chain, run {number + 1} of {rounds}")
        arrivals, work = draws(seed + number)
        decisions, checksum, took_s = own_day(arrivals, work)
        peer_decisions, peer_checksum, peer_s = simpy_day(arrivals, work)
        if (decisions, checksum) != (peer_decisions, peer_checksum):
            raise LocalError("compare with SimPy", cause=f"{decisions} against {peer_decisions} decisions")
        own.append(decisions / took_s)
        peer.append(peer_decisions / peer_s)
    rows = [
        result(
            "engine",
            "decisions, bare kernel",
            own,
            "1/s",
            peer="SimPy",
            peer_version=peer_version,
            peer_values=peer,
            must="at least 5 times SimPy",
            holds=lambda _, ratio: ratio is not None and ratio >= 5.0,
        )
    ]
    return rows + handled_messages(quick=quick, seed=seed, progress=progress)

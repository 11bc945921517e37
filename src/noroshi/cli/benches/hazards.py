"""The `hazards` benchmark: from another agency's file to the draft on the screen of the post that may sign it.

Each event is a new message of an agency on whose word Japan's root lets an alert be drafted. The clock starts when the
file is handed to Japan's node over HTTP, and stops when the task comes to a WebSocket client of that node: read,
checked, laid over the nation's places, worded in three languages, and committed with a full sync; three nodes and this
process share the machine, and both partners are told of the hazard meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from noroshi.cli.benches.end_to_end import LOST_S, MUST_MS, Size, percentile
from noroshi.cli.benches.report import Result
from noroshi.cli.benches.three_nodes import coalition, three_nodes
from noroshi.clock import to_iso
from noroshi.command.hazard_rules import AgencyName, HazardRule
from noroshi.command.warrant import AlertRules
from noroshi.errors import LocalError
from noroshi.exercise.scenario import Scenario
from noroshi.gateways.cap_model import CapAlert, CapArea, CapInfo, CapPolygon, CapTime
from noroshi.gateways.cap_write import write_cap
from noroshi.node.inputs import CapGiven
from noroshi.service.client import NodeClient
from noroshi.tracking import warm

ORIGIN = "JPN"
SENDER = "waves@agency.example"
COAST = "39.0,141.0 39.0,142.5 41.5,142.5 41.5,141.0 39.0,141.0"
STANDS_S = 3600

FULL = Size(rounds=4, events=25)
QUICK = Size(rounds=1, events=8)


def run(*, quick: bool, seed: int, progress: Callable[[str], None], size: Size | None = None) -> list[Result]:
    """All rows of the benchmark. Raises LocalError when a draft is lost, NodeEndedError when a node cannot run."""
    size = size or (QUICK if quick else FULL)
    warm()  # the nodes then find their numerical code compiled
    found: list[float] = []
    for number in range(size.rounds):
        progress(f"hazards: round {number + 1} of {size.rounds}, starting three nodes")
        with tempfile.TemporaryDirectory(prefix="noroshi-bench-") as folder:
            found += asyncio.run(_round(Path(folder), seed + number, size.events))
    return [
        _at("an agency's file to the draft on the screen, p50", found, 0.5),
        _at("an agency's file to the draft on the screen, p99", found, 0.99, f"at most {MUST_MS:.0f} ms"),
    ]


def _at(measure: str, values: list[float], share: float, must: str = "") -> Result:
    return Result(
        name="hazards",
        measure=measure,
        value=percentile(values, share),
        unit="ms",
        runs=len(values),
        low=min(values),
        high=max(values),
        must=must,
        held=percentile(values, share) <= MUST_MS if must else None,
    )


def _trusting(scenario: Scenario) -> Scenario:
    """The scenario in which Japan's root lets alerts be drafted on the agency's word."""
    rule = HazardRule(
        senders=(SENDER,), name=AgencyName(en="Agency of Waves", ja="波の庁", ko="파도청"), hazard="tsunami",
        entrances=("hand:*",), events=("Tsunami*",),
    )  # fmt: skip
    rules = AlertRules(hazards=(rule,))
    partners = tuple(
        msgspec.structs.replace(one, rules=msgspec.structs.replace(one.rules, alerts=rules))
        if one.id == ORIGIN
        else one
        for one in scenario.partners
    )
    return msgspec.structs.replace(scenario, partners=partners)


async def _round(folder: Path, seed: int, events: int) -> list[float]:
    gc.collect()
    gc.freeze()  # a collection here would be measured as if the nodes were slow
    async with three_nodes(coalition(_trusting), folder) as clients:
        shown: dict[str, float] = {}
        news = asyncio.Event()

        def take(_: int, row: dict[str, Any]) -> None:
            if row["type"] == "task" and row["action"] == "originate-alert" and row["state"] == "open":
                shown[row["answer"]["shown"]["hazard"]["identifier"]] = time.perf_counter()
                news.set()

        greeted = asyncio.Event()
        client = clients[ORIGIN]
        following = asyncio.create_task(client.follow(take, hello=lambda _: greeted.set()))
        try:
            async with asyncio.timeout(LOST_S):
                await greeted.wait()
            return [await _event(client, shown, news, f"wave-{seed}-{number}") for number in range(events)]
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def _event(client: NodeClient, shown: dict[str, float], news: asyncio.Event, identifier: str) -> float:
    """Milliseconds from handing one file over to its draft on the screen."""
    raw = _file(identifier, time.time_ns())
    start_s = time.perf_counter()
    (answer,) = await client.give([CapGiven(party="hand:bench", raw=raw)])
    if answer.outcome != "accepted":
        raise LocalError(
            "measure a draft", subject=identifier, cause=f"the file was {answer.outcome}: {answer.reason}"
        )
    try:
        async with asyncio.timeout(LOST_S):
            while identifier not in shown:
                news.clear()
                await news.wait()
    except TimeoutError:
        raise LocalError(
            "measure a draft", subject=identifier, cause=f"none came within {LOST_S:.0f} s"
        ) from None
    return 1e3 * (shown[identifier] - start_s)


def _file(identifier: str, now_ns: int) -> bytes:
    def at(time_ns: int) -> CapTime:
        return CapTime(to_iso(time_ns, digits=0).replace("Z", "-00:00"))

    info = CapInfo(
        language="en-US",
        categories=("Geo",),
        event="Tsunami warning",
        urgency="Immediate",
        severity="Extreme",
        certainty="Likely",
        expires=at(now_ns + STANDS_S * 10**9),
        headline="EXERCISE. Tsunami warning",
        areas=(CapArea("The coast", (CapPolygon(COAST),)),),
    )
    return write_cap(
        CapAlert(
            version="1.2", identifier=identifier, sender=SENDER, sent=at(now_ns), status="Exercise", msg_type="Alert",
            scope="Public", infos=(info,),
        )
    )  # fmt: skip

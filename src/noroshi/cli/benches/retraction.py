"""The `retraction` benchmark: a post takes an alert back, and the correction comes to those who had the alert.

Everything is real: Japan's node, its relays, and processes with last hops are processes of this machine; relays dial the
node over mutual TLS, last hops connect to relays over TCP, check the original signatures and give receipts under their
own keys. The clock starts when the post's signed retraction is handed to the node, and stops for each last hop when the
node's record has the relay's signed receipt for it. In the second case a tenth of the relays is killed in the same
instant; their last hops find the next one, as they would. In the third half of the last hops come by WebSocket, and the
other half sign their receipts with keys of their own, which their relays check and put into a hash tree.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from noroshi.cli.benches.end_to_end import detections, percentile
from noroshi.cli.benches.report import Result, result
from noroshi.cli.benches.three_nodes import coalition, directories
from noroshi.clock import NS_PER_S
from noroshi.command.hop_keys import Enrolled, hop_key, sign_roster
from noroshi.command.posts import Seat, answer
from noroshi.errors import LocalError
from noroshi.exercise.coalition import Coalition, Member
from noroshi.exercise.scenario import Relay, Scenario
from noroshi.messages import Ed25519, derive
from noroshi.messages.signing import SECRET_BYTES
from noroshi.node.inputs import Received
from noroshi.review import open_log
from noroshi.review.reach import Reached, reaches, same_sets
from noroshi.service import relay_dir
from noroshi.service.client import NodeClient
from noroshi.service.files import write_file
from noroshi.service.node_config import Address
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.record_file import RecordFile
from noroshi.service.relay_dir import RelayDir
from noroshi.service.supervisor import Supervisor
from noroshi.service.trust_files import TrustFiles
from noroshi.tracking import warm

OWN, UNIT, ROSTER = "JPN", "jp-fdma", "bench"
SHARE = 0.99
MUST_S, MUST_DOWN_S = 2.0, 60.0
CROWD = 1250
"""Last hops in one process of them."""

LOST_S = 120.0
"""A last hop that has not come, or has no receipt, after so long is lost."""


@dataclass(frozen=True, slots=True)
class Size:
    """rounds: alerts and retractions with all relays up; hops: last hops; relays: to which they are connected."""

    rounds: int
    hops: int
    relays: int


FULL = Size(rounds=3, hops=5000, relays=10)
QUICK = Size(rounds=1, hops=300, relays=2)


@dataclass(frozen=True, slots=True)
class _Taken:
    """One retraction: seconds to each last hop that had the alert, rising; how many had it; are the sets equal."""

    times_s: list[float]
    had: int
    equal: bool
    by_socket_s: list[float]
    signing_s: list[float]
    signed: int

    @property
    def most_s(self) -> float:
        """Seconds until so large a share of those who had the alert had its end; infinite when they never did."""
        return _most_s(self.times_s, self.had)


def _most_s(times_s: list[float], had: int) -> float:
    needed = math.ceil(SHARE * had)
    return times_s[needed - 1] if len(times_s) >= needed else math.inf


def run(*, quick: bool, seed: int, progress: Callable[[str], None], size: Size | None = None) -> list[Result]:
    """All rows of the benchmark. Raises LocalError when a last hop or a process does not come."""
    size = size or (QUICK if quick else FULL)
    warm()
    with tempfile.TemporaryDirectory(prefix="noroshi-bench-") as folder:
        up, down = asyncio.run(_run(Path(folder), seed, size, progress))
    with tempfile.TemporaryDirectory(prefix="noroshi-bench-") as folder:
        others = asyncio.run(_run_others(Path(folder), seed, size, progress))
    killed = max(1, size.relays // 10)
    cases = [("all relays up", up, MUST_S), (f"{killed} of {size.relays} relays killed", down, MUST_DOWN_S)]
    rows = []
    for words, taken, must_s in cases:
        rows += [
            result(
                "retraction", f"{words}: 99 % have it", [one.most_s for one in taken], "s",
                must=f"under {must_s:g} s", holds=_under(must_s),
            ),
            result("retraction", f"{words}: half have it", [percentile(t.times_s, 0.5) for t in taken], "s"),
            result("retraction", f"{words}: all have it", [one.times_s[-1] for one in taken], "s"),
            result(
                "retraction", f"{words}: last hops with the alert", [float(one.had) for one in taken], "hops",
                must=f"{size.hops}", holds=lambda value, _: value == size.hops,
            ),
            result(
                "retraction", f"{words}: same set by receipts", [float(one.equal) for one in taken], "of 1",
                must="1", holds=lambda value, _: value == 1.0,
            ),
        ]  # fmt: skip
    return rows + _rows_of_others(others, size)


def _rows_of_others(taken: _Taken, size: Size) -> list[Result]:
    """Of last hops by WebSocket, and of those that sign."""
    rows = []
    half = size.hops // 2
    for words, times_s in (
        (f"{half} by WebSocket", taken.by_socket_s),
        (f"{half} that sign", taken.signing_s),
    ):
        rows.append(
            result(
                "retraction", f"{words}: 99 % have it", [_most_s(times_s, half)], "s",
                must=f"under {MUST_S:g} s", holds=_under(MUST_S),
            )
        )  # fmt: skip
    rows.append(
        result(
            "retraction", "ends signed by the last hop itself", [float(taken.signed)], "hops",
            must=f"{half}", holds=lambda value, _: value == half,
        )
    )  # fmt: skip
    return rows


def _under(must_s: float) -> Callable[[float, float | None], bool]:
    return lambda value, _: value < must_s


async def _run(
    folder: Path, seed: int, size: Size, progress: Callable[[str], None]
) -> tuple[list[_Taken], list[_Taken]]:
    joined = coalition(lambda scenario: _with_relays(scenario, size))
    async with _world(folder, joined, size, progress, lambda made: _crowd_files(folder, made, size)) as world:
        desk, node, processes = world
        up = []
        for number in range(size.rounds):
            up.append(await _round(desk, joined, node, seed, number, lambda: None))
            progress(f"retraction: 99 % of {up[-1].had} last hops after {up[-1].most_s:.2f} s")
        killed = processes[: max(1, size.relays // 10)]

        def kill() -> None:
            for process in killed:
                process.send_signal(signal.SIGKILL)

        down = [await _round(desk, joined, node, seed, size.rounds, kill)]
        progress(f"retraction: with {len(killed)} relays killed after {down[-1].most_s:.2f} s")
    return up, down


async def _run_others(folder: Path, seed: int, size: Size, progress: Callable[[str], None]) -> _Taken:
    """The same with last hops by WebSocket and such as sign."""
    entropy = os.urandom(SECRET_BYTES)
    joined = coalition(lambda scenario: _with_relays(scenario, size), entropy)
    root_secret = derive(entropy, "secret", joined.realm, OWN, "root", "")

    def crowds(made: list[RelayDir]) -> list[Path]:
        return _other_files(folder, made, size)

    async with _world(folder, joined, size, progress, crowds, by_socket=True) as (desk, node, _):
        keys = tuple((hop, Ed25519().public_key(_own_key(hop))) for hop in range(1, size.hops, 2))
        listed = sign_roster(Enrolled(ROSTER, 1, keys), OWN, joined.realm, Ed25519(), root_secret)
        TrustFiles(node).add_roster(listed)
        await desk.until("roster", lambda row: row["signing"] == len(keys), "list those who sign")
        taken = await _round(desk, joined, node, seed, 0, lambda: None)
        progress(f"retraction: half by WebSocket, half signing: 99 % after {taken.most_s:.2f} s")
    return taken


@contextlib.asynccontextmanager
async def _world(
    folder: Path, joined: Coalition, size: Size, progress: Callable[[str], None],
    crowds: Callable[[list[RelayDir]], list[Path]], *, by_socket: bool = False,
) -> AsyncIterator[tuple[_Desk, NodeDir, list[asyncio.subprocess.Process]]]:  # fmt: skip
    """Japan's node, its relays and all last hops, when all are there."""
    member = next(one for one in joined.members if one.trigraph == OWN)
    node = next(one for one in directories(joined, folder) if one.config.partner == OWN)
    ports = free_ports(2 * size.relays + 1)
    node = node.with_config(msgspec.structs.replace(node.config, relays=Address(port=ports[0])))
    sockets = ports[1 + size.relays :] if by_socket else [None] * size.relays
    made = _relay_directories(folder, node, member, ports[1 : 1 + size.relays], sockets)
    async with contextlib.AsyncExitStack() as stack:
        # All are started at once: relays and last hops wait for one another, as they do after a power cut.
        processes = [await stack.enter_async_context(_process("run", one.path)) for one in made]
        for path in crowds(made):
            await stack.enter_async_context(_process("listen", path))
        progress(f"retraction: {size.relays} relays and {size.hops} last hops are started")
        await stack.enter_async_context(Supervisor({node.config.node: node.path}, restart=False))
        client = NodeClient(node.page_address, page_token=node.page_token(), feed_token=node.feed_token())
        stack.push_async_callback(client.close)
        desk = _Desk(client, member)
        following = asyncio.ensure_future(client.follow(desk.take))
        stack.callback(following.cancel)
        await desk.until("readiness", lambda row: row["received"] >= size.hops, "connect all last hops")
        yield desk, node, processes


def _own_key(hop: int) -> bytes:
    """The key of a last hop that signs: of the benchmark only, as is its realm."""
    return derive(bytes(SECRET_BYTES), "bench", hop)


def _with_relays(scenario: Scenario, size: Size) -> Scenario:
    relays = tuple(
        Relay(id=f"relay-{number}", unit=UNIT, roster=ROSTER, last_hops=size.hops, label="notional")
        for number in range(size.relays)
    )
    return msgspec.structs.replace(scenario, relays=relays)


def _relay_directories(
    folder: Path, node: NodeDir, member: Member, ports: list[int], sockets: Sequence[int | None]
) -> list[RelayDir]:
    offer, secret = relay_dir.offered(node), os.urandom(SECRET_BYTES)
    made = []
    for (relay, seat), port, by_socket in zip(member.relays, ports, sockets, strict=True):
        made.append(
            relay_dir.create(
                folder / relay.id, offer, name=relay.id, unit=relay.unit, roster=ROSTER, hops=relay.last_hops,
                listen_port=port, websocket_port=by_socket, roster_secret=secret, seed=seat.secret,
            )
        )  # fmt: skip
        relay_dir.admit(node, made[-1].admission_path)
    return made


def _crowd_files(folder: Path, relays: list[RelayDir], size: Size) -> list[Path]:
    """A file for each process of last hops; all of them know all relays."""
    addresses = [str(relay.addresses()[0]) for relay in relays]
    return [
        _hops_file(folder, relays[0], addresses, range(first, min(first + CROWD, size.hops)))
        for first in range(0, size.hops, CROWD)
    ]


def _other_files(folder: Path, relays: list[RelayDir], size: Size) -> list[Path]:
    """Files for those that come by WebSocket, with even numbers, and for those that sign, with odd ones."""
    paths = []
    for first in range(0, size.hops, 2 * CROWD):
        last = min(first + 2 * CROWD, size.hops)
        sockets = [str(relay.addresses()[1]) for relay in relays]
        paths.append(_hops_file(folder, relays[0], sockets, range(first, last, 2)))
        plain = [str(relay.addresses()[0]) for relay in relays]
        paths.append(_hops_file(folder, relays[0], plain, range(first + 1, last, 2), signing=True))
    return paths


def _hops_file(
    folder: Path, relay: RelayDir, addresses: list[str], hops: range, *, signing: bool = False
) -> Path:
    """What one process of last hops needs."""
    config, secret = relay.config, relay.roster_secret()
    document = {
        "realm": config.realm, "partner": config.partner, "roster": ROSTER,
        "roots": {partner: root.hex() for partner, root in relay.roots().items()}, "relays": addresses,
        "hops": {str(hop): hop_key(secret, ROSTER, hop).hex() for hop in hops},
        "secrets": {str(hop): _own_key(hop).hex() for hop in hops} if signing else {},
    }  # fmt: skip
    path = folder / f"hops-{hops.start}.json"
    write_file(path, msgspec.json.encode(document), 0o600)
    return path


@contextlib.asynccontextmanager
async def _process(command: str, path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of `noroshi relay`, killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "noroshi.cli.main", "relay", command, str(path),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class _Desk:
    """The posts of Japan's node: what they are shown, and what they sign."""

    def __init__(self, client: NodeClient, member: Member) -> None:
        self.client = client
        self._seats = member.seats
        self.signed_tasks: set[str] = set()
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._news = asyncio.Event()

    def take(self, _: int, row: dict[str, Any]) -> None:
        """A row of the staff's stream."""
        self._rows.setdefault(row["type"], []).append(row)
        self._news.set()

    def newest(self, type_: str, held: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        """The newest row of a type for which this holds."""
        return next((row for row in reversed(self._rows.get(type_, ())) if held(row)), None)

    async def until(self, type_: str, held: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """The newest row of a type for which this holds, when there is one."""
        try:
            async with asyncio.timeout(LOST_S):
                while (found := self.newest(type_, held)) is None:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            last = self._rows.get(type_, [{}])[-1]
            raise LocalError(what, cause=f"not within {LOST_S:.0f} s; the last row was {last}") from None
        return found

    async def sign(self, row: dict[str, Any], typed: str = "") -> None:
        """A post of the row signs what it asks for."""
        self.signed_tasks.add(row["task"])
        await self.give(row["posts"][0], self.signed(row, typed))

    def signed(self, row: dict[str, Any], typed: str = "") -> bytes:
        """The signed message with which the first post of a row answers."""
        seat: Seat = self._seats[row["posts"][0]]
        return answer(row["answer"], "concur", seat, time.time_ns(), typed)

    async def give(self, post: str, raw: bytes) -> None:
        """Gives a post's message to the node. Raises LocalError when it is refused."""
        (taken,) = await self.client.give([Received(party=f"post:{post}", number=0, raw=raw)])
        if taken.outcome != "accepted":
            raise LocalError("answer", subject=post, cause=f"{taken.outcome}: {taken.reason}")


async def _round(
    desk: _Desk, joined: Coalition, node: NodeDir, seed: int, number: int, kill: Callable[[], None]
) -> _Taken:
    """An alert to all last hops, and its end."""
    looks = detections(joined.scenario.sensors[0], seed, number, time.time_ns())
    for look in looks:
        await desk.client.give([look])
    begun = time.time() * 1000.0 - 1000.0

    alert: dict[str, Any] | None = None
    while alert is None:
        row = await desk.until(
            "task",
            lambda row: (
                row["action"] in ("originate-alert", "approve-alert")
                and row["time_ms"] >= begun
                and row["task"] not in desk.signed_tasks
            ),
            f"be asked for alert number {number + 1}",
        )
        await desk.sign(row, row["answer"].get("confirm", ""))
        if row["action"] == "approve-alert":
            alert = await desk.until(
                "alert", lambda row: row["alert_type"] == "Alert" and row["sent_ms"] >= begun, "alert"
            )
    hops = joined.scenario.relays[0].last_hops

    def reached(row: dict[str, Any]) -> bool:
        received = sum(one["received"] for one in row.get("rosters", ()))
        return bool(row["id"] == alert["id"] and received >= hops)

    await desk.until("alert-reach", reached, "let the alert come to all last hops")
    correction = await desk.until(
        "correction",
        lambda row: row["of"] == alert["identifier"] and row["reason"] == "false" and row["state"] == "ready",
        "have the correction ready",
    )
    raw = desk.signed(correction)
    kill()
    begun_ns = time.time_ns()
    await desk.give(correction["posts"][0], raw)
    end = await desk.until(
        "alert",
        lambda row: row["alert_type"] == "Cancel" and alert["identifier"] in row["references"],
        "take it back",
    )
    with contextlib.suppress(LocalError):
        await desk.until(
            "alert-reach",
            lambda row: (
                row["id"] == end["id"] and sum(one["received"] for one in row.get("rosters", ())) >= hops
            ),
            "correct",
        )
    every = _reaches(node)
    told = next(one for one in every if one.identifier == alert["identifier"])
    ended = next(one for one in every if one.identifier == end["identifier"])
    had = {name: roster.received for name, roster in told.rosters.items()}
    late_s = (ended.sent_ns - begun_ns) / NS_PER_S
    sames = [one for one in same_sets(every) if one.identifier == end["identifier"]]
    even = sum(1 << hop for hop in range(0, hops, 2))
    halves = [{name: bits & half for name, bits in had.items()} for half in (even, even << 1)]
    by_socket_s, signing_s = ([took + late_s for took in ended.times_s(half)] for half in halves)
    return _Taken(
        by_socket_s=by_socket_s,
        signing_s=signing_s,
        signed=sum(one.signed.bit_count() for one in ended.rosters.values()),
        times_s=[took + late_s for took in ended.times_s(had)],
        had=told.received,
        equal=bool(sames) and all(one.equal for one in sames),
    )


def _reaches(node: NodeDir) -> tuple[Reached, ...]:
    with RecordFile(node.record_path) as file:
        return reaches(open_log(node.config.node, file.records()))

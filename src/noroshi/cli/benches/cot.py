"""The `cot` benchmark: one event to many clients of Cursor on Target, beside the server that the peers' users run.

A node as it ships, a process of its own with its record on disk, serves a group on plain TCP; taky serves the same
clients with the same events in the same run, one after the other. Clients are plain TCP readers in a third process
(`cot_load`), whose own queues are in the figures of both. Then, of the node alone: more clients than taky can have, some
that never read, and some that send what is no event.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from noroshi.cli.benches.report import Result, result
from noroshi.cli.benches.three_nodes import coalition, directories
from noroshi.errors import LocalError, OperatorError
from noroshi.service.cot_config import CotConfig, CotGroup, CotServer
from noroshi.service.ports import free_ports
from noroshi.service.supervisor import Supervisor

NODE = "jpn"
RATE = 10.0
"""Events a second: what the reference figures of the peers were taken at."""

SLOW, MALFORMED = 5, 60
SLOW_PADDING = 8_000
"""Bytes more in an event for clients that never read: their buffers are full within seconds."""

SLOW_RATE = 60.0
START_S = 20.0
LOAD_S = 240.0

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Size:
    """runs: of both servers in turn with `beside` clients; many: clients of the node alone; others: beside odd ones."""

    runs: int
    beside: int
    many: int
    others: int
    seconds: float


FULL = Size(runs=3, beside=1_000, many=5_000, others=200, seconds=10.0)
QUICK = Size(runs=1, beside=100, many=200, others=20, seconds=0.7)


def run(*, quick: bool, seed: int, progress: Note, size: Size | None = None) -> list[Result]:
    """All rows of the benchmark. Raises OperatorError when the peer is not installed or files are too few."""
    try:
        version = importlib.metadata.version("taky")
    except importlib.metadata.PackageNotFoundError:
        raise OperatorError(
            "run the benchmark",
            subject="cot",
            cause="taky is not installed",
            hint="pip install noroshi[bench]",
        ) from None
    size = size or (QUICK if quick else FULL)
    _raise_file_limit(size.many + 512)
    with tempfile.TemporaryDirectory(prefix="noroshi-bench-") as folder:
        return asyncio.run(_rows(size, version, Path(folder), progress))


async def _rows(size: Size, version: str, folder: Path, progress: Note) -> list[Result]:
    ours: list[dict[str, Any]] = []
    theirs: list[dict[str, Any]] = []
    async with _node(folder / "node") as port:
        for number in range(size.runs):
            progress(f"cot: run {number + 1} of {size.runs}, {size.beside} clients of taky and of a node")
            async with _taky(folder / f"taky-{number}") as peer:
                theirs.append(await _load(peer, size.beside, size.seconds))
            ours.append(await _load(port, size.beside, size.seconds))
        progress(f"cot: {size.many} clients of a node")
        many = await _load(port, size.many, size.seconds)
        progress(
            f"cot: {size.others} clients beside {SLOW} that never read, and {MALFORMED} that send no events"
        )
        slow = await _load(
            port,
            size.others,
            size.seconds,
            "--slow",
            str(SLOW),
            "--rate",
            str(SLOW_RATE),
            "--padding",
            str(SLOW_PADDING),
        )
        odd = await _load(port, size.others, size.seconds, "--malformed", str(MALFORMED))
    rows = [
        _delay(
            f"{share} of the delay, {size.beside} clients", name, ours, theirs, version, must=name == "p99_ms"
        )
        for share, name in (("median", "p50_ms"), ("p99", "p99_ms"), ("worst", "max_ms"))
    ]
    rows.append(
        result(
            "cot", f"events not delivered, {size.beside} clients", [_lost(one) for one in ours], "events",
            peer="taky", peer_version=version, peer_values=[_lost(one) for one in theirs],
            must="0", holds=lambda value, _: value == 0.0,
        )
    )  # fmt: skip
    rows += [
        result("cot", f"clients held at once, of {size.many}", [many["held"]], "clients",
               must=f"{size.many}", holds=lambda value, _: value >= size.many),
        result("cot", f"events not delivered, {size.many} clients", [_lost(many)], "events",
               must="0", holds=lambda value, _: value == 0.0),
        result("cot", f"p99 of the delay, {size.many} clients", [many["p99_ms"] or 0.0], "ms"),
        result("cot", f"events not delivered beside {SLOW} that never read", [_lost(slow)], "events",
               must="0", holds=lambda value, _: value == 0.0),
        result("cot", f"p99 of the delay beside {SLOW} that never read", [slow["p99_ms"] or 0.0], "ms"),
        result("cot", f"events not delivered beside {MALFORMED} that send no events", [_lost(odd)], "events",
               must="0", holds=lambda value, _: value == 0.0),
        result("cot", f"of those {MALFORMED}, cut off", [float(odd["odd_ended"])], "clients"),
        result("cot", f"p99 of the delay beside {MALFORMED} that send no events", [odd["p99_ms"] or 0.0], "ms"),
    ]  # fmt: skip
    return rows


def _delay(
    measure: str,
    name: str,
    ours: list[dict[str, Any]],
    theirs: list[dict[str, Any]],
    version: str,
    *,
    must: bool,
) -> Result:
    return result(
        "cot", measure, [one[name] for one in ours], "ms", peer="taky", peer_version=version,
        peer_values=[one[name] for one in theirs if one[name] is not None],
        must="below taky's" if must else "",
        holds=(lambda _, ratio: ratio is not None and ratio < 1.0) if must else None,
    )  # fmt: skip


def _lost(seen: dict[str, Any]) -> float:
    """Events that a client should have had and did not have."""
    return float(seen["wanted"] - seen["got"])


@asynccontextmanager
async def _node(folder: Path) -> AsyncIterator[int]:
    """A node that serves one group on plain TCP; its port."""
    made = next(one for one in directories(coalition(), folder) if one.config.node == NODE)
    (port,) = free_ports(1)
    cot = CotConfig(
        groups=(CotGroup(name="bench", partners=(made.config.partner,), share_positions=True),),
        servers=(CotServer(group="bench", port=port),),
        per_address=10_000,
    )
    made = made.with_config(msgspec.structs.replace(made.config, cot=cot))
    async with Supervisor({NODE: made.path}, restart=False):
        yield port


@asynccontextmanager
async def _taky(folder: Path) -> AsyncIterator[int]:
    """Taky on plain TCP; its port. Raises LocalError when it does not listen."""
    folder.mkdir()
    (port,) = free_ports(1)
    text = (
        f"[taky]\nbind_ip = 127.0.0.1\nhostname = localhost\nroot_dir = {folder}\n[cot_server]\nport = {port}\n"
        f"[dp_server]\nupload_path = {folder}\n[ssl]\nenabled = false\n"
    )
    (folder / "taky.conf").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "taky.cot", "-l", "error", "-c", str(folder / "taky.conf")]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    ) as process:
        try:
            await _until_open(port)
            yield port
        finally:
            process.kill()


async def _until_open(port: int) -> None:
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    raise LocalError("start taky", subject=f"port {port}", cause=f"it does not listen after {START_S:.0f} s")


async def _load(port: int, clients: int, seconds: float, *more: str) -> dict[str, Any]:
    """What a load of clients saw. Raises LocalError when it does not end."""
    arguments = [str(port), "--clients", str(clients), "--rate", str(RATE), "--seconds", str(seconds)]
    arguments += ["--settle", str(min(1.0, seconds / 3)), *more]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "noroshi.cli.benches.cot_load",
        *arguments,
        stdout=subprocess.PIPE,
        env=dict(os.environ),
    )
    try:
        async with asyncio.timeout(LOAD_S):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise LocalError("load a server", subject=" ".join(arguments), cause="it did not end") from None
    seen: dict[str, Any] = json.loads(said)
    return seen


def _raise_file_limit(files: int) -> None:
    """So many files for this process and those that it starts. Raises OperatorError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= files:
        return
    if hard != resource.RLIM_INFINITY and hard < files:
        raise OperatorError(
            "run the benchmark",
            subject="cot",
            cause=f"a process may have {hard} files open",
            hint=f"`ulimit -n {files}`",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))

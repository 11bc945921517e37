"""One node as one process: opens the record, takes the node from it, listens, works until it is told to stop.

Rules: whatever keeps it from starting is one sentence for the operator (exit 2) and leaves nothing half
begun. SIGTERM and SIGINT stop it after the commit under way; SIGKILL loses nothing that anybody was told of.
When it listens it prints one JSON line on standard output, which a supervisor waits for; notes go to standard
error.

    run_node("jpn")                      # blocks; raises NoroshiError
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from starlette.routing import BaseRoute

from noroshi.errors import LocalError
from noroshi.log import Record, Snapshot
from noroshi.messages.envelope import SCHEMA_VERSION
from noroshi.node.inputs import ClockStepped, Commit, Genesis, LinkChanged
from noroshi.service import node_dir, restored_backups
from noroshi.service.alert_files import AlertFiles
from noroshi.service.cap_entrance import Entrance
from noroshi.service.cap_feeds import CapFeeds
from noroshi.service.cap_http import cap_routes
from noroshi.service.cap_serving import CapServer
from noroshi.service.cap_signing import CapSigner, read_signer
from noroshi.service.control_files import ControlFiles
from noroshi.service.cot_gateway import CotGateway
from noroshi.service.hello import hello
from noroshi.service.http import PAGE, Pages, application
from noroshi.service.http_door import http_door
from noroshi.service.interpreter import settle
from noroshi.service.links import NodeLinks
from noroshi.service.node_config import NodeConfig
from noroshi.service.node_dir import NodeDir
from noroshi.service.passkey_http import PasskeyPages
from noroshi.service.ports import listen_on
from noroshi.service.relay_server import RelayServer
from noroshi.service.resources import packaged_places, page_directory
from noroshi.service.shell import Core, NodeShell
from noroshi.service.sqlite_store import Budget, SqliteStore
from noroshi.service.staff_stream import StaffStream
from noroshi.service.starting import Replaying, core_of

FAILED_READS_S = 30.0
"""How long a node whose disk has failed still serves what it holds, so that its staff can read why."""

LAST_WORDS_S = 1.0
"""How long the last counts of what was refused may take to be durable."""

MAX_CLIENT_FRAME_BYTES = 65_536
MAX_HEADER_BYTES = 16_384
PAGE_STOP_S = 2

Note = Callable[[str], None]


class Cores(Replaying, Protocol):
    """Makes the core of a node; a test may hand in another one."""

    attribution: str

    def begin(self, now_ns: int, genesis: Genesis) -> tuple[Core, Commit]: ...


class RealCores:
    """Makes `noroshi.node.Node`, with the node's own secrets and the packaged table of places."""

    def __init__(self, directory: NodeDir) -> None:
        # Numerical code takes a second to import: only a process that runs a node pays for it.
        from noroshi.geo.places import decode
        from noroshi.node.outlook import rehearse

        self._secrets = directory.secrets()
        self._places = decode(packaged_places())
        rehearse(self._places)
        self.attribution = self._places.attribution

    def begin(self, now_ns: int, genesis: Genesis) -> tuple[Core, Commit]:
        from noroshi.node import Node

        return Node.begin(now_ns, genesis, self._secrets, self._places)

    def replay(self, subject: str, records: Iterable[Record]) -> Core:
        from noroshi.node import Node

        return Node.replay(subject, records, self._secrets, self._places)

    def restore(self, subject: str, snapshot: Snapshot, records: Iterable[Record]) -> Core:
        from noroshi.node import Node

        return Node.restore(subject, snapshot, records, self._secrets, self._places)


def run_node(
    path: Path | str,
    *,
    watch_stdin: bool = False,
    cores: Callable[[NodeDir], Cores] = RealCores,
    say: Callable[[str], None] = lambda text: print(text, flush=True),
    note: Note | None = None,
) -> None:
    """Runs the node in this directory until it is told to stop.

    watch_stdin: stop also when standard input ends, as it does when the process that started this one dies.
    say: takes the ready line; note: takes what an operator should know. Raises NoroshiError when it cannot
    start, or when its disk has failed.
    """
    directory = node_dir.load(path)
    name = directory.config.node
    notes = note or (lambda text: print(f"{name}: {text}", file=sys.stderr, flush=True))
    genesis = directory.genesis()
    made = cores(directory)
    config = directory.config
    budget = Budget(config.record.budget_bytes, config.record.reserve_bytes)
    with restored_backups.keeping(directory.path):
        opened = SqliteStore.open(directory.record_path, realm=config.realm, node=config.node, budget=budget)
    with opened as store:
        process = NodeProcess(directory, genesis, store, made, notes)
        asyncio.run(process.run(say, watch_stdin=watch_stdin))


class NodeProcess:
    """Everything of one running node, put together."""

    def __init__(
        self, directory: NodeDir, genesis: Genesis, store: SqliteStore, cores: Cores, note: Note
    ) -> None:
        self._directory = directory
        self._genesis = genesis
        self.store = store
        self._cores = cores
        self._note = note
        self._stop = asyncio.Event()

    async def run(self, say: Callable[[str], None], *, watch_stdin: bool = False) -> None:
        """Starts, says so, works, stops. Raises NoroshiError."""
        config, clock = self._directory.config, self._directory.config.clock.clock()
        signer = self._signer(clock.now_ns())
        page_socket = listen_on(config.page.host, config.page.port, "the page", "page.port")
        cap_socket = _cap_socket(config)
        with contextlib.closing(page_socket), contextlib.closing(cap_socket) if cap_socket else nullcontext():
            begun = time.monotonic()
            core, restarted = self._core(clock.now_ns())
            settle()
            replayed_s = time.monotonic() - begun
            shell = NodeShell(
                core,
                self.store,
                clock,
                recover=self._restored,
                note=self._note,
                disk=self.store,
                quotas=config.quotas,
                retention_every_s=config.record.retention_every_s,
                last_ns=self._last_ns(),
            )
            stream = StaffStream(shell)
            greeting = hello(self._genesis, config, self._cores.attribution)
            pages = Pages(shell, stream, config, greeting, page_directory())
            links = NodeLinks(shell, self._directory, self._note)
            relays = RelayServer(shell, self._directory, self._note)
            gateway = CotGateway(shell, self._directory, self._note)
            cap_feeds = CapFeeds(shell, self._directory, self._note)
            entrances = cap_routes(shell, config, Entrance.of(config.cap_hand, self._directory.path))
            persons = PasskeyPages(shell, self._directory).routes()
            server = _server(pages, self._directory, (*entrances, *persons))
            with _signals(self.stop), _parent(self.stop) if watch_stdin else nullcontext():
                working = asyncio.ensure_future(shell.run())
                tasks = [
                    asyncio.ensure_future(part)
                    for part in (
                        stream.run(),
                        AlertFiles(shell, self._directory.alerts_path, self._note).run(),
                        ControlFiles(shell, self._directory, self._note).run(),
                        cap_feeds.run(),
                        gateway.run(),
                        shell.doors.run(),
                        CapServer(shell, config, self._note, signer).run(cap_socket),
                        server.serve(sockets=[page_socket]),
                    )
                ]
                try:
                    if restarted:
                        self._links_are_down(shell)
                    if shell.clock_error_ns:
                        shell.offer(ClockStepped(by_ns=0, error_ns=shell.clock_error_ns))
                    await links.start()
                    await relays.start()
                    await gateway.start()
                    restored_backups.tell(shell.doors, self._directory.path)
                    say(self._ready(replayed_s))
                    await self._work(shell, working, tasks, links)
                finally:
                    await gateway.close()
                    await relays.close()
                    await self._end(shell, working, pages, links, server, tasks)

    def stop(self) -> None:
        """Ends `run` after the commit under way."""
        self._stop.set()

    def _signer(self, now_ns: int) -> CapSigner | None:
        """What signs the alerts that are served, if anything does."""
        served = self._directory.config.cap_feed
        if served is None or served.sign is None:
            return None
        signer = read_signer(self._directory.path, served.sign)
        if warning := signer.warning(now_ns):
            self._note(warning)
        return signer

    def _core(self, now_ns: int) -> tuple[Core, bool]:
        """The node as its record has it, or a new one whose first record is then durable."""
        if self.store.status().records:
            own = self._directory
            with restored_backups.keeping(own.path):
                restored_backups.check_first(self.store, own.record_path, own.config.realm, own.config.node)
            core = self._restored()
            if self.store.head.messages < SCHEMA_VERSION:
                self.store.take_over()
                self._note(
                    "an older version wrote this record; from here on only this version or a newer one can"
                )
            return core, True
        core, commit = self._cores.begin(now_ns, self._genesis)
        self.store.append([commit.batch])
        return core, False

    def _restored(self) -> Core:
        return core_of(self.store, self._cores, str(self._directory.record_path), self._note)

    def _last_ns(self) -> int:
        """The time of the last record."""
        last = next(self.store.records(self.store.status().records - 1), None)
        return last.now_ns if last is not None else 0

    def _links_are_down(self, shell: NodeShell) -> None:
        """What the node knew of its links ended with the process before this one."""
        for partner in shell.neighbours:
            shell.offer(LinkChanged(party=f"partner:{partner}", state="down"))

    def _ready(self, replayed_s: float) -> str:
        config, status = self._directory.config, self.store.status()
        return json.dumps(
            {
                "ready": True,
                "node": config.node,
                "partner": config.partner,
                "realm": config.realm,
                "pid": os.getpid(),
                "page": self._directory.page_address,
                "link": f"{config.link.host}:{config.link.port}",
                "records": status.records,
                "replayed_s": round(replayed_s, 3),
                "sqlite": status.library,
            }
        )

    async def _work(
        self,
        shell: NodeShell,
        working: asyncio.Future[None],
        tasks: Sequence[asyncio.Future[None]],
        links: NodeLinks,
    ) -> None:
        """Until somebody stops the node or a part of it fails."""
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            parts: list[asyncio.Future[Any]] = [working, stopping, *tasks]
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            if working.done() and working.exception() is not None:
                self._note(f"{working.exception()}; inputs are refused, what is held can be read for a while")
                await links.close()
                await asyncio.wait([stopping], timeout=FAILED_READS_S)
            for task in tasks:
                if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                    raise error
        finally:
            stopping.cancel()

    async def _end(
        self,
        shell: NodeShell,
        working: asyncio.Future[None],
        pages: Pages,
        links: NodeLinks,
        server: uvicorn.Server,
        tasks: Sequence[asyncio.Future[None]],
    ) -> None:
        """Stops everything in order; raises the error that ended the shell, if there was one."""
        await links.close()
        if told := shell.doors.tell(last=True):
            await asyncio.wait(told, timeout=LAST_WORDS_S)
        shell.stop()
        await asyncio.wait([working])
        await pages.close()
        server.should_exit = True
        await asyncio.wait(tasks[-1:], timeout=PAGE_STOP_S + 1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if not working.cancelled() and isinstance(error := working.exception(), LocalError):
            raise error


def _cap_socket(config: NodeConfig) -> socket.socket | None:
    """Where the node's own public alerts are asked for, if anywhere."""
    served = config.cap_feed
    return (
        None if served is None else listen_on(served.host, served.port, "the feed of alerts", "cap_feed.port")
    )


class _Server(uvicorn.Server):
    """Leaves the process's signals to the process."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # uvicorn's is a generator
        return nullcontext()


def _server(pages: Pages, directory: NodeDir, entrances: Iterable[BaseRoute]) -> uvicorn.Server:
    config = uvicorn.Config(
        application(pages, directory.config, page_directory(), entrances),
        log_config=None,
        log_level="error",
        access_log=False,
        lifespan="off",
        http=http_door(PAGE, pages.doors),
        ws_max_size=MAX_CLIENT_FRAME_BYTES,
        ws_per_message_deflate=False,  # costs memory for each client, and lengths would tell of contents
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_graceful_shutdown=PAGE_STOP_S,
        server_header=False,
        proxy_headers=False,
    )
    return _Server(config)


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGTERM, signal.SIGINT)
    for one in wanted:
        loop.add_signal_handler(one, stop)
    try:
        yield
    finally:
        for one in wanted:
            loop.remove_signal_handler(one)


@contextlib.contextmanager
def _parent(stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` when standard input ends."""
    loop = asyncio.get_running_loop()
    handle = sys.stdin.fileno()

    def readable() -> None:
        if not os.read(handle, 4096):
            loop.remove_reader(handle)
            stop()

    loop.add_reader(handle, readable)
    try:
        yield
    finally:
        loop.remove_reader(handle)

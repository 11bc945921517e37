"""The gateway for Cursor on Target: its servers, its groups, and what the operator is told of them.

The groups that `node.json` sets down are given to the node first, on its record; each then has an outbox, which is all
that its clients are ever sent. A connection is taken, counted and put through its handshake in a task of its own; too
many from one address, or in all, are refused before that.

    gateway = CotGateway(shell, directory, note)
    await gateway.start()                # raises OperatorError, InputError
    await gateway.close()
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from functools import partial

from noroshi.errors import InputError, LocalError, OperatorError
from noroshi.messages import key_id
from noroshi.node.inputs import Gateways, GroupHeard, GroupRow
from noroshi.service.cot_certificates import CotKeys
from noroshi.service.cot_client import CotConnection
from noroshi.service.cot_config import CotConfig, CotServer
from noroshi.service.cot_feed import GroupFeed
from noroshi.service.cot_words import GroupWords
from noroshi.service.key_files import Key, read_key
from noroshi.service.node_config import NodeConfig
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import listen_on
from noroshi.service.shell import NodeShell

HANDSHAKE_S = 5.0
"""Longest TLS handshake."""

ACCEPTED_AT_ONCE = 64
"""Connections that are taken before others have their turn."""

FULL_PAUSE_S = 0.5
"""How long nobody is taken when this process has no file descriptors left."""

LOOK_S = 1.0
NEWS_S = 5.0
"""How often slow clients are looked for, and counts go to the operator if they have changed."""

SPARE_FILES = 256
"""File descriptors that the node needs beside its clients."""

SAID_AGAIN_S, TENFOLD = 600.0, 10
"""A count is said again when there are ten times as many, or after so long: a flood is no timeline."""

TOLD = ("refused:", "malformed:", "cut-off:")
"""Counts that are news for the operator."""

REFUSED = ("refused", "malformed", "repeated")
"""Counts that stand among those of all refusals as well."""


class CotGateway:
    """All servers of one node."""

    def __init__(self, shell: NodeShell, directory: NodeDir, note: Callable[[str], None]) -> None:
        self._shell = shell
        self._directory = directory
        self._config: CotConfig = directory.config.cot
        self._note = note
        self._feeds: dict[str, GroupFeed] = {}
        self._words: dict[str, GroupWords] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._sockets: list[socket.socket] = []
        self._handshakes: set[asyncio.Task[None]] = set()
        self._connections: dict[CotConnection, str] = {}
        self._addresses: Counter[str] = Counter()
        self._begun = asyncio.Event()
        self._told: dict[str, tuple[int, dict[str, int]]] = {}
        self._news: dict[tuple[str, str], tuple[int, float]] = {}

    async def start(self) -> None:
        """Listens. Raises OperatorError for a taken port, InputError for a key or certificate that cannot be used."""
        config, node = self._config, self._directory.config
        if not config.groups and not self._has_groups():
            return
        keys = self._keys()
        await self._shell.give(Gateways(groups=tuple(_row(config, one.name, keys) for one in config.groups)))
        _raise_file_limit(config.max_clients)
        for group in config.groups:
            feed = GroupFeed(self._shell, group.name, self._note, moved_of(node))
            self._feeds[group.name] = feed
            self._words[group.name] = GroupWords(
                self._shell, feed, group, config.clients, keys, node.realm, node.node
            )
            self._tasks.append(asyncio.ensure_future(feed.run()))
        await asyncio.sleep(0)
        for place, server in enumerate(config.servers):
            self._listen(place, server)
        self._tasks.append(asyncio.ensure_future(self._tend()))
        self._begun.set()

    async def run(self) -> None:
        """Until cancelled; raises what ended a part of it."""
        await self._begun.wait()
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Says goodbye to all clients and stops listening."""
        loop = asyncio.get_running_loop()
        for one in self._sockets:
            loop.remove_reader(one)
            one.close()
        for connection in list(self._connections):
            connection.cut("stopping", "the node is stopping")
        for task in (*self._tasks, *self._handshakes):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._handshakes, return_exceptions=True)

    def counts(self, group: str) -> Counter[str]:
        """What has been counted of a group since the start, by reason."""
        return self._feeds[group].counts

    # --- accepting ------------------------------------------------------------------------------------------------

    def _listen(self, place: int, server: CotServer) -> None:
        context = None
        if server.is_encrypted:
            context = CotKeys(self._directory.path).server_context()
        made = listen_on(
            server.host, server.port, "clients of Cursor on Target", f"cot.servers[{place}].port"
        )
        made.listen(4096)
        self._sockets.append(made)
        asyncio.get_running_loop().add_reader(made, self._accept, made, server, context)

    def _accept(self, listening: socket.socket, server: CotServer, context: ssl.SSLContext | None) -> None:
        """Takes those who wait, each in a task of its own."""
        feed = self._feeds[server.group]
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                feed.counts["refused:no-files"] += 1
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening)
                loop.call_later(FULL_PAUSE_S, self._accept_again, listening, server, context)
                return
            host = str(address[0])
            waiting = len(self._connections) + len(self._handshakes)
            if waiting >= self._config.max_clients or self._addresses[host] >= self._config.per_address:
                full = waiting >= self._config.max_clients
                feed.counts["refused:full" if full else "refused:too-many-from-one-address"] += 1
                accepted.close()
                continue
            accepted.setblocking(False)
            self._addresses[host] += 1
            task = asyncio.ensure_future(self._begin(accepted, host, server, context))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    def _accept_again(
        self, listening: socket.socket, server: CotServer, context: ssl.SSLContext | None
    ) -> None:
        with contextlib.suppress(ValueError, OSError):
            asyncio.get_running_loop().add_reader(listening, self._accept, listening, server, context)

    async def _begin(
        self, accepted: socket.socket, host: str, server: CotServer, context: ssl.SSLContext | None
    ) -> None:
        feed = self._feeds[server.group]
        connection = CotConnection(
            feed, self._words[server.group], server, self._directory.config.realm, self._gone
        )
        self._connections[connection] = host
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, accepted, ssl=context,
                ssl_handshake_timeout=HANDSHAKE_S if context is not None else None,
            )  # fmt: skip
        except (OSError, ssl.SSLError, TimeoutError):
            feed.counts["refused:handshake"] += 1
            self._gone(connection)
            accepted.close()

    def _gone(self, connection: CotConnection) -> None:
        host = self._connections.pop(connection, None)
        if host is not None:
            self._addresses[host] -= 1
            if not self._addresses[host]:
                del self._addresses[host]

    # --- what the operator is told --------------------------------------------------------------------------------

    async def _tend(self) -> None:
        loop = asyncio.get_running_loop()
        told_s = loop.time()
        while True:
            await asyncio.sleep(LOOK_S)
            now_s = loop.time()
            for connection in list(self._connections):
                connection.look(now_s)
            if now_s >= told_s + NEWS_S:
                told_s = now_s
                for feed in self._feeds.values():
                    self._tell(feed)

    def _tell(self, feed: GroupFeed) -> None:
        """Gives the node a group's counts, where they say something new beside that events were sent."""
        clients, counts = len(feed.clients), {name: feed.counts[name] for name in sorted(feed.counts)}
        before = self._told.get(feed.group, (0, {}))
        said = {name: count for name, count in counts.items() if name not in ("sent", "relayed", "conflated")}
        if (clients, said) == before:
            return
        news = [
            f"{count - before[1].get(name, 0)} {name.replace(':', ': ')}"
            for name, count in said.items()
            if name.startswith(TOLD)
            and count > before[1].get(name, 0)
            and self._is_news(feed.group, name, count)
        ]
        self._told[feed.group] = (clients, said)
        for name, count in said.items():
            new = count - before[1].get(name, 0)
            if new and name.partition(":")[0] in REFUSED:
                self._shell.doors.count("cot", feed.group, name.removeprefix("refused:"), new)
        with contextlib.suppress(LocalError):  # a node that takes nothing more need not hear of its clients
            self._shell.offer(
                GroupHeard(group=feed.group, clients=clients, counts=counts, news=", ".join(news))
            )

    def _is_news(self, group: str, name: str, count: int) -> bool:
        """Whether a count is worth a sentence: the first, ten times as many, or again after some quiet minutes."""
        now_s = asyncio.get_running_loop().time()
        before, at_s = self._news.get((group, name), (0, -SAID_AGAIN_S))
        if count < TENFOLD * before and now_s < at_s + SAID_AGAIN_S:
            return False
        self._news[group, name] = count, now_s
        return True

    # --- inside -----------------------------------------------------------------------------------------------------

    def _has_groups(self) -> bool:
        """Whether the record knows of groups that are set down no more."""
        streams = getattr(self._shell.store, "streams", None)
        return streams is not None and any(one.startswith("gateway:cot-") for one in streams())

    def _keys(self) -> dict[str, Key]:
        """The keys with which the gateway signs for posts. Raises InputError."""
        found: dict[str, Key] = {}
        for client in self._config.clients:
            if not client.post or client.post in found:
                continue
            path = CotKeys(self._directory.path).post_key(client.post)
            key = read_key(path)
            if (key.role, key.subject, key.realm) != ("post", client.post, self._directory.config.realm):
                raise InputError(str(path), None, "subject", f"it is no key of {client.post} in this realm")
            found[client.post] = key
        return found


def moved_of(config: NodeConfig) -> Callable[[int], int] | None:
    """From the time of a node's clock to that of its clients' clocks; None where it is the same."""
    clock = config.clock
    if clock.mode == "real":
        return None
    return partial(_moved, clock.start_ns, clock.anchor_unix_ns, clock.speed)


def _moved(start_ns: int, anchor_unix_ns: int, speed: float, time_ns: int) -> int:
    return anchor_unix_ns + round((time_ns - start_ns) / speed)


def _row(config: CotConfig, group: str, keys: dict[str, Key]) -> GroupRow:
    found = config.group(group)
    assert found is not None
    posts = tuple((post, key_id(keys[post].public)) for post in config.posts_of(group))
    return GroupRow(name=group, partners=tuple(sorted(set(found.partners))), posts=posts, whole=True)


def _raise_file_limit(clients: int) -> None:
    """Lets this process have as many files as its clients need. Raises OperatorError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = clients + SPARE_FILES
    if soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise OperatorError(
            "serve clients of Cursor on Target", subject=f"cot.max_clients = {clients}",
            cause=f"this process may have {hard} files open", hint="raise the limit (`ulimit -n`), or lower max_clients",
        )  # fmt: skip
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

"""One crisis through real processes of several versions: a flight, posts that answer at once, words, a recall.

async with crisis(tmp_path, {"usa"}) as play:      # the United States' node is the older one
    await play.see()
    await play.until("kor", "alert")
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from noroshi.clock import seconds
from noroshi.command.posts import Seat, answer
from noroshi.log import Record
from noroshi.messages import KINDS, Ed25519, Envelope, Unverified, derive, key_id, label_for
from noroshi.messages.bodies import Body, RecallBody, RemarkBody
from noroshi.messages.bodies_counts import CountBody
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import Signed, signing_bytes
from noroshi.messages.signing import ID_BYTES
from noroshi.node.inputs import Answer, Received, decode_input
from noroshi.service import node_dir
from noroshi.service.client import NodeClient
from noroshi.service.node_config import ClockConfig
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.record_file import RecordFile
from noroshi.service.supervisor import Supervisor
from tests.node.scene import coalition_of, looks_of
from tests.versions.frozen import OLD, environment, today, unpacked

STRUCTURE, THIN, SEEN_S = "trilateral", 8, 105.0
"""Of the flight: every eighth look until Japan warns. The nodes are started when that much of it is over."""

WATCH = {"jpn": "jp-cabsec.watch", "usa": "us-indopacom.watch", "kor": "kr-jcs.watch"}
"""Of each node a post with the duty to watch."""

EVERYBODY = ("JPN", "KOR", "USA")
DONE_AT_ONCE = frozenset({"originate-alert", "approve-alert", "acknowledge", "request", "concur"})
WITHIN_S = 90.0
"""How long anything may take: the machine may be busy with other tests."""

Row = dict[str, Any]


class Desk:
    """The posts of one node: they see what the staff see, and do at once what a task asks."""

    def __init__(self, directory: NodeDir, seats: Mapping[str, Seat]) -> None:
        self.rows: dict[int, Row] = {}
        self._directory = directory
        self._seats = seats
        self._clock = directory.config.clock.clock()
        self._news = asyncio.Event()
        self.client = NodeClient(
            directory.page_address, page_token=directory.page_token(), feed_token=directory.feed_token()
        )
        self._tasks = [
            asyncio.create_task(self.client.follow(self._shown)),
            asyncio.create_task(self._work()),
        ]

    def _shown(self, number: int, row: Row) -> None:
        self.rows[number] = row
        self._news.set()

    async def _work(self) -> None:
        done: set[str] = set()
        while True:
            await self._news.wait()
            self._news.clear()
            for row in self.of("task"):
                if row["state"] == "open" and row["action"] in DONE_AT_ONCE and row["task"] not in done:
                    done.add(row["task"])
                    post = row["posts"][0]
                    raw = answer(row["answer"], "concur", self._seats[post], self._clock.now_ns())
                    await self.give(post, raw)

    async def give(self, post: str, raw: bytes) -> Answer:
        async with asyncio.timeout(WITHIN_S):  # a client waits for ever while its node is away
            (answered,) = await self.client.give([Received(party=f"post:{post}", number=0, raw=raw)])
        return answered

    def of(self, *types: str) -> list[Row]:
        """What the staff were shown, of these types."""
        return [row for _, row in sorted(self.rows.items()) if row["type"] in types]

    async def until(self, met: Callable[[Row], bool]) -> Row:
        """The first row that is so, when it is shown."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                for _, row in sorted(self.rows.items()):
                    if met(row):
                        return row
                await asyncio.sleep(0.02)

    def sealed(
        self, post: str, body: Body, kind: str, audience: Iterable[str] = EVERYBODY, **more: Any
    ) -> tuple[bytes, bytes]:
        """A post's message and its id; `more` are fields of the payload that no version knows, or other values of it.

        The body gets a field that no version knows as well.
        """
        seat, genesis = self._seats[post], self._directory.genesis()
        own, now_ns = seat.certificate, self._clock.now_ns()
        identity = derive(seat.ids_secret, "versions", post, now_ns)[:ID_BYTES]
        envelope = Envelope(
            v=KINDS[kind].since, realm=own.realm, origin=own.partner, node=genesis.node, post=post, unit=own.unit,
            id=identity, kind=kind, time_ns=now_ns, time_error_ns=0, label=label_for(audience),
            body=msgspec.Raw(encode(body)),
        )  # fmt: skip
        fields: dict[str, Any] = msgspec.msgpack.decode(encode(envelope)) | more
        fields["body"] |= {"mood": 0.5}
        payload = encode(fields)
        signature = seat.scheme.sign(seat.secret, signing_bytes(own.realm, payload))
        return encode(Signed(payload, key_id(own.public), signature)), identity

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.close()


class Crisis:
    """The nodes' directories, processes and desks."""

    def __init__(self, directories: dict[str, NodeDir]) -> None:
        self.directories = directories
        self.nodes: dict[str, Supervisor] = {}
        self.desks: dict[str, Desk] = {}
        self.notes: list[str] = []
        self._made = coalition_of(STRUCTURE, Ed25519)

    async def start(self, name: str, surroundings: Mapping[str, str]) -> None:
        """Starts a node's process, and its posts."""
        node = Supervisor(
            {name: self.directories[name].path}, note=self._note, environment=surroundings, restart=False
        )
        await node.start()
        self.nodes[name] = node
        self.desks[name] = Desk(self.directories[name], self._made.member(name).seats)

    def _note(self, name: str, text: str) -> None:
        self.notes.append(f"{name}: {text}")

    async def stop(self, name: str) -> None:
        """Stops a node's process with SIGTERM, and its posts before."""
        await self.desks.pop(name).stop()
        await self.nodes.pop(name).stop()

    async def kill(self, name: str) -> None:
        """Ends a node's process at once."""
        self.nodes[name].kill(name)
        await self.desks.pop(name).stop()
        await self.nodes.pop(name).stop()

    async def see(self) -> None:
        """All that the radars have seen so far is given to their nodes."""
        until_ns = self._made.start_ns + seconds(SEEN_S)
        for name, desk in self.desks.items():
            seen = [look.detections for look in looks_of(STRUCTURE, THIN)
                    if look.node == name and look.time_ns < until_ns]  # fmt: skip
            async with asyncio.timeout(WITHIN_S):
                answers = await desk.client.give(seen)
            assert {one.outcome for one in answers} <= {"accepted"}, name

    async def say(self, name: str, text: str, **more: Any) -> tuple[bytes, bytes]:
        """A post's words to everybody, with fields that no version knows: the message and its id."""
        post = WATCH[name]
        raw, identity = self.desks[name].sealed(
            post, RemarkBody(unit=post.partition(".")[0], text=text), "remark", **more
        )
        assert (await self.desks[name].give(post, raw)).outcome == "accepted"
        return raw, identity

    async def count(self, name: str) -> None:
        """A post counts objects: words of a kind that the older version does not know."""
        post = WATCH[name]
        raw, _ = self.desks[name].sealed(
            post, CountBody(number=1, count=3, least=3, most=3), "count", event=b"e" * ID_BYTES
        )
        assert (await self.desks[name].give(post, raw)).outcome == "accepted"

    async def recall(self, name: str, of: bytes) -> None:
        """A post takes a message of its own side back."""
        post, partner = WATCH[name], self.directories[name].config.partner
        raw, _ = self.desks[name].sealed(post, RecallBody(of=of, step="ask"), "recall", (partner,))
        assert (await self.desks[name].give(post, raw)).outcome == "accepted"

    async def heard(self, name: str, text: str) -> Row:
        """Waits until words are shown at a node."""
        return await self.desks[name].until(lambda row: row["type"] == "remark" and row.get("text") == text)


def directories(folder: Path) -> dict[str, NodeDir]:
    """The directories of the three nodes, with a clock that stands where the flight has been seen."""
    made = coalition_of(STRUCTURE, Ed25519)
    ports = iter(free_ports(2 * len(made.members)))
    created = [
        node_dir.create(
            folder / one.node, realm=made.realm, partner=one.trigraph, node=one.node, secrets=one.secrets,
            genesis=one.genesis, link_port=next(ports), page_port=next(ports),
        )
        for one in made.members
    ]  # fmt: skip
    for one in created:
        _as_of_old(one.path / "genesis.bin")
    clock = ClockConfig(
        mode="scaled", start_ns=made.start_ns + seconds(SEEN_S), anchor_unix_ns=time.time_ns(), speed=1.0
    )
    joined = node_dir.join(created, made.members[0].genesis.wires)
    return {one.config.node: one.with_clock(clock) for one in joined}


def _as_of_old(path: Path) -> None:
    """Takes out of a first record the rules that came after the older version: nodes of either begin with the same."""
    first = msgspec.msgpack.decode(path.read_bytes())
    for name in ("edition", "receipt_within_s"):
        first["rules"].pop(name, None)
    path.write_bytes(encode(first))


@asynccontextmanager
async def crisis(folder: Path, old: Collection[str], names: Iterable[str] = WATCH) -> AsyncIterator[Crisis]:
    """These nodes as processes, `old` ones of the frozen version; all are stopped at the end."""
    play, older = Crisis(directories(folder)), environment(unpacked(OLD))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_end, play)
        await asyncio.gather(*(play.start(name, older if name in old else today()) for name in names))
        yield play


async def _end(play: Crisis) -> None:
    await asyncio.gather(*(play.stop(name) for name in list(play.nodes)))


def messages(directory: NodeDir) -> dict[tuple[str, bytes], tuple[str, bytes]]:
    """The messages on a node's record, its own and others': origin and id to kind and bytes."""
    found: dict[tuple[str, bytes], tuple[str, bytes]] = {}
    for record in records(directory):
        raw = record.body if record.type == "message" else None
        if record.type == "received":
            given = decode_input(record.body or b"")
            raw = given.raw if isinstance(given, Received) else None
        with contextlib.suppress(msgspec.MsgspecError):
            envelope = msgspec.msgpack.decode(
                msgspec.msgpack.decode(Unverified(raw or b"").raw, type=Signed).payload, type=Envelope
            )
            found.setdefault((envelope.origin, envelope.id), (envelope.kind, raw or b""))
    return found


def records(directory: NodeDir) -> list[Record]:
    """All records of a node, each checked."""
    with RecordFile(directory.record_path) as file:
        return list(file.verified())

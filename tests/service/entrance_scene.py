"""A whole real node with every door open, and hands to knock at each of them."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from noroshi.exercise.coalition import Coalition, Member, found
from noroshi.exercise.scenario import Relay
from noroshi.geo.places import decode
from noroshi.messages import Ed25519, label_for
from noroshi.messages.bodies import Body, RemarkBody
from noroshi.messages.envelope import SCHEMA_VERSION, Envelope, seal
from noroshi.messages.kinds import KINDS
from noroshi.messages.trust import Certificate
from noroshi.service import node_dir, relay_dir
from noroshi.service.cot_config import CotConfig, CotGroup, CotServer
from noroshi.service.exercise_files import PACKAGED_SCENARIO, stage
from noroshi.service.link_keys import client_context
from noroshi.service.node_config import Address, CapServed, ClockConfig
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.process import NodeProcess, RealCores
from noroshi.service.record_file import RecordFile
from noroshi.service.relay_dir import RelayDir
from noroshi.service.relay_frames import RelayHello, SaidFrame, framed
from noroshi.service.resources import packaged_places
from noroshi.service.sqlite_store import SqliteStore
from noroshi.sharing import frames
from noroshi.sharing.link import LinkSession, PeerReady
from noroshi.sharing.streams import START

POST = "jp-fdma.duty"


def coalition_here() -> Coalition:
    """Three nations with real keys, and one relay of Japan's."""
    staged = stage(PACKAGED_SCENARIO, "trilateral", None)
    relay = Relay(id="towns-a", unit="jp-fdma", roster="towns", last_hops=6, label="notional")
    return found(
        msgspec.structs.replace(staged.scenario, relays=(relay,)), staged.structure, staged.catalogue,
        entropy=bytes(range(32)), scheme=Ed25519(), places_digest=decode(packaged_places()).digest,
    )  # fmt: skip


@dataclass
class Scene:
    """What runs. peer: the directory of Korea's node, which does not run; relay: of the relay, which does not either."""

    coalition: Coalition
    place: NodeDir
    peer: NodeDir
    relay: RelayDir
    notes: list[str]

    @property
    def now_ns(self) -> int:
        return self.place.config.clock.clock().now_ns()

    def rows(self, *types: str) -> list[dict[str, Any]]:
        """What the staff were shown."""
        with RecordFile(self.place.record_path) as file:
            found = [json.loads(row.data) for row in file.outbox("staff", 0, 1_000_000)]
        return [row for row in found if row["type"] in types]

    def sealed(
        self,
        node: str,
        body: Body | bytes,
        kind: str = "remark",
        *,
        post: str = "",
        by: str = "",
        **more: Any,
    ) -> bytes:
        """A message with the real key of a node or post; by: signed by another node's key all the same."""
        member = self.coalition.member(node)
        signer = self.coalition.member(by) if by else member
        seat = signer.seats.get(post)
        secret = seat.secret if seat else signer.secrets.signing
        own = seat.certificate if seat else _card(signer)
        fields: dict[str, Any] = {
            "v": SCHEMA_VERSION,
            "realm": member.genesis.realm,
            "origin": member.genesis.partner,
            "node": node,
            "post": post,
            "unit": own.unit or member.genesis.assessing_unit,
            "id": (time.monotonic_ns()).to_bytes(16, "big"),
            "kind": kind,
            "time_ns": self.now_ns,
            "time_error_ns": 0,
            "label": label_for(("JPN", "KOR", "USA")),
            "body": msgspec.Raw(b""),
        }
        content: Any = msgspec.Raw(body) if isinstance(body, bytes) else body
        return seal(Envelope(**(fields | more)), content, own, Ed25519(), secret).raw

    def remark(self, node: str = "jpn", **more: Any) -> bytes:
        """Words of a post: nothing could be more harmless."""
        post = POST if node == "jpn" else min(self.coalition.member(node).seats)
        unit = self.coalition.member(node).seats[post].certificate.unit
        return self.sealed(node, RemarkBody(unit=unit, text="EXERCISE all is quiet"), **{"post": post} | more)

    def ask(
        self, method: str, path: str, token: str = "", body: bytes = b"", **headers: str
    ) -> tuple[int, bytes]:
        """One request. Blocks."""
        line = http.client.HTTPConnection("127.0.0.1", self.place.config.page.port, timeout=20)
        given = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            line.request(method, path, body, given | {k.replace("_", "-"): v for k, v in headers.items()})
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()

    def raw(self, port: int, data: bytes, wait_s: float = 5.0) -> bytes:
        """Bytes to a port, and all that comes back. Blocks."""
        with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as line:
            heard = b""
            with contextlib.suppress(OSError):
                line.sendall(data)
                line.shutdown(socket.SHUT_WR)
                while data := line.recv(65_536):
                    heard += data
        return heard

    @asynccontextmanager
    async def link(self) -> AsyncIterator[Link]:
        """Korea's link, with Korea's certificate and nothing of its node."""
        own = self.peer
        context = client_context(
            own.link_certificate_path, own.link_key_path, self.place.link_certificate_path.read_bytes()
        )
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.place.config.link.port, ssl=context, server_hostname=""
        )
        session = LinkSession(self.coalition.realm, own="KOR", peer="JPN", node="kor")
        writer.write(session.hello(held=START, now_ns=self.now_ns))
        held = None
        while held is None:
            for event in session.receive(await reader.read(65_536), self.now_ns):
                held = event.held if isinstance(event, PeerReady) else held
        try:
            yield Link(reader, writer, list(held.upto))
        finally:
            writer.transport.abort()

    @asynccontextmanager
    async def relay_line(
        self, **more: Any
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """The relay's line, with its certificate."""
        assert self.place.config.relays is not None
        context = client_context(
            self.relay.path / "keys" / "line.cert.pem", self.relay.path / "keys" / "line.key.pem",
            self.place.link_certificate_path.read_bytes(),
        )  # fmt: skip
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.place.config.relays.port, ssl=context, server_hostname=""
        )
        hello: dict[str, Any] = {
            "version": 1,
            "realm": self.coalition.realm,
            "relay": "towns-a",
            "after": 0,
        } | more
        writer.write(framed(RelayHello(**hello)))
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    def said(self, number: int, raw: bytes) -> bytes:
        return framed(SaidFrame(number, raw))


@dataclass
class Link:
    """A partner's connection, on which rows are numbered as they should be."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    upto: list[int]

    def row(self, raw: bytes, lane: int = KINDS["remark"].lane) -> None:
        self.upto[lane] += 1
        self.writer.write(frames.encode(frames.RowFrame(int(lane), self.upto[lane], raw)))


def _card(member: Member) -> Certificate:
    return next(
        one
        for one in member.genesis.certificates
        if one.role == "node" and one.subject == member.node and one.partner == member.genesis.partner
    )


def made(folder: Path) -> Scene:
    """The directories."""
    coalition = coalition_here()
    *four, line, hops, feed, cot = free_ports(8)
    links, pages = four[:2], four[2:]
    clock = ClockConfig(mode="scaled", start_ns=coalition.start_ns, anchor_unix_ns=time.time_ns(), speed=1.0)
    found = []
    for node, link, page in zip(("jpn", "kor"), links, pages, strict=True):
        member = coalition.member(node)
        genesis = msgspec.structs.replace(member.genesis, wires=(("jpn", "kor"),))
        found.append(
            node_dir.create(
                folder / node, realm=coalition.realm, partner=member.genesis.partner, node=node,
                secrets=member.secrets, genesis=genesis, link_port=link, page_port=page,
            ).with_clock(clock)
        )  # fmt: skip
    place, peer = node_dir.join(found)
    place = place.with_config(
        msgspec.structs.replace(
            place.config,
            relays=Address(port=line),
            cap_feed=CapServed(port=feed),
            cot=CotConfig(
                groups=(CotGroup(name="staff", partners=("JPN",)),),
                servers=(CotServer(group="staff", transport="tcp", port=cot),),
            ),
        )
    )
    ((row, seat),) = coalition.member("jpn").relays
    relay = relay_dir.create(
        folder / "towns", relay_dir.offered(place), name=row.id, unit=row.unit, roster="towns", hops=6,
        listen_port=hops, seed=seat.secret, clock=clock,
    )  # fmt: skip
    relay_dir.admit(place, relay.admission_path)
    return Scene(coalition, place, peer, relay, [])


@asynccontextmanager
async def running(scene: Scene) -> AsyncIterator[None]:
    """The node of the scene, page and links and all, in this process."""
    config = scene.place.config
    with SqliteStore.open(scene.place.record_path, realm=config.realm, node=config.node) as store:
        process = NodeProcess(
            scene.place, scene.place.genesis(), store, RealCores(scene.place), scene.notes.append
        )
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        work = asyncio.create_task(process.run(ready.set_result))
        both: list[asyncio.Future[Any]] = [work, ready]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
        try:
            yield
        finally:
            process.stop()
            await work


def counts(scene: Scene) -> dict[str, Counter[str]]:
    """What the node says that it has refused, by source, from its newest rows."""
    return {row["party"]: Counter(row["reasons"]) for row in scene.rows("refused")}


async def in_thread(work: Callable[..., Any], *args: Any, **more: Any) -> Any:
    return await asyncio.to_thread(work, *args, **more)


async def seen(met: Callable[[], bool], within_s: float = 20.0) -> None:
    """Waits for something that the record comes to say."""
    async with asyncio.timeout(within_s):
        while not met():
            await asyncio.sleep(0.1)

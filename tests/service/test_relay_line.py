"""A real node and a real relay over mutual TLS: it resumes after what it made durable, and nobody else gets in."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from pathlib import Path

import msgspec
import pytest

from noroshi.cli.main import main
from noroshi.errors import InputError, OperatorError
from noroshi.exercise.coalition import Coalition, found
from noroshi.exercise.parts import Relay
from noroshi.geo.placefile import table_path
from noroshi.geo.places import decode
from noroshi.messages import Ed25519
from noroshi.node import Node
from noroshi.service import node_dir, relay_dir
from noroshi.service.exercise_files import PACKAGED_SCENARIO, stage
from noroshi.service.last_hop import LastHop
from noroshi.service.link_keys import client_context, new_link_key
from noroshi.service.node_config import Address, ClockConfig
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.relay_dir import RelayDir
from noroshi.service.relay_listening import believed_of, made, read_hops
from noroshi.service.relay_process import RelayProcess
from noroshi.service.relay_server import RelayServer
from noroshi.service.relay_store import RelayStore
from noroshi.service.resources import packaged_places
from noroshi.service.shell import NodeShell
from noroshi.service.sqlite_store import SqliteStore
from tests.service.conftest import until

HOPS = 6


def joined() -> Coalition:
    if not table_path().is_file():
        pytest.skip("needs the table of places: `make places`")
    staged = stage(PACKAGED_SCENARIO, "trilateral", None)
    relay = Relay(id="towns-a", unit="jp-fdma", roster="towns", last_hops=HOPS, label="notional")
    scenario = msgspec.structs.replace(staged.scenario, relays=(relay,))
    return found(
        scenario, staged.structure, staged.catalogue, entropy=bytes(range(32)), scheme=Ed25519(),
        places_digest=decode(packaged_places()).digest,
    )  # fmt: skip


def directories(coalition: Coalition, folder: Path) -> tuple[NodeDir, RelayDir]:
    member = coalition.member("jpn")
    link, page, line, hops = free_ports(4)
    node = node_dir.create(
        folder / "jpn", realm=coalition.realm, partner="JPN", node="jpn", secrets=member.secrets,
        genesis=member.genesis, link_port=link, page_port=page,
    )  # fmt: skip
    with pytest.raises(OperatorError, match="no address for relays"):
        relay_dir.offered(node)
    clock = ClockConfig(mode="scaled", start_ns=coalition.start_ns, anchor_unix_ns=time.time_ns(), speed=1.0)
    node = node.with_clock(clock)
    node = node.with_config(msgspec.structs.replace(node.config, relays=Address(port=line)))
    ((row, seat),) = member.relays
    relay = relay_dir.create(
        folder / "towns", relay_dir.offered(node), name=row.id, unit=row.unit, roster="towns", hops=HOPS,
        listen_port=hops, seed=seat.secret, clock=clock,
    )  # fmt: skip
    return node, relay


@pytest.mark.slow
def test_a_test_of_readiness_goes_the_whole_way_and_a_relay_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    coalition = joined()
    node, relay = directories(coalition, tmp_path)
    assert relay_dir.admit(node, relay.admission_path)[0] == "towns-a"
    hops_file = tmp_path / "towns.hops"
    assert main(["relay", "keys", str(relay.path), "--out", str(hops_file), "--hops", "0-4"]) == 0
    clock, notes = node.config.clock.clock(), list[str]()

    async def play() -> None:
        with SqliteStore.open(node.record_path, realm=coalition.realm, node="jpn") as store:
            places, secrets = decode(packaged_places()), node.secrets()
            core, commit = Node.begin(clock.now_ns(), node.genesis(), secrets, places)
            store.append([commit.batch])
            shell = NodeShell(core, store, clock, recover=lambda: core, note=notes.append)
            working = asyncio.ensure_future(shell.run())
            server = RelayServer(shell, node, notes.append)
            await server.start()
            await strangers(node, tmp_path)
            file = read_hops(hops_file)
            believed = believed_of(file)
            believed.now_ns = clock.now_ns
            hops = made(file, believed, lambda hop, message: None)
            with RelayStore(relay.store_path) as kept:
                await carried(RelayProcess(relay, kept, notes.append), hops, core)
                after = kept.after
                assert after > 0
            # Another process goes on where this one ended, and is given nothing twice.
            with RelayStore(relay.store_path) as kept:
                process = RelayProcess(relay, kept, notes.append)
                assert len(process.desk.kept) == 1
                running = asyncio.ensure_future(process.run(lambda text: None))
                await until(lambda: sum("is connected, and has up to row" in one for one in notes) == 2)
                assert f"has up to row {after}" in notes[-1]
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            await server.close()
            shell.stop()
            await working

    asyncio.run(play())
    capsys.readouterr()
    assert main(["node", "readiness", str(node.path)]) == 1
    out = capsys.readouterr().out
    assert "5 of 6 last hops" in out
    assert "silent: 5" in out
    assert main(["relay", "status", str(relay.path), "--json"]) == 0
    assert '"received": 5' in capsys.readouterr().out
    assert main(["relay", "reach", str(node.path)]) == 0


async def carried(process: RelayProcess, hops: list[LastHop], core: Node) -> None:
    """The relay connects, its last hops too, and the node hears of all their receipts."""
    running = asyncio.ensure_future(process.run(lambda text: None))
    for hop in hops:
        hop.start()
    await until(lambda: any(one.received == 5 for one in core.state.told.values()))
    for hop in hops:
        await hop.stop()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def strangers(node: NodeDir, folder: Path) -> None:
    """A certificate that was not admitted opens nothing."""
    key, pem = new_link_key("towns-a")
    (folder / "key.pem").write_bytes(key)
    (folder / "cert.pem").write_bytes(pem)
    context = client_context(folder / "cert.pem", folder / "key.pem", node.link_certificate_path.read_bytes())
    assert node.config.relays is not None
    port = node.config.relays.port
    heard = b""
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="")
        writer.write(b"x")
        heard = await reader.read(1)
    assert heard == b""


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"hops": 0}, "0 last hops"),
        ({"hops": 70_000}, "70000 last hops"),
        ({"name": "Towns A"}, "is no name"),
        ({"listen_port": 0}, "is no port"),
    ],
)
def test_a_relay_that_cannot_be_is_refused(tmp_path: Path, changed: dict[str, object], cause: str) -> None:
    _, pem = new_link_key("jpn")
    offer = relay_dir.Offer(
        realm="exercise:x", partner="JPN", node="jpn", host="127.0.0.1", port=9, roots={"JPN": bytes(32).hex()},
        certificate_pem=pem.decode(),
    )  # fmt: skip
    fields: dict[str, object] = {"name": "a", "unit": "u", "roster": "r", "hops": 1, "listen_port": 9}
    with pytest.raises(InputError, match=cause):
        relay_dir.create(tmp_path / "a", offer, **(fields | changed))  # type: ignore[arg-type]  # as the test says
    assert not (tmp_path / "a").exists()

"""A real node and a real relay over mutual TLS: it resumes after what it made durable, and nobody else gets in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from pathlib import Path

import msgspec
import pytest

from noroshi.cli.main import main
from noroshi.command.hop_keys import sign_roster
from noroshi.errors import InputError, OperatorError
from noroshi.exercise.coalition import Coalition, found
from noroshi.exercise.scenario import Relay
from noroshi.geo.placefile import table_path
from noroshi.geo.places import decode
from noroshi.messages import Ed25519, derive
from noroshi.node import Node
from noroshi.node.inputs import Control
from noroshi.service import node_dir, relay_dir, relay_process, relay_server
from noroshi.service.exercise_files import PACKAGED_SCENARIO, stage
from noroshi.service.hop_enrolment import listed_in, read_requests, read_shown
from noroshi.service.last_hop import LastHop
from noroshi.service.link_keys import client_context, new_link_key
from noroshi.service.node_config import Address, ClockConfig
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.relay_dir import RelayDir
from noroshi.service.relay_frames import BeatFrame, RelayHello, framed
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
    asked = tmp_path / "towns.enrol"
    assert main(["relay", "enrol", str(hops_file), "--out", str(asked)]) == 0
    (request,) = read_requests([asked], realm=coalition.realm, partner="JPN")
    listed = listed_in([request], 1, None)
    root = derive(bytes(range(32)), "secret", coalition.realm, "JPN", "root", "")
    roster = sign_roster(listed, "JPN", coalition.realm, Ed25519(), root)
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
            await shell.give(Control(party="control:hand", raw=roster))
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
    (row,) = json.loads(capsys.readouterr().out)["messages"]
    assert (row["received"], row["signed"], row["missing"]) == (5, 5, "5")
    assert main(["relay", "reach", str(node.path)]) == 0
    shown_and_checked(node, relay, tmp_path, capsys)


def shown_and_checked(
    node: NodeDir, relay: RelayDir, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the relay shows of its last hops' signatures holds by the node's own record, and nothing else does."""
    desk, _ = relay.loaded(RelayStore(relay.store_path), 0)
    (of,) = desk.kept
    out, args = folder / "shown.json", ["relay", "prove", str(relay.path), "--message", of.hex()]
    assert main([*args, "--hops", "1,3", "--out", str(out)]) == 0
    assert main(["relay", "check", str(node.path), str(out)]) == 0
    text = out.read_text()
    capsys.readouterr()
    given = read_shown(out)
    first, second = given.proofs
    swapped = msgspec.structs.replace(first, signature=second.signature)
    out.write_bytes(msgspec.json.encode(msgspec.structs.replace(given, proofs=[swapped, second])))
    assert main(["relay", "check", str(node.path), str(out)]) == 1
    assert "last hop 1: it has not signed this receipt" in capsys.readouterr().out
    moved = msgspec.structs.replace(first, path=first.path[::-1])
    out.write_bytes(msgspec.json.encode(msgspec.structs.replace(given, proofs=[moved])))
    assert main(["relay", "check", str(node.path), str(out)]) == 1
    for bad in (text[:-9], text.replace(given.root, "zz"), "[]"):
        out.write_text(bad)
        assert main(["relay", "check", str(node.path), str(out)]) == 2
    assert main([*args, "--hops", "5", "--out", str(out)]) == 2, "it has not signed"
    capsys.readouterr()


def lines(core: Node) -> dict[str, tuple[str, int]]:
    """What the node knows of its relays' lines."""
    return {name: (line.state, line.hops) for name, line in core.state.relay_lines.items()}


@pytest.mark.slow
def test_a_relay_that_says_nothing_is_shown_before_any_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never connected, connected, connected and silent, gone, removed; with the count of its last hops."""
    for name, value in (("SILENT_AFTER_S", 0.5), ("WATCH_S", 0.05), ("PING_EVERY_S", 0.1), ("LOOK_S", 0.1)):
        monkeypatch.setattr(relay_server, name, value)
    monkeypatch.setattr(relay_server, "BIG_NEWS_S", 0.05)
    monkeypatch.setattr(relay_process, "LEAST_BEAT_S", 0.05)
    coalition = joined()
    node, relay = directories(coalition, tmp_path)
    relay_dir.admit(node, relay.admission_path)
    hops_file = tmp_path / "towns.hops"
    assert main(["relay", "keys", str(relay.path), "--out", str(hops_file)]) == 0
    clock = node.config.clock.clock()

    async def play() -> None:
        with SqliteStore.open(node.record_path, realm=coalition.realm, node="jpn") as store:
            core, commit = Node.begin(
                clock.now_ns(), node.genesis(), node.secrets(), decode(packaged_places())
            )
            store.append([commit.batch])
            shell = NodeShell(core, store, clock, recover=lambda: core)
            working = asyncio.ensure_future(shell.run())
            notes: list[str] = []
            server = RelayServer(shell, node, lambda text: notes.append(text) if "read" in text else None)
            await server.start()
            await until(lambda: lines(core) == {"towns-a": ("down", 0)})
            assert "relay-silent:towns-a" in core.state.alarms
            believed = believed_of(read_hops(hops_file))
            believed.now_ns = clock.now_ns
            hops = made(read_hops(hops_file), believed, lambda hop, message: None)
            with RelayStore(relay.store_path) as kept:
                running = asyncio.ensure_future(
                    RelayProcess(relay, kept, lambda text: None).run(lambda text: None)
                )
                for hop in hops:
                    hop.start()
                await until(lambda: lines(core) == {"towns-a": ("up", HOPS)})
                assert "relay-silent:towns-a" not in core.state.alarms
                reader, writer = await asyncio.open_connection("127.0.0.1", relay.config.listen.port)
                await reader.read(1)
                writer.write(bytes(4) + b"\xff\xff\xff\xff")
                await until(lambda: ("last hops", "towns-a") in shell.doors._new)
                writer.close()
                for hop in hops:
                    await hop.stop()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            await until(lambda: lines(core)["towns-a"][0] == "down")
            context = client_context(
                relay.line_certificate_path, relay.line_key_path, node.link_certificate_path.read_bytes()
            )
            reader, writer = await asyncio.open_connection(
                relay.config.node.host, relay.config.node.port, ssl=context, server_hostname=""
            )
            hello = RelayHello(1, coalition.realm, "towns-a", 0, True)
            writer.write(framed(hello))
            await until(lambda: lines(core)["towns-a"][0] == "up")
            await until(lambda: lines(core)["towns-a"][0] == "silent")
            assert "relay-silent:towns-a" in core.state.alarms
            shell.doors._new.clear()
            writer.write(framed(BeatFrame(0, 0, {"malformed-frame": 2, "\x1b[2J": 1})))
            await until(lambda: ("last hops", "towns-a") in shell.doors._new)
            assert shell.doors._new["last hops", "towns-a"] == {"malformed-frame": 2, "others": 1}
            _, replaced = new_link_key("towns-a")
            (node.path / "relays" / "towns-a.pem").write_bytes(replaced)
            while await reader.read(4096):
                pass  # who had the line with the key of before has it no more
            unreadable = node.path / "relays" / "other.pem"
            unreadable.mkdir()
            await until(lambda: bool(notes))
            assert notes[-1].startswith("the certificates of relays cannot be read"), notes
            unreadable.rmdir()
            (node.path / "relays" / "towns-a.pem").unlink()
            await until(lambda: lines(core)["towns-a"][0] == "removed")
            assert "relay-silent:towns-a" not in core.state.alarms
            writer.close()
            await server.close()
            shell.stop()
            await working

    asyncio.run(play())


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

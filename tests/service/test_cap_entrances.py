"""A whole real node with all its doors for other agencies' alerts: HTTP, the terminal, a feed; and what they refuse."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from noroshi.cli.main import main
from noroshi.clock import NS_PER_S
from noroshi.exercise.coalition import found
from noroshi.geo.placefile import table_path
from noroshi.geo.places import decode
from noroshi.messages.bodies_hazard import MAX_HAZARD_BYTES
from noroshi.messages.signing import Ed25519
from noroshi.service import node_dir
from noroshi.service.cap_config import CapFeedConfig
from noroshi.service.exercise_files import PACKAGED_SCENARIO, stage
from noroshi.service.node_check import check_node
from noroshi.service.node_config import Address, ClockConfig, config_bytes
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.process import NodeProcess, RealCores
from noroshi.service.record_file import RecordFile
from noroshi.service.resources import packaged_places
from noroshi.service.sqlite_store import SqliteStore
from tests.node.agency import cap
from tests.service.conftest import until
from tests.service.test_http import asked


@contextmanager
def agency(data: bytes) -> Iterator[int]:
    """An agency's server that has one message at every address; its port."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that the library asks for
            self.send_response(200)
            self.send_header("ETag", '"one"')
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def made(folder: Path, feed_port: int) -> NodeDir:
    """Japan's node alone, in the exercise's realm, on a clock that runs from its start."""
    staged = stage(PACKAGED_SCENARIO, "trilateral", None)
    coalition = found(
        staged.scenario, staged.structure, staged.catalogue,
        entropy=bytes(32), scheme=Ed25519(), places_digest=decode(packaged_places()).digest,
    )  # fmt: skip
    one = coalition.member("jpn")
    link, page, serve = free_ports(3)
    place = node_dir.create(
        folder / "jpn", realm=coalition.realm, partner="JPN", node="jpn", secrets=one.secrets,
        genesis=msgspec.structs.replace(one.genesis, wires=()), link_port=link, page_port=page,
    )  # fmt: skip
    config = msgspec.structs.replace(
        place.config,
        clock=ClockConfig(
            mode="scaled", start_ns=coalition.start_ns, anchor_unix_ns=time.time_ns(), speed=1.0
        ),
        cap_feeds=(CapFeedConfig(name="waves", url=f"http://127.0.0.1:{feed_port}/alert.xml"),),
        cap_feed=Address(port=serve),
    )
    (place.path / "node.json").write_bytes(config_bytes(config))
    return node_dir.load(place.path)


def shown(place: NodeDir, *types: str) -> list[dict[str, Any]]:
    with RecordFile(place.record_path) as file:
        rows = [json.loads(row.data) for row in file.outbox("staff", 0, 10_000)]
    return [row for row in rows if row["type"] in types]


@pytest.mark.slow
def test_every_door_of_a_real_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not table_path().is_file():
        pytest.skip("needs the table of places: `make places`")
    start_ns = stage_start()
    with agency(cap(start_ns, identifier="by-feed")) as port:
        place = made(tmp_path, port)
        asyncio.run(asyncio.wait_for(scenario(place, tmp_path, start_ns), 60.0))
    out = capsys.readouterr().out
    assert "good.xml: taken" in out
    assert "悪い.xml: refused: malformed-cap" in out
    assert {row["identifier"] for row in shown(place, "hazard")} == {"by-feed", "by-http", "by-hand"}
    reasons = [row["reason"] for row in shown(place, "refusal")]
    assert reasons.count("malformed-cap") == 2
    assert {"oversize", "malformed-relay"} <= set(reasons)
    assert {row["party"] for row in shown(place, "refusal")} >= {"hand:api", "hand:悪い.xml"}
    (relay,) = shown(place, "relayed")
    assert (relay["verdict"], relay["unit"]) == ("unverified", "jp-cabsec")
    assert [row["state"] for row in shown(place, "hazard-feed")] == ["fresh"]
    assert all(check.met for check in check_node(place.path))


def stage_start() -> int:
    from noroshi.clock import from_iso

    return from_iso(stage(PACKAGED_SCENARIO, "trilateral", None).scenario.start) // NS_PER_S * NS_PER_S


async def scenario(place: NodeDir, folder: Path, start_ns: int) -> None:
    with SqliteStore.open(place.record_path, realm=place.config.realm, node="jpn") as store:
        process = NodeProcess(place, place.genesis(), store, RealCores(place), lambda _: None)
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(process.run(ready.set_result))
        both: list[asyncio.Future[Any]] = [running, ready]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        try:
            await given(place, folder, start_ns)
            await until(lambda: bool(shown(place, "hazard-feed")))
        finally:
            process.stop()
            await running


async def given(place: NodeDir, folder: Path, start_ns: int) -> None:
    token, raw = place.feed_token(), cap(start_ns, identifier="by-http")

    async def post(path: str, body: bytes, with_token: str = token) -> tuple[int, Any]:
        status, _, answer = await asked(place, "POST", path, with_token, body)
        return status, json.loads(answer)

    assert await post("/api/cap", raw, "") == (403, {"error": "refused"})
    assert await post("/api/cap", raw, place.page_token()) == (403, {"error": "refused"})
    assert await post("/api/cap", raw) == (200, {"outcome": "accepted", "reason": ""})
    assert (await post("/api/cap", raw))[1]["outcome"] == "duplicate"
    assert await post("/api/cap", raw[:200]) == (422, {"outcome": "refused", "reason": "malformed-cap"})
    assert (await post("/api/cap", b" " * (MAX_HAZARD_BYTES + 1)))[0] == 413
    said = {"outlet": "A broadcaster", "authority": "jp-cabsec", "text": "EXERCISE. Take shelter"}
    assert (await post("/api/relay", json.dumps(said).encode()))[0] == 200
    assert (await post("/api/relay", b'{"outlet": "x", "text": "y", "aim": 1}'))[1][
        "reason"
    ] == "malformed-relay"
    (folder / "good.xml").write_bytes(cap(start_ns, identifier="by-hand"))
    (folder / "悪い.xml").write_bytes(b"<!DOCTYPE a><a/>")
    arguments = ["node", "hazard", str(place.path), str(folder / "good.xml"), str(folder / "悪い.xml")]
    assert await asyncio.to_thread(main, arguments) == 1

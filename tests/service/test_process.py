"""Nodes as real processes: killed hard under load, started on bad ground, left behind by their parent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from noroshi.errors import OperatorError
from noroshi.log import verified
from noroshi.node.inputs import Detections, Received, decode_input, encode_input
from noroshi.service.client import NodeClient
from noroshi.service.node_check import check_node
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import listen_on
from noroshi.service.process import run_node
from noroshi.service.record_file import read_records
from noroshi.service.supervisor import NodeEndedError, Supervisor
from tests.service.conftest import until
from tests.service.standin import StandIn, StandInCores, detections

Make = Callable[..., list[NodeDir]]
Command = tuple[str, ...]


@contextmanager
def child(
    command: Command, directory: NodeDir, *more: str, file_limit: int = 0
) -> Iterator[subprocess.Popen[bytes]]:
    """A node's process; killed at the end if it still runs."""
    pipe = subprocess.PIPE
    arguments = [*command, str(directory.path), *more]

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    before = limited if file_limit else None
    with subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe, preexec_fn=before) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[bytes]) -> dict[str, object]:
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


def refused(command: Command, directory: NodeDir) -> str:
    """The one sentence of a node that cannot start."""
    done = subprocess.run(
        [*command, str(directory.path)], capture_output=True, timeout=60, check=False, text=True
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    return done.stderr.strip()


def test_it_says_when_it_listens_and_stops_when_asked(made: Make, children: Command) -> None:
    jpn, _ = made("jpn", "usa")
    with child(children, jpn) as process:
        ready = said(process)
        assert (ready["ready"], ready["node"], ready["pid"]) == (True, "jpn", process.pid)
        assert ready["page"] == jpn.page_address
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert not Path(f"{jpn.record_path}-wal").exists()
    assert all(check.met for check in check_node(jpn.path, StandInCores))


def test_it_stops_when_its_parent_has_gone(made: Make, children: Command) -> None:
    (jpn,) = made("jpn")
    with child(children, jpn, "--watch-stdin") as process:
        said(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def test_what_keeps_a_node_from_starting_is_one_sentence(made: Make, children: Command) -> None:
    jpn, usa = made("jpn", "usa")
    with listen_on("127.0.0.1", jpn.config.page.port, "a test", "x"):
        assert "another program has the port; end that program, or choose another page.port" in refused(
            children, jpn
        )
    with listen_on("127.0.0.1", jpn.config.link.port, "a test", "x"):
        assert "cannot listen for partners' links" in refused(children, jpn)
    with child(children, jpn) as process:
        said(process)
        assert f"already running on it as pid {process.pid}" in refused(children, jpn)
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    raw = jpn.record_path.read_bytes()
    jpn.record_path.write_bytes(raw[:100] + bytes(4000) + raw[4100:])
    assert "record.db" in refused(children, jpn)
    (usa.path / "peers" / "JPN.pem").unlink()
    assert "JPN.pem: there is no such file; ask JPN for its link certificate" in refused(children, usa)
    (usa.path / "keys" / "signing.seed").unlink()
    assert "signing.seed: there is no such file; restore it from your copy" in refused(children, usa)


def test_a_damaged_body_keeps_it_from_starting_and_is_named(made: Make, children: Command) -> None:
    async def fill() -> None:
        async with Supervisor({"jpn": jpn.path}, command=children):
            client = client_of(jpn)
            await client.give([detections(n, f"feed-{n}") for n in range(1, 30)])
            await client.close()

    (jpn,) = made("jpn")
    asyncio.run(fill())
    with contextlib.closing(sqlite3.connect(jpn.record_path, isolation_level=None)) as record:
        record.execute(
            "DELETE FROM snapshot"
        )  # which stands at the end, and with which no body before it is read
    raw = jpn.record_path.read_bytes()
    at = raw.index(encode_input(detections(11, "feed-11"))[1]) + 20
    jpn.record_path.write_bytes(raw[:at] + b"F" + raw[at + 1 :])
    assert "record 12): its body does not match its hash; restore a copy" in refused(children, jpn)


def test_when_the_disk_refuses_it_says_so_serves_what_it_holds_and_fails(
    made: Make, children: Command
) -> None:
    durable = 0

    async def scenario() -> None:
        nonlocal durable
        client = client_of(jpn)
        while not (await client.info())["trouble"]:
            giving = asyncio.create_task(client.give([detections(durable + 1, size=400)]))
            done, _ = await asyncio.wait([giving], timeout=1.0)
            durable += len(done)
            giving.cancel()
        got: list[int] = []
        following = asyncio.create_task(client.follow(lambda number, _: got.append(number)))
        await until(lambda: got == [durable])  # all rows have one key: the newest is the state
        following.cancel()
        await client.close()

    (jpn,) = made("jpn")
    with child(children, jpn, file_limit=1_000_000) as process:
        said(process)
        asyncio.run(scenario())
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=20)
    assert process.returncode == 2
    assert b"Traceback" not in error
    assert error.decode().strip().splitlines()[-1].startswith("cannot write the record")
    assert len([one for one in inputs(jpn) if isinstance(one, Detections)]) == durable > 5
    with child(children, jpn) as process:
        assert said(process)["records"] == durable + 1


def client_of(directory: NodeDir) -> NodeClient:
    return NodeClient(
        directory.page_address, page_token=directory.page_token(), feed_token=directory.feed_token()
    )


def inputs(directory: NodeDir) -> list[object]:
    records = verified("record", read_records(directory.record_path))
    return [decode_input(record.body or b"") for record in records]


@pytest.mark.slow
def test_killed_under_load_it_loses_nothing_answered_and_repeats_nothing(
    made: Make, children: Command
) -> None:
    """Two linked nodes, one of them killed hard in the middle of the load, again and again."""
    rounds, batches = 4, 400
    durable: list[int] = []
    notes: list[str] = []
    rows: list[int] = []

    async def load(client: NodeClient) -> None:
        for number in range(1, batches + 1):
            answers = await client.give([detections(number)])
            assert answers[0].outcome in ("accepted", "duplicate")
            durable.append(number)

    async def scenario() -> None:
        def note(name: str, text: str) -> None:
            notes.append(f"{name}: {text}")

        async with Supervisor({"jpn": jpn.path, "usa": usa.path}, note=note, command=children) as nodes:
            client = client_of(jpn)
            loading = asyncio.create_task(load(client))
            following = asyncio.create_task(client_of(jpn).follow(lambda number, _: rows.append(number)))
            for turn in range(1, rounds + 1):
                await until(lambda turn=turn: len(durable) >= turn * batches // (rounds + 2), 30.0)  # type: ignore[misc]  # a bound default
                answered = len(durable)
                nodes.kill("jpn" if turn % 2 else "usa")
                await nodes.until_ready("jpn")
                await nodes.until_ready("usa")
                assert len([one for one in inputs(jpn) if isinstance(one, Detections)]) >= answered
            await loading
            await until(
                lambda: len([one for one in inputs(usa) if isinstance(one, Received)]) == batches, 30.0
            )
            await until(lambda: rows[-1:] == [last_row(jpn)], 30.0)
            following.cancel()
            await client.close()

    jpn, usa = made("jpn", "usa")
    asyncio.run(scenario())
    given = [one for one in inputs(jpn) if isinstance(one, Detections)]
    assert {one.sequence for one in given} == set(range(1, batches + 1))
    received = [one for one in inputs(usa) if isinstance(one, Received)]
    assert [one.number for one in received] == list(range(1, batches + 1))
    sequences = [decode_input(one.raw).sequence for one in received]  # type: ignore[union-attr]  # all are detections
    assert sequences == list(range(1, batches + 1))
    assert rows == sorted(set(rows))
    assert sum("was killed by signal 9; it is started again" in note for note in notes) == rounds
    for node in (jpn, usa):
        StandIn.replay("record", read_records(node.record_path))
        assert all(check.met for check in check_node(node.path, StandInCores))


def last_row(directory: NodeDir) -> int:
    from noroshi.service.record_file import RecordFile

    with RecordFile(directory.record_path) as file:
        return file.streams()["staff"]


def test_a_node_that_cannot_start_is_told_by_the_supervisor(made: Make, children: Command) -> None:
    async def scenario() -> None:
        jpn, usa = made("jpn", "usa")
        (jpn.path / "keys" / "signing.seed").unlink()
        supervisor = Supervisor({"jpn": jpn.path, "usa": usa.path}, command=children)
        with pytest.raises(NodeEndedError, match=r"signing\.seed: there is no such file"):
            await supervisor.start()
        assert supervisor.pid("usa") is None

    asyncio.run(scenario())


def test_a_frozen_node_goes_on(made: Make, children: Command) -> None:
    async def scenario() -> None:
        (jpn,) = made("jpn")
        async with Supervisor({"jpn": jpn.path}, command=children) as nodes:
            client = client_of(jpn)
            nodes.pause("jpn")
            giving = asyncio.create_task(client.give([detections(1)]))
            await asyncio.sleep(0.1)
            assert not giving.done()
            nodes.resume("jpn")
            assert (await giving)[0].outcome == "accepted"
            await client.close()

    asyncio.run(scenario())


def test_the_children_stop_when_the_supervisor_is_killed(
    made: Make, children: Command, tmp_path: Path
) -> None:
    (jpn,) = made("jpn")
    script = (
        "import asyncio, sys\n"
        "from noroshi.service.supervisor import Supervisor\n"
        "async def main():\n"
        f"    async with Supervisor({{'jpn': sys.argv[1]}}, command={children!r}) as nodes:\n"
        "        print(nodes.pid('jpn'), flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([children[0], "-c", script, str(jpn.path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    end = time.monotonic() + 10.0
    while time.monotonic() < end and alive(pid):
        time.sleep(0.02)
    assert not alive(pid)


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return (
            Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
            if Path("/proc").is_dir()
            else signalled(pid)
        )
    return False


def signalled(pid: int) -> bool:
    os.kill(pid, 0)
    return True


def test_an_operators_error_is_what_a_supervisor_raises() -> None:
    assert issubclass(NodeEndedError, OperatorError)


def test_a_missing_place_table_is_one_sentence(
    made: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (jpn,) = made("jpn")
    table = tmp_path / "places.bin"
    monkeypatch.setattr("noroshi.service.resources.table_path", lambda: table)
    with pytest.raises(OperatorError, match=r"there is no file .*places\.bin; run `make places`"):
        run_node(jpn.path)
    table.write_bytes(b"NRSHPLCS" + bytes(100))
    with pytest.raises(OperatorError, match=r"cannot read the table of places.*`make places`"):
        run_node(jpn.path)
    assert not jpn.record_path.exists()

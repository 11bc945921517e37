"""A node on a disk that fills up acknowledges nothing that it cannot keep, says so, serves what it holds, recovers."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from noroshi.service.node_config import RecordConfig, config_bytes
from noroshi.service.node_dir import NodeDir
from tests.service.faults import (
    Command,
    Load,
    Make,
    batches,
    check_nothing_lost_or_repeated,
    client_of,
    loaded,
    reached,
)
from tests.service.record_batches import small_disk

DISK_SIZE = "12m"
FILLER_BYTES = 1 << 16


def keeps(directory: NodeDir, reserve_bytes: int) -> None:
    """Says how much of its disk the node leaves alone."""
    config = directory.config
    record = RecordConfig(budget_bytes=1 << 30, reserve_bytes=reserve_bytes)
    (directory.path / "node.json").write_bytes(config_bytes(msgspec.structs.replace(config, record=record)))


def fill(place: Path, leave_bytes: int) -> Path:
    """Takes what is left on a disk but for so much, as some other program would."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while (left := shutil.disk_usage(place).free - leave_bytes) > 0:
                file.write(bytes(min(left, FILLER_BYTES)))
        except OSError:
            return filler
    return filler


async def trouble(directory: NodeDir) -> str:
    """What the node says on its page is the matter."""
    client = client_of(directory)
    try:
        return str((await client.info())["trouble"])
    finally:
        await client.close()


async def troubled(directory: NodeDir, met: Callable[[str], bool], within_s: float = 15.0) -> None:
    async with asyncio.timeout(within_s):
        while not met(await trouble(directory)):
            await asyncio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("reserve_bytes", "leave_bytes"), [(4 << 20, 3 << 20), (0, 0)])
def test_a_disk_that_others_fill(
    made: Make, children: Command, tmp_path: Path, reserve_bytes: int, leave_bytes: int
) -> None:
    """With a reserve the node stops before the disk is full, and tells lane by lane; without one SQLite tells it."""
    notes: list[str] = []

    async def scenario() -> dict[str, Load]:
        async with loaded(directories, children, notes) as (nodes, loads):
            filler = fill(jpn.path, leave_bytes)
            await troubled(jpn, lambda said: said != "")
            await asyncio.sleep(1.0)
            held, theirs = len(loads["jpn"].durable), len(loads["usa"].durable)
            await asyncio.sleep(1.0)
            assert len(loads["jpn"].durable) == held
            assert batches(jpn)[:held] == loads["jpn"].durable
            assert len(loads["usa"].durable) > theirs
            seen: list[int] = []
            reading = asyncio.create_task(client_of(jpn).follow(lambda number, _: seen.append(number)))
            await reached(lambda: bool(seen), 10.0)
            reading.cancel()
            filler.unlink()
            await troubled(jpn, lambda said: said == "")
            await reached(lambda: len(loads["jpn"].durable) > held, 15.0)
            filler = fill(jpn.path, leave_bytes)
            await troubled(jpn, lambda said: said != "")
            nodes["jpn"].kill("jpn")
            await asyncio.sleep(0.3)
            filler.unlink()
            await nodes["jpn"].until_ready("jpn")
            held = len(loads["jpn"].durable)
            await reached(lambda: len(loads["jpn"].durable) > held, 15.0)
        return loads

    with small_disk(tmp_path / "jpn", DISK_SIZE) as place:
        place.chmod(0o700)
        jpn, usa = made("jpn", "usa")
        directories = {"jpn": jpn, "usa": usa}
        keeps(jpn, reserve_bytes)
        check_nothing_lost_or_repeated(directories, asyncio.run(scenario()))
    said = "\n".join(note for note in notes if note.startswith("jpn: "))
    if reserve_bytes:
        assert "the record has room for 0 MiB more" in said
        assert "there is room on the disk again: everything is taken" in said
    else:
        assert "cannot write the record" in said
        assert "nothing is acknowledged until there is room, what is held can be read" in said

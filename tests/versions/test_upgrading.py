"""The record of another version: an older one is taken over and goes on, a newer one is read and never written."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from noroshi.cli.main import main
from noroshi.log import Snapshot
from noroshi.messages.canonical import encode
from noroshi.node.snapshot import DOMAIN, OLDEST, VERSION, Manifest, SnapshotError, opened, snapshot_of
from noroshi.service.node_check import check_node
from noroshi.service.record_file import RecordFile
from noroshi.service.supervisor import NodeEndedError
from tests.node.scene import Scene, places
from tests.versions.crisis import WATCH, Crisis, crisis, directories, records
from tests.versions.frozen import NEW, OLD, bumped, environment, today, unpacked
from tests.versions.test_side_by_side import NEWER

TAKEN_OVER = "an older version wrote this record; from here on only this version or a newer one can"


def version_of(play: Crisis, name: str) -> tuple[int, int]:
    """Which version of messages made a record's last record, and the last that an older one has made."""
    with RecordFile(play.directories[name].record_path) as file:
        return file.head.messages, file.head.taken_over


def snapshot_at_end(play: Crisis, name: str) -> bool:
    with RecordFile(play.directories[name].record_path) as file:
        taken = file.snapshot()
        return taken is not None and taken.sequence == file.last_sequence()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nodes_are_upgraded_one_after_the_other(tmp_path: Path) -> None:
    """Korea's older node was killed, Japan's was stopped; each goes on as today's, among nodes of either version."""

    async def scenario() -> None:
        async with crisis(tmp_path, {"jpn", "kor"}) as play:
            for name in WATCH:
                await play.say(name, f"words of {name}")
            await asyncio.gather(*(play.heard(here, f"words of {name}") for here in WATCH for name in WATCH))
            assert version_of(play, "kor") == (OLD, 0)

            await play.kill("kor")
            assert not snapshot_at_end(play, "kor")
            await play.start("kor", today())
            assert f"kor: {TAKEN_OVER}" in play.notes
            assert version_of(play, "kor")[0] == NEW

            await play.count("usa")
            await play.desks["kor"].until(lambda row: row["type"] == "count")
            await play.heard("jpn", "count")

            await play.stop("jpn")
            assert snapshot_at_end(play, "jpn")
            await play.start("jpn", today())
            assert version_of(play, "jpn")[0] == NEW
            assert version_of(play, "jpn")[1] > 0

            _, second = await play.say("usa", "to be recalled")
            await play.heard("jpn", "to be recalled")
            await play.recall("usa", second)
            await play.desks["jpn"].until(lambda row: row["type"] == "recall" and row["of"] == second.hex())
            await play.say("jpn", "the last words")
            await play.heard("kor", "the last words")

            await play.stop("kor")
            with pytest.raises(NodeEndedError, match=r"messages of version 3, this one knows up to 2"):
                await play.start("kor", environment(unpacked(OLD)))

    asyncio.run(scenario())
    for name in WATCH:
        for check in check_node(tmp_path / name):
            assert check.met, f"{name}: {check.name}: {check.detail}"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_the_older_version_did_not_understand_needs_its_snapshot(tmp_path: Path) -> None:
    """It was killed after a count came, which today's node would have acted on: the older one must be stopped first."""

    async def scenario() -> None:
        async with crisis(tmp_path, {"jpn"}, ("jpn", "usa")) as play:
            await play.say("usa", "the first words")
            await play.heard("jpn", "the first words")
            await play.count("usa")
            await play.heard("jpn", "count")
            await play.kill("jpn")
            before = [record.hash for record in records(play.directories["jpn"])]
            told = r"schema version 2 wrote it, and version 3 makes.*record \d+.*start the older version once more"
            with pytest.raises(NodeEndedError, match=told):
                await play.start("jpn", today())
            assert version_of(play, "jpn") == (OLD, 0)
            assert [record.hash for record in records(play.directories["jpn"])] == before

            await play.start("jpn", environment(unpacked(OLD)))
            await play.stop("jpn")
            await play.start("jpn", today())
            assert version_of(play, "jpn")[0] == NEW
            await play.say("usa", "the last words")
            await play.heard("jpn", "the last words")

    asyncio.run(scenario())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_record_of_a_newer_version_is_read_and_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play = Crisis(directories(tmp_path))

    async def scenario() -> None:
        await play.start("usa", environment(bumped(unpacked(OLD), tmp_path, *NEWER)))
        await play.say("usa", "words of a later time", v=4)
        await play.stop("usa")

    asyncio.run(scenario())
    place, newer = str(tmp_path / "usa"), "a newer noroshi wrote it (schema 3, this one knows up to 2)"
    reading = f"{newer}: it is opened for reading only; run that newer version to write it"
    out = tmp_path / "kor.jsonl"
    for command, said in (
        (["log", "verify", place], "all whole"),
        (["log", "tail", place, "-n", "100"], "received from post:us-indopacom.watch: remark"),
        (["log", "export", place, "--party", "partner:KOR", "--out", str(out)], "rows of partner:KOR"),
    ):
        assert main(command) == 0, command
        shown = capsys.readouterr()
        assert said in shown.out
        assert reading in shown.err
    assert main(["log", "verify", str(out)]) == 0
    capsys.readouterr()
    assert main(["log", "verify", place, "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["records"]
    assert (told["intact"], told["schema"]) == (True, 3)
    assert newer in told["notice"]
    assert main(["node", "run", place]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert f"{newer}; run that newer version" in shown.err
    checks = {one.name: one for one in check_node(place)}
    assert checks["record"].met
    assert not checks["replay"].met
    assert newer in checks["replay"].detail


def altered(scene: Scene, version: int, **fields: Any) -> Snapshot:
    """Japan's snapshot with these fields in the place of its own, signed by it; None takes a field out."""
    side = scene["jpn"]
    taken = snapshot_of(side.node.state)
    named = msgspec.msgpack.decode(taken.manifest, type=Manifest)
    state = msgspec.msgpack.decode(taken.parts[named.state]) | fields
    part = encode({name: value for name, value in state.items() if value is not None})
    parts = {name: data for name, data in taken.parts.items() if name != named.state}
    parts[sha256(part).digest()] = part
    manifest = encode(
        msgspec.structs.replace(named, version=version, state=sha256(part).digest(), parts=tuple(parts))
    )
    signed = DOMAIN + side.member.genesis.realm.encode() + b"\x00" + manifest
    signature = side.node.state.scheme.sign(side.member.secrets.signing, signed)
    return replace(taken, manifest=manifest, signature=signature, parts=parts)


def test_a_snapshot_of_the_first_form_is_that_of_a_node_without_recalls() -> None:
    scene = Scene("trilateral")
    side = scene["jpn"]
    secrets, whole = side.member.secrets, snapshot_of(side.node.state)
    assert snapshot_of(opened("jpn", altered(scene, OLDEST, recalls=None), secrets, places())) == whole
    with pytest.raises(SnapshotError, match=r"do not fit together.*timers"):
        opened("jpn", altered(scene, OLDEST, timers=None), secrets, places())


def test_a_snapshot_with_more_than_this_version_knows_is_not_read() -> None:
    scene = Scene("trilateral")
    secrets = scene["jpn"].member.secrets
    with pytest.raises(SnapshotError, match="unknown field `weather`"):
        opened("jpn", altered(scene, VERSION, weather=[1]), secrets, places())
    with pytest.raises(
        SnapshotError, match=f"it has the form {VERSION + 1}, and this program reads {OLDEST} to {VERSION}"
    ):
        opened("jpn", altered(scene, VERSION + 1), secrets, places())

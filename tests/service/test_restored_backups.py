"""A record of another node or realm is not started from, and the next start tells of it; messages are no trust."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from noroshi.log import Record
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import Signed
from noroshi.node.inputs import FILES, NOT_OURS, RECORD, RESTORED, Answer, Control, Input, Received
from noroshi.service import node_dir, restored_backups
from noroshi.service.control_files import ControlFiles, as_input
from noroshi.service.record_schema import NotOurRecordError
from noroshi.service.sqlite_store import SqliteStore
from noroshi.service.supervisor import NodeEndedError, Supervisor
from noroshi.service.trust_files import TrustFiles

REALM = "exercise:here"
CHILD = """
import json, os, pathlib, sys, time
place = pathlib.Path(sys.argv[1])
if (place / "other").exists():
    print("another's record", file=sys.stderr, flush=True)
    sys.exit(2)
fields = dict(node="jpn", partner="JPN", pid=os.getpid(), page="", link="", records=1, replayed_s=0.0)
print(json.dumps(fields), flush=True)
sys.stdin.read()
"""


class Counts:
    """As much of `Doors` as is asked for."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, str, str]] = Counter()

    def count(self, entrance: str, source: str, reason: str) -> None:
        self.seen[entrance, source, reason] += 1


class Kept:
    """A record that begins with this."""

    def __init__(self, type_: str, body: bytes | None) -> None:
        self._first = Record(1, bytes(32), 0, type_, bytes(32), body, bytes(32))

    def records(self, after: int = 0) -> Iterator[Record]:
        yield self._first


def told(folder: Path) -> dict[tuple[str, str, str], int]:
    counts = Counts()
    restored_backups.tell(counts, folder)  # type: ignore[arg-type]  # `count` is all that it asks for
    return dict(counts.seen)


def test_a_backup_of_another_realm_is_told_of_once_at_the_next_start(tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path / "record.db", realm="exercise:autumn-study", node="jpn"):
        pass
    for _ in range(3):
        with pytest.raises(NotOurRecordError, match="autumn-study"), restored_backups.keeping(tmp_path):
            SqliteStore.open(tmp_path / "record.db", realm=REALM, node="jpn")
    assert told(tmp_path) == {(RECORD, RESTORED, NOT_OURS): 3}
    assert told(tmp_path) == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"not-our-record": -4}', '{"not-our-record": "x"}'])
def test_a_damaged_note_counts_as_one(text: str, tmp_path: Path) -> None:
    (tmp_path / restored_backups.NAME).write_text(text, encoding="utf-8")
    assert told(tmp_path) == {(RECORD, RESTORED, NOT_OURS): 1}


@pytest.mark.parametrize(
    ("first", "wrong"),
    [
        (Kept("genesis", encode({"realm": REALM, "node": "jpn"})), ""),
        (Kept("genesis", encode({"realm": "exercise:autumn-study", "node": "jpn"})), "autumn-study"),
        (Kept("genesis", encode({"realm": REALM, "node": "kor"})), "kor"),
        (Kept("genesis", encode([1])), "None"),
        (Kept("genesis", b"\xc1"), ""),  # damaged: the replay says so
        (Kept("standin", encode({"realm": "other"})), ""),
        (Kept("genesis", None), ""),
    ],
)
def test_the_first_record_must_be_ours_whatever_the_file_says(
    first: Kept, wrong: str, tmp_path: Path
) -> None:
    if not wrong:
        restored_backups.check_first(first, tmp_path, REALM, "jpn")
        return
    with pytest.raises(NotOurRecordError, match=wrong):
        restored_backups.check_first(first, tmp_path, REALM, "jpn")


def message(**fields: Any) -> bytes:
    payload = {"origin": "KOR", "kind": "warning", "body": {}, **fields}
    return encode(Signed(encode(payload), bytes(32), bytes(64)))


def test_messages_among_files_of_trust_are_judged_as_messages(tmp_path: Path) -> None:
    assert as_input(message()) == Received(party=FILES, number=0, raw=message())
    for raw in (
        b"",
        b"\x93",
        encode({"pins": []}),
        encode(Signed(encode({"list": 1}), b"", b"")),
        b"x" * 100,
    ):
        assert isinstance(as_input(raw), Control)


def test_a_message_is_put_away_and_the_rest_is_given(tmp_path: Path) -> None:
    class Shell:
        def __init__(self) -> None:
            self.given: list[Input] = []

        async def give(self, given: Input) -> Answer:
            self.given.append(given)
            return Answer("refused", "foreign-realm")

    own = node_dir.create(tmp_path / "jpn", realm=REALM, partner="JPN", node="jpn", link_port=1, page_port=2)
    folder = own.path / "trust"
    folder.mkdir(mode=0o700)
    for number in range(3):
        (folder / f"{number:04d}.trust").write_bytes(message(number=number))
    (folder / "0003.policy").write_bytes(b"no policy")
    notes: list[str] = []
    shell = Shell()
    files = ControlFiles(shell, own, notes.append)  # type: ignore[arg-type]  # `give` is all that it asks for
    assert asyncio.run(files.give()) == 4
    assert [type(one) for one in shell.given] == [Received] * 3 + [Control]
    assert len(notes) == 1  # of the policy; of the messages the staff have a row
    assert len(list((folder / "refused").iterdir())) == 3
    assert TrustFiles(own).bundles() == []


@pytest.mark.slow
def test_a_node_that_has_ended_for_good_can_be_started_again(tmp_path: Path) -> None:
    """Its files are changed while it is down; a start on another's record ends for good, and says why."""

    async def play() -> None:
        async with Supervisor({"jpn": tmp_path}, command=(sys.executable, "-c", CHILD)) as nodes:
            first = nodes.pid("jpn")
            await nodes.down("jpn")
            assert nodes.pid("jpn") is None
            (tmp_path / "other").touch()
            nodes.up("jpn")
            with pytest.raises(NodeEndedError, match="another's record"):
                await nodes.until_ready("jpn")
            (tmp_path / "other").unlink()
            await nodes.down("jpn")
            nodes.up("jpn")
            ready = await nodes.until_ready("jpn")
            assert ready.pid == nodes.pid("jpn") != first

    asyncio.run(play())


def test_the_note_is_plain(tmp_path: Path) -> None:
    with pytest.raises(NotOurRecordError), restored_backups.keeping(tmp_path):
        raise NotOurRecordError("open the record", subject="x", cause="y")
    assert json.loads((tmp_path / restored_backups.NAME).read_bytes()) == {NOT_OURS: 1}

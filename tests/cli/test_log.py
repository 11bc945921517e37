"""`noroshi log`: names the damaged record, tells records in sentences, gives a party no more than its own."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from noroshi.cli.main import main
from noroshi.clock import NEVER
from noroshi.log import Batch, Chain, Forget, Snapshot
from noroshi.node.inputs import (
    CheckpointGiven,
    ClockStepped,
    Control,
    Detections,
    Input,
    LinkChanged,
    ReceiptGiven,
    Received,
    Restart,
    Retention,
    TimerDue,
    encode_input,
)
from noroshi.service.record_file import RecordFile
from noroshi.service.record_schema import mark_of
from noroshi.service.sqlite_store import SqliteStore
from noroshi.sharing.streams import START
from tests.service.record_batches import Author

START_NS = 1_664_835_720_000_000_000
USA, KOR = "partner:USA", "partner:KOR"
POSITION = START.at(0, 4, b"h" * 32).at(3, 310, b"t" * 32)

GIVEN: list[Input] = [
    Detections(feed="sado", sequence=1, sensor="sado", time_ns=(START_NS,), value=((1e6, 0.1, 0.2),)),
    Received(party=USA, number=1, raw=b"\x01\x02", lane=3),
    ReceiptGiven(party=USA, position=POSITION, signature=b"s" * 64),
    TimerDue(name="look:1:0"),
    LinkChanged(party=KOR, state="up", offset_s=0.25),
]
LATER: list[Input] = [
    Received(party="post:jp-pm.duty", number=0, raw=b"\x01\x02\x03"),
    CheckpointGiven(party=USA, position=POSITION, signature=b"s" * 64),
    Restart(party=USA, position=START.at(1, 7, b"h" * 32)),
    ClockStepped(by_ns=-3_600_000_000_000),
    Control(party=USA, raw=b"\x01"),
    Retention(before_ns=START_NS, upto_sequence=5),
]


def opened(record: Path) -> SqliteStore:
    return SqliteStore.open(record / "record.db", realm="exercise:log", node="jpn")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A small record in a node's directory: 5 inputs, a record that does not open, and rows for two partners."""
    author = Author()
    with opened(tmp_path / "jpn") as store:
        for number, one in enumerate(GIVEN, 1):
            linked = author.chain.link(START_NS + number, *encode_input(one), keep_ns=number)
            lane, name = (0, "warning") if number < 3 else (3, "track")
            rows = (
                author.row(f"{USA}/{name}", lane, "secret-key", START_NS, b"for USA %d" % number),
                author.row(f"{KOR}/{name}", lane, "", START_NS, b"for KOR %d" % number),
            )
            store.append([Batch((linked,), rows)])
        store.append([Batch((author.chain.link(START_NS + 9, "note", b"\xc1"),))])
    return tmp_path / "jpn"


def add(record: Path, *given: Input, forget: Forget | None = None) -> None:
    """Goes on with a record."""
    with opened(record) as store:
        last = list(store.records())[-1]
        chain = Chain(last.sequence, last.hash)
        for one in given:
            linked = chain.link(START_NS, *encode_input(one), keep_ns=NEVER)
            store.append([Batch((linked,), forget=forget)])


def spoken(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["log", *map(str, arguments)])
    out, error = capsys.readouterr()
    assert "Traceback" not in error
    return code, out, error


def damage(record: Path, what: bytes) -> None:
    path = record / "record.db"
    raw = path.read_bytes()
    at = raw.index(what)
    path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])


def test_a_whole_record_is_said_to_be_whole(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = spoken(capsys, "verify", record)
    whose = f"{record}/record.db (jpn, exercise:log)"
    assert (code, out) == (0, f"{whose}: 6 records, all whole; 10 rows in 4 streams, all in their places\n")
    code, out, _ = spoken(capsys, "verify", record / "record.db", "--json")
    document = json.loads(out)
    assert (code, document["intact"], document["records"][0]["count"]) == (0, True, 6)
    streams = document["records"][0]["streams"]
    assert {name: (one["rows"], one["upto"]) for name, one in streams.items()} == {
        f"{KOR}/track": (3, 3),
        f"{KOR}/warning": (2, 2),
        f"{USA}/track": (3, 3),
        f"{USA}/warning": (2, 2),
    }


def test_retention_and_a_snapshot_are_no_damage(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(record, LATER[-1], forget=Forget(5, 4, ((f"{USA}/track", 2),)))
    with opened(record) as store:
        third = list(store.records())[2]
        store.keep(Snapshot(3, third.hash, b"m", b"s", {hashlib.sha256(b"part").digest(): b"part"}))
    code, out, _ = spoken(capsys, "verify", record)
    assert code == 0
    assert (
        "7 records, all whole, 3 of them without the body that retention let go; 8 rows in 4 streams" in out
    )
    assert out.endswith("all in their places; a snapshot at record 3\n")
    code, out, _ = spoken(capsys, "verify", record, "--json")
    found = json.loads(out)["records"][0]
    assert (found["dropped"], found["snapshot"], found["streams"][f"{USA}/track"]["base"]) == (3, 3, 2)
    _, out, _ = spoken(capsys, "tail", record, "-n", "7")
    assert "detections: its body was removed by retention" in out


def behind_its_back(record: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(record / "record.db", isolation_level=None)) as connection:
        connection.execute(sql, values)


def forged(record: Path) -> None:
    """Changes a row and its mark, as somebody would who knows how it is made; a head cannot be made to fit."""
    with RecordFile(record / "record.db") as file:
        row = msgspec.structs.replace(file.outbox(f"{USA}/track", 1, 1)[0], data=b"for nobody")
    change = "UPDATE outbox SET data = ?, mark = ? WHERE stream = ? AND number = 2"
    behind_its_back(record, change, row.data, mark_of(row), row.stream)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "DELETE FROM outbox WHERE number = 2",
            f"{KOR}/track row 2 is damaged: number 3 where 2 must follow",
        ),
        ("UPDATE outbox SET key = 'k' WHERE number = 2", f"{KOR}/track row 1 is damaged: the row is damaged"),
        (forged, f"{USA}/track row 2 is damaged: it does not give its head"),
    ],
)
def test_rows_that_are_not_as_they_were_are_named(
    record: Path, capsys: pytest.CaptureFixture[str], change: str | Callable[[Path], None], said: str
) -> None:
    if isinstance(change, str):
        behind_its_back(record, change)
    else:
        change(record)
    code, out, _ = spoken(capsys, "verify", record)
    assert code == 1
    assert f"{said}; its 6 records are whole" in out


def test_a_snapshot_of_another_record_is_damage(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(record) as store:
        store.keep(Snapshot(3, b"another record's hash".ljust(32), b"m", b"s", {}))
    code, out, _ = spoken(capsys, "verify", record)
    assert code == 1
    assert "the snapshot stands at record 3, which is not the one that is there" in out


def test_the_first_damaged_record_is_named(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(record, b"look:1:0")
    code, out, _ = spoken(capsys, "verify", record)
    assert code == 1
    assert "record 4 is damaged: its body does not match its hash; the 3 before it are whole" in out
    code, out, _ = spoken(capsys, "verify", record, "--json")
    document = json.loads(out)
    assert (code, document["intact"]) == (1, False)
    damaged = document["records"][0]["damaged"]
    assert (damaged["sequence"], damaged["cause"]) == (4, "its body does not match its hash")


def test_several_records_are_all_looked_at(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (record.parent / "usa").mkdir()
    (record.parent / "usa" / "record.db").write_bytes((record / "record.db").read_bytes())
    damage(record, b"sado")
    code, out, _ = spoken(capsys, "verify", record.parent, "--json")
    assert code == 1
    assert [one["intact"] for one in json.loads(out)["records"]] == [False, True]


@pytest.mark.parametrize("bad", ["nothing", "text", "cut"])
def test_what_cannot_be_read_is_one_sentence(
    record: Path, capsys: pytest.CaptureFixture[str], bad: str
) -> None:
    path = record.parent / f"{bad}.db"
    if bad == "text":
        path.write_text("no database at all\n" * 100)
    if bad == "cut":
        path.write_bytes((record / "record.db").read_bytes()[:60])
    code, out, error = spoken(capsys, "verify", path)
    assert (code, out) == (2, "")
    assert len(error.splitlines()) == 1
    assert path.name in error
    code, out, _ = spoken(capsys, "verify", path, "--json")
    assert code == 2
    assert json.loads(out)["error"]["subject"] == str(path)


def test_records_are_told_in_sentences(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(record, *LATER)
    code, out, _ = spoken(capsys, "tail", record)
    assert code == 0
    upto = "warning 4, decision 0, notice 0, track 310"
    assert [line.split("Z ", 1)[1] for line in out.splitlines()] == [
        "sado measured 1 times (batch 1)",
        "received from partner:USA track row 1: 2 bytes that are no message",
        f"partner:USA has our rows up to {upto}",
        "timer look:1:0 came due",
        "link partner:KOR is up, clock +0.250 s",
        "note: 1 bytes that do not open",
        "received from post:jp-pm.duty: 3 bytes that are no message",
        f"partner:USA has signed that its rows for us go up to {upto}",
        "partner:USA begins its streams for us anew after warning 0, decision 7, notice 0, track 0",
        "this machine's clock was stepped by -3600.000 s",
        "partner:USA brought a signed change of keys, policy or structure: 1 bytes that are no message",
        "retention lets go what need not be kept beyond 2022-10-03T22:22:00.000Z, of the records up to 5",
    ]
    _, out, _ = spoken(capsys, "tail", record, "-n", "8", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["sequence"], row["type"]) for row in rows[:2]] == [(5, "link"), (6, "note")]
    assert rows[0]["time"] == "2022-10-03T22:22:00.000Z"


def test_following_shows_what_comes_until_it_is_ended(
    record: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node comes and goes beside it, appends, lets bodies go and brings its log into the file."""
    naps: list[float] = []

    def nap(_: float) -> None:
        naps.append(_)
        if len(naps) > 3:
            raise KeyboardInterrupt
        add(record, TimerDue(name="later"), forget=Forget(9, NEVER, ((f"{USA}/track", 3),)))
        with opened(record) as store:
            while store.upkeep():
                pass
            assert store.checkpoint()

    monkeypatch.setattr("noroshi.cli.log.time.sleep", nap)
    code, out, _ = spoken(capsys, "tail", record, "-n", "1", "--follow")
    assert code == 130
    assert [line.split(maxsplit=2)[::2] for line in out.splitlines()] == [
        ["6", "note: 1 bytes that do not open"],
        *([str(number), "timer later came due"] for number in (7, 8, 9)),
    ]


def exported(record: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Path, list[dict[str, Any]]]:
    """An export for the United States: its file, and its lines."""
    out = record.parent / "usa.jsonl"
    code, said, _ = spoken(capsys, "export", record, "--party", USA, "--out", out, "--json")
    assert code == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert json.loads(said)["rows"] == len(lines) - 1
    return out, lines


def test_an_export_holds_what_the_party_was_given_and_no_more(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Path 27, copies and exports: what is made for a party is read from that party's streams alone."""
    out, (head, *lines) = exported(record, capsys)
    assert {name: head[name] for name in ("format", "realm", "node", "party")} == {
        "format": "noroshi-outbox/2",
        "realm": "exercise:log",
        "node": "jpn",
        "party": USA,
    }
    assert list(head["streams"]) == [f"{USA}/warning", f"{USA}/track"]
    assert [set(line) for line in lines] == [{"stream", "number", "head", "data"}] * 5
    assert [(line["stream"], line["number"]) for line in lines] == [
        *((f"{USA}/warning", number) for number in (1, 2)),
        *((f"{USA}/track", number) for number in (1, 2, 3)),
    ]
    assert [base64.b64decode(line["data"]) for line in lines] == [b"for USA %d" % n for n in range(1, 6)]
    assert "secret-key" not in out.read_text()
    assert "KOR" not in out.read_text()
    code, said, _ = spoken(capsys, "verify", out)
    whose = f"{out} (the rows of jpn for partner:USA in exercise:log)"
    assert (code, said) == (0, f"{whose}: 5 rows, all as they were\n")
    code, said, _ = spoken(capsys, "verify", out, "--json")
    assert json.loads(said)["export"]["streams"] == {f"{USA}/warning": 2, f"{USA}/track": 3}


def test_an_export_after_retention_begins_where_that_ended(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(record, LATER[-1], forget=Forget(1, 1, ((f"{USA}/track", 2), (f"{USA}/warning", 2))))
    out, (head, *lines) = exported(record, capsys)
    assert [(line["stream"], line["number"]) for line in lines] == [(f"{USA}/track", 3)]
    assert head["streams"][f"{USA}/warning"]["after"] == head["streams"][f"{USA}/warning"]["upto"]
    assert spoken(capsys, "verify", out)[0] == 0


Lines = list[dict[str, Any]]


def swapped(lines: Lines) -> None:
    lines[4]["data"], lines[5]["data"] = lines[5]["data"], lines[4]["data"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[2].update(data="AAAA"), "partner:USA/warning row 2 was changed"),
        (lambda lines: lines[4].update(head=lines[3]["head"]), "partner:USA/track row 2 was changed"),
        (swapped, "partner:USA/track row 2 was changed"),
        (lambda lines: lines.pop(1), "partner:USA/warning row 1 is missing"),
        (lambda lines: lines.pop(2), "partner:USA/warning row 2 is missing"),
        (lambda lines: lines.pop(), "partner:USA/track row 3 is missing"),
        (lambda lines: lines.insert(3, lines[2]), "partner:USA/warning row 2 was added"),
        (lambda lines: lines.append({**lines[5], "number": 4}), "partner:USA/track row 4 was added"),
        (lambda lines: lines.append({**lines[5], "stream": "partner:USA/notice"}), "notice row 3 was added"),
        (
            lambda lines: lines[0]["streams"][f"{USA}/track"]["upto"].update(head="AAAA"),
            "partner:USA/track row 3 was changed: the stream does not end with its head",
        ),
    ],
)
def test_a_changed_export_is_found_and_the_row_named(
    record: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Lines], object], said: str
) -> None:
    out, lines = exported(record, capsys)
    change(lines)
    out.write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, told, _ = spoken(capsys, "verify", out)
    assert code == 1
    assert said in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"format": "noroshi-outbox/1"}\n', "usa.jsonl:1: it is no line of an export"),
        ('{"format": "noroshi-outbox/', "usa.jsonl:1: it is no line of an export"),
        (
            '{"format":"noroshi-outbox/3","realm":"r","node":"n","party":"p","streams":{}}',
            "is not 'noroshi-outbox/2'",
        ),
        (
            '{"format":"noroshi-outbox/2","realm":"r","node":"n","party":"p","streams":{}}\n[]',
            "usa.jsonl:2: it is no line",
        ),
    ],
)
def test_a_file_that_is_no_export_is_one_sentence(
    record: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    path = record.parent / "usa.jsonl"
    path.write_text(text)
    code, _, error = spoken(capsys, "verify", path)
    assert code == 2
    assert said in error


def test_a_newer_record_is_read_with_a_word_about_it(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    behind_its_back(record, "PRAGMA user_version = 9")
    for command in ("verify", "tail"):
        code, out, error = spoken(capsys, command, record)
        assert code == 0
        assert "a newer noroshi wrote it (schema 9" in error
        assert "opened for reading only" in error
        assert len(out.splitlines()) == (1 if command == "verify" else 6)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"party": "partner:CHN"}, "this record has no outbox for it; it has: partner:KOR, partner:USA"),
        ({"out": "."}, "the file is there already"),
        ({"out": "nowhere/usa.jsonl"}, "No such file or directory"),
    ],
)
def test_an_export_that_cannot_be_made_is_one_sentence(
    record: Path, capsys: pytest.CaptureFixture[str], more: dict[str, Any], sentence: str
) -> None:
    chosen = {"party": "partner:USA", "out": "usa.jsonl", **more}
    where = record.parent / chosen["out"]
    code, _, error = spoken(capsys, "export", record, "--party", chosen["party"], "--out", where)
    assert code == 2
    assert sentence in error

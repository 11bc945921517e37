"""`noroshi log`: names the damaged record, tells records in sentences, gives a party no more than its own."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from noroshi.cli.main import main
from noroshi.log import Batch, Chain, OutboxRow
from noroshi.node.inputs import Detections, Input, LinkChanged, ReceiptGiven, Received, TimerDue, encode_input
from noroshi.service.sqlite_store import SqliteStore

START_NS = 1_664_835_720_000_000_000


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A small record in a node's directory: 5 inputs, a refusal, and some rows for two parties."""
    given: list[Input] = [
        Detections(feed="sado", sequence=1, sensor="sado", time_ns=(START_NS,), value=((1e6, 0.1, 0.2),)),
        Received(party="partner:USA", number=1, raw=b"\x01\x02"),
        ReceiptGiven(party="partner:USA", upto=4, signature=b"s" * 64),
        TimerDue(name="look:1:0"),
        LinkChanged(party="partner:KOR", state="up", offset_s=0.25),
    ]
    chain = Chain()
    path = tmp_path / "jpn" / "record.db"
    with SqliteStore.open(path, realm="exercise:log", node="jpn") as store:
        for number, one in enumerate(given, 1):
            type_, body = encode_input(one)
            rows = (
                OutboxRow("partner:USA", number, 0, "secret-key", START_NS, b"for USA %d" % number),
                OutboxRow("partner:KOR", number, 0, "", START_NS, b"for KOR %d" % number),
            )
            store.append([Batch((chain.link(START_NS + number, type_, body),), rows)])
        store.append([Batch((chain.link(START_NS + 9, "note", b"\xc1"),))])
    return path.parent


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
    assert (code, out) == (0, f"{record}/record.db (jpn, exercise:log): 6 records, all whole\n")
    code, out, _ = spoken(capsys, "verify", record / "record.db", "--json")
    document = json.loads(out)
    assert (code, document["intact"], document["records"][0]["count"]) == (0, True, 6)


def test_the_first_damaged_record_is_named(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(record, b"look:1:0")
    code, out, _ = spoken(capsys, "verify", record)
    assert code == 1
    assert "record 4 is damaged: its body does not match its hash; the 3 before it are whole" in out
    code, out, _ = spoken(capsys, "verify", record, "--json")
    document = json.loads(out)
    assert (code, document["intact"]) == (1, False)
    assert document["records"][0]["damaged"] == {"sequence": 4, "cause": "its body does not match its hash"}


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
    code, out, _ = spoken(capsys, "tail", record)
    assert code == 0
    assert [line.split("Z ", 1)[1] for line in out.splitlines()] == [
        "sado measured 1 times (batch 1)",
        "received from partner:USA row 1: 2 bytes that are no message",
        "partner:USA has our rows up to 4",
        "timer look:1:0 came due",
        "link partner:KOR is up, clock +0.250 s",
        "note: 1 bytes that do not open",
    ]
    _, out, _ = spoken(capsys, "tail", record, "-n", "2", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["sequence"], row["type"]) for row in rows] == [(5, "link"), (6, "note")]
    assert rows[0]["time"] == "2022-10-03T22:22:00.000Z"


def test_following_shows_what_comes_until_it_is_ended(
    record: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []

    def nap(_: float) -> None:
        naps.append(_)
        if len(naps) > 1:
            raise KeyboardInterrupt
        with SqliteStore.open(record / "record.db", realm="exercise:log", node="jpn") as store:
            last = list(store.records())[-1]
            body = encode_input(TimerDue(name="later"))[1]
            store.append([Batch((Chain(last.sequence, last.hash).link(START_NS, "timer", body),))])

    monkeypatch.setattr("noroshi.cli.log.time.sleep", nap)
    code, out, _ = spoken(capsys, "tail", record, "-n", "1", "--follow")
    assert code == 130
    assert [line.split()[0] for line in out.splitlines()] == ["6", "7"]


def test_an_export_holds_what_the_party_was_given_and_no_more(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = record.parent / "usa.jsonl"
    code, said, _ = spoken(capsys, "export", record, "--party", "partner:USA", "--out", out, "--json")
    assert (code, json.loads(said)["rows"]) == (0, 5)
    head, *lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert head == {
        "format": "noroshi-outbox/1",
        "realm": "exercise:log",
        "node": "jpn",
        "party": "partner:USA",
    }
    assert [set(line) for line in lines] == [{"number", "data"}] * 5
    assert [base64.b64decode(line["data"]) for line in lines] == [b"for USA %d" % n for n in range(1, 6)]
    assert "secret-key" not in out.read_text()


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

"""`noroshi release recall|allow` at a running node: who had a message hears of it; who may not ask is refused."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import msgspec
import pytest

from noroshi.cli.main import main
from noroshi.clock import NS_PER_S, seconds
from noroshi.exercise.world import looks
from noroshi.service.client import NodeClient
from noroshi.service.key_files import Key, write_key
from noroshi.service.node_config import ClockConfig
from noroshi.service.record_file import RecordFile
from noroshi.service.supervisor import Supervisor
from tests.service.conftest import ROOT, until
from tests.service.test_real_nodes import coalition, directories

SPEED = 10.0
SEEN_S = 12.0


def staff(path: Path, type_: str) -> list[dict[str, object]]:
    with RecordFile(path / "record.db") as file:
        rows = [json.loads(row.data) for row in file.outbox("staff", 0, 10_000)]
    return [row for row in rows if row["type"] == type_]


@pytest.mark.slow
def test_a_post_recalls_a_message_of_its_running_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT / "src"), os.environ.get("PYTHONPATH", ""))))
    made = coalition()
    member = next(one for one in made.members if one.node == "jpn")
    seen = [one for one in looks(made, b"k" * 32) if one.node == "jpn"]
    start_ns = seen[0].time_ns - seconds(2.0)
    nodes = directories(made, tmp_path)
    jpn, usa = tmp_path / "jpn", tmp_path / "usa"
    may, may_not = tmp_path / "may.json", tmp_path / "may-not.json"
    duties = {post.id: post.duties for post in member.genesis.posts}
    watch = next(one for one, has in duties.items() if {"watch", "approve"} & set(has))
    other = next(one for one, has in duties.items() if not {"watch", "approve"} & set(has))
    for file, post in ((may, watch), (may_not, other)):
        seat = member.seats[post]
        card = seat.certificate
        write_key(file, Key(card.realm, card.partner, "post", card.subject, seat.secret, card.unit))

    def told(*arguments: object) -> tuple[int, dict[str, object]]:
        code = main(["release", *map(str, arguments), "--json"])
        return code, json.loads(capsys.readouterr().out)

    async def scenario() -> None:
        clock = ClockConfig(
            mode="scaled", start_ns=start_ns, anchor_unix_ns=time.time_ns() + 4 * NS_PER_S, speed=SPEED
        )
        placed = {name: one.with_clock(clock) for name, one in nodes.items() if name != "kor"}
        now = clock.clock()
        async with Supervisor({name: one.path for name, one in placed.items()}):
            own = placed["jpn"]
            client = NodeClient(own.page_address, page_token=own.page_token(), feed_token=own.feed_token())
            for look in seen:
                if look.time_ns < start_ns + seconds(SEEN_S):
                    await asyncio.sleep(now.delay_s(look.time_ns))
                    await client.give([look.detections])
            await until(lambda: bool(staff(usa, "event")), 30.0)
            with RecordFile(jpn / "record.db") as file:
                raws = [one.body for one in file.records() if one.type == "message" and one.body]
            shared = next(one for one in reversed(raws) if b"JPN\xa3KOR\xa3USA" in one and b"event" in one)
            of = msgspec.msgpack.decode(msgspec.msgpack.decode(shared)[0])["id"].hex()
            refused = await asyncio.to_thread(told, "recall", jpn, of, "--post-key", may_not)
            assert refused[0] == 1
            assert refused[1]["reason"]
            code, document = await asyncio.to_thread(told, "recall", jpn, of[:12], "--post-key", may)
            assert (code, document["done"], document["of"]) == (0, True, of)
            await until(lambda: any(row["of"] == of for row in staff(usa, "recall")), 30.0)
            await until(
                lambda: any("USA has put away" in str(row["says"]) for row in staff(jpn, "recall")), 30.0
            )
            code, document = await asyncio.to_thread(told, "allow", jpn, of, "KOR", "--post-key", may)
            assert (code, document["done"]) == (1, False)
            await client.close()

    asyncio.run(scenario())
    assert main(["release", "recall", str(jpn), "00", "--post-key", str(may), "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert "does not run" in str(answer) or "such an id" in str(answer) or "no such message" in str(answer)

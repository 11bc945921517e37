"""Nodes one schema version apart, as real processes over real links: what either says arrives, and acts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import msgspec
import pytest

from noroshi.messages import KINDS, Envelope
from noroshi.messages.bodies import RecallBody
from noroshi.messages.envelope import Signed
from noroshi.service import node_dir
from noroshi.service.node_check import check_node
from tests.versions.crisis import WATCH, WITHIN_S, Crisis, crisis, directories, messages
from tests.versions.frozen import OLD, bumped, environment, today, unpacked

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NEWER = (
    ("messages/envelope.py", "\nSCHEMA_VERSION = 2\n", "\nSCHEMA_VERSION = 4\n"),
    ("messages/envelope.py", '"event", "refs"', '"event", "colour", "refs"'),
    ("service/record_schema.py", "\nSCHEMA_VERSION = 2\n", "\nSCHEMA_VERSION = 3\n"),
    ("sharing/link.py", "\nPROTOCOL_VERSION = 2\n", "\nPROTOCOL_VERSION = 3\n"),
)
"""Makes of the frozen version one that is two ahead: it knows a field `colour`, and its tables have another number."""


def envelope_of(raw: bytes) -> Envelope:
    return msgspec.msgpack.decode(msgspec.msgpack.decode(raw, type=Signed).payload, type=Envelope)


@pytest.mark.parametrize("old", [{"usa"}, {"jpn", "kor"}], ids=["the relay is older", "the ends are older"])
def test_a_crisis_goes_through_nodes_of_two_versions(tmp_path: Path, old: set[str]) -> None:
    """The United States' node stands between the other two, which have no link with one another."""
    asker, counter = ("jpn", "kor") if "usa" in old else ("usa", "usa")
    said: dict[str, tuple[bytes, bytes]] = {}

    async def scenario() -> None:
        async with crisis(tmp_path, old) as play:
            await play.see()
            for name in WATCH:
                said[name] = await play.say(name, f"words of {name}", colour="red")
            await asyncio.gather(*(play.heard(here, f"words of {name}") for here in WATCH for name in WATCH))
            await warned_alerted_and_decided(play)
            await play.recall(asker, said[asker][1])
            await recalled(play, asker)
            await play.count(counter)
            await counted(play, counter, old)
            for name, desk in play.desks.items():
                refused = {row["reason"] for row in desk.of("refusal")}
                assert refused <= {"recall-unknown"}, name  # a relay's, of an answer to another's recall

    asyncio.run(scenario())
    nodes = {name: node_dir.load(tmp_path / name) for name in WATCH}
    found = {name: messages(one) for name, one in nodes.items()}
    for here, there in combinations(sorted(found), 2):
        both = found[here].keys() & found[there].keys()
        assert len(both) > 10
        assert {key for key in both if found[here][key] != found[there][key]} == set()
    for name, (raw, identity) in said.items():
        partner = nodes[name].config.partner
        assert all(one[partner, identity] == ("remark", raw) for one in found.values()), name
    for kind, raw in {one for kept in found.values() for one in kept.values()}:
        assert envelope_of(raw).v == KINDS[kind].since, kind
    asked = {key for key, (kind, raw) in found[asker].items()
             if kind == "recall" and body_of(raw).step == "recalled"}  # fmt: skip
    assert len(asked) == 1
    assert all(asked <= one.keys() for one in found.values())
    for name in WATCH.keys() - old:
        for check in check_node(nodes[name].path):
            assert check.met, f"{name}: {check.name}: {check.detail}"


async def warned_alerted_and_decided(play: Crisis) -> None:
    """Japan warns all and alerts its own people; the watches of the others acknowledge, and all three nations decide."""
    for desk in play.desks.values():
        await desk.until(lambda row: row["type"] == "warning" and row["partner"] == "JPN")
        await desk.until(
            lambda row: row["type"] == "decision" and (row["step"], row["outcome"]) == ("ruling", "decided")
            and row["decision"] == "trilateral-consult"
        )  # fmt: skip
    japan = play.desks["jpn"]
    await japan.until(lambda row: row["type"] == "alert" and row["alert_type"] == "Alert")
    for partner in ("USA", "KOR"):
        await japan.until(
            lambda row, partner=partner: row["type"] == "acknowledgement" and row["partner"] == partner  # type: ignore[misc]  # a bound default
        )


async def recalled(play: Crisis, asker: str) -> None:
    """Both versions know recalls: everybody puts the message away and says so."""
    done = {}
    for name in WATCH.keys() - {asker}:
        await play.desks[name].until(lambda row: row["type"] == "recall" and row["held"])
        done[play.directories[name].config.partner] = True
    await play.desks[asker].until(
        lambda row: (
            row["type"] == "recall"
            and {one["partner"]: one["done_ms"] is not None for one in row["partners"]} == done
        )
    )


async def counted(play: Crisis, counter: str, old: Iterable[str]) -> None:
    """Who knows counts shows it beside the others; who does not shows a kind that it does not know, and passes it on."""
    for name in WATCH.keys() - {counter}:
        if name in old:
            row = await play.heard(name, "count")
            assert "unknown kind 'count'" in row["says"]
        else:
            await play.desks[name].until(lambda row: row["type"] == "count")


def test_versions_two_apart_are_refused_by_name(tmp_path: Path) -> None:
    """What a node of version 4 says in words of version 1 is heard by all; words of version 4 by version 3 only."""
    old = unpacked(OLD)
    newer = bumped(old, tmp_path, *NEWER)
    play = Crisis(directories(tmp_path))

    async def scenario() -> None:
        try:
            await asyncio.gather(
                play.start("jpn", environment(old)),
                play.start("usa", environment(newer)),
                play.start("kor", today()),
            )
            await play.say("usa", "first words")
            await play.say("usa", "fourth words", v=4)
            await play.say("usa", "red words", colour="red", critical=["colour"])
            await play.say("usa", "last words", colour="red")
            for name in ("jpn", "kor"):
                await play.heard(name, "first words")
                await play.heard(name, "last words")
            await play.heard("kor", "fourth words")
            reasons = {
                name: [row["reason"] for row in desk.of("refusal")] for name, desk in play.desks.items()
            }
            assert reasons == {
                "jpn": ["unknown-version", "unknown-critical-field"],
                "kor": ["unknown-critical-field"],
                "usa": [],
            }
        finally:
            await asyncio.gather(*(play.stop(name) for name in list(play.nodes)))

    asyncio.run(scenario())


def test_a_link_protocol_that_is_two_ahead_ends_the_link_by_name(tmp_path: Path) -> None:
    changes = (
        ("sharing/link.py", "\nPROTOCOL_VERSION = 2\n", "\nPROTOCOL_VERSION = 4\n"),
        (
            "sharing/link.py",
            "OLDEST_PROTOCOL, NEWEST_PROTOCOL = 2, 3",
            "OLDEST_PROTOCOL, NEWEST_PROTOCOL = 2, 5",
        ),
    )
    newer = bumped(unpacked(OLD), tmp_path, *changes)
    play = Crisis(directories(tmp_path))

    async def scenario() -> None:
        try:
            await asyncio.gather(play.start("usa", environment(newer)), play.start("kor", today()))
            async with asyncio.timeout(WITHIN_S):
                while not any(
                    "it speaks version 4 of the link protocol, and this node 2" in one for one in play.notes
                ):
                    await asyncio.sleep(0.02)
        finally:
            await asyncio.gather(*(play.stop(name) for name in list(play.nodes)))

    asyncio.run(scenario())
    assert all(one.startswith("kor: ") for one in play.notes if "it speaks version" in one)


def body_of(raw: bytes) -> RecallBody:
    return msgspec.msgpack.decode(envelope_of(raw).body, type=RecallBody)

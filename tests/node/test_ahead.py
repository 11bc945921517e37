"""Work ahead of the core: whatever was done before an input is handled, its commit is the same to the byte."""

from __future__ import annotations

import random

import msgspec

from noroshi.cli.benches.star import OUTER, Star
from noroshi.messages import Ed25519
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import Signed
from noroshi.messages.kinds import Lane
from noroshi.node import Node
from noroshi.node.inputs import Commit, Input, LinkChanged, Received
from tests.node.scene import places


def given(star: Star) -> list[Input]:
    """Good messages, repeats, forged ones, other bytes, other inputs."""
    now_ns = star.genesis.certificates[0].not_before_ns + 10**9
    inputs: list[Input] = []
    numbers = dict.fromkeys(OUTER, 0)

    def hear(partner: str, raw: bytes) -> None:
        numbers[partner] += 1
        inputs.append(
            Received(party=f"partner:{partner}", number=numbers[partner], raw=raw, lane=Lane.NOTICE)
        )

    for number in range(40):
        partner = OUTER[number % len(OUTER)]
        raw = star.remark(partner, number // 2, now_ns)
        hear(partner, raw)
        signed = msgspec.msgpack.decode(raw, type=Signed)
        if number % 5 == 0:
            hear(partner, encode(Signed(signed.payload, signed.key, bytes(64))))
            hear(partner, encode(Signed(signed.payload, bytes(16), signed.signature)))
            hear(partner, encode(Signed(b"\x80", signed.key, signed.signature)))
            hear(partner, raw[:-1])
            hear(partner, raw)
            inputs.append(LinkChanged(party=f"partner:{partner}", state="up"))
    return inputs


def commits(star: Star, inputs: list[Input], ahead: random.Random | None) -> list[Commit]:
    """What follows, with some of the next inputs expected, and some of that worked on, before each is handled."""
    now_ns = star.genesis.certificates[0].not_before_ns + 2 * 10**9
    node, begun = Node.begin(now_ns, star.genesis, star.secrets, places())
    found = [begun]
    for place, one in enumerate(inputs):
        if ahead is not None:
            for other in inputs[place : place + ahead.randrange(8)]:
                node.expect(now_ns, other)
            for _ in range(ahead.randrange(8)):
                node.work_ahead()
        found.append(node.handle(now_ns, one))
    return found


def test_commits_are_the_same_with_and_without_work_ahead() -> None:
    star = Star.found()
    assert isinstance(star.scheme, Ed25519)
    inputs = given(star)
    plain = commits(star, inputs, None)
    outcomes = {one.answer.outcome for one in plain}
    assert outcomes == {"accepted", "duplicate", "refused"}
    for seed in range(3):
        assert commits(star, inputs, random.Random(seed)) == plain


def test_only_what_will_be_verified_is_expected() -> None:
    star = Star.found()
    now_ns = star.genesis.certificates[0].not_before_ns + 10**9
    node, _ = Node.begin(now_ns, star.genesis, star.secrets, places())
    good = star.remark("JPN", 1, now_ns)
    assert node.expect(now_ns, Received(party="partner:JPN", number=1, raw=good, lane=Lane.NOTICE))
    assert not node.expect(now_ns, Received(party="partner:JPN", number=1, raw=b"", lane=Lane.NOTICE))
    assert not node.expect(now_ns, LinkChanged(party="partner:JPN", state="up"))
    foreign = Star.found().remark("JPN", 1, now_ns)
    assert node.expect(now_ns, Received(party="partner:JPN", number=1, raw=foreign)) is False
    assert node.work_ahead()
    assert not node.work_ahead()

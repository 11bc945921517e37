"""The worked example in the manual's wire format is what this code computes, byte for byte."""

from __future__ import annotations

from pathlib import Path

from noroshi.messages import Ed25519
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import Lane
from noroshi.sharing import Outboxes, Position, Statement, frames
from noroshi.sharing.proof import What
from noroshi.sharing.streams import START, statement_bytes

PAGE = Path(__file__).resolve().parents[2] / "docs" / "wire-format.md"
REALM, SENDER, RECEIVER = "exercise:example", "USA", "JPN"
SEEDS = {SENDER: bytes(range(32)), RECEIVER: bytes(range(32, 64))}
NOW_NS = 1_664_835_840_000_000_000
WIDTH = 96


def example() -> list[tuple[str, bytes]]:
    """What the example shows, in order: two notices from USA to JPN, of which the first is receipted."""
    scheme, outboxes = Ed25519(), Outboxes()
    party = f"partner:{RECEIVER}"
    rows = [outboxes.put(party, Lane.NOTICE, "", NOW_NS, data) for data in (b"first", b"second")]
    receipted = START.at(Lane.NOTICE, 1, rows[0].head)
    outboxes.receipted(party, receipted)

    def said(what: What, signer: str, position: Position) -> tuple[bytes, Statement]:
        data = statement_bytes(what, REALM, SENDER, RECEIVER, position)
        return data, Statement(position, scheme.sign(SEEDS[signer], data))

    checkpoint_bytes, checkpoint = said("checkpoint", SENDER, outboxes.sent(party))
    receipt_bytes, receipt = said("receipt", RECEIVER, receipted)
    outboxes.restart(party, lambda why: False)
    hello = frames.HelloFrame(2, REALM, SENDER, RECEIVER, "usa", START, NOW_NS)
    return [
        ("public key of USA's node", scheme.public_key(SEEDS[SENDER])),
        ("public key of JPN's node", scheme.public_key(SEEDS[RECEIVER])),
        ("head after notice 1", rows[0].head),
        ("head after notice 2", rows[1].head),
        ("hello of USA", frames.encode(hello)),
        ("row: notice 1", frames.encode(frames.RowFrame(Lane.NOTICE, 1, rows[0].data))),
        ("row: notice 2", frames.encode(frames.RowFrame(Lane.NOTICE, 2, rows[1].data))),
        ("position after notice 2", encode(checkpoint.position)),
        ("what USA signs in its checkpoint", checkpoint_bytes),
        ("checkpoint of USA", frames.encode(frames.CheckpointFrame(checkpoint))),
        ("what JPN signs in its receipt for notice 1", receipt_bytes),
        ("receipt of JPN", frames.encode(frames.ReceiptFrame(receipt))),
        ("restart of USA, without notice 2", frames.encode(frames.RestartFrame(outboxes.sent(party)))),
        ("ping", frames.encode(frames.PingFrame(NOW_NS))),
        ("pong", frames.encode(frames.PongFrame(NOW_NS, NOW_NS + 5_000_000))),
    ]


def printed() -> str:
    """The example as the manual prints it: a name, and hexadecimal lines."""
    lines: list[str] = []
    for name, data in example():
        digits = data.hex()
        lines += [name, *(f"  {digits[start : start + WIDTH]}" for start in range(0, len(digits), WIDTH))]
    return "\n".join(lines)


def test_the_worked_example_is_what_this_code_computes() -> None:
    assert f"```text\n{printed()}\n```\n" in PAGE.read_text("utf-8"), f"the example should read:\n{printed()}"


def test_frames_of_the_example_are_read_back() -> None:
    for name, data in example():
        if data[: frames.LENGTH_BYTES] == (len(data) - frames.LENGTH_BYTES).to_bytes(
            frames.LENGTH_BYTES, "big"
        ):
            assert frames.encode(frames.decode(data[frames.LENGTH_BYTES :])) == data, name

"""What a post signs in answer to a task, by whatever hand: here the correction of a count, with a passkey."""

from __future__ import annotations

import msgspec
import pytest

from noroshi.command.posts import prepared
from noroshi.messages import Certificate
from noroshi.service.passkey_enrolment import payload_for

FIELDS = {
    "task": "count:07", "kind": "count", "audience": ["JPN", "KOR"], "event": "e1" * 16, "number": 4, "count": 3,
    "ours": 2, "supersedes": "07" * 16, "why": "more-seen",
}  # fmt: skip
CARD = Certificate(
    realm="real", partner="JPN", role="post", subject="jp-jjoc.watch", unit="jp-jjoc", public=b"p" * 32,
    not_before_ns=0, not_after_ns=2**62,
)  # fmt: skip


@pytest.mark.parametrize(("outcome", "count", "why"), [("concur", 3, "more-seen"), ("refuse", 2, "")])
def test_a_watch_corrects_a_count_or_stands_by_it(outcome: str, count: int, why: str) -> None:
    payload = payload_for(FIELDS, outcome, CARD, "jpn", 5, "")
    said = msgspec.msgpack.decode(payload)
    assert (said["kind"], said["post"], said["unit"], said["node"]) == (
        "count",
        "jp-jjoc.watch",
        "jp-jjoc",
        "jpn",
    )
    assert said["body"]["count"] == count
    assert said["body"]["supersedes"] == b"\x07" * 16
    assert said["body"].get("why", "") == why


def test_pressed_again_it_is_the_same_answer() -> None:
    first, again = (prepared(FIELDS, "concur", CARD, "jpn", now_ns) for now_ns in (5, 6))
    assert msgspec.msgpack.decode(first)["id"] == msgspec.msgpack.decode(again)["id"]

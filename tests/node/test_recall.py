"""A recall reaches exactly those who had the message, each says what it did, and what it had told counts no longer."""

from __future__ import annotations

import msgspec
import pytest

from noroshi.log import Record
from noroshi.messages import Envelope, label_for
from noroshi.messages.bodies import RecallBody
from noroshi.messages.envelope import Signed
from noroshi.messages.labels import Label
from noroshi.node import Commit
from tests.node.scene import Scene, envelopes

POST = "jp-mod.duty"


@pytest.fixture
def scene() -> Scene:
    return Scene("trilateral").watch(95.0)


def post_of(scene: Scene, node: str) -> str:
    """An own post that may recall."""
    posts = scene[node].node.state.posts.values()
    return next(one.id for one in posts if {"watch", "approve"} & set(one.duties))


def messages(scene: Scene, node: str, kind: str) -> list[tuple[Envelope, bytes]]:
    """What a node has said, newest last."""
    records: list[Record] = scene[node].records()
    raws = [record.body for record in records if record.type == "message" and record.body]
    found = [
        (msgspec.msgpack.decode(msgspec.msgpack.decode(raw, type=Signed).payload, type=Envelope), raw)
        for raw in raws
    ]
    return [one for one in found if one[0].kind == kind]


def ask(
    scene: Scene, node: str, of: bytes, *, raw: bytes = b"", label: Label | None = None, post: str = ""
) -> Commit:
    body = RecallBody(of=of, step="ask", original=raw, label=label)
    who = post or post_of(scene, node)
    partner = scene[node].member.trigraph
    sealed = scene.sealed(node, "recall", body, post=who, audience=(partner,))
    return scene.hand_in(node, who, sealed)


def shared(scene: Scene, kind: str, audience: tuple[str, ...]) -> tuple[Envelope, bytes]:
    """A message of Japan's to exactly this audience."""
    return next(one for one in messages(scene, "jpn", kind) if one[0].label.releasable_to == audience)


def recalls_to(scene: Scene, node: str, partner: str, of: bytes) -> list[Envelope]:
    rows = envelopes(scene[node].rows(f"partner:{partner}"))
    bodies = [
        (one, msgspec.msgpack.decode(one.body, type=RecallBody)) for one in rows if one.kind == "recall"
    ]
    return [one for one, body in bodies if body.of == of and body.step == "recalled"]


def test_everybody_who_had_it_is_asked_and_answers_also_behind_a_relay(scene: Scene) -> None:
    envelope, _ = shared(scene, "event", ("JPN", "KOR", "USA"))
    assert ask(scene, "jpn", envelope.id).answer.outcome == "accepted"
    assert len(recalls_to(scene, "jpn", "USA", envelope.id)) == 1
    assert len(recalls_to(scene, "usa", "KOR", envelope.id)) == 1, (
        "the relay passes it on, as it did the message"
    )
    for node in ("usa", "kor"):
        (row,) = scene[node].staff("recall")
        assert row["of"] == envelope.id.hex()
        assert row["held"]
        assert scene[node].node.state.is_recalled("JPN", envelope.id)
    told = scene["jpn"].staff("recall")
    assert "cannot be called back" in told[0]["says"]
    done = {one["partner"]: one["done_ms"] for one in told[-1]["partners"]}
    assert set(done) == {"KOR", "USA"}
    assert None not in done.values()
    for side in scene.sides.values():
        side.restart()


def test_who_never_had_it_hears_nothing(scene: Scene) -> None:
    narrow = [one for one, _ in messages(scene, "jpn", "track") if "KOR" not in one.label.releasable_to]
    before = len(scene["kor"].records())
    if narrow:
        ask(scene, "jpn", narrow[0].id)
    own = next(one for one, _ in messages(scene, "jpn", "warning") if one.label.releasable_to == ("JPN",))
    assert ask(scene, "jpn", own.id).answer.outcome == "accepted"
    assert not recalls_to(scene, "jpn", "USA", own.id)
    assert len(scene["kor"].records()) == before
    assert "nobody" in scene["jpn"].staff("recall")[-1]["says"]


def test_a_withheld_partner_is_not_told_even_where_the_label_names_it(scene: Scene) -> None:
    """A relay that did not pass the message on does not pass on its recall."""
    envelope, _ = shared(scene, "event", ("JPN", "KOR", "USA"))
    state = scene["usa"].node.state
    key = state.known.key("JPN", envelope.id)
    state.known._recent[key] &= ~(1 << state.bit("KOR"))
    ask(scene, "jpn", envelope.id)
    assert not recalls_to(scene, "usa", "KOR", envelope.id)
    assert not scene["kor"].staff("recall")


def test_recalled_evidence_counts_no_longer_where_it_was_recalled_and_stays_ours(scene: Scene) -> None:
    tracks = [
        one for one, _ in messages(scene, "jpn", "track") if one.label.releasable_to == ("JPN", "KOR", "USA")
    ]
    usa = scene["usa"].node.state
    (event,) = [one for one in usa.events.active(usa.own_audience) if one.estimate.partners.get("JPN")]
    before, own = event.estimate.partners["JPN"], scene["jpn"].node.state
    rows = next(one.estimate.rows for one in own.events.active(own.own_audience))
    assert before > 1
    ask(scene, "jpn", tracks[0].id)
    assert event.estimate.partners["JPN"] == before - 1
    assert len(event.estimate.filter) == sum(event.estimate.partners.values())
    assert next(one.estimate.rows for one in own.events.active(own.own_audience)) == rows
    told = next(one for one in own.events.active(frozenset(("JPN", "KOR", "USA"))))
    assert len(told.estimate.filter) == len(event.estimate.filter), "the picture that we share is theirs"
    for side in scene.sides.values():
        side.restart()


def test_a_recall_that_overtakes_its_message_puts_it_away_when_it_comes(scene: Scene) -> None:
    envelope, raw = shared(scene, "track", ("JPN", "KOR", "USA"))
    other = Scene("trilateral")
    other.now_ns = scene.now_ns
    recall = scene.sealed(
        "jpn", "recall", RecallBody(of=envelope.id, step="recalled"), audience=("JPN", "KOR", "USA")
    )
    assert other.bring("jpn", "usa", recall).answer.outcome == "accepted"
    assert other.bring("jpn", "usa", raw).answer.outcome == "duplicate"
    state = other["usa"].node.state
    assert not state.events.of(state.own_audience)
    (row,) = other["usa"].staff("recall")
    assert not row["held"]


def test_a_raised_label_takes_from_those_who_lose_it_and_replaces_for_the_others(scene: Scene) -> None:
    envelope, raw = shared(scene, "event", ("JPN", "KOR", "USA"))
    narrower = label_for(("JPN", "USA"), envelope.label.classification)
    assert ask(scene, "jpn", envelope.id, raw=raw, label=narrower).answer.outcome == "accepted"
    recall = scene["jpn"].node.state.recalls[envelope.id]
    assert recall.asked == {"KOR"}
    assert recall.replaced == {"USA"}
    (row,) = scene["kor"].staff("recall")
    assert row["held"], "also behind a relay that keeps the content"
    assert [one["step"] for one in scene["usa"].staff("recall")] == ["replaced"]
    assert set(recall.done) == {"KOR", "USA"}
    new = messages(scene, "jpn", "event")[-1][0]
    assert new.label == narrower
    assert new.refs == (envelope.id,)
    assert not [one for one in envelopes(scene["usa"].rows("partner:KOR")) if one.id == new.id]
    says = b"".join(row.data for row in scene["usa"].rows("partner:KOR"))
    assert new.id not in says, "who loses it does not learn that there is another edition"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("another's", "recalls-nothing-known"),
        ("not known", "recalls-nothing-known"),
        ("wider label", "label-not-stricter"),
        ("other message", "not-the-message-itself"),
        ("no duty", "not-this-posts-duty"),
    ],
)
def test_what_may_not_be_recalled(scene: Scene, what: str, reason: str) -> None:
    envelope, raw = shared(scene, "event", ("JPN", "KOR", "USA"))
    foreign = next(one for one, _ in messages(scene, "usa", "event"))
    posts = scene["jpn"].node.state.posts.values()
    idle = next((one.id for one in posts if not {"watch", "approve"} & set(one.duties)), "")
    label = label_for(("JPN", "KOR", "USA"), "unclassified")
    commit = {
        "another's": lambda: ask(scene, "jpn", foreign.id),
        "not known": lambda: ask(scene, "jpn", b"x" * 16),
        "wider label": lambda: ask(scene, "jpn", envelope.id, raw=raw, label=label),
        "other message": lambda: ask(
            scene,
            "jpn",
            envelope.id,
            raw=shared(scene, "track", ("JPN", "KOR", "USA"))[1],
            label=label_for(("JPN",)),
        ),
        "no duty": lambda: ask(scene, "jpn", envelope.id, post=idle),
    }[what]()
    assert commit.answer.reason == reason
    assert not scene["jpn"].node.state.recalls


def test_nobody_recalls_anothers_message_or_answers_for_another(scene: Scene) -> None:
    envelope, _ = shared(scene, "event", ("JPN", "KOR", "USA"))
    theirs = scene.sealed(
        "usa", "recall", RecallBody(of=envelope.id, step="recalled"), audience=("JPN", "USA")
    )
    scene.bring("usa", "jpn", theirs)
    state = scene["jpn"].node.state
    assert not state.is_recalled("JPN", envelope.id)
    done = scene.sealed("usa", "recall", RecallBody(of=envelope.id, step="done"), audience=("JPN", "USA"))
    assert scene.bring("usa", "jpn", done).answer.reason == "recall-unknown"
    assert ask(scene, "jpn", envelope.id).answer.outcome == "accepted"
    assert ask(scene, "jpn", envelope.id).answer.outcome == "duplicate"

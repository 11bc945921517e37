"""An answer that comes before its question waits for it, and counts once; answers to nothing fill no node."""

from __future__ import annotations

import pytest

from noroshi.clock import NS_PER_S
from noroshi.node import Node, early
from noroshi.node.pruning import EVERY_NS
from tests.node.scene import Scene, places
from tests.node.test_authority import ALL, CASE, concurrence, request


@pytest.fixture
def scene() -> Scene:
    return Scene("trilateral")


def spoken(scene: Scene) -> tuple[bytes, bytes]:
    """Japan's request, and the answer of the United States to it."""
    asked = scene.sealed("jpn", "decision", request(), post="jp-pm.duty", audience=ALL)
    scene.now_ns += NS_PER_S
    unit = next(one for one in scene["jpn"].node.state.members("tri-ministers") if one.startswith("us-"))
    posts = scene["usa"].node.state.posts.values()
    post = next(one.id for one in posts if one.unit == unit and "concur" in one.duties)
    return asked, scene.sealed("usa", "decision", concurrence(unit), post=post, audience=ALL)


def test_an_answer_over_the_quicker_line_counts_when_its_question_comes(scene: Scene) -> None:
    asked, answered = spoken(scene)
    kor = scene["kor"]
    assert scene.bring("usa", "kor", answered).answer.outcome == "accepted"
    assert not kor.staff("decision-status")
    kor.restart()
    member = kor.member
    twin = Node.restore("kor", kor.node.snapshot(), (), member.secrets, places())
    assert twin.state.early == kor.node.state.early != {}
    assert scene.bring("usa", "kor", asked).answer.outcome == "accepted"
    case = kor.node.state.cases[CASE]
    assert [one.partner for one in case.answers] == ["USA"]
    assert not kor.node.state.early
    assert scene.bring("usa", "kor", answered).answer.outcome == "duplicate"
    assert len(kor.node.state.cases[CASE].answers) == 1
    kor.restart()


def test_an_own_posts_answer_to_nothing_is_refused_at_once(scene: Scene) -> None:
    raw = scene.sealed("kor", "decision", concurrence("kr-mnd"), post="kr-mnd.minister", audience=ALL)
    assert scene.hand_in("kor", "kr-mnd.minister", raw).answer.reason == "unknown-case"


def test_answers_to_nothing_are_bounded_and_let_go(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "MOST", 3)
    kor = scene["kor"]
    unit = next(one for one in kor.node.state.members("tri-ministers") if one.startswith("us-"))
    post = next(
        one.id
        for one in scene["usa"].node.state.posts.values()
        if one.unit == unit and "concur" in one.duties
    )
    reasons = []
    for number in range(5):
        scene.now_ns += 1
        body = concurrence(unit, case=bytes([number]) * 16)
        raw = scene.sealed("usa", "decision", body, post=post, audience=ALL)
        reasons.append(scene.bring("usa", "kor", raw).answer.reason)
    assert reasons == ["", "", "", "unknown-case", "unknown-case"]
    scene.now_ns += early.KEPT_NS + 2 * EVERY_NS
    scene.bring("usa", "kor", b"anything")
    assert not kor.node.state.early
    kor.restart()

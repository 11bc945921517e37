"""H4: a notice is delivered when the watch says so, explains a track, suppresses nothing; what is none is refused."""

from __future__ import annotations

from functools import cache
from math import radians
from pathlib import Path
from typing import Any

import msgspec
import pytest

from noroshi.command.notices import NOTICE_TABLE, notice_id, notice_message
from noroshi.exercise.coalition import Coalition, found
from noroshi.exercise.run import play
from noroshi.geo.placefile import PlaceTableError
from noroshi.log import MemoryStore
from noroshi.messages import KeyedHash
from noroshi.messages.bodies import AcknowledgementBody, RecallBody, WarningBody
from noroshi.messages.bodies_notice import CircleRow, NoticeBody
from noroshi.node import Commit, Node
from noroshi.review import open_log
from noroshi.service.exercise_files import stage
from tests.node.scene import ENTROPY, Scene, places, replayed

INCIDENTS = Path(__file__).resolve().parents[2] / "scenarios" / "incidents"
GIVER, WATCH, SECOND, MINISTRY = "jp-mofa.notices", "kr-jcs.watch", "kr-jcs.second", "kr-mnd.duty"
HOUR_S = 3600.0


@pytest.fixture(scope="module", autouse=True)
def _places() -> None:
    try:
        places()
    except PlaceTableError as error:
        pytest.skip(f"needs the table of places (`make places`): {error.sentence()}")


@cache
def coalition(name: str, without: frozenset[str] = frozenset(), until_s: float = 225.0) -> Coalition:
    staged = stage(str(INCIDENTS / f"{name}.yaml"))
    kept = tuple(one for one in staged.scenario.injects if one.id not in without)
    scenario = msgspec.structs.replace(staged.scenario, injects=kept, duration_s=until_s)
    return found(
        scenario, staged.structure, staged.catalogue, entropy=ENTROPY, scheme=KeyedHash(),
        places_digest=places().digest,
    )  # fmt: skip


@pytest.fixture
def scene() -> Scene:
    return Scene(coalition=coalition("H4-norway"))


def notice(scene: Scene, **changes: Any) -> NoticeBody:
    fields: dict[str, Any] = {
        "notice": notice_id("JPN", "jp-mofa", "study"),
        "number": 1,
        "step": "announced",
        "unit": "jp-mofa",
        "title": "Study",
        "object": "sounding-rocket",
        "count": 1,
        "from_ns": scene.at(HOUR_S),
        "to_ns": scene.at(25 * 24 * HOUR_S),
        "area": [],
        "circle": CircleRow(latitude_rad=radians(31.25), longitude_rad=radians(131.08), radius_m=40_000.0),
        "azimuth_from_rad": radians(110.0),
        "azimuth_to_rad": radians(170.0),
        "watches": ["kr-jcs"],
        "informed": ["kr-mnd"],
        "inform_by_ns": scene.at(600.0),
    }
    return NoticeBody(**(fields | changes))


def give(scene: Scene, body: NoticeBody, *, node: str = "jpn", post: str = GIVER, **more: Any) -> Commit:
    expires_ns = more.pop("expires_ns", body.to_ns + 1)
    partners = more.pop("partners", ("JPN", "KOR"))
    raw = notice_message(scene[node].seat(post), body, partners, expires_ns, scene.now_ns)
    return scene.hand_in(node, post, raw)


def shown(scene: Scene, node: str) -> dict[str, Any]:
    return scene[node].staff("notice")[-1]


def alarms(scene: Scene, node: str) -> list[str]:
    names = [name.split(":") for name in scene[node].node.state.alarms]
    newest = {row["alarm"]: row["state"] for row in scene[node].staff("alarm")}
    assert [name for name, state in newest.items() if state == "raised"] == [":".join(one) for one in names]
    return [one[2] for one in names if one[0] == "watch-not-informed"]


def acknowledge(scene: Scene, post: str) -> None:
    task = next(row for row in scene.tasks("kor", "acknowledge") if post in row["posts"])
    scene.answer("kor", task, post=post)


def test_a_ministrys_word_informs_no_watch_and_the_alarm_ends_with_the_watchs_own(scene: Scene) -> None:
    assert give(scene, notice(scene)).answer.outcome == "accepted"
    acknowledge(scene, MINISTRY)
    assert [shown(scene, node)["read_by"] for node in ("jpn", "kor")] == [["kr-mnd"], ["kr-mnd"]]
    scene.run_to(scene.at(599.9))
    assert alarms(scene, "jpn") == alarms(scene, "kor") == []
    scene.run_to(scene.at(600.1))
    assert alarms(scene, "jpn") == alarms(scene, "kor") == ["kr-jcs"]
    assert [row["posts"] for row in scene.tasks("jpn")] == [[GIVER]]
    asked = [post for row in scene.tasks("kor") for post in row["posts"]]
    assert SECOND in asked
    assert MINISTRY not in asked
    scene.run_to(scene.at(700.0))  # and then the unit above
    assert MINISTRY in [post for row in scene.tasks("kor") for post in row["posts"]]
    acknowledge(scene, MINISTRY)
    assert alarms(scene, "jpn") == ["kr-jcs"], "whoever is above may know; the watch does not"
    acknowledge(scene, SECOND)
    assert alarms(scene, "jpn") == alarms(scene, "kor") == []
    assert shown(scene, "jpn")["watches"][0]["by"] == SECOND
    assert scene.tasks("kor") == scene.tasks("jpn") == []
    for side in scene.sides.values():
        again = replayed(side.member, side.records())
        assert again.state.notices == side.node.state.notices
        restored = Node.restore("it", side.node.snapshot(), [], side.member.secrets, places())
        assert restored.state.notices == side.node.state.notices


def test_nobody_to_ask_is_an_alarm_at_once(scene: Scene) -> None:
    give(
        scene, notice(scene, watches=["kr-local"], informed=[])
    )  # a unit without a watch, and nobody is over it
    assert alarms(scene, "kor") == ["kr-local"]
    assert "no-post" in scene["kor"].refusals()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"from_ns": 5, "to_ns": 5}, "window-is-none"),
        ({"from_ns": 1, "to_ns": 2, "expires_ns": HOUR_S}, "window-over"),
        ({"to_ns": 90 * 24 * HOUR_S}, "window-too-long"),
        ({"from_ns": 500 * 24 * HOUR_S, "to_ns": 501 * 24 * HOUR_S}, "window-too-far"),
        ({"expires_ns": 2 * HOUR_S}, "expires-before-window"),
        ({"circle": None}, "area-is-none"),
        ({"circle": None, "area": [[[0.5, 2.0], [0.5, 2.1], [0.5, 2.0], [0.5, 2.0]]]}, "area-is-none"),
        ({"circle": CircleRow(latitude_rad=0.5, longitude_rad=2.0, radius_m=600_000.0)}, "area-too-large"),
        ({"circle": CircleRow(latitude_rad=0.5, longitude_rad=2.0, radius_m=1e-9)}, "area-is-none"),
        ({"watches": []}, "no-watch"),
        ({"title": "This is not a drill"}, "claims-the-other-realm"),
        ({"watches": ["kr-nobody"]}, "unknown-unit"),
        ({"partners": ("JPN",)}, "watch-not-addressed"),
        ({"inform_by_ns": 0}, "deadline-too-late"),
        ({"inform_by_ns": 2 * HOUR_S}, "deadline-too-late"),
        ({"unit": "jp-mod"}, "speaks-for-another-unit"),
        ({"step": "done"}, "unknown-notice"),
        ({"azimuth_to_rad": 7.0}, "impossible-body"),
        ({"count": 0}, "impossible-body"),
        ({"notice": b"short"}, "impossible-body"),
        ({"area": [[[0.5, 2.0]] * 600]}, "impossible-body"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_where_it_is_given(
    scene: Scene, changes: dict[str, Any], reason: str
) -> None:
    times = {k: scene.at(v) for k, v in changes.items() if k.endswith("_ns") and (v == 0 or v > 10)}
    more = {k: (changes | times)[k] for k in ("expires_ns", "partners") if k in changes}
    body = notice(scene, **{k: v for k, v in (changes | times).items() if k not in more})
    assert give(scene, body, **more).answer.reason == reason
    assert scene["jpn"].node.state.notices == scene["kor"].node.state.notices == {}
    assert scene["jpn"].refusals() == [reason]


def test_only_its_issuer_goes_on_with_it(scene: Scene) -> None:
    give(scene, notice(scene))
    held = scene["kor"].node.state.notices
    key = notice_id("JPN", "jp-mofa", "study")
    stolen = notice(scene, number=2, step="withdrawn", unit="kr-mnd", watches=["kr-jcs"])
    raw = notice_message(scene["kor"].seat(MINISTRY), stolen, ("JPN", "KOR"), stolen.to_ns + 1, scene.now_ns)
    assert scene.hand_in("kor", MINISTRY, raw).answer.reason == "no-authority"
    same = notice(scene, title="Another")
    assert give(scene, same).answer.reason == "contradicts-itself"
    assert give(scene, notice(scene, number=3, step="updated", title="Later")).answer.outcome == "accepted"
    assert (
        give(scene, notice(scene, number=2, step="updated", title="Late")).answer.reason == "older-than-known"
    )
    assert give(scene, notice(scene, number=4, step="withdrawn")).answer.outcome == "accepted"
    assert give(scene, notice(scene, number=5, step="go")).answer.reason == "notice-is-withdrawn"
    assert (held[key].body.title, held[key].state) == ("Study", "withdrawn")


def test_bytes_that_are_not_its_givers_change_nothing(scene: Scene) -> None:
    body = notice(scene)
    raw = notice_message(scene["jpn"].seat(GIVER), body, ("JPN", "KOR"), body.to_ns + 1, scene.now_ns)
    broken = bytearray(raw)
    broken[-1] ^= 1
    assert scene.hand_in("jpn", GIVER, bytes(broken)).answer.reason == "bad-signature"
    late = notice_message(scene["jpn"].seat(GIVER), body, ("JPN", "KOR"), body.to_ns + 1, scene.at(60.0))
    assert scene.hand_in("jpn", GIVER, late).answer.reason == "future-dated"
    assert scene.hand_in("kor", MINISTRY, raw).answer.outcome == "refused"
    assert scene["jpn"].node.state.notices == {}
    assert scene.hand_in("jpn", GIVER, raw).answer.outcome == "accepted"
    assert scene.hand_in("jpn", GIVER, raw).answer.outcome == "duplicate"
    assert len(scene["kor"].node.state.notices) == 1


def test_a_newer_step_counts_although_the_first_one_never_came(scene: Scene) -> None:
    scene.cut = set(scene.wires)
    first = notice_message(
        scene["jpn"].seat(GIVER), notice(scene), ("JPN", "KOR"), scene.at(9e6), scene.now_ns
    )
    second_body = notice(scene, number=2, step="updated", title="Changed")
    second = notice_message(
        scene["jpn"].seat(GIVER), second_body, ("JPN", "KOR"), scene.at(9e6), scene.now_ns
    )
    assert scene.bring("jpn", "kor", second).answer.outcome == "accepted"
    assert scene.bring("jpn", "kor", first).answer.reason == "older-than-known"
    assert shown(scene, "kor")["title"] == "Changed"


def test_an_update_asks_every_watch_again_and_an_old_answer_does_not_count(scene: Scene) -> None:
    give(scene, notice(scene))
    old = next(row for row in scene.tasks("kor", "acknowledge") if WATCH in row["posts"])
    give(scene, notice(scene, number=2, step="updated", title="Changed"))
    scene.answer("kor", old, post=WATCH)
    assert shown(scene, "jpn")["watches"][0]["informed_ms"] is None
    acknowledge(scene, WATCH)
    assert shown(scene, "jpn")["watches"][0]["by"] == WATCH
    scene.run_to(scene.at(601.0))
    assert alarms(scene, "jpn") == alarms(scene, "kor") == []


def test_a_watchs_word_is_its_own(scene: Scene) -> None:
    give(scene, notice(scene))
    of = bytes.fromhex(shown(scene, "kor")["id"])
    for post, unit, reason in (
        (MINISTRY, "kr-jcs", "speaks-for-another-unit"),
        ("kr-mois.approver", "kr-mois", ""),
    ):
        body = AcknowledgementBody(of=of, unit=unit)
        raw = scene.sealed("kor", "acknowledgement", body, post=post, audience=("JPN", "KOR"), v=1)
        assert scene.hand_in("kor", post, raw).answer.reason == reason
    assert shown(scene, "jpn")["watches"][0]["informed_ms"] is None


def test_a_notice_that_was_recalled_is_shown_no_more(scene: Scene) -> None:
    give(scene, notice(scene))
    of = bytes.fromhex(shown(scene, "jpn")["id"])
    raw = scene.sealed("jpn", "recall", RecallBody(of=of, step="ask"), post=GIVER, audience=("JPN",), v=2)
    assert scene.hand_in("jpn", GIVER, raw).answer.reason == "not-this-posts-duty"
    (held,) = scene["kor"].node.state.notices.values()
    assert held.open
    told = scene.sealed(
        "jpn", "recall", RecallBody(of=of, step="recalled", asked=("KOR",)), audience=("JPN", "KOR"), v=2
    )
    assert scene.bring("jpn", "kor", told).answer.outcome == "accepted"
    assert (shown(scene, "kor")["title"], shown(scene, "kor")["state"]) == ("(taken back)", "withdrawn")
    assert scene.tasks("kor") == []


def test_every_step_has_a_place_in_the_table() -> None:
    assert {step for _, step in NOTICE_TABLE} == {"announced", "updated", "go", "done", "withdrawn", "expire"}
    assert not [state for state, _ in NOTICE_TABLE if state in ("done", "withdrawn", "expired")]


@pytest.mark.slow
def test_a_notice_changes_no_word_of_a_warning() -> None:
    """The mirror twice, with and without the notices: what is warned of, and when, is the same."""
    said = []
    for without in (frozenset[str](), frozenset({"told", "other-weeks"})):
        one = coalition("H4-norway-mirror", without)
        run = play(one, places(), entropy=ENTROPY, store_for=lambda node: MemoryStore())
        log = open_log("kor", run.stores["kor"].records())
        bodies = [
            (entry.now_ns, entry.body)
            for entry in log.entries
            if entry.type == "message" and isinstance(entry.body, WarningBody)
        ]
        notes = [
            entry for entry in log.entries if entry.type == "note" and entry.fields.get("about") == "notice"
        ]
        said.append((bodies, bool(notes)))
    assert said[0][0] == said[1][0]
    assert said[0][0]
    assert (said[0][1], said[1][1]) == (True, False)

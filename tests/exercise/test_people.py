"""Modelled persons: what they answer, when, and what they leave alone."""

from __future__ import annotations

from typing import Any

import pytest

from noroshi.clock import NEVER, seconds
from noroshi.command.posts import Seat
from noroshi.exercise import People, entropy
from noroshi.exercise.scenario import Consultation, Post, Response
from noroshi.messages import Certificate, KeyedHash, Message, TrustStore, Unverified, certify, verify
from noroshi.messages.bodies import AcknowledgementBody, DecisionBody

KEY = entropy(1, "exercise:test")
SCHEME = KeyedHash()
ROOT, REALM = b"r" * 32, "exercise:test"


def post(name: str, *duties: str, median_s: float = 10.0, **more: Any) -> Post:
    response = Response(median_s=median_s, spread=more.pop("spread", 0.0), label="notional")
    unit = name.partition(".")[0]
    return Post(id=name, unit=unit, title=name, duties=duties or ("acknowledge",), response=response, **more)  # type: ignore[arg-type]  # duties are the words of the type


def seat(one: Post) -> Seat:
    bare = Certificate(
        realm=REALM, partner="JPN", role="post", subject=one.id, public=SCHEME.public_key(one.id.encode().ljust(32)),
        not_before_ns=0, not_after_ns=NEVER, unit=one.unit,
    )  # fmt: skip
    return Seat(certify(SCHEME, ROOT, bare), "jpn", SCHEME, one.id.encode().ljust(32), b"i" * 32)


def people(*posts: Post, consultations: tuple[Consultation, ...] = (), key: bytes = KEY) -> People:
    return People(posts, {one.id: seat(one) for one in posts}, consultations, key)


def task(identity: str, *posts: str, action: str = "acknowledge", **more: Any) -> dict[str, Any]:
    """A row of the staff stream, as `noroshi.node.tasks` makes it."""
    fields: dict[str, Any] = {"task": identity, "audience": ["JPN"], "event": ""}
    if action == "acknowledge":
        fields |= {"kind": "acknowledgement", "of": "00" * 16}
    else:
        fields |= {
            "kind": "decision",
            "case": "00" * 16,
            "decision": more.pop("decision", "trilateral-consult"),
        }
        fields |= {"step": {"request": "request", "concur": "concurrence"}.get(action, "ruling")}
    return {
        "type": "task", "task": identity, "posts": list(posts), "action": action, "state": more.pop("state", "open"),
        "deadline_ms": more.pop("deadline_ms", 0), "answer": fields, **more,
    }  # fmt: skip


def read(raw: bytes, *posts: Post) -> Message:
    trust = TrustStore(REALM, SCHEME, {"JPN": SCHEME.public_key(ROOT)})
    assert trust.admit_all(seat(one).certificate for one in posts) == {}
    outcome = verify(Unverified(raw), trust, seconds(1e6))
    assert isinstance(outcome, Message), outcome
    return outcome


def test_a_post_answers_after_its_time_with_its_own_signature() -> None:
    one = post("jp-fdma.duty")
    crew = people(one)
    crew.shown(seconds(5), task("t1", one.id))
    assert crew.next_due_ns == seconds(15)
    assert crew.due(seconds(14.9)) == []
    (answer,) = crew.due(seconds(15))
    message = read(answer.raw, one)
    assert isinstance(message.body, AcknowledgementBody)
    assert (message.envelope.post, message.envelope.unit, answer.task) == (one.id, "jp-fdma", "t1")
    assert crew.next_due_ns == NEVER


def test_a_row_seen_again_is_not_done_again() -> None:
    one = post("jp-fdma.duty")
    crew = people(one)
    for _ in range(3):
        crew.shown(0, task("t1", one.id))
    assert len(crew.due(seconds(100))) == 1
    crew.shown(seconds(101), task("t1", one.id))
    assert crew.next_due_ns == NEVER


def test_a_person_does_one_thing_at_a_time() -> None:
    one = post("jp-fdma.duty")
    crew = people(one)
    for name in ("t1", "t2", "t3"):
        crew.shown(0, task(name, one.id))
    assert [(a.task, at) for at in (10, 20, 30) for a in crew.due(seconds(at))] == [
        ("t1", 10),
        ("t2", 20),
        ("t3", 30),
    ]


def test_of_several_posts_the_one_that_is_done_first_takes_it() -> None:
    slow, quick = post("jp-pm.a", median_s=20), post("jp-pm.b", median_s=8)
    crew = people(slow, quick)
    for name in ("t1", "t2", "t3"):
        crew.shown(0, task(name, slow.id, quick.id))
    assert [answer.post for answer in crew.due(seconds(60))] == [quick.id, quick.id, slow.id]


def test_what_is_over_or_too_late_is_left_alone() -> None:
    one = post("jp-fdma.duty")
    crew = people(one)
    crew.shown(0, task("done-by-another", one.id))
    crew.shown(seconds(3), task("done-by-another", one.id, state="done"))
    crew.shown(seconds(4), task("too-late", one.id, deadline_ms=12_000))
    assert crew.due(seconds(60)) == []


def test_nobody_at_the_post_answers_nothing() -> None:
    empty = post("jp-fdma.duty", presence=0.0)
    crew = people(empty)
    crew.shown(0, task("t1", empty.id))
    assert crew.next_due_ns == NEVER


def test_an_absence_delays_and_a_final_one_leaves_it_to_others() -> None:
    first, second = post("jp-pm.a", median_s=5), post("jp-pm.b", median_s=50)
    crew = people(first, second)
    crew.absent(first.id, seconds(10), seconds(40))
    crew.shown(seconds(20), task("t1", first.id))
    assert crew.next_due_ns == seconds(45)
    crew.absent(first.id, seconds(60), NEVER)
    crew.shown(seconds(61), task("t2", first.id, second.id))
    assert [answer.post for answer in crew.due(seconds(200))] == [first.id, second.id]


def test_a_request_is_made_only_where_the_scenario_has_it_and_only_when_its_time_has_come() -> None:
    one = post("jp-pm.duty", "request")
    wanted = Consultation(decision="trilateral-consult", post=one.id, after="alert")
    crew = people(one, consultations=(wanted,))
    crew.shown(0, task("other", one.id, action="request", decision="bilateral-consult"))
    crew.shown(0, task("ours", one.id, action="request"))
    assert crew.next_due_ns == NEVER
    crew.shown(seconds(100), {"type": "alert"})
    crew.shown(seconds(105), {"type": "alert"})
    (answer,) = crew.due(seconds(110))
    assert answer.task == "ours"
    body = read(answer.raw, one).body
    assert isinstance(body, DecisionBody)
    assert (body.step, body.outcome) == ("request", "")


@pytest.mark.parametrize(("says", "outcome"), [("concur", "concur"), ("refuse", "refuse")])
def test_a_post_concurs_or_refuses_as_the_scenario_has_it(says: str, outcome: str) -> None:
    one = post("kr-mnd.minister", "concur", answer=says)
    crew = people(one)
    crew.shown(0, task("t1", one.id, action="concur"))
    body = read(crew.due(seconds(10))[0].raw, one).body
    assert isinstance(body, DecisionBody)
    assert body.outcome == outcome


def test_response_times_depend_on_seed_post_and_task_and_on_nothing_else() -> None:
    one, other = post("jp-pm.a", spread=0.5), post("jp-pm.b", spread=0.5)

    def took(crew: People, *names: str) -> int:
        for name in names:
            crew.shown(0, task(name, one.id if name.startswith("a") else other.id))
        return min(entry[0] for entry in crew._queue if entry[3]["task"] == "a1")

    alone = took(people(one), "a1")
    assert took(people(one, other), "b1", "b2", "a1") == alone
    assert took(people(one, key=entropy(2, "exercise:test")), "a1") != alone


def test_response_times_are_log_normal_about_the_median() -> None:
    one = post("jp-pm.a", median_s=20, spread=0.3)
    times = []
    for number in range(400):
        crew = people(one)
        crew.shown(0, task(f"t{number}", one.id))
        times.append(crew.next_due_ns / 1e9)
    times.sort()
    assert 19.0 < times[200] < 21.0
    assert 0.60 < sum(20 / 1.35 < took < 20 * 1.35 for took in times) / 400 < 0.76

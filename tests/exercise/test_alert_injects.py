"""Alerts that exercise control lets a post ask for and take back: the same signatures as at a real desk."""

from __future__ import annotations

import msgspec
import pytest

from noroshi.command.warrant import AlertRules
from noroshi.exercise import Result, entropy, found, play
from noroshi.exercise.injects import AnyInject, Originate, PostAbsent, Retract
from noroshi.log import MemoryStore
from noroshi.messages import KeyedHash
from noroshi.review import AlertMeasure, measure, open_log
from noroshi.service.exercise_files import stage
from tests.exercise.playing import FLIGHT, places

WATCH, APPROVER = "jp-cabsec.watch", "jp-cabsec.approver"
ASKED = Originate(id="asked", at_s=2.0, post=WATCH, regions=("Aomori",))


def played(*injects: AnyInject, rules: AlertRules | None = None, duration_s: float = 70.0) -> Result:
    """The first minute of the packaged scenario, in which nothing flies yet."""
    staged = stage(FLIGHT, "trilateral")
    partners = tuple(
        msgspec.structs.replace(one, rules=msgspec.structs.replace(one.rules, alerts=rules))
        for one in staged.scenario.partners
    )
    world = msgspec.structs.replace(staged.scenario.world, flights=())
    scenario = msgspec.structs.replace(
        staged.scenario, partners=partners, injects=injects, duration_s=duration_s, world=world
    )
    made = found(
        scenario, staged.structure, staged.catalogue, entropy=entropy(1, scenario.realm), scheme=KeyedHash(),
        places_digest=places().digest,
    )  # fmt: skip
    return play(made, places(), entropy=entropy(1, scenario.realm), store_for=lambda node: MemoryStore())


def alerts(result: Result) -> tuple[AlertMeasure, ...]:
    return measure([open_log("jpn", list(result.stores["jpn"].records()))]).alerts


def refusals(result: Result) -> list[str]:
    log = open_log("jpn", list(result.stores["jpn"].records()))
    return [entry.fields["reason"] for entry in log.entries if entry.type == "refusal"]


def test_two_persons_alert_without_a_warning_where_the_root_allows_it_and_one_takes_it_back() -> None:
    gone = PostAbsent(id="gone", at_s=55.0, post=APPROVER)
    back = Retract(id="back", at_s=60.0, post=WATCH)
    first, last = alerts(played(ASKED, gone, back, rules=AlertRules(without_warning=True)))
    assert (first.type, first.posts, first.regions) == ("Alert", (WATCH, APPROVER), ("Aomori",))
    assert (last.type, last.reason, last.posts) == ("Cancel", "false", (WATCH,))
    assert last.recipients == first.recipients
    assert last.issued_ns - first.issued_ns < 60 * 10**9


@pytest.mark.parametrize(
    ("injects", "rules", "reasons"),
    [
        ((ASKED,), None, ["no-warning"]),
        ((ASKED, PostAbsent(id="gone", at_s=1.0, post=APPROVER)), AlertRules(without_warning=True), []),
    ],
)
def test_one_person_alone_alerts_nobody(
    injects: tuple[AnyInject, ...], rules: AlertRules | None, reasons: list[str]
) -> None:
    result = played(*injects, rules=rules)
    assert alerts(result) == ()
    assert refusals(result) == reasons


def test_stopping_an_alert_without_telling_the_public_is_refused() -> None:
    quiet = Retract(id="quiet", at_s=60.0, post=WATCH, correction=False)
    result = played(ASKED, quiet, rules=AlertRules(without_warning=True))
    assert [one.type for one in alerts(result)] == ["Alert"]
    assert refusals(result) == ["needs-a-public-correction"]

"""The life of a warning: what is said and what is not, on good, repeated, late, lost and wild input."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noroshi.clock import seconds
from noroshi.messages.bodies import WarningBody
from noroshi.tracking import Observation
from noroshi.warning.draft import Draft
from noroshi.warning.lifecycle import (
    INNER,
    STANDING,
    TABLE,
    Phase,
    Step,
    WarningState,
    apply,
    diagram,
    is_inner,
    lose,
    withdraw,
)
from noroshi.warning.rules import WarningRules
from tests.warning.scenes import RULES, draft_at, fall_at, now_at, regions, seen_at

RADAR, JPN = ("radar",), ("JPN",)


def step(
    state: WarningState | None,
    draft: Draft,
    lon_deg: float,
    *,
    seen: Observation | None = None,
    partners: tuple[str, ...] = JPN,
    rules: WarningRules = RULES,
    later_s: float = 0.0,
) -> tuple[WarningState | None, WarningBody | None]:
    return apply(state, draft, seen, RADAR, partners, rules, now_at(lon_deg) + seconds(later_s))


def issued(lon_deg: float = 130.0) -> WarningState:
    state, body = step(None, draft_at(lon_deg), lon_deg)
    assert state is not None
    assert body is not None
    return state


def test_issued_once_with_all_that_a_warning_says() -> None:
    state, body = step(None, draft_at(), 130.0)
    assert body is not None
    assert (body.number, body.state, body.basis, body.reason) == (1, "issued", "single-source", "")
    assert [area.region for area in body.areas] == ["West", "East"]
    assert body.valid_until_ns >= max(area.to_ns for area in body.areas)
    assert body.last_observed_ns == now_at(130.0)
    assert state is not None
    assert state.phase in ("issued", "updated")


@pytest.mark.parametrize(
    "draft",
    [
        draft_at(updates=RULES.minimum_updates - 1),
        draft_at(sigma_m=RULES.warn_sigma_m * 1.01),
        draft_at(lat_deg=50.0),
        draft_at(145.0),
    ],
    ids=["too few measurements", "too unsure", "elsewhere", "already beyond"],
)
def test_nothing_is_issued_on(draft: Draft) -> None:
    assert step(None, draft, 130.0) == (None, None)


def test_the_same_evidence_again_says_nothing() -> None:
    state = issued()
    assert step(state, draft_at(), 130.0, later_s=1.0) == (state, None)
    assert step(state, draft_at(delay_s=60.0), 130.0, later_s=1.0) == (state, None)


def test_older_evidence_says_nothing() -> None:
    state = issued(132.0)
    assert step(state, draft_at(131.0, updates=99, delay_s=60.0), 132.0) == (state, None)


def test_late_evidence_of_the_same_time_counts() -> None:
    state = issued()
    _, body = step(state, draft_at(updates=21, delay_s=60.0), 130.0, later_s=1.0)
    assert body is not None
    assert body.state == "updated"


def test_newer_evidence_without_anything_new_says_nothing() -> None:
    state = issued()
    assert step(state, draft_at(131.0, updates=40), 131.0) == (state, None)


@pytest.mark.parametrize(
    ("draft", "partners"),
    [
        (draft_at(131.0, updates=40, delay_s=11.0), JPN),
        (draft_at(131.0, updates=40, sigma_m=75_000.0), JPN),
        (draft_at(131.0, updates=40), ("JPN", "KOR")),
        (draft_at(131.0, updates=40, fall=fall_at(40.9, 142.3)), JPN),
    ],
    ids=["window moved", "class of probability", "basis", "a fall area more"],
)
def test_an_update_when_something_that_matters_changed(draft: Draft, partners: tuple[str, ...]) -> None:
    _, body = step(issued(), draft, 131.0, partners=partners)
    assert body is not None
    assert (body.state, body.number) == ("updated", 2)


def test_a_region_that_the_track_turns_away_from_is_taken_out() -> None:
    state = issued()
    swerved = draft_at(131.0, updates=40)
    draft = replace(swerved, areas=swerved.areas[:1])
    after, body = step(state, draft, 131.0)
    assert body is not None
    assert [area.region for area in body.areas] == ["West"]
    assert after is not None
    assert regions(after.areas) == ["West"]


def test_a_region_just_below_the_threshold_stays() -> None:
    state = issued()
    draft = draft_at(131.0, updates=40)
    doubtful = replace(draft, areas=draft.areas[:1], near=draft.areas[1:])
    after, _ = step(state, doubtful, 131.0)
    assert after is not None
    assert regions(after.areas) == ["West", "East"]


def test_when_nothing_is_threatened_any_more_the_warning_is_superseded() -> None:
    after, body = step(issued(), draft_at(131.0, updates=40, lat_deg=50.0), 131.0)
    assert body is not None
    assert (body.state, body.reason) == ("ended", "superseded")
    assert [area.region for area in body.areas] == ["West", "East"]
    again, body = step(after, draft_at(132.0, updates=50), 132.0)
    assert body is not None
    assert (body.state, body.number) == ("issued", 3)
    assert again is not None
    assert again.phase in ("issued", "updated")


def test_no_estimate_behind_an_area_says_passed_only_an_observation_does() -> None:
    state = issued()
    state_after, body = step(state, draft_at(144.0, updates=60), 144.0)
    assert body is None or body.state != "ended"
    assert state_after is not None
    assert regions(state_after.areas) == ["West", "East"]
    ended, body = step(state_after, draft_at(144.5, updates=70), 144.5, seen=seen_at(144.5))
    assert body is not None
    assert (body.state, body.reason) == ("ended", "passed")
    assert [area.region for area in body.areas] == ["West", "East"]
    assert body.last_observed_ns == now_at(144.5)
    assert ended is not None
    assert ended.phase == "ended"


def test_passed_is_said_once_and_not_taken_back_by_late_input() -> None:
    ended, _ = step(issued(), draft_at(144.5, updates=70), 144.5, seen=seen_at(144.5))
    assert step(ended, draft_at(144.5, updates=70), 144.5, seen=seen_at(144.5)) == (ended, None)
    assert step(ended, draft_at(140.0, updates=65), 144.6, seen=seen_at(140.0)) == (ended, None)
    assert step(ended, draft_at(145.0, updates=80), 145.0, seen=seen_at(145.0)) == (ended, None)


def test_an_observation_from_the_future_ends_nothing() -> None:
    state, body = step(issued(), draft_at(131.0, updates=40), 131.0, seen=seen_at(144.5))
    assert body is None
    assert state is not None
    assert state.phase in ("issued", "updated")


def test_lost_before_the_areas_the_warning_stands_through_its_windows_and_then_lapses_silently() -> None:
    state = issued(131.0)
    draft = draft_at(131.0)
    last_ns = max(area.row.to_ns for area in state.areas)
    assert state.valid_until_ns >= last_ns
    quiet, body = apply(state, draft, seen_at(131.0), RADAR, JPN, RULES, last_ns)
    assert (quiet, body) == (state, None)
    lapsed, body = apply(state, draft, seen_at(131.0), RADAR, JPN, RULES, state.valid_until_ns + 1)
    assert body is None
    assert lapsed is not None
    assert lapsed.phase == "lapsed"


def test_a_lapsed_warning_revives_with_new_evidence_or_ends_by_an_observation() -> None:
    rules = WarningRules(valid_s=1.0)
    short = replace(issued(), valid_until_ns=now_at(131.0))
    revived, body = step(short, draft_at(133.0, updates=50), 133.0, rules=rules)
    assert body is not None
    assert (body.state, body.number) == ("updated", 2)
    assert revived is not None
    assert revived.phase in ("issued", "updated")
    _, body = step(short, draft_at(145.0, updates=90), 145.0, seen=seen_at(145.0))
    assert body is not None
    assert (body.state, body.reason) == ("ended", "passed")


def test_valid_until_running_out_is_said_again_only_with_new_evidence() -> None:
    state = replace(issued(), valid_until_ns=now_at(131.0) + seconds(RULES.refresh_s) - 1)
    assert step(state, draft_at(), 131.0) == (state, None)
    after, body = step(state, draft_at(131.0, updates=21), 131.0)
    assert body is not None
    assert body.state == "updated"
    assert after is not None
    assert after.valid_until_ns > state.valid_until_ns


def test_a_window_that_is_over_is_not_refreshed() -> None:
    over_ns = max(area.row.to_ns for area in issued().areas)
    state = replace(issued(), valid_until_ns=over_ns + seconds(1.0))
    after, body = apply(state, draft_at(144.0, updates=60), None, RADAR, JPN, RULES, over_ns)
    assert (after, body) == (state, None)


def test_with_a_fall_ahead_the_passed_areas_leave_by_an_update() -> None:
    watched = draft_at(130.0)
    east = draft_at(150.0, fall=fall_at(40.9, 142.3)).areas[0]
    ahead = replace(east, row=msgspec.structs.replace(east.row, region="Far East"))
    state, _ = step(None, replace(watched, areas=(*watched.areas, ahead)), 130.0)
    assert state is not None
    later = replace(draft_at(145.0, updates=60), areas=(ahead,))
    after, body = step(state, later, 145.0, seen=seen_at(145.0))
    assert body is not None
    assert (body.state, [area.region for area in body.areas]) == ("updated", ["Far East"])
    assert after is not None


TELLS = WarningRules(edition=2)


def test_a_draft_becomes_a_warning_without_anybody_and_is_dropped_when_nothing_threatens() -> None:
    unsure = draft_at(updates=RULES.minimum_updates - 1)
    draft, body = step(None, unsure, 130.0, rules=TELLS)
    assert body is not None
    assert (body.state, body.number, bool(body.areas)) == ("draft", 0, True)
    assert is_inner(None, body)
    issued_now, body = step(draft, draft_at(131.0, updates=20), 131.0, rules=TELLS)
    assert body is not None
    assert (body.state, body.number, is_inner(draft, body)) == ("issued", 1, False)
    gone, body = step(draft, draft_at(131.0, updates=3, lat_deg=50.0), 131.0, rules=TELLS)
    assert gone is not None
    assert body is not None
    assert (gone.phase, body.state, is_inner(draft, body)) == ("none", "ended", True)
    assert step(gone, draft_at(132.0, updates=4), 132.0, rules=TELLS)[1] is not None
    assert issued_now is not None
    assert issued_now.stands


def test_what_is_less_probable_must_be_known_better_before_it_is_warned_of() -> None:
    """The mean track lies well beside the place: at 50 km of error it may truly lie beyond the over-warning bound."""
    vague, sure = (draft_at(sigma_m=sigma_m, lat_deg=42.55, rules=TELLS) for sigma_m in (50_000.0, 35_000.0))
    assert {area.key for area in vague.areas} & {area.key for area in sure.areas}
    assert step(None, vague, 130.0)[1] is not None
    _, body = step(None, vague, 130.0, rules=TELLS)
    assert body is not None
    assert body.state == "draft"
    _, body = step(None, sure, 130.0, rules=TELLS)
    assert body is not None
    assert body.state == "issued"


def test_lost_is_said_once_after_the_time_and_taken_back_by_new_evidence() -> None:
    state = issued()
    evidence = state.evidence
    last_ns, after_ns = evidence.last_observed_ns, seconds(RULES.lost_after_s)
    assert lose(state, evidence, TELLS, last_ns + after_ns) == (state, None)
    assert lose(state, evidence, RULES, last_ns + after_ns + 1) == (state, None)
    gone, body = lose(state, evidence, TELLS, last_ns + after_ns + 1)
    assert body is not None
    assert (body.state, body.lost, body.last_observed_ns) == ("updated", True, last_ns)
    assert lose(gone, evidence, TELLS, last_ns + 2 * after_ns) == (gone, None)
    assert lose(None, evidence, TELLS, last_ns + 2 * after_ns) == (None, None)
    _, body = step(gone, draft_at(132.0, updates=40), 132.0, rules=TELLS)
    assert body is not None
    assert (body.state, body.lost) == ("updated", msgspec.UNSET)


def test_a_warning_out_of_an_older_snapshot_goes_on() -> None:
    saved = msgspec.msgpack.decode(msgspec.msgpack.encode(issued()))
    del saved["lost"]
    older = msgspec.convert(saved | {"phase": "standing", "number": 3}, WarningState)
    assert step(older, draft_at(), 130.0, later_s=1.0)[1] is None
    ended, body = withdraw(older, "false", now_at(131.0))
    assert body is not None
    assert (body.state, body.number) == ("ended", 4)
    assert ended is not None
    assert ended.phase == "ended"


@pytest.mark.parametrize("reason", ["false", "superseded"])
def test_withdrawn_at_once_and_once(reason: str) -> None:
    state = issued()
    ended, body = withdraw(state, reason, now_at(131.0))  # type: ignore[arg-type]  # the words above
    assert body is not None
    assert (body.state, body.reason, body.number) == ("ended", reason, 2)
    assert [area.region for area in body.areas] == ["West", "East"]
    assert withdraw(ended, "false", now_at(132.0)) == (ended, None)
    assert withdraw(None, "false", now_at(132.0)) == (None, None)


def test_what_was_false_is_not_issued_again() -> None:
    ended, _ = withdraw(issued(), "false", now_at(131.0))
    assert step(ended, draft_at(133.0, updates=60), 133.0) == (ended, None)


def test_numbers_rise_by_one_and_every_body_names_its_end() -> None:
    state: WarningState | None = None
    bodies = []
    for i in range(60):
        lon_deg = 130.0 + i / 4
        wobble_s = 12.0 if i % 3 == 0 else 0.0
        draft = draft_at(lon_deg, updates=10 + i, delay_s=wobble_s)
        state, body = step(state, draft, lon_deg, seen=seen_at(lon_deg))
        if body is not None:
            bodies.append((lon_deg, body))
    assert [body.number for _, body in bodies] == list(range(1, len(bodies) + 1))
    assert bodies[0][1].state == "issued"
    assert (bodies[-1][1].state, bodies[-1][1].reason) == ("ended", "passed")
    assert sum(body.state == "ended" for _, body in bodies) == 1
    assert all(body.valid_until_ns >= now_at(lon_deg) for lon_deg, body in bodies)


def test_the_table_names_only_phases_and_steps_and_ends_with_words() -> None:
    phases, steps = get_args(Phase), get_args(Step)
    assert set(TABLE) <= set(product(phases, steps))
    assert {phase for phase, _ in TABLE.values()} <= set(phases)
    assert all(
        say == ("end" if before in STANDING | {"lapsed"} else "drop" if before in INNER else "")
        for (before, _), (phase, say) in TABLE.items()
        if phase == "ended"
    )
    assert {one for one in steps if ("none", one) in TABLE} == {"predict", "propose", "warn"}
    assert len(diagram()) == len(TABLE)


looks = st.tuples(
    st.integers(520, 600).map(lambda quarter: quarter / 4),
    st.integers(0, 60),
    st.sampled_from([0.0, 0.0, 15.0]),
    st.sampled_from([41.0, 41.0, 41.0, 50.0]),
    st.booleans(),
    st.sampled_from(["look", "look", "look", "look", "again", "withdraw"]),
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(looks, max_size=12), st.booleans())
def test_whatever_comes_in_whatever_order_nothing_wrong_is_said(
    given_looks: list[tuple[float, int, float, float, bool, str]], in_order: bool
) -> None:
    state: WarningState | None = None
    number, ended_as, now_ns = 0, "", now_at(130.0)
    for lon_deg, updates, delay_s, lat_deg, seen, what in sorted(given_looks) if in_order else given_looks:
        now_ns = max(now_ns, now_at(lon_deg))
        draft = draft_at(lon_deg, updates=updates, delay_s=delay_s, lat_deg=lat_deg)
        observation = seen_at(lon_deg, lat_deg) if seen else None
        for _ in range(2 if what == "again" else 1):
            before = state
            state, body = (
                withdraw(state, "false", now_ns)
                if what == "withdraw"
                else apply(state, draft, observation, RADAR, JPN, RULES, now_ns)
            )
            if body is None:
                continue
            assert ended_as != "false"
            assert body.number == number + 1
            assert body.areas
            assert body.valid_until_ns >= now_ns
            assert (body.state == "issued") == (before is None or before.phase == "ended")
            if body.reason == "passed":
                assert observation is not None
                assert lon_deg > 143.1 or {area.region for area in body.areas} == {"West"}
            number, ended_as = body.number, body.reason if body.state == "ended" else ""

"""A consultation: each nation for itself, refused when one refuses or stays silent, never decided twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from noroshi.command import decisions
from noroshi.command.decisions import Case, Concurrence

NATIONS = frozenset(("JPN", "KOR", "USA"))
DEADLINE = 1000


def case() -> Case:
    return Case(b"c" * 16, "trilateral-consult", "tri-ministers", "jp-pm.duty", 0, DEADLINE, NATIONS, NATIONS)


def answer(partner: str, outcome: str = "concur", time_ns: int = 10) -> Concurrence:
    return Concurrence(partner, f"{partner}-unit", f"{partner}.duty", outcome, time_ns)  # type: ignore[arg-type]  # the two words


def test_all_concur() -> None:
    state = case()
    for number, partner in enumerate(sorted(NATIONS)):
        assert state.state == "open"
        state = decisions.apply(state, answer(partner, time_ns=number))
    assert state.state == "decided"
    assert state.closed_ns == 2
    assert state.missing == frozenset()


def test_one_refusal_is_enough() -> None:
    state = decisions.apply(decisions.apply(case(), answer("JPN")), answer("KOR", "refuse"))
    assert state.state == "refused"
    assert decisions.answer_defect(state, answer("USA")) == "case-closed"


def test_silence_at_the_deadline_refuses_and_names_the_silent() -> None:
    state = decisions.apply(case(), answer("JPN"))
    assert decisions.expire(state, DEADLINE - 1).state == "open"
    late = decisions.expire(state, DEADLINE)
    assert late.state == "refused"
    assert late.missing == {"KOR", "USA"}


def test_answers_that_do_not_count() -> None:
    state = decisions.apply(case(), answer("JPN"))
    assert decisions.answer_defect(state, answer("JPN")) == "already-answered"
    assert decisions.answer_defect(state, answer("CHN")) == "not-asked"
    assert decisions.answer_defect(state, answer("USA", time_ns=DEADLINE + 1)) == "late"
    assert decisions.apply(state, answer("CHN")) == state


@given(
    st.lists(st.tuples(st.sampled_from(["JPN", "KOR", "USA", "CHN"]), st.sampled_from(["concur", "refuse"])))
)
def test_whatever_comes_a_closed_case_stays_closed(steps: list[tuple[str, str]]) -> None:
    state = case()
    closed = None
    for time_ns, (partner, outcome) in enumerate(steps):
        state = decisions.apply(state, answer(partner, outcome, time_ns))
        assert len({one.partner for one in state.answers}) == len(state.answers)
        if closed is not None:
            assert state == closed
        if state.state != "open":
            closed = state
    if state.state == "decided":
        assert {one.partner for one in state.answers if one.outcome == "concur"} == NATIONS

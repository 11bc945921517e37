"""Judgements: each kind of expectation can fail, and says why in figures."""

from __future__ import annotations

from functools import cache

import msgspec
import pytest

from noroshi.exercise.scenario import (
    Acknowledged,
    AlertIssued,
    AlertNames,
    AlertNever,
    AlertOmits,
    AnyExpectation,
    Consulted,
    EndReachesSame,
    Intact,
    PassedAfterObservation,
    ReportNever,
    ReportWithin,
    WarningLead,
)
from noroshi.review import Judged
from tests.exercise.playing import SHORT_S, Played, coalition_of, played

pytestmark = pytest.mark.slow


@cache
def run() -> Played:
    """The first minutes, in which the alert is issued and nothing has ended."""
    return played(coalition_of(duration_s=SHORT_S))


def judge_one(expectation: AnyExpectation, problems: tuple[str, ...] = ()) -> Judged:
    scenario = msgspec.structs.replace(run().coalition.scenario, expectations=(expectation,))
    return run().judged(scenario, problems)[expectation.id]


NOT_MET = [
    (ReportWithin(id="a", origin="KOR", receiver="JPN", within_s=0.001), "0.001 s allowed"),
    (ReportNever(id="a", origin="KOR", receiver="JPN"), "reports arrived"),
    (
        WarningLead(id="a", partner="JPN", region="Aomori", lat_deg=41, lon_deg=140.7, at_least_s=900),
        "900 s wanted",
    ),
    (
        WarningLead(id="a", partner="JPN", region="Okinawa", lat_deg=26, lon_deg=128, at_least_s=1),
        "never warned Okinawa",
    ),
    (
        WarningLead(id="a", partner="KOR", region="Aomori", lat_deg=41, lon_deg=140.7, at_least_s=1),
        "KOR never warned",
    ),
    (AlertNames(id="a", unit="jp-cabsec", regions=("Aomori", "Okinawa")), "not Okinawa"),
    (AlertNames(id="a", unit="kr-mois", regions=("Seoul",)), "no region"),
    (AlertOmits(id="a", unit="jp-cabsec", regions=("Tokyo", "Aomori")), "Aomori was alerted"),
    (AlertOmits(id="a", unit="kr-mois", regions=("Tokyo",)), "nothing is shown by its absence"),
    (AlertNever(id="a", unit="kr-mois", signed=1), "nobody had signed"),
    (AlertIssued(id="a", unit="jp-cabsec", posts=3), "2 of 3 signatures"),
    (AlertIssued(id="a", unit="kr-mois"), "issued no public alert"),
    (AlertNever(id="a", unit="jp-cabsec"), "issued 1"),
    (Acknowledged(id="a", unit="jp-cabsec", share=1.0, within_s=1.0), "0 of 5 within 1 s"),
    (Acknowledged(id="a", unit="kr-mois", share=0.1, within_s=100.0), "no public alert"),
    (EndReachesSame(id="a", unit="jp-cabsec"), "ended no public alert"),
    (EndReachesSame(id="a", unit="kr-mois"), "issued no public alert"),
    (PassedAfterObservation(id="a", partner="JPN"), "never said"),
    (Consulted(id="a", decision="trilateral-consult", outcome="decided"), "nobody asked"),
]
MET = [
    ReportWithin(id="a", origin="KOR", receiver="JPN", within_s=1.0),
    WarningLead(id="a", partner="JPN", region="Aomori", lat_deg=41, lon_deg=140.7, at_least_s=100),
    AlertNames(id="a", unit="jp-cabsec", regions=("Aomori", "Hokkaido")),
    AlertOmits(id="a", unit="jp-cabsec", regions=("Tokyo",)),
    AlertIssued(id="a", unit="jp-cabsec", posts=2),
    AlertNever(id="a", unit="kr-mois"),
    PassedAfterObservation(id="a", partner="JPN", required=False),
    Intact(id="a"),
]


@pytest.mark.parametrize(("expectation", "words"), NOT_MET, ids=[type(row[0]).__name__ for row in NOT_MET])
def test_what_did_not_happen_is_not_met_and_says_why(expectation: AnyExpectation, words: str) -> None:
    found = judge_one(expectation)
    assert not found.met
    assert words in found.detail


@pytest.mark.parametrize("expectation", MET, ids=[type(row).__name__ for row in MET])
def test_what_did_happen_is_met(expectation: AnyExpectation) -> None:
    assert judge_one(expectation).met


def test_problems_of_the_records_are_told() -> None:
    found = judge_one(Intact(id="a"), ("jpn: record 7 is damaged",))
    assert (found.met, found.detail) == (False, "jpn: record 7 is damaged")


def test_statements_cite_the_records_that_they_rest_on() -> None:
    found = judge_one(AlertIssued(id="a", unit="jp-cabsec", posts=2))
    (cited,) = found.cites
    node, _, rest = cited.partition("#")
    sequence = int(rest.split(" ")[0])
    record = next(one for one in run().result.stores[node].records() if one.sequence == sequence)
    assert record.type == "message"

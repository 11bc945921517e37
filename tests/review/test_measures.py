"""Measures: seconds and never, gaps, counts; each with the records that it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest

from noroshi.clock import NS_PER_S, seconds
from noroshi.exercise.scenario import AlertNames, AlertNever, AlertOmits, PassedAfterObservation
from noroshi.messages.bodies import AlertBody, TrackBody
from noroshi.review import Entry, Log, measure, open_log
from noroshi.review.measures import GAP_S
from tests.review.reading import chained, judged, records, run

pytestmark = pytest.mark.slow

GENESIS = {"node": "jpn", "partner": "JPN", "realm": "exercise:x", "title": "A title", "sensors": []}
LOOK = {"feed": "f", "sensor": "s", "value": [[1.0, 0.0, 0.0]]}


def entry_of(cited: str, logs: tuple[Log, ...] | None = None) -> Entry:
    """The record that a cite names."""
    node, _, rest = cited.partition("#")
    number = int(rest.split(" ")[0])
    log = next(log for log in logs or run().logs if log.node == node)
    found = next(entry for entry in log.entries if entry.sequence == number)
    assert found.cites == cited
    return found


def all_cites() -> Iterator[str]:
    measures = run().measures
    for name in ("first_detection", "report", "picture", "shared_picture", "warning", "alert", "withheld"):
        for cites in getattr(measures.cites, name).values():
            yield from cites
    for alert in measures.alerts:
        yield alert.cites
        yield from alert.acknowledged_cites.values()


def test_reports_reach_everybody_under_the_trilateral_structure() -> None:
    report_s = run().measures.report_s
    assert sorted(report_s) == ["JPN->KOR", "JPN->USA", "KOR->JPN", "KOR->USA", "USA->JPN", "USA->KOR"]
    assert all(value is not None and 0.0 < value < 1.0 for value in report_s.values())


def test_a_report_that_never_arrives_is_none_and_has_no_record_there() -> None:
    measures = run("before").measures
    assert measures.report_s["KOR->JPN"] is None
    assert measures.report_s["KOR->USA"] is not None
    (origin,) = measures.cites.report["KOR->JPN"]
    assert origin.startswith("kor#")
    assert measures.withheld["KOR-|JPN"] > 0


def test_a_report_cites_the_first_detection_and_the_record_that_held_it() -> None:
    measures = run().measures
    detected, held = map(entry_of, measures.cites.report["KOR->JPN"])
    assert (detected.node, detected.type, held.node, held.type) == ("kor", "detections", "jpn", "received")
    assert isinstance(held.body, TrackBody)
    assert held.envelope is not None
    assert held.envelope.origin == "KOR"
    first_ns = min(detected.fields["time_ns"])
    assert measures.first_detection_ns["KOR"] == first_ns
    assert measures.report_s["KOR->JPN"] == pytest.approx((held.now_ns - first_ns) / NS_PER_S)


def test_all_that_is_cited_is_in_the_records() -> None:
    cited = list(all_cites())
    assert len(cited) > 20
    for one in cited:
        entry_of(one)


def test_what_is_known_cites_where_it_began_and_what_is_not_cites_nothing() -> None:
    measures = run().measures
    (cited,) = measures.cites.alert["JPN"]
    assert isinstance(entry_of(cited).body, AlertBody)
    assert measures.alert_s["KOR"] is None
    assert "KOR" not in measures.cites.alert


def test_an_acknowledgement_that_has_not_come_is_none() -> None:
    (alert,) = run().measures.alerts
    heard = {unit for unit, at in alert.acknowledged_ns.items() if at is not None}
    assert set() < heard < set(alert.recipients)
    assert set(alert.acknowledged_cites) == heard


def test_a_log_that_ends_before_anything_happened_is_measured_as_never() -> None:
    logs = [open_log(node, records(node)[:1]) for node in ("jpn", "kor", "usa")]
    measures = measure(logs)
    assert set(measures.report_s.values()) == {None}
    assert set(measures.first_detection_ns.values()) == {None}
    assert (measures.alerts, measures.cases, measures.gaps) == ((), (), ())
    assert measures.cites.first_detection == {}


def test_a_silence_is_a_gap_where_a_link_went_and_names_its_two_records() -> None:
    look = ("detections", {**LOOK, "sequence": 1, "time_ns": [1]})
    jpn = open_log("jpn", chained(("genesis", GENESIS), look))
    quiet = list(jpn.entries)
    late = replace(quiet[1], sequence=3, now_ns=quiet[1].now_ns + seconds(GAP_S + 5))
    usa = open_log(
        "usa",
        chained(
            ("genesis", {**GENESIS, "node": "usa", "partner": "USA"}),
            ("link", {"party": "partner:JPN", "state": "up"}),
            ("link", {"party": "partner:JPN", "state": "down"}),
        ),
    )
    silent = replace(jpn, entries=(*quiet, late))
    (gap,) = measure([silent, usa]).gaps
    assert (gap.node, gap.from_ns, gap.to_ns) == ("jpn", quiet[1].now_ns, late.now_ns)
    assert gap.cites == ("jpn#2", "jpn#3")
    up = replace(usa, entries=usa.entries[:2])
    assert measure([silent, up]).gaps == ()


def test_measurements_without_rows_are_no_first_detection() -> None:
    log = open_log(
        "jpn", chained(("genesis", GENESIS), ("detections", {**LOOK, "sequence": 1, "time_ns": []}))
    )
    assert measure([log]).first_detection_ns == {"JPN": None}


def test_refusals_are_counted_and_cited() -> None:
    refusals = [("refusal", {"party": "partner:USA", "reason": "bad-signature"}) for _ in range(5)]
    measures = measure([open_log("jpn", chained(("genesis", GENESIS), *refusals))])
    assert measures.refusals == {"bad-signature": 5}
    assert measures.cites.refusals == {"bad-signature": ("jpn#2", "jpn#3", "jpn#4")}


def test_a_message_acted_on_twice_is_counted_and_cited() -> None:
    log = next(log for log in run().logs if log.node == "jpn")
    twice = next(entry for entry in log.entries if entry.type == "received" and entry.envelope)
    again = replace(twice, sequence=log.entries[-1].sequence + 1, now_ns=log.entries[-1].now_ns)
    assert measure([log]).repeated_effects == 0
    measures = measure([replace(log, entries=(*log.entries, again))])
    assert (measures.repeated_effects, measures.cites.repeated) == (1, (again.cites,))


@pytest.mark.parametrize("structure", ["before", "trilateral"])
def test_every_expectation_cites_records_that_exist(structure: str) -> None:
    played = run(structure)
    for one in judged(played.coalition.scenario, played.logs, structure=structure):
        assert one.cites, one.id
        for cited in one.cites:
            entry_of(cited, played.logs)


def test_a_report_that_must_never_come_cites_where_it_was_withheld_and_how_far_was_looked() -> None:
    played = run("before")
    answers = {one.id: one for one in judged(played.coalition.scenario, played.logs, structure="before")}
    found = answers["kor-report-never-at-jpn"]
    assert found.met
    assert "no record" in found.detail
    entries = [entry_of(cited, played.logs) for cited in found.cites]
    assert [(entry.node, entry.type) for entry in entries[:2]] == [("kor", "detections"), ("kor", "release")]
    assert entries[1].fields["withheld"]["JPN"] in found.detail
    assert entries[2] is next(log for log in played.logs if log.node == "jpn").entries[-1]


def test_what_did_not_happen_cites_the_ends_of_the_records_or_what_was_looked_at() -> None:
    played = run()
    scenario = msgspec.structs.replace(
        played.coalition.scenario,
        expectations=(
            AlertNever(id="never", unit="kr-mois"),
            AlertOmits(id="omits", unit="jp-cabsec", regions=("Tokyo",)),
            AlertNames(id="names", unit="kr-mois", regions=("Seoul",)),
            PassedAfterObservation(id="passed", partner="JPN"),
        ),
    )
    answers = {one.id: one.cites for one in judged(scenario, played.logs)}
    ends = tuple(log.entries[-1].cites for log in played.logs)
    assert answers["never"] == answers["names"] == ends
    assert answers["omits"] == (played.measures.alerts[0].cites,)
    assert entry_of(answers["passed"][0]).type == "message"
    assert answers["passed"][1] == ends[0]

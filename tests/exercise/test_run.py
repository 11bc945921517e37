"""Whole runs on the virtual clock: expectations under each structure, one digest per seed, faults that lose nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from noroshi.clock import seconds
from noroshi.exercise.scenario import AnyInject, LinkDown, NodeDown, PostAbsent, SensorDown
from noroshi.log import Record
from noroshi.messages import Ed25519
from noroshi.messages.bodies import TrackBody
from noroshi.review import Entry, Log
from noroshi.sharing import CAP_GATEWAY
from tests.exercise.playing import SHORT_S, Played, coalition_of, played

pytestmark = pytest.mark.slow


@cache
def whole(structure: str) -> Played:
    """The packaged scenario, played to its end once for all tests."""
    return played(coalition_of(structure=structure))


@cache
def short(*injects: AnyInject) -> Played:
    """Its first minutes, with these injects."""
    return played(coalition_of(duration_s=SHORT_S, injects=injects))


@pytest.mark.parametrize("structure", ["before", "after", "trilateral"])
def test_all_expectations_are_met_under_every_structure(structure: str) -> None:
    run = whole(structure)
    judged = run.judged(problems=())
    assert [one for one in judged.values() if not one.met] == []
    assert len(judged) >= 16


@pytest.mark.parametrize("structure", ["before", "after"])
def test_without_trilateral_sharing_a_korean_report_never_reaches_japan_in_any_form(structure: str) -> None:
    run = whole(structure)
    assert run.measures.report_s["KOR->JPN"] is None
    assert run.measures.report_s["KOR->USA"] is not None
    japan = next(log for log in run.logs if log.partner == "JPN")
    from_korea = [entry for entry in japan.entries if entry.envelope and entry.envelope.origin == "KOR"]
    assert not [entry for entry in from_korea if isinstance(entry.body, TrackBody)]
    korean = next(one for one in run.coalition.members if one.trigraph == "KOR").genesis.sensors[0]
    store = run.result.stores["jpn"]
    assert not [
        record for record in store.records() if record.body and korean.pseudonym.encode() in record.body
    ]


def test_the_course_of_the_crisis_is_in_order() -> None:
    run = whole("trilateral")
    alert, end = run.measures.alerts
    case = run.measures.cases[0]
    assert (alert.type, end.type, end.reason) == ("Alert", "Cancel", "passed")
    assert alert.warned_ns is not None
    assert alert.first_pass_ns is not None
    assert alert.warned_ns < alert.issued_ns < alert.first_pass_ns < end.issued_ns
    assert alert.issued_ns < case.requested_ns
    assert case.recorded_ns is not None
    files = run.result.alerts
    assert [name for _, name, _ in files] == [f"{alert.identifier}.xml", f"{end.identifier}.xml"]
    assert all(b"<status>Exercise</status>" in data for _, _, data in files)


def test_passed_without_having_seen_it_would_be_found() -> None:
    """The same words with the last minute of measurements taken away from the log are not met."""
    run = whole("trilateral")
    assert run.judged()["passed-only-when-seen"].met
    start_ns = run.coalition.start_ns
    blind = tuple(replace(log, entries=tuple(seen_until(log, start_ns + seconds(300)))) for log in run.logs)
    doctored = Played(run.coalition, run.result, run.says, blind, run.measures)
    found = doctored.judged()["passed-only-when-seen"]
    assert not found.met
    assert "short of seeing it" in found.detail


def seen_until(log: Log, time_ns: int) -> list[Entry]:
    """The entries without what came in after this time."""
    inputs = ("detections", "received")
    return [entry for entry in log.entries if entry.now_ns <= time_ns or entry.type not in inputs]


def test_another_process_gives_the_same_digest_and_says_the_same() -> None:
    """That one process does, and that another seed gives another digest, is shown in `tests/cli/test_demo.py`."""
    program = (
        "import json\n"
        "from tests.exercise.playing import SHORT_S, coalition_of, played\n"
        "run = played(coalition_of(duration_s=SHORT_S, injects=()))\n"
        "print(json.dumps([run.result.digest, run.says]))"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root, env=environment
    )
    digest, says = json.loads(done.stdout)
    assert digest == short().result.digest
    assert [tuple(one) for one in says] == list(short().says)
    assert says


def test_keyed_hashes_and_signatures_give_the_same_course() -> None:
    signed = played(coalition_of(duration_s=SHORT_S, injects=(), scheme=Ed25519()))
    assert signed.says == short().says
    assert signed.result.records == short().result.records

    def shape(run: Played, node: str) -> list[tuple[int, str]]:
        records: list[Record] = list(run.result.stores[node].records())
        return [(record.now_ns, record.type) for record in records]

    for node in ("jpn", "usa", "kor"):
        assert shape(signed, node) == shape(short(), node)


FAULTS = {
    "hub-dies": (NodeDown(id="a", at_s=100.0, node="usa", for_s=30.0),),
    "edge-dies-early": (NodeDown(id="a", at_s=88.0, node="kor", for_s=20.0),),
    "alerting-node-dies": (NodeDown(id="a", at_s=95.0, node="jpn", for_s=25.0),),
    "line-cut": (LinkDown(id="a", at_s=95.0, between=("JPN", "USA"), for_s=40.0),),
    "everything": (
        NodeDown(id="a", at_s=90.0, node="kor", for_s=10.0),
        LinkDown(id="b", at_s=92.0, between=("JPN", "USA"), for_s=20.0),
        NodeDown(id="c", at_s=110.0, node="usa", for_s=15.0),
        NodeDown(id="d", at_s=115.0, node="jpn", for_s=15.0),
        NodeDown(id="e", at_s=140.0, node="jpn", for_s=5.0),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_lose_nothing_and_repeat_nothing(name: str) -> None:
    run = short(*FAULTS[name])
    assert run.audited() == ()
    assert run.measures.repeated_effects == 0
    assert not [reason for reason in run.measures.refusals if reason != "draft-expired"]
    calm = short()
    for log, without in zip(run.logs, calm.logs, strict=True):
        assert (
            reports(log.entries) >= reports(without.entries) - 3
        )  # looks of the last instant may still be under way


def reports(entries: object) -> int:
    """How many increments of evidence a node holds, its own and others'."""
    return sum(isinstance(entry.body, TrackBody) and entry.accepted for entry in entries)  # type: ignore[attr-defined]  # a log's entries


def test_a_dead_node_is_seen_and_its_gap_is_shown() -> None:
    run = short(*FAULTS["hub-dies"])
    gaps = [gap for gap in run.measures.gaps if gap.node == "usa"]
    assert any(29.0 < (gap.to_ns - gap.from_ns) / 1e9 < 32.0 for gap in gaps)
    said = [(node, text) for _, node, text in run.says]
    assert ("jpn", "Link to USA is down") in said
    assert said.count(("jpn", "Link to USA is up")) == 2


def test_a_cut_line_is_shown_as_silent_within_three_seconds() -> None:
    run = short(*FAULTS["line-cut"])
    start_ns = run.coalition.start_ns
    silent = [(now_ns - start_ns) / 1e9 for now_ns, node, text in run.says if text == "Link to USA is silent"]
    assert len(silent) == 1
    assert 96.9 < silent[0] <= 98.0


def test_an_alert_with_nobody_to_approve_it_is_not_issued() -> None:
    absent = PostAbsent(id="a", at_s=0.0, post="jp-cabsec.approver")
    run = short(absent)
    assert run.measures.alerts == ()
    assert not run.judged()["alert-by-two-posts"].met
    assert run.result.stores["jpn"].outbox(CAP_GATEWAY, 0, 10) == []


def test_a_dead_sensor_sees_nothing_and_the_others_go_on() -> None:
    run = short(SensorDown(id="a", sensor="kr-central", at_s=0.0))
    assert run.measures.first_detection_ns["KOR"] is None
    assert run.measures.first_detection_ns["JPN"] == short().measures.first_detection_ns["JPN"]
    assert not run.judged()["kor-report-reaches-jpn"].met

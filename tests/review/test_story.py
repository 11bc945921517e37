"""The timeline: one sentence per thing that happened, each citing its record, nothing told twice."""

from __future__ import annotations

from collections import Counter

import pytest

from noroshi.messages.bodies import RemarkBody
from noroshi.review import Line, open_log, story
from noroshi.review.story import TOPICS
from tests.review.reading import chained, run, with_last_words

pytestmark = pytest.mark.slow

GENESIS = {"node": "jpn", "partner": "JPN", "realm": "exercise:x", "title": "A title", "sensors": []}


def told() -> list[Line]:
    return list(story(run().logs))


def test_lines_are_in_order_of_time_and_of_known_topics() -> None:
    lines = told()
    assert [line.time_ns for line in lines] == sorted(line.time_ns for line in lines)
    assert {line.topic for line in lines} <= set(TOPICS)
    assert {"evidence", "event", "warning", "alert", "acknowledgement", "link"} <= {
        line.topic for line in lines
    }


def test_every_line_cites_its_own_record() -> None:
    cites = [line.cites for line in told()]
    assert len(set(cites)) == len(cites)
    assert {cited.partition("#")[0] for cited in cites} == {"jpn", "kor", "usa"}


def test_increments_of_evidence_are_told_once_per_source_and_node() -> None:
    texts = Counter((line.node, line.text) for line in told() if line.topic == "evidence")
    assert set(texts.values()) == {1}
    assert any(node == "jpn" and "holds KOR's first report" in text for node, text in texts)


def test_the_alert_is_told_with_its_unit_and_regions() -> None:
    (alert,) = [line for line in told() if line.topic == "alert" and line.node == "jpn"]
    assert alert.text.startswith("jp-cabsec issued Alert ")
    assert "Aomori" in alert.text


def test_refusals_and_links_are_told() -> None:
    log = open_log(
        "jpn",
        chained(
            ("genesis", GENESIS),
            ("note", {"about": "link", "partner": "USA", "state": "down"}),
            ("received", {"raw": b"\xc1"}),
            ("refusal", {"party": "partner:USA", "reason": "malformed"}),
        ),
    )
    assert [(line.topic, line.text, line.cites) for line in story([log])] == [
        ("link", "link to USA is down", "jpn#2"),
        ("refusal", "refused from partner:USA: malformed", "jpn#4"),
    ]


def test_words_are_told_as_they_were_said() -> None:
    log = with_last_words(run().logs[0], RemarkBody(unit="jp-cabsec", text="<b>words</b>"))
    last = list(story([log]))[-1]
    assert last.topic == "words"
    assert last.text.endswith("to jp-cabsec: <b>words</b>")

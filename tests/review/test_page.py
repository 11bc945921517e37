"""The page: one file that fetches nothing, says its realm, cites its records and shows hostile words as words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from lxml import html

from noroshi.exercise import observed_points
from noroshi.messages.bodies import RemarkBody
from noroshi.review import Judged, Log, Point, measure, open_log, render
from noroshi.review.picture import MAX_LABELS, last_warned, shortest
from tests.review.reading import judged, records, run, with_last_words

pytestmark = pytest.mark.slow

LAND = (
    [(139.0, 39.0), (142.0, 39.0), (142.0, 41.2), (139.0, 41.2), (139.0, 39.0)],
    [(-10.0, -10.0), (0.0, -10.0), (0.0, 0.0), (-10.0, -10.0)],
)
"""An island in the frame and one on the other side of the world."""


def page_of(logs: Sequence[Log], answers: Sequence[Judged] = (), land: Sequence[Any] = LAND) -> str:
    return render(logs, measure(logs), answers, observed_points(logs), land, limits=("A <limit>.",))


@cache
def page() -> str:
    """The review of the short run."""
    return page_of(run().logs, judged(run().coalition.scenario, run().logs))


def section(text: str, identity: str) -> html.HtmlElement:
    (found,) = html.document_fromstring(text).xpath(f"//section[@aria-labelledby='{identity}']")
    assert isinstance(found, html.HtmlElement)
    return found


def test_the_file_stands_alone() -> None:
    text = page()
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<link|<img|<iframe|<base|src=", text, re.IGNORECASE)
    root = html.document_fromstring(text)
    assert all(target.startswith("#") for target in root.xpath("//@href"))
    assert len(root.xpath("//script")) == 1


def test_links_lead_to_rows_of_the_timeline() -> None:
    root = html.document_fromstring(page())
    identities = root.xpath("//@id")
    assert len(set(identities)) == len(identities)
    targets = {target[1:] for target in root.xpath("//@href")}
    assert targets
    assert targets <= set(identities)


def test_the_realm_is_said_in_three_languages_on_every_screen() -> None:
    (banner,) = html.document_fromstring(page()).xpath("//header")
    assert all(
        word in banner.text_content() for word in ("EXERCISE", "訓練", "훈련", "exercise:flight-2022-10-04")
    )
    assert "position:sticky" in page()
    real = [replace(log, genesis={**log.genesis, "realm": "real"}) for log in run().logs]
    (banner,) = html.document_fromstring(page_of(real)).xpath("//header")
    assert banner.get("class") == "realm real"
    assert "EXERCISE" not in banner.text_content()


@pytest.mark.parametrize(
    "identity",
    ["expectations", "from-detection-to-acknowledgement", "alerts", "release", "timeline-of-all-nodes"],
)
def test_every_row_cites_records(identity: str) -> None:
    rows = section(page(), identity).xpath(".//tbody/tr")
    assert rows
    for row in rows:
        if "never" not in row.text_content():
            assert row.xpath(".//*[@class='cite']"), row.text_content()


def test_who_knew_what_when_cites_each_time_and_says_never() -> None:
    rows = section(page(), "who-knew-what-when").xpath(".//tbody/tr")
    assert [row.xpath("./td")[0].text_content() for row in rows] == ["JPN", "KOR", "USA"]
    for row in rows:
        for cell in row.xpath("./td")[1:]:
            said, never = cell.text_content().count(" s"), cell.text_content().count("never")
            assert len(cell.xpath(".//*[@class='cite']")) == said
            assert said + never > 0
    assert "never" in rows[1].text_content()


def test_the_steps_are_in_order_and_an_answer_that_has_not_come_is_never() -> None:
    rows = section(page(), "from-detection-to-acknowledgement").xpath(".//tbody/tr")
    cells = [[cell.text_content() for cell in row.xpath("./td")] for row in rows]
    after = [float(cell[2].removesuffix(" s")) for cell in cells if cell[2] != "never"]
    assert after == sorted(after)
    assert [cell[0] for cell in cells if cell[2] == "never"] == ["acknowledged by all"]
    assert "NOT YET" in section(page(), "alerts").text_content()


HOSTILE = '</td><script>alert("x")</script><img src=x onerror=alert(1)>\u202e'


def test_hostile_words_stay_words() -> None:
    first, *others = run().logs
    loud = with_last_words(first, RemarkBody(unit=HOSTILE, text=HOSTILE))
    titled = replace(loud, genesis={**loud.genesis, "title": HOSTILE})
    text = page_of([titled, *others], [Judged(HOSTILE, False, HOSTILE, (HOSTILE,))])
    root = html.document_fromstring(text)
    assert len(root.xpath("//script")) == 1
    assert not root.xpath("//img")
    assert not root.xpath("//@onerror")
    assert HOSTILE in section(text, "timeline-of-all-nodes").text_content()
    assert HOSTILE in section(text, "expectations").text_content()
    assert HOSTILE in root.xpath("//title")[0].text_content()


def test_a_hostile_place_stays_a_name_on_the_map() -> None:
    logs = tuple(run().logs)
    text = page_of([hostile_places(log) for log in logs])
    (label, *_) = section(text, "map").xpath(".//*[@class='name'][contains(text(), 'script')]")
    assert label.text_content() == "<script>"


def hostile_places(log: Log) -> Log:
    """The log with all warned places called the same bad name."""

    def renamed(body: Any) -> Any:
        areas = getattr(body, "areas", None)
        if not areas:
            return body
        bad = [
            msgspec.structs.replace(
                one, places=[msgspec.structs.replace(p, name="<script>") for p in one.places]
            )
            for one in areas
        ]
        return msgspec.structs.replace(body, areas=bad)

    return replace(log, entries=tuple(replace(one, body=renamed(one.body)) for one in log.entries))


@pytest.mark.parametrize("count", [1, 3, 30, 400])
def test_a_log_that_ends_early_still_gives_a_review(count: int) -> None:
    logs = [open_log(node, records(node)[:count]) for node in ("jpn", "kor", "usa")]
    text = page_of(logs)
    assert section(text, "timeline-of-all-nodes") is not None
    if count == 1:
        assert "there is no map to draw" in text
        assert "Nothing was detected." in text


def test_the_map_is_small_and_holds_only_its_part_of_the_land() -> None:
    turns = np.linspace(0, 2 * np.pi, 60_000)
    fringe = 1 + 0.05 * np.sin(400 * turns)
    huge = np.column_stack((100 + 60 * fringe * np.cos(turns), 30 + 40 * fringe * np.sin(turns)))
    drawn = [
        html.tostring(one) for one in section(page_of(run().logs, land=[*LAND, huge]), "map").xpath(".//svg")
    ]
    assert len(drawn) == 2
    assert sum(map(len, drawn)) < 150_000
    lands = section(page_of(run().logs), "map").xpath(".//*[@class='land']")
    assert [one.get("d").count("M") for one in lands] == [1, 1]
    assert not section(page_of(run().logs, land=[]), "map").xpath(".//*[@class='land']")


def test_no_two_names_on_a_map_stand_on_each_other() -> None:
    for drawn in section(page(), "map").xpath(".//svg"):
        names = [one for one in drawn.xpath(".//*[@class='name']") if not one.get("text-anchor")]
        boxes = [(float(one.get("x")), float(one.get("y")), 7 * len(one.text_content())) for one in names]
        assert 0 < len(boxes) <= MAX_LABELS
        for number, (x, y, width) in enumerate(boxes):
            for other_x, other_y, other_width in boxes[number + 1 :]:
                assert (
                    abs(y - other_y) >= 13.8 or x + width <= other_x + 0.2 or other_x + other_width <= x + 0.2
                )


def test_the_last_warning_is_drawn_once_with_its_places_largest_first() -> None:
    warned = last_warned(run().logs)
    assert len(warned.entries) == 1
    people = [place.people for place in warned.places]
    assert people == sorted(people, reverse=True)
    assert len(warned.corridor) == 1
    caption = section(page(), "map").xpath(".//p")[0]
    assert "JPN's last warning, number" in caption.text_content()
    assert caption.xpath(".//*[@class='cite']")


def test_a_flight_over_the_date_line_is_drawn_without_a_jump() -> None:
    (path,) = [shortest((175.0, 40.0), (-170.0, 30.0))]
    assert len(path) > 10
    points = [Point(lon, lat, number, "USA") for number, (lon, lat) in enumerate(path)]
    text = render(run().logs[:1], measure(run().logs[:1]), (), points, ())
    (ahead, *_) = section(text, "map").xpath(".//*[@class='seen']")
    xs = [float(x) for x in re.findall(r"M(-?[\d.]+)", ahead.get("d"))]
    assert all(0 < after - before < 200 for before, after in pairwise(xs))


def test_shortest_way_between_opposite_places_is_the_two() -> None:
    assert shortest((0.0, 0.0), (180.0, 0.0)) == [(0.0, 0.0), (180.0, 0.0)]
    assert shortest((5.0, 5.0), (5.0, 5.0)) == [(5.0, 5.0), (5.0, 5.0)]

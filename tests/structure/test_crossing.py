"""The crossing rule against a plain enumeration of all paths, and the cases that it was made for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noroshi.structure import Structure, UnknownUnitError, Way, audiences, reach, ways
from noroshi.structure.model import Cadence
from tests.structure.small import edge, structure, unit

CADENCES: list[Cadence] = ["realtime", "on-event", "on-request", "scheduled"]


def every_way(given: Structure, start: str, content: str, cadences: set[str]) -> Iterator[Way]:
    """All walks without a repeated unit that obey the rule of the README, read out literally."""

    def go(units: tuple[str, ...], edges: tuple[str, ...], left: frozenset[str]) -> Iterator[Way]:
        for one in given.sharing:
            directions = [(one.from_unit, one.to_unit)]
            if one.both_ways:
                directions.append((one.to_unit, one.from_unit))
            for source, target in directions:
                if source != units[-1] or target in units:
                    continue
                if content not in one.content or one.cadence not in cadences:
                    continue
                narrowed = left & set(one.releasable_to)
                if not given.unit(target).nations <= narrowed:
                    continue
                yield Way((*edges, one.id), (*units, target), narrowed)
                yield from go((*units, target), (*edges, one.id), narrowed)

    yield from go((start,), (), given.nations)


NATION_SETS = ["US", "JP", "KR", "US JP", "US KR", "JP KR", "US JP KR"]


@st.composite
def graphs(draw: st.DrawFn) -> Structure:
    count = draw(st.integers(2, 6))
    nations = ["US", "JP", "KR", "US+JP", "US+JP+KR"]
    units = [unit(f"u{i}", draw(st.sampled_from(nations))) for i in range(count)]
    names = [u.id for u in units]
    sharing = []
    for number in range(draw(st.integers(1, 9))):
        start, end = draw(st.permutations(names))[:2]
        sharing.append(
            edge(
                f"e{number}",
                start,
                end,
                draw(st.sampled_from(NATION_SETS)),
                both_ways=draw(st.booleans()),
                cadence=draw(st.sampled_from(CADENCES)),
                content=draw(st.sampled_from(["flight-path", "flight-path", "flight-path", "alert"])),
            )
        )
    return structure(units, sharing=sharing)


@given(graphs(), st.sets(st.sampled_from(CADENCES), min_size=1))
def test_the_search_finds_what_enumeration_finds(graph: Structure, cadences: set[str]) -> None:
    everything = list(every_way(graph, "u0", "flight-path", cadences))
    found = ways(graph, "u0", "flight-path", cadences)
    assert set(found) == {way.end for way in everything}
    for end, paths in found.items():
        sets = {way.releasable_to for way in everything if way.end == end}
        widest = {one for one in sets if not any(one < other for other in sets)}
        assert {way.releasable_to for way in paths} == widest
        for way in paths:
            shortest = min(
                (len(w.edges), w.edges)
                for w in everything
                if w.end == end and w.releasable_to == way.releasable_to
            )
            assert (len(way.edges), way.edges) == shortest
            assert way in everything


@given(graphs())
def test_the_audience_of_a_nation_is_the_widest_that_contains_it(graph: Structure) -> None:
    everything = list(every_way(graph, "u0", "flight-path", {"realtime", "on-event"}))
    found = audiences(graph, "u0", "flight-path")
    own = graph.unit("u0").nation
    reached = {n for way in everything if "+" not in (n := graph.unit(way.end).nation) and n != own}
    assert set(found) == reached
    for nation, way in found.items():
        assert nation in way.releasable_to
        assert graph.unit(way.end).nation == nation
        sizes = [len(w.releasable_to) for w in everything if graph.unit(w.end).nation == nation]
        assert len(way.releasable_to) == max(sizes)


@given(graphs())
def test_no_way_passes_a_receiver_that_may_not_have_it(graph: Structure) -> None:
    edges = {one.id: one for one in graph.sharing}
    for way in reach(graph, "u0", "flight-path").values():
        left = graph.nations
        for name, target in zip(way.edges, way.units[1:], strict=True):
            left &= set(edges[name].releasable_to)
            assert graph.unit(target).nations <= left
        assert left == way.releasable_to


def test_a_longer_way_is_kept_when_it_may_be_released_further() -> None:
    """The short way leaves {US}; only the long one gets on to Japan."""
    units = [unit("us-a", "US"), unit("us-b", "US"), unit("us-c", "US"), unit("jp-a", "JP")]
    sharing = [
        edge("direct", "us-a", "us-c", "US"),
        edge("first", "us-a", "us-b", "US JP"),
        edge("second", "us-b", "us-c", "US JP"),
        edge("across", "us-c", "jp-a", "US JP"),
    ]
    small = structure(units, sharing=sharing)
    assert reach(small, "us-a", "flight-path")["jp-a"].edges == ("first", "second", "across")
    assert audiences(small, "us-a", "flight-path")["JP"].releasable_to == {"US", "JP"}


def test_sets_that_do_not_contain_one_another_are_both_kept() -> None:
    units = [unit("us-a", "US"), unit("us-b", "US"), unit("jp-a", "JP"), unit("kr-a", "KR")]
    sharing = [
        edge("for-jp", "us-a", "us-b", "US JP"),
        edge("for-kr", "us-a", "us-b", "US KR"),
        edge("to-jp", "us-b", "jp-a", "US JP KR"),
        edge("to-kr", "us-b", "kr-a", "US JP KR"),
    ]
    small = structure(units, sharing=sharing)
    assert len(ways(small, "us-a", "flight-path")["us-b"]) == 2
    assert reach(small, "us-a", "flight-path")["jp-a"].edges == ("for-jp", "to-jp")
    assert reach(small, "us-a", "flight-path")["kr-a"].edges == ("for-kr", "to-kr")


def test_a_shared_body_needs_all_of_its_nations() -> None:
    units = [unit("us-a", "US"), unit("tri", "US+JP+KR", "exchange"), unit("jp-a", "JP")]
    short = [edge("in", "us-a", "tri", "US JP"), edge("out", "tri", "jp-a", "US JP")]
    assert reach(structure(units, sharing=short), "us-a", "flight-path") == {}
    full = [edge("in", "us-a", "tri", "US JP KR"), edge("out", "tri", "jp-a", "US JP")]
    assert list(reach(structure(units, sharing=full), "us-a", "flight-path")) == ["tri", "jp-a"]


def test_a_shared_body_is_no_destination_of_its_nations() -> None:
    units = [unit("us-a", "US"), unit("bi", "US+JP", "consult-body")]
    small = structure(units, sharing=[edge("in", "us-a", "bi", "US JP")])
    assert list(reach(small, "us-a", "flight-path")) == ["bi"]
    assert audiences(small, "us-a", "flight-path") == {}


def test_direction_cadence_and_content_count() -> None:
    units = [unit("us-a", "US"), unit("jp-a", "JP")]
    one_way = structure(units, sharing=[edge("e", "us-a", "jp-a", "US JP")])
    assert reach(one_way, "jp-a", "flight-path") == {}
    both = structure(units, sharing=[edge("e", "us-a", "jp-a", "US JP", both_ways=True)])
    assert list(reach(both, "jp-a", "flight-path")) == ["us-a"]
    assert reach(both, "jp-a", "alert") == {}
    asked = structure(units, sharing=[edge("e", "us-a", "jp-a", "US JP", cadence="on-request")])
    assert reach(asked, "us-a", "flight-path") == {}
    assert list(reach(asked, "us-a", "flight-path", {"on-request"})) == ["jp-a"]
    assert reach(asked, "us-a", "flight-path", ()) == {}


def test_an_item_does_not_come_back_to_where_it_was() -> None:
    units = [unit("us-a", "US"), unit("us-b", "US")]
    small = structure(units, sharing=[edge("e", "us-a", "us-b", "US", both_ways=True)])
    assert list(reach(small, "us-a", "flight-path")) == ["us-b"]


def test_an_unknown_unit_is_refused_with_the_nearest() -> None:
    small = structure([unit("us-a", "US")])
    with pytest.raises(UnknownUnitError, match="did you mean us-a"):
        reach(small, "us-aa", "flight-path")

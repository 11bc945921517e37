"""Comparing structures: what changed, under which name, and what it does to live warning."""

from __future__ import annotations

import msgspec

from noroshi.structure import Change, Structure, difference
from tests.structure.small import authority, edge, link, structure, unit


def test_a_structure_does_not_differ_from_itself(packaged: dict[str, Structure]) -> None:
    for given in packaged.values():
        found = difference(given, given)
        assert (found.changes, found.effects) == ((), ())


def test_the_reform_alone_changes_nobodys_live_warning(packaged: dict[str, Structure]) -> None:
    """`after` is made for this: headquarters change, who is warned live does not."""
    found = difference(packaged["before"], packaged["after"])
    assert found.effects == ()
    units = {(change.what, change.key) for change in found.changes if change.section == "units"}
    assert {("removed", "us-usfj"), ("added", "us-jfhqj"), ("added", "jp-jjoc")} <= units


def test_trilateral_sharing_warns_korea_and_japan_of_what_the_other_sees(
    packaged: dict[str, Structure],
) -> None:
    found = difference(packaged["after"], packaged["trilateral"])
    gained = {(effect.sensor, effect.nation) for effect in found.effects if effect.gained}
    assert gained == {("kr-radars", "JP"), ("jp-asdf-radars", "KR"), ("us-radars-jp", "KR")}
    back = difference(packaged["trilateral"], packaged["after"])
    assert {(effect.sensor, effect.nation) for effect in back.effects if not effect.gained} == gained


def test_the_way_back_mirrors_the_way_there(packaged: dict[str, Structure]) -> None:
    there = difference(packaged["before"], packaged["trilateral"]).changes
    back = difference(packaged["trilateral"], packaged["before"]).changes
    swap = {"added": "removed", "removed": "added", "changed": "changed"}
    assert sorted((c.section, swap[c.what], c.key) for c in there) == sorted(
        (c.section, c.what, c.key) for c in back
    )


def test_changed_fields_are_named_with_both_values() -> None:
    units = [unit("us-a", "US"), unit("jp-a", "JP")]
    first = structure(units, [link("us-a", "liaison", "jp-a")], [edge("e", "us-a", "jp-a", "US JP")])
    second = msgspec.structs.replace(
        first,
        title="Other",
        sharing=(edge("e", "us-a", "jp-a", "US JP KR", both_ways=True),),
        links=(link("us-a", "counterpart", "jp-a"),),
    )
    assert difference(first, second).changes == (
        Change("head", "changed", "title", (("title", "Small", "Other"),)),
        Change("links", "removed", "us-a liaison jp-a"),
        Change("links", "added", "us-a counterpart jp-a"),
        Change(
            "sharing",
            "changed",
            "e",
            (("releasable_to", ("US", "JP"), ("US", "JP", "KR")), ("both_ways", None, True)),
        ),
    )


def test_default_modes_are_no_difference_and_others_are() -> None:
    units = [unit("jp-a", "JP")]
    every = structure(units, authorities=[authority("jp-a", "decide", "hotline-contact")])
    one = structure(units, authorities=[authority("jp-a", "decide", "hotline-contact", modes=("crisis",))])
    (change,) = difference(every, one).changes
    assert change.fields == (("modes", None, ("crisis",)),)


def test_two_rows_of_one_name_are_told_apart() -> None:
    units = [unit("jp-a", "JP")]
    crisis = authority("jp-a", "decide", "hotline-contact", modes=("crisis",))
    peace = authority("jp-a", "decide", "hotline-contact", modes=("peacetime",))
    found = difference(structure(units, authorities=[crisis]), structure(units, authorities=[crisis, peace]))
    assert [(c.what, c.key) for c in found.changes] == [("added", "jp-a decide hotline-contact #2")]

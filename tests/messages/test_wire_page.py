"""The page on the wire format names every kind, every field of a body, every input: a second node is written from it."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from noroshi.messages.keys import Certificate
from noroshi.messages.kinds import KINDS
from noroshi.node.inputs import Input

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "wire-format.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| `(?P<kind>[a-z-]+)` \| (?P<by>[a-z, ]+) \| (?P<lane>\d) \| (?P<content>.+) \|$", re.MULTILINE
)


def structs(kind: type[msgspec.Struct], seen: set[type]) -> Iterator[type[msgspec.Struct]]:
    """A record and all records inside it."""
    if kind in seen:
        return
    seen.add(kind)
    yield kind
    for field in msgspec.structs.fields(kind):
        waiting = [field.type]
        while waiting:
            one = waiting.pop()
            waiting.extend(typing.get_args(one))
            if isinstance(one, type) and issubclass(one, msgspec.Struct):
                yield from structs(one, seen)


def test_the_table_of_kinds_is_that_of_the_code() -> None:
    rows = {
        hit["kind"]: (frozenset(hit["by"].split(", ")), int(hit["lane"]), hit["content"].strip("`"))
        for hit in ROW.finditer(PAGE)
    }
    table = {one.name: (one.speakers, int(one.lane), one.content or "(label only)") for one in KINDS.values()}
    assert rows == table
    version = re.search(r"^\| `v` \| int \| (.*)$", PAGE, re.MULTILINE)
    assert version is not None
    for since, words in re.findall(r"(\d) for ((?:`[a-z-]+`(?:, | and )?)+)", version[1]):
        named = set(re.findall(r"`([a-z-]+)`", words))
        assert named == {one.name for one in KINDS.values() if one.since == int(since)}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_field_of_a_body_is_named(name: str) -> None:
    """A record that is written as an array has no names on the wire."""
    missing = [
        f"{one.__name__}.{field.encode_name}"
        for one in structs(KINDS[name].body, set())
        if not one.__struct_config__.array_like
        for field in msgspec.structs.fields(one)
        if f"`{field.encode_name}`" not in PAGE
    ]
    assert missing == []


def test_every_input_of_the_record_and_every_role_is_named() -> None:
    inputs = PAGE.partition("Inputs are")[2].partition("derived")[0]
    assert {str(one.__struct_config__.tag) for one in typing.get_args(Input)} == set(
        re.findall(r"`([a-z]+)`", inputs)
    )
    role = next(one for one in msgspec.structs.fields(Certificate) if one.name == "role")
    said = re.search(r"`role` \(([^)]*)\)", PAGE)
    assert said is not None
    assert set(re.findall(r"`([a-z]+)`", said[1])) == set(typing.get_args(role.type))

"""The algebra of labels: what is made from several inputs is released to nobody who might not have each of them."""

from __future__ import annotations

from functools import reduce

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noroshi.messages import Label, label_for, may_have
from noroshi.messages.canonical import decode, encode
from noroshi.messages.labels import (
    CAVEATS,
    CLASSIFICATIONS,
    MAX_MARKINGS,
    MAX_WORD,
    Marking,
    defect,
    joined,
)

PARTNERS = ("AUS", "FRA", "JPN", "KOR", "USA")
MARKINGS = st.builds(
    Marking,
    st.sampled_from(["tlp-2", "wp.7"]),
    st.sampled_from(["red", "green"]),
    st.sampled_from([(), ("sat",), ("sat", "ship")]),
)
LABELS = st.builds(
    label_for,
    st.sets(st.sampled_from(PARTNERS)),
    st.sampled_from(CLASSIFICATIONS),
    st.sets(st.sampled_from(sorted(CAVEATS))),
    st.sets(MARKINGS, max_size=2),
)


@given(LABELS, LABELS, LABELS)
def test_a_join_does_not_hang_on_order_or_repeats(a: Label, b: Label, c: Label) -> None:
    assert joined([a, b]) == joined([b, a])
    assert joined([joined([a, b]), c]) == joined([a, joined([b, c])]) == joined([c, b, a])
    assert joined([a, a]) == joined([a]) == a


@given(st.lists(LABELS, min_size=1, max_size=4), st.sampled_from(PARTNERS))
def test_what_is_made_from_several_goes_where_each_of_them_might(inputs: list[Label], partner: str) -> None:
    whole = joined(inputs)
    if may_have(whole, partner, origin="GBR"):
        assert all(may_have(one, partner, origin="GBR") for one in inputs)
    for one in inputs:
        assert CLASSIFICATIONS.index(one.classification) <= CLASSIFICATIONS.index(whole.classification)
        assert set(one.caveats) <= set(whole.caveats)
        assert set(one.others) <= set(whole.others)
        assert whole.audience <= one.audience


@given(LABELS, LABELS, st.sampled_from(PARTNERS))
def test_one_more_input_never_releases_more(a: Label, b: Label, partner: str) -> None:
    if not may_have(a, partner, origin="GBR"):
        assert not may_have(joined([a, b]), partner, origin="GBR")


@given(st.lists(LABELS, min_size=1, max_size=5))
def test_a_join_is_the_same_all_at_once_or_one_by_one(inputs: list[Label]) -> None:
    assert reduce(lambda one, other: joined([one, other]), inputs) == joined(inputs)


@given(LABELS)
def test_a_label_is_usable_and_comes_back_from_its_bytes(label: Label) -> None:
    assert defect(label) == ""
    assert msgspec.convert(decode(encode(label)), Label) == label
    assert hash(label) == hash(msgspec.msgpack.decode(encode(label), type=Label))


def test_a_label_without_other_markings_has_the_bytes_that_it_always_had() -> None:
    assert set(decode(encode(label_for(["USA"])))) == {"classification", "releasable_to", "caveats"}


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (Label("Secret", ("JPN",)), "unknown-classification"),
        (Label("secret", ("JPN",), ("exercise", "eyes")), "unknown-caveat"),
        (Label("secret", ("JPN", "JPN")), "label-not-canonical"),
        (Label("secret", ("USA", "JPN")), "label-not-canonical"),
        (Label("secret", ("JP",)), "unknown-partner-form"),
        (Label("secret", ("J1N",)), "unknown-partner-form"),
        (Label("secret", ("ＪＰＮ",)), "unknown-partner-form"),
        (Label("secret", ("",)), "unknown-partner-form"),
        (Label("secret", ("JPN",), (), ()), "label-not-canonical"),
        (Label("secret", ("JPN",), (), (Marking("b", "x"), Marking("a", "x"))), "label-not-canonical"),
        (Label("secret", ("JPN",), (), (Marking("a", "x"), Marking("a", "x"))), "label-not-canonical"),
        (Label("secret", ("JPN",), (), (Marking("a", "x", ("q", "p")),)), "label-not-canonical"),
        (Label("secret", ("JPN",), (), (Marking("a", ""),)), "unknown-marking-form"),
        (Label("secret", ("JPN",), (), (Marking("A", "x"),)), "unknown-marking-form"),
        (Label("secret", ("JPN",), (), (Marking("a", "x" * (MAX_WORD + 1)),)), "unknown-marking-form"),
        (
            Label("secret", ("JPN",), (), tuple(Marking("a", f"x{n}") for n in range(MAX_MARKINGS + 1))),
            "label-not-canonical",
        ),
    ],
)
def test_an_unusable_label_releases_to_nobody(label: Label, reason: str) -> None:
    assert defect(label) == reason
    assert not any(may_have(label, partner, origin="GBR") for partner in (*PARTNERS, *label.releasable_to))
    with pytest.raises(ValueError, match="usable"):
        joined([label_for(["JPN"]), label])


def test_more_markings_than_a_label_can_carry_are_no_label() -> None:
    many = [label_for(["JPN"], markings=[Marking("a", f"x{n}")]) for n in range(MAX_MARKINGS + 1)]
    assert defect(joined(many[:-1])) == ""
    with pytest.raises(ValueError, match="no more than"):
        joined(many)

"""A release policy: terms, rules, clearances, budgets; and the door that asks it beside the label and the structure."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from noroshi.clock import seconds
from noroshi.messages import KINDS, Ed25519, KeyedHash, label_for
from noroshi.messages.bodies import AcknowledgementBody, Body, RecallBody
from noroshi.messages.canonical import encode
from noroshi.messages.labels import Label, Marking
from noroshi.sharing import Allowed, Withheld
from noroshi.sharing.budgets import HOUR_NS, Spent
from noroshi.sharing.policy import (
    POLICY_DOMAIN,
    Budget,
    MarkingTable,
    Policy,
    Rule,
    SignedPolicy,
    Terms,
    default_policy,
    opened,
    partners_changed,
    sign,
    succession_defect,
)
from noroshi.sharing.reduced import Grid
from noroshi.sharing.release import CaseRelease, ReleaseKey
from tests.sharing.policies import (
    CASE,
    MEMBER,
    NATIONS,
    OBSERVER,
    REALM,
    REMOVED,
    door,
    message,
    written,
)

RADARS = "jp-asdf-radars"
SHARED = label_for(NATIONS)


def rule(id: str, to: str, effect: Any, **match: Any) -> Rule:
    return Rule(id=id, to=tuple(to.split()), effect=effect, **match)


def towards(
    policy: Policy | None, partner: str, label: Label = SHARED, kind: str = "track"
) -> Allowed | Withheld:
    return door(policy).onward_key(ReleaseKey("JPN", RADARS, kind, KINDS[kind].content, label), partner)


def names(
    policy: Policy | None, content: str = "flight-path", *, reduced: bool = False
) -> list[tuple[str, str]]:
    found = door(policy).audiences(RADARS, content, reduced=reduced)
    return [(one.name, one.edition) for one in found]


def test_without_a_policy_the_structure_decides() -> None:
    assert names(None) == [("JPN+KOR+USA", "full")]
    assert names(None, reduced=True) == []
    assert towards(None, "KOR") == Allowed("KOR", "jp-radar-up>tri-jp>tri-kr")
    assert names(written()) == names(None)


def test_a_removed_partner_is_in_no_audience_and_gets_nothing_whatever_a_rule_says() -> None:
    policy = written(partners={"KOR": REMOVED}, rules=[rule("all", "KOR", "full", kinds=("track",))])
    assert names(policy) == [("JPN+USA", "full")]
    assert towards(policy, "KOR") == Withheld("removed", "terms:KOR")
    answer = AcknowledgementBody(of=b"m" * 16, unit="jp-mod")
    sent = message("JPN", "jp-mod", label_for(["JPN", "KOR"]), "acknowledgement", answer)
    assert door(policy).onward(sent, "KOR") == Withheld("removed", "terms:KOR")


def test_an_edition_that_names_a_partner_who_is_removed_later_goes_to_nobody() -> None:
    """Who gets it might pass it on, and its label says that he may."""
    policy = written(partners={"KOR": REMOVED})
    assert towards(policy, "USA") == Withheld("label-too-wide", "terms:KOR")
    assert isinstance(towards(policy, "USA", label_for(["JPN", "USA"])), Allowed)


def test_another_partners_edition_is_passed_on_though_it_names_one_whom_we_removed() -> None:
    policy = written("USA", partners={"KOR": REMOVED})
    relayed = message("KOR", "kr-radars", label_for(NATIONS))
    assert door(policy, own="USA").onward(relayed, "KOR") == Withheld("removed", "terms:KOR")
    whole = message("JPN", RADARS, label_for([*NATIONS]))
    assert door(policy, own="USA").onward(whole, "KOR") == Withheld("removed", "terms:KOR")


def test_the_next_hop_must_be_allowed_too() -> None:
    """A relay that we removed holds what it passes on."""
    relay = ReleaseKey("KOR", "kr-radars", "track", "flight-path", SHARED)
    narrow = door(written("KOR", partners={"USA": REMOVED}), own="KOR")
    assert narrow.onward_key(relay, "JPN") == Withheld("label-too-wide", "terms:USA")
    foreign = ReleaseKey(
        "FRA", "somewhere", "acknowledgement", "", label_for(["AUS", "FRA", "JPN", "KOR", "USA"])
    )
    passing = door(written("JPN", partners={"AUS": MEMBER}))
    assert passing.onward_key(foreign, "AUS") == Allowed("AUS", "label")


def test_an_observer_gets_what_a_rule_names_in_an_edition_of_its_own() -> None:
    policy = written(
        partners={"AUS": OBSERVER}, rules=[rule("aus-warnings", "AUS", "full", contents=("expected-impact",))]
    )
    assert names(policy, "expected-impact") == [("AUS+JPN", "full"), ("JPN+KOR+USA", "full")]
    assert names(policy) == [("JPN+KOR+USA", "full")]
    alone, joined = label_for(["AUS", "JPN"]), label_for([*NATIONS, "AUS"])
    assert towards(policy, "AUS", alone, "warning") == Allowed("AUS", "aus-warnings")
    assert towards(policy, "AUS", alone) == Withheld("no-rule-names-it", "terms:AUS")
    assert towards(policy, "AUS", joined, "warning") == Withheld("not-alone", "aus-warnings")
    assert isinstance(towards(policy, "USA", joined, "warning"), Withheld)


def test_case_by_case_needs_a_named_posts_release_of_that_edition() -> None:
    policy = written(partners={"FRA": CASE}, releasing_posts=("jp-mod.duty",))
    assert names(policy) == [("JPN+KOR+USA", "full")]
    sent = message("JPN", RADARS, label_for(["FRA", "JPN"]))
    given = door(policy)
    assert given.onward(sent, "FRA") == Withheld("waits-for-a-post", "terms:FRA")
    release = CaseRelease(sent.id, "FRA", "jp-mod.duty")
    assert given.onward(sent, "FRA", [release]) == Allowed("FRA", "terms:FRA")
    for other in (
        CaseRelease(b"j" * 16, "FRA", "jp-mod.duty"),
        CaseRelease(sent.id, "USA", "jp-mod.duty"),
        CaseRelease(sent.id, "FRA", "jp-pm.duty"),
    ):
        assert given.onward(sent, "FRA", [other]) == Withheld("waits-for-a-post", "terms:FRA")
    wide = message("JPN", RADARS, label_for(["FRA", "JPN", "USA"]))
    assert given.onward(wide, "FRA", [CaseRelease(wide.id, "FRA", "jp-mod.duty")]) == Withheld(
        "not-alone", "terms:FRA"
    )


def test_a_posts_release_overrules_neither_rank_nor_rule_nor_removal() -> None:
    release = CaseRelease(b"i" * 16, "FRA", "jp-mod.duty")
    secret = message("JPN", RADARS, label_for(["FRA", "JPN"], "secret"))
    plain = message("JPN", RADARS, label_for(["FRA", "JPN"]))
    posts = ("jp-mod.duty",)
    cleared = written(partners={"FRA": CASE}, releasing_posts=posts)
    assert door(cleared).onward(secret, "FRA", [release]) == Withheld("unknown-rank", "clearance:FRA")
    denied = written(
        partners={"FRA": CASE},
        releasing_posts=posts,
        rules=[rule("no-tracks", "FRA", "deny", kinds=("track",))],
    )
    assert door(denied).onward(plain, "FRA", [release]) == Withheld("denied", "no-tracks")
    removed = written(partners={"FRA": REMOVED}, releasing_posts=posts)
    assert door(removed).onward(plain, "FRA", [release]) == Withheld("removed", "terms:FRA")


def test_the_first_rule_that_matches_decides() -> None:
    policy = written(
        rules=[
            rule("own-units", "KOR", "full", contents=("flight-path",), units=("jp-mod",)),
            rule("no-tracks", "KOR", "deny", kinds=("track",)),
            rule("never", "KOR", "full", kinds=("track",)),
        ]
    )
    given = door(policy)
    by_unit = [
        given.onward_key(ReleaseKey("JPN", unit, "track", "flight-path", label_for(["JPN", "KOR"])), "KOR")
        for unit in ("jp-mod", RADARS)
    ]
    assert by_unit == [
        Allowed("KOR", "own-units: tri-jp>tri-kr"),
        Withheld("denied", "no-tracks"),
    ]
    assert names(policy) == [("JPN+USA", "full")]


def test_a_partner_gets_the_full_or_the_reduced_edition_and_not_both() -> None:
    policy = written(rules=[rule("cells", "KOR", "reduced", contents=("flight-path",))])
    assert names(policy) == [("JPN+USA", "full")]
    assert names(policy, reduced=True) == [("JPN+KOR", "reduced")]
    label = label_for(["JPN", "KOR"])
    assert towards(policy, "KOR", label) == Withheld("reduced-only", "cells")
    outcome = towards(policy, "KOR", label, "reduced-track")
    assert outcome == Allowed("KOR", "cells: jp-radar-up>tri-jp>tri-kr", "reduced")
    assert towards(policy, "USA", SHARED) == Withheld("label-too-wide", "cells")


def test_a_declared_audience_is_apart_and_says_so() -> None:
    policy = written(rules=[rule("life", "KOR", "declare", contents=("expected-impact",))])
    assert names(policy, "expected-impact") == [("JPN+KOR", "declared"), ("JPN+USA", "full")]
    outcome = towards(policy, "KOR", label_for(["JPN", "KOR"]), "warning")
    assert outcome == Allowed("KOR", "life: jp-radar-up>tri-jp>tri-kr", "declared")


def test_a_member_gets_nothing_that_the_structure_does_not_let_go_whatever_a_rule_says() -> None:
    policy = written("KOR", rules=[rule("all", "JPN", "full", contents=("flight-path",))])
    before = door(policy, own="KOR", structure="before")
    assert [one.name for one in before.audiences("kr-radars", "flight-path")] == ["KOR+USA"]
    sent = message("KOR", "kr-radars", label_for(["JPN", "KOR"]))
    assert before.onward(sent, "JPN") == Withheld("no-sharing-edge", "structure")


def test_a_recall_goes_to_whoever_had_the_message_but_not_to_one_that_is_removed() -> None:
    policy = written(partners={"AUS": OBSERVER, "FRA": CASE, "KOR": REMOVED})
    body: Body = RecallBody(of=b"m" * 16, step="recalled")
    for partner, expected in (
        ("AUS", Allowed("AUS", "recall")),
        ("FRA", Allowed("FRA", "recall")),
        ("USA", Allowed("USA", "recall")),
        ("KOR", Withheld("removed", "terms:KOR")),
    ):
        label = label_for(["JPN", partner, "KOR"])
        alone = label_for(["JPN", partner])
        sent = message("JPN", "jp-mod", label if partner == "USA" else alone, "recall", body)
        assert door(policy).onward(sent, partner) == expected


def test_a_queued_row_is_decided_again_under_a_new_policy() -> None:
    key = ReleaseKey("JPN", RADARS, "track", "flight-path", label_for(["JPN", "USA"]))
    assert door(written()).may_still_go(key, "USA")
    assert not door(written()).may_still_go(key, "KOR")
    assert not door(written(partners={"USA": REMOVED})).may_still_go(key, "USA")
    through = ReleaseKey("JPN", "jp-mod", "acknowledgement", "", label_for(["JPN", "KOR", "USA"]))
    assert door(written()).may_still_go(through, "USA")


# Budgets

LAUNCHES = Budget(id="few", to=("KOR",), contents=("launch-point",), per_hour=3)


def test_a_partner_with_a_budget_is_alone_in_its_audience() -> None:
    """Else a relay would pass on to it what others got."""
    policy = written(budgets=(LAUNCHES,), releasing_posts=("jp-mod.duty",))
    assert names(policy, "launch-point") == [("JPN+KOR", "full"), ("JPN+USA", "full")]
    assert towards(policy, "KOR", SHARED, "event") == Withheld("not-alone", "terms:KOR")
    assert isinstance(towards(policy, "USA", SHARED, "event"), Allowed)


def test_what_is_over_its_budget_waits_for_a_post() -> None:
    policy = written(budgets=(LAUNCHES,), releasing_posts=("jp-mod.duty",))
    given, spent = door(policy), Spent()
    key = ReleaseKey("JPN", RADARS, "event", "launch-point", label_for(["JPN", "KOR"]))
    outcomes = [given.charged(key, "KOR", now_ns, spent) for now_ns in range(5)]
    assert [isinstance(one, Allowed) for one in outcomes] == [True] * 3 + [False] * 2
    assert outcomes[-1] == Withheld("over-budget", "few")
    released = msgspec.structs.replace(key, cases=(CaseRelease(b"i" * 16, "KOR", "jp-mod.duty"),))
    assert isinstance(given.charged(released, "KOR", 6, spent), Allowed)
    assert isinstance(given.charged(key, "KOR", HOUR_NS, spent), Allowed)
    assert isinstance(given.charged(key, "KOR", HOUR_NS, spent), Withheld)


def test_a_budget_holds_over_any_hour() -> None:
    spent, budgets = Spent(), (LAUNCHES,)
    went = [t for t in range(0, 3 * HOUR_NS, HOUR_NS // 50) if not spent.charge("KOR", budgets, t)]
    assert len(went) == 9
    for t in went:
        assert sum(t <= other < t + HOUR_NS for other in went) <= 3


def test_what_was_withheld_by_one_budget_counts_against_none() -> None:
    spent = Spent()
    both = (LAUNCHES, msgspec.structs.replace(LAUNCHES, id="wide", per_hour=10))
    for now_ns in range(20):
        spent.charge("KOR", both, now_ns)
    assert {budget: len(times) for budget, _, times in spent.dump()} == {"few": 3, "wide": 3}


def test_spent_budgets_survive_a_snapshot_and_a_step_of_the_clock() -> None:
    spent = Spent()
    for now_ns in (5, 6):
        spent.charge("KOR", (LAUNCHES,), now_ns)
    again = Spent.load(spent.dump())
    assert again.dump() == spent.dump() == [("few", "KOR", [5, 6])]
    again.shift(seconds(10.0))
    assert again.dump() == [("few", "KOR", [5 + seconds(10.0), 6 + seconds(10.0)])]


# Signed policies

SECRET, OTHER = b"r" * 32, b"q" * 32


@pytest.mark.parametrize("scheme", [Ed25519(), KeyedHash()])
def test_a_signed_policy_comes_back_as_it_was(scheme: Ed25519 | KeyedHash) -> None:
    policy = written(
        partners={"AUS": OBSERVER},
        rules=[rule("aus", "AUS", "full", kinds=("warning",))],
        budgets=(LAUNCHES,),
        markings=(MarkingTable(policy="tlp-2", version=1, ranks={"green": "restricted"}),),
        grid=Grid(rows=360),
    )
    raw = sign(policy, scheme, SECRET)
    root = scheme.public_key(SECRET)
    assert opened(raw, scheme, root, partner="JPN", realm=REALM) == policy
    assert opened(raw, scheme, scheme.public_key(OTHER), partner="JPN", realm=REALM) == "bad-signature"
    assert opened(raw, scheme, root, partner="USA", realm=REALM) == "foreign-policy"
    assert opened(raw, scheme, root, partner="JPN", realm="real") == "foreign-policy"
    assert opened(raw[:-1], scheme, root, partner="JPN", realm=REALM) == "malformed"
    for place in range(0, len(raw), 7):
        damaged = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        assert isinstance(opened(damaged, scheme, root, partner="JPN", realm=REALM), str)


def test_a_signed_policy_that_cannot_be_used_is_refused() -> None:
    scheme = KeyedHash()
    root = scheme.public_key(SECRET)

    def outcome(policy: Policy) -> Policy | str:
        return opened(sign(policy, scheme, SECRET), scheme, root, partner="JPN", realm=REALM)

    base = default_policy("JPN", NATIONS, REALM)
    wrong = rule("all", "XXX", "full", kinds=("track",))
    assert outcome(msgspec.structs.replace(base, rules=(wrong,))) == "unusable-policy"
    assert outcome(msgspec.structs.replace(base, ranks=("secret", "restricted"))) == "unusable-policy"
    assert outcome(msgspec.structs.replace(base, version=0)) == "malformed"
    extra = encode({**msgspec.to_builtins(base), "also": 1})
    signed = encode(SignedPolicy(extra, scheme.sign(SECRET, POLICY_DOMAIN + extra)))
    assert opened(signed, scheme, root, partner="JPN", realm=REALM) == "malformed"


def test_only_a_higher_version_of_the_same_partner_follows() -> None:
    first = written(version=3)
    assert succession_defect(first, written(version=4)) == ""
    assert succession_defect(first, written(version=3)) == "stale-policy"
    assert succession_defect(first, written(version=2, partners={"KOR": REMOVED})) == "stale-policy"
    assert succession_defect(first, written("USA", version=4)) == "foreign-policy"


def test_who_is_concerned_by_a_change() -> None:
    first = written()
    assert partners_changed(first, written(version=2)) == frozenset()
    assert partners_changed(first, written(partners={"KOR": REMOVED})) == {"KOR"}
    assert partners_changed(first, written(partners={"AUS": OBSERVER})) == {"AUS"}
    one = rule("cells", "KOR USA", "reduced", contents=("flight-path",))
    both = rule("cells", "KOR", "reduced", contents=("flight-path",))
    assert partners_changed(written(rules=[one]), written(rules=[both])) == {"USA"}
    assert partners_changed(first, written(budgets=(LAUNCHES,))) == {"KOR"}
    assert partners_changed(first, written(ranks=("restricted",))) == {"KOR", "USA"}


def test_every_content_has_one_full_kind() -> None:
    """Audiences are asked for by content, and rules may name kinds: the two must mean the same.

    A count goes where the event of which it speaks goes: its audience is asked for as the event's, and the door asks
    again.
    """
    full = [
        kind.name for kind in KINDS.values() if kind.content and not kind.reduces and kind.name != "count"
    ]
    contents = [KINDS[name].content for name in full]
    assert len(contents) == len(set(contents))
    assert KINDS["count"].content == KINDS["event"].content
    assert full.index("event") < list(KINDS).index("count")


def test_markings_of_other_policies_are_read_by_the_signed_tables() -> None:
    table = MarkingTable(
        policy="tlp-2",
        version=1,
        ranks={"green": "restricted", "clear": "unclassified"},
        categories={"sat": "space"},
    )
    policy = written(
        categories=("space",),
        markings=(table,),
        partners={"USA": Terms(terms="member", highest="restricted", categories=("space",))},
    )

    def outcome(*markings: Marking) -> str:
        label = label_for(["JPN", "USA"], markings=markings)
        found = towards(policy, "USA", label)
        return "" if isinstance(found, Allowed) else found.reason

    assert outcome(Marking("tlp-2", "green", ("sat",))) == ""
    assert outcome(Marking("tlp-2", "red")) == "unknown-rank"
    assert outcome(Marking("tlp-2", "green", ("ship",))) == "unknown-category"
    assert outcome(Marking("tlp-1", "green")) == "unknown-marking-policy"
    assert outcome(Marking("tlp-2", "green"), Marking("tlp-1", "clear")) == "unknown-marking-policy"
    narrow = msgspec.structs.replace(policy, partners={"USA": MEMBER})
    label = label_for(["JPN", "USA"], markings=[Marking("tlp-2", "clear", ("sat",))])
    assert towards(narrow, "USA", label) == Withheld("not-cleared-for-category", "clearance:USA")


def test_answers_are_kept_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noroshi.sharing.release.MAX_KNOWN", 10)
    given = door()
    for number in range(100):
        key = ReleaseKey("USA", f"unit-{number}", "horoscope", None, label_for(["JPN", "USA", "KOR"]))
        given.onward_key(key, "KOR")
        assert len(given._onward) <= 10

"""Known paths by which what is hidden leaks, each closed at the door: the policy, the label, the reduced edition.

The numbers are those of the list in the manual's page on release. Paths that only a whole node shows are tested there.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noroshi.clock import seconds
from noroshi.messages import KINDS, KeyedHash, Label, Refused, TrustStore, Unverified, label_for, verify
from noroshi.messages.bodies import ReducedTrackBody
from noroshi.messages.canonical import decode, encode
from noroshi.messages.envelope import Signed, signing_bytes
from noroshi.messages.labels import CLASSIFICATIONS, Marking
from noroshi.messages.signing import key_id
from noroshi.sharing import Allowed, Withheld
from noroshi.sharing.budgets import HOUR_NS, Spent
from noroshi.sharing.policy import Budget, MarkingTable, Policy, Rule, Terms
from noroshi.sharing.reduced import Estimate, Grid, Seen, reduce
from noroshi.sharing.release import Audience, ReleaseKey
from tests.sharing.policies import (
    ALL_NATIONS,
    CASE,
    EVENT,
    MEMBER,
    NATIONS,
    OBSERVER,
    REALM,
    REMOVED,
    TRACK,
    door,
    message,
    written,
)

RADARS = "jp-asdf-radars"
SHARED = label_for(NATIONS)
CONTENTS = ("flight-path", "launch-point", "expected-impact")
SPOKEN = {"flight-path": "track", "launch-point": "event", "expected-impact": "warning"}


def key(label: Label = SHARED, kind: str = "track", origin: str = "JPN", unit: str = RADARS) -> ReleaseKey:
    return ReleaseKey(origin, unit, kind, KINDS[kind].content, label)


def reason(policy: Policy | None, partner: str, of: ReleaseKey) -> str:
    """Why it is withheld; empty where it goes."""
    outcome = door(policy).onward_key(of, partner)
    assert isinstance(outcome, Allowed) or outcome.rule
    return "" if isinstance(outcome, Allowed) else outcome.reason


def everywhere(policy: Policy) -> list[Audience]:
    found = door(policy)
    return [
        one
        for content in CONTENTS
        for reduced in (False, True)
        for one in found.audiences(RADARS, content, reduced=reduced)
    ]


# Random policies


def rules() -> st.SearchStrategy[list[Rule]]:
    matched = st.one_of(
        st.fixed_dictionaries(
            {"contents": st.sets(st.sampled_from(CONTENTS), min_size=1).map(lambda s: tuple(sorted(s)))}
        ),
        st.fixed_dictionaries(
            {
                "kinds": st.sets(st.sampled_from(["event", "warning"]), min_size=1).map(
                    lambda s: tuple(sorted(s))
                )
            }
        ),
    )
    one = st.tuples(
        st.sets(st.sampled_from(["AUS", "FRA", "KOR", "USA"]), min_size=1),
        st.sampled_from(["full", "deny"]),
        matched,
        st.sampled_from([(), (RADARS,), ("jp-mod",)]),
    )
    cells = st.sets(st.sampled_from(["AUS", "KOR", "USA"]), min_size=1).map(
        lambda to: (to, "reduced", {"contents": ("flight-path",)}, ())
    )
    return st.lists(st.one_of(one, cells), max_size=4).map(
        lambda rows: [
            Rule(id=f"r{number}", to=tuple(sorted(to)), effect=effect, units=units, **match)  # type: ignore[arg-type]  # drawn from the words that it takes
            for number, (to, effect, match, units) in enumerate(rows)
        ]
    )


OTHERS = sorted(set(ALL_NATIONS) - {"JPN"})


def often(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Mostly the first, so that most of what is drawn could be released."""
    return st.sampled_from([usual] * 4 + list(others))


def policies() -> st.SearchStrategy[Policy]:
    terms = st.builds(
        Terms,
        terms=often("member", "observer", "case-by-case", "removed"),
        highest=often("restricted", "unclassified"),
        categories=often(("exercise",), ()),
    )
    partners = st.fixed_dictionaries(dict.fromkeys(OTHERS, terms))
    return st.builds(
        lambda named, some: written(partners=named, rules=some, categories=("exercise",)), partners, rules()
    )


def keys(partner: str) -> st.SearchStrategy[ReleaseKey]:
    """Messages of ours, most of them for the partner."""
    company = often(set(), {"USA"}, {"KOR"}, {"USA", "KOR"}, {"AUS"})
    named = st.builds(lambda others, some: {"JPN", *some, *others}, company, often({partner}, set()))
    label = st.builds(
        label_for,
        named,
        often("restricted", "unclassified", "secret", "cosmic"),
        often((), ("exercise",), ("personal-data",)),
    )
    return st.builds(
        key,
        label,
        st.sampled_from(["track", "reduced-track", "event", "warning", "remark"]),
        st.just("JPN"),
        often(RADARS, "jp-mod", "no-such-unit"),
    )


def questions() -> st.SearchStrategy[tuple[str, ReleaseKey]]:
    return st.sampled_from(OTHERS).flatmap(lambda partner: st.tuples(st.just(partner), keys(partner)))


# The paths


@pytest.mark.parametrize("name", sorted(KINDS))
def test_path_1_an_edition_holds_the_fields_of_its_kind_and_no_other(name: str) -> None:
    """A payload field above the partner's clearance: bodies are typed, and what has no field cannot be in them."""
    body = {"track": TRACK, "event": EVENT}.get(name)
    fields = set(msgspec.structs.asdict(body)) if body is not None else None
    known = {field.encode_name for field in msgspec.structs.fields(KINDS[name].body)}
    if body is not None:
        sent = message("JPN", RADARS, SHARED, name, body)
        assert set(decode(decode(sent.raw)[0])["body"]) == fields == known
        assert (
            set(decode(encode(msgspec.convert({**msgspec.structs.asdict(body), "also": 1}, type(body)))))
            == known
        )
    assert known


FREE_TEXT = {
    "decision": {"typed"},
    "alert": {
        "texts.headline",
        "texts.description",
        "texts.instruction",
        "web",
        "contact",
        "hazard.sender",
        "hazard.agency",
        "hazard.agency_ja",
        "hazard.agency_ko",
    },
    "remark": {"text"},
    "inject": {"text"},
    "notice": {"title"},
    "hazard": {"sender"},
    "claim": {"outlet", "text", "link"},
}
"""Words of people, or made from templates bound to a realm (and where to read more), that two posts have signed; what a
person typed to confirm an alert, which is refused unless it is the alert's realm and audience; and, quoted, what
somebody else has said in public: an agency's address, what our root calls it, an outlet's words in an authority's name.
"""

NAMES = {
    "identifier", "template", "unit", "source", "name", "name_ja", "name_ko", "region", "region_ja", "region_ko",
    "country", "partner", "other_partner", "language", "inject", "case", "decision", "body", "references",
    "recipients", "partners", "sensings", "releasable_to", "caveats", "classification", "policy", "rank",
    "categories", "markings", "asked", "relay", "roster", "refused", "codes", "through", "watches", "informed",
}  # fmt: skip
"""Texts that name something out of a table: places, units, partners, templates, kinds of sensing, words of labels."""


@pytest.mark.parametrize("name", sorted(KINDS))
def test_path_2_no_node_says_free_text_of_its_own(name: str) -> None:
    """Free text carries what nobody has released: each text of a body is a name out of a table, or a person's words."""
    free = {path for path in _texts(KINDS[name].body) if path.rpartition(".")[2] not in NAMES}
    assert free == FREE_TEXT.get(name, set())
    if name in ("remark", "inject"):
        assert "node" not in KINDS[name].speakers


def _texts(kind: Any, path: str = "") -> set[str]:
    """The paths of all fields of a body that hold texts which are not from a closed list."""
    info = msgspec.inspect.type_info(kind) if isinstance(kind, type) else kind
    match info:
        case msgspec.inspect.StructType():
            parts = [_texts(f.type, f"{path}.{f.encode_name}".lstrip(".")) for f in info.fields]
            return set().union(*parts)
        case msgspec.inspect.UnionType():
            return set().union(*(_texts(one, path) for one in info.types))
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            return _texts(info.item_type, path)
        case msgspec.inspect.Metadata():
            return _texts(info.type, path)
        case msgspec.inspect.StrType():
            return {path}
    return set()


def test_path_6_a_reduced_edition_refers_to_nothing() -> None:
    """Links to what the partner lacks: a reduced edition has one alias, its own, and no field for another."""
    whole = {
        field.encode_name
        for field in msgspec.structs.fields(ReducedTrackBody)
        if field.type is bytes or "bytes" in str(field.type)
    }
    assert whole == {"track"}


@pytest.mark.slow
@given(policies())
@settings(max_examples=60)
def test_path_6_an_observer_shares_no_audience_so_no_alias_joins_it_with_others(policy: Policy) -> None:
    """Aliases mean something inside one audience only; who is apart must be in none with others."""
    for one in everywhere(policy):
        apart = [name for name in one.partners if name != "JPN" and not policy.on_terms(name, "member")]
        assert not apart or one.partners == {"JPN", *apart[:1]}


def test_path_10_a_reduced_edition_tells_no_sensor_no_place_of_one_and_no_error() -> None:
    """Source and method: only the kinds of sensing, a pseudonym, and a step of time that is the same for everybody."""
    assert {field.encode_name for field in msgspec.structs.fields(ReducedTrackBody)} == {
        "track", "sequence", "source", "sensings", "rows", "issued_ns", "from_ns", "to_ns", "launch", "fall"
    }  # fmt: skip
    for now_s in (0.1, 3.3, 9.9):
        body = reduce(None, _seen(0.7), seconds(1000.0 + now_s), Grid(every_s=10))
        assert body is not None
        assert body.issued_ns == seconds(1000.0)


def test_path_11_asking_again_and_again_gives_the_same_cell() -> None:
    """Precision: a cell is chosen once for an object and kept; `tests/sharing/test_reduced.py` averages a thousand."""
    body, changes = None, 0
    for number in range(200):
        following = reduce(body, _seen(0.7 + 1e-3 * (number % 7)), seconds(1000.0 + 10.0 * number), Grid())
        changes += following is not None
        body = following or body
    assert changes == 1


@pytest.mark.slow
@given(policies())
@settings(max_examples=60)
def test_path_12_nobody_gets_the_full_and_the_reduced_form_of_one_thing(policy: Policy) -> None:
    """Joined, the two give more than either: a partner is in audiences of one class of precision only."""
    found = door(policy)
    for unit in (RADARS, "jp-mod"):
        for content in CONTENTS:
            full = {name for one in found.audiences(unit, content) for name, _ in one.paths}
            reduced = {name for one in found.audiences(unit, content, reduced=True) for name, _ in one.paths}
            assert not full & reduced
            for name in reduced:
                label = label_for(["JPN", name])
                assert isinstance(found.onward_key(key(label, SPOKEN[content], unit=unit), name), Withheld)


def test_path_13_the_size_of_a_reduced_edition_hangs_on_what_it_says_alone() -> None:
    """Sizes: encoding is canonical and uncompressed, so bytes follow from what the partner may know. That the line
    itself shows the length of an encrypted record is listed as residual.
    """
    hidden = [_seen(0.70 + 1e-4 * number, error_m=10.0 * 3**number) for number in range(8)]
    sizes = {len(encode(reduce(None, one, seconds(1000.0), Grid()))) for one in hidden}
    assert len(sizes) == 1


def _seen(latitude: float, error_m: float = 500.0) -> Seen:
    return Seen(
        b"r" * 16, "one", frozenset({"radar"}), Estimate(latitude, 2.4, error_m), Estimate(0.71, 2.5, 500.0),
        seconds(2000.0), seconds(2030.0),
    )  # fmt: skip


@pytest.mark.parametrize(
    "label",
    [
        None,
        {},
        {"classification": "restricted"},
        {"releasable_to": ["JPN", "USA"]},
        {"classification": "restricted", "releasable_to": "JPN"},
        {"classification": "restricted", "releasable_to": ["JPN", "USA"], "also": 1},
        {"classification": None, "releasable_to": ["JPN", "USA"], "caveats": []},
        "restricted",
    ],
)
def test_path_18_without_a_label_that_can_be_read_there_is_no_message(label: object) -> None:
    """Create, then restrict: the label is inside the signed bytes and decided about before the message exists."""
    sent = message("USA", "us-radars-jp", label_for(["JPN", "USA"]))
    scheme, secret = KeyedHash(), b"USA" * 10 + b"xx"
    trust = TrustStore(REALM, scheme, {"USA": scheme.public_key(secret)})
    assert trust.admit(sent.signer) == ""
    assert not isinstance(verify(Unverified(sent.raw), trust, 5), Refused)
    fields = decode(decode(sent.raw)[0])
    fields["label"] = label
    payload = encode(fields if label is not None else {k: v for k, v in fields.items() if k != "label"})
    signature = scheme.sign(secret, signing_bytes(REALM, payload))
    outcome = verify(Unverified(encode(Signed(payload, key_id(sent.signer.public), signature))), trust, 5)
    assert isinstance(outcome, Refused)
    assert outcome.reason == "malformed"


def test_path_20_a_policy_changed_while_a_line_is_cut_decides_about_what_has_not_gone() -> None:
    """The row was allowed when it was said; when the line is back it is asked again, by its key."""
    row = key(label_for(["JPN", "USA"]), "event")
    assert reason(written(version=1), "USA", row) == ""
    stricter = [
        written(version=2, partners={"USA": REMOVED}),
        written(version=2, partners={"USA": OBSERVER}),
        written(version=2, partners={"USA": CASE}),
        written(version=2, rules=[Rule(id="no", to=("USA",), kinds=("event",), effect="deny")]),
        written(version=2, partners={"USA": Terms(terms="member", highest="unclassified")}),
    ]
    for policy in stricter:
        assert not door(policy).may_still_go(row, "USA")


RESTRICTIONS = ("deny", "removed", "rank", "category", "ranks")
"""To be an observer is none: it needs no sharing edge, where a member does."""


@pytest.mark.slow
@given(policies(), questions(), st.sampled_from(RESTRICTIONS), st.data())
@settings(max_examples=300)
def test_path_20_a_restriction_never_releases_more(
    policy: Policy, question: tuple[str, ReleaseKey], how: str, data: st.DataObject
) -> None:
    """Whatever is added to a policy to narrow it, nobody gets what was withheld before."""
    partner, row = question
    whom = data.draw(st.sampled_from(sorted(policy.partners)))
    terms = policy.partners[whom]
    changes: dict[str, Any] = {}
    if how == "deny":
        content = data.draw(st.sampled_from(CONTENTS))
        changes["rules"] = (
            Rule(id="more", to=(whom,), kinds=(SPOKEN[content],), effect="deny"),
            *policy.rules,
        )
    elif how == "ranks":
        changes["ranks"] = policy.ranks[:-1]
    else:
        new = {
            "removed": REMOVED,
            "rank": msgspec.structs.replace(terms, highest=""),
            "category": msgspec.structs.replace(terms, categories=()),
        }[how]
        changes["partners"] = {**policy.partners, whom: new}
    narrowed = msgspec.structs.replace(policy, **changes)
    if reason(policy, partner, row):
        assert reason(narrowed, partner, row)


@pytest.mark.slow
@given(questions(), policies())
@settings(max_examples=300)
def test_path_21_nothing_goes_without_label_terms_clearance_and_edge_all_saying_so(
    question: tuple[str, ReleaseKey], policy: Policy
) -> None:
    """The whole rule again, in other words, from the outside."""
    partner, row = question
    if reason(policy, partner, row):
        return
    terms = policy.partners[partner]
    assert partner in row.label.releasable_to
    assert terms.terms in ("member", "observer")
    assert row.label.classification in policy.ranks
    assert policy.ranks.index(row.label.classification) <= policy.ranks.index(terms.highest)
    assert set(row.label.caveats) <= set(terms.categories)
    company = row.label.audience - {"JPN", partner}
    assert all(policy.on_terms(name, "member") for name in company)
    if terms.terms == "observer":
        assert not company
        assert any(partner in one.to and one.effect != "deny" for one in policy.rules)
    elif row.content:
        edges = door(written()).audiences(row.unit, row.content)
        assert any(partner in one.partners and row.label.audience <= one.partners for one in edges)


DENIED: list[tuple[str, ReleaseKey, dict[str, Any]]] = [
    ("not-in-label", key(Label("restricted", ())), {}),
    ("not-in-label", key(label_for(["JPN", "KOR"])), {}),
    ("unknown-partner-form", key(Label("restricted", ("JPN", "U1A", "USA"))), {}),
    ("label-too-wide", key(label_for(["JPN", "USA", "XXX"])), {}),
    ("unknown-classification", key(label_for(["JPN", "USA"], "cosmic")), {}),
    ("unknown-classification", key(label_for(["JPN", "USA"], "")), {}),
    ("unknown-caveat", key(label_for(["JPN", "USA"], caveats=["burn"])), {}),
    ("label-not-canonical", key(Label("restricted", ("USA", "JPN"))), {}),
    ("label-not-canonical", key(Label("restricted", ("JPN", "USA"), (), ())), {}),
    ("unknown-marking-form", key(Label("restricted", ("JPN", "USA"), (), (Marking("", "red"),))), {}),
    ("unknown-marking-policy", key(label_for(["JPN", "USA"], markings=[Marking("tlp", "clear")])), {}),
    ("unknown-rank", key(label_for(["JPN", "USA"], "secret")), {}),
    ("unknown-category", key(label_for(["JPN", "USA"], caveats=["personal-data"])), {}),
    ("unknown-rank", key(label_for(["JPN", "USA"])), {"ranks": ()}),
    ("unknown-partner", key(label_for(["JPN", "USA"])), {"partners": {}}),
    ("unknown-kind", ReleaseKey("JPN", RADARS, "horoscope", None, SHARED), {}),
    ("no-sharing-edge", key(label_for(["JPN", "USA"]), unit="no-such-unit"), {}),
]


@pytest.mark.parametrize(
    ("why", "row", "change"), DENIED, ids=lambda one: one if isinstance(one, str) else ""
)
def test_path_21_what_is_empty_unknown_or_unreadable_goes_nowhere(
    why: str, row: ReleaseKey, change: dict[str, Any]
) -> None:
    """Default cases: an empty group, an unknown country, policy, rank or category, a label that cannot be read."""
    policy = msgspec.structs.replace(written(), **change)
    assert reason(policy, "USA", row) == why


def test_path_21_ranks_are_compared_by_their_order_in_the_signed_policy_and_categories_as_sets() -> None:
    for highest in range(2):
        terms = Terms(terms="member", highest=CLASSIFICATIONS[highest], categories=("exercise",))
        policy = written(partners={"USA": terms}, categories=("exercise", "personal-data"))
        for rank in range(4):
            got = reason(policy, "USA", key(label_for(["JPN", "USA"], CLASSIFICATIONS[rank])))
            assert (got == "") == (rank <= highest)
        for caveats, why in (
            (("exercise",), ""),
            (("exercise", "personal-data"), "not-cleared-for-category"),
        ):
            assert reason(policy, "USA", key(label_for(["JPN", "USA"], "unclassified", caveats))) == why


def test_path_22_both_markings_must_allow() -> None:
    """Two policies: the label's own marking and the other one, read by a signed table, each alone can withhold."""
    table = MarkingTable(policy="tlp", version=2, ranks={"clear": "unclassified", "red": "restricted"})
    low = Terms(terms="member", highest="unclassified")
    policy = written(partners={"USA": low, "KOR": MEMBER}, markings=(table,))
    for own, other, why in (
        ("unclassified", "clear", ""),
        ("unclassified", "red", "rank-too-high"),
        ("restricted", "clear", "rank-too-high"),
        ("unclassified", "amber", "unknown-rank"),
    ):
        row = key(label_for(["JPN", "USA"], own, markings=[Marking("tlp", other)]))
        assert reason(policy, "USA", row) == why


def test_path_23_many_small_releases_do_not_make_a_large_one() -> None:
    """Aggregation: a budget per partner and content, exact over any hour; the rest waits for a person."""
    budget = Budget(id="mosaic", to=("USA",), contents=("launch-point",), per_hour=10)
    policy = written(budgets=(budget,), releasing_posts=("jp-mod.duty",))
    found, spent = door(policy), Spent()
    row = key(label_for(["JPN", "USA"]), "event")
    went = [
        now_ns
        for now_ns in range(0, 2 * HOUR_NS, HOUR_NS // 60)
        if isinstance(found.charged(row, "USA", now_ns, spent), Allowed)
    ]
    assert all(sum(t <= other < t + HOUR_NS for other in went) <= 10 for t in went)
    assert len(went) == 20

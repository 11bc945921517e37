"""The one door out: label and structure must both allow it, at the originator and at every relay."""

from __future__ import annotations

from itertools import combinations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noroshi.messages import Certificate, KeyedHash, Label, Message, certify, label_for, seal
from noroshi.messages.bodies import AcknowledgementBody, Body, TrackBody
from noroshi.messages.envelope import Envelope
from noroshi.service.resources import packaged_decisions, packaged_structure
from noroshi.sharing import Allowed, Outboxes, ReleasePolicy, Withheld
from noroshi.structure import Structure, load_catalogue, load_structure

NATIONS = {"JPN": "JP", "KOR": "KR", "USA": "US"}
WIRES = (("JPN", "USA"), ("USA", "KOR"))
SCHEME = KeyedHash()
TRACK = TrackBody(
    track=b"t" * 16,
    sequence=1,
    from_ns=1,
    to_ns=1,
    sensing="radar",
    source="one",
    time_ns=[1],
    site_m=[[1.0, 2.0, 3.0]],
    value=[[1.0, 2.0, 3.0]],
    sigma=[[1.0, 1.0, 1.0]],
    clock_sigma_s=[0.0],
)


def structure(name: str) -> Structure:
    decisions_file, decisions = packaged_decisions()
    file, text = packaged_structure(name)
    return load_structure(text, file, load_catalogue(decisions, decisions_file))


STRUCTURES = {name: structure(name) for name in ("before", "after", "trilateral")}


def policy(name: str, own: str) -> ReleasePolicy:
    return ReleasePolicy(STRUCTURES[name], own=own, nations=NATIONS, wires=WIRES)


def message(origin: str, unit: str, label: Label, kind: str = "track", body: Body = TRACK) -> Message:
    secret = origin.encode() * 10 + b"xx"
    certificate = certify(
        SCHEME,
        secret,
        Certificate(
            realm="exercise:t",
            partner=origin,
            role="node",
            subject=origin.lower(),
            public=SCHEME.public_key(secret),
            not_before_ns=0,
            not_after_ns=9,
        ),
    )
    envelope = Envelope(
        v=1,
        realm="exercise:t",
        origin=origin,
        node=origin.lower(),
        unit=unit,
        id=b"i" * 16,
        kind=kind,
        time_ns=1,
        time_error_ns=0,
        label=label,
        body=msgspec.Raw(b""),
    )
    return seal(envelope, body, certificate, SCHEME, secret)


def outcomes(name: str, sent: Message) -> dict[tuple[str, str], str]:
    """What each node would do towards each partner: the next hop, or the reason why not."""
    found = {}
    for own in NATIONS:
        for partner in NATIONS:
            if partner != own:
                decided = policy(name, own).onward(sent, partner)
                found[own, partner] = decided.next_hop if isinstance(decided, Allowed) else decided.reason
    return found


def test_a_korean_report_takes_the_reported_path_or_none() -> None:
    audiences = {name: policy(name, "KOR").audiences("kr-radars", "flight-path") for name in STRUCTURES}
    assert [one.name for one in audiences["before"]] == ["KOR+USA"]
    assert [one.name for one in audiences["after"]] == ["KOR+USA"]
    assert [one.name for one in audiences["trilateral"]] == ["JPN+KOR+USA"]
    whole = message("KOR", "kr-radars", label_for(NATIONS))
    assert outcomes("trilateral", whole)["KOR", "JPN"] == "USA"
    assert outcomes("trilateral", whole)["USA", "JPN"] == "JPN"
    assert outcomes("before", whole)["KOR", "JPN"] == "no-sharing-edge"
    assert outcomes("before", whole)["USA", "JPN"] == "no-sharing-edge"


def test_what_a_gave_b_goes_no_further_than_a_said() -> None:
    narrow = message("KOR", "kr-radars", label_for(["KOR", "USA"]))
    decided = outcomes("trilateral", narrow)
    assert decided["KOR", "USA"] == "USA"
    assert decided["USA", "JPN"] == "not-in-label"


@given(
    name=st.sampled_from(sorted(STRUCTURES)),
    origin=st.sampled_from([("JPN", "jp-asdf-radars"), ("KOR", "kr-radars"), ("USA", "us-radars-jp")]),
    allowed=st.sets(st.sampled_from(sorted(NATIONS))),
    classification=st.sampled_from(["restricted", "secret", "cosmic", ""]),
    caveats=st.sets(st.sampled_from(["exercise", "burn-after-reading"])),
)
def test_nobody_gets_what_label_or_structure_excludes(
    name: str, origin: tuple[str, str], allowed: set[str], classification: str, caveats: set[str]
) -> None:
    partner, unit = origin
    label = label_for(allowed, classification, caveats)
    sent = message(partner, unit, label)
    may = policy(name, partner).audiences(unit, "flight-path")
    for (own, towards), outcome in outcomes(name, sent).items():
        if outcome in NATIONS:
            assert towards in allowed
            assert outcome in allowed or outcome == partner
            assert classification in ("restricted", "secret")
            assert "burn-after-reading" not in caveats
            assert any(towards in one.partners and allowed <= one.partners for one in may)
            assert own == partner or own in allowed


def test_an_empty_and_a_too_wide_label_go_nowhere() -> None:
    empty = message("JPN", "jp-mod", Label("restricted", ()))
    for own, partner in (("JPN", "USA"), ("USA", "KOR")):
        assert isinstance(policy("trilateral", own).onward(empty, partner), Withheld)
    wide = message("USA", "us-radars-jp", label_for(NATIONS))
    assert policy("before", "USA").onward(wide, "JPN") == Withheld("no-sharing-edge", "structure")


def test_an_unknown_kind_is_relayed_as_far_as_its_label_says_and_no_further() -> None:
    for label, expected in ((label_for(NATIONS), "KOR"), (label_for(["JPN", "USA"]), "not-in-label")):
        known = message("JPN", "jp-mod", label)
        envelope = msgspec.structs.replace(known.envelope, kind="horoscope")
        outcome = policy("trilateral", "USA").onward(Message(envelope, None, None, known.signer, b""), "KOR")
        assert (outcome.next_hop if isinstance(outcome, Allowed) else outcome.reason) == expected


def test_answers_follow_their_label_alone_and_the_links_that_it_allows() -> None:
    answer = AcknowledgementBody(of=b"m" * 16, unit="kr-jcs")
    pair = message("KOR", "kr-jcs", label_for(["KOR", "JPN"]), "acknowledgement", answer)
    assert policy("trilateral", "KOR").onward(pair, "JPN") == Withheld("no-route", "links")
    three = message("KOR", "kr-jcs", label_for(NATIONS), "acknowledgement", answer)
    assert policy("trilateral", "KOR").onward(three, "JPN") == Allowed("USA", "label")


def test_every_node_finds_the_same_way() -> None:
    for size in (2, 3):
        for members in combinations(sorted(NATIONS), size):
            for origin in NATIONS:
                for partner in NATIONS:
                    ways = {
                        policy("trilateral", own).route(origin, partner, frozenset(members))
                        for own in NATIONS
                    }
                    assert len(ways) == 1


def test_outboxes_number_what_was_given_and_nothing_else() -> None:
    outboxes = Outboxes()
    numbers = [outboxes.put(party, 0, "", 0, b"").number for party in ("a", "b", "a", "a", "b")]
    assert numbers == [1, 1, 2, 3, 2]
    assert (outboxes.upto("a"), outboxes.upto("b"), outboxes.upto("c")) == (3, 2, 0)


@pytest.mark.parametrize("name", sorted(STRUCTURES))
def test_the_alert_of_one_nation_is_for_its_own_people(name: str) -> None:
    assert policy(name, "JPN").audiences("jp-cabsec", "alert") == ()

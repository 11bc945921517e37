"""Roots, certificates, revocations, replacements and pins: what follows from them, in whatever order they come."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noroshi.messages import Certificate, Ed25519, KeyedHash, TrustStore, certify
from noroshi.messages.keys import (
    MAX_IN_BUNDLE,
    AnyStatement,
    Bundle,
    Pin,
    Replacement,
    Request,
    Revocation,
    Revoked,
    bundle_bytes,
    fingerprint,
    is_bundle,
    read_bundle,
    read_request,
    replace_root,
    signed,
)
from noroshi.messages.signing import derive, key_id
from noroshi.messages.trust import DAY_NS, MAX_BAD, MAX_PER_PARTNER
from tests.messages.conftest import REALM, make_envelope

SCHEME = KeyedHash()
NOW = 1_000 * DAY_NS
YEAR = 365 * DAY_NS
PERSONS = ("A. Sato", "B. Ito")


def secret(name: str) -> bytes:
    return derive(b"trust", "secret", name)


def public(name: str) -> bytes:
    return SCHEME.public_key(secret(name))


def key(name: str) -> bytes:
    return key_id(public(name))


def store(own: str = "jpn") -> TrustStore:
    roots = {"JPN": public("JPN-1"), "USA": public("USA-1")}
    return TrustStore(REALM, SCHEME, roots, own=[public(own)])


def certificate(root: str, holder: str, serial: int = 1, **changes: Any) -> Certificate:
    """Of a key that is called like its holder, by a root that is called like its partner."""
    post = "." in holder
    fields: dict[str, Any] = {
        "realm": REALM,
        "partner": root[:3],
        "role": "post" if post else "node",
        "subject": holder.rstrip("'"),
        "unit": holder.partition(".")[0] if post else "",
        "public": public(holder),
        "not_before_ns": NOW - YEAR,
        "not_after_ns": NOW + YEAR,
        "serial": serial,
    }
    return certify(SCHEME, secret(root), Certificate(**(fields | changes)))


def revocation(root: str, number: int, *holders: str, since_ns: int = 0) -> Revocation:
    keys = tuple(Revoked(key=key(one), since_ns=since_ns) for one in holders)
    bare = Revocation(realm=REALM, partner=root[:3], number=number, time_ns=NOW, keys=keys)
    return signed(SCHEME, secret(root), bare)


def replacement(old: str, new: str, *keeps: str, ends_ns: int = NOW + 30 * DAY_NS) -> Replacement:
    bare = Replacement(
        realm=REALM,
        partner=old[:3],
        old=public(old),
        new=public(new),
        time_ns=NOW,
        ends_ns=ends_ns,
        keeps=tuple(key(one) for one in keeps),
    )
    return replace_root(SCHEME, secret(old), secret(new), bare)


def pin(root: str, number: int = 1, *keeps: str, by: str = "jpn", **changes: Any) -> Pin:
    fields: dict[str, Any] = {
        "realm": REALM,
        "own": "JPN",
        "node": "jpn",
        "partner": root[:3],
        "what": "root",
        "number": number,
        "value": public(root),
        "persons": PERSONS,
        "time_ns": NOW,
        "ends_ns": NOW + DAY_NS,
        "keeps": tuple(key(one) for one in keeps),
        "key": key(by),
    }
    return signed(SCHEME, secret(by), Pin(**(fields | changes)))


def reason(trust: TrustStore, holder: str, now_ns: int = NOW, partner: str = "JPN") -> str:
    found = trust.holder(key(holder), now_ns, partner)
    return found if isinstance(found, str) else ""


def with_all(*statements: AnyStatement) -> TrustStore:
    trust = store()
    for one in statements:
        assert trust.apply(one) == "", one
    return trust


# What a root may say


def test_a_certificate_counts_from_its_first_to_its_last_moment() -> None:
    trust = with_all(certificate("JPN-1", "jpn"))
    assert reason(trust, "jpn", NOW - YEAR) == reason(trust, "jpn", NOW + YEAR) == ""
    assert reason(trust, "jpn", NOW - YEAR - 1) == reason(trust, "jpn", NOW + YEAR + 1) == "key-not-valid-now"
    assert reason(trust, "stranger") == "unknown-key"
    assert reason(trust, "jpn", partner="USA") == "wrong-speaker"


def test_a_key_may_be_certified_again_for_longer() -> None:
    later = certificate("JPN-1", "jpn", 2, not_before_ns=NOW + YEAR, not_after_ns=NOW + 2 * YEAR)
    trust = with_all(certificate("JPN-1", "jpn"), later)
    assert reason(trust, "jpn", NOW) == reason(trust, "jpn", NOW + 2 * YEAR) == ""
    found = trust.holder(key("jpn"), NOW + YEAR + 1, "JPN")
    assert isinstance(found, Certificate)
    assert found.number == 2


def test_the_newest_certificate_says_who_holds_a_key() -> None:
    moved = certificate("JPN-1", "jpn", 2, subject="jpn-b")
    for order in permutations([certificate("JPN-1", "jpn"), moved]):
        found = with_all(*order).holder(key("jpn"), NOW, "JPN")
        assert isinstance(found, Certificate)
        assert found.subject == "jpn-b"


def test_a_serial_that_is_not_there_is_not_in_the_bytes() -> None:
    """Certificates of exercises, and those of first records that are on disks, keep their bytes."""
    bare = certificate("JPN-1", "jpn", serial=msgspec.UNSET)  # type: ignore[arg-type]  # what a field left out holds
    assert b"serial" not in bundle_bytes(Bundle(certificates=(bare,)))
    assert (bare.number, reason(with_all(bare), "jpn")) == (0, "")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"realm": "real"}, "foreign-realm"),
        ({"partner": "KOR"}, "unknown-partner"),
        ({"partner": "USA"}, "bad-certificate"),
        ({"subject": "usa"}, "bad-certificate"),
        ({"not_after_ns": NOW + 9 * YEAR}, "bad-certificate"),
        ({"serial": 7}, "bad-certificate"),
        ({"signature": b""}, "bad-certificate"),
        ({"public": b"short"}, "impossible-statement"),
        ({"not_before_ns": NOW + 2 * YEAR}, "impossible-statement"),
        ({"subject": ""}, "impossible-statement"),
        ({"subject": "a\nb"}, "impossible-statement"),
        ({"serial": -1}, "impossible-statement"),
    ],
)
def test_a_certificate_that_was_changed_is_refused(change: dict[str, Any], expected: str) -> None:
    trust = store()
    assert trust.apply(msgspec.structs.replace(certificate("JPN-1", "jpn"), **change)) == expected
    assert trust.certificates() == ()


def test_a_revoked_key_is_refused_whatever_its_messages_are_dated() -> None:
    trust = with_all(certificate("JPN-1", "jpn"), revocation("JPN-1", 1, "jpn", since_ns=NOW))
    assert reason(trust, "jpn", NOW - YEAR + 1) == reason(trust, "jpn") == "revoked-key"
    assert trust.revoked("JPN") == {key("jpn"): NOW}


def test_a_key_that_was_taken_back_before_it_was_known_stays_so() -> None:
    trust = with_all(revocation("JPN-1", 1, "jpn"), certificate("JPN-1", "jpn"))
    assert reason(trust, "jpn") == "revoked-key"


def test_an_old_list_adds_nothing_and_a_forked_one_takes_nothing_away() -> None:
    trust = with_all(certificate("JPN-1", "jpn"), revocation("JPN-1", 2, "jpn", "jpn'"))
    assert trust.apply(revocation("JPN-1", 1, "jpn")) == "stale-revocation"
    assert trust.apply(revocation("JPN-1", 3, "other")) == ""
    assert set(trust.revoked("JPN")) == {key("jpn"), key("jpn'"), key("other")}


@pytest.mark.parametrize("by", ["USA-1", "jpn", "JPN-9"])
def test_only_the_partners_own_root_takes_its_keys_back(by: str) -> None:
    trust = with_all(certificate("JPN-1", "jpn"))
    forged = signed(SCHEME, secret(by), msgspec.structs.replace(revocation("JPN-1", 1, "jpn"), partner="JPN"))
    assert trust.apply(forged) == "bad-revocation"
    own = signed(SCHEME, secret("USA-1"), msgspec.structs.replace(forged, partner="USA"))
    assert trust.apply(own) == ""
    assert reason(trust, "jpn") == ""


def test_a_partner_that_certifies_anothers_key_gains_and_spoils_nothing() -> None:
    trust = with_all(certificate("JPN-1", "jpn"), certificate("USA-1", "jpn", subject="usa"))
    assert reason(trust, "jpn") == ""
    assert trust.holder(key("jpn"), NOW) == "key-of-two-partners"
    assert [one.subject for one in trust.valid("JPN", "node", NOW)] == ["jpn"]


# Roots that follow one another


def test_a_replaced_root_keeps_what_it_named_and_certifies_no_more() -> None:
    trust = with_all(
        certificate("JPN-1", "jpn"),
        certificate("JPN-1", "jp-pm.duty", 2),
        replacement("JPN-1", "JPN-2", "jpn"),
        certificate("JPN-2", "jpn'", 3),
        certificate("JPN-1", "jpn-b", 4),
    )
    assert trust.root("JPN") == public("JPN-2")
    assert reason(trust, "jpn") == reason(trust, "jpn'") == ""
    assert reason(trust, "jpn", NOW + 31 * DAY_NS) == "key-not-valid-now"
    assert reason(trust, "jp-pm.duty") == reason(trust, "jpn-b") == "key-of-a-lost-root"


def test_a_replacement_needs_both_roots() -> None:
    one = replacement("JPN-1", "JPN-2")
    for change in (
        {"signature": b"x" * 64},
        {"accepted": b"x" * 64},
        {"new": public("JPN-3")},
        {"ends_ns": NOW},
    ):
        assert store().apply(msgspec.structs.replace(one, **change)) == "bad-replacement"
    assert store().apply(replacement("JPN-2", "JPN-3")) == "bad-replacement"
    assert store().apply(replacement("JPN-1", "JPN-1")) == "impossible-statement"


def test_a_later_root_takes_back_what_earlier_ones_certified_and_not_the_other_way() -> None:
    trust = with_all(
        certificate("JPN-1", "jpn"),
        replacement("JPN-1", "JPN-2", "jpn"),
        certificate("JPN-2", "jpn'", 2),
        revocation("JPN-1", 1, "jpn'"),
        revocation("JPN-2", 1, "jpn"),
    )
    assert reason(trust, "jpn") == "revoked-key"
    assert reason(trust, "jpn'") == ""


def test_a_root_with_two_successors_is_contested_until_two_persons_pin() -> None:
    trust = with_all(
        certificate("JPN-1", "jpn"),
        replacement("JPN-1", "JPN-2", "jpn"),
        certificate("JPN-2", "jpn'", 2),
        replacement("JPN-1", "JPN-3"),
        certificate("JPN-3", "thief", 2),
    )
    assert trust.is_contested("JPN")
    assert trust.root("JPN") is None
    assert {reason(trust, one) for one in ("jpn", "jpn'", "thief")} == {"key-of-a-lost-root"}
    assert trust.apply(pin("JPN-2")) == ""
    assert not trust.is_contested("JPN")
    assert trust.root("JPN") == public("JPN-2")
    assert (reason(trust, "jpn'"), reason(trust, "thief")) == ("", "key-of-a-lost-root")


def test_roots_that_follow_one_another_in_a_circle_end() -> None:
    trust = with_all(
        replacement("JPN-1", "JPN-2"), replacement("JPN-2", "JPN-3"), replacement("JPN-3", "JPN-1")
    )
    assert trust.root("JPN") is None
    assert trust.apply(pin("JPN-4")) == ""
    assert trust.root("JPN") == public("JPN-4")


# Pins


def test_after_the_loss_of_a_root_two_persons_pin_the_next() -> None:
    trust = with_all(
        certificate("USA-1", "usa"),
        certificate("USA-1", "us-dod.watch", 2),
        pin("USA-2", 1, "usa"),
        certificate("USA-2", "usa'", 1),
    )
    assert trust.root("USA") == public("USA-2")
    assert reason(trust, "usa", partner="USA") == reason(trust, "usa'", partner="USA") == ""
    assert reason(trust, "usa", NOW + DAY_NS + 1, "USA") == "key-not-valid-now"
    assert reason(trust, "us-dod.watch", partner="USA") == "key-of-a-lost-root"
    assert trust.apply(certificate("USA-1", "usa-b", 3)) == ""
    assert reason(trust, "usa-b", partner="USA") == "key-of-a-lost-root"
    assert trust.pins("USA", "root")[0].persons == PERSONS


def test_a_pin_brings_a_partner_in() -> None:
    trust = with_all(pin("KOR-1"), certificate("KOR-1", "kor"))
    assert reason(trust, "kor", partner="KOR") == ""
    assert trust.partners() == ("JPN", "KOR", "USA")


@pytest.mark.parametrize("by", ["JPN-1", "USA-1", "usa", "jpn-b"])
def test_a_pin_counts_at_the_node_that_signed_it_only(by: str) -> None:
    trust = with_all(certificate("JPN-1", "jpn-b"))
    assert trust.apply(pin("USA-2", by=by)) == "not-this-nodes-pin"
    assert trust.apply(msgspec.structs.replace(pin("USA-2"), value=public("USA-3"))) == "not-this-nodes-pin"


@pytest.mark.parametrize(
    "persons", [("A. Sato", "A. Sato"), ("A. Sato", " a.  sato"), ("A. Sato", ""), ("A. Sato", " ")]
)
def test_two_persons_are_two(persons: tuple[str, str]) -> None:
    assert store().apply(pin("USA-2", persons=persons)) == "impossible-statement"


def test_a_link_pin_is_kept_and_changes_no_root() -> None:
    trust = with_all(pin("USA-2", what="link", value=b"f" * 32))
    assert trust.root("USA") == public("USA-1")
    assert [one.value for one in trust.pins("USA", "link")] == [b"f" * 32]


# In any order


HISTORY: tuple[tuple[AnyStatement, ...], ...] = (
    (certificate("JPN-1", "jpn"),),
    (certificate("JPN-1", "jp-pm.duty", 2),),
    (certificate("JPN-1", "jp-mod.watch", 3),),
    (revocation("JPN-1", 1, "jp-pm.duty"),),
    (revocation("JPN-1", 2, "jp-pm.duty", "jp-mod.watch"),),
    (revocation("JPN-1", 2, "jp-pm.duty", since_ns=NOW),),
    (replacement("JPN-1", "JPN-2", "jpn", "jp-pm.duty"),),
    (replacement("JPN-1", "JPN-2", "jpn"), certificate("JPN-2", "jpn'", 4)),
    (replacement("JPN-1", "JPN-2", "jpn"), certificate("JPN-2", "jp-pm.duty", 5, subject="jp-pm.night")),
    (replacement("JPN-1", "JPN-2", "jpn"), revocation("JPN-2", 3, "jpn", since_ns=NOW - DAY_NS)),
    (replacement("JPN-1", "JPN-3"), certificate("JPN-3", "thief", 9)),
    (
        replacement("JPN-1", "JPN-2", "jpn"),
        replacement("JPN-2", "JPN-4", "jpn'"),
        certificate("JPN-4", "jpn''", 6),
    ),
    (certificate("USA-1", "jpn", 1, subject="usa"),),
    (certificate("USA-1", "usa"),),
    (pin("USA-2", 1, "usa"), certificate("USA-2", "usa'")),
    (pin("USA-3", 2), certificate("USA-3", "usa''")),
    (pin("USA-2", 2, "usa", ends_ns=NOW),),
    (pin("USA-1", 1, what="link", value=b"f" * 32),),
    (signed(SCHEME, secret("jpn"), certificate("JPN-1", "forged")),),
)
"""Statements in the bundles in which they travel: lawful, doubled, contradicting, forged."""

NAMES = ("jpn", "jpn'", "jpn''", "jp-pm.duty", "jp-mod.watch", "thief", "usa", "usa'", "usa''", "forged")
TIMES = (NOW, NOW + 2 * DAY_NS, NOW + 31 * DAY_NS)


def bundle(statements: Sequence[AnyStatement]) -> Bundle:
    return Bundle(
        replacements=tuple(one for one in statements if isinstance(one, Replacement)),
        pins=tuple(one for one in statements if isinstance(one, Pin)),
        certificates=tuple(one for one in statements if isinstance(one, Certificate)),
        revocations=tuple(one for one in statements if isinstance(one, Revocation)),
    )


def believed(trust: TrustStore) -> list[object]:
    """All that anybody can ask of a store."""
    holders = [
        (name, partner, now_ns, trust.holder(key(name), now_ns, partner))
        for name in NAMES
        for partner in ("JPN", "USA", "")
        for now_ns in TIMES
    ]
    roots = [(one, trust.root(one), trust.is_contested(one), trust.revoked(one)) for one in trust.partners()]
    return [holders, roots, trust.endings(NOW), [bundle_bytes(one) for one in trust.bundles().values()]]


def after(order: Sequence[int]) -> TrustStore:
    trust = store()
    for index in order:
        read = read_bundle(bundle_bytes(bundle(HISTORY[index])))
        assert isinstance(read, Bundle)
        trust.take(read)
    return trust


ORDERS = st.lists(st.integers(0, len(HISTORY) - 1), max_size=2 * len(HISTORY))


@settings(max_examples=150, deadline=None)
@given(st.data(), ORDERS)
def test_statements_in_any_order_late_and_repeated_come_to_the_same(
    data: st.DataObject, order: list[int]
) -> None:
    again = data.draw(st.permutations(order + data.draw(st.lists(st.sampled_from(order or [0]), max_size=5))))
    if order:
        assert believed(after(order)) == believed(after(again))


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(len(HISTORY))))
def test_the_whole_history_in_any_order(order: list[int]) -> None:
    assert believed(after(order)) == believed(after(range(len(HISTORY))))


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(len(HISTORY))), st.integers(0, len(HISTORY)))
def test_a_store_that_is_built_again_from_its_bundles_is_the_same(order: list[int], cut: int) -> None:
    trust = after(order[:cut])
    again = store()
    for one in trust.bundles().values():
        assert again.take(one).refused == ()
    assert believed(again) == believed(trust)


# As bytes


def test_a_bundle_says_what_was_new_and_what_was_refused() -> None:
    trust = store()
    forged = signed(SCHEME, secret("jpn"), certificate("JPN-1", "forged"))
    taken = trust.take(bundle([certificate("JPN-1", "jpn"), forged]))
    assert taken.new == (certificate("JPN-1", "jpn"),)
    assert taken.refused == ((forged, "bad-certificate"),)
    assert trust.take(bundle([certificate("JPN-1", "jpn")])).new == ()


def test_replacements_in_a_bundle_may_stand_in_any_order() -> None:
    chain = [replacement("JPN-1", "JPN-2"), replacement("JPN-2", "JPN-3"), replacement("JPN-3", "JPN-4")]
    for order in permutations(chain):
        trust = store()
        assert trust.take(bundle([*order, certificate("JPN-4", "jpn")])).refused == ()
        assert reason(trust, "jpn") == ""


def test_after_some_bad_signatures_the_rest_is_left() -> None:
    forged = [certificate("JPN-9", "jpn", serial) for serial in range(1, 100)]
    trust = store()
    assert len(trust.take(bundle([*forged, revocation("JPN-1", 1, "jpn")])).refused) == MAX_BAD
    assert trust.revoked("JPN") == {}


@pytest.mark.slow
def test_a_partner_that_certifies_without_end_is_stopped() -> None:
    trust = store()
    for serial in range(1, MAX_PER_PARTNER + 1):
        assert trust.apply(certificate("USA-1", "usa", serial)) == ""
    assert trust.apply(certificate("USA-1", "usa", 0)) == "too-many-statements"
    assert trust.apply(certificate("JPN-1", "jpn")) == ""


@given(st.binary(max_size=200))
def test_any_bytes_are_no_bundle_and_no_request(data: bytes) -> None:
    assert isinstance(read_bundle(data), str) or data == bundle_bytes(Bundle())
    assert isinstance(read_request(data, SCHEME), str)


def test_truncated_extended_and_oversized_bundles_are_refused() -> None:
    raw = bundle_bytes(bundle([certificate("JPN-1", "jpn"), pin("USA-2")]))
    assert all(isinstance(read_bundle(raw[:cut]), str) for cut in range(len(raw)))
    assert read_bundle(raw + b"\x00") == "malformed"
    assert read_bundle(bytes(2 << 20)) == "too-long"
    many = Bundle(certificates=(certificate("JPN-1", "jpn"),) * (MAX_IN_BUNDLE + 1))
    assert read_bundle(bundle_bytes(many)) == "too-many-statements"


def test_a_message_is_no_bundle_and_a_bundle_no_message() -> None:
    from noroshi.messages import Refused, Unverified, seal, verify
    from noroshi.messages.bodies import EventBody

    trust = with_all(certificate("JPN-1", "jpn"))
    body = EventBody(step="opened", first_observed_ns=1)
    message = seal(make_envelope(time_ns=NOW), body, certificate("JPN-1", "jpn"), SCHEME, secret("jpn"))
    assert not is_bundle(message.raw)
    raw = bundle_bytes(bundle([certificate("JPN-1", "jpn")]))
    assert is_bundle(raw)
    assert isinstance(verify(Unverified(raw), trust, NOW), Refused)
    assert not is_bundle(b"")


def test_a_request_is_signed_with_the_key_that_it_is_about() -> None:
    scheme = Ed25519()
    asked = Request(
        realm=REALM, partner="JPN", role="node", subject="jpn", public=scheme.public_key(secret("jpn"))
    )
    raw = msgspec.msgpack.encode(signed(scheme, secret("jpn"), asked), order="sorted")
    assert read_request(raw, scheme) == signed(scheme, secret("jpn"), asked)
    other = msgspec.msgpack.encode(signed(scheme, secret("other"), asked), order="sorted")
    assert read_request(other, scheme) == "bad-request"
    assert store().apply(signed(SCHEME, secret("JPN-1"), asked)) == "a-request-is-no-statement"


def test_no_signature_of_one_statement_fits_another() -> None:
    """The same fields under another name are other bytes."""
    one = revocation("JPN-1", 1)
    fake = msgspec.structs.replace(replacement("JPN-1", "JPN-2"), signature=one.signature)
    assert store().apply(fake) == "bad-replacement"


def test_a_fingerprint_is_of_a_root_in_its_realm_of_its_partner() -> None:
    one = fingerprint(REALM, "JPN", public("JPN-1"))
    assert len(one) == 64
    others = {
        fingerprint("real", "JPN", public("JPN-1")),
        fingerprint(REALM, "USA", public("JPN-1")),
        fingerprint(REALM, "JPN", public("JPN-2")),
    }
    assert len(others | {one}) == 4


def test_an_end_that_is_near_is_told() -> None:
    soon = certificate("JPN-1", "jpn", not_after_ns=NOW + 20 * DAY_NS)
    trust = with_all(
        soon, certificate("JPN-1", "jp-pm.duty", 2), certificate("USA-1", "usa", not_after_ns=NOW - 1)
    )
    told = [(one.certificate.subject, one.is_near, one.until_ns) for one in trust.endings(NOW)]
    assert told == [
        ("usa", True, NOW - 1),
        ("jpn", True, NOW + 20 * DAY_NS),
        ("jp-pm.duty", False, NOW + YEAR),
    ]
    short = certificate("USA-1", "usa'", 2, not_before_ns=NOW - DAY_NS, not_after_ns=NOW + 8 * DAY_NS)
    assert not with_all(short).endings(NOW)[0].is_near
    assert with_all(short).endings(NOW + 8 * DAY_NS - 1)[0].is_near


def test_a_root_signs_other_things_too() -> None:
    """Policies, say: only the root that speaks for the partner at present."""
    data = b"noroshi policy 1\x00exercise:test"
    trust = with_all(replacement("JPN-1", "JPN-2"))
    assert trust.root_signed("JPN", data, SCHEME.sign(secret("JPN-2"), data))
    assert not trust.root_signed("JPN", data, SCHEME.sign(secret("JPN-1"), data))
    assert not trust.root_signed("USA", data, SCHEME.sign(secret("JPN-2"), data))
    assert not trust.root_signed("KOR", data, SCHEME.sign(secret("JPN-2"), data))

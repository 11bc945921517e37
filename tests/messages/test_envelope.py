"""From received bytes to a verified message: what is believed, and every way in which something is not."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noroshi.messages import Message, Refused, Unverified, canonical, label_for, seal, verify
from noroshi.messages.bodies import EventBody, RemarkBody
from noroshi.messages.envelope import MAX_AHEAD_NS, Signed, signing_bytes
from noroshi.messages.keys import Revocation, Revoked, signed
from noroshi.messages.labels import Label
from noroshi.messages.signing import key_id
from tests.messages.conftest import REALM, YEAR_NS, Party, make_envelope, make_party

NOW = 10**9
BODY = EventBody(step="opened", first_observed_ns=1)


def sealed(party: Party, subject: str = "jpn", body: object = BODY, **changes: object) -> Message:
    return seal(
        make_envelope(**changes),
        body,  # type: ignore[arg-type]  # bodies of the table
        party.certificates[subject],
        party.scheme,
        party.secrets[subject],
    )


def reason(party: Party, raw: bytes, now_ns: int = NOW) -> str:
    outcome = verify(Unverified(raw), party.trust, now_ns)
    assert isinstance(outcome, Refused)
    return outcome.reason


def test_what_was_sealed_is_verified(party: Party) -> None:
    message = sealed(party)
    outcome = verify(Unverified(message.raw), party.trust, NOW)
    assert isinstance(outcome, Message)
    assert outcome.body == BODY
    assert outcome.raw == message.raw
    assert outcome.signer == party.certificates["jpn"]


def test_every_flipped_bit_is_refused(party: Party) -> None:
    raw = sealed(party).raw
    for position in range(len(raw) * 8):
        broken = bytearray(raw)
        broken[position // 8] ^= 1 << position % 8
        assert isinstance(verify(Unverified(bytes(broken)), party.trust, NOW), Refused), position


def test_truncated_and_extended_are_refused(party: Party) -> None:
    raw = sealed(party).raw
    for cut in range(len(raw)):
        assert isinstance(verify(Unverified(raw[:cut]), party.trust, NOW), Refused)
    assert reason(party, raw + b"\x00") == "malformed"


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_and_never_raise(data: bytes) -> None:
    assert isinstance(verify(Unverified(data), make_party().trust, NOW), Refused)


def test_a_foreign_realm_is_refused_even_with_the_same_key(party: Party) -> None:
    other = make_party(realm="exercise:other")
    raw = sealed(other, realm="exercise:other").raw
    assert reason(party, raw) == "foreign-realm"


def test_a_signature_of_one_realm_does_not_fit_another(party: Party) -> None:
    payload = canonical.decode(sealed(party).raw)[0]
    data = signing_bytes("real", payload)
    forged = Signed(
        payload, key_id(party.certificates["jpn"].public), party.scheme.sign(party.secrets["jpn"], data)
    )
    assert reason(party, canonical.encode(forged)) == "bad-signature"


def test_unknown_revoked_and_expired_keys_are_refused(party: Party) -> None:
    raw = sealed(party).raw
    assert reason(make_party(seed=b"other"), raw) == "unknown-key"
    assert reason(party, raw, now_ns=YEAR_NS + 1) == "key-not-valid-now"
    taken_back = Revocation(
        realm=REALM,
        partner="JPN",
        number=1,
        time_ns=NOW,
        keys=(Revoked(key=key_id(party.certificates["jpn"].public)),),
    )
    assert party.trust.apply(signed(party.scheme, party.root, taken_back)) == ""
    assert reason(party, raw) == "revoked-key"


@pytest.mark.parametrize(
    ("subject", "changes", "expected"),
    [
        ("jpn", {"origin": "USA"}, "wrong-speaker"),
        ("jpn", {"node": "usa"}, "wrong-speaker"),
        ("jpn", {"post": "jp-pm.duty"}, "wrong-speaker"),
        ("jpn", {"kind": "acknowledgement"}, "speaker-may-not"),
        ("jp-pm.duty", {"post": "jp-pm.duty", "unit": "jp-pm"}, "speaker-may-not"),
        ("jpn", {"id": b"short"}, "malformed-id"),
        ("jpn", {"refs": (b"x",)}, "malformed-id"),
        ("jpn", {"time_error_ns": -1}, "malformed-time"),
        ("jpn", {"critical": ("colour",)}, "unknown-critical-field"),
        ("jpn", {"v": 9}, "unknown-version"),
        ("jpn", {"time_ns": NOW + MAX_AHEAD_NS + 1}, "future-dated"),
        ("jpn", {"label": Label("cosmic", ("JPN",))}, "unknown-classification"),
        ("jpn", {"label": Label("restricted", ("USA", "JPN"))}, "label-not-canonical"),
        ("jpn", {"label": Label("restricted", ("everyone",))}, "unknown-partner-form"),
        ("jpn", {"label": Label("restricted", ("JPN",), ("burn",))}, "unknown-caveat"),
    ],
)
def test_what_a_signature_does_not_cover(
    party: Party, subject: str, changes: dict[str, object], expected: str
) -> None:
    assert reason(party, sealed(party, subject, **changes).raw) == expected


def test_a_post_speaks_only_for_its_own_unit(party: Party) -> None:
    words = RemarkBody(unit="jp-pm", text="hello")
    fine = sealed(party, "jp-pm.duty", words, kind="remark", post="jp-pm.duty", unit="jp-pm")
    assert isinstance(verify(Unverified(fine.raw), party.trust, NOW), Message)
    foreign = sealed(party, "jp-pm.duty", words, kind="remark", post="jp-pm.duty", unit="jp-cabsec")
    assert reason(party, foreign.raw) == "wrong-speaker"


def test_an_unknown_kind_is_kept_and_not_opened(party: Party) -> None:
    outcome = verify(Unverified(sealed(party, kind="horoscope").raw), party.trust, NOW)
    assert isinstance(outcome, Message)
    assert outcome.kind is None
    assert outcome.body is None


def test_unknown_fields_survive_in_the_signed_bytes(party: Party) -> None:
    payload = canonical.decode(canonical.decode(sealed(party).raw)[0])
    payload["colour"] = "red"
    payload["body"]["taste"] = 3
    data = canonical.encode(payload)
    signature = party.scheme.sign(party.secrets["jpn"], signing_bytes(REALM, data))
    raw = canonical.encode(Signed(data, key_id(party.certificates["jpn"].public), signature))
    outcome = verify(Unverified(raw), party.trust, NOW)
    assert isinstance(outcome, Message)
    assert outcome.body == BODY
    assert outcome.raw == raw


def test_a_body_of_another_shape_is_refused(party: Party) -> None:
    words = RemarkBody(unit="jp-pm", text="hello")
    assert reason(party, sealed(party, body=words).raw) == "malformed-body"


def test_certificates_of_others_are_not_admitted(party: Party) -> None:
    stranger = make_party("USA")
    certificate = stranger.certificates["jpn"]
    assert party.trust.admit(certificate) == "unknown-partner"
    forged = msgspec.structs.replace(certificate, partner="JPN")
    assert party.trust.admit(forged) == "bad-certificate"
    other = make_party(realm="real").certificates["jpn"]
    assert party.trust.admit(other) == "foreign-realm"


def test_labels_join_to_the_narrowest(party: Party) -> None:
    from noroshi.messages.labels import joined, may_have

    both = joined([label_for(["JPN", "USA"], "secret"), label_for(["KOR", "USA"], caveats=["exercise"])])
    assert both == Label("secret", ("USA",), ("exercise",))
    assert not may_have(Label("restricted", ()), "USA", origin="JPN")
    with pytest.raises(ValueError, match="usable"):
        joined([])

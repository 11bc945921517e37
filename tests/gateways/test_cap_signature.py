"""XML signatures of CAP messages: whose they are, and that only the signed message counts."""

from __future__ import annotations

import base64
import re

import pytest

from noroshi.clock import from_iso
from noroshi.errors import OperatorError
from noroshi.gateways.cap_check import cap_root, check_cap
from noroshi.gateways.cap_model import CapUnreadableError
from noroshi.gateways.cap_read import read_cap
from noroshi.gateways.cap_signature import MAX_SIGNATURES, certificate_fingerprint, check_signature, sign_cap
from noroshi.gateways.cap_write import write_cap
from tests.gateways.cap_samples import DATA, WHOLE, key_pair

NOW_NS = from_iso("2026-02-01T00:00:00Z")
DS = b'xmlns="http://www.w3.org/2000/09/xmldsig#"'


def state(data: bytes, *names: str, now_ns: int = NOW_NS) -> str:
    return check_signature(data, {name: key_pair("ec", name)[1] for name in names}, now_ns).state


def signed(name: str = "agency", data: bytes = WHOLE) -> bytes:
    return sign_cap(data, *key_pair("ec", name))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_signature_of_ours_holds_and_the_message_stays_valid(kind: str) -> None:
    key, certificate = key_pair(kind)
    data = sign_cap(WHOLE, key, certificate)
    assert check_cap(data) == []
    verdict = check_signature(data, {"other": key_pair("ec", "other")[1], "agency": certificate}, NOW_NS)
    assert (verdict.state, verdict.certificate) == ("valid", "agency")
    assert verdict.fingerprint == certificate_fingerprint(certificate)
    assert verdict.says == f"signed with {'ecdsa' if kind == 'ec' else 'rsa'}-sha256 by agency"
    assert check_signature(write_cap(read_cap(data)), {"agency": certificate}, NOW_NS).state == "valid"


def test_verdicts() -> None:
    data = signed()
    assert state(WHOLE, "agency") == "none"
    assert state(data, "agency") == "valid"
    assert state(data) == "untrusted"
    assert state(data, "other") == "untrusted"
    assert state(data, "agency", now_ns=from_iso("2041-01-01T00:00:00Z")) == "untrusted"
    assert state(data.replace(b"second step", b"third step"), "agency") == "broken"
    assert state(data.replace(b"second step", b"third step")) == "broken"
    assert state(data.replace(b"<scope>", b"<x/><scope>"), "agency") == "broken"
    assert state(data.replace(b"<!", b"<!").replace(b"<scope>", b"<!-- seen --><scope>"), "agency") == "valid"
    with pytest.raises(CapUnreadableError):
        check_signature(b"<alert/>", {}, NOW_NS)


def test_without_a_certificate_inside_the_trusted_ones_are_tried() -> None:
    bare = re.sub(rb"<(ds:)?KeyInfo>.*</(ds:)?KeyInfo>", b"", signed(), flags=re.DOTALL)
    assert bare != signed()
    assert state(bare, "other", "agency") == "valid"
    assert state(bare, "other") == "untrusted"


def test_a_message_around_a_signed_one_is_not_signed() -> None:
    inner = signed().partition(b"?>\n")[2].rstrip()
    signature = inner[inner.index(b"<ds:Signature") : inner.index(b"</alert>")]
    without = inner.replace(signature, b"")
    forged = WHOLE.replace(b"Leave the quay.", b"Stay.").partition(b"?>\n")[2].rstrip()
    tail, end = b"</alert>", b"</ds:Signature>"
    wrapped = [
        forged.replace(tail, signature + tail),
        forged.replace(tail, signature.replace(end, b"<ds:Object>" + without + b"</ds:Object>" + end) + tail),
        forged.replace(tail, b"<x>" + inner + b"</x>" + tail),
        forged.replace(tail, signature.replace(b'URI=""', b'URI="#real"')
                       + without.replace(b"<alert ", b'<alert Id="real" ') + tail),
        forged.replace(tail, signature.replace(b'URI=""', b'URI="#xpointer(/alert/x/alert)"') + tail),
    ]  # fmt: skip
    assert [state(one, "agency") for one in wrapped] == ["broken", "broken", "none", "broken", "broken"]


def test_transforms_and_references_other_than_the_whole_message_are_broken() -> None:
    data = signed()
    reference = data[data.index(b"<ds:Reference") : data.index(b"</ds:SignedInfo>")]
    xslt = b'<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/></ds:Transforms>'
    for changed, cause in (
        (data.replace(reference, reference * 2), "one Reference"),
        (data.replace(reference, b""), "one Reference"),
        (data.replace(b"</ds:Transforms>", xslt), "transformed"),
        (data.replace(b'URI=""', b'URI="http://127.0.0.1:1/a"'), "other than the whole"),
        (data.replace(b'URI=""', b""), "other than the whole"),
    ):
        verdict = check_signature(changed, {"agency": key_pair()[1]}, NOW_NS)
        assert verdict.state == "broken"
        assert cause in verdict.says


def test_weak_algorithms_are_named_and_not_believed() -> None:
    data = signed().replace(b"2001/04/xmlenc#sha256", b"2000/09/xmldsig#sha1")
    verdict = check_signature(data, {"agency": key_pair()[1]}, NOW_NS)
    assert (verdict.state, verdict.says) == ("untrusted", "it is signed with sha1, which can be forged")


def test_what_has_no_canonical_form_is_not_signed() -> None:
    assert state(signed().replace(b"<scope>", b'<x xmlns="near"/><scope>'), "agency") == "broken"


def test_a_second_signature_neither_hides_nor_makes_the_first() -> None:
    twice = signed("relay", signed("agency"))
    assert [state(twice, name) for name in ("agency", "relay", "other")] == ["valid", "valid", "untrusted"]
    many = signed().replace(b"</alert>", b"<Signature %s/>" % DS * MAX_SIGNATURES + b"</alert>")
    assert state(many, "agency") == "broken"


def test_rubbish_in_a_signature_is_a_verdict() -> None:
    data = signed()
    value = data[data.index(b"<ds:SignatureValue>") + 19 : data.index(b"</ds:SignatureValue>")]
    certificate = data[data.index(b"<ds:X509Certificate>") + 20 : data.index(b"</ds:X509Certificate>")]
    for old, new in (
        (value, b""), (value, b"!!"), (value, base64.b64encode(b"\0" * 64)), (value, b"A" * 100_000),
        (certificate, b"AAAA"), (certificate, b"A" * 100_000),
        (b"#ecdsa-sha256", b"#hmac-sha256"), (b"#ecdsa-sha256", b"#rsa-sha256"), (b"xml-exc-c14n#", b"unknown"),
    ):  # fmt: skip
        assert state(data.replace(old, new, 1), "agency") in ("broken", "untrusted")


def test_a_certificate_that_cannot_be_read_is_as_none() -> None:
    data = signed()
    certificate = data[data.index(b"<ds:X509Certificate>") + 20 : data.index(b"</ds:X509Certificate>")]
    for new in (b"", b"<x/>", b"!"):
        assert [state(data.replace(certificate, new), name) for name in ("agency", "other")] == [
            "valid",
            "untrusted",
        ]


def test_signing_wants_the_certificate_of_the_key() -> None:
    with pytest.raises(OperatorError, match="not that of the key"):
        sign_cap(WHOLE, key_pair("ec", "agency")[0], key_pair("ec", "other")[1])
    with pytest.raises(OperatorError, match="not in PEM"):
        sign_cap(WHOLE, key_pair()[0], "certificate")
    with pytest.raises(CapUnreadableError):
        sign_cap(b"<alert/>", *key_pair())


@pytest.mark.slow
def test_real_signatures_of_others_hold(shared: object) -> None:
    found = {}
    for file in sorted((DATA / "cap12").glob("*.xml")):
        data = file.read_bytes()
        try:
            root, _ = cap_root(data)
        except CapUnreadableError:
            continue
        inside = root.find("{*}Signature/{*}KeyInfo/{*}X509Data/{*}X509Certificate")
        if inside is not None:
            pem = f"-----BEGIN CERTIFICATE-----\n{(inside.text or '').strip()}\n-----END CERTIFICATE-----\n"
            sent_ns = read_cap(data).sent.time_ns or 0
            now_ns = sent_ns + (90 * 86_400 * 10**9 if "wmo" in file.name else 0)
            found[file.name.partition("__")[2][:12]] = check_signature(data, {"agency": pem}, now_ns).state
    assert found == {
        "CanadaNaad.x": "valid",
        "no_info_tag.": "untrusted",  # SHA-1
        "PelmorexNAAD": "valid",
        "ipaws-5e6dd9": "valid",
        "ipaws-5e7e0f": "valid",
        "ipaws-5ea321": "valid",
        "cap_example.": "broken",  # it was indented after it was signed
    }

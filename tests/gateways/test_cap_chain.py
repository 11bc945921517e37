"""Certificates are followed to a pinned authority, and to nobody else."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID as Use
from cryptography.x509.oid import NameOID
from lxml import etree

from noroshi.clock import seconds
from noroshi.errors import OperatorError
from noroshi.gateways.cap_chain import MAX_BROUGHT, Authorities, follow
from noroshi.gateways.cap_signature import check_signature, sign_cap
from tests.gateways.cap_samples import WHOLE

AT = datetime(2026, 2, 1, tzinfo=UTC)
AT_NS = seconds(AT.timestamp())
DS = "{http://www.w3.org/2000/09/xmldsig#}"


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    """A key by a name; the same name, the same key."""
    return ec.generate_private_key(ec.SECP256R1())


def titled(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass(frozen=True)
class Made:
    """A certificate, and what is unusual about it."""

    name: str
    by: str
    ca: bool = True
    days: tuple[int, int] = (-100, 100)
    depth: int | None = None
    use: tuple[x509.ObjectIdentifier, ...] = ()
    usage: bool = True
    names: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    key: Any = None
    signed_with: Any = None
    serial: int = field(default_factory=x509.random_serial_number)

    def made(self) -> x509.Certificate:
        """The certificate itself."""
        own = self.key or key(self.name)
        built = (
            x509.CertificateBuilder()
            .subject_name(titled(self.name))
            .issuer_name(titled(self.by))
            .public_key(own.public_key())
            .serial_number(self.serial)
            .not_valid_before(AT + timedelta(days=self.days[0]))
            .not_valid_after(AT + timedelta(days=self.days[1]))
            .add_extension(x509.BasicConstraints(self.ca, self.depth), critical=True)
        )
        if self.usage:
            rights = [not self.ca, False, False, False, False, self.ca, self.ca, False, False]
            built = built.add_extension(x509.KeyUsage(*rights), critical=True)
        if self.use:
            built = built.add_extension(x509.ExtendedKeyUsage(self.use), critical=False)
        if self.names:
            mails = [x509.RFC822Name(one) for one in self.names]
            built = built.add_extension(x509.SubjectAlternativeName(mails), critical=False)
        if self.only:
            hosts = [x509.RFC822Name(one) for one in self.only]
            built = built.add_extension(x509.NameConstraints(hosts, None), critical=True)
        return built.sign(self.signed_with or key(self.by), hashes.SHA256())


def pem(one: x509.Certificate) -> str:
    return one.public_bytes(Encoding.PEM).decode()


ROOT = Made("root", "root").made()
BETWEEN = Made("between", "root", depth=0).made()
LEAF = Made("agency", "between", ca=False).made()
PINNED = Authorities.of({"national": pem(ROOT)})


def revoking(
    issuer: str, *serials: int, days: tuple[int, int] = (-1, 1), when: int = -2, by: str = "",
    reason: x509.ReasonFlags | None = None,
) -> bytes:  # fmt: skip
    """A revocation list."""
    built = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(titled(issuer))
        .last_update(AT + timedelta(days=days[0]))
        .next_update(AT + timedelta(days=days[1]))
    )
    for serial in serials:
        entry = (
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(AT + timedelta(days=when))
        )
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        built = built.add_revoked_certificate(entry.build())
    return built.sign(key(by or issuer), hashes.SHA256()).public_bytes(Encoding.PEM)


def test_a_path_is_followed_however_its_certificates_come() -> None:
    path = follow(LEAF, [LEAF, ROOT, BETWEEN], PINNED, AT_NS)
    assert (path.authority, path.signer, path.defect) == ("national", "agency", "")
    assert path.says == "agency, certified by national over 1 other"
    known = Authorities.of({"national": pem(ROOT)}, between=[pem(BETWEEN)])
    assert follow(LEAF, [], known, AT_NS).authority == "national"
    assert follow(LEAF, [], Authorities.of({"b": pem(BETWEEN)}), AT_NS).authority == "b"
    assert follow(LEAF, [], PINNED, AT_NS).defect.startswith("no path leads to a pinned authority")


BAD: dict[str, tuple[x509.Certificate, list[x509.Certificate]]] = {
    "expired in between": (LEAF, [Made("between", "root", days=(-100, -1)).made()]),
    "not yet in between": (LEAF, [Made("between", "root", days=(1, 100)).made()]),
    "expired": (Made("agency", "between", ca=False, days=(-9, -1)).made(), [BETWEEN]),
    "no authority in between": (LEAF, [Made("between", "root", ca=False).made()]),
    "too deep": (
        Made("agency", "lower", ca=False).made(),
        [Made("lower", "between").made(), BETWEEN],
    ),
    "too long": (
        Made("agency", "c5", ca=False).made(),
        [Made("c1", "root").made(), *(Made(f"c{i}", f"c{i - 1}").made() for i in range(2, 6))],
    ),
    "for servers": (Made("agency", "between", ca=False, use=(Use.SERVER_AUTH,)).made(), [BETWEEN]),
    "for code": (Made("agency", "between", ca=False, use=(Use.CODE_SIGNING,)).made(), [BETWEEN]),
    "authority of servers": (LEAF, [Made("between", "root", use=(Use.SERVER_AUTH,)).made()]),
    "a look-alike": (
        Made("agency", "root", ca=False, signed_with=key("false root")).made(),
        [Made("root", "root", key=key("false root"), signed_with=key("false root")).made()],
    ),
    "a look-alike in between": (
        Made("agency", "between", ca=False, signed_with=key("false")).made(),
        [Made("between", "root", key=key("false"), signed_with=key("false")).made(), BETWEEN],
    ),
    "outside its names": (
        Made("agency", "between", ca=False, names=("duty@other.example",)).made(),
        [Made("between", "root", only=("kumo.example",)).made()],
    ),
    "signs certificates": (BETWEEN, []),
    "another curve": (
        Made("agency", "between", ca=False, key=ec.generate_private_key(ec.SECP192R1())).made(), [BETWEEN],
    ),
    "a short key": (
        Made("agency", "between", ca=False, key=rsa.generate_private_key(65537, 1024)).made(), [BETWEEN],
    ),
}  # fmt: skip


@pytest.mark.parametrize("which", BAD)
def test_no_path_that_is_unsound_counts(which: str) -> None:
    leaf, between = BAD[which]
    path = follow(leaf, between, PINNED, AT_NS)
    assert path.defect
    assert not path.authority


def test_an_authority_with_sha_1_stands_for_nobody() -> None:
    """`cryptography` makes no such certificate any more: one of SHA-256 is turned into one, and signed anew."""
    signer = rsa.generate_private_key(65537, 2048)
    pinned = Authorities.of({"n": pem(Made("root", "root", key=signer, signed_with=signer).made())})
    strong = Made("between", "root", signed_with=signer).made()
    assert follow(LEAF, [strong], pinned, AT_NS).authority == "n"
    sha_256, sha_1 = (bytes.fromhex("06092a864886f70d0101") + end for end in (b"\x0b", b"\x05"))
    body = strong.tbs_certificate_bytes.replace(sha_256, sha_1)
    assert body != strong.tbs_certificate_bytes
    made = (
        strong.public_bytes(Encoding.DER).replace(strong.tbs_certificate_bytes, body).replace(sha_256, sha_1)
    )
    sealed = signer.sign(body, padding.PKCS1v15(), hashes.SHA1())
    weak = x509.load_der_x509_certificate(made.replace(strong.signature, sealed))
    signer.public_key().verify(weak.signature, weak.tbs_certificate_bytes, padding.PKCS1v15(), hashes.SHA1())
    assert follow(LEAF, [weak], pinned, AT_NS).defect


def test_names_and_uses_that_fit_count() -> None:
    between = Made("between", "root", only=("kumo.example",), use=(Use.EMAIL_PROTECTION,)).made()
    leaf = Made(
        "agency", "between", ca=False, names=("duty@kumo.example",), use=(Use.EMAIL_PROTECTION,)
    ).made()
    mine = Authorities.of({"n": pem(ROOT)}, signers=["duty@kumo.example"])
    assert follow(leaf, [between], mine, AT_NS).authority == "n"
    other = follow(LEAF, [BETWEEN], mine, AT_NS)
    assert other.defect == "its certificate is of agency, who is none of the signers that you have named"
    bare = Made("agency", "between", ca=False, usage=False).made()
    assert follow(bare, [BETWEEN], PINNED, AT_NS).authority == "national"


def test_a_common_name_does_not_lead_past_constraints_on_names() -> None:
    signers = Authorities.of({"national": pem(ROOT)}, signers=["duty@kumo.example"])
    bounded = Made("bounded", "root", only=("elsewhere.example",)).made()
    false = Made("duty@kumo.example", "bounded", ca=False, names=("a@elsewhere.example",)).made()
    assert "may certify some names only" in follow(false, [bounded], signers, AT_NS).defect
    fitting = Made("kumo", "root", only=("kumo.example",)).made()
    by_mail = Made("Kumo", "kumo", ca=False, names=("duty@kumo.example",)).made()
    assert follow(by_mail, [fitting], signers, AT_NS).authority == "national"


def test_a_cross_signed_hierarchy_is_followed_round_what_is_bad() -> None:
    crossed = Made("between", "second").made()
    two = Authorities.of({"n": pem(ROOT), "s": pem(Made("second", "second").made())})
    gone = Authorities.of({}, lists=[revoking("root", BETWEEN.serial_number)])
    for brought in ([BETWEEN, crossed], [crossed, BETWEEN]):
        assert follow(LEAF, brought, two, AT_NS).authority in ("n", "s")
        assert follow(LEAF, brought, two.and_also(gone), AT_NS).authority == "s"
    revoked = follow(LEAF, [BETWEEN], two.and_also(gone), AT_NS)
    assert revoked.defect == "the certificate of between has been revoked"


@pytest.mark.parametrize(
    ("given", "sound"),
    [
        (revoking("between"), True),
        (revoking("root"), True),
        (revoking("between", 1), True),
        (revoking("between", LEAF.serial_number), False),
        (revoking("between", LEAF.serial_number, when=1), True),
        (
            revoking("between", LEAF.serial_number, when=1, reason=x509.ReasonFlags.key_compromise),
            False,
        ),
        (revoking("between", LEAF.serial_number, reason=x509.ReasonFlags.superseded), False),
        (revoking("between", days=(-9, -1)), False),
        (revoking("between", days=(1, 9)), False),
        (revoking("between", by="somebody else"), False),
        (revoking("stranger", LEAF.serial_number), True),
    ],
)
def test_a_revocation_list_must_be_in_force_and_silent(given: bytes, sound: bool) -> None:
    path = follow(LEAF, [BETWEEN], PINNED.and_also(Authorities.of({}, lists=[given])), AT_NS)
    assert (path.defect == "") == sound


def test_what_cannot_be_pinned_is_refused() -> None:
    for text, cause in (
        (pem(LEAF), "its certificate is none of an authority"),
        (pem(ROOT) + pem(BETWEEN), "it holds 2 certificates"),
        ("no certificate", "it is not in PEM"),
    ):
        with pytest.raises(OperatorError) as caught:
            Authorities.of({"x": text})
        assert caught.value.cause == cause
    with pytest.raises(OperatorError):
        Authorities.of({}, lists=[b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"])


def signed(*brought: x509.Certificate) -> bytes:
    """The whole sample, signed by the agency, with these certificates in its signature instead of its own."""
    root = etree.fromstring(sign_cap(WHOLE, key("agency"), pem(LEAF)))
    data = next(root.iter(f"{DS}X509Data"))
    data[:] = []
    for one in brought:
        made = etree.SubElement(data, f"{DS}X509Certificate")
        made.text = base64.b64encode(one.public_bytes(Encoding.DER)).decode()
    return etree.tostring(root)


def test_a_message_counts_by_the_authority_of_its_signer() -> None:
    for brought in ((LEAF, BETWEEN), (BETWEEN, LEAF), (ROOT, BETWEEN, LEAF)):
        verdict = check_signature(signed(*brought), {}, AT_NS, PINNED)
        assert (verdict.state, verdict.certificate, verdict.signer) == ("valid", "national", "agency")
        assert verdict.says == "signed with ecdsa-sha256 by agency, certified by national over 1 other"
    assert check_signature(signed(LEAF), {}, AT_NS, PINNED).state == "untrusted"
    assert check_signature(signed(LEAF, BETWEEN), {}, AT_NS).state == "untrusted"
    assert check_signature(signed(LEAF, BETWEEN), {"own": pem(LEAF)}, AT_NS).certificate == "own"
    late = check_signature(signed(LEAF, BETWEEN), {}, AT_NS + seconds(200 * 86_400), PINNED)
    assert late.state == "untrusted"
    other = Made("agency", "between", ca=False, key=key("another")).made()
    assert check_signature(signed(other, BETWEEN), {}, AT_NS, PINNED).state == "broken"
    many = signed(LEAF, *[BETWEEN] * MAX_BROUGHT)
    assert check_signature(many, {}, AT_NS, PINNED).says.endswith(f"more than {MAX_BROUGHT} certificates")
    changed = signed(LEAF, BETWEEN).replace(b"second step", b"third step")
    assert check_signature(changed, {}, AT_NS, PINNED).state == "broken"

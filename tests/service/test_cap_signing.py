"""The key that signs what is served: what fits, what is refused with its file, and when its dates are spoken of."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from noroshi.clock import from_iso
from noroshi.errors import InputError
from noroshi.gateways.cap_signature import check_signature
from noroshi.service.cap_signing import read_signer
from noroshi.service.node_config import CapSigning
from tests.node.agency import cap

BEGINS = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
ENDS = datetime.datetime(2026, 12, 31, tzinfo=datetime.UTC)
NOW_NS = from_iso("2026-06-01T00:00:00Z")
NAMED = CapSigning(key="cap.key.pem", certificate="cap.cert.pem")


def key_pem(number: int = 7) -> bytes:
    key = ec.derive_private_key(number, ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def certificate_pem(number: int = 7) -> bytes:
    key = ec.derive_private_key(number, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "An authority")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(BEGINS).not_valid_after(ENDS)
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def laid(folder: Path, key: bytes, certificate: bytes, mode: int = 0o600) -> Path:
    (folder / NAMED.key).write_bytes(key)
    (folder / NAMED.key).chmod(mode)
    (folder / NAMED.certificate).write_bytes(certificate)
    return folder


def test_what_it_signs_is_believed_under_its_certificate_and_no_other(tmp_path: Path) -> None:
    certificate = certificate_pem()
    signer = read_signer(laid(tmp_path, key_pem(), certificate), NAMED)
    data = signer.signed(cap(NOW_NS))
    assert check_signature(data, {"a": certificate.decode()}, NOW_NS).state == "valid"
    assert check_signature(data, {"b": certificate_pem(8).decode()}, NOW_NS).state == "untrusted"
    assert "PRIVATE" not in repr(signer)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("2025-12-31T00:00:00Z", "counts only from 2026-01-01"),
        ("2026-06-01T00:00:00Z", ""),
        ("2026-12-15T00:00:00Z", "ends on 2026-12-31"),
        ("2027-01-01T00:00:00Z", "ended on 2026-12-31: nobody believes them"),
    ],
)
def test_its_dates_are_spoken_of_in_time(tmp_path: Path, at: str, words: str) -> None:
    said = read_signer(laid(tmp_path, key_pem(), certificate_pem()), NAMED).warning(from_iso(at))
    assert (words in said) if words else not said


def short_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def edwards_key() -> bytes:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("key", "certificate", "mode", "file", "words"),
    [
        (key_pem(), certificate_pem(), 0o644, NAMED.key, "others may read this secret"),
        (b"nothing", certificate_pem(), 0o600, NAMED.key, "no private key in PEM"),
        (short_key(), certificate_pem(), 0o600, NAMED.key, "it has 1024 bits"),
        (edwards_key(), certificate_pem(), 0o600, NAMED.key, "cannot be made with such a key"),
        (key_pem(), b"nothing", 0o600, NAMED.certificate, "no certificate in PEM"),
        (key_pem(), certificate_pem(8), 0o600, NAMED.certificate, "not that of the key"),
    ],
    ids=["readable", "no-key", "short", "edwards", "no-certificate", "another"],
)
def test_what_does_not_fit_is_refused_with_its_file(
    tmp_path: Path, key: bytes, certificate: bytes, mode: int, file: str, words: str
) -> None:
    with pytest.raises(InputError) as refused:
        read_signer(laid(tmp_path, key, certificate, mode), NAMED)
    assert Path(refused.value.file).name == file
    assert words in refused.value.cause


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        read_signer(tmp_path, NAMED)
    assert Path(refused.value.file).name == NAMED.key

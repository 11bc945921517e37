"""The key with which the files of our public alerts are signed when they are served.

The core writes an alert, always the same bytes; the signature is put on here, where there are keys and randomness. The
key is of the authority that alerts, not of the node: consumers trust its certificate, which is given to them by hand.

    signer = read_signer(directory, CapSigning(key="keys/cap.key.pem", certificate="keys/cap.cert.pem"))
    signed = signer.signed(data)
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from noroshi.clock import to_datetime
from noroshi.errors import InputError
from noroshi.gateways.cap_signature import sign_cap
from noroshi.service.files import read_file
from noroshi.service.node_config import CapSigning

MIN_RSA_BITS = 2048
"""A shorter RSA key can be broken, and receivers refuse it."""

NEAR = datetime.timedelta(days=30)
"""How long before its end a certificate is spoken of: consumers must be given the next one."""

_HINT = "name a key, RSA or elliptic curve, and its certificate, both in PEM, from the node's directory"


@dataclass(frozen=True, slots=True)
class CapSigner:
    """A key and its certificate (PEM), which belong together."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    certificate: str

    def __repr__(self) -> str:
        return "CapSigner(...)"

    def signed(self, data: bytes) -> bytes:
        """The file with an enveloped signature. Raises CapUnreadableError and OperatorError as `sign_cap` does."""
        return sign_cap(data, self.key, self.certificate)

    def warning(self, now_ns: int) -> str:
        """What the operator should know of the certificate's dates; empty while there is nothing."""
        held, now = x509.load_pem_x509_certificate(self.certificate.encode()), to_datetime(now_ns)
        ends = held.not_valid_after_utc
        if now < held.not_valid_before_utc:
            return f"the certificate of the alerts' signatures counts only from {held.not_valid_before_utc:%Y-%m-%d}"
        if now >= ends:
            return f"the certificate of the alerts' signatures ended on {ends:%Y-%m-%d}: nobody believes them"
        return (
            f"the certificate of the alerts' signatures ends on {ends:%Y-%m-%d}" if ends - now < NEAR else ""
        )


def read_signer(directory: Path, named: CapSigning) -> CapSigner:
    """The signer that a node's configuration names. Raises InputError naming the file."""
    key_path, certificate_path = directory / named.key, directory / named.certificate
    raw = read_file(key_path, _HINT)
    if key_path.stat().st_mode & 0o077:
        cause = f"others may read this secret (mode {key_path.stat().st_mode & 0o777:04o})"
        raise InputError(
            str(key_path), None, "", cause, f"run `chmod 600 {key_path}`, and think of a new key"
        )
    try:
        key = load_pem_private_key(raw, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(
            str(key_path), None, "", f"it is no private key in PEM without a password ({error})"
        ) from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise InputError(str(key_path), None, "", "XML signatures cannot be made with such a key", _HINT)
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        raise InputError(
            str(key_path), None, "", f"it has {key.key_size} bits", f"{MIN_RSA_BITS} bits or more"
        )
    pem = read_file(certificate_path, _HINT)
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(
            str(certificate_path), None, "", f"it is no certificate in PEM ({error})", _HINT
        ) from None
    if public != key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo):
        raise InputError(str(certificate_path), None, "", f"it is not that of the key {key_path.name}", _HINT)
    return CapSigner(key, certificate.public_bytes(Encoding.PEM).decode("ascii"))

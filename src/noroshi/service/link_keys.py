"""Keys of the links between partners' nodes: self-signed certificates, pinned by fingerprint.

There is no certificate authority that a stranger could ask: a node believes exactly the certificates in its
`peers/`, and each stands for one partner.

    key_pem, certificate_pem = new_link_key("jpn")
    server = server_context(certificate_file, key_file, {"USA": pem, "KOR": pem})
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

VALID_DAYS = 3650
"""Ten years: the pin is what counts, and an outage for an expired date at night helps nobody."""


def new_link_key(node: str) -> tuple[bytes, bytes]:
    """A fresh Ed25519 key and its self-signed certificate, both PEM. The name tells the node only."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, None)
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key_pem, certificate.public_bytes(serialization.Encoding.PEM)


def fingerprint(certificate_pem: bytes) -> str:
    """SHA-256 of the certificate's DER form, hexadecimal. Raises ValueError when it is no certificate."""
    der = x509.load_pem_x509_certificate(certificate_pem).public_bytes(serialization.Encoding.DER)
    return hashlib.sha256(der).hexdigest()


def server_context(certificate: Path, key: Path, peers: Iterable[bytes]) -> ssl.SSLContext:
    """TLS 1.3 for the listening side; only a peer with one of these certificates (PEM) gets through."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, certificate, key, peers)
    context.num_tickets = 0  # nothing is sent before the peer's certificate was checked
    return context


def client_context(certificate: Path, key: Path, peer: bytes) -> ssl.SSLContext:
    """TLS 1.3 for the dialling side; only the peer with this certificate (PEM) is spoken to."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, certificate, key, [peer])


def _context(protocol: int, certificate: Path, key: Path, peers: Iterable[bytes]) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the pinned certificate is the name
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    trusted = b"".join(peers).decode("ascii")
    if trusted:
        context.load_verify_locations(cadata=trusted)
    return context

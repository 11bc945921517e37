"""Keys of the gateway for Cursor on Target: an authority of its own, the servers' certificate, and clients'.

The authority certifies nothing but this node's gateway and its clients, and means nothing to anybody else. A
certificate that it has given lets a client in only while `node.json` names it, so taking one back is taking out a line.
RSA, since not all clients read anything else.

    keys = CotKeys(directory)
    card = keys.new_client("duty-tablet", passphrase)    # Card(pem, key_pem, p12, sha256)
"""

from __future__ import annotations

import io
import ipaddress
import os
import ssl
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from lxml import etree

from noroshi.errors import InputError, OperatorError
from noroshi.service.files import make_private, write_file
from noroshi.service.link_keys import fingerprint

KEY_BITS = 2048
LOCK_ROUNDS = 50_000
"""Of making a key from a passphrase: a tenth of a second on a tablet."""

YEARS_S = timedelta(days=3650)
"""What counts is the list in `node.json`; an outage for an expired date at night helps nobody."""


@dataclass(frozen=True, slots=True)
class Card:
    """A client's certificate: PEM, its key, both in one file for a tablet, and SHA-256 of the certificate; known: the
    authority alone, as a tablet keeps those whom it trusts.
    """

    pem: bytes
    key_pem: bytes
    p12: bytes
    sha256: str
    known: bytes = b""


class CotKeys:
    """The gateway's keys in a node's directory: `keys/cot/`."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "keys" / "cot"

    @property
    def authority_path(self) -> Path:
        """The authority's certificate, which clients are given to know the server by."""
        return self.path / "authority.pem"

    def post_key(self, post: str) -> Path:
        """Where the key lies with which the gateway signs for a post."""
        return self.path / f"{post}.key"

    def prepare(self, hosts: tuple[str, ...]) -> None:
        """Makes the authority and the servers' certificate where there are none yet. hosts: names of this machine."""
        make_private(self.path.parent)
        make_private(self.path)
        if not self.authority_path.exists():
            key = _new_key()
            name = _name("noroshi cot authority")
            card = _signed(key, name, key, name, authority=True)
            write_file(self.path / "authority.key.pem", _key_pem(key), 0o600)
            write_file(self.authority_path, _pem(card), 0o644)
        if not (self.path / "server.pem").exists() or hosts:
            key = _new_key()
            names = tuple(dict.fromkeys((*hosts, "localhost", "127.0.0.1")))
            card = _signed(key, _name(names[0]), *self._authority(), hosts=names)
            write_file(self.path / "server.key.pem", _key_pem(key), 0o600)
            write_file(self.path / "server.pem", _pem(card), 0o644)

    def new_client(self, name: str, passphrase: str) -> Card:
        """A certificate for one client. Raises InputError where the authority's files are damaged."""
        key = _new_key()
        signer, issuer = self._authority()
        card = _signed(key, _name(name), signer, issuer)
        authority = x509.load_pem_x509_certificate(self.authority_path.read_bytes())
        lock = _lock(passphrase)
        packed = pkcs12.serialize_key_and_certificates(name.encode(), key, card, [authority], lock)
        known = pkcs12.serialize_java_truststore([pkcs12.PKCS12Certificate(authority, b"noroshi")], lock)
        return Card(_pem(card), _key_pem(key), packed, fingerprint(_pem(card)), known)

    def server_context(self) -> ssl.SSLContext:
        """What a server speaks TLS with: only the authority's certificates get through. Raises InputError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # tablets in the field know no newer one
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_cert_chain(self.path / "server.pem", self.path / "server.key.pem")
            context.load_verify_locations(self.authority_path)
        except (OSError, ssl.SSLError) as error:
            hint = "make them with `noroshi node cot-client`"
            raise InputError(
                str(self.path), None, "", f"the servers' keys cannot be used: {error}", hint
            ) from None
        return context

    def _authority(self) -> tuple[rsa.RSAPrivateKey, x509.Name]:
        path = self.path / "authority.key.pem"
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
            issuer = x509.load_pem_x509_certificate(self.authority_path.read_bytes()).subject
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                str(path), None, "", f"it cannot be used: {error}", "restore it from your copy"
            ) from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise InputError(str(path), None, "", "it is no RSA key", "restore it from your copy")
        return key, issuer


def write_card(card: Card, out: Path, name: str, packed: Mapping[str, bytes] | None = None) -> list[Path]:
    """Writes a client's files into a folder; where they lie. packed: data packages by how their names end. Raises
    OperatorError.
    """
    files = {".pem": card.pem, ".key.pem": card.key_pem, ".p12": card.p12, **(packed or {})}
    paths = [out / f"{name}{end}" for end in files]
    if any(path.exists() for path in paths):
        raise OperatorError(
            "write a client's certificate",
            subject=str(out),
            cause="its files are there already",
            hint="choose another folder",
        )
    try:
        os.makedirs(out, exist_ok=True)
        for path, data in zip(paths, files.values(), strict=True):
            write_file(path, data, 0o600)
    except OSError as error:
        raise OperatorError(
            "write a client's certificate", subject=str(out), cause=error.strerror or ""
        ) from None
    return paths


def package(card: Card, name: str, *, title: str, address: str, passphrase: str, flat: bool = False) -> bytes:
    """A data package (zip) that a TAK client imports: it then has the certificates, and the server's address.

    title: what the client calls the server; address: `host:port:ssl`; flat: without folders, as iTAK wants it. The
    passphrase stands in it, as clients want it: whoever has the package has the key.
    """
    folder, kept_in = ("", "") if flat else ("certs/", "cert/")
    files = {
        f"{folder}{name}.p12": card.p12,
        f"{folder}authority.p12": card.known,
        f"{folder}preference.pref": _preferences(name, title, address, passphrase, kept_in),
    }
    manifest = _manifest(name, card, list(files))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as whole:
        for path, data in {"MANIFEST/manifest.xml": manifest, **files}.items():
            whole.writestr(zipfile.ZipInfo(path), data)
    return packed.getvalue()


def _preferences(name: str, title: str, address: str, passphrase: str, kept_in: str) -> bytes:
    """What a client takes into its settings: its server, and where it keeps the certificates then.

    Older clients look for the certificates among the settings of the whole program, newer ones at the server.
    """
    files = {
        "caLocation": f"{kept_in}authority.p12",
        "caPassword": passphrase,
        "certificateLocation": f"{kept_in}{name}.p12",
        "clientPassword": passphrase,
    }
    stream = {"count": 1, "description0": title, "enabled0": True, "connectString0": address}
    stream |= {f"{key}0": value for key, value in files.items()}
    root = etree.Element("preferences")
    for group, entries in (
        ("cot_streams", stream),
        ("com.atakmap.app_preferences", {"displayServerConnectionWidget": True, **files}),
    ):
        held = etree.SubElement(root, "preference", version="1", name=group)
        for key, value in entries.items():
            kind = {bool: "Boolean", int: "Integer", str: "String"}[type(value)]
            made = etree.SubElement(held, "entry", key=key)
            made.set("class", f"class java.lang.{kind}")
            made.text = str(value).lower() if isinstance(value, bool) else str(value)
    return b"<?xml version='1.0' encoding='ASCII' standalone='yes'?>\n" + etree.tostring(
        root, encoding="ascii"
    )


def _manifest(name: str, card: Card, paths: list[str]) -> bytes:
    """What is in a data package; its number follows from the certificate."""
    root = etree.Element("MissionPackageManifest", version="2")
    about = etree.SubElement(root, "Configuration")
    number = str(uuid.UUID(card.sha256[:32]))
    for key, value in (("uid", number), ("name", f"noroshi {name}"), ("onReceiveDelete", "true")):
        etree.SubElement(about, "Parameter", name=key, value=value)
    contents = etree.SubElement(root, "Contents")
    for path in paths:
        etree.SubElement(contents, "Content", ignore="false", zipEntry=path)
    return etree.tostring(root)


def _lock(passphrase: str) -> serialization.KeySerializationEncryption:
    """How files for tablets are locked: Android's own reader takes SHA-1 and triple DES only."""
    if not passphrase:
        return serialization.NoEncryption()
    return (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(LOCK_ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())
        .build(passphrase.encode())
    )


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=KEY_BITS)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _pem(card: x509.Certificate) -> bytes:
    return card.public_bytes(serialization.Encoding.PEM)


def _signed(
    key: rsa.RSAPrivateKey, subject: x509.Name, signer: rsa.RSAPrivateKey, issuer: x509.Name, *,
    hosts: tuple[str, ...] = (), authority: bool = False,
) -> x509.Certificate:  # fmt: skip
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + YEARS_S)
        .add_extension(
            x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if authority:
        made = made.add_extension(
            x509.KeyUsage(
                digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
                key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )  # fmt: skip
    else:
        use = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        made = made.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    if hosts:
        made = made.add_extension(x509.SubjectAlternativeName([_host(one) for one in hosts]), critical=False)
    return made.sign(signer, hashes.SHA256())


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)

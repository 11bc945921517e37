"""From the certificate that signed a message to an authority that the operator has pinned, without asking anybody.

An authority counts for those of its signers that the operator names. What stands between the two comes with the message
or from a file, and is believed for its own signature only. Everything is judged at one time, that the caller hands in.
A revocation list that the caller has for an issuer must be in date, or nothing that this issuer certified counts.

    authorities = Authorities.of({"national": pem}, signers=("duty@kumo.example",), lists=[crl])
    path = follow(leaf, [others], authorities, at_ns)
    path.authority, path.says                # 'national', 'certified by national over 1 other'
    path.defect                              # '' or why no path leads there

Source: RFC 5280, section 6; RFC 9336 for the use of a key. Paths are built and checked by `cryptography`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID

from noroshi.clock import seconds, to_datetime
from noroshi.errors import OperatorError

MAX_BETWEEN = 4
"""Certificates between a signer and the authority: public hierarchies have one or two."""

MAX_BROUGHT = 8
"""Certificates that a message may bring: its signer's, those between, and some of a cross-signed hierarchy."""

MIN_RSA_BITS = 2048
"""NIST SP 800-131A: shorter keys are not to be relied on any more."""

MAX_NAME = 100
"""Characters of a signer's name that are shown."""

USES = frozenset(
    {
        "2.5.29.37.0",  # anything
        "1.3.6.1.5.5.7.3.2",  # to show who one is
        "1.3.6.1.5.5.7.3.4",  # mail
        "1.3.6.1.5.5.7.3.36",  # documents, RFC 9336
        "1.3.6.1.4.1.311.10.3.12",  # documents, as one maker of systems calls it
    }
)
"""What a certificate may be for that says so: to sign documents, or to show who one is. None is of CAP alone."""

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_WEAK = (hashes.MD5, hashes.SHA1)


@dataclass(frozen=True, slots=True)
class Path:
    """Where a certificate leads. authority: the pinned one's name, empty with a `defect`; signer: whom it names."""

    authority: str = ""
    signer: str = ""
    says: str = ""
    defect: str = ""


@dataclass(frozen=True, slots=True)
class Authorities:
    """What the operator has pinned.

    pinned: certificates of authorities by name; between: known certificates that stand under them; signers: whom they
    count for, any if empty; lists: revocation lists.
    """

    pinned: Mapping[str, x509.Certificate]
    between: tuple[x509.Certificate, ...] = ()
    signers: tuple[str, ...] = ()
    lists: tuple[x509.CertificateRevocationList, ...] = ()

    @classmethod
    def of(
        cls, pinned: Mapping[str, str], *, between: Iterable[str] = (), signers: Iterable[str] = (),
        lists: Iterable[bytes] = (),
    ) -> Authorities:  # fmt: skip
        """From PEM; lists in PEM or DER. Raises OperatorError naming what cannot be used."""
        found = {name: _authority(name, pem) for name, pem in pinned.items()}
        others = [one for pem in between for one in certificates(pem)]
        return cls(found, tuple(others), tuple(signers), tuple(_list(one) for one in lists))

    def and_also(self, other: Authorities) -> Authorities:
        """Both together."""
        return Authorities(
            {**self.pinned, **other.pinned},
            self.between + other.between,
            self.signers + other.signers,
            self.lists + other.lists,
        )


def certificates(pem: str) -> list[x509.Certificate]:
    """The certificates in a text in PEM. Raises OperatorError when there is none."""
    try:
        return x509.load_pem_x509_certificates(pem.encode("ascii", "replace"))
    except ValueError as error:
        raise _unusable("read a certificate", "", "it is not in PEM", "convert it to PEM") from error


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Whom a certificate names: its common names, and its mail addresses, hosts and addresses of the web."""
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return tuple(dict.fromkeys([*(str(one.value) for one in common), *_bounded_names(certificate)]))


def _bounded_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Those of its names that an authority's name constraints bind: all but the common ones."""
    try:
        other = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    names: list[str] = []
    for kind in (x509.RFC822Name, x509.DNSName, x509.UniformResourceIdentifier):
        names += other.get_values_for_type(kind)
    return tuple(names)


def signer_among(found: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """Of the certificates that came with a signature, in any order, the one that certified none of the others."""
    issuers = {one.issuer.public_bytes() for one in found if one.issuer != one.subject}
    last = [one for one in found if one.subject.public_bytes() not in issuers]
    return next(iter(last or found), None)


def follow(
    leaf: x509.Certificate, brought: Sequence[x509.Certificate], authorities: Authorities, at_ns: int
) -> Path:
    """The path from a signer's certificate to a pinned authority at a time, UTC ns; its `defect` says why there is none.

    brought: certificates that came with the message, believed for nothing but their signatures.
    """
    if len(brought) > MAX_BROUGHT:
        return Path(defect=f"it brings more than {MAX_BROUGHT} certificates")
    try:
        name = _shown(leaf)
        defect = _signer_defect(leaf, authorities)
        if defect:
            return Path(signer=name, defect=defect)
        left = [one for one in (*authorities.between, *brought) if one != leaf]
        defect = ""
        while True:  # each turn but the last takes one certificate away
            chain, cause = _chain(leaf, left, authorities, at_ns)
            if not chain:
                return Path(signer=name, defect=defect or cause)
            bad, defect = _unsound(chain, authorities, at_ns)
            if bad is None:
                between = len(chain) - 2
                over = f" over {between} other{'s' if between > 1 else ''}" if between > 0 else ""
                root = next(key for key, one in authorities.pinned.items() if one == chain[-1])
                return Path(root, name, f"{name}, certified by {root}{over}")
            if bad not in left:
                return Path(signer=name, defect=defect)
            left = [one for one in left if one != bad]  # another path may lead round it
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        return Path(defect=f"its certificate cannot be read ({type(error).__name__})")


def _chain(
    leaf: x509.Certificate, between: list[x509.Certificate], authorities: Authorities, at_ns: int
) -> tuple[list[x509.Certificate], str]:
    """The certificates from the signer's to a pinned one; or none, and why."""
    of_signer, of_authority = _policies()
    builder = (
        verification.PolicyBuilder()
        .store(verification.Store(list(authorities.pinned.values())))
        .time(to_datetime(at_ns))
        .max_chain_depth(MAX_BETWEEN)
        .extension_policies(ee_policy=of_signer, ca_policy=of_authority)
    )
    try:
        return builder.build_client_verifier().verify(leaf, between).chain, ""
    except verification.VerificationError as error:
        return [], f"no path leads to a pinned authority: {_plain(str(error))}"


def _policies() -> tuple[verification.ExtensionPolicy, verification.ExtensionPolicy]:
    """What certificates of signers and of authorities must have beside what every path must."""

    def certifies(_: object, __: object, found: x509.BasicConstraints) -> None:
        if not found.ca:
            raise ValueError("a certificate in between is none of an authority")

    def signs_certificates(_: object, __: object, found: x509.KeyUsage | None) -> None:
        if found is not None and not found.key_cert_sign:
            raise ValueError("a key in between may not certify")

    def signs(_: object, __: object, found: x509.KeyUsage | None) -> None:
        if found is not None and not (found.digital_signature or found.content_commitment):
            raise ValueError("the signer's key may not sign")

    anyhow = verification.Criticality.AGNOSTIC
    authority = verification.ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, anyhow, certifies
    )
    authority = authority.may_be_present(x509.KeyUsage, anyhow, signs_certificates)
    return verification.ExtensionPolicy.permit_all().may_be_present(x509.KeyUsage, anyhow, signs), authority


def _signer_defect(leaf: x509.Certificate, authorities: Authorities) -> str:
    if authorities.signers and not set(names_of(leaf)) & set(authorities.signers):
        return f"its certificate is of {_shown(leaf)}, who is none of the signers that you have named"
    if _certifies(leaf):
        return f"{_shown(leaf)} is an authority, whose key signs certificates and no messages"
    key = leaf.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return "" if key.key_size >= MIN_RSA_BITS else f"its RSA key has {key.key_size} bits only"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "" if isinstance(key.curve, _CURVES) else f"its key is on the curve {key.curve.name}"
    return "its key is neither RSA nor on an elliptic curve"


def _unsound(
    chain: list[x509.Certificate], authorities: Authorities, at_ns: int
) -> tuple[x509.Certificate | None, str]:
    """The first certificate of a path that may not be used for this, or has been revoked; and why."""
    named = set(_bounded_names(chain[0])) & set(authorities.signers)
    for one, issuer in pairwise(chain):
        # Whoever may certify some names only could else write any other into the common name, which nothing binds.
        if authorities.signers and not named and _constrains(issuer):
            return (
                issuer,
                f"{_shown(issuer)} may certify some names only, and none of those that you have named",
            )
        uses = _uses(one)
        if uses is not None and not uses & USES:
            return one, f"the certificate of {_shown(one)} is for another use"
        defect = _revocation(one, issuer, authorities.lists, at_ns)
        if defect:
            return one, defect
    return None, ""


def _constrains(one: x509.Certificate) -> bool:
    """Whether an authority may certify some names only."""
    try:
        one.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return False
    return True


def _uses(one: x509.Certificate) -> frozenset[str] | None:
    try:
        uses = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        return frozenset(use.dotted_string for use in uses)
    except x509.ExtensionNotFound:
        return None


def _revocation(
    one: x509.Certificate,
    issuer: x509.Certificate,
    lists: Sequence[x509.CertificateRevocationList],
    at_ns: int,
) -> str:
    """Why revocation lists speak against a certificate; an empty text where none does, or none is of its issuer."""
    own = [found for found in lists if found.issuer == one.issuer]
    if not own:
        return ""
    sound = [found for found in own if _is_in_force(found, issuer, at_ns)]
    for found in sound:
        entry = found.get_revoked_certificate_by_serial_number(one.serial_number)
        if entry is None:
            continue
        reason = _reason(entry)
        at = _ns(entry.revocation_date_utc)
        if reason != x509.ReasonFlags.remove_from_crl and (at <= at_ns or reason in _EVER):
            return f"the certificate of {_shown(one)} has been revoked"
    return "" if sound else f"the revocation list over {_shown(one)} is out of date, or not of its issuer"


_EVER = (x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise)
"""Reasons that count before the revocation too: nobody can say since when others had the key."""


def _reason(entry: x509.RevokedCertificate) -> x509.ReasonFlags:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return x509.ReasonFlags.unspecified


def _is_in_force(found: x509.CertificateRevocationList, issuer: x509.Certificate, at_ns: int) -> bool:
    """Whether a list is the issuer's, whole, and in date."""
    if isinstance(found.signature_hash_algorithm, _WEAK):
        return False
    if any(one.critical for one in found.extensions):  # one of parts, or of changes: it does not tell of all
        return False
    try:
        usage: x509.KeyUsage | None = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage is not None and not usage.crl_sign:
        return False
    try:
        signed = found.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # others: TypeError, caught
    except (TypeError, ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    until = found.next_update_utc
    return signed and _ns(found.last_update_utc) <= at_ns and (
        until is not None and at_ns <= _ns(until)
    )  # fmt: skip


def _ns(moment: datetime) -> int:
    return seconds(moment.timestamp())


def _shown(one: x509.Certificate) -> str:
    """A certificate's name, fit for a terminal."""
    name = next(iter(names_of(one)), "") or one.subject.rfc4514_string() or f"number {one.serial_number:x}"
    return "".join(c if c.isprintable() else "\ufffd" for c in name)[:MAX_NAME]


def _plain(cause: str) -> str:
    """The cause of a failed path, without the innards of certificates."""
    return cause.partition(" (encountered")[0].removeprefix("validation failed: ")[:200]


def _authority(name: str, pem: str) -> x509.Certificate:
    found = certificates(pem)
    if len(found) != 1:
        raise _unusable(
            "pin an authority", name, f"it holds {len(found)} certificates", "give one certificate a file"
        )
    if not _certifies(found[0]):
        hint = "trust a signer's own certificate as such, not as an authority"
        raise _unusable("pin an authority", name, "its certificate is none of an authority", hint)
    return found[0]


def _certifies(one: x509.Certificate) -> bool:
    """Whether a certificate is one of an authority."""
    try:
        return one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _list(data: bytes) -> x509.CertificateRevocationList:
    try:
        load = x509.load_pem_x509_crl if b"-----BEGIN" in data else x509.load_der_x509_crl
        found = load(data)
        _ = found.extensions
    except ValueError as error:
        raise _unusable(
            "read a revocation list", "", "it is none, in PEM or DER", "give it as the authority publishes it"
        ) from error
    return found


def _unusable(operation: str, subject: str, cause: str, hint: str) -> OperatorError:
    return OperatorError(operation, subject=subject, cause=cause, hint=hint)

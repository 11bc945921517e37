"""Enveloped XML signatures of CAP messages: whose signature stands on one, and does it hold; and signing our own.

Only certificates that the caller names are trusted, each for itself, and those that an authority certified which the
caller has pinned (`cap_chain`); no authority of the web is. Only a signature over the whole message counts: one
reference to the `alert` element, no transform but the enveloped one and canonical form. So a signed message that was
wrapped into another one, or moved aside, makes nothing valid. SHA-1 is named and not believed.

    verdict = check_signature(data, {"jma": pem}, now_ns)
    verdict.state, verdict.certificate, verdict.says         # 'valid', 'jma', 'signed with rsa-sha256 by jma'
    signed = sign_cap(data, key, certificate)

Source: W3C XML Signature Syntax and Processing 1.1; OASIS CAP 1.2, section 3.3.4.1.
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidCertificate, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from noroshi.clock import to_datetime
from noroshi.errors import OperatorError
from noroshi.gateways.cap_chain import MAX_BROUGHT, Authorities, follow, signer_among
from noroshi.gateways.cap_model import SIGNATURE_NAMESPACE
from noroshi.gateways.cap_valid import cap_root
from noroshi.gateways.xml_parse import children, plain_text, split_name

SignatureState = Literal["none", "valid", "untrusted", "broken"]

MAX_SIGNATURES = 4
"""Signatures that are looked at: a message passes through an agency and an aggregator, who sign one each."""

_DS = f"{{{SIGNATURE_NAMESPACE}}}"
_ENVELOPED = f"{SIGNATURE_NAMESPACE}enveloped-signature"
_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_CANONICAL = frozenset(one.value for one in CanonicalizationMethod)
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """What the signatures of a message are worth.

    state: `none` when there is none; `valid` when a trusted certificate signed the whole message, or one that a pinned
    authority stands for; `broken` when one does not hold, or covers something else; `untrusted` when nobody trusted can
    be made answerable, SHA-1 included. certificate: the name of the trusted certificate, or of the authority, else
    empty. fingerprint: SHA-256 of the signer's certificate, hexadecimal, trusted or not; empty when none is known.
    says: one sentence. signer: whom a certificate names that an authority stands for, else empty.
    """

    state: SignatureState
    certificate: str = ""
    fingerprint: str = ""
    says: str = "it is not signed"
    signer: str = ""


def check_signature(
    data: bytes, trusted: Mapping[str, str], now_ns: int, authorities: Authorities | None = None
) -> SignatureVerdict:
    """The verdict on a message. trusted: certificates in PEM by a name of the caller's; now_ns: when they must be valid;
    authorities: whose signers count as well.

    Raises CapUnreadableError on what is no CAP message.
    """
    root, _ = cap_root(data)
    return check_element(root, trusted, now_ns, authorities)


def check_element(
    root: etree._Element, trusted: Mapping[str, str], now_ns: int, authorities: Authorities | None = None
) -> SignatureVerdict:
    """As `check_signature`, of an `alert` element that was parsed safely."""
    count = len(root.findall(f"{_DS}Signature"))
    if count > MAX_SIGNATURES:
        return SignatureVerdict("broken", says=f"it has more than {MAX_SIGNATURES} signatures")
    verdicts = [_judge(root, place, trusted, now_ns, authorities) for place in range(count)]
    order: tuple[SignatureState, ...] = ("valid", "broken", "untrusted")
    return next((one for state in order for one in verdicts if one.state == state), SignatureVerdict("none"))


def certificate_fingerprint(pem: str) -> str:
    """SHA-256 of a certificate in PEM, hexadecimal. Raises OperatorError when it is none."""
    found = _PEM.search(pem)
    der = _decoded(found[1]) if found else None
    if der is None:
        raise OperatorError("read a certificate", cause="it is not in PEM", hint="convert it to PEM")
    return hashlib.sha256(der).hexdigest()


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _judge(
    root: etree._Element, place: int, trusted: Mapping[str, str], now_ns: int, authorities: Authorities | None
) -> SignatureVerdict:
    signature = root.findall(f"{_DS}Signature")[place]
    defect = _form_defect(signature, root)
    if defect:
        return SignatureVerdict("broken", says=defect)
    weak = next((one for one in _algorithms(signature) if "sha1" in one.lower() or "md5" in one.lower()), "")
    if weak:
        return SignatureVerdict("untrusted", says=f"it is signed with {weak}, which can be forged")
    method = _last(signature.find(f"{_DS}SignedInfo/{_DS}SignatureMethod"))
    prints = {name: certificate_fingerprint(pem) for name, pem in trusted.items()}
    brought = _certificates_inside(signature)
    inside = _signer_inside(brought)
    own = "" if inside is None else certificate_fingerprint(inside)
    cause = ""
    for name in [one for one in trusted if not own or prints[one] == own]:
        cause = _verify(root, place, trusted[name], now_ns)
        if not cause:
            return SignatureVerdict("valid", name, prints[name], f"signed with {method} by {name}")
    if cause and own:
        state: SignatureState = "untrusted" if cause == _OUT_OF_DATE else "broken"
        return SignatureVerdict(state, fingerprint=own, says=cause)
    if inside is None:
        return SignatureVerdict(
            "untrusted", says="no trusted certificate made the signature, and it brings none"
        )
    cause = _verify(root, place, inside, None)
    if cause:
        return SignatureVerdict("broken", fingerprint=own, says=cause)
    if authorities is not None and authorities.pinned:
        return _by_authority(inside, brought, authorities, now_ns, method, own)
    says = f"signed with {method} by a certificate that is not trusted (SHA-256 {own[:16]}...)"
    return SignatureVerdict("untrusted", fingerprint=own, says=says)


def _by_authority(
    pem: str, brought: list[bytes], authorities: Authorities, now_ns: int, method: str, own: str
) -> SignatureVerdict:
    """The verdict on a signature that holds, by whether a pinned authority stands for its certificate."""
    try:
        leaf = x509.load_pem_x509_certificate(pem.encode())
        others = [x509.load_der_x509_certificate(one) for one in brought]
    except ValueError:
        return SignatureVerdict("untrusted", fingerprint=own, says="one of its certificates cannot be read")
    path = follow(leaf, others, authorities, now_ns)
    if path.defect:
        says = f"signed with {method}, but {path.defect}"
        return SignatureVerdict("untrusted", fingerprint=own, says=says, signer=path.signer)
    return SignatureVerdict("valid", path.authority, own, f"signed with {method} by {path.says}", path.signer)


def _certificates_inside(signature: etree._Element) -> list[bytes]:
    """The certificates that a signature brings, DER, at most one too many; those that cannot be read are left out."""
    found = signature.iterfind(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")
    plain = (one for one in islice(found, MAX_BROUGHT + 1) if next(children(one), None) is None)
    return [der for der in (_decoded(plain_text(one)) for one in plain) if der is not None]


def _signer_inside(brought: list[bytes]) -> str | None:
    """The certificate that signed, in PEM: of several the one that certified no other; None when there is none."""
    der = next(iter(brought), None)
    if len(brought) > 1:
        try:
            read = {x509.load_der_x509_certificate(one): one for one in brought}
            last = signer_among(list(read))
            der = read[last] if last is not None else der
        except (ValueError, TypeError):
            pass  # it is looked at as the others are, and says what is wrong then
    if der is None:
        return None
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def _form_defect(signature: etree._Element, root: etree._Element) -> str:
    """Why a signature does not cover the whole message, whatever its value; an empty text when it does."""
    references = signature.findall(f"{_DS}SignedInfo/{_DS}Reference")
    if len(signature.findall(f"{_DS}SignedInfo")) != 1 or len(references) != 1:
        return "the signature has not one SignedInfo with one Reference"
    uri = references[0].get("URI")
    own = [root.get(name) for name in ("Id", "ID", "id") if root.get(name)]
    same = sum(1 for one in root.iter("*") for name in ("Id", "ID", "id") if f"#{one.get(name)}" == uri)
    if uri != "" and not (uri and same == 1 and uri[1:] in own):
        return "the signature covers something other than the whole message"
    transforms = [one.get("Algorithm") or "" for one in references[0].iter(f"{_DS}Transform")]
    if transforms.count(_ENVELOPED) != 1 or set(transforms) - {_ENVELOPED} - _CANONICAL:
        return "the signature covers a transformed message"
    return ""


def _algorithms(signature: etree._Element) -> Iterator[str]:
    info = signature.find(f"{_DS}SignedInfo")
    for element in () if info is None else info.iter("*"):
        if element.get("Algorithm"):
            yield _last(element)


def _last(element: etree._Element | None) -> str:
    """The short name of an algorithm: `rsa-sha256`."""
    return "" if element is None else (element.get("Algorithm") or "").rpartition("#")[2]


_OUT_OF_DATE = "its certificate is not valid at that time"


def _verify(root: etree._Element, place: int, pem: str, now_ns: int | None) -> str:
    """Why the signature at a place is not that of a certificate; an empty text when it is.

    Of several signers each may have signed before or over the others: all three ways are tried. Without a time the
    certificate's dates are not looked at.
    """
    count = len(root.findall(f"{_DS}Signature"))
    cause = ""
    for kept in dict.fromkeys((count, place, 0)):
        cause = _verify_one(_with_signature(root, place, kept), pem, now_ns)
        if not cause:
            return ""
    return cause


def _with_signature(root: etree._Element, place: int, kept: int) -> etree._Element:
    """A copy in which the signature at a place is the first, and of the others those before the place `kept` stand."""
    whole = copy.deepcopy(root)
    signatures = whole.findall(f"{_DS}Signature")
    for i, one in enumerate(signatures):
        if i == place or i >= kept:
            before, after = one.getprevious(), one.tail or ""
            if before is not None:
                before.tail = (before.tail or "") + after
            else:
                whole.text = (whole.text or "") + after
            whole.remove(one)
            one.tail = None
    text = whole.text
    whole.text = None
    signatures[place].tail = text
    whole.insert(0, signatures[place])
    return whole


def _signed(element: etree._Element) -> Iterator[etree._Element]:
    """The elements that an enveloped signature covers, and those of each SignedInfo."""
    for one in children(element):
        if one.tag == f"{_DS}Signature":
            for info in one.findall(f"{_DS}SignedInfo"):
                yield from info.iter("*")
        else:
            yield one
            yield from _signed(one)


class _Undated(XMLVerifier):
    """Looks at no certificate's dates: whether a stranger's signature holds does not hang on them."""

    def _check_cert_validity(self, cert: Any, cert_source: str) -> None:
        return


def _verify_one(whole: etree._Element, pem: str, now_ns: int | None) -> str:
    verifier = _Undated() if now_ns is None else XMLVerifier()
    # lxml adds xmlns="" when it canonicalises a part of a document (SignedInfo); taking it out again is sound only
    # where nothing signed stands in no namespace, so that two different messages never look the same.
    verifier.excise_empty_xmlns_declarations = all(split_name(one)[0] for one in _signed(whole))
    config = SignatureConfiguration(
        location="./", expect_references=1, signature_methods=_METHODS, digest_algorithms=_DIGESTS,
        verification_time=to_datetime(now_ns or 0), ignore_ambiguous_key_info=True,
    )  # fmt: skip
    try:
        result: Any = verifier.verify(whole, x509_cert=pem, expect_config=config, validate_schema=False)
    except InvalidCertificate:
        return _OUT_OF_DATE
    except SignXMLException:
        return "the signature does not hold: the message was changed, or another key signed it"
    except (
        UnsupportedAlgorithm,
        etree.LxmlError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        AssertionError,
    ) as error:
        return f"the signature cannot be read ({type(error).__name__})"
    if result.signed_xml is None or result.signed_xml.tag != whole.tag:
        return "the signature covers something other than the message"
    return ""


def sign_cap(data: bytes, key: Any, certificate: str) -> bytes:
    """The message with an enveloped signature at its end: RSA or ECDSA with SHA-256, exclusive canonical form.

    key: a private key of `cryptography`, RSA or elliptic curve; certificate: that of the key, in PEM, which goes along.
    With an elliptic curve every signature is another one, drawn at random: call it where the world may be touched.
    Raises CapUnreadableError on what is no CAP message, and OperatorError when the certificate is not that of the key.
    """
    root, _ = cap_root(data)
    method = SignatureMethod.ECDSA_SHA256 if hasattr(key, "curve") else SignatureMethod.RSA_SHA256
    signer = XMLSigner(
        signature_algorithm=method, digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )  # fmt: skip
    certificate_fingerprint(certificate)
    try:
        signed = signer.sign(root, key=key, cert=certificate)
    except (
        SignXMLException,
        etree.LxmlError,
        ValueError,
        TypeError,
        AttributeError,
        AssertionError,
    ) as error:
        cause = str(error) or type(error).__name__
        raise OperatorError(
            "sign a CAP message", cause=cause, hint="give an RSA or elliptic-curve key"
        ) from error
    if _verify(signed, len(signed.findall(f"{_DS}Signature")) - 1, certificate, None):
        raise OperatorError("sign a CAP message", cause="the certificate is not that of the key")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + etree.tostring(signed, encoding="UTF-8") + b"\n"

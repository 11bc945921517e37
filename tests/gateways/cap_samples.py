"""CAP messages of our own making for the tests: one with all that CAP has, older versions, and certificates."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from noroshi.gateways.cap_model import NAMESPACES, CapVersion
from noroshi.gateways.cap_schema import SCHEMAS

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "cap"

WHOLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>KUMO-7</identifier>
  <sender>duty@kumo.example</sender>
  <sent>2026-02-01T09:00:00+09:00</sent>
  <status>Exercise</status>
  <msgType>Update</msgType>
  <source>tide gauge 4</source>
  <scope>Restricted</scope>
  <restriction>harbour masters</restriction>
  <addresses>"East Pier" west-pier</addresses>
  <code>IPAWSv1.0</code>
  <note>for a rehearsal</note>
  <references>duty@kumo.example,KUMO-6,2026-02-01T08:00:00+09:00</references>
  <incidents>tide-3</incidents>
  <info>
    <language>en-GB</language>
    <category>Geo</category>
    <category>Met</category>
    <event>High tide</event>
    <responseType>Evacuate</responseType>
    <responseType>Avoid</responseType>
    <urgency>Expected</urgency>
    <severity>Severe</severity>
    <certainty>Likely</certainty>
    <audience>harbour</audience>
    <eventCode><valueName>SAME</valueName><value>CFW</value></eventCode>
    <effective>2026-02-01T09:00:00+09:00</effective>
    <onset>2026-02-01T10:30:00+09:00</onset>
    <expires>2026-02-01T12:00:00+09:00</expires>
    <senderName>Harbour office &amp; co.</senderName>
    <headline>Water to the second step</headline>
    <description>Two
lines.</description>
    <instruction>Leave the quay.</instruction>
    <web>https://kumo.example/tide?n=7</web>
    <contact>+81 3 0000 0000</contact>
    <parameter><valueName>EAS-ORG</valueName><value>CIV</value></parameter>
    <parameter><valueName>height</valueName><value>1.20 m</value></parameter>
    <resource>
      <resourceDesc>chart</resourceDesc>
      <mimeType>text/plain</mimeType>
      <size>5</size>
      <uri>chart.txt</uri>
      <derefUri>Y2hhcnQ=</derefUri>
      <digest>b82b40b84a2f06957ec9caf1768340bd6b929cc4</digest>
    </resource>
    <area>
      <areaDesc>Harbour</areaDesc>
      <polygon>35.0,139.0 35.1,139.0 35.1,139.10 35.0,139.0</polygon>
      <circle>35.05,139.05 2.50</circle>
      <geocode><valueName>SAME</valueName><value>012345</value></geocode>
      <altitude>0</altitude>
      <ceiling>12.5</ceiling>
    </area>
  </info>
</alert>
"""
"""Every element of CAP 1.2 once or more, valid, of the IPAWS profile, with nothing that the standard's text forbids."""

OLD_11 = (
    WHOLE.replace(b"cap:1.2", b"cap:1.1")
    .replace(b"    <responseType>Avoid</responseType>\n", b"")
    .replace(b"<altitude>0</altitude>", b"<altitude>sea level</altitude>")
    .replace(b"2026-02-01T09:00:00+09:00</effective>", b"2026-02-01T00:00:00.25Z</effective>")
    .replace(b"      <mimeType>text/plain</mimeType>\n", b"")
)
"""CAP 1.1, valid by its schema, with what only 1.1 may say."""

OLD_10 = b"""<alert xmlns="http://www.incident.com/cap/1.0">
 <identifier>KUMO-1</identifier><sender>duty@kumo.example</sender>
 <sent>2003-05-01T09:00:00+09:00</sent><status>Actual</status><msgType>Alert</msgType><password>sesame</password>
 <info><event>High tide</event><urgency>Expected</urgency><severity>Severe</severity>
  <certainty>Very Likely</certainty><eventCode>local=tide</eventCode><parameter>height=1=2</parameter>
  <parameter>bare</parameter>
  <area><areaDesc>Harbour</areaDesc><geocode>fips6=006109</geocode></area></info>
</alert>"""
"""CAP 1.0 with what only 1.0 may say."""


def plain_canonical(data: bytes) -> bytes:
    """Canonical XML without comments and instructions: what two files that say the same have in common."""
    parser = etree.XMLParser(remove_comments=True, remove_pis=True, resolve_entities=False, no_network=True)
    return etree.tostring(etree.fromstring(data, parser), method="c14n", with_comments=False)


@cache
def key_pair(
    kind: str = "ec", name: str = "agency", years: tuple[int, int] = (2020, 2040)
) -> tuple[Any, str]:
    """A private key and its certificate in PEM."""
    key: Any = (
        ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    )
    title = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(title)
        .issuer_name(title)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(years[0], 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(years[1], 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    return key, built.public_bytes(serialization.Encoding.PEM).decode()


_ADDRESS = (
    "http://",
    "a",
    "/",
    ":",
    "[",
    "]",
    "?",
    "#",
    "%41",
    "%",
    "@",
    "é",
    " ",
    "..",
    "//",
    "x:",
    "+",
    "80",
    "|",
    "~",
)
_MOMENT = (
    "2022",
    "-",
    "10",
    "04",
    "T",
    "07",
    ":",
    "25",
    "+",
    "09:00",
    "Z",
    ".5",
    "24:00:00",
    "2022-10-04T07:25:10",
    " ",
)
_WORDS = (
    "",
    "x",
    " ",
    "Actual",
    "Actual ",
    "Met",
    "12",
    "1e3",
    "+.5",
    "en-US",
    "en_US",
    "2022-10-04T07:25:10+09:00",
)
_STRANGE = ("x", "{urn:x}y", "{http://www.w3.org/2000/09/xmldsig#}Signature")
_MARKS = (
    "a",
    "{urn:q}b",
    "{http://www.w3.org/XML/1998/namespace}lang",
    "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation",
)


def spoilt(root: etree._Element, version: CapVersion, draw: Random) -> bytes:
    """A message that was changed once to three times: dropped, doubled, moved, renamed, strange, other values."""
    whole = copy.deepcopy(root)
    names = sorted({one.name for row in SCHEMAS[version].values() for one in row})
    own = f"{{{NAMESPACES[version]}}}"
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        every = list(whole.iter("*"))
        one = draw.choice(every)
        above, what = one.getparent(), draw.randrange(11)
        if what < 3 and above is not None:
            place = draw.randrange(len(above) + 1)
            if what == 0:
                above.remove(one)
            else:
                above.insert(place, copy.deepcopy(one) if what == 1 else one)
        elif what == 3 and above is not None:
            one.tag = own + draw.choice(names)
        elif what == 4 and above is not None:
            one.tag = draw.choice(_STRANGE)
        elif what == 5:
            one.text = draw.choice(_WORDS)
        elif what == 6:
            one.set(draw.choice(_MARKS), "v")
        elif what == 7 and above is not None:
            one.tail = draw.choice(("x", " ", "\u00a0", None))
        elif what == 8:
            one.insert(draw.randrange(len(one) + 1), etree.Element(own + draw.choice(names)))
        elif what == 9:
            for address in whole.iter("{*}web", "{*}uri"):
                address.text = "".join(draw.choice(_ADDRESS) for _ in range(draw.randrange(9)))
        else:
            moments = list(whole.iter("{*}sent", "{*}expires", "{*}effective")) or every
            draw.choice(moments).text = "".join(draw.choice(_MOMENT) for _ in range(draw.randrange(6)))
    return etree.tostring(whole, with_tail=False)

"""Whether a file is a valid CAP message: what the schema forbids, then what the text of the standard forbids.

A finding of severity `error` is one that the OASIS schema makes too, or the profile that was asked for; `warning` is a
rule that stands in the standard's text only. A file without errors is valid.

    for finding in check_cap(data):
        finding.line, finding.rule, finding.severity, finding.text
    check_cap(b"<alert/>")[0].rule           # 'namespace'

Source: OASIS CAP 1.2 (1 July 2010), sections 3.2 to 3.4; CAP 1.1; CAP 1.0; the CAP 1.2 IPAWS profile 1.0.
"""

from __future__ import annotations

from itertools import islice
from typing import Literal

from lxml import etree

from noroshi.gateways.cap_ipaws import ipaws_findings
from noroshi.gateways.cap_model import CapUnreadableError, CapVersion
from noroshi.gateways.cap_rules import text_findings
from noroshi.gateways.cap_valid import MAX_CAP_BYTES, Finding, cap_root, schema_findings

__all__ = ["MAX_CAP_BYTES", "Finding", "Profile", "cap_root", "check_cap", "check_root", "schema_findings"]

Profile = Literal["", "ipaws"]

MAX_FINDINGS = 500
"""Of the schema, of the text and of a profile each: nobody reads more, and a hostile file could make a million."""


def check_cap(data: bytes, *, profile: Profile = "") -> list[Finding]:
    """All that is wrong with a file, in the order of its lines. Never raises: what is no CAP message has one finding."""
    try:
        root, version = cap_root(data)
    except CapUnreadableError as error:
        return [Finding(error.line, error.rule, error.says)]
    return check_root(root, version, profile=profile)


def check_root(root: etree._Element, version: CapVersion, *, profile: Profile = "") -> list[Finding]:
    """As `check_cap`, of an `alert` element that was parsed safely."""
    sources = [schema_findings(root, version), text_findings(root, version)]
    if profile == "ipaws":
        sources.append(ipaws_findings(root, version))
    found = [one for source in sources for one in islice(source, MAX_FINDINGS)]
    return sorted(found, key=lambda one: one.line)

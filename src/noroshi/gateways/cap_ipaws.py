"""What the IPAWS profile of CAP 1.2 asks beyond CAP: the profile of the USA's public alert and warning system.

Findings of the profile's "shall" are errors, since somebody asked for the profile; what its channels merely cut off or
leave out is a warning.

    [finding.rule for finding in ipaws_findings(root, "1.2")]        # ['ipaws-code', 'ipaws-same']

Source: OASIS CAP 1.2 USA IPAWS Profile 1.0 (13 October 2009); 47 CFR 10.430 and 11.31 for lengths and codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from noroshi.gateways.cap_model import CapVersion
from noroshi.gateways.cap_valid import Finding, Severity
from noroshi.gateways.xml_parse import children, line_of, plain_text, split_name

PROFILE_CODE = "IPAWSv1.0"

MAX_SAME_CODES = 31
"""Places in one header of the Emergency Alert System (47 CFR 11.31): those beyond are cut off."""

_LENGTHS = {"CMAMtext": 90, "CMAMlongtext": 360}
"""Characters of a wireless emergency alert (47 CFR 10.430)."""

_SAME_EVENT = re.compile(r"[A-Z]{3}")
_SAME_PLACE = re.compile(r"[0-9]{6}")
_ORIGINATORS = ("EAS", "CIV", "WXR", "PEP")


def ipaws_findings(root: etree._Element, version: CapVersion) -> Iterator[Finding]:
    """What the profile forbids in an `alert` element; a message of another version than 1.2 is not of the profile."""
    if version != "1.2":
        yield _finding(root, "version", f"the profile is of CAP 1.2, and this is CAP {version}")
        return
    codes = [plain_text(one).strip() for one in _all(root, "code")]
    if PROFILE_CODE not in codes:
        yield _finding(root, "code", f"no code {PROFILE_CODE}")
    kind = "".join(plain_text(one) for one in _all(root, "msgType"))
    if kind in ("Update", "Cancel") and not any(plain_text(one).strip() for one in _all(root, "references")):
        yield _finding(root, "references", f"{kind} without references to what has not expired yet")
    infos = _all(root, "info")
    if not infos:
        yield _finding(root, "info", "no info")
    for info in infos:
        yield from _info(info)
    for name in ("category", "eventCode"):
        said = {frozenset(_said(one) for one in _all(info, name)) for info in infos}
        if len(said) > 1:
            yield _finding(infos[1], "same-event", f"the infos differ in {name}, and must tell of one event")


def _info(info: etree._Element) -> Iterator[Finding]:
    same = [value for name, value in _named(info, "eventCode") if name == "SAME"]
    if len(same) != 1 or not _SAME_EVENT.fullmatch(same[0]):
        yield _finding(info, "same", "an info needs one eventCode SAME of three capital letters")
    if not _all(info, "expires"):
        yield _finding(info, "expires", "an info has no expires")
    areas = _all(info, "area")
    if not areas:
        yield _finding(info, "area", "an info has no area")
    places = [(area, value) for area in areas for name, value in _named(area, "geocode") if name == "SAME"]
    if areas and not places:
        yield _finding(areas[0], "geocode", "no area has a geocode SAME")
    for area, value in places:
        if not _SAME_PLACE.fullmatch(value):
            yield _finding(area, "geocode", f"geocode SAME {value[:40]!r} is not of six digits")
    if len({value for _, value in places}) > MAX_SAME_CODES:
        cause = f"more than {MAX_SAME_CODES} geocodes SAME: broadcast alerts cut the rest off"
        yield _finding(info, "geocode", cause, "warning")
    yield from _parameters(info)


def _parameters(info: etree._Element) -> Iterator[Finding]:
    named = _named(info, "parameter")
    originators = [value for name, value in named if name == "EAS-ORG"]
    if not originators:
        yield _finding(info, "eas-org", "no parameter EAS-ORG: it will not be broadcast", "warning")
    if any(one not in _ORIGINATORS for one in originators):
        yield _finding(info, "eas-org", f"parameter EAS-ORG is none of {', '.join(_ORIGINATORS)}")
    for name, value in named:
        if len(value) > _LENGTHS.get(name, len(value)):
            yield _finding(
                info, "length", f"parameter {name} has more than {_LENGTHS[name]} characters", "warning"
            )


def _all(element: etree._Element, name: str) -> list[etree._Element]:
    return [one for one in children(element) if split_name(one)[1] == name]


def _said(element: etree._Element) -> str:
    return "=".join([plain_text(element).strip(), *(plain_text(one).strip() for one in children(element))])


def _named(element: etree._Element, name: str) -> list[tuple[str, str]]:
    """(valueName, value) of each child of that name."""
    pairs = []
    for one in _all(element, name):
        parts = {split_name(part)[1]: plain_text(part).strip() for part in children(one)}
        pairs.append((parts.get("valueName", ""), parts.get("value", "")))
    return pairs


def _finding(element: etree._Element, rule: str, text: str, severity: Severity = "error") -> Finding:
    return Finding(line_of(element), f"ipaws-{rule}", f"{text} (IPAWS profile)", severity)

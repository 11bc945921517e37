"""Whether a text is a value of a built-in type of XML Schema, as schema validators judge it.

    is_date_time("2022-02-29T00:00:00Z")      # False
    is_uri("http://[::1")                     # False

Source: W3C XML Schema Part 2: Datatypes, Second Edition; RFC 3986, appendix A; RFC 2396 for what anyURI escapes.
"""

from __future__ import annotations

import re
from calendar import isleap

_SPACE = " \t\r\n"

_DATE_TIME = re.compile(
    r"(-?)([1-9][0-9]{4,17}|[0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MAX_ZONE_MIN = 14 * 60


BUILT_IN_TYPES = frozenset(
    """anyType anySimpleType string normalizedString token language Name NCName NMTOKEN NMTOKENS ID IDREF IDREFS ENTITY
    ENTITIES boolean base64Binary hexBinary float double decimal integer nonPositiveInteger negativeInteger
    nonNegativeInteger positiveInteger long int short byte unsignedLong unsignedInt unsignedShort unsignedByte duration
    dateTime time date gYearMonth gYear gMonthDay gDay gMonth QName NOTATION anyURI""".split()
)
"""The types that XML Schema itself has."""


def collapsed(text: str) -> str:
    """The text as types other than `string` see it: no white space at the ends, one blank for any within."""
    return " ".join(one for one in re.split(f"[{_SPACE}]+", text) if one)


def is_date_time(text: str) -> bool:
    """xs:dateTime, with or without a zone, a fraction, or hour 24. White space is the caller's to collapse.

    There is no year 0. A bare xs:dateTime with white space around it is refused, as libxml2 does, although Part 2
    would collapse it; a type that is derived from it (the times of CAP 1.2) is collapsed first.
    """
    found = _DATE_TIME.fullmatch(text)
    if not found:
        return False
    year = int(found[2])
    if not year:
        return False
    month, day, hour, minute, second = (int(one) for one in found.groups()[2:7])
    if not 1 <= month <= 12:
        return False
    days = _DAYS[month - 1] + (month == 2 and isleap(year))
    midnight = hour == 24 and not (minute or second or (found[8] or "").strip(".0"))
    return (
        1 <= day <= days
        and (hour < 24 or midnight)
        and minute < 60
        and second < 60
        and _zone(found[9] or "Z")
    )


def _zone(text: str) -> bool:
    if text == "Z":
        return True
    hours, minutes = int(text[1:3]), int(text[4:6])
    return minutes < 60 and hours * 60 + minutes <= _MAX_ZONE_MIN


def is_language(text: str) -> bool:
    """xs:language, the form of RFC 3066."""
    return _LANGUAGE.fullmatch(collapsed(text)) is not None


def is_integer(text: str) -> bool:
    """xs:integer, of any size."""
    return _INTEGER.fullmatch(collapsed(text)) is not None


def is_decimal(text: str) -> bool:
    """xs:decimal: no exponent, no infinity."""
    return _DECIMAL.fullmatch(collapsed(text)) is not None


_ESCAPED = re.compile("[^\x20-\x7e]|[<>\"{}|\\\\^`' ]")
_CHARACTER = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_AUTHORITY = (
    r"(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?"
    r"(?:\[[^\]]*\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]+)?"
)
_PATH = rf"(?:/{_CHARACTER}*)*"
_URI = re.compile(
    rf"(?:[A-Za-z][A-Za-z0-9+.-]*:(?://{_AUTHORITY}{_PATH}|/?(?:{_CHARACTER}+{_PATH})?)"
    rf"|//{_AUTHORITY}{_PATH}|/(?:{_CHARACTER}+{_PATH})?"
    rf"|(?:[A-Za-z0-9._~!$&'()*+,;=@-]|%[0-9A-Fa-f]{{2}})+{_PATH}|)"
    rf"(?:\?(?:{_CHARACTER}|[/?])*)?(?:#(?:{_CHARACTER}|[/?\[\]])*)?"
)

_PORT = re.compile(r"\A(?:[^:/?#]*:)?//[^/?#]*:([0-9]{1,40})(?:[/?#]|\Z)")
_MAX_PORT = 2**31 - 1
"""What validators hold a port in; nothing in RFC 3986 bounds it."""


def is_uri(text: str) -> bool:
    """xs:anyURI: a reference of RFC 3986 once characters that it does not have are escaped."""
    plain = _ESCAPED.sub("_", collapsed(text))
    port = _PORT.search(plain)
    return _URI.fullmatch(plain) is not None and (port is None or int(port[1]) <= _MAX_PORT)

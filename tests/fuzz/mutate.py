"""Inputs that are nearly right: what a blind fuzzer seldom finds, since most decoders refuse what is merely random.

A canonical form refuses almost every changed byte, a signed one all of them, and a file's parser stops at the first
stray bracket. So a seed is taken apart in its own form, something in it is changed, and it is put together again; now
and then bytes are changed after that, so that the form itself is broken too.

    mutated(seed, Random(7), "msgpack")
"""

from __future__ import annotations

from random import Random
from typing import Any, Literal

import msgspec

from noroshi.messages.canonical import encode

Form = Literal["msgpack", "yaml", "xml", "json", "bytes"]

INTEGERS = (
    0,
    1,
    -1,
    2,
    3,
    4,
    5,
    16,
    127,
    128,
    255,
    2**16,
    2**31,
    2**53,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 1,
    -(2**63),
)
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 3.2, 1e8, 6.37e6, 1e308, -1e308, 5e-324, float("inf"), float("nan"))
TEXTS = (
    "",
    "JPN",
    "USA",
    "KOR",
    "jpn",
    "node",
    "partner:USA",
    "real",
    "\x00",
    "日本",
    "\ud7ff",
    "a" * 300,
    "<&>",
)
BLOBS = (b"", b"\x00", b"e" * 16, bytes(16), bytes(32), bytes(64), b"\x80", b"\x90", b"\xc1")

_BYTES = (
    b"\x00",
    b"\xff",
    b"\x80",
    b"\x90",
    b"\xc0",
    b"\xc1",
    b"\xc4\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    b"\xd9\xff",
    b"\xa1\xff",
    b"\xd4\x00\x00",
    b"\xc7\x00\x00",
    b"\xca\x7f\xc0\x00\x00",
)
"""Pieces of msgpack: lengths that promise more than there is, no numbers, extensions, texts that are no UTF-8."""

_YAML = (
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!python/object:os.system ",
    b"!!binary ",
    b"? ",
    b"| ",
    b"> ",
    b"[",
    b"]",
    b"{",
    b"}",
    b"- ",
    b": ",
    b"\t",
    b"'",
    b'"',
    b"---\n",
    b"...\n",
    b"%YAML 1.1\n",
    b"#",
    b"null",
    b"true",
    b"no",
    b".nan",
    b"-.inf",
    b"1e999",
    b"99999999999999999999",
    b"0x1f",
    b"0o17",
    b"12:30",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xc2\x85",
    b"\\x00",
    b"\r",
    b"~",
    b"2022-02-30T00:00:00Z",
    b"-1",
    b"1e-400",
    b"@",
    b"`",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
)
_XML = (
    b"<info>",
    b"</info>",
    b"<area/>",
    b"<polygon></polygon>",
    b"<polygon>1,2 3,4 5,6 1,2</polygon>",
    b"<!-- -->",
    b"<?a b?>",
    b"<!DOCTYPE alert [<!ENTITY a 'b'>]>",
    b"&amp;",
    b"&a;",
    b"&#0;",
    b"&#x110000;",
    b"<![CDATA[x]]>",
    b' a="b"',
    b' xmlns="x"',
    b"2022-02-30T00:00:00Z",
    b"0001-01-01T00:00:00+14:00",
    b"9999-12-31T23:59:59-14:00",
    b"nan,nan",
    b"1e999,0",
    b",",
    b",,",
    b"\xff\xfe",
    b'<?xml version="1.0" encoding="utf-16"?>',
    b'encoding="utf-7"',
    b"\x00",
)
_JSON = (
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b"\\",
    b"\\ud800",
    b"null",
    b"NaN",
    b"Infinity",
    b"1e999",
    b"-0",
    b"9" * 5000,
    b"[" * 5000,
    b",",
    b":",
    b"true",
    b"\x00",
    b'{"a":' * 2000,
    b"\xff",
    b'"after"',
    b"-1",
    b"1.5",
)
TOKENS: dict[Form, tuple[bytes, ...]] = {
    "msgpack": _BYTES,
    "yaml": _YAML,
    "xml": _XML,
    "json": _JSON,
    "bytes": _BYTES,
}

MOST_CHANGES = 4


def mutated(
    data: bytes, draw: Random, form: Form, others: tuple[bytes, ...] = (), limit: int = 1 << 16
) -> bytes:
    """`data` with one to a few changes, at most `limit` bytes of it; `others` are seeds that pieces are taken from."""
    room = 2 * len(data)
    for _ in range(draw.randint(1, MOST_CHANGES)):
        if form == "msgpack" and draw.random() < 0.7:
            data = _changed_value(data, draw, others)
        elif form in ("yaml", "xml") and draw.random() < 0.6:
            data = _changed_lines(data, draw, form, others)
        else:
            data = _changed_bytes(data, draw, form, others)
    return data[: max(limit, room)]


# --- values: msgpack ----------------------------------------------------------------------------------------------


def _changed_value(data: bytes, draw: Random, others: tuple[bytes, ...]) -> bytes:
    """The same with one element changed; other bytes are changed where it is no msgpack."""
    try:
        value = msgspec.msgpack.decode(data)
        donor = msgspec.msgpack.decode(draw.choice(others)) if others else value
        return encode(_changed(value, draw, donor))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError, TypeError):
        return _changed_bytes(data, draw, "msgpack", others)


def _changed(value: Any, draw: Random, donor: Any) -> Any:
    """Goes down to some element and changes it."""
    go_deeper = draw.random() < 0.85
    if isinstance(value, dict) and value and go_deeper:
        key = draw.choice(sorted(value, key=repr))
        return _entry_changed(value, key, draw, donor)
    if isinstance(value, list) and value and go_deeper:
        return _item_changed(value, draw, donor)
    if isinstance(value, bytes) and len(value) > 1 and go_deeper and value[0] & 0xE0 == 0x80:
        inner = _inner(value)
        return value if inner is None else encode(_changed(inner, draw, donor))
    return _leaf(value, draw, donor)


def _inner(value: bytes) -> Any:
    """What bytes hold that are a map or a list in msgpack themselves; None for others."""
    try:
        return msgspec.msgpack.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _entry_changed(value: dict[Any, Any], key: Any, draw: Random, donor: Any) -> dict[Any, Any]:
    match draw.randint(0, 9):
        case 0:
            return {name: one for name, one in value.items() if name != key}
        case 1:
            return {**value, draw.choice(TEXTS): value[key]}
        case 2:
            return {**value, key: draw.choice(list(value.values()))}
    return {**value, key: _changed(value[key], draw, donor)}


def _item_changed(value: list[Any], draw: Random, donor: Any) -> list[Any]:
    place = draw.randrange(len(value))
    match draw.randint(0, 9):
        case 0:
            return value[:place] + value[place + 1 :]
        case 1:
            return value[:place] + [value[place]] * draw.choice((2, 3, 17)) + value[place + 1 :]
        case 2:
            return [*value, draw.choice(value)]
        case 3:
            return []
    return [*value[:place], _changed(value[place], draw, donor), *value[place + 1 :]]


def _leaf(value: Any, draw: Random, donor: Any) -> Any:
    """Another value in its place, mostly of the same type."""
    how = draw.random()
    if how < 0.1:
        return draw.choice((None, True, False, [], {}, [value], {"": value}, donor))
    if how < 0.2:
        return draw.choice(draw.choice((INTEGERS, FLOATS, TEXTS, BLOBS)))
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return draw.choice(INTEGERS) if draw.random() < 0.5 else value + draw.choice((-1, 1, 10**9, -(10**9)))
    if isinstance(value, float):
        return draw.choice(FLOATS) if draw.random() < 0.5 else value * draw.choice((-1.0, 2.0, 0.5, 1e3))
    if isinstance(value, str):
        return draw.choice(TEXTS) if draw.random() < 0.5 else value + draw.choice(TEXTS)
    if isinstance(value, bytes):
        return (
            draw.choice(BLOBS)
            if draw.random() < 0.5 or not value
            else _changed_bytes(value, draw, "bytes", ())
        )
    return value


# --- lines: YAML and XML ------------------------------------------------------------------------------------------


def _changed_lines(data: bytes, draw: Random, form: Form, others: tuple[bytes, ...]) -> bytes:
    """Lines (of XML: elements) taken out, repeated, moved, put deeper, or exchanged for one of another seed."""
    mark = b"\n" if form == "yaml" else b"<"
    lines = data.split(mark)
    place = draw.randrange(len(lines))
    match draw.randint(0, 6):
        case 0:
            del lines[place]
        case 1:
            lines[place:place] = [lines[place]] * draw.choice((1, 2, 40))
        case 2:
            lines.insert(draw.randrange(len(lines)), lines[place])
        case 3 if form == "yaml":
            lines[place] = draw.choice((b" ", b"  ", b"- ", b"\t")) + lines[place]
        case 4 if others:
            lines[place] = draw.choice(draw.choice(others).split(mark))
        case 5 if form == "yaml" and b":" in lines[place]:
            lines[place] = lines[place].partition(b":")[0] + b": " + draw.choice(_YAML)
        case _:
            cut = draw.randint(0, len(lines[place]))
            lines[place] = lines[place][:cut] + draw.choice(TOKENS[form]) + lines[place][cut:]
    return mark.join(lines)


# --- bytes --------------------------------------------------------------------------------------------------------


def _changed_bytes(data: bytes, draw: Random, form: Form, others: tuple[bytes, ...]) -> bytes:
    place = draw.randint(0, len(data))
    end = min(len(data), place + draw.choice((1, 1, 2, 4, 16, 64)))
    match draw.randint(0, 6):
        case 0:
            return data[:place] + data[end:]
        case 1:
            return data[:place] + data[place:end] * draw.choice((2, 3, 50)) + data[end:]
        case 2:
            return data[:place]
        case 3 if others:
            other = draw.choice(others)
            start = draw.randint(0, len(other))
            return data[:place] + other[start : start + draw.randint(1, 64)] + data[end:]
        case 4 if place < len(data):
            return data[:place] + bytes((data[place] ^ 1 << draw.randint(0, 7),)) + data[place + 1 :]
        case 5:
            return data[:place] + bytes((draw.randint(0, 255),)) + data[end:]
    return data[:place] + draw.choice(TOKENS[form]) + data[place:]

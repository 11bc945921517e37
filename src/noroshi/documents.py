"""Located YAML: every element knows its line, so that a refusal names file, line, field and remedy.

Rules: the text is handed in, nothing is read here; the top level is a mapping; a key may stand once only;
only plain values come out (text, whole and decimal numbers, true and false, null, lists, mappings); tags,
merge keys and directives are refused; anchors and aliases are allowed inside the limits below. Scalars are
read in the sense of YAML 1.2 and narrower: `NO`, `on`, `12:30`, `2023-01-01`, `007` and `.nan` without quotes
are texts; keys are always texts.

    document = parse(text, "crisis.yaml")
    scenario = convert(document, Scenario)               # a frozen Struct, see `Element`
    if scenario.seed > limit:
        fail(document, ("seed",), "the seed is too large", f"use at most {limit}")
"""

from __future__ import annotations

import difflib
import json
import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

import msgspec
import yaml
from msgspec import inspect

from noroshi.errors import InputError

MAX_CHARACTERS = 4_000_000
"""Largest text, in characters: a hundred times the largest file we know; refuses a file given by mistake."""
MAX_ELEMENTS = 200_000
"""Most elements after aliases are expanded: what stops an alias bomb ("billion laughs")."""
MAX_DEPTH = 40
"""Deepest nesting; keeps recursion far from the interpreter's limit."""

Path = tuple[str | int, ...]
"""Where an element is: keys and positions from the top, as in `("links", 2, "delay_s")`."""

T = TypeVar("T")


class Element(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the records that files are converted to: immutable, named fields only, no unknown ones."""


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data and the 1-based line of every element. `file` is only a name for messages."""

    file: str
    data: dict[str, Any]
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line of the element, or of the nearest one around it that exists."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse(text: str, file: str) -> Document:
    """The plain data of one YAML document, with lines. Raises InputError for anything unusable."""
    if len(text) > MAX_CHARACTERS:
        raise InputError(file, None, "", f"longer than {MAX_CHARACTERS} characters", "is it the right file?")
    node = _Composer(file).compose(text.removeprefix("\ufeff"))
    if not isinstance(node.content, list) or not node.mapping:
        raise InputError(
            file, node.line, "", "the file does not hold fields at its top", "begin with `name: value`"
        )
    builder = _Builder(file)
    data = builder.build(node, ())
    return Document(file, data, builder.lines)


@dataclass(slots=True)
class _Node:
    """content: a scalar's value; or children as (key or position, line, node)."""

    line: int
    content: Any
    mapping: bool = False
    empty: bool = False

    @property
    def scalar(self) -> bool:
        return not isinstance(self.content, list)


@dataclass(slots=True)
class _Composer:
    """Events to nodes. Own, since PyYAML's recurses without limit and keeps the last of two equal keys."""

    file: str
    anchors: dict[str, _Node] = field(default_factory=dict)

    def compose(self, text: str) -> _Node:
        events = self._events(text)
        first = next(events, None)
        if first is None:
            raise InputError(self.file, 1, "", "the file is empty")
        node = self._node(first, events, (), 0)
        second = next(events, None)
        if second is not None:
            self._refuse(second, (), "a second document begins here", "give one document per file")
        return node

    def _events(self, text: str) -> Iterator[Any]:
        """The parser's events as they are asked for: a hostile text is left at its first fault, not parsed to its end.

        libyaml takes a time that grows with the square of the depth, and an event half a kilobyte.
        """
        # libyaml's parser gives the same events some twenty times faster; not every platform's wheel has it.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            for number, event in enumerate(yaml.parse(text, Loader=loader)):
                if number > _MAX_EVENTS:
                    self._refuse(event, (), f"more than {MAX_ELEMENTS} elements", "split the file")
                if not isinstance(event, _FRAMING):
                    yield event
        except yaml.MarkedYAMLError as error:
            at_end = error.context_mark is not None and "unexpected end" in (error.problem or "")
            mark = (error.context_mark if at_end else None) or error.problem_mark
            cause = f"not valid YAML: {error.problem or error.context}"
            line = None if mark is None else mark.line + 1
            hint = "look for a missing quote, bracket or colon, or a tab, on this line or just above it"
            raise InputError(self.file, line, "", cause, hint) from None
        except (yaml.YAMLError, UnicodeError) as error:
            what = str(error).splitlines()[0]
            raise InputError(
                self.file, None, "", f"not readable as text: {what}", "save it as UTF-8"
            ) from None

    def _node(self, event: Any, events: Iterator[Any], path: Path, depth: int) -> _Node:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                self._refuse(event, path, f"the alias *{event.anchor} has no finished anchor before it")
            return self.anchors[event.anchor]
        if event.tag is not None:
            self._refuse(
                event, path, f"the tag {event.tag} is not allowed", "write a plain value without a tag"
            )
        if depth > MAX_DEPTH:
            self._refuse(event, path, f"nested deeper than {MAX_DEPTH} levels")
        node = _Node(event.start_mark.line + 1, None)
        if isinstance(event, yaml.ScalarEvent):
            node.content = self._scalar(event, path) if event.implicit[0] else event.value
            node.empty = event.value == ""
        elif isinstance(event, yaml.SequenceStartEvent):
            node.content = self._items(events, path, depth)
        else:
            node.mapping, node.content = True, self._entries(events, path, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _items(self, events: Iterator[Any], path: Path, depth: int) -> list[tuple[int, int, _Node]]:
        items: list[tuple[int, int, _Node]] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            node = self._node(event, events, (*path, len(items)), depth + 1)
            items.append((len(items), event.start_mark.line + 1, node))
        return items

    def _entries(self, events: Iterator[Any], path: Path, depth: int) -> list[tuple[str, int, _Node]]:
        entries: dict[str, tuple[str, int, _Node]] = {}
        while not isinstance(key := next(events), yaml.MappingEndEvent):
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarEvent) or key.tag is not None:
                self._refuse(key, path, "a field name must be plain text")
            name: str = key.value
            if name == "<<" and key.implicit[0]:
                self._refuse(key, path, "merge keys (<<) are not allowed", "write the fields out")
            if name in entries:
                cause = f"the field is given twice, first in line {entries[name][1]}"
                self._refuse(key, (*path, name), cause, "keep one of them")
            entries[name] = (name, line, self._node(next(events), events, (*path, name), depth + 1))
        return list(entries.values())

    def _scalar(self, event: Any, path: Path) -> Any:
        text: str = event.value
        if text in _WORDS:
            return _WORDS[text]
        if _WHOLE.fullmatch(text):
            if len(text) > _WHOLE_CHARACTERS:
                self._refuse(
                    event, path, f"the number {text} is too large", "put it in quotes if it is a text"
                )
            return int(text)
        if _DECIMAL.fullmatch(text):
            value = float(text)
            if math.isinf(value):
                self._refuse(event, path, f"the number {text} is too large")
            return value
        return text

    def _refuse(self, event: Any, path: Path, cause: str, hint: str = "") -> NoReturn:
        raise InputError(self.file, event.start_mark.line + 1, dotted(path), cause, hint)


_FRAMING = (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentStartEvent, yaml.DocumentEndEvent)
_MAX_EVENTS = 3 * MAX_ELEMENTS + 4
"""An element has at most three events (its key, its start and its end); four frame the document."""
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_WHOLE_CHARACTERS = 19
"""What surely fits into 64 bits; UTC nanoseconds of this century have 19 digits."""
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass(slots=True)
class _Builder:
    """Nodes to plain data, writing down the line of every element; aliases are expanded here."""

    file: str
    lines: dict[Path, int] = field(default_factory=dict)

    def build(self, node: _Node, path: Path) -> Any:
        self.lines.setdefault(path, node.line)
        if len(self.lines) > MAX_ELEMENTS:
            cause = f"more than {MAX_ELEMENTS} elements when aliases are written out"
            raise InputError(
                self.file, node.line, dotted(path), cause, "use fewer aliases, or split the file"
            )
        if len(path) > MAX_DEPTH:
            raise InputError(self.file, node.line, dotted(path), f"nested deeper than {MAX_DEPTH} levels")
        if node.scalar:
            return node.content
        if not node.mapping:
            return [self.build(child, (*path, position)) for position, _, child in node.content]
        built = {}
        for name, line, child in node.content:
            # A value on a line of its own is the offending element; of a block, the key is.
            self.lines[*path, name] = child.line if child.scalar and not child.empty else line
            built[name] = self.build(child, (*path, name))
        return built


def dotted(path: Path) -> str:
    """`("links", 2, "delay_s")` as `links[2].delay_s`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def fail(document: Document, path: Path, cause: str, hint: str = "") -> NoReturn:
    """Raise the located InputError of a check that the types cannot make."""
    raise InputError(document.file, document.line(path), dotted(path), cause, hint)


def suggest(given: object, known: Iterable[str]) -> str:
    """A hint: the nearest known name, if one is near, and all of them when they are few."""
    names = list(known)
    near = difflib.get_close_matches(str(given), names, n=3, cutoff=0.6)
    parts = [f"did you mean {' or '.join(near)}?"] if near else []
    if len(names) <= _MOST_LISTED:
        parts.append(f"known: {', '.join(names)}" if names else "none is known here")
    elif not near:
        parts.append(f"known are {', '.join(names[:_MOST_LISTED])} and {len(names) - _MOST_LISTED} more")
    return " ".join(parts)


_MOST_LISTED = 20
"""Names in one hint; more does not help a reader."""


def convert(document: Document, kind: type[T]) -> T:
    """The document as `kind`, a Struct such as an `Element`. Raises InputError at the first fault."""
    try:
        return msgspec.convert(document.data, kind, strict=True, str_keys=True)
    except msgspec.ValidationError as error:
        refusal = _refusal(document, kind, str(error))
    raise refusal


def json_schema(kind: type) -> dict[str, Any]:
    """The JSON Schema (2020-12) of `kind`; the same at every call, definitions in order of name."""
    (top,), found = msgspec.json.schema_components((kind,), ref_template="#/$defs/{name}")
    definitions = json.loads(json.dumps(found))
    name = top.get("$ref", "").rpartition("/")[2]
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **definitions.pop(name, top)}
    if definitions:
        schema["$defs"] = {key: definitions[key] for key in sorted(definitions)}
    return schema


_PLACE = re.compile(r" - at (?P<key>`key` in )?`(?P<path>\$.*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[(\.\.\.)\]")
_NAMED = re.compile(r"(Object contains unknown|Object missing required) field `(.*)`$")
_WORDING = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping of fields",
    "null": "null",
}


def _refusal(document: Document, kind: type, message: str) -> InputError:
    """Make msgspec's one-line answer a located error in plain words."""
    path = _place(document, kind, message)
    what = _PLACE.sub("", message)
    whole = inspect.type_info(kind)
    info = _type_at(whole, document.data, path)
    line = document.line(path)
    if named := _NAMED.fullmatch(what):
        name = named[2]
        names = []
        if isinstance(info, inspect.StructType):
            names = [*filter(None, [info.tag_field]), *(f.encode_name for f in info.fields)]
        if "unknown" in named[1]:
            line = document.line((*path, name))
            return InputError(
                document.file, line, dotted((*path, name)), "unknown field", suggest(name, names)
            )
        tags = _tags(info, name)
        wanted = f"one of {', '.join(tags)}" if tags else _describe(_type_at(info, {}, (name,)))
        hint = f"add `{name}:` with {wanted}"
        return InputError(document.file, line, dotted((*path, name)), "the field is missing", hint)
    value = _value_at(document.data, path)
    choices = _choices(info) or (_tags(_type_at(whole, document.data, path[:-1]), path[-1]) if path else [])
    if choices:
        cause = f"{_quote(value)} is not allowed here"
        return InputError(document.file, line, dotted(path), cause, suggest(value, choices))
    return InputError(document.file, line, dotted(path), _plain(what, value), _remedy(what, value, info))


def _place(document: Document, kind: type, message: str) -> Path:
    found = _PLACE.search(message)
    if found is None:
        return ()
    path: Path = ()
    for name, position, some in _STEP.findall(found["path"]):
        path = (
            *path,
            _culprit(document, kind, message, path) if some else int(position) if position else name,
        )
    return (*path, _culprit(document, kind, message, path)) if found["key"] else path


def _culprit(document: Document, kind: type, message: str, path: Path) -> str | int:
    """Which entry of a mapping msgspec's `[...]` means: the last of the fewest first ones that give the same message."""
    entries = list(_value_at(document.data, path).items())

    def gives(count: int) -> bool:
        data = _replaced(document.data, path, dict(entries[:count]))
        try:
            msgspec.convert(data, kind, strict=True, str_keys=True)
        except msgspec.ValidationError as error:
            return str(error) == message
        return False

    count = bisect_left(range(len(entries)), True, key=lambda before: gives(before + 1))
    return str(entries[count][0]) if count < len(entries) else "?"


def _replaced(data: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    copy = list(data) if isinstance(data, list) else dict(data)
    copy[path[0]] = _replaced(data[path[0]], path[1:], value)  # type: ignore[index]  # the path came from this data
    return copy


def _value_at(data: Any, path: Path) -> Any:
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _type_at(info: Any, data: Any, path: Path) -> Any:
    """The type that stands at `path`; of a union, the member that the data chose."""
    for step in ((), *((s,) for s in path)):
        if step:
            info = _child(info, step[0])
            data = _value_at(data, step)
        while isinstance(info, inspect.Metadata) and not isinstance(info.type, _LEAVES):
            info = info.type
        if isinstance(info, inspect.UnionType):
            info = _member(info, data)
    return info


def _child(info: Any, step: str | int) -> Any:
    if isinstance(info, inspect.StructType):
        return next((f.type for f in info.fields if f.encode_name == step), None)
    if isinstance(info, inspect.DictType):
        return info.value_type
    return getattr(info, "item_type", None)


def _member(union: inspect.UnionType, data: Any) -> Any:
    for member in union.types:
        bare = member.type if isinstance(member, inspect.Metadata) else member
        if isinstance(bare, inspect.StructType):
            if isinstance(data, dict) and (bare.tag_field is None or data.get(bare.tag_field) == bare.tag):
                return bare
        elif isinstance(data, list) and hasattr(bare, "item_type"):
            return bare
    return union


_LEAVES = (inspect.StrType, inspect.IntType, inspect.FloatType, inspect.BoolType, inspect.LiteralType)


def _choices(info: Any) -> list[str]:
    members = info.types if isinstance(info, inspect.UnionType) else (info,)
    bare = [m.type if isinstance(m, inspect.Metadata) else m for m in members]
    found = [str(v) for m in bare if isinstance(m, inspect.LiteralType) for v in m.values]
    return found + [str(m.value) for b in bare if isinstance(b, inspect.EnumType) for m in b.cls]


def _tags(union: Any, step: str | int) -> list[str]:
    """The allowed values of `step` when it is the field by which the union's records are told apart."""
    members = union.types if isinstance(union, inspect.UnionType) else (union,)
    bare = [m.type if isinstance(m, inspect.Metadata) else m for m in members]
    return [str(m.tag) for m in bare if isinstance(m, inspect.StructType) and m.tag_field == step]


def _describe(info: Any) -> str:
    """What may stand in a field, in a few plain words."""
    if isinstance(info, inspect.Metadata):
        note = (info.extra_json_schema or {}).get("description")
        return str(note) if note else _describe(info.type)
    if choices := _choices(info):
        return f"one of {', '.join(choices)}"
    if isinstance(info, inspect.UnionType):
        return " or ".join(_describe(member) for member in info.types)
    if isinstance(info, inspect.StructType):
        return "a mapping of fields"
    name = type(info).__name__.removesuffix("Type").lower()
    return _WORDING.get(
        {"none": "null", "dict": "object"}.get(name, name),
        "a list" if hasattr(info, "item_type") else "a value",
    )


def _quote(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a mapping of fields" if isinstance(value, dict) else "a list"
    return f"the text {value!r}" if isinstance(value, str) else str(value)


def _plain(what: str, value: Any) -> str:
    if "matching regex" in what:
        return f"{_quote(value)} does not fit"
    wanted = what.partition(", got ")[0].replace("Expected", "expected").replace(" | ", "` or `")
    for name, wording in _WORDING.items():
        wanted = wanted.replace(f"`{name}`", wording)
    return f"{wanted}, got {_quote(value)}"


def _remedy(what: str, value: Any, info: Any) -> str:
    if isinstance(info, inspect.Metadata):
        return f"give {_describe(info)}"
    wanted = what.partition(", got ")[0].replace("`", " ").split()
    if "str" in wanted and isinstance(value, bool | int | float):
        return f"put it in quotes: '{value}'"
    if "bool" in wanted:
        return "write true or false"
    if "array" in wanted and isinstance(value, str):
        return f"write [{value}]"
    return ""

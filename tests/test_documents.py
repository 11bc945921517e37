"""Located YAML: what is read, what is refused, and that every refusal names line, field and remedy."""

import json
import re
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Literal

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from noroshi.documents import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    Element,
    convert,
    dotted,
    fail,
    json_schema,
    parse,
    suggest,
)
from noroshi.errors import InputError


class Delay(Element, frozen=True, tag_field="model", tag="fixed"):
    delay_s: Annotated[float, msgspec.Meta(ge=0)]


class Loss(Element, frozen=True, tag_field="model", tag="lossy"):
    share: float = 0.0


class Wire(Element, frozen=True):
    start: str = msgspec.field(name="from")
    kind: Literal["radio", "fibre"] = "fibre"
    models: tuple[Delay | Loss, ...] = ()


class Plan(Element, frozen=True):
    title: str
    wires: tuple[Wire, ...] = ()
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    numbered: dict[int, str] = msgspec.field(default_factory=dict)
    code: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", description="three capital letters")] = "JPN"
    open: bool = False
    level: int | None = None
    reasons: str | tuple[str, ...] = ()


def refused(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        convert(parse(text, "plan.yaml"), Plan)
    assert caught.value.file == "plan.yaml"
    assert "Traceback" not in caught.value.sentence()
    return caught.value


UNREADABLE = [
    ("", 1, "", "empty"),
    ("# only a remark\n", 1, "", "empty"),
    ("- a\n- b\n", 1, "", "does not hold fields"),
    ("just text\n", 1, "", "does not hold fields"),
    ("title: a\nwires: [\n", 3, "", "not valid YAML"),
    ("title: a\nlevel: 'x\nopen: true\n", 2, "", "unexpected end"),
    ("title: a\n\topen: true\n", 2, "", "not valid YAML"),
    ("title: a: b\n", 1, "", "not valid YAML"),
    ("title: a\nlevel: 1\n\ntitle: b\n", 4, "title", "given twice, first in line 1"),
    ("title: a\nwires:\n- from: x\n  from: y\n", 4, "wires[0].from", "given twice, first in line 3"),
    ("title: a\n'title': b\n", 2, "title", "given twice"),
    ("title: !!python/object:os.system x\n", 1, "title", "tag"),
    ("title: !secret x\n", 1, "title", "tag"),
    ("title: a\nwires: !!set {a, b}\n", 2, "wires", "tag"),
    ("title: a\n---\ntitle: b\n", 3, "", "second document"),
    ("title: *nowhere\n", 1, "title", "alias *nowhere"),
    ("title: a\nwires: &w [*w]\n", 2, "wires[0]", "alias *w"),
    ("base: &b {title: a}\n<<: *b\n", 2, "", "merge keys"),
    ("? [a, b]\n: c\n", 1, "", "must be plain text"),
    ("title: a\nlevel: 1e999\n", 2, "level", "too large"),
    ("title: a\nlevel: 99999999999999999999\n", 2, "level", "too large"),
    ("title: a\x00\n", None, "", "not readable"),
    ("title: \ud800\n", None, "", "not readable"),
]


@pytest.mark.parametrize(("text", "line", "field", "cause"), UNREADABLE)
def test_unreadable_text_is_refused_where_it_is_wrong(text: str, line: int, field: str, cause: str) -> None:
    error = refused(text)
    assert (error.line, error.field) == (line, field)
    assert cause in error.cause


UNSUITABLE = [
    ("open: true\n", 1, "title", "missing", "add `title:` with text"),
    ("title: a\nlevl: 3\n", 2, "levl", "unknown field", "did you mean level?"),
    ("title: 2023\n", 1, "title", "expected text, got 2023", "'2023'"),
    ("title: true\n", 1, "title", "expected text, got true", "quotes"),
    ("title:\n", 1, "title", "expected text, got null", ""),
    ("title:\n  a: b\n", 1, "title", "got a mapping of fields", ""),
    ("title: a\nwires: b\n", 2, "wires", "expected a list", "[b]"),
    ("title: a\nwires:\n- kind: radio\n\n- from: x\n", 3, "wires[0].from", "missing", "add `from:`"),
    ("title: a\nwires:\n- from: x\n- from: y\n  kind: fiber\n", 5, "wires[1].kind", "'fiber'", "mean fibre?"),
    ("title: a\nwires: [{from: x,\n  kind: fiber}]\n", 3, "wires[0].kind", "'fiber'", "known: fibre, radio"),
    (
        "title: a\nwires:\n- from: x\n  models:\n  - model: fixd\n",
        5,
        "wires[0].models[0].model",
        "'fixd'",
        "known: fixed, lossy",
    ),
    (
        "title: a\nwires:\n- from: x\n  models:\n  - delay_s: 1\n",
        5,
        "wires[0].models[0].model",
        "missing",
        "fixed",
    ),
    (
        "title: a\nwires:\n- from: x\n  models:\n  - model: fixed\n    delay_s: -1\n",
        6,
        "wires[0].models[0].delay_s",
        "expected a number >= 0",
        "",
    ),
    (
        "title: a\nwires:\n- from: x\n  models:\n  - model: fixed\n    delay_s: .inf\n",
        6,
        "wires[0].models[0].delay_s",
        "expected a number, got the text '.inf'",
        "",
    ),
    ("title: a\ncounts:\n  a: 1\n  b: x\n  c: 2\n", 4, "counts.b", "expected a whole number", ""),
    ("title: a\nnumbered:\n  1: a\n  two: b\n", 4, "numbered.two", "expected a whole number", ""),
    ("title: a\ncode: japan\n", 2, "code", "'japan' does not fit", "three capital letters"),
    ("title: a\nopen: yes\n", 2, "open", "expected true or false", "write true or false"),
    ("title: a\nlevel: 007\n", 2, "level", "or null, got the text '007'", ""),
    ("title: a\nlevel: 1.5\n", 2, "level", "expected a whole number or null", ""),
    ("title: a\nreasons:\n- b\n- 3\n", 4, "reasons[1]", "expected text, got 3", "'3'"),
    ("title: a\nreasons: 3\n", 2, "reasons", "expected text or a list", "'3'"),
    (
        "title: a\nwires:\n- &w {from: 1}\n- {from: b}\n",
        3,
        "wires[0].from",
        "expected text, got 1",
        "'1'",
    ),
]


@pytest.mark.parametrize(("text", "line", "field", "cause", "hint"), UNSUITABLE)
def test_wrong_values_are_refused_with_a_remedy(
    text: str, line: int, field: str, cause: str, hint: str
) -> None:
    error = refused(text)
    assert (error.line, error.field) == (line, field)
    assert cause in error.cause
    assert hint in error.hint


def test_a_good_document_becomes_frozen_records() -> None:
    text = (
        "title: a\nwires:\n- {from: x, models: [{model: fixed, delay_s: 1}]}\ncode: KOR\nnumbered: {7: x}\n"
    )
    plan = convert(parse(text, "plan.yaml"), Plan)
    assert plan.wires == (Wire(start="x", models=(Delay(delay_s=1.0),)),)
    assert plan.numbered == {7: "x"}
    with pytest.raises(AttributeError):
        plan.title = "b"  # type: ignore[misc]  # it is frozen: that is what is tested


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("NO", "NO"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("12:30", "12:30"),
        ("2023-01-01", "2023-01-01"),
        ("2022-10-03T22:22:00Z", "2022-10-03T22:22:00Z"),
        ("007", "007"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        (".nan", ".nan"),
        ("-12", -12),
        ("+5", 5),
        ("0", 0),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("2.", 2.0),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("'null'", "null"),
        ('"12"', "12"),
        ("[]", []),
        ("{}", {}),
    ],
)
def test_scalars_hold_no_surprise(written: str, value: object) -> None:
    got = parse(f"x: {written}\n", "f").data["x"]
    assert got == value
    assert type(got) is type(value)


def test_keys_are_always_texts() -> None:
    assert parse("NO: 1\n2: 2\ntrue: 3\nnull: 4\n", "f").data == {"NO": 1, "2": 2, "true": 3, "null": 4}


def test_every_element_has_the_line_where_it_stands() -> None:
    text = "a: 1\nb:\n  c:\n  - x\n  - y: 2\n    z: >\n      long\n  d:\n    'late'\ne: [1,\n  2]\n"
    document = parse(text, "f")
    expected = {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "c", 0): 4,
        ("b", "c", 1): 5,
        ("b", "c", 1, "z"): 6,
        ("b", "d"): 9,
        ("e",): 10,
        ("e", 0): 10,
        ("e", 1): 11,
    }
    assert {path: document.line(path) for path in expected} == expected
    assert document.line(("b", "c", 1, "nothing", "there")) == 5
    assert document.line(("nothing",)) == 1


def test_a_small_alias_is_expanded_and_keeps_the_line_of_its_anchor() -> None:
    document = parse("base: &b\n  x: 1\nuse: *b\n", "f")
    assert document.data == {"base": {"x": 1}, "use": {"x": 1}}
    assert document.line(("use", "x")) == 2


def test_an_alias_bomb_is_refused_at_once() -> None:
    levels = [f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 10)}]" for i in range(8)]
    with pytest.raises(InputError, match="aliases are written out"):
        parse("\n".join(["a: &a [1, 1]", *levels]), "f")


@pytest.mark.parametrize("text", ["a: " + "[" * 5000 + "]" * 5000, "a: " + "{a: " * 500 + "1" + "}" * 500])
def test_deep_nesting_is_refused_and_does_not_exhaust_the_stack(text: str) -> None:
    with pytest.raises(InputError):
        parse(text, "f")


def test_nesting_by_aliases_counts_too() -> None:
    lines = ["a0: &a0 [1]", *(f"a{i}: &a{i} [[[*a{i - 1}]]]" for i in range(1, MAX_DEPTH))]
    with pytest.raises(InputError, match="nested deeper"):
        parse("\n".join(lines), "f")


def test_too_long_a_text_is_refused() -> None:
    with pytest.raises(InputError, match="longer than"):
        parse("a: " + "x" * MAX_CHARACTERS, "f")


def test_a_byte_order_mark_and_foreign_line_ends_do_no_harm() -> None:
    document = parse("\ufeffa: 1\r\nb: 2\r\n", "f")
    assert document.data == {"a": 1, "b": 2}
    assert document.line(("b",)) == 2


def test_the_slower_parser_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: [1, {b: 'x'}]\nc:\n- d\n- e: |\n    f\n"
    fast = parse(text, "f")
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    slow = parse(text, "f")
    assert (slow.data, slow.lines) == (fast.data, fast.lines)


def test_a_check_of_ones_own_is_located_too() -> None:
    document = parse("title: a\nwires:\n- from: x\n", "plan.yaml")
    with pytest.raises(InputError) as caught:
        fail(document, ("wires", 0, "from"), "there is no unit x", "known: y")
    assert caught.value.sentence() == "plan.yaml:3: wires[0].from: there is no unit x; known: y"


def test_paths_are_written_with_dots_and_brackets() -> None:
    assert dotted(("links", 2, "delay_s")) == "links[2].delay_s"
    assert dotted(()) == ""
    assert dotted(("a", 0, 1)) == "a[0][1]"


def test_hints_name_the_nearest_and_stay_short() -> None:
    assert suggest("jp-mdo", ["jp-mod", "kr-jcs"]) == "did you mean jp-mod? known: jp-mod, kr-jcs"
    many = [f"unit-{i}" for i in range(100)]
    assert suggest("zzz", many).endswith("and 80 more")
    assert suggest("x", []) == "none is known here"


def test_the_json_schema_is_the_same_at_every_call() -> None:
    first = json.dumps(json_schema(Plan))
    assert first == json.dumps(json_schema(Plan))
    schema = json_schema(Plan)
    assert schema["required"] == ["title"]
    assert schema["additionalProperties"] is False
    assert list(schema["$defs"]) == sorted(schema["$defs"])


def sentence_of(work: Callable[[], object]) -> str:
    """Empty when the work is done, else the refusal; any other error fails the test."""
    try:
        work()
    except InputError as error:
        return error.sentence()
    return ""


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    said = sentence_of(lambda: parse(text, "f"))
    assert said == "" or said.startswith("f:")


# YAML has no surrogate pairs, forbids control characters, and folds some blanks that JSON keeps.
WORDS = st.text(st.characters(exclude_categories=("C", "Z")), max_size=8)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(WORDS, PLAIN, max_size=5))
def test_json_is_read_as_json_reads_it(data: dict[str, object]) -> None:
    assert parse(json.dumps(data, ensure_ascii=False), "f").data == data


@given(st.dictionaries(st.sampled_from(["title", "wires", "counts", "code", "open", "level", "x"]), PLAIN))
def test_whatever_does_not_fit_is_refused_at_an_element_that_exists(data: dict[str, object]) -> None:
    document = parse(json.dumps(data, indent=1, ensure_ascii=False), "f")
    said = sentence_of(lambda: convert(document, Plan))
    assert said == "" or re.match(r"f:\d+: [a-z]+[^ ]*: [^E]", said)


def dangerous(info: object, where: str = "") -> list[str]:
    """Fields that may be a text with a pattern or a list: msgspec 0.22 frees such a pattern twice at exit."""
    if isinstance(info, inspect.Metadata):
        return dangerous(info.type, where)
    if isinstance(info, inspect.UnionType):
        bare = [m.type if isinstance(m, inspect.Metadata) else m for m in info.types]
        pattern = any(isinstance(m, inspect.StrType) and m.pattern for m in bare)
        both = pattern and any(hasattr(m, "item_type") for m in bare)
        return [where] * both + [found for m in bare for found in dangerous(m, where)]
    if isinstance(info, inspect.StructType):
        places = [(field.type, f"{info.cls.__name__}.{field.name}") for field in info.fields]
        return [found for kind, place in places for found in dangerous(kind, place)]
    inner = getattr(info, "item_type", getattr(info, "value_type", None))
    return dangerous(inner, where) if inner is not None else []


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("noroshi.structure", "Structure"),
        ("noroshi.structure", "Catalogue"),
        ("noroshi.exercise.scenario", "Scenario"),
    ],
)
def test_no_type_of_a_file_can_crash_the_interpreter_at_its_end(module: str, name: str) -> None:
    assert dangerous(inspect.type_info(getattr(import_module(module), name))) == []


def test_the_dangerous_type_is_recognised() -> None:
    """Described, not made: the type itself would bring the crash into this run."""
    text, texts = inspect.StrType(pattern="^a$"), inspect.VarTupleType(inspect.StrType())
    assert dangerous(inspect.UnionType((text, texts)), "Unit.source") == ["Unit.source"]
    assert dangerous(inspect.UnionType((inspect.StrType(), texts)), "Unit.source") == []

"""The manual's table of leak paths is whole: 33 rows in order, each with tests that are there and say what they test."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.test_docs import DOCS
from tools.build_reference import ROOT

PATHS = 33
_ROW = re.compile(r"^\| (\d+) ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_RESIDUAL = re.compile(r"^- ((?:\*\*)[\d., ]+\*\*)", re.MULTILINE)


def page() -> str:
    text = (DOCS / "manual" / "release.md").read_text(encoding="utf-8")
    return text[text.index("## Known paths") :]


@cache
def there() -> dict[str, str]:
    """All test functions with their docstrings."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[node.name] = ast.get_docstring(node) or ""
    return found


def test_every_path_has_a_row() -> None:
    assert [int(number) for number, *_ in _ROW.findall(page())] == list(range(1, PATHS + 1))


@pytest.mark.parametrize("place", range(PATHS))
def test_every_row_names_tests_that_are_there(place: int) -> None:
    number, _, closes, tests = _ROW.findall(page())[place]
    names = re.findall(r"`(\w+)`", tests)
    assert names
    for name in names:
        assert name in there()
        mine = re.match(r"test_path_(\d+)_", name)
        assert mine is None or mine[1] == number
    numbered = [name for name in names if name.startswith("test_path_")]
    words = [there()[name] for name in names]
    assert numbered or any(f"Path {number}" in one for one in words), "one of them names the path"
    assert any(words)
    told = {one for text in _RESIDUAL.findall(page()) for one in re.findall(r"\d+", text)}
    assert ("Residual" in closes) <= (number in told), "what is left open is told below the table"

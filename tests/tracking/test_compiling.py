"""The compiler's cache is asked by content: what a function rests on decides, not the age of a file."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit

from noroshi.tracking import kernels
from noroshi.tracking.kernels.compiling import compiled, digest

MODULES = [module.name for module in pkgutil.iter_modules(kernels.__path__)]


def made(source: str, name: str = "outer") -> str:
    """The digest of a function whose module has this text."""
    space: dict[str, object] = {"njit": njit}
    exec(compile(source, "plain", "exec"), space)  # the text is this test's own
    return digest(space[name])


INNER = "SCALE = 2.0\n@njit\ndef inner(x):\n    return SCALE * x\n@njit\ndef outer(x):\n    return inner(x) + 1.0\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SCALE = 2.0", "SCALE = 3.0"),
        ("SCALE * x", "SCALE * x * x"),
        ("+ 1.0", "+ 2.0"),
        ("inner(x) +", "inner(x) -"),
    ],
)
def test_a_change_anywhere_below_changes_the_digest(old: str, new: str) -> None:
    assert made(INNER) == made(INNER)
    assert made(INNER) == made(f"\n\n# moved down, nothing else\n{INNER}")
    assert made(INNER.replace(old, new)) != made(INNER)


def test_the_cache_is_asked_by_the_digest() -> None:
    """When this fails the compiler has changed what decides over its cache: old code might be used."""

    def plain(x: float) -> float:
        return x + 1.0

    one = compiled(plain)
    kept: Any = [one, kernels.fall_rows]
    assert [each._cache._cache_file._source_stamp for each in kept] == [digest(each) for each in kept]


@pytest.mark.parametrize("name", MODULES)
def test_what_a_kernel_calls_stands_before_it(name: str) -> None:
    """A digest is taken where a function is defined: what comes later in the file would not be in it."""
    module = importlib.import_module(f"noroshi.tracking.kernels.{name}")
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    later = {
        (function.name, used.id)
        for function in functions.values()
        if any(isinstance(one, ast.Name) and one.id == "compiled" for one in function.decorator_list)
        for used in ast.walk(function)
        if isinstance(used, ast.Name) and used.id in functions and functions[used.id].lineno > function.lineno
    }
    assert later == set()


def test_equal_input_gives_equal_bits() -> None:
    mean, cov = np.full((3, 7), 2.0), np.tile(np.eye(7), (3, 1, 1))
    mean[:, 0] = 7e6
    again = mean.copy(), cov.copy()
    kernels.predict_rows(mean, cov, np.ones(3))
    kernels.predict_rows(*again, np.ones(3))
    assert mean.tobytes() == again[0].tobytes()
    assert cov.tobytes() == again[1].tobytes()

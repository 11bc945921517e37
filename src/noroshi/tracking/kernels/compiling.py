"""Compiling: turns a plain function into machine code on first call, kept on disk until anything it rests on changes.

Rules: no fast-math, no threads, so equal input gives equal bits. Nothing is compiled on import.

The compiler's own disk cache looks at the age of one file only; a changed inner function of another file would leave
old code in use. Here a function is known by a digest of its byte code, its constants, and the digests of all compiled
functions and numbers that it names; the cache is asked under that digest, wherever the parts lie.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from types import CodeType, FunctionType
from typing import Any, TypeVar, cast

try:
    from numba import njit
except ImportError:  # its wheels come later than those of a new Python; everything still works, slowly
    njit = None

Function = TypeVar("Function", bound=Callable[..., Any])

_KEPT = "noroshi_digest"
"""Where a function keeps its digest: all that it calls stands before it, so it never changes (a test checks that)."""

COMPILED = njit is not None
"""Whether there is a compiler; without one the same functions run as plain Python."""


def compiled(function: Function) -> Function:
    """The function, compiled for speed on its first call; bits do not depend on the machine's threads."""
    if njit is None:
        return function
    made = njit(cache=True, fastmath=False, parallel=False)(function)
    cache = getattr(made, "_cache", None)  # there is none where the compiler is switched off
    if cache is not None:
        cache._cache_file._source_stamp = digest(made)
    return cast(Function, made)


def digest(function: Any) -> str:
    """What a function computes, as far as its code, its constants and all that it names tell."""
    plain = cast(FunctionType, getattr(function, "py_func", function))
    known = plain.__dict__.get(_KEPT)
    if known is not None:
        return cast(str, known)
    found = sha256()
    _read(plain.__code__, found.update)
    for name in sorted(_names(plain.__code__)):
        value = plain.__globals__.get(name)
        if hasattr(value, "py_func"):
            found.update(f"{name} {digest(value)}".encode())
        elif isinstance(value, int | float | str | tuple):
            found.update(f"{name} {value!r}".encode())
    plain.__dict__[_KEPT] = found.hexdigest()
    return found.hexdigest()


def _read(code: CodeType, update: Callable[[bytes], None]) -> None:
    update(code.co_code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _read(constant, update)
        else:
            update(repr(constant).encode())
    update(repr(code.co_names + code.co_varnames).encode())


def _names(code: CodeType) -> set[str]:
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)

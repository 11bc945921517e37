"""Where two objects differ, whatever they are made of: every field of every object that hangs on them is compared.

differences(state, twin)                             # ['.events._events[...].lost']
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator
from typing import Any

import msgspec
import numpy as np

from noroshi.messages.trust import TrustStore

PLAIN = (str, bytes, int, float, type(None))


def differences(one: object, other: object, left_out: Container[str] = ()) -> list[str]:
    """Paths at which they differ. left_out: fields that do not count, as `name` or `name@Class`."""
    return list(_Comparison(left_out).of(one, other, ""))


class _Comparison:
    """What is one object in the one must be one object in the other, unless it is a value that never changes."""

    def __init__(self, left_out: Container[str]) -> None:
        self._left_out = left_out
        self._met: dict[int, int] = {}

    def of(self, one: Any, other: Any, path: str) -> Iterator[str]:
        if type(one) is not type(other):
            yield f"{path}: {type(one).__name__} and {type(other).__name__}"
        elif isinstance(one, PLAIN):
            yield from [] if one == other else [path]
        elif isinstance(one, np.ndarray):
            yield from [] if np.array_equal(one, other) else [path]
        elif _is_value(one):
            yield from _Comparison(self._left_out)._inside(one, other, path)
        elif id(one) in self._met:
            yield from [] if self._met[id(one)] == id(other) else [f"{path}: not the same object"]
        else:
            self._met[id(one)] = id(other)
            yield from self._inside(one, other, path)

    def _inside(self, one: Any, other: Any, path: str) -> Iterator[str]:
        match one:
            case set() | frozenset():
                yield from [] if one == other else [path]
            case dict():
                yield from self._table(one, other, path)
            case list() | tuple() | deque():
                if len(one) != len(other):
                    yield f"{path}: {len(one)} and {len(other)}"
                for place, pair in enumerate(zip(one, other, strict=False)):
                    yield from self.of(*pair, f"{path}[{place}]")
            case TrustStore():  # what it believes follows from the set of statements, in whatever order they came
                yield from self.of(one.bundles(), other.bundles(), f"{path}.bundles")
            case _:
                for name in _fields(one):
                    if name not in self._left_out and f"{name}@{type(one).__name__}" not in self._left_out:
                        yield from self.of(getattr(one, name), getattr(other, name), f"{path}.{name}")

    def _table(self, one: dict[Any, Any], other: dict[Any, Any], path: str) -> Iterator[str]:
        """Tables keep their order, which may show in what is said next."""
        if len(one) != len(other):
            yield f"{path}: {len(one)} and {len(other)}"
        for (key, value), (its_key, its_value) in zip(one.items(), other.items(), strict=False):
            yield from self.of(key, its_key, f"{path} key {key!r:.40}")
            yield from self.of(value, its_value, f"{path}[{key!r:.40}]")


def _fields(one: Any) -> list[str]:
    """All that an object holds."""
    if isinstance(one, msgspec.Struct):
        return list(one.__struct_fields__)
    slots = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
    return [*getattr(one, "__dict__", ()), *(name for name in slots if hasattr(one, name))]


def _is_value(one: Any) -> bool:
    """Whether it never changes, so that a copy is as good."""
    if isinstance(one, list):
        return all(isinstance(item, PLAIN) for item in one)
    settings = getattr(type(one), "__dataclass_params__", None)
    return isinstance(one, msgspec.Struct | frozenset | tuple) or (settings is not None and settings.frozen)

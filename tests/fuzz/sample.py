"""A value of a record's type, made from the type alone: the seed of a decoder whose records no test need name.

for value in samples(Received): ...          # plain data, as `encode` takes it; a union's members one after another
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect

DEEPEST = 12


def samples(kind: Any) -> list[Any]:
    """Plain data that converts to `kind`: with the fields that must be there, and with all of them."""
    info = inspect.type_info(kind)
    members = info.types if isinstance(info, inspect.UnionType) else (info,)
    found: list[Any] = []
    for member in members:
        for whole in (False, True):
            value = _value(member, whole, 0)
            if value not in found:
                found.append(value)
    return found


def _value(info: inspect.Type, whole: bool, depth: int) -> Any:
    """Of a type: one value; lists and maps hold one element while `whole`, none else."""
    some = whole and depth < DEEPEST
    match info:
        case inspect.StructType():
            return _struct(info, whole, depth)
        case inspect.UnionType():
            first = next((one for one in info.types if not isinstance(one, inspect.NoneType)), info.types[0])
            return _value(first, whole, depth + 1) if whole else _value(info.types[-1], whole, depth + 1)
        case inspect.LiteralType():
            return info.values[-1 if whole else 0]
        case inspect.EnumType():
            return next(iter(info.cls)).value
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() | inspect.FrozenSetType():
            return [_value(info.item_type, whole, depth + 1)] if some or info.min_length else []
        case inspect.TupleType():
            return [_value(one, whole, depth + 1) for one in info.item_types]
        case inspect.DictType():
            return (
                {_value(info.key_type, whole, depth + 1): _value(info.value_type, whole, depth + 1)}
                if some
                else {}
            )
        case inspect.BoolType():
            return whole
        case inspect.IntType():
            return int(info.ge) if isinstance(info.ge, int) else 1
        case inspect.FloatType():
            return 0.5
        case inspect.BytesType():
            return b"e" * 16
        case inspect.NoneType():
            return None
        case inspect.RawType() | inspect.AnyType():
            return {}
    return "JPN"


def _struct(info: inspect.StructType, whole: bool, depth: int) -> Any:
    fields = [one for one in info.fields if whole or one.required or info.array_like]
    values = {one.encode_name: _value(one.type, whole, depth + 1) for one in fields}
    if info.array_like:
        return [*([] if info.tag is None else [info.tag]), *values.values()]
    if info.tag is not None:
        assert info.tag_field is not None
        values = {info.tag_field: info.tag, **values}
    return values


def converts(value: Any, kind: Any) -> bool:
    """Whether plain data is a value of the type, as its decoder sees it."""
    try:
        msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=kind)
    except msgspec.MsgspecError:
        return False
    return True

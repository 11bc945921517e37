"""The house keeps its shape: imports go down, the core touches nothing, nothing happens on import.

The rules are in `tools/floors.py`. Each has planted offenders here, so that a rule that has stopped working
fails too.
"""

import builtins
from functools import cache

import pytest

from tools.floors import (
    BUILDERS,
    FLOORS,
    WORLD_BUILTINS,
    Module,
    floor_offences,
    import_offences,
    parse,
    world_offences,
)
from tools.floors import house as read_house


@cache
def house() -> list[Module]:
    """All source files, read once."""
    return list(read_house())


def test_imports_go_down_the_floors() -> None:
    assert [offence for module in house() for offence in floor_offences(module)] == []


def test_nothing_below_service_touches_the_world() -> None:
    assert [offence for module in house() for offence in world_offences(module)] == []


def test_nothing_happens_on_import() -> None:
    assert [offence for module in house() for offence in import_offences(module)] == []


def test_the_table_has_no_room_that_is_not_built() -> None:
    """Rooms to come are allowed; a built one that the table forgets is not (`floor_offences` says so too)."""
    built = {module.room for module in house()} - {None}
    assert {"clock", "errors", "messages", "log"} <= built <= set(FLOORS)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("noroshi.messages.kinds", "from noroshi.log import Record"),
        ("noroshi.log.store", "import noroshi.tracking.filter"),
        ("noroshi.log.store", "def f():\n    from noroshi.structure import load"),
        ("noroshi.warning.draft", "from noroshi import sharing"),
        ("noroshi.node.flow", "if TYPE_CHECKING:\n    from noroshi.exercise import World"),
        ("noroshi.node.flow", "from ..exercise import kernel"),
        ("noroshi.geo.frames", "from noroshi.clock import NEVER"),
        ("noroshi.clock", "from noroshi.messages import Label"),
        ("noroshi.cli.main", "from noroshi.weather import rain"),
        ("noroshi.weather.rain", "import math"),
        ("noroshi", "from noroshi.messages import Label"),
    ],
)
def test_a_planted_upward_import_is_found(name: str, text: str) -> None:
    assert floor_offences(parse(name, text, is_package=name == "noroshi"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("noroshi.messages.kinds", "from noroshi.errors import PartnerError"),
        ("noroshi.geo.frames", "from noroshi.errors import LocalError"),
        ("noroshi.node.flow", "from . import state\nfrom .work import Work"),
        ("noroshi.cli.main", "import noroshi\nfrom noroshi import __version__, service"),
        ("noroshi.__main__", "from noroshi.cli.main import main"),
    ],
)
def test_a_lawful_import_is_left_alone(name: str, text: str) -> None:
    assert floor_offences(parse(name, text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "import os.path as p",
        "from time import monotonic",
        "def f():\n    import socket",
        "from concurrent.futures import ThreadPoolExecutor",
        "from pathlib import Path\ndef f(p):\n    return Path(p).exists()",
        "import random",
        "import urllib.request",
        "from uuid import uuid4",
        "from importlib import resources",
        "def f(p):\n    return open(p)",
        "def f(p):\n    return p.read_text()",
        "def f(x):\n    return hash(x)",
        "from datetime import datetime, UTC\ndef f():\n    return datetime.now(UTC)",
        "import datetime as dt\ndef f():\n    return dt.datetime.utcnow()",
        "import numpy as np\ndef f():\n    return np.random.normal()",
        "import numpy\ndef f():\n    return numpy.random.default_rng()",
        "from numpy.random import default_rng",
        "from numpy import random\ndef f():\n    return random.rand(3)",
        "import numpy as np\ndef f():\n    return np.random.Generator(np.random.Philox())",
        "from numpy.random import PCG64\ndef f():\n    return PCG64()",
    ],
)
def test_a_planted_reach_for_the_world_is_found(text: str) -> None:
    assert world_offences(parse("noroshi.node.flow", text))
    assert world_offences(parse("noroshi.service.shell", text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import numpy as np\ndef f(key):\n    return np.random.Generator(np.random.Philox(key=key))",
        "from datetime import UTC, datetime\nEPOCH = datetime(1970, 1, 1, tzinfo=UTC)",
        "from pathlib import Path\ndef f(p):\n    return Path(__file__).parent / p",
        "from urllib.parse import quote",
        "def f(clock):\n    return clock.now()",
        "class A:\n    def __hash__(self):\n        return hash(self.id)",
    ],
)
def test_a_pure_module_is_left_alone(text: str) -> None:
    assert world_offences(parse("noroshi.node.flow", text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "start()",
        "def start():\n    return 1\nstart()",
        "TABLE = build_table()",
        "import threading\nLOCK = threading.Lock()",
        "for kind in KINDS:\n    table[kind] = 1",
        "with open('x') as f:\n    TEXT = f.read()",
        "class A:\n    started = clock.read()",
        "def f(now=now()):\n    return now",
        "@register('x')\ndef f():\n    return 1",
        "import numpy as np\nRNG = np.random.default_rng(1)",
        "from numba import njit\n@njit('f8(f8)')\ndef f(x):\n    return x",
        "try:\n    connect()\nexcept OSError:\n    pass",
    ],
)
def test_a_planted_import_effect_is_found(text: str) -> None:
    assert import_offences(parse("noroshi.node.flow", text))


@pytest.mark.parametrize(
    "text",
    [
        "import re\nNAME = re.compile('x')",
        "import msgspec\nclass A(msgspec.Struct):\n    x: int = msgspec.field()\nD = msgspec.json.Decoder(A)",
        "from types import MappingProxyType as M\nclass K: ...\nROWS = M({r.name: r for r in (K('a'),)})",
        "import numpy as np\nWEIGHTS = np.array([1.0, 2.0])\nWEIGHTS.setflags(write=False)",
        "from numba import njit\n@njit(cache=True)\ndef f(x):\n    return x",
        "KEY = lambda row: look_up(row)",
        "def _row(x):\n    return (x, x)\nROWS = tuple(_row(x) for x in range(3))",
        "if __name__ == '__main__':\n    main()",
    ],
)
def test_a_definition_is_left_alone(text: str) -> None:
    assert import_offences(parse("noroshi.node.flow", text)) == []


def test_builtins_named_here_exist() -> None:
    """A misspelt name would switch its rule off."""
    assert {name for name in WORLD_BUILTINS | BUILDERS if "." not in name} <= set(dir(builtins))

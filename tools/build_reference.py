"""Write `docs/manual/reference.md`: what each package supports, with the first sentence of its docstring.

Supported is what a package's `__init__.py` lists in `__all__`; of the modules on the lowest floor, every name without
an underscore that they define. Read from the source with `ast`, so that the page needs nothing built.
`tests/test_docs.py` compares the names on the page with the packages, in both directions.

Example: `make reference`, after a name was added to some `__all__`.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "noroshi"
PAGE = ROOT / "docs" / "manual" / "reference.md"
HEAD = """# Reference

What each package supports. Anything that is not on this page may change without notice. Units, frames, shapes and
errors stand in the docstrings: `help(noroshi.messages.seal)`.

<!-- Written by `make reference`; edit the docstrings, not this page. -->
"""


@dataclass(frozen=True, slots=True)
class Name:
    """One supported name: how it is called, and what its docstring says first ("" for a constant)."""

    name: str
    signature: str
    sentence: str
    is_constant: bool


@dataclass(frozen=True, slots=True)
class Section:
    """One importable module or package with its supported names, in the order of `__all__`."""

    module: str
    sentence: str
    names: tuple[Name, ...]


def first_sentence(docstring: str | None) -> str:
    """First sentence of a docstring on one line, safe in Markdown."""
    paragraph = " ".join((docstring or "").strip().partition("\n\n")[0].split())
    sentence = re.split(r"(?<=[.!?])\s+(?=[A-Z`])", paragraph, maxsplit=1)[0]
    return sentence.replace("<", "\\<")


def module_file(module: str) -> Path | None:
    """Where the source of `noroshi.x.y` lies; None when there is none."""
    base = SOURCE.joinpath(*module.split(".")[1:])
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def bound_names(node: ast.stmt) -> list[str]:
    """Names that an assignment binds."""
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return [target.id for target in targets if isinstance(target, ast.Name)]


def exported(tree: ast.Module) -> list[str] | None:
    """The `__all__` of a module; None when it has none."""
    for node in tree.body:
        if (
            isinstance(node, ast.Assign | ast.AnnAssign)
            and "__all__" in bound_names(node)
            and node.value is not None
        ):
            return [str(name) for name in ast.literal_eval(node.value)]
    return None


def describe(module: str, name: str) -> Name:
    """What the reference says of `module.name`, following imports to where it is defined.

    Raises LookupError when the source does not define it.
    """
    path = module_file(module)
    if path is None:
        raise LookupError(f"{module} has no source")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    if module_file(f"{node.module}.{alias.name}"):
                        return Name(name, "", "", is_constant=True)
                    return describe(node.module, alias.name)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
            signature = f"({ast.unparse(node.args)}){returns}"
            return Name(name, signature, first_sentence(ast.get_docstring(node)), is_constant=False)
        elif isinstance(node, ast.ClassDef) and node.name == name:
            return Name(name, "", first_sentence(ast.get_docstring(node)), is_constant=False)
        elif name in bound_names(node):
            return Name(name, "", "", is_constant=True)
    raise LookupError(f"{module}.{name} is listed and not defined")


def own_names(tree: ast.Module) -> list[str]:
    """Public names that a module defines itself."""
    defined = [
        name
        for node in tree.body
        for name in (
            [node.name]
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            else bound_names(node)
        )
    ]
    return [name for name in defined if not name.startswith("_") and len(name) > 1]


def sections() -> Iterator[Section]:
    """The supported modules in alphabetical order."""
    files = sorted([*SOURCE.glob("*.py"), *SOURCE.glob("*/__init__.py")])
    for path in files:
        parts = path.relative_to(SOURCE).with_suffix("").parts
        module = ".".join(["noroshi", *(part for part in parts if part != "__init__")])
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = exported(tree)
        if names is None:
            names = own_names(tree) if len(parts) == 1 and not parts[0].startswith("_") else []
        if names:
            described = tuple(describe(module, name) for name in names)
            yield Section(module, first_sentence(ast.get_docstring(tree)), described)


def write_page() -> str:
    """The whole page."""
    parts = [HEAD]
    for section in sections():
        rows = [
            f"- `{name.name}{name.signature}`" + (f": {name.sentence}" if name.sentence else "")
            for name in section.names
        ]
        parts.append("\n".join([f"## `{section.module}`", "", section.sentence, "", *rows, ""]))
    return "\n".join(parts)


def main() -> int:
    """Write the page; 0 when done."""
    PAGE.write_text(write_page(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

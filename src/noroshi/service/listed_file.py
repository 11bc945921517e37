"""YAML files that are a list: of sensors, of flights. The list stands at the top, or under one name.

document = read_listed("sensors.yaml", "sensors")       # InputError names file and line
document.data["sensors"]
"""

from __future__ import annotations

from noroshi.documents import Document, fail, parse
from noroshi.errors import InputError
from noroshi.service.files import given_text


def read_listed(file: str, name: str) -> Document:
    """The document, its list under `name` also where it stands bare. Raises InputError."""
    return parse_listed(given_text(file, f"give the file with the {name}"), file, name)


def parse_listed(text: str, file: str, name: str) -> Document:
    """The same for a text at hand."""
    lines = text.removeprefix("\ufeff").split("\n")
    filled = [i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    if filled and lines[filled[0]].rstrip() == "---":
        lines[filled.pop(0)] = ""
    if not filled:
        raise InputError(file, 1, "", "the file is empty", f"give a list of {name}")
    first = lines[filled[0]].lstrip()
    if first.startswith("["):
        lines[filled[0]] = f"{name}: {first}"
    if not first.startswith("- "):
        return _listed(parse("\n".join(lines), file), name)
    try:
        document = parse("\n".join([f"{name}:", *lines]), file)
    except InputError as error:
        line = None if error.line is None else max(1, error.line - 1)
        raise InputError(file, line, error.field, error.cause, error.hint) from None
    return Document(file, document.data, {path: max(1, line - 1) for path, line in document.lines.items()})


def _listed(document: Document, name: str) -> Document:
    """Raises InputError where there is no list of that name."""
    found = document.data.get(name)
    if not isinstance(found, list):
        cause = "the field is missing" if name not in document.data else "it is not a list"
        fail(document, (name,), cause, f"give `{name}:` with a list")
    if not found:
        fail(document, (name,), "the list is empty", f"give the {name}")
    return document

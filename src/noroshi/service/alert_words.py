"""Files of public words and of warrants: YAML that a person has written, checked before anybody signs it.

words = read_templates("our-words.yaml")         # InputError names file, line and field
warrant = read_warrant("warrant.yaml", realm="real", partner="JPN")
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from noroshi.command.warrant import SCHEMA, AlertRules, Warrant
from noroshi.documents import Element, convert, fail, parse
from noroshi.errors import InputError
from noroshi.service.files import read_text
from noroshi.warning.templates import TemplateSet, faults, packaged

PACKAGED = ("real", "exercise")
"""Names of the sets that come with noroshi."""

MAX_BYTES = 1 << 20
"""Of a file: a whole set of three languages has 10 kB."""


class WarrantFile(Element, frozen=True, kw_only=True):
    """A warrant as a person writes it. templates: `real` or `exercise` for the packaged words, else a file beside it."""

    version: Annotated[int, Meta(ge=1, lt=2**53)]
    schema: Literal["noroshi.alert-warrant/1"] = SCHEMA
    templates: tuple[str, ...] = ()
    rules: AlertRules = AlertRules()


def read_templates(given: str) -> TemplateSet:
    """The set in a file, or a packaged one by its name. Raises InputError with the first fault."""
    if given in PACKAGED:
        return packaged("real" if given == "real" else "exercise")
    document = parse(_text(Path(given), "give a file of templates, or `real`, or `exercise`"), given)
    found = convert(document, TemplateSet)
    fault = next(faults(found), None)
    if fault is not None:
        fail(document, fault.path, fault.cause, fault.hint)
    return found


def read_warrant(file: str, *, realm: str, partner: str) -> Warrant:
    """The warrant in a file, for a partner in a realm, with digests of the words that it names. Raises InputError."""
    document = parse(_text(Path(file), "give a file of a warrant"), file)
    found = convert(document, WarrantFile)
    digests = []
    for index, name in enumerate(found.templates):
        words = read_templates(name if name in PACKAGED else str(Path(file).parent / name))
        if words.realm != ("real" if realm == "real" else "exercise"):
            cause = f"these words are of the kind {words.realm}, and the realm is {realm}"
            fail(document, ("templates", index), cause, "name words of this realm's kind")
        digests.append(words.digest)
    return Warrant(
        schema=SCHEMA,
        realm=realm,
        partner=partner,
        version=found.version,
        templates=tuple(digests),
        rules=found.rules,
    )


def as_yaml(words: TemplateSet) -> dict[str, object]:
    """A set as plain data, in the order in which a person reads it."""
    data = msgspec.to_builtins(words)
    return {name: data[name] for name in ("schema", "realm", "version", "cases", "automatic")}


def _text(path: Path, hint: str) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(str(path), None, "", f"larger than {MAX_BYTES} bytes", hint)
        return read_text(path)
    except FileNotFoundError:
        raise InputError(str(path), None, "", "there is no such file", hint) from None
    except UnicodeDecodeError:
        raise InputError(str(path), None, "", "not readable as UTF-8", "save the file as UTF-8") from None
    except OSError as error:
        raise InputError(str(path), None, "", f"it cannot be read: {error.strerror}", hint) from None

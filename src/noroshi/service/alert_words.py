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
from noroshi.service.files import given_text
from noroshi.warning.templates import TemplateSet, faults, packaged, with_hazards

PACKAGED = ("real", "exercise", "real-hazards", "exercise-hazards")
"""Names of the sets that come with noroshi; those that end so have the words for other agencies' hazards as well."""

MAX_BYTES = 1 << 20
"""Of a file: a whole set of three languages has 10 kB."""


class WarrantFile(Element, frozen=True, kw_only=True):
    """A warrant as a person writes it. templates: the name of packaged words, else a file beside it."""

    version: Annotated[int, Meta(ge=1, lt=2**53)]
    schema: Literal["noroshi.alert-warrant/1"] = SCHEMA
    templates: tuple[str, ...] = ()
    rules: AlertRules = AlertRules()


def read_templates(given: str) -> TemplateSet:
    """The set in a file, or a packaged one by its name. Raises InputError with the first fault."""
    if given in PACKAGED:
        kind: Literal["real", "exercise"] = "real" if given.startswith("real") else "exercise"
        return with_hazards(kind) if given.endswith("-hazards") else packaged(kind)
    hint = f"give a file of templates, or one of {', '.join(PACKAGED)}"
    document = parse(given_text(given, hint, most=MAX_BYTES), given)
    found = convert(document, TemplateSet)
    fault = next(faults(found), None)
    if fault is not None:
        fail(document, fault.path, fault.cause, fault.hint)
    return found


def read_warrant(file: str, *, realm: str, partner: str) -> Warrant:
    """The warrant in a file, for a partner in a realm, with digests of the words that it names. Raises InputError."""
    document = parse(given_text(file, "give a file of a warrant", most=MAX_BYTES), file)
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
    order = ("schema", "realm", "version", "cases", "automatic", "hazards")
    return {name: data[name] for name in order if name in data}

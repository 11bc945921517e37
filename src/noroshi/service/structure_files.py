"""Structures by packaged name or by file, with the packaged catalogue of decisions.

catalogue, structure = read_structure("trilateral")      # InputError names file, line and field
"""

from __future__ import annotations

from noroshi.documents import suggest
from noroshi.service.files import given_text
from noroshi.service.resources import packaged_decisions, packaged_names, packaged_structure
from noroshi.structure import Catalogue, Structure, load_catalogue, load_structure


def structure_text(given: str) -> tuple[str, str]:
    """The name by which messages call a structure, and its text. A packaged name means the packaged one, and `./before`
    the file of that name. Raises InputError.
    """
    if given in packaged_names():
        return packaged_structure(given)
    hint = f"{suggest(given, packaged_names())}; or give the path of a file"
    return given, given_text(given, hint)


def read_structure(given: str) -> tuple[Catalogue, Structure]:
    """The catalogue of decisions, and a checked structure. Raises InputError."""
    decisions, text = packaged_decisions()
    catalogue = load_catalogue(text, decisions)
    file, words = structure_text(given)
    return catalogue, load_structure(words, file, catalogue)

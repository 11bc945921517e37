"""The packaged structures and their catalogue, loaded once."""

from __future__ import annotations

import pytest

from noroshi.service.resources import packaged_decisions, packaged_names, packaged_structure
from noroshi.structure import Catalogue, Structure, load_catalogue, load_structure


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    file, text = packaged_decisions()
    return load_catalogue(text, file)


@pytest.fixture(scope="session")
def packaged(catalogue: Catalogue) -> dict[str, Structure]:
    found = {}
    for name in packaged_names():
        file, text = packaged_structure(name)
        found[name] = load_structure(text, file, catalogue)
    return found

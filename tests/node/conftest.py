"""Scenes for the node's tests; skipped, saying so, where the table of places has not been built."""

from __future__ import annotations

import pytest

from noroshi.geo.placefile import PlaceTableError
from tests.node.scene import Scene, places


@pytest.fixture(scope="session", autouse=True)
def _places() -> None:
    try:
        places()
    except PlaceTableError as error:
        pytest.skip(f"needs the table of places (`make places`): {error.sentence()}")


@pytest.fixture
def scene() -> Scene:
    """Three partners under `trilateral`."""
    return Scene("trilateral")

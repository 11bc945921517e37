"""The files that are installed with the package, as text.

file, text = packaged_structure("trilateral")      # ('trilateral.yaml', 'schema: noroshi.structure/1\\n...')
"""

from __future__ import annotations

import json
from importlib.resources import files
from itertools import accumulate
from pathlib import Path

from noroshi.documents import suggest
from noroshi.errors import OperatorError
from noroshi.geo.placefile import refuse, table_path

_STRUCTURES = files("noroshi.structure") / "data"
_CATALOGUE = "decisions"


def packaged_names() -> tuple[str, ...]:
    """Names of the packaged structures, in alphabetical order; the catalogue of decisions is not one of them."""
    names = sorted(entry.name for entry in _STRUCTURES.iterdir() if entry.name.endswith(".yaml"))
    return tuple(name for name in (n.removesuffix(".yaml") for n in names) if name != _CATALOGUE)


def packaged_structure(name: str) -> tuple[str, str]:
    """The file's name and text. Raises OperatorError when no structure of that name is packaged."""
    if name not in packaged_names():
        raise OperatorError(
            "find the structure", subject=name, cause="not packaged", hint=suggest(name, packaged_names())
        )
    return _read(name)


def packaged_decisions() -> tuple[str, str]:
    """The name and text of the catalogue of decisions."""
    return _read(_CATALOGUE)


def packaged_places() -> bytes:
    """The bytes of the table of populated places. Raises PlaceTableError, saying how to build it."""
    try:
        return table_path().read_bytes()
    except FileNotFoundError:
        raise refuse(f"there is no file {table_path()}") from None
    except OSError as error:
        raise refuse(f"{table_path()} cannot be read: {error.strerror}") from None


def page_directory() -> Path:
    """Where the built page lies; it may not have been built."""
    return Path(__file__).parent / "static"


def packaged_land() -> list[list[tuple[float, float]]]:
    """Outer rings of land, [longitude, latitude] in degrees, from the built page's base map; none if it is not built.

    A review without coastlines is still a review, so a missing map is no error.
    """
    built = sorted((page_directory() / "assets").glob("basemap-*.json"))
    if not built:
        return []
    base = json.loads(built[0].read_text(encoding="utf-8"))
    return [_line(polygon[0], base["scale"]) for polygon in base["land"]]


def _line(flat: list[int], scale: int) -> list[tuple[float, float]]:
    """A line from whole steps: the first corner, then differences."""
    lons, lats = accumulate(flat[0::2]), accumulate(flat[1::2])
    return [(lon / scale, lat / scale) for lon, lat in zip(lons, lats, strict=True)]


def _read(name: str) -> tuple[str, str]:
    file = f"{name}.yaml"
    return file, (_STRUCTURES / file).read_text(encoding="utf-8")

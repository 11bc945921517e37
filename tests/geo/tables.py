"""Small tables of places for tests, and the real one where it has been built."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from noroshi.geo import PlaceTable, decode, table_path
from noroshi.geo.placefile import pack

Row = tuple[float, float, int, str]
"""Latitude and longitude in degrees, residents, name."""


def small_bytes(rows: Sequence[Row], regions: Sequence[int] | None = None) -> bytes:
    """The bytes of a table with these places, in two regions of one country and the islands of one of them."""
    lat, lon, people, names = zip(*rows, strict=True) if rows else ((), (), (), ())
    counts = np.array(people, np.int32)
    return pack(
        {
            "latitude": np.round(np.array(lat) * 10_000).astype(np.int32),
            "longitude": np.round(np.array(lon) * 10_000).astype(np.int32),
            "population": counts,
            "people": counts,
            "region": np.array(regions if regions is not None else [0] * len(rows), np.int32),
            "names": list(names),
            "names_ja": ["町" if name == "Town" else "" for name in names],
            "names_ko": [""] * len(rows),
            "regions": [
                "JP.03\tJP\tAomori\t青森県\t아오모리현\t\t\t",
                "JP.40\tJP\tTokyo\t東京都\t도쿄도\t\t\t",
                "JP.40.izu\tJP\tTokyo\t東京都\t도쿄도\tIzu Islands\t伊豆諸島\t이즈 제도",
            ],
            "countries": ["JP\tJPN\tJapan\t日本\t일본"],
        },
        {"attribution": "A test (CC BY 4.0)", "source": "test"},
    )


def small_table(rows: Sequence[Row], regions: Sequence[int] | None = None) -> PlaceTable:
    """The same, decoded."""
    return decode(small_bytes(rows, regions))


def real_table() -> PlaceTable:
    """The table of set-up; skips the test where it has not been built."""
    if not table_path().exists():
        pytest.skip("the table of places has not been built: run `make places`")
    return decode(table_path().read_bytes())

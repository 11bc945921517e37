"""An agency's GeoJSON to an area list, with every check; what is wrong is told with file, line, feature and remedy.

The file is one FeatureCollection (RFC 7946) with `agency`, `expires` and, if it is not the first, `version` beside its
`features`. Each feature is a Polygon or MultiPolygon with an `id`, and in its properties a `name` (a text, or one per
language: {"en": ..., "ja": ..., "ko": ...}), if wanted `codes` ({"jis": "02"}), `country` and `people`. Longitude comes
first. A ring that jumps by more than half a turn goes over 180 degrees.

    areas = load_areas(text, "prefectures.geojson")          # InputError(file, line, field, cause, hint)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import shapely

from noroshi.clock import from_iso
from noroshi.errors import InputError
from noroshi.geo import RingError
from noroshi.geo.frames import wrap_longitude
from noroshi.warning.area_list import (
    MAX_AREAS,
    MAX_CORNERS,
    AreaList,
    OwnArea,
    Polygon,
    packed,
    surface_of,
)
from noroshi.warning.watch import Floats

MAX_CHARACTERS = 32_000_000
"""Of a file: ten times what the corners that are allowed take with all their decimals."""

LANGUAGES = ("en", "ja", "ko")
LONGEST_NAME = 80

_SPACE = re.compile(r"[ \t\r\n]*")
_COUNTRY = re.compile(r"[A-Z]{2}")
_CODE = re.compile(r"[\w.:/-]{1,32}")
_KNOWN = frozenset({"type", "agency", "expires", "version", "country", "features", "name", "bbox", "crs"})


def load_areas(text: str, file: str) -> AreaList:
    """The list in the text. Raises InputError at the first fault."""
    return _Reader(text, file).read()


class ConstantError(ValueError):
    """A word such as NaN stands where JSON wants a number."""


class _Reader:
    """One file while it is read; knows at which line each feature begins."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text.removeprefix("\ufeff")
        self.file = file
        self.corners = 0
        self._json = json.JSONDecoder(parse_constant=_refuse_constant)

    def read(self) -> AreaList:
        if len(self.text) > MAX_CHARACTERS:
            self.fail(
                0, "", f"longer than {MAX_CHARACTERS} characters", "thin the borders out with a map tool"
            )
        top: dict[str, tuple[int, Any]] = {}
        features: list[tuple[int, Any]] = []
        try:
            for key, at, value in self._members():
                if key in top:
                    self.fail(at, key, "it is there twice", "keep one of them")
                top[key] = (at, value)
                if key == "features":
                    features = value
        except json.JSONDecodeError as error:
            self.fail(error.pos, "", f"not valid JSON: {error.msg}", "write it again with a map tool")
        except ConstantError as error:
            self.fail(self.text.find(str(error)), "", f"{error} is no number", "write a number")
        except RecursionError:
            self.fail(0, "", "it is nested too deeply", "is it the right file?")
        for key, (at, _) in top.items():
            if key not in _KNOWN:
                self.fail(
                    at,
                    key,
                    "no such field is known here",
                    "put it into the features' properties, or remove it",
                )
        if top.get("type", (0, None))[1] != "FeatureCollection":
            self.fail(
                top.get("type", (0, None))[0],
                "type",
                "it is no FeatureCollection",
                "wrap the features in one",
            )
        self._crs(top)
        agency = self._text(top, "agency", "name whose areas these are")
        expires_ns = self._expiry(top)
        version = top.get("version", (0, 1))[1]
        if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version < 2**53:
            self.fail(
                top["version"][0],
                "version",
                "it is no whole number from 1 on",
                "count up by one with each list",
            )
        country = self._country(top.get("country", (0, ""))[1], top.get("country", (0, ""))[0], "country")
        if not features:
            self.fail(
                top.get("features", (0, None))[0], "features", "there is no feature", "list at least one area"
            )
        if len(features) > MAX_AREAS:
            self.fail(features[MAX_AREAS][0], "features", f"more than {MAX_AREAS} areas", "split the list")
        areas = [self._feature(at, number, value, country) for number, (at, value) in enumerate(features)]
        seen: dict[str, int] = {}
        for number, area in enumerate(areas):
            if area.id in seen:
                cause = f"feature {seen[area.id]} has the same id {area.id!r}"
                self.fail(
                    features[number][0], f"features[{number}].id", cause, "give each area an id of its own"
                )
            seen[area.id] = number
        return AreaList(agency=agency, version=version, expires_ns=expires_ns, areas=tuple(areas))

    def fail(self, at: int, field: str, cause: str, hint: str) -> NoReturn:
        raise InputError(self.file, self.text.count("\n", 0, at) + 1, field, cause, hint)

    def _members(self) -> Iterator[tuple[str, int, Any]]:
        """The members of the top object: key, where its value begins, value; features as (where, value) each."""
        at = self._expect("{", 0)
        if self._next(at) == "}":
            return
        while True:
            at = self._skip(at)
            key, at = self._json.raw_decode(self.text, at)
            if not isinstance(key, str):
                raise json.JSONDecodeError("a key is expected", self.text, at)
            at = self._skip(self._expect(":", at))
            if key == "features" and self._next(at) == "[":
                found, end = self._elements(at)
                yield key, at, found
            else:
                value, end = self._json.raw_decode(self.text, at)
                if key == "features":
                    self.fail(at, key, "it is no list", "list the features in [ ]")
                yield key, at, value
            at = self._skip(end)
            if self._next(at) == "}":
                if self._skip(at + 1) != len(self.text):
                    raise json.JSONDecodeError("something stands after the end", self.text, at + 1)
                return
            at = self._expect(",", at)

    def _elements(self, at: int) -> tuple[list[tuple[int, Any]], int]:
        found: list[tuple[int, Any]] = []
        at = self._skip(self._expect("[", at))
        if self._next(at) == "]":
            return found, at + 1
        while True:
            value, end = self._json.raw_decode(self.text, at)
            found.append((at, value))
            at = self._skip(end)
            if self._next(at) == "]":
                return found, at + 1
            at = self._skip(self._expect(",", at))

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self.text, at)
        return match.end() if match else at

    def _next(self, at: int) -> str:
        at = self._skip(at)
        return self.text[at : at + 1]

    def _expect(self, sign: str, at: int) -> int:
        at = self._skip(at)
        if self.text[at : at + 1] != sign:
            raise json.JSONDecodeError(f"{sign!r} is expected", self.text, at)
        return at + 1

    def _crs(self, top: dict[str, tuple[int, Any]]) -> None:
        at, crs = top.get("crs", (0, None))
        if crs is not None and not any(
            one in json.dumps(crs) for one in ("CRS84", "EPSG::4326", "EPSG:4326")
        ):
            self.fail(
                at, "crs", "it is not WGS-84", "convert it to longitude and latitude in degrees of WGS-84"
            )

    def _text(self, top: dict[str, tuple[int, Any]], key: str, hint: str) -> str:
        at, value = top.get(key, (0, None))
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_NAME:
            self.fail(
                at,
                key,
                "it is missing or no text" if not isinstance(value, str) else "it is empty or too long",
                hint,
            )
        return value.strip()

    def _expiry(self, top: dict[str, tuple[int, Any]]) -> int:
        hint = 'say until when the list holds: "expires": "2027-03-31T15:00:00Z"'
        at, value = top.get("expires", (0, None))
        if not isinstance(value, str):
            self.fail(at, "expires", "it is missing: a list without an end would be believed for ever", hint)
        try:
            return from_iso(value)
        except (ValueError, OverflowError):
            self.fail(at, "expires", f"{value!r} is no time with a zone", hint)

    def _country(self, value: Any, at: int, field: str) -> str:
        if value in ("", None):
            return ""
        if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
            self.fail(
                at,
                field,
                f"{value!r} is no country",
                "write the two capital letters of ISO 3166, for example JP",
            )
        return value

    def _feature(self, at: int, number: int, value: Any, country: str) -> OwnArea:
        field = f"features[{number}]"
        if not isinstance(value, dict) or value.get("type") != "Feature":
            self.fail(at, f"{field}.type", "it is no Feature", 'write "type": "Feature"')
        properties = value.get("properties") or {}
        if not isinstance(properties, dict):
            self.fail(at, f"{field}.properties", "they are no object", "write them in { }")
        identity = value.get("id", properties.get("id"))
        if isinstance(identity, bool) or not isinstance(identity, str | int) or not str(identity).strip():
            self.fail(
                at, f"{field}.id", "it is missing", "give each area an id that stays the same in later lists"
            )
        identity = str(identity).strip()
        if len(identity) > LONGEST_NAME:
            self.fail(at, f"{field}.id", "it is too long", f"use at most {LONGEST_NAME} characters")
        names = self._names(at, field, properties)
        people = properties.get("people")
        if people is not None and (
            isinstance(people, bool) or not isinstance(people, int) or not 0 <= people < 10**10
        ):
            self.fail(
                at, f"{field}.properties.people", f"{people!r} is no number of people", "write a whole number"
            )
        area = OwnArea(
            id=identity,
            name=names["en"],
            name_ja=names["ja"],
            name_ko=names["ko"],
            country=self._country(properties.get("country"), at, f"{field}.properties.country") or country,
            codes=self._codes(at, field, properties.get("codes")),
            people=people,
            polygons=self._polygons(at, f"{field}.geometry", value.get("geometry")),
        )
        self._check_surface(at, f"{field}.geometry", area)
        return area

    def _names(self, at: int, field: str, properties: dict[str, Any]) -> dict[str, str]:
        name = properties.get("name")
        given = name if isinstance(name, dict) else {"en": name}
        for language in ("ja", "ko"):
            given.setdefault(language, properties.get(f"name_{language}"))
        names = {}
        for language in LANGUAGES:
            text = given.get(language)
            if text is None and language != "en":
                text = ""
            if (
                not isinstance(text, str)
                or len(text) > LONGEST_NAME
                or any(not one.isprintable() for one in text)
            ):
                self.fail(at, f"{field}.properties.name", f"its name in {language} is missing or no text of one line",
                          "write a text, or one per language")  # fmt: skip
            names[language] = text.strip()
        if not names["en"]:
            self.fail(
                at, f"{field}.properties.name", "it has no name", "write a text, or one per language with en"
            )
        return names

    def _codes(self, at: int, field: str, given: Any) -> tuple[tuple[str, str], ...]:
        if given is None:
            return ()
        where, hint = f"{field}.properties.codes", 'write scheme and code: {"jis": "02"}'
        if not isinstance(given, dict):
            self.fail(at, where, "they are no object", hint)
        found = []
        for scheme, codes in given.items():
            for code in codes if isinstance(codes, list) else [codes]:
                plain = str(code) if isinstance(code, int) and not isinstance(code, bool) else code
                if not isinstance(plain, str) or not _CODE.fullmatch(plain) or not _CODE.fullmatch(scheme):
                    self.fail(at, where, f"{scheme}: {code!r} is no code", hint)
                found.append((scheme, plain))
        return tuple(found)

    def _polygons(self, at: int, field: str, geometry: Any) -> tuple[Polygon, ...]:
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        coordinates = geometry.get("coordinates") if isinstance(geometry, dict) else None
        if kind not in ("Polygon", "MultiPolygon") or not isinstance(coordinates, list) or not coordinates:
            self.fail(at, field, f"{kind!r} is no area", "give a Polygon or a MultiPolygon with coordinates")
        found = []
        for index, rings in enumerate([coordinates] if kind == "Polygon" else coordinates):
            place = field if kind == "Polygon" else f"{field}, polygon {index}"
            if not isinstance(rings, list) or not rings:
                self.fail(at, place, "it has no ring", "give the outer ring first, then the holes")
            made = [packed(self._ring(at, f"{place}, ring {one}", ring)) for one, ring in enumerate(rings)]
            found.append(Polygon(made[0], tuple(made[1:])))
        return tuple(found)

    def _ring(self, at: int, field: str, ring: Any) -> Floats:
        """An open ring of latitude and longitude, rad."""
        if not isinstance(ring, list) or len(ring) < 4:
            self.fail(at, field, "it has fewer than four corners", "close the ring with its first corner")
        self.corners += len(ring)
        if self.corners > MAX_CORNERS:
            self.fail(
                at,
                field,
                f"the file has more than {MAX_CORNERS} corners",
                "thin the borders out, to 100 m or so",
            )
        for corner in ring:
            if (
                not isinstance(corner, list)
                or not 2 <= len(corner) <= 4
                or any(isinstance(one, bool) or not isinstance(one, int | float) for one in corner)
            ):
                self.fail(
                    at, field, f"{corner!r} is no corner"[:120], "write [longitude, latitude] in degrees"
                )
            if not (abs(corner[0]) <= 360.0 and abs(corner[1]) <= 90.0):
                self.fail(
                    at, field, f"{corner[:2]} is not on the Earth", "write [longitude, latitude] in degrees"
                )
        if ring[0][:2] != ring[-1][:2]:
            self.fail(at, field, "it is not closed", "repeat its first corner at its end")
        lon, lat = np.radians([[float(one) for one in corner[:2]] for corner in ring[:-1]]).T
        self._check_ring(at, field, lat, lon)
        return np.column_stack((lat, wrap_longitude(lon)))

    def _check_ring(self, at: int, field: str, lat: Floats, lon: Floats) -> None:
        """Refuses a ring that crosses itself, seen along its own way around the Earth."""
        turns = wrap_longitude(np.diff(lon, append=lon[0]))
        way = lon[0] + np.concatenate(([0.0], np.cumsum(turns)))
        around = abs(way[-1] - way[0]) > 1.0
        line = np.column_stack((way, np.append(lat, lat[0])))
        shape = shapely.linestrings(line) if around else shapely.linearrings(line)
        if not shapely.is_simple(shape):
            reason = "" if around else shapely.is_valid_reason(shapely.polygons(line))
            where = re.search(r"\[(\S+) (\S+)\]", reason)
            near = (
                f" near {np.degrees(float(where[1])):.3f}, {np.degrees(float(where[2])):.3f}" if where else ""
            )
            self.fail(at, field, f"it crosses itself{near}", "repair it with a map tool")

    def _check_surface(self, at: int, field: str, area: OwnArea) -> None:
        try:
            surface = surface_of(area)
        except RingError as error:
            self.fail(at, field, error.cause, "give an area with a surface")
        for (outer, holes), polygon in zip(surface.parts, area.polygons, strict=True):
            for hole, ring in zip(holes, polygon.holes, strict=True):
                inside = outer.contains(*(np.frombuffer(ring, "<i4").reshape(-1, 2).T * 1e-7))
                if not inside.all():
                    self.fail(
                        at,
                        field,
                        "a hole lies outside its polygon",
                        "give the outer ring first, then the holes",
                    )
                if hole.area_m2() >= outer.area_m2():
                    self.fail(
                        at, field, "a hole leaves nothing of it", "give the outer ring first, then the holes"
                    )


def _refuse_constant(word: str) -> NoReturn:
    raise ConstantError(word)

"""The public texts of an alert, made from the templates of its realm and from nothing else.

template, texts = alert_texts("exercise:demo", "Alert", areas, "", nation="JP", now_ns=now_ns)
template                                 # 'exercise/pass/1'
texts[0].headline                        # '【訓練】訓練。ミサイル発射。ただちに避難してください。'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from msgspec import UNSET

from noroshi.clock import NS_PER_S
from noroshi.gateways.local_time import UTC_ZONE, Zone, zone_of
from noroshi.gateways.realm import RealmError, check_realm_text, check_realm_words, realm_kind
from noroshi.messages.bodies import AreaRow, CitedRow, TextRow
from noroshi.warning.hazard_words import HazardCase
from noroshi.warning.templates import Case, Template, TemplateSet, packaged

LANGUAGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"JP": ("ja", "en", "ko"), "KR": ("ko", "en", "ja")}
)
"""A nation's own language first; where none is named, English first."""

_DEFAULT_LANGUAGES = ("en", "ja", "ko")
_MINUTE_NS = 60 * NS_PER_S
_CLOCKS = MappingProxyType({
    "ja": {"UTC": "協定世界時", "JST": "日本時間", "KST": "韓国時間", "ChST": "チャモロ時間"},
    "ko": {"UTC": "협정 세계시", "JST": "일본 시간", "KST": "한국 시간", "ChST": "차모로 시간"},
})  # fmt: skip
_COMMAS = MappingProxyType({"en": ", ", "ja": "、", "ko": ", "})


def alert_texts(
    realm: str,
    type_: Literal["Alert", "Update", "Cancel"] | str,
    areas: Sequence[AreaRow],
    reason: str,
    *,
    nation: str,
    now_ns: int,
    templates: TemplateSet | None = None,
    automatic: bool = False,
) -> tuple[str, list[TextRow]]:
    """The template's name and the texts in all languages, the nation's own first; times in its clock and in UTC.

    reason: why an alert ended (`passed`, `false`, `superseded`); counts for a `Cancel` only, where an empty one is
    `superseded`. templates: the packaged ones where none are given. automatic: no person has signed it, and it says so.
    Raises RealmError on a text that is not a realm, templates of the other kind, or words that claim the other realm.
    """
    kind = realm_kind(realm)
    words = templates or packaged(kind)
    if words.realm != kind:
        raise RealmError("word an alert", subject=realm, cause=f"the templates are of the kind {words.realm}")
    case = _case(type_, areas, reason)
    zone = zone_of(nation)
    texts = [
        _text(realm, words, case, language, areas, zone, now_ns, automatic=automatic)
        for language in languages(nation)
    ]
    return f"{kind}/{case}/{words.version}", texts


def hazard_texts(
    realm: str,
    cited: CitedRow,
    case: HazardCase,
    areas: Sequence[AreaRow],
    *,
    nation: str,
    now_ns: int,
    templates: TemplateSet,
    automatic: bool = False,
) -> tuple[str, list[TextRow]]:
    """The template's name and the texts of an alert on another agency's word, as `alert_texts` gives them.

    The agency is called what our nation calls it. Raises RealmError on a text that claims the other realm, or templates
    that have no words for hazards.
    """
    kind = realm_kind(realm)
    if templates.realm != kind or templates.hazards is UNSET:
        raise RealmError(
            "word an alert", subject=realm, cause="the templates have no such words for this realm"
        )
    zone = zone_of(nation)
    agencies = {"en": cited.agency, "ja": cited.agency_ja, "ko": cited.agency_ko}
    texts = [
        _filled_in(
            realm, templates, templates.hazards[cited.hazard][case][language], language, areas, zone, now_ns,
            automatic=automatic, agency=agencies[language],
        )
        for language in languages(nation)
    ]  # fmt: skip
    return f"{kind}/{cited.hazard}-{case}/{templates.version}", texts


def languages(nation: str) -> tuple[str, ...]:
    """The languages in which a nation's public is told, in order."""
    return LANGUAGES.get(nation, _DEFAULT_LANGUAGES)


def _case(type_: str, areas: Sequence[AreaRow], reason: str) -> Case:
    if type_ != "Cancel":
        return "fall" if any(area.kind == "fall" for area in areas) else "pass"
    if reason == "passed":
        return "passed"
    return "false" if reason == "false" else "superseded"


def _text(
    realm: str,
    templates: TemplateSet,
    case: Case,
    language: str,
    areas: Sequence[AreaRow],
    zone: Zone,
    now_ns: int,
    *,
    automatic: bool,
) -> TextRow:
    template = templates.template(case, language)
    return _filled_in(realm, templates, template, language, areas, zone, now_ns, automatic=automatic)


def _filled_in(
    realm: str,
    templates: TemplateSet,
    template: Template,
    language: str,
    areas: Sequence[AreaRow],
    zone: Zone,
    now_ns: int,
    *,
    automatic: bool,
    agency: str = "",
) -> TextRow:
    lines = (*template.lines, templates.automatic[language]) if automatic else template.lines
    words = {
        "regions": region_names(areas, language),
        "window": window_text(areas, language, zone, now_ns),
        "agency": agency,
    }
    row = TextRow(
        language=language,
        headline=template.headline,
        description=("" if language == "ja" else " ").join(line.format(**words) for line in lines),
        instruction=template.instruction,
    )
    for text in (row.headline, row.description, row.instruction):
        defect = check_realm_text(text, language, realm)
        if defect:
            raise RealmError("word an alert", subject=f"{realm}, {language}", cause=defect)
    return row


def region_names(areas: Sequence[AreaRow], language: str) -> str:
    """The names of the regions in a language (English where it has none), the earliest first, each once."""
    ordered = sorted(areas, key=lambda area: (area.from_ns, area.region))
    local = {"ja": lambda area: area.region_ja, "ko": lambda area: area.region_ko}.get(language)
    names = {(local(area) if local else "") or area.region: None for area in ordered}
    return _COMMAS[language].join(names)


def window_text(areas: Sequence[AreaRow], language: str, zone: Zone, now_ns: int) -> str:
    """From when until when, to the minute, outwards, in the nation's clock and in UTC; not before now."""
    first_ns = max(min((area.from_ns for area in areas), default=now_ns), now_ns)
    last_ns = max(max((area.to_ns for area in areas), default=now_ns), first_ns)
    last_ns = -(-last_ns // _MINUTE_NS) * _MINUTE_NS
    zones = (zone,) if zone == UTC_ZONE else (zone, UTC_ZONE)
    dash, opening, closing = ("～", "（", "）") if language == "ja" else ("–", " (", ")")
    parts = []
    for one in zones:
        name = _CLOCKS[language][one.name] if language in _CLOCKS else one.name
        parts.append(f"{one.hhmm(first_ns)}{dash}{one.hhmm(last_ns)}{opening}{name}{closing}")
    return _COMMAS[language].join(parts)


__all__ = ["alert_texts", "check_realm_words", "hazard_texts", "languages", "region_names", "window_text"]

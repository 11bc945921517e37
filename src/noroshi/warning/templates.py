"""The words that the public may be told: templates, each bound to a realm's kind, in three languages.

Nothing else ever reaches the public. The exercise's words are templates of their own: each begins with the mark,
and instead of an order to act they say that nobody need act. `{regions}` and `{window}` are all that is filled in.
A set holds every case in every language, the corrections and the all-clear among them, so that none is missing on the
day; a node drafts from a set only when somebody entitled has approved its digest. A set may hold the words for other
agencies' hazards as well; one without them says nothing on their word.

    packaged("exercise").digest                  # 32 bytes: what is approved
    with_hazards("exercise").hazards             # the same, and the words for hazards
    next(faults(own), None)                      # what makes a set unusable
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from noroshi.documents import Element, Path
from noroshi.gateways.realm import check_realm_text, realm_kind
from noroshi.messages.canonical import encode
from noroshi.warning import hazard_words
from noroshi.warning.hazard_words import HAZARD_CASES, HazardCase

Case = Literal["pass", "fall", "passed", "false", "superseded"]
RealmKind = Literal["real", "exercise"]
CASES: tuple[Case, ...] = get_args(Case)

VERSION = 1
HAZARD_VERSION = 2
"""Of the packaged set that has the words for hazards; those of the first are in it unchanged."""

SCHEMA: Literal["noroshi.templates/1"] = "noroshi.templates/1"
DOMAIN = b"noroshi templates 1\x00"

LANGUAGES = ("en", "ja", "ko")
"""Those in which every set has every case."""

MAX_TEXT = 2000
"""Longest text, characters: a screen of a telephone takes a tenth of it."""

FILLED = frozenset({"regions", "window"})
"""What may stand in braces: the names of the areas, and when it is expected."""

NEEDED: Mapping[Case, frozenset[str]] = MappingProxyType(
    {
        "pass": FILLED,
        "fall": FILLED,
        "passed": frozenset({"regions"}),
        "false": frozenset({"regions"}),
        "superseded": frozenset({"regions"}),
    }
)
"""What must stand in a case's description: nobody is told to act, or that they need not, without saying where."""

HAZARD_FILLED = FILLED | {"agency"}
HAZARD_NEEDED: Mapping[HazardCase, frozenset[str]] = MappingProxyType(
    {
        case: HAZARD_FILLED if case in ("issued", "updated") else frozenset({"agency", "regions"})
        for case in HAZARD_CASES
    }
)
"""Of texts on another agency's word: each says on whose."""

Words = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]


class Template(Element, frozen=True, kw_only=False):
    """The words of one case in one language. lines: of the description; `{regions}` and `{window}` are filled in."""

    headline: Words
    lines: Annotated[tuple[Words, ...], Meta(min_length=1, max_length=20)]
    instruction: Words


REAL: Mapping[tuple[Case, str], Template] = MappingProxyType(
    {
        ("pass", "en"): Template(
            "Missile launched. Take shelter now.",
            ("A missile has been launched. It is expected to pass over {regions}.", "Expected time: {window}."),
            "Go into a sturdy building or underground now. If there is none nearby, get behind something solid or lie"
            " down and protect your head. Indoors, keep away from windows. Do not touch anything that has fallen:"
            " report it to the police or the fire service.",
        ),
        ("pass", "ja"): Template(
            "ミサイル発射。ただちに避難してください。",
            ("ミサイルが発射されました。{regions}の上空を通過する見込みです。", "予想時刻：{window}。"),
            "すぐに頑丈な建物の中か地下に入ってください。近くになければ、物陰に身を隠すか、地面に伏せて頭を守ってください。"
            "屋内では窓から離れてください。落下物を見つけても触らず、警察か消防に知らせてください。",
        ),
        ("pass", "ko"): Template(
            "미사일 발사. 즉시 대피하십시오.",
            ("미사일이 발사되었습니다. {regions} 상공을 통과할 것으로 예상됩니다.", "예상 시각: {window}."),
            "지금 바로 튼튼한 건물 안이나 지하로 들어가십시오. 주변에 없으면 단단한 물체 뒤에 몸을 숨기거나 엎드려"
            " 머리를 보호하십시오. 실내에서는 창문에서 떨어지십시오. 떨어진 물체는 만지지 말고"
            " 경찰이나 소방에 알리십시오.",
        ),
        ("fall", "en"): Template(
            "Missile may fall. Take shelter now.",
            (
                "A missile has been launched. It or parts of it may fall in or near {regions}.",
                "Expected time: {window}.",
            ),
            "Go into a sturdy building or underground now. If there is none nearby, get behind something solid or lie"
            " down and protect your head. Indoors, go to a room without windows. Keep away from anything that has"
            " fallen: report it to the police or the fire service.",
        ),
        ("fall", "ja"): Template(
            "ミサイル落下のおそれ。ただちに避難してください。",
            ("ミサイルが発射されました。本体または部品が{regions}とその周辺に落下するおそれがあります。",
             "予想時刻：{window}。"),
            "すぐに頑丈な建物の中か地下に入ってください。近くになければ、物陰に身を隠すか、地面に伏せて頭を守ってください。"
            "屋内では窓のない部屋に移ってください。落下物には近づかず、警察か消防に知らせてください。",
        ),
        ("fall", "ko"): Template(
            "미사일 낙하 우려. 즉시 대피하십시오.",
            ("미사일이 발사되었습니다. 본체나 부품이 {regions} 및 그 주변에 떨어질 우려가 있습니다.",
             "예상 시각: {window}."),
            "지금 바로 튼튼한 건물 안이나 지하로 들어가십시오. 주변에 없으면 단단한 물체 뒤에 몸을 숨기거나 엎드려"
            " 머리를 보호하십시오. 실내에서는 창문이 없는 방으로 가십시오. 떨어진 물체에 다가가지 말고"
            " 경찰이나 소방에 알리십시오.",
        ),
        ("passed", "en"): Template(
            "Missile has passed. The alert is lifted.",
            ("The missile was observed beyond {regions}. The alert for these areas is lifted.",),
            "You no longer need to take shelter. If you find anything that has fallen, do not touch it: report it to the"
            " police or the fire service.",
        ),
        ("passed", "ja"): Template(
            "ミサイル通過。避難の呼びかけを解除します。",
            ("ミサイルが{regions}の先で観測されました。これらの地域への避難の呼びかけを解除します。",),
            "避難を続ける必要はありません。落下物を見つけたら、触らずに警察か消防に知らせてください。",
        ),
        ("passed", "ko"): Template(
            "미사일 통과. 경보를 해제합니다.",
            ("미사일이 {regions} 너머에서 관측되었습니다. 이 지역의 경보를 해제합니다.",),
            "더 이상 대피하지 않아도 됩니다. 떨어진 물체를 발견하면 만지지 말고 경찰이나 소방에 알리십시오.",
        ),
        ("false", "en"): Template(
            "Correction: the missile alert was false.",
            ("The alert for {regions} was sent in error and is withdrawn.",),
            "You do not need to take shelter. We are sorry for the alarm.",
        ),
        ("false", "ja"): Template(
            "訂正：先ほどのミサイル情報は誤りでした。",
            ("{regions}への情報は誤って送信されたもので、取り消します。",),
            "避難の必要はありません。ご心配をおかけし、申し訳ありません。",
        ),
        ("false", "ko"): Template(
            "정정: 앞선 미사일 경보는 잘못된 것입니다.",
            ("{regions}에 내려진 경보는 잘못 발송되어 취소합니다.",),
            "대피하지 않아도 됩니다. 놀라게 해 드려 죄송합니다.",
        ),
        ("superseded", "en"): Template(
            "The missile alert no longer applies here.",
            ("By later measurements the alert for {regions} no longer applies.",),
            "You do not need to take shelter because of that alert. Should another alert name your area, follow that"
            " one.",
        ),
        ("superseded", "ja"): Template(
            "先ほどのミサイル情報を解除します。",
            ("その後の観測により、{regions}への情報は当てはまらなくなりました。",),
            "この情報による避難は必要ありません。別の情報がお住まいの地域に出ている場合は、それに従ってください。",
        ),
        ("superseded", "ko"): Template(
            "앞선 미사일 경보는 더 이상 해당되지 않습니다.",
            ("이후 관측에 따라 {regions}에 내려진 경보는 더 이상 해당되지 않습니다.",),
            "이 경보로 대피하지 않아도 됩니다. 다른 경보가 계신 지역에 내려지면 그 경보를 따르십시오.",
        ),
    }
)  # fmt: skip
"""Said under the real root only; not one of them speaks of a drill."""

_FRAME: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "en": ("EXERCISE EXERCISE. ", "EXERCISE. ", "EXERCISE. Nobody needs to act. Played advice: "),
        "ja": ("【訓練】訓練。", "【訓練】", "【訓練】行動の必要はありません。訓練上の案内："),
        "ko": ("[훈련] 훈련. ", "[훈련] ", "[훈련] 행동할 필요가 없습니다. 훈련상의 안내: "),
    }
)
"""What opens an exercise's headline, description and instruction."""


def _played(language: str, real: Template) -> Template:
    headline, line, instruction = _FRAME[language]
    return Template(
        headline + real.headline,
        (line + real.lines[0], *real.lines[1:]),
        instruction + real.instruction,
    )


EXERCISE: Mapping[tuple[Case, str], Template] = MappingProxyType(
    {(case, language): _played(language, real) for (case, language), real in REAL.items()}
)
"""Said under an exercise's root only; every one carries the mark in headline, description and instruction."""

BY_REALM: Mapping[RealmKind, Mapping[tuple[Case, str], Template]] = MappingProxyType(
    {"real": REAL, "exercise": EXERCISE}
)


_AUTOMATIC: Mapping[RealmKind, Mapping[str, str]] = MappingProxyType(
    {
        "real": MappingProxyType(
            {
                "en": "This alert was issued automatically.",
                "ja": "この情報は自動で発信されました。",
                "ko": "이 경보는 자동으로 발령되었습니다.",
            }
        ),
        "exercise": MappingProxyType(
            {
                "en": "EXERCISE. This alert was issued automatically.",
                "ja": "【訓練】この情報は自動で発信されました。",
                "ko": "[훈련] 이 경보는 자동으로 발령되었습니다.",
            }
        ),
    }
)
"""What an alert says that no person has signed before it went out."""


class TemplateSet(Element, frozen=True, kw_only=True):
    """All public words of one kind of realm. cases: by case and language; automatic: the line, by language, of an alert
    that was issued automatically. version: a number for people; what is approved is the digest. hazards: what is said on
    another agency's word, by kind, case and language; nothing is, where there are none.
    """

    schema: Literal["noroshi.templates/1"]
    realm: RealmKind
    version: Annotated[int, Meta(ge=1, lt=2**31)]
    cases: dict[Case, dict[str, Template]]
    automatic: dict[str, Words]
    hazards: dict[str, dict[HazardCase, dict[str, Template]]] | msgspec.UnsetType = msgspec.UNSET

    @property
    def digest(self) -> bytes:
        """SHA-256 of its canonical bytes behind a domain of its own."""
        return sha256(DOMAIN + encode(self)).digest()

    def template(self, case: Case, language: str) -> Template:
        """The words of a case. Raises KeyError in a set with faults."""
        return self.cases[case][language]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a set is unusable: where in it, what is wrong, and what would be right."""

    path: Path
    cause: str
    hint: str = ""


def packaged(kind: RealmKind) -> TemplateSet:
    """The set that comes with noroshi for a kind of realm."""
    words = BY_REALM[kind]
    return TemplateSet(
        schema=SCHEMA,
        realm=kind,
        version=VERSION,
        cases={case: {language: words[case, language] for language in LANGUAGES} for case in CASES},
        automatic=dict(_AUTOMATIC[kind]),
    )


def with_hazards(kind: RealmKind) -> TemplateSet:
    """The packaged set that has words for other agencies' hazards too: those of `packaged`, and of four kinds of
    hazard.
    """
    return msgspec.structs.replace(
        packaged(kind),
        version=HAZARD_VERSION,
        hazards={
            hazard: {
                case: {language: _hazard_template(kind, hazard, case, language) for language in LANGUAGES}
                for case in HAZARD_CASES
            }
            for hazard in hazard_words.KINDS
        },
    )


def _hazard_template(kind: RealmKind, hazard: str, case: HazardCase, language: str) -> Template:
    words = hazard_words.REAL[hazard, case, language]
    real = Template(words.headline, words.lines, words.instruction)
    return real if kind == "real" else _played(language, real)


def read_set(raw: bytes) -> TemplateSet | str:
    """The set in these canonical bytes, when nothing is wrong with it; or why it is unusable. Never raises."""
    try:
        found = _SET.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "malformed-templates"
    if encode(found) != raw:
        return "malformed-templates"
    return "faulty-templates" if next(faults(found), None) is not None else found


_SET = msgspec.msgpack.Decoder(TemplateSet)


def faults(found: TemplateSet) -> Iterator[Fault]:
    """All that is wrong with a set: missing cases and languages, placeholders, words of the other realm."""
    realm = "real" if found.realm == "real" else "exercise:any"
    for case in CASES:
        given = found.cases.get(case)
        if given is None:
            yield Fault(("cases",), f"the case {case} is missing", f"give all of {', '.join(CASES)}")
            continue
        for language in LANGUAGES:
            if language not in given:
                yield Fault(("cases", case), f"{language} is missing", "give en, ja and ko")
                continue
            yield from _faults_of(case, language, given[language], realm)
        yield from (
            Fault(("cases", case, language), "this language is not known", "give en, ja and ko")
            for language in given
            if language not in LANGUAGES
        )
    for language in LANGUAGES:
        if language not in found.automatic:
            yield Fault(("automatic",), f"{language} is missing", "give en, ja and ko")
        else:
            yield from _text_faults(("automatic", language), found.automatic[language], language, realm, ())
    if found.hazards is not msgspec.UNSET:
        yield from _hazard_faults(found.hazards, realm)


def _hazard_faults(
    given: Mapping[str, Mapping[HazardCase, Mapping[str, Template]]], realm: str
) -> Iterator[Fault]:
    """What is wrong with the words for hazards: a set that has any has all of them."""
    for hazard in given:
        if hazard not in hazard_words.KINDS:
            yield Fault(
                ("hazards", hazard), "this kind is not known", f"give {', '.join(hazard_words.KINDS)}"
            )
    for hazard in hazard_words.KINDS:
        for case in HAZARD_CASES:
            known = given.get(hazard, {}).get(case, {})
            for language in LANGUAGES:
                if language not in known:
                    yield Fault(("hazards",), f"{hazard}/{case}/{language} is missing", "give en, ja and ko")
                    continue
                place: Path = ("hazards", hazard, case, language)
                yield from _words_faults(
                    place, known[language], language, realm, HAZARD_FILLED, HAZARD_NEEDED[case]
                )
            for language in known:
                if language not in LANGUAGES:
                    yield Fault(
                        ("hazards", hazard, case, language),
                        "this language is not known",
                        "give en, ja and ko",
                    )


def _faults_of(case: Case, language: str, template: Template, realm: str) -> Iterator[Fault]:
    yield from _words_faults(("cases", case, language), template, language, realm, FILLED, NEEDED[case])


def _words_faults(
    place: Path, template: Template, language: str, realm: str, filled: frozenset[str], needed: frozenset[str]
) -> Iterator[Fault]:
    yield from _text_faults((*place, "headline"), template.headline, language, realm, ())
    yield from _text_faults((*place, "instruction"), template.instruction, language, realm, ())
    whole = " ".join(template.lines)
    wrong = list(_text_faults((*place, "lines"), whole, language, realm, filled))
    yield from wrong
    for name in () if wrong else sorted(needed - _filled(whole)):
        yield Fault((*place, "lines"), f"{{{name}}} is missing", f"say {name} in one of the lines")


def _text_faults(
    place: Path, text: str, language: str, realm: str, allowed: frozenset[str] | tuple[str, ...]
) -> Iterator[Fault]:
    may_be = [f"{{{name}}}" for name in sorted(allowed or FILLED)]
    listed = f"{', '.join(may_be[:-1])} {{}} {may_be[-1]}"
    try:
        odd = sorted(_filled(text) - frozenset(allowed))
    except ValueError as error:
        hint = f"write {listed.replace('{}', 'or')}, and no other braces"
        yield Fault(place, f"its braces are wrong: {error}", hint)
        return
    if odd:
        hint = f"only {listed.replace('{}', 'and')}, in `lines`"
        yield Fault(place, f"{{{odd[0]}}} cannot be filled in here", hint)
    reason = check_realm_text(text, language, realm)
    if reason:
        yield Fault(place, reason, f"this set is of the kind {realm_kind(realm)}")


def _filled(text: str) -> frozenset[str]:
    """What stands in braces. Raises ValueError on braces that do not close, or that format or convert."""
    names: set[str] = set()
    for _, name, form, conversion in string.Formatter().parse(text):
        if name is not None:
            if form or conversion:
                raise ValueError("nothing may be formatted")
            names.add(name)
    return frozenset(names)

"""What a realm may say to the outside: the one status that it has, and the words that it may not use.

An exercise says so in every text and never claims to be the real thing; a real alert never speaks of a drill. The
check reads what a person reads: letters of other widths, invisible characters and odd spacing do not help.

    check_realm_words("THIS IS NOT A DRILL", "exercise:demo")     # 'claims to be real: "not a drill"'
    check_realm_words("This is not a drill", "real")              # ''
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from noroshi.errors import LocalError
from noroshi.messages.trust import REAL, is_realm

MARKS: Mapping[str, str] = MappingProxyType({"en": "EXERCISE", "ja": "訓練", "ko": "훈련"})
"""The word that every text of an exercise carries, by language."""


class RealmError(LocalError):
    """Something of one realm was about to speak for another."""


def realm_kind(realm: str) -> Literal["real", "exercise"]:
    """`real` or `exercise`. Raises RealmError on a text that is not a realm."""
    if not is_realm(realm):
        raise RealmError("speak for a realm", subject=repr(realm), cause="there is no such realm")
    return "real" if realm == REAL else "exercise"


def status_for(realm: str, claimed: str = "") -> Literal["Actual", "Exercise"]:
    """The CAP status of a realm; it comes from the realm alone.

    A `claimed` status can only refuse: raises RealmError when it is another one than the realm's.
    """
    status: Literal["Actual", "Exercise"] = "Actual" if realm_kind(realm) == "real" else "Exercise"
    if claimed not in ("", status):
        raise RealmError(
            "encode an alert", subject=realm, cause=f"status {claimed!r} does not belong to this realm",
            hint=f"the only status of this realm is {status!r}",
        )  # fmt: skip
    return status


_DRILL = r"(?:exercises?|drills?|tests?|training|simulations?|rehearsals?)"
_NOT_A_DRILL = re.compile(
    rf"\b(?:not|no|isn't|isnt|never|neither)\b(?:[\s,]+(?:a|an|any|the|just|only|merely|another|mere))*[\s,]+{_DRILL}\b"
)
_IS_REAL = re.compile(
    r"\b(?:this is (?:for )?real|real[\s-]?world|(?:an? )?(?:actual|real|live)"
    r" (?:alert|attack|emergency|event|launch|missile|warning)|no longer an exercise)\b"
)
_JA_NOT_A_DRILL = re.compile(
    r"(?:訓練|演習|テスト|試験|練習|予行)(?:放送|配信)?(?:では|じゃ|で|は)は?(?:あり?ません|ない|なく|なし|無い|無く)"
)
_JA_IS_REAL = re.compile(r"本番|本物|実戦|実際の(?:攻撃|警報|発射|ミサイル|事態|避難)|実動")
_KO_NOT_A_DRILL = re.compile(
    r"(?:훈련|연습|테스트|시험|모의)(?:방송|상황|경보)?(?:이|가|은|는)?(?:아닙니다|아니다|아님|아닌|아니며|아니고|아니라|아니오|아니에요)"
)
_KO_IS_REAL = re.compile(r"실제(?:의)?(?:상황|경보|공격|발사|미사일|사태|대피)|실전")

_BETWEEN = re.compile(r"[\s_*~]+")
_ASCII_BETWEEN = dict.fromkeys((*range(9, 14), *range(28, 32), 42, 95, 126), " ")
"""The same among ASCII characters by their numbers: spaces of all kinds, and `*`, `_`, `~`."""

_EN_DRILL = re.compile(
    r"\b(?:exercis\w*|drills?|simulat\w*|rehears\w*|mock|training"
    r"|(?:this is|only|just)(?: only| just)? a test|test (?:alert|broadcast|message|warning))\b"
)
_JA_DRILL = re.compile(r"訓練|演習|予行|模擬|テスト|試験(?:放送|配信|電文)")
_KO_DRILL = re.compile(r"훈련|연습|모의|테스트|시험(?:방송|발송|경보)")

_DRILL_STEMS = ("exercis", "drill", "test", "training", "simulat", "rehears", "mock")
_REAL_STEMS = ("real", "actual", "live", "longer")
"""One of which stands in every text that the English patterns find something in. Most texts have none, and to look for
letters takes a tenth of the time: every word that a post says is looked at before anybody else's is.
"""

_Spaced = tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]

_CLAIMS_REAL: tuple[_Spaced, tuple[re.Pattern[str], ...]] = (
    ((_DRILL_STEMS, _NOT_A_DRILL), (_REAL_STEMS, _IS_REAL)),
    (_JA_NOT_A_DRILL, _JA_IS_REAL, _KO_NOT_A_DRILL, _KO_IS_REAL),
)
_CLAIMS_DRILL: tuple[_Spaced, tuple[re.Pattern[str], ...]] = (
    ((_DRILL_STEMS, _EN_DRILL),),
    (_JA_DRILL, _KO_DRILL),
)
"""Patterns for spaced text, and for text without any spaces, as Japanese and Korean may be spaced anyhow."""


def check_realm_words(text: str, realm: str) -> str:
    """Why a text claims a realm other than its own, naming the words; an empty text when it does not.

    Looks in English, Japanese and Korean whatever language the text is said to be in. Raises RealmError when `realm`
    is not a realm. In `real`, denying a drill is allowed, speaking of one is not.
    """
    kind, spaced = realm_kind(realm), _plain(text)
    dense = "" if spaced.isascii() else re.sub(r"\s+", "", spaced)
    if kind == "exercise":
        found = _first(spaced, dense, _CLAIMS_REAL)
        return f'claims to be real: "{found}"' if found else ""
    if dense:
        dense = _KO_NOT_A_DRILL.sub("", _JA_NOT_A_DRILL.sub("", dense))
    if _has_any(spaced, _DRILL_STEMS):
        spaced = _NOT_A_DRILL.sub(" ", spaced)
    found = _first(spaced, dense, _CLAIMS_DRILL)
    return f'claims to be an exercise: "{found}"' if found else ""


_EVERYDAY = re.compile(
    r"\bexercis\w*(?:\s+\w+){0,3}\s+(?:caution|care|judge?ment|vigilance|restraint|discretion|patience)\b"
    r"|\b(?:use|with) caution (?:when|while) exercising\b"
    r"|\b(?:exercis\w*|training) (?:outdoors?|outside|indoors?)\b"
    r"|\btraining (?:of )?(?:thunder)?(?:storms?|cells?|showers?|rain\w*|echoes)\b"
    r"|\b(?:model|computer|ensemble|numerical)\s+simulat\w*\b"
)
"""Words of a drill as weather and other agencies use them of the weather, and of what people should do."""


def check_foreign_words(text: str, realm: str) -> str:
    """As `check_realm_words`, of another agency's words, which speak of caution to exercise and of storms in train."""
    if realm_kind(realm) == "real":
        text = _EVERYDAY.sub(" ", _plain(text))
    return check_realm_words(text, realm)


def check_realm_text(text: str, language: str, realm: str) -> str:
    """As `check_realm_words`, and a text of an exercise must also carry the mark of its language."""
    defect = check_realm_words(text, realm)
    if not defect and realm_kind(realm) == "exercise" and MARKS[language] not in text:
        return f"an exercise's text must say {MARKS[language]}"
    return defect


def _plain(text: str) -> str:
    if text.isascii():  # nothing in it is folded but capitals, and nothing is invisible
        spaced = text.lower().translate(_ASCII_BETWEEN)
        while "  " in spaced:
            spaced = spaced.replace("  ", " ")
        return spaced
    folded = unicodedata.normalize("NFKC", text).replace("\u2019", "'").casefold()
    visible = "".join([c for c in folded if unicodedata.category(c) not in ("Cf", "Mn")])
    return _BETWEEN.sub(" ", visible)


def _first(spaced: str, dense: str, patterns: tuple[_Spaced, tuple[re.Pattern[str], ...]]) -> str:
    """What the first pattern finds that finds anything. dense: empty where all of the text is ASCII."""
    for stems, pattern in patterns[0]:
        match = pattern.search(spaced) if _has_any(spaced, stems) else None
        if match:
            return match.group(0)
    for pattern in patterns[1] if dense else ():
        match = pattern.search(dense)
        if match:
            return match.group(0)
    return ""


def _has_any(text: str, stems: tuple[str, ...]) -> bool:
    return any(stem in text for stem in stems)

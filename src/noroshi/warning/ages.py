"""How long ago an object was last observed, in words: every update and every alert may say it.

age_words(last_observed_ns, now_ns, "en")            # 'last observed 12 seconds ago'
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from noroshi.clock import NS_PER_S

FRESH_S = 2
"""Younger than this an object counts as observed now: what lies between is the way of the message."""

_WORDS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "en": ("observed now", "last observed {s} seconds ago", "last observed {m} min {s} s ago"),
        "ja": ("現在観測中", "最終観測は{s}秒前", "最終観測は{m}分{s}秒前"),
        "ko": ("현재 관측 중", "마지막 관측 {s}초 전", "마지막 관측 {m}분 {s}초 전"),
    }
)
"""For an age below `FRESH_S`, below two minutes, and above."""


def age_s(last_observed_ns: int, now_ns: int) -> float:
    """Seconds since the last observation; 0 for one that clocks put into the future."""
    return max(now_ns - last_observed_ns, 0) / NS_PER_S


def age_words(last_observed_ns: int, now_ns: int, language: str) -> str:
    """The age of the last observation in `en`, `ja` or `ko`, rounded down to the second. Raises KeyError."""
    now, some, many = _WORDS[language]
    age = int(age_s(last_observed_ns, now_ns))
    if age < FRESH_S:
        return now
    return some.format(s=age) if age < 120 else many.format(m=age // 60, s=age % 60)

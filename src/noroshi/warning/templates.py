"""The words that the public may be told: templates, each bound to a realm's kind, in three languages.

Nothing else ever reaches the public. The exercise's words are templates of their own: each begins with the mark,
and instead of an order to act they say that nobody need act. `{regions}` and `{window}` are all that is filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Case = Literal["pass", "fall", "passed", "false", "superseded"]
RealmKind = Literal["real", "exercise"]

VERSION = 1


@dataclass(frozen=True, slots=True)
class Template:
    """The words of one case in one language. lines: of the description; `{regions}` and `{window}` are filled in."""

    headline: str
    lines: tuple[str, ...]
    instruction: str


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

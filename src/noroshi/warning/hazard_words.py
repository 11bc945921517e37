"""The words that the public is told on another agency's word: of four kinds of hazard, in three languages.

Every text says on whose word: the agency's name is the one that our nation has declared. Nothing of what the agency
wrote is repeated, and nothing is called observed by us. That a danger is over is the agency's report as well.
`{agency}`, `{regions}` and `{window}` are all that is filled in.

    REAL["tsunami", "issued", "en"].headline          # 'Tsunami warning. Move to high ground now.'
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args

HazardCase = Literal["issued", "updated", "passed", "false", "superseded"]
HAZARD_CASES: tuple[HazardCase, ...] = get_args(HazardCase)

KINDS = ("tsunami", "earthquake", "weather", "general")
"""As `noroshi.messages.bodies.CitedRow.hazard` has them."""


class Words(NamedTuple):
    """A headline, the lines of a description, an instruction."""

    headline: str
    lines: tuple[str, ...]
    instruction: str


class _Kind(NamedTuple):
    """What a kind is called in the middle of a sentence, its headline, and what people are to do."""

    name: str
    headline: str
    instruction: str


_ENGLISH: Mapping[str, _Kind] = MappingProxyType(
    {
        "tsunami": _Kind(
            "tsunami warning",
            "Tsunami warning. Move to high ground now.",
            "Leave the coast and the banks of rivers now. Go to high ground or to the upper floors of a strong building,"
            " on foot if you can. Waves come again and again: stay there until you are told that it is over.",
        ),
        "earthquake": _Kind(
            "earthquake warning",
            "Earthquake warning. Protect yourself now.",
            "Drop to the floor, take cover under a sturdy table, and hold on. Keep away from windows and from what may"
            " fall. Outdoors, keep away from walls and signs. By the sea, go to high ground after the shaking.",
        ),
        "weather": _Kind(
            "severe weather warning",
            "Severe weather warning. Get to safety now.",
            "Go into a sturdy building, and stay away from windows, rivers, slopes and the coast. If you are told to"
            " leave your home, leave now. Do not go out to look.",
        ),
        "general": _Kind(
            "warning of danger",
            "Warning of danger. Get to safety now.",
            "Go into a building, close doors and windows, and follow what the authorities on the spot say. Keep away"
            " from the danger, and keep roads free for those who help.",
        ),
    }
)
_JAPANESE: Mapping[str, _Kind] = MappingProxyType(
    {
        "tsunami": _Kind(
            "津波警報",
            "津波警報。ただちに高台へ避難してください。",
            "すぐに海岸や川岸から離れ、高台や頑丈な建物の上の階へ避難してください。できるだけ徒歩で避難してください。"
            "津波は繰り返し来ます。解除が伝えられるまで戻らないでください。",
        ),
        "earthquake": _Kind(
            "地震の警報",
            "地震の警報。ただちに身を守ってください。",
            "姿勢を低くし、丈夫な机の下などで頭を守ってください。窓や倒れやすいものから離れてください。"
            "屋外では塀や看板から離れてください。海の近くでは、揺れがおさまったら高台へ避難してください。",
        ),
        "weather": _Kind(
            "気象の警報",
            "気象の警報。ただちに安全を確保してください。",
            "頑丈な建物に入り、窓、川、斜面、海岸から離れてください。避難を求められたら、すぐに避難してください。"
            "様子を見に行かないでください。",
        ),
        "general": _Kind(
            "危険に関する警報",
            "危険に関する警報。ただちに安全を確保してください。",
            "建物に入り、戸や窓を閉め、現場の指示に従ってください。危険な場所に近づかず、救助の車両に道を空けてください。",
        ),
    }
)
_KOREAN: Mapping[str, _Kind] = MappingProxyType(
    {
        "tsunami": _Kind(
            "지진해일 경보",
            "지진해일 경보. 즉시 높은 곳으로 대피하십시오.",
            "지금 바로 해안과 강가에서 벗어나 높은 곳이나 튼튼한 건물의 위층으로 대피하십시오. 되도록 걸어서"
            " 대피하십시오. 지진해일은 거듭 밀려옵니다. 해제가 전해질 때까지 돌아가지 마십시오.",
        ),
        "earthquake": _Kind(
            "지진 경보",
            "지진 경보. 즉시 몸을 보호하십시오.",
            "몸을 낮추고 튼튼한 탁자 아래에서 머리를 보호하십시오. 창문과 넘어지기 쉬운 물건에서 떨어지십시오."
            " 실외에서는 담과 간판에서 떨어지십시오. 바닷가에서는 흔들림이 멈춘 뒤 높은 곳으로 대피하십시오.",
        ),
        "weather": _Kind(
            "기상 경보",
            "기상 경보. 즉시 안전한 곳으로 가십시오.",
            "튼튼한 건물로 들어가 창문, 강, 비탈, 해안에서 떨어지십시오. 대피하라는 말을 들으면 바로 대피하십시오."
            " 상황을 보러 나가지 마십시오.",
        ),
        "general": _Kind(
            "위험 경보",
            "위험 경보. 즉시 안전한 곳으로 가십시오.",
            "건물 안으로 들어가 문과 창문을 닫고 현장의 지시를 따르십시오. 위험한 곳에 다가가지 말고 구조 차량에"
            " 길을 비켜 주십시오.",
        ),
    }
)


def _english(one: _Kind) -> dict[HazardCase, Words]:
    return {
        "issued": Words(
            one.headline,
            (f"{{agency}} has issued a {one.name}. It concerns {{regions}}.", "Expected time: {window}."),
            one.instruction,
        ),
        "updated": Words(
            one.headline,
            (
                f"{{agency}} has updated its {one.name}. It now concerns {{regions}}, and no other area.",
                "Expected time: {window}.",
            ),
            one.instruction,
        ),
        "passed": Words(
            f"The {one.name} is lifted.",
            (f"{{agency}} reports that the danger is over, and has lifted its {one.name} for {{regions}}.",),
            "You may go back, with care. Follow what the authorities on the spot say.",
        ),
        "false": Words(
            f"Correction: the {one.name} was an error.",
            (f"The {one.name} for {{regions}}, on the word of {{agency}}, was an error and is withdrawn.",),
            "You do not need to act on it. We are sorry for the alarm.",
        ),
        "superseded": Words(
            f"The {one.name} no longer applies here.",
            (f"The {one.name} for {{regions}}, on the word of {{agency}}, no longer applies.",),
            "You do not need to act on it any more. Should another alert name your area, follow that one.",
        ),
    }


def _japanese(one: _Kind) -> dict[HazardCase, Words]:
    return {
        "issued": Words(
            one.headline,
            (f"{{agency}}が{one.name}を発表しました。対象は{{regions}}です。", "予想時刻：{window}。"),
            one.instruction,
        ),
        "updated": Words(
            one.headline,
            (
                f"{{agency}}が{one.name}を更新しました。現在の対象は{{regions}}のみです。",
                "予想時刻：{window}。",
            ),
            one.instruction,
        ),
        "passed": Words(
            f"{one.name}は解除されました。",
            (f"{{agency}}は危険がなくなったと発表し、{{regions}}の{one.name}を解除しました。",),
            "注意しながらお戻りください。現場の指示に従ってください。",
        ),
        "false": Words(
            f"訂正：先ほどの{one.name}は誤りでした。",
            (f"{{agency}}の発表に基づく{{regions}}への{one.name}は誤りで、取り消します。",),
            "行動の必要はありません。ご心配をおかけし、申し訳ありません。",
        ),
        "superseded": Words(
            f"先ほどの{one.name}は当てはまらなくなりました。",
            (f"{{agency}}の発表に基づく{{regions}}への{one.name}は、当てはまらなくなりました。",),
            "この情報による行動はもう必要ありません。別の情報がお住まいの地域に出ている場合は、それに従ってください。",
        ),
    }


def _korean(one: _Kind) -> dict[HazardCase, Words]:
    return {
        "issued": Words(
            one.headline,
            (f"{{agency}} 발표: {one.name}. 대상 지역: {{regions}}.", "예상 시각: {window}."),
            one.instruction,
        ),
        "updated": Words(
            one.headline,
            (
                f"{{agency}} 발표: {one.name} 변경. 현재 대상 지역은 {{regions}}뿐입니다.",
                "예상 시각: {window}.",
            ),
            one.instruction,
        ),
        "passed": Words(
            f"{one.name} 해제.",
            (f"{{agency}} 발표: 위험이 끝나 {{regions}}의 {one.name}를 해제합니다.",),
            "주의하며 돌아가십시오. 현장의 지시를 따르십시오.",
        ),
        "false": Words(
            f"정정: 앞선 {one.name}는 잘못된 것입니다.",
            (f"{{agency}} 발표에 따라 {{regions}}에 내려진 {one.name}는 잘못된 것으로 취소합니다.",),
            "행동하지 않아도 됩니다. 놀라게 해 드려 죄송합니다.",
        ),
        "superseded": Words(
            f"앞선 {one.name}는 더 이상 해당되지 않습니다.",
            (f"{{agency}} 발표에 따라 {{regions}}에 내려진 {one.name}는 더 이상 해당되지 않습니다.",),
            "이 경보로 행동하지 않아도 됩니다. 다른 경보가 계신 지역에 내려지면 그 경보를 따르십시오.",
        ),
    }


REAL: Mapping[tuple[str, HazardCase, str], Words] = MappingProxyType(
    {(kind, case, "en"): words for kind in KINDS for case, words in _english(_ENGLISH[kind]).items()}
    | {(kind, case, "ja"): words for kind in KINDS for case, words in _japanese(_JAPANESE[kind]).items()}
    | {(kind, case, "ko"): words for kind in KINDS for case, words in _korean(_KOREAN[kind]).items()}
)
"""Said under the real root; an exercise's root has the same words behind its mark."""

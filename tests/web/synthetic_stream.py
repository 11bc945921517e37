# ruff: noqa: E501  the rows of the made-up course of events are a table, one line each
"""A made-up staff stream of a flight like that of 2022-10-04, as the node of one partner would send it.

The ground track is a geodesic of 4,600 km from about 40.6° N 126.4° E over northern Honshu to about 180°, the height
a parabola, the errors invented: enough to try the page with, and nothing else. Angles are degrees, times UTC ms.

    rows = stream(upto_s=400.0)      # what has been sent 400 s after the launch
    rows[0]                          # (1, "", {"type": "link", ...})
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import atan2, cos, degrees, radians, sin
from typing import Any

from pyproj import Geod

Row = tuple[int, str, dict[str, Any]]

LAUNCH_MS = 1_664_835_720_000  # 2022-10-03T22:22:00Z, 07:22 in Japan
RANGE_M = 4_600_000.0
APOGEE_M = 1_000_000.0
FLIGHT_S = 1_290.0
LAUNCH = (126.4, 40.6)
VIA = (140.7, 41.0)
FIRST_SEEN_S, LAST_SEEN_S = 62.0, 700.0
WARNED_S, ALERTED_S, PASSED_S = 140.0, 205.0, 470.0
EVENT, WARNING, ALERT, CANCEL, CASE = "a1b2c3d4e5f60718", "77aa01", "ca9001", "ca9002", "dec001"

_GEOD = Geod(ellps="WGS84")
_AZIMUTH = _GEOD.inv(*LAUNCH, *VIA)[0]
_UNITS = {
    "jp-cabsec": "Cabinet Secretariat, crisis management centre",
    "jp-fdma": "Fire and Disaster Management Agency",
    "jp-pref": "Prefectures (aggregate)",
    "jp-muni": "Municipalities (aggregate)",
    "jp-carriers": "Mobile operators",
    "jp-jcg": "Japan Coast Guard",
    "jp-jjoc": "Japan Joint Operations Command",
    "us-jfhqj": "Joint Force Headquarters in Japan",
    "bi-acg": "Alliance Coordination Group",
}
_AREAS: tuple[tuple[str, str, str, float, float, int, tuple[tuple[str, str, str, float, float, int], ...]], ...] = (
    (
        "Aomori", "青森県", "아오모리현", 0.93, 372.0, 1_190_000,
        (
            ("Aomori", "青森", "아오모리", 140.74, 40.82, 275_000),
            ("Hachinohe", "八戸", "하치노헤", 141.49, 40.51, 223_000),
            ("Hirosaki", "弘前", "히로사키", 140.46, 40.60, 168_000),
            ("Mutsu", "むつ", "무쓰", 141.18, 41.29, 54_000),
        ),
    ),
    (
        "Hokkaido", "北海道", "홋카이도", 0.81, 378.0, 640_000,
        (
            ("Hakodate", "函館", "하코다테", 140.73, 41.77, 251_000),
            ("Tomakomai", "苫小牧", "도마코마이", 141.60, 42.63, 170_000),
            ("Muroran", "室蘭", "무로란", 140.97, 42.32, 82_000),
        ),
    ),
    (
        "Iwate", "岩手県", "이와테현", 0.22, 384.0, 310_000,
        (("Morioka", "盛岡", "모리오카", 141.15, 39.70, 290_000), ("Kuji", "久慈", "구지", 141.77, 40.19, 33_000)),
    ),
)  # fmt: skip


def moment_ms(after_s: float) -> int:
    """UTC ms at `after_s` seconds after the launch."""
    return LAUNCH_MS + round(after_s * 1000)


def point(after_s: float) -> tuple[float, float, float]:
    """Longitude, latitude (degrees) and height (m) of the made-up flight."""
    share = max(0.0, min(1.0, (after_s - 35.0) / (FLIGHT_S - 35.0)))
    lon, lat, _ = _GEOD.fwd(*LAUNCH, _AZIMUTH, RANGE_M * share)
    return lon, lat, 4.0 * APOGEE_M * share * (1.0 - share)


def ellipse(lon: float, lat: float, along_m: float, across_m: float, azimuth_deg: float) -> list[list[float]]:
    """A closed ring around a point, its first axis along `azimuth_deg` clockwise from north."""
    ring = []
    for step in range(49):
        turn = step * 7.5
        ahead, aside = along_m * cos(radians(turn)), across_m * sin(radians(turn))
        distance = (ahead**2 + aside**2) ** 0.5
        at_lon, at_lat, _ = _GEOD.fwd(lon, lat, azimuth_deg + degrees(atan2(aside, ahead)), distance)
        ring.append([round(at_lon, 4), round(at_lat, 4)])
    return ring


def _heading(after_s: float) -> float:
    (lon, lat, _), (lon2, lat2, _) = point(after_s), point(after_s + 5.0)
    return _GEOD.inv(lon, lat, lon2, lat2)[0] if after_s < FLIGHT_S - 5 else _heading(FLIGHT_S - 10.0)


def _sigma(after_s: float) -> float:
    """Share of the first uncertainty that is left: more measurements, smaller ellipses."""
    seen = min(after_s, LAST_SEEN_S) - FIRST_SEEN_S
    return 1.0 / (1.0 + seen / 60.0)


def fall(after_s: float) -> dict[str, Any]:
    """The predicted fall as it would be known `after_s` after the launch."""
    lon, lat, _ = point(FLIGHT_S)
    left = _sigma(after_s)
    return {
        "lon": lon,
        "lat": lat,
        "time_ms": moment_ms(FLIGHT_S),
        "sigma_time_s": 6.0 + 40.0 * left,
        "probability": 0.9,
        "rings": [
            ellipse(lon, lat, 90_000 + 500_000 * left, 50_000 + 160_000 * left, _heading(FLIGHT_S - 10))
        ],
    }


def corridor(after_s: float) -> list[list[list[float]]]:
    """A ring along the rest of the path, as wide as the cross-track uncertainty."""
    half_m = 45_000.0 + 110_000.0 * _sigma(after_s)
    steps = [after_s + (FLIGHT_S - after_s) * i / 30 for i in range(31)]
    left: list[list[float]] = []
    right: list[list[float]] = []
    for step in steps:
        lon, lat, _ = point(step)
        for side, edge in ((-90.0, left), (90.0, right)):
            at_lon, at_lat, _ = _GEOD.fwd(lon, lat, _heading(step) + side, half_m)
            edge.append([round(at_lon, 4), round(at_lat, 4)])
    return [[*left, *reversed(right), left[0]]]


def areas(after_s: float) -> list[dict[str, Any]]:
    """The regions that may be passed over."""
    width_s = 8.0 + 30.0 * _sigma(after_s)
    return [
        {
            "kind": "pass",
            "region": region,
            "region_ja": region_ja,
            "region_ko": region_ko,
            "country": "JP",
            "probability": probability,
            "from_ms": moment_ms(at_s - width_s),
            "to_ms": moment_ms(at_s + width_s),
            "people": people,
            "places": [
                {
                    "name": n,
                    "name_ja": ja,
                    "name_ko": ko,
                    "lon": lon,
                    "lat": lat,
                    "people": p,
                    "probability": probability,
                }
                for n, ja, ko, lon, lat, p in places
            ],
        }
        for region, region_ja, region_ko, probability, at_s, people, places in _AREAS
    ]


def picture(after_s: float, partners: list[str]) -> dict[str, Any]:
    """The picture row at that moment: observed trail, estimate, predicted path."""
    seen_s = min(after_s, LAST_SEEN_S)
    lost = after_s - LAST_SEEN_S > 10.0
    lon, lat, height = point(after_s)
    trail = [[*point(s)[:2], moment_ms(s)] for s in _times(FIRST_SEEN_S, seen_s, 4.0)]
    path = [[*point(s), moment_ms(s)] for s in _times(after_s, FLIGHT_S, 10.0)]
    left = _sigma(after_s)
    grown = 1.0 + max(0.0, after_s - LAST_SEEN_S) / 20.0
    says = (
        "" if after_s > FIRST_SEEN_S else "First detection: an object in powered ascent near 40.6 N 126.9 E."
    )
    if lost and after_s - LAST_SEEN_S <= 15.0:
        says = "The track is lost: no sensor has observed it for 10 s. What follows is prediction."
    return {
        "type": "picture",
        "time_ms": moment_ms(after_s),
        "says": says,
        "event": EVENT,
        "title": "Object 1",
        "track_ms": moment_ms(after_s),
        "updates": int(seen_s - FIRST_SEEN_S) + 1,
        "partners": partners,
        "sensings": ["radar"],
        "first_observed_ms": moment_ms(FIRST_SEEN_S),
        "last_observed_ms": moment_ms(seen_s),
        "position": {"lon": lon, "lat": lat, "height_m": height},
        "speed_mps": 4_300.0,
        "position_ring": ellipse(lon, lat, 60_000 * left * grown, 35_000 * left * grown, _heading(after_s)),
        "fall": fall(after_s) if after_s > 110.0 else None,
        "path": path,
        "corridor": corridor(after_s) if after_s > 110.0 else [],
        "trail": trail,
        "state": "lost" if lost else "tracked",
    }


def _times(first_s: float, last_s: float, step_s: float) -> list[float]:
    count = max(1, int((last_s - first_s) // step_s))
    return [first_s + step_s * i for i in range(count + 1) if first_s + step_s * i <= last_s] or [last_s]


def warning(after_s: float, number: int, state: str, reason: str = "") -> dict[str, Any]:
    """A warning row of Japan's own node."""
    says = {
        "issued": "Warning 1: may pass over Aomori (93 %), Hokkaido (81 %) from 07:28; radar only, not confirmed.",
        "updated": "",
        "ended": "The warning has ended: an observation beyond the warned areas shows that it has passed.",
    }[state]
    return {
        "type": "warning",
        "time_ms": moment_ms(after_s),
        "says": says,
        "id": f"{WARNING}{number:02x}",
        "event": EVENT,
        "partner": "JPN",
        "number": number,
        "state": state,
        "basis": "one-kind",
        "sensings": ["radar"],
        "partners": ["JPN", "USA"],
        "areas": [] if state == "ended" else areas(after_s),
        "corridor": corridor(after_s),
        "fall": fall(after_s),
        "valid_until_ms": moment_ms(after_s + 120.0),
        "last_observed_ms": moment_ms(min(after_s, LAST_SEEN_S)),
        "reason": reason,
    }


_TEXTS = {
    "Alert": (
        ("en", "EXERCISE. Missile launched. Take shelter.", "EXERCISE EXERCISE. A missile appears to have been launched. It may pass over Aomori and Hokkaido around 07:28.", "Go inside a building or underground. EXERCISE."),
        ("ja", "【訓練】ミサイル発射。避難してください。", "訓練、訓練。ミサイルが発射されたものとみられます。7時28分頃、青森県、北海道の上空を通過するおそれがあります。", "建物の中、又は地下に避難してください。これは訓練です。"),
        ("ko", "【훈련】 미사일 발사. 대피하십시오.", "훈련, 훈련. 미사일이 발사된 것으로 보입니다. 7시 28분경 아오모리현, 홋카이도 상공을 통과할 우려가 있습니다.", "건물 안이나 지하로 대피하십시오. 이것은 훈련입니다."),
    ),
    "Cancel": (
        ("en", "EXERCISE. The missile has passed.", "EXERCISE EXERCISE. The missile was observed to have passed.", "The alert has ended."),
        ("ja", "【訓練】ミサイル通過。", "訓練、訓練。ミサイルの通過が観測されました。", "警報は解除されました。"),
        ("ko", "【훈련】 미사일 통과.", "훈련, 훈련. 미사일의 통과가 관측되었습니다.", "경보는 해제되었습니다."),
    ),
}  # fmt: skip
_RECIPIENTS = ("jp-fdma", "jp-pref", "jp-muni", "jp-carriers", "jp-jcg")


def alert(after_s: float, alert_type: str) -> dict[str, Any]:
    """A public alert of Japan, or its end."""
    cancel = alert_type == "Cancel"
    return {
        "type": "alert",
        "time_ms": moment_ms(after_s),
        "says": "Public alert sent to 5 recipients."
        if not cancel
        else "The public alert has been cancelled: it has passed.",
        "id": CANCEL if cancel else ALERT,
        "identifier": f"jpn.exercise.{2 if cancel else 1}",
        "alert_type": alert_type,
        "status": "Exercise",
        "unit": "jp-cabsec",
        "partner": "JPN",
        "areas": areas(after_s),
        "rings": corridor(after_s),
        "texts": [
            {"language": lang, "headline": head, "description": text, "instruction": todo}
            for lang, head, text, todo in _TEXTS[alert_type]
        ],
        "sent_ms": moment_ms(after_s),
        "expires_ms": moment_ms(after_s + 1800.0),
        "references": ["jpn.exercise.1"] if cancel else [],
        "recipients": list(_RECIPIENTS),
        "reason": "passed" if cancel else "",
        "file": f"jpn.exercise.{2 if cancel else 1}.xml",
    }


def reach(after_s: float, of: str, received: int, acknowledged: int, says: str = "") -> dict[str, Any]:
    """Who has that alert: the first `received` of the recipients, the first `acknowledged` have said so."""
    return {
        "type": "alert-reach",
        "time_ms": moment_ms(after_s),
        "says": says,
        "id": of,
        "identifier": "jpn.exercise.2" if of == CANCEL else "jpn.exercise.1",
        "recipients": [
            {
                "unit": unit,
                "name": _UNITS[unit],
                "received_ms": moment_ms(after_s - 3.0) if index < received else None,
                "acknowledged_ms": moment_ms(after_s) if index < acknowledged else None,
                "by": f"{unit}.duty" if index < acknowledged else "",
            }
            for index, unit in enumerate(_RECIPIENTS)
        ],
    }


def decision(after_s: float, state: str, concurred: tuple[str, ...]) -> dict[str, Any]:
    """How a consultation stands."""
    return {
        "type": "decision-status",
        "time_ms": moment_ms(after_s),
        "says": "",
        "case": CASE,
        "decision": "consult-trilateral",
        "title": "Trilateral consultation on the launch",
        "body": "bi-acg",
        "state": state,
        "requested_by": "jp-jjoc",
        "deadline_ms": moment_ms(900.0),
        "needed": ["JPN", "KOR", "USA"],
        "concurrences": [
            {
                "partner": p,
                "unit": "",
                "post": "",
                "outcome": "concur",
                "time_ms": moment_ms(340.0 + 40.0 * i),
            }
            for i, p in enumerate(concurred)
        ],
    }


def _step(after_s: float, partner: str, step: str, says: str) -> dict[str, Any]:
    return {
        "type": "decision", "time_ms": moment_ms(after_s), "says": says, "case": CASE, "decision": "consult-trilateral",
        "title": "Trilateral consultation on the launch", "step": step, "outcome": "", "unit": "jp-jjoc",
        "partner": partner, "post": "jp-jjoc.duty", "deadline_ms": moment_ms(900.0),
    }  # fmt: skip


def _task(after_s: float, task: str, title: str, unit: str, state: str, deadline_s: float) -> dict[str, Any]:
    return {
        "type": "task", "time_ms": moment_ms(after_s), "says": "", "task": task, "duty": "approve", "action": "approve-alert",
        "posts": [f"{unit}.duty"], "unit": unit, "state": state, "deadline_ms": moment_ms(deadline_s), "about": WARNING,
        "title": title, "answer": {},
    }  # fmt: skip


def _link(after_s: float, partner: str, state: str, offset_s: float = 0.0) -> dict[str, Any]:
    words = {"up": "is up", "silent": "is silent", "down": "is down"}[state]
    return {
        "type": "link", "time_ms": moment_ms(after_s), "says": f"The link to {partner} {words}.", "partner": partner,
        "state": state, "since_ms": moment_ms(after_s), "offset_s": offset_s,
    }  # fmt: skip


def _event(after_s: float, partner: str, step: str, other_partner: str, says: str) -> dict[str, Any]:
    return {
        "type": "event", "time_ms": moment_ms(after_s), "says": says, "event": EVENT, "partner": partner, "step": step,
        "other": "ffee00" if other_partner else "", "other_partner": other_partner,
    }  # fmt: skip


@dataclass(frozen=True)
class _Planned:
    after_s: float
    key: str
    row: dict[str, Any]


@cache
def _plan() -> list[_Planned]:
    plan = [
        _Planned(-30.0, "link:USA", _link(-30.0, "USA", "up", 0.02)),
        _Planned(-29.0, "link:KOR", _link(-29.0, "KOR", "up", 0.31)),
        _Planned(FIRST_SEEN_S, "", _event(FIRST_SEEN_S, "JPN", "opened", "", "Japan has opened an event: an object is rising.")),
        _Planned(66.0, "", _event(66.0, "JPN", "same-as", "USA", "Japan's event and the United States' event are the same.")),
        _Planned(ALERTED_S - 50, "task:t1", _task(ALERTED_S - 50, "t1", "Originate the public alert", "jp-cabsec", "open", 275.0)),
        _Planned(ALERTED_S, "task:t1", _task(ALERTED_S, "t1", "Originate the public alert", "jp-cabsec", "done", 275.0)),
        _Planned(ALERTED_S, "", alert(ALERTED_S, "Alert")),
        _Planned(ALERTED_S + 1, f"alert-reach:{ALERT}", reach(ALERTED_S + 1, ALERT, 0, 0)),
        _Planned(ALERTED_S + 9, f"alert-reach:{ALERT}", reach(ALERTED_S + 9, ALERT, 4, 1, "4 of 5 have received the alert.")),
        _Planned(ALERTED_S + 40, f"alert-reach:{ALERT}", reach(ALERTED_S + 40, ALERT, 4, 3)),
        _Planned(290.0, "link:KOR", _link(290.0, "KOR", "silent", 0.31)),
        _Planned(300.0, "", _step(300.0, "JPN", "request", "Japan Joint Operations Command asks for a consultation.")),
        _Planned(300.5, f"decision:{CASE}", decision(300.5, "open", ())),
        _Planned(301.0, "task:t2", _task(301.0, "t2", "Concur in the consultation for Japan", "jp-jjoc", "open", 600.0)),
        _Planned(340.0, "", _step(340.0, "JPN", "concurrence", "Japan concurs.")),
        _Planned(340.5, f"decision:{CASE}", decision(340.5, "open", ("JPN",))),
        _Planned(380.0, "", _step(380.0, "USA", "concurrence", "The United States concurs.")),
        _Planned(380.5, f"decision:{CASE}", decision(380.5, "open", ("JPN", "USA"))),
        _Planned(520.0, "link:KOR", _link(520.0, "KOR", "up", 0.29)),
        _Planned(560.0, "", _step(560.0, "KOR", "ruling", "Decided: all three nations concur.")),
        _Planned(560.5, f"decision:{CASE}", decision(560.5, "decided", ("JPN", "USA", "KOR"))),
        _Planned(PASSED_S, "", warning(PASSED_S, 40, "ended", "passed")),
        _Planned(PASSED_S + 30, "", alert(PASSED_S + 30, "Cancel")),
        _Planned(PASSED_S + 40, f"alert-reach:{CANCEL}", reach(PASSED_S + 40, CANCEL, 5, 5, "All have acknowledged the end.")),
        _Planned(
            150.0, "", {"type": "refusal", "time_ms": moment_ms(150.0), "says": "A row from KOR was refused: released to another audience.",
                        "party": "partner:KOR", "reason": "not-for-us", "detail": "audience KOR,USA"},
        ),
        _Planned(
            230.0, "", {"type": "inject", "time_ms": moment_ms(230.0), "says": "Control tells the Japan Coast Guard: ships ask for positions.",
                        "unit": "jp-jcg", "text": "Ships ask for positions."},
        ),
    ]  # fmt: skip
    for number, at in enumerate(_times(WARNED_S, PASSED_S - 10, 15.0), start=1):
        plan.append(_Planned(at, "", warning(at, number, "issued" if number == 1 else "updated")))
    for index, unit in enumerate(("jp-fdma", "jp-pref", "jp-muni")):
        said_s = ALERTED_S + 9 + 14 * index
        row = {"type": "acknowledgement", "time_ms": moment_ms(said_s), "says": f"{_UNITS[unit]} has acknowledged the alert.",
               "of": ALERT, "post": f"{unit}.duty", "unit": unit, "partner": "JPN"}  # fmt: skip
        plan.append(_Planned(said_s, "", row))
    for at_s in _times(FIRST_SEEN_S, FLIGHT_S - 40, 4.0):
        plan.append(
            _Planned(at_s, f"picture:{EVENT}", picture(at_s, ["USA"] if at_s < 75 else ["JPN", "USA"]))
        )
    return sorted(plan, key=lambda planned: planned.after_s)


def stream(upto_s: float) -> list[Row]:
    """All rows sent up to that time, numbered from 1."""
    return [(n, p.key, p.row) for n, p in enumerate((p for p in _plan() if p.after_s <= upto_s), start=1)]


def newcomer(rows: list[Row]) -> list[Row]:
    """What a client gets that comes with nothing: of each key only the newest row, order and numbers kept."""
    newest = {key: number for number, key, _ in rows if key}
    return [row for row in rows if not row[1] or newest[row[1]] == row[0]]


def hello(now_s: float, speed: float = 1.0, port: int = 8701, realm_kind: str = "exercise") -> dict[str, Any]:
    """The first frame of Japan's node."""
    return {
        "type": "hello",
        "realm": "exercise:kaikyo" if realm_kind == "exercise" else "real",
        "realm_kind": realm_kind,
        "title": "Flight of 2022-10-04 over northern Japan",
        "partner": "JPN",
        "node": "jpn",
        "structure": {"id": "trilateral", "title": "Trilateral warning-data sharing and consultation"},
        "start_ms": moment_ms(-60.0),
        "now_ms": moment_ms(now_s),
        "speed": speed,
        "partners": [
            {"partner": "JPN", "name": "Japan", "node": "jpn", "url": f"http://127.0.0.1:{port}/"},
            {
                "partner": "USA",
                "name": "United States",
                "node": "usa",
                "url": f"http://127.0.0.1:{port}/?usa",
            },
            {
                "partner": "KOR",
                "name": "Republic of Korea",
                "node": "kor",
                "url": f"http://127.0.0.1:{port}/?kor",
            },
        ],
        "units": _UNITS,
        "attribution": "Places: GeoNames (CC BY 4.0)",
        "version": "0.1.0",
    }

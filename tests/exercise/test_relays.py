"""Modelled relays and last hops beside real nodes: receipts, silence, relays that go away, the end to the same set."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from noroshi.exercise import entropy, found, judge, play
from noroshi.exercise.expectations import AnyExpectation, CorrectionWithin, EndReachesSame, LastHopAlarm
from noroshi.exercise.injects import AnyInject, RelayDown, Retract
from noroshi.exercise.scenario import Relay
from noroshi.log import MemoryStore
from noroshi.messages import KeyedHash
from noroshi.review import Judged, Log, measure, open_log
from noroshi.review.reach import reaches, readiness, same_sets
from noroshi.service.exercise_files import stage
from tests.exercise.playing import FLIGHT, places

HOPS = 300
ALERTED_S, RETRACTED_S = 170.0, 190.0


def relays(count: int = 3, **more: Any) -> tuple[Relay, ...]:
    fields: dict[str, Any] = {
        "unit": "jp-fdma",
        "roster": "towns",
        "last_hops": HOPS,
        "label": "notional",
        "loss": 0.1,
    }
    return tuple(Relay(id=f"towns-{number}", **(fields | more)) for number in range(count))


def played(
    *injects: AnyInject, duration_s: float = 260.0, expected: tuple[AnyExpectation, ...] = (), **more: Any
) -> tuple[Log, tuple[Judged, ...], str]:
    """Japan's log of a run with an alert that is taken back as false."""
    staged = stage(FLIGHT, "trilateral")
    back = Retract(id="back", at_s=RETRACTED_S, post="jp-cabsec.watch", reason="false")
    looks = tuple(msgspec.structs.replace(one, period_s=4.0) for one in staged.scenario.sensors)
    scenario = msgspec.structs.replace(
        staged.scenario,
        sensors=looks,
        duration_s=duration_s,
        injects=(back, *injects),
        relays=relays(**more),
        expectations=expected,
    )
    key = entropy(3, scenario.realm)
    joined = found(
        scenario,
        staged.structure,
        staged.catalogue,
        entropy=key,
        scheme=KeyedHash(),
        places_digest=places().digest,
    )
    result = play(joined, places(), entropy=key, store_for=lambda _: MemoryStore())
    logs = [open_log(node, store.records()) for node, store in sorted(result.stores.items())]
    judged = judge(joined.scenario, logs, measure(logs), result.truth, ())
    return next(log for log in logs if log.node == "jpn"), judged, result.digest


EXPECTED = (
    EndReachesSame(id="same", unit="jp-cabsec"),
    CorrectionWithin(id="soon", unit="jp-cabsec"),
    LastHopAlarm(id="quiet", roster="towns", never=True),
)


@pytest.mark.slow
def test_an_end_reaches_all_who_had_the_alert_though_a_relay_is_gone() -> None:
    log, judged, _ = played(RelayDown(id="gone", at_s=RETRACTED_S + 0.3, relay="towns-1"), expected=EXPECTED)
    assert [(one.id, one.met) for one in judged] == [("same", True), ("soon", True), ("quiet", True)], judged
    assert all(one.cites for one in judged)
    alert, end = (one for one in reaches(log) if one.purpose != "test")
    assert (alert.share, end.share) == (1.0, 1.0)
    assert (alert.after_s(0.99) or 99.0) < 10.0
    (same,) = same_sets((alert, end))
    assert same.equal
    assert same.had.bit_count() == HOPS
    (ready,) = readiness(log, log.entries[-1].now_ns)
    assert (ready.state, ready.missing, len(ready.took_s)) == ("ready", (), HOPS)


@pytest.mark.slow
def test_broken_last_hops_are_named_and_all_relays_gone_is_no_correction() -> None:
    gone = [RelayDown(id=f"gone-{n}", at_s=RETRACTED_S - 1.0, relay=f"towns-{n}") for n in range(3)]
    expected = (*EXPECTED[:2], LastHopAlarm(id="silent", roster="towns"))
    log, judged, _ = played(*gone, expected=expected, broken=(3, 17, 18, 19))
    assert [(one.id, one.met) for one in judged] == [("same", False), ("soon", False), ("silent", True)], (
        judged
    )
    assert "had it and not its end" in judged[0].detail
    assert "4 of 300 last hops of towns: 3, 17-19" in judged[2].detail
    assert judged[1].detail.startswith("0 of 296") or "no correction" in judged[1].detail
    (ready,) = readiness(log, log.entries[-1].now_ns)
    assert (ready.state, ready.missing) == ("partial", (3, 17, 18, 19))
    day_ns = 86_400 * 10**9
    assert [one.state for one in readiness(log, ready.sent_ns + day_ns)] == ["partial"]
    assert [one.state for one in readiness(log, ready.sent_ns + 5 * day_ns // 4 + 1)] == ["stale"]

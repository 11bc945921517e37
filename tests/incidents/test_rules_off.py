"""Each rule of the incidents can fail: with it taken out of the node, by one plain patch, its scenario does not hold.

What is patched is the one function or table that is the rule; `unmet` are expectations that must then fail. A scenario
that held all the same would prove nothing of its rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from noroshi.geo.placefile import PlaceTableError
from noroshi.messages import Message, Refused, TrustStore, Unverified, verify
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import Signed
from noroshi.node import reaching, warn
from noroshi.service.trial_runs import run_trials
from tests.node.scene import places

INCIDENTS = Path(__file__).resolve().parents[2] / "scenarios" / "incidents"

QUICK = ("H2-chip-counts", "H2-chip-own-name")
"""Played by every run of the tests; the others in the soak, where many a scenario is played for minutes of its clock."""


@pytest.fixture(scope="module", autouse=True)
def _places() -> None:
    try:
        places()
    except PlaceTableError as error:
        pytest.skip(f"needs the table of places (`make places`): {error.sentence()}")


def believing(given: Unverified, trust: TrustStore, now_ns: int) -> Message | Refused:
    """A node to which a realm is a flag: whatever the flag says, and whoever signed, it believes the partner named."""
    found = verify(given, trust, now_ns)
    if isinstance(found, Message) or found.reason != "foreign-realm":
        return found
    signed = msgspec.msgpack.decode(given.raw, type=Signed)
    payload = msgspec.msgpack.decode(signed.payload) | {"realm": trust.realm}
    holder = next(iter(trust.valid(payload["origin"], "node", now_ns)))
    raw = encode(Signed(encode(payload), signed.key, signed.signature))

    return verify(Unverified(raw), _Believing(trust, holder), now_ns)  # type: ignore[arg-type]  # all that it asks of trust


class _AnySignature:
    @staticmethod
    def verify(*_: object) -> bool:
        return True


class _Believing:
    """Trust to which every key is a partner's node's, and every signature good."""

    scheme = _AnySignature()

    def __init__(self, trust: TrustStore, holder: Any) -> None:
        self._trust = trust
        self._holder = holder

    def holder(self, *_: object) -> Any:
        return self._holder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trust, name)


def explained_away(original: Callable[..., None]) -> Callable[..., None]:
    """A node that warns of nothing that a notice explains."""

    def only_unexplained(work: Any, event: Any, *rest: Any) -> None:
        if not any(event.number in one.events for one in work.state.notices.values()):
            original(work, event, *rest)

    return only_unexplained


def quiet_while_one_is_explained(original: Callable[..., None]) -> Callable[..., None]:
    """A node that takes whatever flies in the same minutes for what was announced."""

    def only_before(work: Any, *rest: Any) -> None:
        if not any(one.events for one in work.state.notices.values()):
            original(work, *rest)

    return only_before


def to_fewer(original: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """A node whose ends go to the relays that happen to be there first, and not to all that had the alert."""

    def first_only(work: Any, told: Any) -> list[Any]:
        found = original(work, told)
        return (
            found[:1] if told.purpose == "end" and len(found) > 1 else found if told.purpose != "end" else []
        )

    return first_only


def nothing(*_: object, **__: object) -> None:
    return None


def allowed(*_: object, **__: object) -> str:
    return ""


def own_whatever_its_age(state: Any, _: int) -> Any:
    """A list of areas that is used for ever."""
    return state.own_watch or state.watch


def as_asked(asked: Any, *_: object) -> Any:
    """A source that refuses no width."""
    from noroshi.command.scope import Narrowed

    return Narrowed(tuple(asked), "")


@dataclass(frozen=True, slots=True)
class Off:
    """A rule that is taken out. patches: what is set where; unmet: expectations, of which one at least must fail."""

    scenario: str
    rule: str
    patches: tuple[tuple[str, object], ...]
    unmet: tuple[str, ...]


TABLE = (
    Off("H1-norad", "R1", (("noroshi.node.accept._foreign", allowed),), ("no-measurement-taken",)),
    Off("H1-norad-link", "R1", (("noroshi.node.accept.verify", believing),), ("nothing-taken",)),
    Off(
        "H2-chip", "R3", (("noroshi.messages.signing.KeyedHash.verify", lambda *_: True),), ("nothing-taken-here",)
    ),
    Off(
        "H2-chip-counts", "R3", (("noroshi.node.security.differs", nothing),), ("staff-told-of-the-neighbour",)
    ),
    Off("H2-chip-own-name", "R3", (("noroshi.node.security._alarm", nothing),), ("alarm",)),
    Off("H3-oko", "R4", (("noroshi.warning.lifecycle.basis", lambda *_: "confirmed"),), ("never-confirmed",)),
    Off("H3-oko-radar", "R4", (("noroshi.warning.lifecycle.basis", lambda *_: "confirmed"),), ("never-confirmed",)),
    Off(
        "H4-norway", "R6", (("noroshi.command.notices.WatchState.told", True),),
        ("giver-sees-it", "neighbour-sees-it-and-asks-above"),
    ),
    Off("H4-norway-mirror", "R7", (("noroshi.node.warn._warn", explained_away(warn._warn)),), ("warned-all-the-same",)),
    Off("H5-hawaii", "R2", (("noroshi.node.authority.check_realm_words", allowed),), ("drill-order-refused",)),
    Off(
        "H5-hawaii", "R8", (("noroshi.node.reaching._relays_for", to_fewer(reaching._relays_for)),),
        ("correction-within-a-minute", "end-reaches-the-same"),
    ),
    Off(
        "H5-hawaii-alone", "R10",
        (
            ("noroshi.command.alerts.PERSONS", MappingProxyType({"Alert": 1, "Update": 1, "Cancel": 1})),
            ("noroshi.node.alerting.approval_defect", allowed),
        ),
        ("one-person-alerts-nobody",),
    ),
    Off("H6-nhk", "R9", (("noroshi.node.relaying.named_by", allowed),), ("no-hazard-abroad",)),
    Off("H7-j-alert", "R8", (("noroshi.node.reaching._alarm_silent", nothing),), ("silent-speakers-named",)),
    Off(
        "H7-j-alert-expired", "expiry", (("noroshi.node.own_areas.watch_for", own_whatever_its_age),),
        ("built-in-region-named",),
    ),
    Off("H8-passed", "R5", (("noroshi.warning.lifecycle.passed", lambda *_: True),), ("never-passed", "lost-is-said")),
    Off("H8-passed", "R5", (("noroshi.warning.lifecycle.lost", lambda *_: False),), ("lost-is-said",)),
    Off(
        "H9-hokkaido", "R8", (("noroshi.node.reaching._relays_for", to_fewer(reaching._relays_for)),),
        ("end-to-the-same",),
    ),
    Off(
        "H10-background-mirror", "R7", (("noroshi.node.warn._warn", quiet_while_one_is_explained(warn._warn)),),
        ("warned-in-time",),
    ),
    Off("H10-background", "R7", (("noroshi.node.warn._warn", explained_away(warn._warn)),), ("no-true-event-missed",)),
    Off("H11-two-or-one", "counts", (("noroshi.node.counting._show", nothing),), ("difference-shown-here",)),
    Off("H12-seoul", "R10", (("noroshi.node.originating.narrow", as_asked),), ("city-refused",)),
)  # fmt: skip


def cases() -> list[Any]:
    rows = []
    for one in TABLE:
        mark = pytest.mark.slow if one.scenario in QUICK else pytest.mark.soak
        rows.append(
            pytest.param(one, marks=mark, id=f"{one.scenario}-{one.patches[0][0].rpartition('.')[2]}")
        )
    return rows


@pytest.mark.parametrize("off", cases())
def test_without_its_rule_a_scenario_fails(off: Off, monkeypatch: pytest.MonkeyPatch) -> None:
    for where, what in off.patches:
        monkeypatch.setattr(where, what)
    file = str(INCIDENTS / f"{off.scenario}.yaml")
    document = run_trials((file,), runs=1, seed=None, workers=1, say=lambda _: None)
    (run,) = document["runs"]
    failed = {one["id"]: one["detail"] for one in run["expectations"] if not one["met"]}
    assert "played" not in failed, failed
    assert set(off.unmet) & set(failed), (failed, run["expectations"])


def test_every_incident_has_a_rule_that_can_be_taken_out() -> None:
    assert {one.scenario.partition("-")[0] for one in TABLE} == {f"H{number}" for number in range(1, 13)}

"""What a last hop shows: each message once, nothing that is over when it comes, no test, nothing of another realm."""

from __future__ import annotations

import msgspec
import pytest

from noroshi.command.passing import PassOn
from noroshi.geo.placefile import table_path
from noroshi.messages import Message, TrustStore, Unverified, verify
from noroshi.service.hop_wires import HopAddress
from noroshi.service.last_hop import Believed, LastHop
from noroshi.service.relay_frames import VERSION, GreetingFrame
from tests.node.relays import ROSTER, Line
from tests.node.scene import Scene
from tests.node.test_alerting import issue, warn
from tests.service.test_relay_hops import believed


class Shown:
    """A last hop, and what came out of it."""

    def __init__(self, line: Line) -> None:
        self.out: list[PassOn] = []
        self.dropped: list[str] = []
        self.hop = LastHop(
            0, b"", [HopAddress("127.0.0.1", 1)], believed(line),
            lambda hop, message: self.out.append(message), lambda hop, reason: self.dropped.append(reason),
        )  # fmt: skip


@pytest.fixture(scope="module")
def told() -> tuple[Line, list[PassOn]]:
    """An alert, its update and its end, as their node has signed them."""
    if not table_path().is_file():
        pytest.skip("needs the table of places: `make places`")
    scene = Scene("trilateral").watch(86.3)
    line = Line(scene)
    line.connect()
    warn(scene, "Aomori")
    issue(scene)
    warn(scene, "Aomori", "Iwate", state="updated")
    issue(scene)
    warn(scene, "Aomori", state="ended", reason="false")
    scene.answer("jpn", scene.task("jpn", "retract-alert"))
    messages = [one for one in line.fetch() if one.purpose != "test"]
    assert [one.purpose for one in messages] == ["alert", "alert", "end"]
    return line, messages


@pytest.mark.parametrize(
    ("order", "shown"),
    [
        ((0, 0, 1, 1, 2, 2), [0, 1, 2]),
        ((0, 2, 1), [0, 2]),
        ((2, 0, 1), [2]),
        ((1, 0, 2), [1, 2]),
        ((1, 2), [1, 2]),
        ((2, 2, 2), [2]),
    ],
)
def test_each_once_and_nothing_that_is_over_already(
    told: tuple[Line, list[PassOn]], order: tuple[int, ...], shown: list[int]
) -> None:
    """Twice, an end before its alert, an update without or before the first: all are receipted, what is over is not
    shown, and an end is, since a relay gives it to nobody who was not given the alert.
    """
    line, messages = told
    found = Shown(line)
    receipts = [found.hop.took(messages[one].raw) for one in order]
    assert [one.of for one in receipts if one is not None] == [messages[one].id for one in order]
    assert [one.id for one in found.out] == [messages[one].id for one in shown]
    assert found.dropped == []


def test_an_exercises_alert_is_nothing_to_a_real_roster(told: tuple[Line, list[PassOn]]) -> None:
    line, messages = told
    state = line.side.node.state
    real = Believed(
        "real",
        "JPN",
        TrustStore("real", state.scheme, state.genesis.roots),
        lambda: line.scene.now_ns,
        ROSTER,
    )
    dropped: list[str] = []
    shown: list[PassOn] = []
    hop = LastHop(
        0, b"", [HopAddress("127.0.0.1", 1)], real, lambda _, message: shown.append(message),
        lambda _, reason: dropped.append(reason),
    )  # fmt: skip
    for message in messages:
        assert hop.took(message.raw) is None
    assert (shown, dropped) == ([], ["foreign-realm"] * 3)
    greeting = GreetingFrame(VERSION, state.genesis.realm, "towns-a", ROSTER, b"c", ())
    assert not real.greets(greeting)
    ours = msgspec.structs.replace(greeting, realm="real")
    assert real.greets(ours)
    assert not real.greets(msgspec.structs.replace(ours, roster="another"))


def test_a_test_of_readiness_is_no_alert_however_it_is_dressed(told: tuple[Line, list[PassOn]]) -> None:
    """Under the node's own key: a test with an alert's body, an alert with a test's, and every byte of one changed."""
    line, messages = told
    scene = line.scene
    test = next(one.message for one in line.desk.kept.values() if one.message.purpose == "test")
    bodies = {}
    for name, raw in (("alert", messages[0].raw), ("readiness", test.raw)):
        message = verify(Unverified(raw), scene["jpn"].node.state.trust, scene.now_ns)
        assert isinstance(message, Message)
        bodies[name] = bytes(message.envelope.body)
    found = Shown(line)
    for kind, body in (("readiness", bodies["alert"]), ("alert", bodies["readiness"])):
        assert found.hop.took(scene.sealed("jpn", kind, body, audience=("JPN",))) is None
    assert found.dropped == ["malformed-body", "malformed-body"]
    assert found.hop.took(test.raw) is not None
    for at in range(len(test.raw)):
        assert found.hop.took(test.raw[:at] + bytes([test.raw[at] ^ 1]) + test.raw[at + 1 :]) is None
    assert (found.out, list(found.hop.held)) == ([], [test.id])


def test_an_alert_that_has_run_out_is_shown_to_no_last_hop_of_a_process_that_knows_it(
    told: tuple[Line, list[PassOn]],
) -> None:
    line, (alert, *_) = told
    first, second = Shown(line), Shown(line)
    trust = second.hop.believed = first.hop.believed
    assert first.hop.took(alert.raw) is not None
    trust.now_ns = lambda: alert.expires_ns
    assert second.hop.took(alert.raw) is None
    assert (len(first.out), second.out, second.dropped) == (1, [], ["has-run-out"])

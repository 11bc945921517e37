"""Doing what exercise control is to do: one way for the virtual clock and for real processes.

A run hands in `Controls`; `plan_injects` plans every inject of the scenario on it. What a sensor or a post does not do
for a time is known to the world and to the people themselves (`SENSED`).

    plan_injects(controls)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from noroshi.exercise import injecting_alerts, injecting_forgeries, injecting_hazards, injecting_notices
from noroshi.exercise.coalition import Coalition, Member, inject_message
from noroshi.exercise.injects import (
    LinkDown,
    MessageInject,
    NodeDown,
    PostAbsent,
    RelayDown,
    Retract,
    SensorDown,
)
from noroshi.geo.places import PlaceTable
from noroshi.log import Batch
from noroshi.node.inputs import CapGiven, Detections, Received, RelayGiven

Act = Callable[[int], object]
"""Does something at a time (ns)."""

Handed = Detections | Received | CapGiven | RelayGiven
"""What sensors, posts and people at a node hand in."""


Backup = Callable[[], Sequence[Batch]]
"""Makes a record that is not the node's, which takes a second or so."""


class Controls(Protocol):
    """What exercise control can reach. key: keys the draws of this run."""

    coalition: Coalition
    places: PlaceTable
    key: bytes

    def plan(self, at_s: float, act: Act) -> None:
        """Lets something be done so many seconds after the start."""

    def cut(self, between: tuple[str, str]) -> None:
        """Cuts the line between two partners, now."""

    def heal(self, between: tuple[str, str]) -> None:
        """Joins it again."""

    def kill(self, node: str) -> None:
        """Ends a node at once."""

    def rise(self, node: str) -> None:
        """Lets it come back from its record, where nobody else sees to that."""

    def relay_down(self, name: str) -> None:
        """Lets a relay be gone, now."""

    def relay_up(self, name: str) -> None:
        """Lets it come back."""

    def give(self, node: str, given: Handed) -> None:
        """Gives a node an input, as its feeds and posts do."""

    def bring(self, node: str, partner: str, messages: Sequence[bytes]) -> None:
        """Lets a partner's link bring these to a node, as if the partner's node had sent them."""

    def receipt(self, node: str, partner: str, rows: int) -> None:
        """Lets a partner sign a receipt for so many more rows than this node has sent it."""

    def put_files(self, node: str, files: Sequence[bytes]) -> None:
        """Puts files among those that a node takes from the people who look after it."""

    def restore(self, node: str, backup: Backup) -> None:
        """Ends a node and lets it start from this record instead of its own; from its own when it has refused to."""

    def files(self, node: str) -> list[bytes]:
        """The public alerts that a node has issued so far, as files, in order."""


Inject = Callable[[Controls, Any], None]
"""Plans one type of inject; each module `injecting_<subject>` has a table `INJECTS` of them by type."""


def plan_injects(controls: Controls) -> None:
    """Plans all injects of the scenario, and the times at which its links are down."""
    scenario = controls.coalition.scenario
    for link in scenario.links:
        for window in link.down:
            _plan_cut(controls, link.between, window.from_s, window.for_s)
    for relay in scenario.relays:
        for window in relay.down:
            _plan_away(controls, relay.id, window.from_s, window.for_s)
    for one in scenario.injects:
        if type(one) not in SENSED:
            INJECTS[type(one)](controls, one)


def _plan_cut(controls: Controls, between: tuple[str, str], from_s: float, for_s: float) -> None:
    controls.plan(from_s, lambda now_ns: controls.cut(between))
    controls.plan(from_s + for_s, lambda now_ns: controls.heal(between))


def _plan_away(controls: Controls, relay: str, from_s: float, for_s: float) -> None:
    controls.plan(from_s, lambda now_ns: controls.relay_down(relay))
    controls.plan(from_s + for_s, lambda now_ns: controls.relay_up(relay))


def _relay_down(controls: Controls, one: RelayDown) -> None:
    for_s = one.for_s if one.for_s is not None else controls.coalition.scenario.duration_s
    _plan_away(controls, one.relay, one.at_s, for_s)


def _link_down(controls: Controls, one: LinkDown) -> None:
    _plan_cut(controls, one.between, one.at_s, one.for_s)


def _node_down(controls: Controls, one: NodeDown) -> None:
    controls.plan(one.at_s, lambda now_ns: controls.kill(one.node))
    controls.plan(one.at_s + one.for_s, lambda now_ns: controls.rise(one.node))


def _message(controls: Controls, one: MessageInject) -> None:
    member = controls.coalition.serving(one.unit)
    controls.plan(one.at_s, lambda now_ns: controls.give(member.node, control_input(member, one, now_ns)))


def control_input(member: Member, inject: MessageInject, now_ns: int) -> Received:
    """Exercise control's words as an input of the node that serves the unit."""
    raw = inject_message(member, inject.id, inject.unit, inject.text, now_ns)
    return Received(party=f"control:{member.control.certificate.subject}", number=0, raw=raw)


INJECTS: Mapping[type, Inject] = {
    LinkDown: _link_down,
    NodeDown: _node_down,
    RelayDown: _relay_down,
    MessageInject: _message,
    **injecting_alerts.INJECTS,
    **injecting_forgeries.INJECTS,
    **injecting_hazards.INJECTS,
    **injecting_notices.INJECTS,
}
"""Who plans which type of inject."""

SENSED: frozenset[Any] = frozenset((SensorDown, PostAbsent, Retract))
"""What `world` and `people` see to."""

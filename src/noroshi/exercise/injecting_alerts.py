"""Alerts that a post asks for in an exercise: it signs with its own key, at its own node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from noroshi.command.posts import alert_request
from noroshi.exercise.injects import Originate
from noroshi.node.inputs import Received

if TYPE_CHECKING:
    from noroshi.exercise.injecting import Controls, Inject


def _originate(controls: Controls, one: Originate) -> None:
    unit = next(post.unit for post in controls.coalition.scenario.posts if post.id == one.post)
    member = controls.coalition.serving(unit)
    country = one.country or member.partner.nation
    areas = [(country, region) for region in one.regions]

    def give(now_ns: int) -> None:
        raw = alert_request(member.seats[one.post], areas, one.kind, now_ns, name=one.id)
        controls.give(member.node, Received(party=f"post:{one.post}", number=0, raw=raw))

    controls.plan(one.at_s, give)


INJECTS: Mapping[type, Inject] = {Originate: _originate}

"""Reduced editions: what those get who may know that something comes down, and roughly where, and no more.

They are made of this node's own evidence alone: what a partner gave us for ourselves shows in none of them. Each object
is snapped once to the fixed grid of the policy; see `noroshi.sharing.reduced`.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from noroshi.clock import seconds
from noroshi.messages.bodies import FallRow
from noroshi.node.events import REDUCED, Event
from noroshi.node.outlook import look_ahead
from noroshi.node.speak import say
from noroshi.node.work import Work
from noroshi.sharing.reduced import Estimate, Seen, reduce

RADIUS_95 = 2.4477
"""Of a two-dimensional normal distribution: the radius in standard deviations that holds 95 %."""

WINDOW_SIGMAS = 1.96
"""Of a time, either way, at 95 %."""

ALIAS = "reduced"
"""What aliases of this class of precision are keyed by: nobody can join them to those of full editions."""


def touched(work: Work, event: Event) -> None:
    """A picture that is told in reduced form has new evidence: says the next edition when there is one to say."""
    state, grid = work.state, work.state.release_policy.grid
    if event.over_ns is not None or work.now_ns < event.looked_ns + seconds(grid.every_s):
        return
    event.looked_ns = work.now_ns
    outlook = look_ahead(event.estimate.filter, state.watch, state.genesis.rules, work.now_ns)
    if outlook is None or outlook.fall is None:
        return
    audience = event.audience - {REDUCED}
    fall, spread_ns = outlook.fall, seconds(WINDOW_SIGMAS * sqrt(outlook.fall.covariance[8]))
    seen = Seen(
        track=state.alias(ALIAS, event.number, audience),
        source=state.alias("origin", 0, audience).hex()[:8],
        sensings=frozenset(event.estimate.sensings),  # type: ignore[arg-type]  # checked where they entered
        fall=Estimate(fall.latitude_rad, fall.longitude_rad, _radius_m(fall)),
        from_ns=fall.time_ns - spread_ns,
        to_ns=fall.time_ns + spread_ns,
    )
    body = reduce(event.reduced, seen, work.now_ns, grid)
    if body is not None:
        event.reduced = body
        say(work, "reduced-track", state.genesis.assessing_unit, audience, body, event=body.track)


def _radius_m(fall: FallRow) -> float:
    """The radius that holds 95 % of where it may come down."""
    ground = np.array(fall.covariance).reshape(3, 3)[:2, :2]
    return RADIUS_95 * float(np.sqrt(np.linalg.eigvalsh(ground)[-1]))

"""Who gives messages to the nodes: posts and feeds that give again until they are answered.

A giver knows three things only: what it gave, what it was answered, and that a process has died. What was answered
`accepted` may never be lost; that is what the oracles hold the run against.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from noroshi.clock import seconds
from noroshi.command.posts import Seat, answer
from noroshi.exercise.draws import uniform
from noroshi.exercise.kernel import Kernel
from noroshi.messages import Envelope, KeyedHash, derive, label_for, seal
from noroshi.messages.bodies import Body, DecisionBody, RemarkBody
from noroshi.messages.envelope import SCHEMA_VERSION
from noroshi.messages.signing import ID_BYTES
from noroshi.node.inputs import Answer, Control, Detections, Input, Received, Retention
from noroshi.sharing.policy import Rule, default_policy, sign
from tests.simulation.coalition import CONSULT, COUNCIL, REALM, SIGMA, Coalition, seen_from
from tests.simulation.plan import Say
from tests.simulation.shell import PERSON, Host

GIVE_AGAIN_S = 0.5
REPEATED_PART = 0.3
"""Of all that posts say, what they say again, although it was answered: a lost answer looks the same to them."""

UNANSWERED_PART = 0.15
"""Of the tasks, those that nobody answers."""

BURST = 8
FLIGHT_SINCE_S = 60.0
"""How long the flight has been under way when a run begins."""


@dataclass(slots=True)
class Given:
    """One input that somebody gave to a host, and what the answer was."""

    host: Host
    given: Input
    answer: Answer | None = None
    then: Callable[[], None] = field(default=lambda: None)


class People:
    """All givers of a run."""

    def __init__(self, kernel: Kernel, coalition: Coalition, hosts: tuple[Host, ...], key: bytes) -> None:
        self.given: list[Given] = []
        self.busy = 0
        self._kernel = kernel
        self._coalition = coalition
        self._hosts = hosts
        self._key = key
        self._open: dict[str, list[Given]] = {host.name: [] for host in hosts}
        self._feeds: dict[str, deque[Given]] = {host.name: deque() for host in hosts}
        self._looks: dict[str, int] = {}
        for host in hosts:
            host.reborn = partial(self._reborn, host)
            host.shown = partial(self._shown, host)

    @property
    def waiting(self) -> bool:
        """Whether somebody has not been answered, or is about to say something."""
        return bool(self.busy) or any(one.answer is None for one in self.given if not one.host.damage)

    # --- giving -----------------------------------------------------------------------------------------------

    def give(self, now_ns: int, given: Given) -> None:
        """Gives an input, and gives it again until it is answered."""
        self.given.append(given)
        self._open[given.host.name].append(given)
        self._try(now_ns, given)

    def _try(self, now_ns: int, given: Given) -> None:
        if given.answer is not None:
            return

        def told(answered: Answer | None) -> None:
            if answered is None:
                self._kernel.at(self._kernel.now_ns + seconds(GIVE_AGAIN_S), self._try, given, PERSON)
            elif given.answer is None:
                given.answer = answered
                self._open[given.host.name].remove(given)
                given.then()

        given.host.give(given.given, told, now_ns)

    def _reborn(self, host: Host, now_ns: int) -> None:
        """A host is back: all that was not answered is given again, in order."""
        for given in list(self._open[host.name]):
            self._try(now_ns, given)

    def _later(self, now_ns: int, after_s: float, what: Callable[[int], None]) -> None:
        def now(at_ns: int, _: object) -> None:
            self.busy -= 1
            what(at_ns)

        self.busy += 1
        self._kernel.at(now_ns + seconds(after_s), now, None, PERSON)

    # --- what is said -----------------------------------------------------------------------------------------

    def say(self, now_ns: int, say: Say) -> None:
        """One line of the plan."""
        host = self._hosts[say.by % len(self._hosts)]
        if say.kind == "look":
            self._look(now_ns, host, say)
        elif say.kind == "policy":
            self.give(now_ns, Given(host, Control(party="control:root", raw=self._policy(host, say))))
        elif say.kind == "retention":
            kept = host.disk.kept
            if kept is not None:
                order = Retention(before_ns=host.now(now_ns), upto_sequence=kept.sequence)
                self.give(now_ns, Given(host, order))
        elif say.kind == "request" and host.name in self._coalition.council:
            self._post(now_ns, host, self._request(now_ns, host, say), f"{say.number}")
        else:
            for part in range(BURST if say.kind == "burst" else 1):
                self._post(now_ns, host, self._remark(now_ns, host, say, part), f"{say.number}.{part}")

    def _post(self, now_ns: int, host: Host, raw: bytes, name: str, post: str = "") -> None:
        post = post or f"{host.member.node}-gov.watch"
        given = Received(party=f"post:{post}", number=0, raw=raw)
        self.give(now_ns, Given(host, given))
        if uniform(self._key, "repeated", name) < REPEATED_PART:
            after_s = 3.0 * uniform(self._key, "repeated after", name)
            self._later(now_ns, after_s, lambda at_ns: self.give(at_ns, Given(host, given)))

    def _remark(self, now_ns: int, host: Host, say: Say, part: int) -> bytes:
        """Words to a drawn audience, often to one only that others lie on the way to."""
        others = [member.partner for member in self._coalition.members if member.partner != host.name]
        chance = uniform(self._key, "audience", say.number)
        audience = [host.name]
        if chance < 0.4:
            audience += others
        elif chance < 0.9:
            audience += [p for p in others if uniform(self._key, "to", say.number, p) < 0.6]
        body = RemarkBody(unit=f"{host.member.node}-gov", text=f"remark {say.number}.{part}")
        return self._sealed(now_ns, host, "remark", body, tuple(audience), f"remark {say.number}.{part}")

    def _request(self, now_ns: int, host: Host, say: Say) -> bytes:
        body = DecisionBody(
            case=derive(self._key, "case", say.number)[:ID_BYTES],
            decision=CONSULT,
            step="request",
            unit=f"{host.member.node}-gov",
            body=COUNCIL,
        )
        return self._sealed(
            now_ns, host, "decision", body, tuple(self._coalition.council), f"request {say.number}"
        )

    def _policy(self, host: Host, say: Say) -> bytes:
        """A policy that lets some partners have no more remarks or decisions from here, or all have everything again."""
        others = [member.partner for member in self._coalition.members if member.partner != host.name]
        lesser = tuple(p for p in others if uniform(self._key, "denied", say.number, p) < 0.4)
        kind = "remark" if uniform(self._key, "denied what", say.number) < 0.7 else "decision"
        policy = msgspec.structs.replace(
            default_policy(host.name, [*others, host.name], REALM),
            version=2 + int(1000 * say.at_s),
            rules=(Rule(id="denied-here", to=lesser, effect="deny", kinds=(kind,)),) if lesser else (),
        )
        return sign(policy, KeyedHash(), host.member.root)

    def _sealed(
        self, now_ns: int, host: Host, kind: str, body: Body, audience: tuple[str, ...], name: str
    ) -> bytes:
        seat: Seat = host.member.seats[f"{host.member.node}-gov.watch"]
        own = seat.certificate
        envelope = Envelope(
            v=SCHEMA_VERSION,
            realm=own.realm,
            origin=own.partner,
            node=seat.node,
            post=own.subject,
            unit=own.unit,
            id=derive(seat.ids_secret, "said", name)[:ID_BYTES],
            kind=kind,
            time_ns=host.now(now_ns),
            time_error_ns=0,
            label=label_for(audience),
            body=msgspec.Raw(b""),
        )
        return seal(envelope, body, own, seat.scheme, seat.secret).raw

    # --- what radars see --------------------------------------------------------------------------------------

    def _look(self, now_ns: int, host: Host, say: Say) -> None:
        """One look of a host's radar; a feed gives one batch after the other, since a later one closes the gap."""
        place = [one.name for one in self._hosts].index(host.name)
        number = self._looks[host.name] = self._looks.get(host.name, 0) + 1
        sensor = host.member.genesis.sensors[0].id
        # To a tenth of a second, so that the flight is computed once for many runs.
        seen = seen_from(place, FLIGHT_SINCE_S + round(say.at_s, 1))
        noise = [2.0 * uniform(self._key, "noise", say.number, axis) - 1.0 for axis in range(3)]
        value = tuple(v + n * s for v, n, s in zip(seen, noise, SIGMA, strict=True))
        batch = Detections(
            feed=f"feed {host.name}",
            sequence=number,
            sensor=sensor,
            time_ns=(host.now(now_ns),),
            value=((value[0], value[1] % 6.283185307179586, value[2]),),
        )
        waiting = self._feeds[host.name]
        waiting.append(Given(host, batch, then=lambda: self._next_look(host)))
        if len(waiting) == 1:
            self.give(now_ns, waiting[0])

    def _next_look(self, host: Host) -> None:
        waiting = self._feeds[host.name]
        waiting.popleft()
        if waiting:
            self.give(self._kernel.now_ns, waiting[0])

    # --- what is answered -------------------------------------------------------------------------------------

    def _row(self, host: Host, data: bytes) -> dict[str, Any]:
        """A row as a page reads it; one that rotted on the disk may be unreadable, and is then passed over."""
        try:
            row: dict[str, Any] = json.loads(data)
            return {"type": "", "state": "", "posts": []} | row
        except ValueError:
            if host.disk.rotten:
                return {"type": "", "state": "", "posts": []}
            raise

    def _shown(self, host: Host, now_ns: int, data: bytes) -> None:
        """A post sees a row; when it is a task, the post answers after a while, or does not."""
        row = self._row(host, data)
        if row["type"] != "task" or row["state"] != "open" or not row["posts"]:
            return
        name = f"{host.name} {row['task']}"
        if uniform(self._key, "unanswered", name) < UNANSWERED_PART:
            return
        outcome = "refuse" if uniform(self._key, "outcome", name) < 0.15 else "concur"
        post = row["posts"][0]

        def now(at_ns: int) -> None:
            raw = answer(row["answer"], outcome, host.member.seats[post], host.now(at_ns))
            self._post(at_ns, host, raw, name, post)

        self._later(now_ns, 0.05 + 1.5 * uniform(self._key, "answers after", name), now)

"""Modelled persons: they read what waits for their post, take their time, and answer with their post's own key.

One `People` holds all posts of one node. It does no I/O and reads no clock: it is shown the rows of the node's
staff stream, and asked what is due. A virtual run and a run with processes use it alike.

Rules: a person does one thing at a time; nobody at the post does nothing; work that is done, expired or past its
deadline is not answered. The time one piece of work takes is keyed by post and task and nothing else.

    people.shown(now_ns, row)
    for answer in people.due(now_ns): deliver(answer.post, answer.raw)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from noroshi.clock import NEVER, seconds
from noroshi.command.posts import Seat, answer
from noroshi.exercise.draws import log_normal, uniform
from noroshi.exercise.scenario import Consultation, Post

NS_PER_MS = 1_000_000
CHOICES = frozenset({"concur", "approve-alert", "originate-alert", "agree-warning", "correct-count"})
"""Actions that a person may also refuse."""

READ = frozenset({"task", "alert", "correction"})
"""Types of the staff's rows that a person reads."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A post's signed message, ready for its node."""

    post: str
    task: str
    action: str
    raw: bytes


@dataclass(slots=True)
class Person:
    """One post, and until when the person in it is busy. present: whether anybody is there at all."""

    post: Post
    seat: Seat
    present: bool
    busy_until_ns: int = 0
    absences: list[tuple[int, int]] = field(default_factory=list)

    def free_from(self, now_ns: int) -> int:
        """When this person can start on something that comes now; NEVER if nobody is there any more."""
        if not self.present:
            return NEVER
        start_ns = max(now_ns, self.busy_until_ns)
        for from_ns, to_ns in sorted(self.absences):
            if from_ns <= start_ns < to_ns:
                start_ns = to_ns
        return start_ns


@dataclass(frozen=True, slots=True)
class _Retraction:
    """What a post is to take back, and whether it tells the public."""

    reason: str
    correction: bool


class People:
    """The modelled persons of one node. `key` keys their draws."""

    def __init__(
        self,
        posts: Iterable[Post],
        seats: Mapping[str, Seat],
        consultations: Iterable[Consultation],
        key: bytes,
    ) -> None:
        self._key = key
        self._persons = {
            post.id: Person(post, seats[post.id], uniform(key, "presence", post.id) <= post.presence)
            for post in posts
        }
        self._asks = {(one.post, one.decision): one for one in consultations}
        self._queue: list[tuple[int, int, str, Mapping[str, Any]]] = []
        self._serial = 0
        self._taken: set[str] = set()
        self._over: set[str] = set()
        self._alerted = False
        self._waiting: list[Mapping[str, Any]] = []
        self._corrections: dict[str, Mapping[str, Any]] = {}
        self._retractions: dict[str, _Retraction] = {}

    def retract(self, post: str, at_ns: int, name: str, reason: str, *, correction: bool = True) -> None:
        """This post takes back, at this time, what then stands; without `correction` it tries to tell nobody."""
        self._retractions[name] = _Retraction(reason, correction)
        self._serial += 1
        heappush(self._queue, (at_ns, self._serial, post, {"task": f"inject:{name}", "retraction": name}))

    def absent(self, post: str, from_ns: int, to_ns: int) -> None:
        """Nobody is at this post from one time to another (NEVER: to the end)."""
        self._persons[post].absences.append((from_ns, to_ns))

    def shown(self, now_ns: int, row: Mapping[str, Any]) -> None:
        """Reads one row of the node's staff stream; rows that are no task, or seen before, change nothing."""
        if row["type"] == "correction":
            self._corrections.pop(row["answer"]["subject"], None)
            if row["state"] == "ready":
                self._corrections[row["answer"]["subject"]] = row
        elif row["type"] == "alert" and not self._alerted:
            self._alerted = True
            waiting, self._waiting = self._waiting, []
            for task in waiting:
                self._take(now_ns, task)
        elif row["type"] == "task":
            if row["state"] != "open":
                self._over.add(row["task"])
            elif row["task"] not in self._taken:
                self._taken.add(row["task"])
                self._consider(now_ns, row)

    @property
    def next_due_ns(self) -> int:
        """When the next answer is ready, NEVER if nobody works on anything."""
        return self._queue[0][0] if self._queue else NEVER

    def due(self, now_ns: int) -> list[Answer]:
        """The answers that are ready by now, in the order in which they became so."""
        ready: list[Answer] = []
        while self._queue and self._queue[0][0] <= now_ns:
            _, _, post, task = heappop(self._queue)
            deadline_ms = task.get("deadline_ms") or 0
            if task["task"] in self._over or (deadline_ms and now_ns > deadline_ms * NS_PER_MS):
                continue
            person = self._persons[post]
            if "retraction" in task:
                ready += self._taken_back(now_ns, person, self._retractions[task["retraction"]], task["task"])
                continue
            outcome = person.post.answer if task["action"] in CHOICES else "concur"
            if task["action"] == "stop-alert":  # who agrees with alerts keeps the one that went out by itself
                outcome = "refuse" if person.post.answer == "concur" else "concur"
            raw = answer(task["answer"], outcome, person.seat, now_ns, task["answer"].get("confirm", ""))
            ready.append(Answer(post, task["task"], task["action"], raw))
        return ready

    def _taken_back(self, now_ns: int, person: Person, what: _Retraction, task: str) -> list[Answer]:
        """The signed end of every alert that stands at this post's unit; without a correction, what nobody may sign."""
        rows = [
            row
            for row in self._corrections.values()
            if row["reason"] == what.reason and person.post.id in row["posts"]
        ]
        answers = []
        for row in rows:
            fields = dict(row["answer"])
            if not what.correction:
                fields |= {"subject": "", "task": task}
            raw = answer(fields, "concur", person.seat, now_ns)
            answers.append(Answer(person.post.id, task, "retract-alert", raw))
        return answers

    def _consider(self, now_ns: int, task: Mapping[str, Any]) -> None:
        if task["action"] == "request":
            asks = [self._asks.get((post, task["answer"]["decision"])) for post in task["posts"]]
            wanted = next((one for one in asks if one is not None), None)
            if wanted is None:
                return
            if wanted.after == "alert" and not self._alerted:
                self._waiting.append(task)
                return
        self._take(now_ns, task)

    def _take(self, now_ns: int, task: Mapping[str, Any]) -> None:
        """Gives the task to whoever of its posts would be done first; the earlier in the list where equal."""
        best: tuple[int, str] | None = None
        for post in task["posts"]:
            person = self._persons.get(post)
            start_ns = person.free_from(now_ns) if person else NEVER
            if person is None or start_ns == NEVER:
                continue
            response = person.post.response
            took_s = log_normal(self._key, response.median_s, response.spread, "response", post, task["task"])
            done_ns = start_ns + seconds(took_s)
            if best is None or done_ns < best[0]:
                best = (done_ns, post)
        if best is not None:
            done_ns, post = best
            self._persons[post].busy_until_ns = done_ns
            self._serial += 1
            heappush(self._queue, (done_ns, self._serial, post, task))

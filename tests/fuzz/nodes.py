"""Targets: a whole node, in the middle of a crisis or at its first moment, given inputs in any order.

An input is a list of steps in msgpack. A step is an input of the core as a map, or a number of seconds to wait. So that
a change of values gets past the signatures, a step may hold a map in the place of signed bytes: what a genuine key of a
partner, a post or a root then signs. Whatever is given, the node answers, its log replays to the same state, and its
streams stay dense.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Literal

import msgspec

from noroshi.clock import seconds
from noroshi.log import Batch, Snapshot
from noroshi.messages import KINDS, canonical
from noroshi.messages.envelope import Signed
from noroshi.messages.keys import Bundle, Certificate, bundle_bytes, certify
from noroshi.messages.labels import Label
from noroshi.node import Node
from noroshi.node.inputs import (
    CheckpointGiven,
    ClockStepped,
    Commit,
    Genesis,
    Input,
    ReceiptGiven,
    Received,
    Restart,
    Retention,
    TimerDue,
    decode_input,
)
from noroshi.sharing.policy import POLICY_DOMAIN, SignedPolicy, default_policy
from noroshi.sharing.streams import EMPTY_HEAD, MAX_NUMBER, next_head, statement_bytes
from tests.fuzz.sample import samples
from tests.fuzz.table import Look, Target
from tests.node.scene import Scene, lane_of, places

OWN = "jpn"
MOST_STEPS = 40
"""Steps of one input that are taken: more of them show no more."""

LONGEST_WAIT_S = 86_400.0
LARGEST_STEP_NS = 10**17
"""Three years: a machine's clock is not stepped further."""

TIMERS_AT_ONCE = 200
"""Timers that may come due without time going on; more is a timer that sets itself again for ever."""


@cache
def crisis() -> Scene:
    """Three nodes after the warning, with tasks that wait for posts."""
    return Scene("trilateral").watch(110.0)


@cache
def quiet() -> Scene:
    return Scene("trilateral")


class Course:
    """One node on its way through the steps of an input."""

    def __init__(self, scene: Scene, start: Snapshot) -> None:
        self.scene = scene
        self.member = scene[OWN].member
        self.start = start
        self.node = Node.restore("fuzz", start, [], self.member.secrets, places())
        self.now_ns = scene.now_ns
        self.heads = dict(_ends(scene).items())
        self.batches: list[Batch] = []

    def step(self, step: object) -> None:
        if isinstance(step, int | float) and not isinstance(step, bool):
            self.now_ns += seconds(min(max(0.0, float(step)), LONGEST_WAIT_S)) if step == step else 0
            self.timers()
            return
        given = self.given(step)
        if given is None:
            return
        if isinstance(given, ClockStepped):
            self.now_ns += given.by_ns
        self.take(given)
        self.timers()

    def timers(self) -> None:
        for _ in range(TIMERS_AT_ONCE):
            due = self.node.due(self.now_ns)
            if not due:
                return
            for timer in due:
                self.take(timer)
        raise AssertionError(f"a timer comes due without end: {self.node.due(self.now_ns)}")

    def take(self, given: Input) -> Commit:
        commit = self.node.handle(self.now_ns, given)
        assert commit.batch.records[0].is_input
        assert commit.answer.reason or commit.answer.outcome != "refused"
        for cut in commit.batch.cuts:
            last = self.heads.get(cut.stream, (0, EMPTY_HEAD))[0]
            assert all(cut.after < number <= last for number, _ in cut.kept)
            self.heads[cut.stream] = (cut.after + len(cut.kept), cut.kept[-1][1] if cut.kept else b"")
        for row in commit.batch.outbox:
            number, head = self.heads.get(row.stream, (0, EMPTY_HEAD))
            assert row.number == number + 1
            assert not head or row.head == next_head(head, row.data)
            self.heads[row.stream] = row.number, row.head
        self.batches.append(commit.batch)
        return commit

    def end(self) -> None:
        """The log gives the node back as it is."""
        records = [record for batch in self.batches for record in batch.records]
        again = Node.restore("fuzz", self.start, records, self.member.secrets, places())
        assert again.snapshot().manifest == self.node.snapshot().manifest

    # What a step stands for

    def given(self, step: object) -> Input | None:
        """The input of a step, signed where it says so; None for what no shell hands to a node."""
        if not isinstance(step, dict):
            return None
        fields = dict(step)
        party = fields.get("party")
        raw = fields.get("raw")
        if isinstance(raw, dict) and isinstance(party, str):
            fields["raw"] = (
                self.control(party, raw) if fields.get("type") == "control" else self.sealed(party, raw)
            )
        try:
            given = decode_input(msgspec.msgpack.encode(fields))
        except (msgspec.MsgspecError, OverflowError, TypeError):
            return None
        return self.possible(given)

    def possible(self, given: Input) -> Input | None:
        """The input as a shell hands it over: it checks what a link brings, and gives timers and retention itself."""
        match given:
            case Genesis() | TimerDue():
                return None
            case Received() if given.party.startswith("partner:"):
                lane = given.lane if 0 <= given.lane < 4 else lane_of(given.raw)
                number = given.number or self.node.received(given.party).upto[lane] + 1
                return (
                    msgspec.structs.replace(given, lane=lane, number=number)
                    if 0 < number < MAX_NUMBER
                    else None
                )
            case Received():
                known = given.party.startswith(("post:", "control:"))
                return msgspec.structs.replace(given, number=0) if known else None
            case ReceiptGiven() | CheckpointGiven() | Restart():
                return None if given.position.defect else self.stated(given)
            case ClockStepped():
                return (
                    given
                    if abs(given.by_ns) < LARGEST_STEP_NS and 0 <= given.error_ns < LARGEST_STEP_NS
                    else None
                )
            case Retention():
                upto = min(max(0, given.upto_sequence), self.node.chain.sequence)
                return Retention(before_ns=min(given.before_ns, self.now_ns), upto_sequence=upto)
        return given

    def stated(self, given: ReceiptGiven | CheckpointGiven | Restart) -> Input:
        """A position that is empty stands for the one that the node expects; an empty signature for a genuine one."""
        node, position = self.node, given.position
        if position.heads[0] == EMPTY_HEAD and not any(position.upto):
            position = (
                node.sent(given.party) if isinstance(given, ReceiptGiven) else node.received(given.party)
            )
        if isinstance(given, Restart):
            return Restart(party=given.party, position=position)
        signature = given.signature
        if not signature:
            name = given.party.removeprefix("partner:")
            what: Literal["receipt", "checkpoint"] = (
                "receipt" if isinstance(given, ReceiptGiven) else "checkpoint"
            )
            sender, receiver = ("JPN", name) if what == "receipt" else (name, "JPN")
            data = statement_bytes(what, self.member.genesis.realm, sender, receiver, position)
            signature = node.state.scheme.sign(self.speaker(name).secrets.signing, data)
        return msgspec.structs.replace(given, position=position, signature=signature)

    def speaker(self, partner: str) -> Any:
        """The member whose keys sign for a partner; our own neighbour for one that is none."""
        found = {one.trigraph: one for one in self.scene.coalition.members}
        return found.get(partner, found["USA"])

    def sealed(self, party: str, said: dict[Any, Any]) -> bytes:
        """A message as a map: `kind`, `body`, and any other fields of the envelope."""
        side, _, name = party.partition(":")
        member = self.speaker("JPN" if side in ("post", "control") else name)
        kind, body = said.get("kind"), said.get("body", {})
        try:
            fields = {key: value for key, value in said.items() if key in _ENVELOPE and isinstance(key, str)}
            if "label" in fields:
                fields["label"] = msgspec.convert(fields["label"], Label)
            if isinstance(fields.get("time_ns"), int) and abs(fields["time_ns"]) < 10**15:
                fields["time_ns"] += self.now_ns  # a short number is so many nanoseconds from now
            self.scene.now_ns = self.now_ns
            post = name if side == "post" else ""
            packed = body if isinstance(body, bytes) else canonical.encode(body)
            return self.scene.sealed(member.node, str(kind), packed, post=post, **fields)
        except (msgspec.MsgspecError, OverflowError, TypeError, UnicodeEncodeError):
            return canonical.encode([])

    def control(self, party: str, said: dict[Any, Any]) -> bytes:
        """What a root signs: `policy` as a map, or `certificate` as one."""
        partner = str(said.get("partner", "JPN"))
        root, scheme = self.scene.root_secret(partner), self.node.state.scheme
        try:
            if "certificate" in said:
                card = msgspec.convert(said["certificate"], Certificate)
                return bundle_bytes(Bundle(certificates=(certify(scheme, root, card),)))
            payload = canonical.encode(said.get("policy"))
            return canonical.encode(SignedPolicy(payload, scheme.sign(root, POLICY_DOMAIN + payload)))
        except (msgspec.MsgspecError, OverflowError, TypeError):
            return b""


_ENVELOPE = frozenset(
    {
        "v",
        "origin",
        "node",
        "unit",
        "id",
        "time_ns",
        "time_error_ns",
        "label",
        "event",
        "refs",
        "expires_ns",
        "critical",
    }
)


@cache
def _ends(scene: Scene) -> dict[str, tuple[int, bytes]]:
    """Where each stream of the node stands."""
    return {row.stream: (row.number, row.head) for batch in scene[OWN].batches for row in batch.outbox}


def _look(scene: Scene) -> Look:
    start, began_ns = scene[OWN].node.snapshot(), scene.now_ns

    def look(data: bytes) -> None:
        try:
            steps = msgspec.msgpack.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            steps = [{"type": "received", "party": "partner:USA", "number": 0, "lane": 0, "raw": data}]
        scene.now_ns = began_ns
        course = Course(scene, start)
        for step in (steps if isinstance(steps, list) else [steps])[:MOST_STEPS]:
            course.step(step)
        course.end()

    return look


# --- seeds ------------------------------------------------------------------------------------------------------------


def _said(scene: Scene, sender: str) -> list[dict[str, Any]]:
    """What a neighbour has said, one message of each kind, as steps that are signed anew."""
    steps: dict[str, dict[str, Any]] = {}
    for row in scene[sender].rows("partner:JPN"):
        payload = msgspec.msgpack.decode(msgspec.msgpack.decode(row.data, type=Signed).payload)
        said = {"kind": payload["kind"], "body": payload["body"], "event": payload["event"], "time_ns": 0}
        party = scene[sender].party
        steps[payload["kind"]] = {"type": "received", "party": party, "number": 0, "lane": -1, "raw": said}
    return list(steps.values())


def _sampled(party: str) -> list[dict[str, Any]]:
    """A message of every kind, right in form."""
    return [
        {
            "type": "received",
            "party": party,
            "number": 0,
            "lane": -1,
            "raw": {"kind": kind, "body": samples(row.body)[-1], "event": b"e" * 16, "time_ns": 0},
        }
        for kind, row in KINDS.items()
    ]


def _answers(scene: Scene) -> list[dict[str, Any]]:
    """What posts do about their tasks."""
    steps = []
    for task in scene.tasks(OWN):
        fields = task["answer"]
        if fields["kind"] != "decision":
            continue
        body = {
            "case": bytes.fromhex(fields["case"]),
            "decision": fields["decision"],
            "step": fields["step"],
            "unit": task["unit"],
            "outcome": "concur" if fields["step"] == "concurrence" else "",
            "body": fields.get("body", ""),
            "subject": bytes.fromhex(fields.get("subject", "")),
            "deadline_ns": fields.get("deadline_ns", 0),
        }
        for post in task["posts"]:
            said = {"kind": "decision", "body": body, "event": bytes.fromhex(fields["event"]), "time_ns": 0}
            steps.append({"type": "received", "party": f"post:{post}", "number": 0, "raw": said})
    return steps


def _detections(scene: Scene) -> list[dict[str, Any]]:
    """The next batches of two own sensors."""
    node = scene[OWN].node
    rows = []
    for sensor in list(scene[OWN].member.genesis.sensors)[:2]:
        for number in range(1, 4):
            rows.append(
                {
                    "type": "detections",
                    "feed": sensor.id,
                    "sequence": node.state.feeds.get(sensor.id, 0) + number,
                    "sensor": sensor.id,
                    "time_ns": [scene.now_ns + number * 10**9],
                    "value": [[9e5, 0.3 + 0.01 * number, 0.4]],
                }
            )
    return rows


def _shell(scene: Scene) -> list[dict[str, Any]]:
    """What the shell and the links bring beside messages."""
    empty = [0, [0, 0, 0, 0], [EMPTY_HEAD] * 4]
    genesis = scene[OWN].member.genesis
    card = msgspec.to_builtins(genesis.certificates[0], builtin_types=(bytes,)) | {"serial": 2}
    policy = default_policy(genesis.partner, set(genesis.partners) - {genesis.partner}, genesis.realm)
    denies = msgspec.structs.replace(
        policy, version=3, partners={name: _removed(one) for name, one in policy.partners.items()}
    )
    plain = [msgspec.msgpack.decode(msgspec.msgpack.encode(one)) for one in (policy, denies)]
    return [
        {"type": "receipt", "party": "partner:USA", "position": empty, "signature": b""},
        {"type": "checkpoint", "party": "partner:USA", "position": empty, "signature": b""},
        {"type": "restart", "party": "partner:USA", "position": [1, [0, 0, 0, 0], [EMPTY_HEAD] * 4]},
        {"type": "link", "party": "partner:USA", "state": "up", "offset_s": 0.2, "error_s": 0.01},
        {"type": "clock", "by_ns": 10**9, "error_ns": 10**8},
        {"type": "control", "party": "control:hand", "raw": {"certificate": card}},
        {"type": "control", "party": "control:hand", "raw": {"policy": plain[0] | {"version": 2}}},
        {"type": "control", "party": "control:hand", "raw": {"policy": plain[1]}},
        {"type": "retention", "before_ns": scene.now_ns, "upto_sequence": 10**6},
        {"type": "received", "party": "post:jp-pm.duty", "number": 0, "raw": b"\x93"},
    ]


def _removed(terms: Any) -> Any:
    return msgspec.structs.replace(terms, terms="removed")


def _seeds(scene: Scene) -> Sequence[bytes]:
    said, shell, answers = _said(scene, "usa"), _shell(scene), _answers(scene)
    seeds: list[list[Any]] = [
        [*_detections(scene), 1.0, *said, 5.0, *answers, 30.0],
        [*answers, *answers, 200.0, *shell[:4]],
        [*shell, 10.0, *_detections(scene), 3600.0],
        [shell[6], *said, shell[7], *said, 60.0, shell[0], 86_400.0],
        [*_sampled("partner:USA"), 1.0, *_sampled("post:jp-pm.duty")],
        *([step, 1.0] for step in _sampled("partner:USA")),
    ]
    return [canonical.encode(one) for one in seeds]


def _long(scene: Scene, room: int) -> Iterable[bytes]:
    """Long bodies, of genuine keys."""
    size = room - room // 8
    for kind in ("track", "warning", "alert", "decision", "remark"):
        body = samples(KINDS[kind].body)[-1]
        for name, value in body.items():
            if isinstance(value, list) and value:
                many = {**body, name: value * (size // len(canonical.encode(value)))}
                yield canonical.encode(
                    [
                        {
                            "type": "received",
                            "party": "partner:USA",
                            "number": 0,
                            "lane": -1,
                            "raw": {"kind": kind, "body": many, "event": b"e" * 16, "time_ns": 0},
                        }
                    ]
                )
    row = {
        "type": "detections",
        "feed": "f",
        "sequence": 1,
        "sensor": scene[OWN].member.genesis.sensors[0].id,
    }
    count = size // 40
    yield canonical.encode([{**row, "time_ns": [scene.now_ns] * count, "value": [[9e5, 0.3, 0.4]] * count}])


TARGETS = (
    Target(
        "node:quiet",
        "a node at its first moment, any inputs in any order",
        lambda: _look(quiet()),
        lambda: _seeds(quiet()),
        "msgpack",
        1 << 20,
        320.0,
        10.0,
        lambda size: _long(quiet(), size),
    ),
    Target(
        "node:crisis",
        "a node in the middle of a crisis, any inputs in any order",
        lambda: _look(crisis()),
        lambda: _seeds(crisis()),
        "msgpack",
        1 << 20,
        320.0,
        10.0,
        lambda size: _long(crisis(), size),
    ),
)

"""What a post says at a terminal: one signed message, made from its key file and given to its running node.

found = own_message(file, "3f2a")                    # raises OperatorError: none, or several
raw = spoken(key, node="jpn", kind="recall", body=RecallBody(of=found.id, step="ask"), now_ns=now_ns)
answer = give(directory, key, raw)
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from noroshi.clock import NEVER
from noroshi.command.posts import Seat
from noroshi.errors import OperatorError
from noroshi.messages import KINDS, Certificate, Ed25519, Envelope, derive, label_for, seal
from noroshi.messages.bodies import Body
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import Signed
from noroshi.messages.signing import ID_BYTES
from noroshi.node.inputs import Answer, Received
from noroshi.service.client import NodeClient
from noroshi.service.key_files import Key
from noroshi.service.node_dir import NodeDir
from noroshi.service.record_file import RecordFile
from noroshi.service.sqlite_store import running_pid

GIVE_S = 15.0
"""How long the running node is waited for."""

_SIGNED = msgspec.msgpack.Decoder(Signed)
_ENVELOPE = msgspec.msgpack.Decoder(Envelope)


@dataclass(frozen=True, slots=True)
class OwnMessage:
    """One of a node's own messages: its id, its header, and the whole of it as its record has it."""

    id: bytes
    envelope: Envelope
    raw: bytes


def own_message(file: RecordFile, head: str) -> OwnMessage:
    """The one own message whose id begins with `head` (hexadecimal). Raises OperatorError when it is none or several."""
    found: dict[bytes, OwnMessage] = {}
    wanted = head.lower()
    for record in file.records():
        if record.type != "message" or record.body is None:
            continue
        envelope = _ENVELOPE.decode(_SIGNED.decode(record.body).payload)
        if envelope.id.hex().startswith(wanted):
            found[envelope.id] = OwnMessage(envelope.id, envelope, record.body)
    if len(found) == 1:
        return next(iter(found.values()))
    cause = (
        f"{len(found)} of this node's messages have such an id"
        if found
        else "this node has said no such message"
    )
    hint = "give more of the id" if found else "`noroshi release explain DIR last PARTNER` shows how ids look"
    raise OperatorError("find the message", subject=head, cause=cause, hint=hint)


def card_of(key: Key) -> Certificate:
    """What a post's key file says of it, in the form of a certificate; whether it is certified, its node says."""
    return Certificate(
        realm=key.realm, partner=key.partner, role="post", subject=key.subject, unit=key.unit, public=key.public,
        not_before_ns=0, not_after_ns=NEVER,
    )  # fmt: skip


def seat_of(key: Key, node: str) -> Seat:
    """A post's means of speaking at its node, made of its key file. Its messages' ids follow from the key."""
    return Seat(card_of(key), node, Ed25519(), key.seed, key.seed)


def spoken(key: Key, *, node: str, kind: str, body: Body, now_ns: int) -> bytes:
    """A message of a post to its own node, which goes no further."""
    scheme = Ed25519()
    identity = derive(key.seed, "post-speech", kind, encode(body), now_ns)[:ID_BYTES]
    envelope = Envelope(
        v=KINDS[kind].since,
        realm=key.realm,
        origin=key.partner,
        node=node,
        post=key.subject,
        unit=key.unit,
        id=identity,
        kind=kind,
        time_ns=now_ns,
        time_error_ns=0,
        label=label_for((key.partner,)),
        body=msgspec.Raw(b""),
    )
    return seal(envelope, body, card_of(key), scheme, key.seed).raw


def give(directory: NodeDir, key: Key, raw: bytes) -> Answer:
    """What the running node answers, once it is durable. Raises OperatorError when it does not run."""
    if running_pid(directory.record_path) is None:
        raise OperatorError(
            "speak to the node", subject=str(directory.path), cause="it does not run",
            hint="start it with `noroshi node run`",
        )  # fmt: skip

    async def given() -> Answer:
        client = NodeClient(directory.page_address, page_token=directory.page_token())
        async with asyncio.timeout(GIVE_S):
            (answer,) = await client.give([Received(party=f"post:{key.subject}", number=0, raw=raw)])
        return answer

    try:
        return asyncio.run(given())
    except TimeoutError:
        raise OperatorError(
            "speak to the node", subject=str(directory.path), cause=f"it did not answer in {GIVE_S:.0f} s",
            hint="look at what it says on standard error", retry=True,
        ) from None  # fmt: skip

"""How many objects a partner counts: what is kept of a statement, and the message with which a post corrects one.

raw = correction(seat, audience, event=alias, number=2, count=1, of=first, why="separated-parts", now_ns=now_ns)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from noroshi.command.posts import Seat
from noroshi.messages import KINDS, Envelope, derive, label_for, seal
from noroshi.messages.bodies_counts import CountBody
from noroshi.messages.signing import ID_BYTES

Why = Literal["", "separated-parts", "seen-twice", "false-track", "more-seen", "other"]


class Count(msgspec.Struct, frozen=True, array_like=True):
    """A statement about one occurrence. id: of the message; by: the post, empty for a node's own count; basis: how many
    objects the own node counted when its post spoke.
    """

    id: bytes
    number: int
    count: int
    by: str
    basis: int = 0


def correction(
    seat: Seat,
    audience: Iterable[str],
    *,
    event: bytes,
    number: int,
    count: int,
    of: bytes,
    why: Why,
    now_ns: int,
) -> bytes:
    """A post's signed count that takes the place of the statement `of`; `audience` must be all who had that.

    event: what the occurrence is called towards them; number: higher than that of the statement.
    """
    own = seat.certificate
    identity = derive(seat.ids_secret, "count", own.subject, event.hex(), of.hex(), number)[:ID_BYTES]
    envelope = Envelope(
        v=KINDS["count"].since,
        realm=own.realm,
        origin=own.partner,
        node=seat.node,
        post=own.subject,
        unit=own.unit,
        id=identity,
        kind="count",
        time_ns=now_ns,
        time_error_ns=0,
        label=label_for(frozenset(audience)),
        event=event,
        refs=(of,) if of else (),
        body=msgspec.Raw(b""),
    )
    body = CountBody(number=number, count=count, least=count, most=count, supersedes=of, why=why)
    return seal(envelope, body, own, seat.scheme, seat.secret).raw

"""Was this event of a client here before? A repeat has no effect; another content under its name and time is refused.

An event is named by its uid and its time. What is said again is taken for a repeat as long as it is known here; what was
over when it came, or comes from the future, is not taken at all: so nothing that was recorded is said a second time.

    heard = HeardEvents()
    heard.judge(post, event, says, now_ns)   # '', 'repeated', 'contradictory', 'future-dated', 'stale' or 'no-time'
    heard.note(post, event, says)
"""

from __future__ import annotations

from hashlib import blake2b

from noroshi.clock import seconds
from noroshi.gateways.cot import CotEvent

AHEAD_NS = seconds(60.0)
"""How far a client's clock may be ahead of ours, or behind: a phone without a network for days is off by less."""

MAX_HEARD = 8_192
"""Events that are known of one group: an hour of twenty posts that say what they may. The oldest are let go."""


REPEATED, CONTRADICTORY = "repeated", "contradictory"


class HeardEvents:
    """What one group's clients have said."""

    def __init__(self) -> None:
        self._heard: dict[bytes, bytes] = {}

    def judge(self, speaker: str, event: CotEvent, says: str, now_ns: int) -> str:
        """Why an event is not taken, or an empty text. says: its content, as it is understood here.

        speaker: the post for which it is said, or nobody. now_ns: the present by the clocks of the clients. An event
        that does not say until when it holds is over at once.
        """
        if event.time_ns is None:
            return "no-time"
        if event.time_ns > now_ns + AHEAD_NS:
            return "future-dated"
        if (event.stale_ns if event.stale_ns is not None else event.time_ns) < now_ns - AHEAD_NS:
            return "stale"
        known = self._heard.get(_name(speaker, event))
        return "" if known is None else REPEATED if known == _content(event, says) else CONTRADICTORY

    def note(self, speaker: str, event: CotEvent, says: str) -> None:
        """An event was taken: it is known from now on."""
        while len(self._heard) >= MAX_HEARD:
            del self._heard[next(iter(self._heard))]
        self._heard[_name(speaker, event)] = _content(event, says)


def _name(speaker: str, event: CotEvent) -> bytes:
    """What an event is known by: short, however long the uid is that a client has chosen."""
    parts = (speaker, event.uid, event.time)
    return blake2b("".join(f"{len(one)}:{one}" for one in parts).encode(), digest_size=16).digest()


def _content(event: CotEvent, says: str) -> bytes:
    return blake2b(f"{event.type}\x00{says}".encode(), digest_size=16).digest()

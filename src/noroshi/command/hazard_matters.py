"""What of another agency's hazard concerns our public: which areas, on whose word, until when, and what came of it.

A matter is opened by a message that a rule covers, goes on with what follows that message, and is over when the agency
takes it back, when it concerns us no more, or when its time has run out. Alerts are drafted, asked for and ended by its
number.

    matter.is_open, matter.areas, matter.cited.agency
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from noroshi.messages.bodies import AreaRow, CitedRow, Ring

MatterState = Literal["open", "ended", "run-out"]

EndReason = Literal["false", "superseded", "passed"]


Held = Literal["", "agency", "partner"]
"""Whose label does not let the word be told to the public, so that nothing can be issued on it: the agency's, which our
root may know to have agreed, or that of the partner who told us, which only this partner can widen.
"""


class HazardMatter(msgspec.Struct, frozen=True, kw_only=True):
    """One matter of an agency that concerns our areas.

    number: of its drafts and alerts, below 0; keys: of the agency's messages that have made it what it is, the newest
    last; event, headline: the agency's own words, for our own posts only; message: the id of ours that carries the file;
    entrance, signature: how it came; areas, rings: of ours; units: who may alert of it, anybody if empty; below_s: with
    less time left it goes out by itself, 0 for never.
    """

    number: int
    keys: tuple[bytes, ...]
    state: MatterState
    cited: CitedRow
    event: str
    headline: str
    message: bytes
    entrance: str
    signature: str
    areas: list[AreaRow]
    rings: list[Ring]
    until_ns: int
    units: tuple[str, ...] = ()
    below_s: float = 0.0
    reason: Literal["", "false", "superseded", "passed"] = ""
    held: Held = ""

    @property
    def is_open(self) -> bool:
        """Whether the agency's word stands."""
        return self.state == "open"

    def concerns(self, unit: str) -> bool:
        """Whether a unit may alert of it, by the rule."""
        return not self.units or unit in self.units


def holding(matters: Iterable[HazardMatter], keys: Iterable[bytes]) -> list[HazardMatter]:
    """The matters, open or over, that any of these messages belongs to, in their order."""
    wanted = frozenset(keys)
    return [one for one in matters if not wanted.isdisjoint(one.keys)]

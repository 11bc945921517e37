"""The body of what a partner counts: how many objects it holds to belong to one occurrence."""

from __future__ import annotations

from typing import Literal

from noroshi.messages.bodies import Body


class CountBody(Body, frozen=True, kw_only=True):
    """How many objects a partner counts in one occurrence, and between which bounds it is sure of that.

    The envelope's event names the occurrence. number: rises with each statement of one origin about it; least and most:
    bounds of the count. supersedes: the id of the statement that this one takes the place of, empty for the first. why:
    of a correction; empty for what a node counts by itself.
    """

    number: int
    count: int
    least: int
    most: int
    supersedes: bytes = b""
    why: Literal["", "separated-parts", "seen-twice", "false-track", "more-seen", "other"] = ""

"""Bodies by which a post asks for a public alert of its own."""

from __future__ import annotations

from typing import Literal

from noroshi.messages.bodies import Body


class AlertRequestBody(Body, frozen=True, kw_only=True):
    """A post asks its node to draft an alert for areas of its choice. It holds no words: texts come from templates.

    event: alias of an own event with a standing warning; empty where the alert rests on none. areas: (country, region)
    pairs; kind: what is said of them where nothing is warned of. Goes no further than the post's own node.
    """

    unit: str
    areas: list[tuple[str, str]]
    kind: Literal["pass", "fall"]
    event: bytes = b""

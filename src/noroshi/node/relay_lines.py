"""Lines to our relays: which are up, how many last hops are connected, and which say nothing, before any alert is out.

A relay says every second that it is there; the shell tells the core when that changes. A relay that says nothing is an
alarm until it is heard again, or is removed.

    relay_lines.changed(work, LinkChanged(party="relay:towns-a", state="silent"))
"""

from __future__ import annotations

import msgspec

from noroshi.command.reach import RelayLine
from noroshi.messages.bodies_reach import MAX_HOPS, MAX_NAME
from noroshi.messages.canonical import encode
from noroshi.node.alarms import alarm, clear
from noroshi.node.inputs import LinkChanged
from noroshi.node.work import MS_PER_NS, Work
from noroshi.sharing import RELAYS

MAX_LINES = 4096
"""Relays whose lines are known: more than are ever connected at one time."""


def is_relays(given: LinkChanged) -> bool:
    """Whether it is the line to a relay that has changed, and no partner's link."""
    return given.party.startswith(RELAYS)


def changed(work: Work, given: LinkChanged) -> None:
    """The line to a relay is up, silent, down, or ended for good; or other last hops are connected than before."""
    lines, name = work.state.relay_lines, given.party.removeprefix(RELAYS)
    before = lines.get(name)
    if not 0 < len(name) <= MAX_NAME or (before is None and len(lines) >= MAX_LINES):
        work.refuse(given.party, "unknown-relay")
        return
    hops = given.hops if given.hops is not msgspec.UNSET else before.hops if before is not None else 0
    was = before.state if before is not None else ""
    if was == given.state:
        lines[name].hops = max(0, min(hops, MAX_HOPS))
        show(work, name)
        return
    lines[name] = RelayLine(name, given.state, max(0, min(hops, MAX_HOPS)), work.now_ns)
    work.record("note", encode({"about": "relay-line", "relay": name, "state": given.state}))
    if given.state in ("up", "removed"):
        over = "is heard" if given.state == "up" else "was removed here"
        clear(work, f"relay-silent:{name}", f"The relay {name} {over}")
    else:
        _alarm(work, lines[name])
    words = {
        "up": "is connected",
        "silent": "is silent",
        "down": "is not connected",
        "removed": "was removed",
    }
    show(work, name, f"The relay {name} {words[given.state]}")


def _alarm(work: Work, line: RelayLine) -> None:
    relay = work.state.relays.get(line.name)
    whom = f" of {relay.unit}" if relay is not None else ""
    roster = relay.roster if relay is not None else ""
    last = f": {line.hops} last hops ({roster}) were connected to it" if roster else ""
    alarm(
        work, f"relay-silent:{line.name}", "relay-silent",
        f"Nothing is heard of the relay {line.name}{whom}{last}",
        relay=line.name, unit=relay.unit if relay is not None else "", roster=roster,
    )  # fmt: skip


def show(work: Work, name: str, says: str = "") -> None:
    """The staff's row of one relay: whom it serves, whether it is heard, how many of them are connected."""
    relay, line = work.state.relays.get(name), work.state.relay_lines.get(name)
    work.show(
        "relay", says, lane=1, key=f"relay:{name}", relay=name,
        unit=relay.unit if relay is not None else "",
        roster=relay.roster if relay is not None else "",
        hops=relay.hops if relay is not None else 0,
        receipts=relay.receipts if relay is not None else "",
        here_ms=relay.here_ns // MS_PER_NS if relay is not None else None,
        line=line.state if line is not None else "",
        connected=line.hops if line is not None and line.state == "up" else None,
        since_ms=line.since_ns // MS_PER_NS if line is not None else None,
    )  # fmt: skip

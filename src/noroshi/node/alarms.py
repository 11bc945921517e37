"""Alarms: what the staff should see until it is over. Raised once, changed when it says something else, and cleared.

alarm(work, "relay-silent:towns-a", "relay-silent", "The relay towns-a says nothing")
clear(work, "relay-silent:towns-a", "The relay towns-a is heard")
"""

from __future__ import annotations

from noroshi.messages.canonical import encode
from noroshi.node.work import ACTS_S, Work


def alarm(work: Work, name: str, what: str, says: str, **fields: str | int) -> None:
    """Raises an alarm, or changes what a raised one says. It is on the record, and stands until it is cleared."""
    if work.state.alarms.get(name) == says:
        return
    work.state.alarms[name] = says
    work.record(
        "note", encode({"about": "alarm", "name": name, "what": what, "says": says, **fields}), ACTS_S
    )
    work.show("alarm", says, lane=0, key=f"alarm:{name}", alarm=name, what=what, state="raised", **fields)


def clear(work: Work, name: str, says: str) -> None:
    """Ends an alarm, if it is raised."""
    if work.state.alarms.pop(name, None) is None:
        return
    what = name.partition(":")[0]
    work.record("note", encode({"about": "alarm-over", "name": name, "says": says}), ACTS_S)
    work.show("alarm", says, lane=1, key=f"alarm:{name}", alarm=name, what=what, state="cleared")

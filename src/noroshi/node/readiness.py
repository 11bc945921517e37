"""Readiness stage: once a day a test goes the whole way to every last hop, and what does not come back shows.

The test is signed by the node, goes to relays only, and is a kind of its own: nothing can take it for a warning. The
first goes out as soon as a roster is heard of; a roster whose last test is too old is shown as stale, whatever it said.

    readiness.here(work, message, body)           # a relay says that it is there
    readiness.due(work)                           # the daily test
    readiness.heard(work, told, body)             # receipts of a test
"""

from __future__ import annotations

import msgspec

from noroshi.clock import seconds
from noroshi.command import readiness as tests
from noroshi.command.reach import Told, in_words
from noroshi.messages import Message
from noroshi.messages.bodies_reach import DeliveryBody, ReadinessBody
from noroshi.node import reaching
from noroshi.node.alarms import alarm, clear
from noroshi.node.speak import say
from noroshi.node.state import State
from noroshi.node.work import MS_PER_NS, Work

TIMER, STALE = "readiness", "readiness-stale"
"""The timer of the next test, and the one on which it is looked whether what is known is too old."""

WORDS = {
    "never": "has never been tested",
    "waiting": "is being tested",
    "ready": "is ready: every last hop has answered",
    "partial": "is ready in part",
    "failed": "has failed its test: no last hop has answered",
    "stale": "was tested too long ago: whether it works is not known",
}


def every_ns(state: State) -> int:
    """Between two tests."""
    given = state.genesis.rules.readiness_every_s
    return seconds(tests.EVERY_S if given is msgspec.UNSET else given)


def stale_ns(state: State) -> int:
    """After which a test shows nothing any more."""
    given = state.genesis.rules.readiness_stale_s
    return seconds(tests.STALE_S if given is msgspec.UNSET else given)


def here(work: Work, message: Message, body: ReadinessBody) -> None:
    """A relay is there; of a roster that is new the way is tested at once."""
    if reaching.here(work, message, body) or TIMER not in work.state.timers:
        due(work)


def due(work: Work) -> None:
    """Sends the test to all relays, and sets the time of the next."""
    state = work.state
    work.timer(TIMER, work.now_ns + every_ns(state))
    work.timer(STALE, work.now_ns + stale_ns(state))
    number = state.counters["readiness"] = state.counters.get("readiness", 0) + 1
    body = ReadinessBody(step="test", number=number)
    message = say(work, "readiness", state.genesis.assessing_unit, state.own_audience, body)
    told = Told(message.id, f"readiness test {number}", "test", message.raw, work.now_ns)
    state.told[message.id] = told
    reaching.hand_out(work, told)
    for roster in told.rosters:
        state.readiness.tested(roster, number, work.now_ns, told.hops(roster))
        clear(work, f"{STALE}:{roster}", f"{roster} is tested again")
        show(work, roster)


def heard(work: Work, told: Told, body: DeliveryBody) -> None:
    """A relay's receipts of a test."""
    state = work.state
    row = state.readiness.rosters.get(body.roster)
    number = int(told.identifier.rpartition(" ")[2])
    if row is not None and row.number == number:
        row.hops = told.hops(body.roster)
    if state.readiness.heard(body.roster, number, body.received, work.now_ns):
        if row is not None and not row.missing:
            _settle(work, told, body.roster)
        show(work, body.roster)


def late(work: Work, told: Told) -> None:
    """The time for the answers to a test is over."""
    for roster in told.rosters:
        _settle(work, told, roster)
        if work.state.readiness.judge(roster):
            show(work, roster)


def _settle(work: Work, told: Told, roster: str) -> None:
    """What a newer test has shown of a roster is what counts: alarms about the tests before it are over.

    Records of relays of the first version keep to what they did.
    """
    if all(word.version == 1 for word in told.words.values()):
        return
    for older in list(work.state.told.values()):
        if older.purpose == "test" and older.sent_ns < told.sent_ns and roster in older.rosters:
            clear(work, reaching.silent_name(older, roster), f"{roster} was tested again: {told.identifier}")


def stale(work: Work) -> None:
    """Names the rosters whose last test is too old to say anything."""
    state = work.state
    for roster in state.readiness.rosters:
        if state.readiness.state(roster, work.now_ns + 1, stale_ns(state)) == "stale":
            says = f"{roster} {WORDS['stale']}"
            alarm(work, f"{STALE}:{roster}", STALE, says, roster=roster)
            show(work, roster)
    work.timer(STALE, work.now_ns + stale_ns(state))


def show(work: Work, roster: str) -> None:
    """The staff's row of one roster: how it stands, and which last hops have not answered."""
    state = work.state
    row = state.readiness.rosters[roster]
    standing = state.readiness.state(roster, work.now_ns, stale_ns(state))
    missing = row.missing
    work.show(
        "readiness",
        "",
        key=f"readiness:{roster}",
        roster=roster,
        state=standing,
        number=row.number,
        sent_ms=row.sent_ns // MS_PER_NS,
        hops=row.hops,
        received=row.hops - missing.bit_count(),
        silent_hops=in_words(missing),
        last_ms=row.last_ns // MS_PER_NS if row.last_ns else None,
        good_ms=row.good_ns // MS_PER_NS if row.good_ns else None,
        stale_ms=(row.sent_ns + stale_ns(state)) // MS_PER_NS,
    )

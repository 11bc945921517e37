"""Plays the replays of the public record on the virtual clock, and lays what noroshi said beside what happened.

document = run_replays((), seed=None, say=print)         # all packaged ones
document["replays"][0]["noroshi"]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

from noroshi.clock import from_iso
from noroshi.documents import suggest
from noroshi.errors import OperatorError
from noroshi.exercise.coalition import Coalition, found
from noroshi.exercise.draws import entropy
from noroshi.exercise.replays import (
    Moment,
    Replay,
    as_scenario,
    beyond_bound,
    blinded,
    bound_m,
    load_replays,
    moments,
)
from noroshi.exercise.run import play
from noroshi.exercise.scenario import Scenario
from noroshi.exercise.world import looks
from noroshi.geo.places import PlaceTable, decode
from noroshi.log import MemoryStore, Store
from noroshi.messages import KeyedHash
from noroshi.node.state import COUNTRIES
from noroshi.service.exercise_files import Staged, stage
from noroshi.service.resources import packaged_places
from noroshi.sharing import STAFF
from noroshi.warning import watch_over

PACKAGED = files("noroshi.exercise") / "data" / "replays" / "public-timings.yaml"
_PAGE = 1000

Say = Callable[[str], None]


def run_replays(names: Sequence[str], *, seed: int | None, say: Say) -> dict[str, Any]:
    """The document of the named replays, or of all: of each what was reported, and what noroshi said and when.

    Raises OperatorError for a name that is none.
    """
    known = load_replays(PACKAGED.read_text(encoding="utf-8"), "public-timings.yaml")
    chosen = [one for one in known.replays if not names or one.id in names]
    for name in names:
        if name not in {one.id for one in known.replays}:
            hint = suggest(name, [one.id for one in known.replays])
            raise OperatorError(
                "replay the public record", subject=name, cause="there is no such day", hint=hint
            )
    base, places = stage(known.base), decode(packaged_places())
    rows = []
    for one in chosen:
        say(f"{one.title} ...")
        rows.append(_played(one, base, places, base.seed if seed is None else seed))
    outside = sum(len(row["outside_bound"]) for row in rows)
    return {"replays": rows, "outside_bound": outside}


def _played(replay: Replay, base: Staged, places: PlaceTable, seed: int) -> dict[str, Any]:
    scenario = as_scenario(replay, base.scenario)
    key = entropy(seed, scenario.realm)
    seen = looks(_coalition(scenario, base, places, key), key)
    if seen:
        scenario = blinded(scenario, replay, seen[0].time_ns)
    coalition = _coalition(scenario, base, places, key)
    result = play(coalition, places, entropy=key, store_for=lambda node: MemoryStore())
    partners = {one.node: one.trigraph for one in coalition.members}
    shown = {node: staff_rows(store) for node, store in sorted(result.stores.items())}
    said = moments(shown, partners, from_iso(replay.start))
    outside: dict[str, float] = {}
    margins: list[float] = []
    for member in coalition.members:
        rules, nation = member.genesis.rules, member.partner.nation
        watch = watch_over(places, COUNTRIES.get(nation, (nation,)), rules)
        own = [one for one in said if one.partner == member.trigraph and one.what in ("alert", "warning")]
        told = {name for one in own for name in one.regions}
        for name, over_m in beyond_bound(sorted(told), watch, result.truth, replay.flights, rules).items():
            margins.append(over_m)
            if over_m > 0.0:
                outside[f"{member.trigraph}: {name}"] = round(over_m)
    return {
        "id": replay.id,
        "title": replay.title,
        "seed": seed,
        "alerting": replay.alerting,
        "reported": [
            {"after_s": one.after_s, "what": one.what, "regions": one.regions} for one in replay.reported
        ],
        "noroshi": [_moment(one) for one in said],
        "first": _first(replay, said),
        "outside_bound": outside,
        "nearest_to_bound_km": round(-max(margins) / 1e3, 1) if margins else None,
        "bound_km": [round(one / 1e3, 1) for one in bound_m(coalition.members[0].genesis.rules)],
    }


def _coalition(scenario: Scenario, base: Staged, places: PlaceTable, key: bytes) -> Coalition:
    return found(
        scenario, base.structure, base.catalogue, entropy=key, scheme=KeyedHash(), places_digest=places.digest
    )


def staff_rows(store: Store) -> list[dict[str, Any]]:
    """What a node's staff were shown, in order."""
    rows: list[dict[str, Any]] = []
    after = 0
    while page := store.outbox(STAFF, after, _PAGE):
        rows += [json.loads(row.data) for row in page]
        after = page[-1].number
    return rows


def replay_lines(document: dict[str, Any]) -> list[str]:
    """The document for a person: of each day what was reported and what noroshi said, after the minute of launch."""
    lines: list[str] = []
    for row in document["replays"]:
        lines.append(f"{row['id']}  {row['title']}")
        for one in row["reported"]:
            lines.append(f"  reported {_clock(one['after_s'])}  {one['what']:<14}{one['regions']}")
        for one in row["noroshi"]:
            if one["partner"] == row["alerting"]:
                why = f" ({one['reason']})" if one["reason"] else ""
                lines.append(
                    f"  noroshi  {_clock(one['after_s'])}  {one['what']:<14}{', '.join(one['regions'])}{why}"
                )
        if not row["noroshi"]:
            lines.append("  noroshi         nothing: there is nothing to warn of")
        lines += [f"  OUTSIDE THE BOUND: {name}, by {over} m" for name, over in row["outside_bound"].items()]
        lines.append("")
    lines.append(f"Areas outside the over-warning bound: {document['outside_bound']}")
    return [line.rstrip() for line in lines]


def _clock(after_s: float) -> str:
    return f"{int(after_s) // 60:3d}:{int(after_s) % 60:02d}"


def _moment(one: Moment) -> dict[str, Any]:
    return {
        "after_s": round(one.after_s, 1),
        "what": one.what,
        "partner": one.partner,
        "regions": list(one.regions),
        "reason": one.reason,
    }


def _first(replay: Replay, said: Sequence[Moment]) -> dict[str, float | None]:
    """When, s after the reported minute of launch, the alerting partner first said each; None for never."""
    own = [one for one in said if one.partner == replay.alerting]
    whats = ("detected", "draft", "proposed", "warning", "alert", "lost", "warning ended", "end")
    return {what: next((round(one.after_s, 1) for one in own if one.what == what), None) for what in whats}

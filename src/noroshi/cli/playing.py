"""Playing an exercise on the virtual clock, and telling of a result: what `demo` and `exercise run` share."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import typer

from noroshi.cli.output import UNMET
from noroshi.clock import to_iso
from noroshi.exercise.coalition import found
from noroshi.exercise.draws import entropy
from noroshi.exercise.run import play
from noroshi.geo.places import decode
from noroshi.messages import Ed25519
from noroshi.service.exercise_files import DEFAULT_OUT, OutFolder, stage
from noroshi.service.exercise_result import conclude
from noroshi.service.replaying import Replays
from noroshi.service.resources import packaged_places


def tell(text: str) -> None:
    """One line of progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def play_fast(
    scenario: str,
    *,
    structure: str | None,
    seed: int | None,
    out: Path | None,
    default_out: str = DEFAULT_OUT,
) -> dict[str, Any]:
    """Plays a scenario on the virtual clock and leaves its files; the summary. Raises OperatorError."""
    staged = stage(scenario, structure, seed)
    places = decode(packaged_places())
    folder = OutFolder.prepare(out, default_out)
    if folder.replaced:
        tell(folder.replaced)
    folder.begun(staged.scenario.id, staged.structure.id, staged.seed)
    tell(
        f"{staged.scenario.title}, structure {staged.structure.id}, seed {staged.seed}; results go to {folder.path}"
    )
    key = entropy(staged.seed, staged.scenario.realm)
    coalition = found(
        staged.scenario,
        staged.structure,
        staged.catalogue,
        entropy=key,
        scheme=Ed25519(),
        places_digest=places.digest,
        areas=staged.areas,
    )
    with Replays(coalition.members, places) as replays:
        result = play(coalition, places, entropy=key, store_for=replays.store_for, progress=_progress)
        for node, store in replays.stores.items():
            folder.write_record(node, coalition.realm, store.batches)
        return conclude(
            coalition,
            staged.seed,
            replays.stores,
            places,
            folder,
            truth=result.truth,
            replays=replays.problems(),
        )


def played(
    scenario: str,
    *,
    fast: bool,
    page: bool,
    structure: str | None,
    seed: int | None,
    out: Path | None,
    speed: float,
    keep_open: bool,
    as_json: bool,
    default_out: str,
    cot_port: int = 0,
) -> dict[str, Any]:
    """Plays a scenario on the virtual clock, or live with a process for each node; the summary."""
    if fast:
        return play_fast(scenario, structure=structure, seed=seed, out=out, default_out=default_out)
    from noroshi.service.demo import play_live  # sockets and processes are loaded only when they are used

    return play_live(
        scenario,
        structure=structure,
        seed=seed,
        out=out,
        speed=speed,
        page=page,
        keep_open=keep_open,
        say=tell,
        show=tell if as_json else _show,
        default_out=default_out,
        cot_port=cot_port,
    )


def finish(document: dict[str, Any], as_json: bool) -> None:
    """Prints the result, and ends with the exit code that it deserves."""
    account(document, as_json)
    if document["outcome"] != "passed":
        raise typer.Exit(UNMET)


def account(document: dict[str, Any], as_json: bool) -> None:
    """Prints the result: one JSON document, or what was expected and where the files are."""
    if as_json:
        print(json.dumps(document, ensure_ascii=False, indent=2))
        return
    print(f"{document['scenario']} under {document['structure']}: {document['outcome']}")
    width = max((len(one["id"]) for one in document["expectations"]), default=0)
    for one in document["expectations"]:
        print(f"  {'met' if one['met'] else 'NOT'}  {one['id']:{width}}  {one['detail']}")
    for pair, took in document["latencies"]["report_s"].items():
        print(f"report {pair}: {'never' if took is None else f'{took:.3f} s'}")
    print(f"alerts: {', '.join(document['alert_files']) or 'none'}")
    print(f"digest: {document['digest']}")
    print(f"Review: {document['review']}", flush=True)


def _progress(now_ns: int, node: str, says: str) -> None:
    tell(f"{to_iso(now_ns, digits=1)[11:-1]}  {node}  {says}")


def _show(text: str) -> None:
    print(text, flush=True)

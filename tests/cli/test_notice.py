"""`noroshi notice check|give|list`: a file is judged by line and field, a post gives it, the node says what it holds."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from noroshi.cli.main import main
from noroshi.clock import NS_PER_S, to_iso
from noroshi.exercise.coalition import found
from noroshi.messages import Ed25519
from noroshi.service.exercise_files import stage
from noroshi.service.key_files import Key, write_key
from noroshi.service.node_config import ClockConfig
from noroshi.service.supervisor import Supervisor
from tests.node.scene import places
from tests.service.conftest import ROOT
from tests.service.test_real_nodes import directories

DAY_NS = 86_400 * NS_PER_S

TEXT = """\
schema: noroshi.notice/1
notice: study
title: Study of the upper air
object: sounding-rocket
from: "{opens}"
to: "{closes}"
circle: {{lat_deg: 31.25, lon_deg: 131.08, radius_km: 40}}
azimuth_deg: [110, 170]
watches: [kr-jcs]
partners: [KOR]
inform_by: "{inform_by}"
"""


def written(path: Path, now_ns: int, **changes: str) -> Path:
    times = {"opens": now_ns + DAY_NS, "closes": now_ns + 9 * DAY_NS, "inform_by": now_ns + DAY_NS // 2}
    values = {name: to_iso(at, digits=0) for name, at in times.items()} | changes
    path.write_text(TEXT.format(**values), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "field", "line"),
    [
        ("watches: [kr-jcs]", "watches: []", "watches", 9),
        ("object: sounding-rocket", "object: rocket", "object", 4),
        ("radius_km: 40", "radius_km: 900", "circle.radius_km", 7),
        ("circle:", "# circle:", "polygon", 1),
        ("azimuth_deg: [110, 170]", "azimuth_deg: [110, 470]", "azimuth_deg[1]", 8),
        ("partners: [KOR]", "partner: [KOR]", "partner", 10),
    ],
)
def test_a_wrong_file_is_named_with_line_and_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, field: str, line: int
) -> None:
    file = written(tmp_path / "notice.yaml", time.time_ns())
    assert main(["notice", "check", str(file)]) == 0
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    capsys.readouterr()
    assert main(["notice", "check", str(file), "--json"]) == 2
    said = json.loads(capsys.readouterr().out)["error"]
    assert (said["line"], said["field"]) == (line, field)


def test_a_window_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now_ns = time.time_ns()
    for field, changes in (
        ("to", {"closes": to_iso(now_ns + DAY_NS // 2, digits=0)}),
        ("from", {"opens": "tomorrow"}),
        ("to", {"closes": to_iso(now_ns + 90 * DAY_NS, digits=0)}),
        ("to", {"opens": "2025-01-01T00:00:00Z", "closes": "2025-01-09T00:00:00Z"}),
    ):
        assert main(["notice", "check", str(written(tmp_path / "n.yaml", now_ns, **changes)), "--json"]) == 2
        assert json.loads(capsys.readouterr().out)["error"]["field"] == field


@pytest.mark.slow
def test_a_post_gives_a_notice_to_its_running_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT / "src"), os.environ.get("PYTHONPATH", ""))))
    staged = stage(str(ROOT / "scenarios" / "incidents" / "H4-norway.yaml"))
    made = found(
        staged.scenario, staged.structure, staged.catalogue, entropy=b"n" * 32, scheme=Ed25519(),
        places_digest=places().digest,
    )  # fmt: skip
    start_ns = made.start_ns
    clock = ClockConfig(mode="scaled", start_ns=start_ns, anchor_unix_ns=time.time_ns(), speed=1.0)
    node = directories(made, tmp_path)["jpn"].with_clock(clock)
    keys = {}
    for member in made.members:
        for post, seat in member.seats.items():
            card = seat.certificate
            keys[post] = tmp_path / f"{post}.json"
            write_key(keys[post], Key(card.realm, card.partner, "post", card.subject, seat.secret, card.unit))
    file = written(tmp_path / "notice.yaml", start_ns)

    def told(*arguments: object) -> tuple[int, dict[str, Any]]:
        code = main(["notice", *map(str, arguments), "--json"])
        return code, json.loads(capsys.readouterr().out)

    async def scenario() -> None:
        async with Supervisor({"jpn": node.path}):
            stranger = await asyncio.to_thread(
                told, "give", node.path, file, "--post-key", keys["kr-mnd.duty"]
            )
            assert stranger[0] == 1
            own = ("give", node.path, file, "--post-key", keys["jp-mofa.notices"])
            code, document = await asyncio.to_thread(told, *own)
            assert (code, document["done"], document["watches"]) == (0, True, ["kr-jcs"])
            again = file.read_text(encoding="utf-8").replace("Study of", "Another study of")
            file.write_text(again, encoding="utf-8")
            code, document = await asyncio.to_thread(told, *own)
            assert (code, document["reason"]) == (1, "contradicts-itself")

    asyncio.run(scenario())
    code, document = told("list", node.path)
    assert code == 0
    (row,) = document["notices"]
    assert (row["title"], row["state"]) == ("Study of the upper air", "announced")
    assert main(["notice", "list", str(node.path)]) == 0
    assert "kr-jcs: has not said so yet" in capsys.readouterr().out

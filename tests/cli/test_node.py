"""`noroshi node` and the command line around it: exit codes, sentences, help that is quick."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
import typer

from noroshi.cli import main as main_module
from noroshi.cli.main import COMMANDS, main
from noroshi.errors import InputError
from noroshi.service import node_dir
from tests.service.standin import REALM, genesis

ROOT = Path(__file__).resolve().parents[2]


def spoken(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(one) for one in arguments])
    out, error = capsys.readouterr()
    assert "Traceback" not in error
    return code, out, error


def init(directory: Path, *more: object, realm: str = REALM) -> list[object]:
    return ["node", "init", directory, "--partner", "JPN", "--node", "jpn", "--realm", realm, *more]


def genesis_file(path: Path, node: str = "jpn") -> Path:
    other = node_dir.create(
        path / f"{node}-made", realm=REALM, partner=genesis(node).partner, node=node, link_port=1, page_port=2
    )
    other.write_genesis(genesis(node))
    return other.path / "genesis.bin"


def test_init_makes_a_node_and_prints_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "jpn"
    code, out, _ = spoken(capsys, *init(place, "--genesis", genesis_file(tmp_path), "--json"))
    made = node_dir.load(place)
    document = json.loads(out)
    assert (code, document["genesis"], document["link_fingerprint"]) == (0, True, made.link_fingerprint)
    for secret in (
        made.page_token(),
        made.feed_token(),
        made.secrets().signing.hex(),
        made.secrets().ids.hex(),
    ):
        assert secret not in out
    assert made.genesis() == genesis("jpn")


def test_init_without_a_genesis_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "jpn"
    code, out, _ = spoken(capsys, *init(place))
    assert code == 0
    assert "it has no genesis yet" in out
    code, _, error = spoken(capsys, "node", "run", place)
    assert code == 2
    assert "genesis.bin: there is no such file; give it with `noroshi node genesis`" in error
    assert spoken(capsys, "node", "genesis", place, genesis_file(tmp_path))[0] == 0
    assert node_dir.load(place).genesis() == genesis("jpn")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--page-port", 0], "page.port: 0 is no port"),
        (["--genesis", "nothing.bin"], "nothing.bin: there is no such file"),
    ],
)
def test_a_wrong_init_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[object], sentence: str
) -> None:
    code, out, error = spoken(capsys, *init(tmp_path / "jpn", *more))
    assert (code, out) == (2, "")
    assert sentence in error


def test_another_nodes_genesis_and_a_second_init_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "jpn"
    code, _, error = spoken(capsys, *init(place, "--genesis", genesis_file(tmp_path, "usa")))
    assert code == 2
    assert "it is for partner 'USA', and this node's is 'JPN'" in error
    assert not place.exists()
    assert spoken(capsys, *init(place))[0] == 0
    assert "there is one in it already" in spoken(capsys, *init(place))[2]


def test_a_wrong_realm_is_refused_before_a_key_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, error = spoken(capsys, *init(tmp_path / "jpn", realm="drill"))
    assert code == 2
    assert "'drill' is no realm" in error
    assert not (tmp_path / "jpn").exists()


def test_pin_needs_the_fingerprint_that_was_read_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jpn = tmp_path / "jpn"
    spoken(capsys, *init(jpn))
    usa = node_dir.create(tmp_path / "usa", realm=REALM, partner="USA", node="usa", link_port=1, page_port=2)
    read_out = ":".join(usa.link_fingerprint[i : i + 2].upper() for i in range(0, 64, 2))
    pin = ["node", "pin", jpn, "USA", "--certificate", usa.link_certificate_path, "--host", "usa.example"]
    sato = ["--person", "A. Sato", "--fingerprint", read_out]
    code, _, error = spoken(capsys, *pin, *sato, "--person", "B. Ito", "--fingerprint", "0" * 64)
    assert code == 2
    assert "the two persons have typed different fingerprints" in error
    code, _, error = spoken(capsys, *pin, *sato, *sato)
    assert code == 2
    assert "both are A. Sato" in error
    code, _, error = spoken(capsys, *pin, *sato)
    assert code == 2
    assert "1 persons and 1 fingerprints were given, not two of each" in error
    assert spoken(capsys, *pin, *sato, "--person", "B. Ito", "--fingerprint", usa.link_fingerprint)[0] == 0
    assert node_dir.load(jpn).peer_certificate("USA") == usa.link_certificate_path.read_bytes()
    code, out, _ = spoken(capsys, "node", "status", jpn, "--json")
    document = json.loads(out)
    assert (code, document["record"], document["peers"][0]["host"]) == (0, None, "usa.example")


def test_check_says_what_is_wrong_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "jpn"
    spoken(capsys, *init(place, "--genesis", genesis_file(tmp_path)))
    code, _, error = spoken(capsys, "node", "check", place)
    assert code == 1
    assert (
        "the genesis has a link to USA and there is no peer of that name; add it with `noroshi node pin`"
        in error
    )
    usa = node_dir.create(tmp_path / "usa", realm=REALM, partner="USA", node="usa", link_port=1, page_port=2)
    node_dir.join([node_dir.load(place), usa])
    assert spoken(capsys, "node", "check", place)[0] == 0
    (place / "keys").chmod(0o755)
    (place / "keys" / "ids.seed").chmod(0o644)
    code, out, _ = spoken(capsys, "node", "check", place, "--json")
    document = json.loads(out)
    bad = {one["name"]: one["detail"] for one in document["checks"] if not one["met"]}
    assert (code, document["whole"], set(bad)) == (1, False, {"directory", "keys", "trust"})
    assert "chmod 700" in bad["directory"]
    assert "chmod 600" in bad["keys"]


@pytest.mark.parametrize("command", ["run", "status", "check"])
def test_a_directory_without_a_node_is_unusable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    code, out, error = spoken(capsys, "node", command, tmp_path)
    assert (code, out) == (2, "")
    assert "node.json: there is no such file; give a node's directory" in error


def test_help_lists_the_commands_that_are_there_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = spoken(capsys, "--help")
    assert code == 0
    assert "Verify, read and export a node's record." in out
    script = (
        "import sys; from noroshi.cli.main import main; main(['--help']);"
        "sys.exit(any(n in sys.modules for n in ('numpy', 'noroshi.node', 'noroshi.cli.node', 'asyncio')))"
    )
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun < 3.0  # 0.1 s when nothing else runs


def test_a_command_that_cannot_be_imported_costs_only_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    real = importlib.import_module

    def broken(name: str) -> ModuleType:
        if name == "noroshi.cli.node":
            raise ImportError("No module named 'numpy'")
        return real(name)

    monkeypatch.setattr(importlib, "import_module", broken)
    code, _, error = spoken(capsys, "node", "status", tmp_path)
    assert code == 2
    assert "cannot load the command `node`: No module named 'numpy'; install" in error
    assert spoken(capsys, "--help")[0] == 0
    assert spoken(capsys, "log", "verify", tmp_path)[0] == 2


def command_that(raises: BaseException) -> ModuleType:
    module = ModuleType("noroshi.cli.bench")
    module.app = typer.Typer()  # type: ignore[attr-defined]  # a module made for the test

    @module.app.command()
    def bench(as_json: bool = typer.Option(False, "--json")) -> None:
        raise raises

    return module


@pytest.mark.parametrize(
    ("raises", "code", "sentence"),
    [
        (
            InputError("a.yaml", 3, "links[2].delay_s", "it is negative", "write 0"),
            2,
            "a.yaml:3: links[2].delay_s",
        ),
        (KeyboardInterrupt(), 130, ""),
        (RuntimeError("boom"), 2, "a defect (RuntimeError: boom)"),
        (typer.Exit(1), 1, ""),
    ],
)
def test_every_error_is_a_sentence_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raises: BaseException,
    code: int,
    sentence: str,
) -> None:
    monkeypatch.setitem(sys.modules, "noroshi.cli.bench", command_that(raises))
    monkeypatch.setattr(main_module.LazyCommands, "list_commands", lambda *_: list(COMMANDS))
    got, out, error = spoken(capsys, "bench")
    assert (got, out) == (code, "")
    assert sentence in error
    got, out, _ = spoken(capsys, "bench", "--json")
    if sentence:
        assert sentence in json.loads(out)["error"]["sentence"]
    assert main(["bench", "--debug"]) == code
    assert ("Traceback" in capsys.readouterr().err) == bool(sentence)


@pytest.mark.parametrize(
    "arguments", [["bogus"], ["node", "bogus"], ["log", "verify"], ["log", "tail", "x", "-n", "y"]]
)
def test_a_wrong_use_exits_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    code, _, error = spoken(capsys, *arguments)
    assert code == 2
    assert "Usage:" in error or "Error" in error

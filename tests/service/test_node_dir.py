"""A node's directory: locked down, told by file and field when it is wrong, silent about its secrets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from noroshi.errors import InputError, OperatorError
from noroshi.messages.signing import SECRET_BYTES
from noroshi.service import node_dir
from noroshi.service.files import write_file
from noroshi.service.link_keys import fingerprint, new_link_key
from noroshi.service.node_config import ClockConfig, PeerConfig
from noroshi.service.node_dir import NodeDir, create, load
from tests.service.standin import REALM, SECRETS, genesis


def jpn(path: Path, **more: Any) -> NodeDir:
    return create(
        path / "jpn", realm=REALM, partner="JPN", node="jpn", link_port=8711, page_port=8701, **more
    )


def changed(directory: NodeDir, change: Callable[[dict[str, Any]], object]) -> Path:
    """Changes node.json as a person would."""
    path = directory.path / "node.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config, indent=2))
    return directory.path


def test_a_new_node_is_locked_down_and_has_its_own_keys(tmp_path: Path) -> None:
    made = jpn(tmp_path)
    open_files = {p.name for p in made.path.rglob("*") if p.is_file() and p.stat().st_mode & 0o077}
    assert open_files == {"link.cert.pem"}
    assert all(p.stat().st_mode & 0o777 == 0o700 for p in [made.path, *made.path.rglob("*")] if p.is_dir())
    secrets = made.secrets()
    assert len(secrets.signing) == len(secrets.ids) == SECRET_BYTES
    assert secrets.signing != secrets.ids
    assert made.page_token() != made.feed_token()
    other = create(tmp_path / "b", realm=REALM, partner="JPN", node="jpn", link_port=1, page_port=2)
    assert other.secrets().signing != secrets.signing
    assert other.link_fingerprint != made.link_fingerprint
    assert load(made.path) == made


def test_no_secret_is_in_the_configuration_or_printed(tmp_path: Path) -> None:
    made = jpn(tmp_path, secrets=SECRETS)
    texts = repr(made) + (made.path / "node.json").read_text() + repr(made.secrets()) + str(made.config)
    for secret in (made.page_token(), made.feed_token(), "ssssssss", SECRETS.signing.hex()):
        assert secret not in texts


def test_a_directory_with_a_node_is_left_alone(tmp_path: Path) -> None:
    made = jpn(tmp_path)
    before = made.link_fingerprint
    with pytest.raises(OperatorError, match="there is one in it already"):
        jpn(tmp_path)
    assert load(made.path).link_fingerprint == before


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda c: c.update(partner="Japan"), "partner: 'Japan' has the wrong form; a partner is three capital"),
        (lambda c: c.update(realm="drill"), "realm: 'drill' is no realm; write `real` or `exercise:<name>`"),
        (lambda c: c.update(node="JPN"), "node: 'JPN' has the wrong form"),
        (lambda c: c["page"].update(port=99_999), "page.port: 99999 is no port"),
        (lambda c: c["page"].update(token_sha256="x"), "page.token_sha256: 'x' has the wrong form"),
        (lambda c: c["page"].update(host="0.0.0.0"), "page.host: the page is served without TLS, on this machine"),
        (lambda c: c.pop("link"), "link: the field is missing"),
        (lambda c: c.update(lnik={}), "lnik: unknown field; did you mean link?"),
        (lambda c: c.update(version=9), "version: this noroshi knows version 1 only"),
        (lambda c: c["peers"][0].update(port="x"), "peers[0].port: expected a whole number"),
        (lambda c: c["peers"].append(c["peers"][0]), "peers[1].partner: this partner is named twice"),
        (lambda c: c["clock"].update(mode="fast"), "clock.mode: the text 'fast' is not allowed here"),
        (lambda c: c["clock"].update(mode="scaled", speed=0), "clock.speed: 0.0 is no speed"),
        (lambda c: c["clock"].update(mode="scaled"), "clock: a scaled clock needs its start and its anchor"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_told_by_file_line_and_field(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], place: str
) -> None:
    made, usa = jpn(tmp_path), create(
        tmp_path / "usa", realm=REALM, partner="USA", node="usa", link_port=3, page_port=4
    )  # fmt: skip
    made, _ = node_dir.join([made, usa])
    with pytest.raises(InputError) as caught:
        load(changed(made, change))
    assert place in str(caught.value)
    assert caught.value.line is not None
    assert str(caught.value).startswith(f"{made.path}/node.json:{caught.value.line}: ")


def test_a_real_node_cannot_run_on_an_exercises_clock(tmp_path: Path) -> None:
    made = create(tmp_path / "a", realm="real", partner="JPN", node="jpn", link_port=1, page_port=2)
    clock = {"mode": "scaled", "start_ns": 10**18, "anchor_unix_ns": 10**18, "speed": 1.0}
    with pytest.raises(InputError, match="the real realm runs on the real clock only"):
        load(changed(made, lambda config: config.update(clock=clock)))


def test_broken_json_is_told_by_line(tmp_path: Path) -> None:
    made = jpn(tmp_path)
    (made.path / "node.json").write_text('{\n  "realm": "exercise:a",\n  "partner" \n')
    with pytest.raises(InputError, match=r"node\.json:\d+: "):
        load(made.path)
    with pytest.raises(InputError, match="no such file; give a node's directory"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["signing.seed", "ids.seed"])
def test_a_missing_open_or_short_key_is_named(tmp_path: Path, name: str) -> None:
    made = jpn(tmp_path)
    key = made.path / "keys" / name
    key.chmod(0o644)
    with pytest.raises(InputError, match=f"{name}: others may read this secret.*chmod 600"):
        made.secrets()
    key.chmod(0o600)
    key.write_bytes(b"short")
    with pytest.raises(InputError, match=f"{name}: it has 5 bytes and not 32; restore it"):
        made.secrets()
    key.unlink()
    with pytest.raises(InputError, match=f"{name}: there is no such file; restore it"):
        made.secrets()


def test_the_genesis_must_be_whole_and_this_nodes(tmp_path: Path) -> None:
    made = jpn(tmp_path)
    with pytest.raises(InputError, match="no such file; give it with `noroshi node genesis`"):
        made.genesis()
    made.write_genesis(genesis("jpn"))
    assert made.genesis() == genesis("jpn")
    made.write_genesis(genesis("usa"))
    with pytest.raises(InputError, match="it is for partner 'USA', and this node's is 'JPN'"):
        made.genesis()
    (made.path / "genesis.bin").write_bytes(b"\x81\xa1")
    with pytest.raises(InputError, match="it is damaged"):
        made.genesis()


def test_a_pin_holds_only_its_own_certificate(tmp_path: Path) -> None:
    made = jpn(tmp_path)
    _, pem = new_link_key("usa")
    _, other = new_link_key("usa")
    peer = PeerConfig(partner="USA", host="127.0.0.1", port=5, tls_fingerprint=fingerprint(pem))
    with pytest.raises(OperatorError, match="do not match"):
        made.with_peer(peer, other)
    with pytest.raises(OperatorError, match="do not match"):
        made.with_peer(peer, b"not a certificate")
    made = made.with_peer(peer, pem)
    assert load(made.path).peer_certificate("USA") == pem
    with pytest.raises(InputError, match="there is no peer of that name"):
        made.peer_certificate("KOR")
    (made.path / "peers" / "USA.pem").write_bytes(other)
    with pytest.raises(InputError, match="its fingerprint is not the one"):
        made.peer_certificate("USA")


def test_the_clock_is_kept(tmp_path: Path) -> None:
    clock = ClockConfig(mode="scaled", start_ns=10**18, anchor_unix_ns=2 * 10**18, speed=12.5)
    made = jpn(tmp_path).with_clock(clock)
    assert load(made.path).config.clock == clock
    assert made.config.clock.clock().now_ns() == 10**18


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    write_file(path, b"one", 0o644)
    write_file(path, b"two", 0o600)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o600)
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "nowhere" / "a.xml", b"x", 0o600)
    assert [one.name for one in tmp_path.iterdir()] == ["a.xml"]

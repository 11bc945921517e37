"""`noroshi node cot-client`: let a client of Cursor on Target in, and bind it to a post.

noroshi node cot-client jpn duty-tablet --group staff --out tablets --host node.example
noroshi node cot-client jpn fdma --group staff --token --post jp-fdma.duty --key fdma.key
"""

from __future__ import annotations

import hashlib
import re
import secrets
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from noroshi.cli.options import AsJson
from noroshi.cli.output import show
from noroshi.errors import OperatorError

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The node's directory.", show_default=False)]

_CLIENT = re.compile(r"[^\W_][\w. -]{0,62}")
"""What a client may be called: its files are called so too, and stay in their folder."""

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|[0-9A-Fa-f:]{2,39}")


def client(
    directory: Directory,
    name: Annotated[
        str, typer.Argument(help="What the client is called, for example duty-tablet.", show_default=False)
    ],
    group: Annotated[str, typer.Option(help="The group of `cot.groups` that it belongs to.")],
    post: Annotated[str, typer.Option(help="The post that its user may speak for.")] = "",
    key: Annotated[
        Path | None, typer.Option(help="With --post: a key of that post, made for the gateway.")
    ] = None,
    token: Annotated[
        bool, typer.Option("--token", help="Give it a token in the place of a certificate.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for its certificate and key.")] = None,
    host: Annotated[
        list[str] | None, typer.Option(help="Name or number of this machine, for its certificate.")
    ] = None,
    passphrase: Annotated[str, typer.Option(help="Of the .p12 file.")] = "atakatak",
    as_json: AsJson = False,
) -> None:
    """Let a client of Cursor on Target in, with a certificate or a token. Takes effect when the node starts again."""
    from noroshi.service import node_dir
    from noroshi.service.cot_certificates import CotKeys, package, write_card
    from noroshi.service.cot_config import CotClient

    _check(name, passphrase, host or [])
    place = node_dir.load(directory)
    cot = place.config.cot
    if cot.group(group) is None:
        raise OperatorError(
            "let a client in",
            subject=group,
            cause="node.json has no such group",
            hint="add it to `cot.groups` first",
        )
    if any(one.name == name and one.group == group for one in cot.clients):
        raise OperatorError(
            "let a client in", subject=name, cause="this group has a client of that name",
            hint="take its line out of `cot.clients` first; it is then not let in any more",
        )  # fmt: skip
    keys = CotKeys(place.path)
    keys.prepare(tuple(host or ()))
    _bind(place, keys, post, key)
    document: dict[str, Any] = {"client": name, "group": group, "post": post}
    if token:
        shown = secrets.token_urlsafe(24)
        made = CotClient(
            name=name, group=group, post=post, token_sha256=hashlib.sha256(shown.encode()).hexdigest()
        )
        document["token"] = shown
        lines = [f"{name} of {group} has the token {shown}: it is shown once, and nowhere kept"]
    else:
        card = keys.new_client(name, passphrase)
        address = _address(cot, group, host or [])
        packed = {}
        if address:
            title = f"noroshi {place.config.node} {group}"
            for end, flat in ((".zip", False), ("-itak.zip", True)):
                packed[end] = package(
                    card, name, title=title, address=address, passphrase=passphrase, flat=flat
                )
        paths = write_card(card, out or place.path / "keys" / "cot" / "clients", name, packed)
        made = CotClient(name=name, group=group, post=post, certificate_sha256=card.sha256)
        document |= {"certificate_sha256": card.sha256, "files": [str(path) for path in paths]}
        document["authority"] = str(keys.authority_path)
        lines = [f"made the certificate of {name}: {', '.join(str(path) for path in paths)}"]
        lines.append(f"clients know the server by {keys.authority_path}")
        if address:
            document["server"] = address
            lines.append(
                f"ATAK and WinTAK import {name}.zip, iTAK {name}-itak.zip: they then have all this,"
                f" and connect to {address}"
            )
        else:
            lines.append(
                "no data package: it takes a server of this group with `tls`, and --host (none of IPv6)"
            )
    if post:
        lines.append(f"who uses it may acknowledge and report for {post}, and nothing else")
    place.with_config(
        msgspec.structs.replace(place.config, cot=msgspec.structs.replace(cot, clients=(*cot.clients, made)))
    )
    lines.append("it takes effect when the node is started again")
    show(document, lines, as_json)


def _check(name: str, passphrase: str, hosts: list[str]) -> None:
    """Before anything is made. Raises OperatorError for what files, certificates or packages cannot hold."""
    hint = ""
    if not _CLIENT.fullmatch(name):
        cause, hint = "a client cannot be called so", "give letters, digits, points, hyphens and spaces"
    elif not passphrase.isprintable():
        cause, hint = "the passphrase has signs that no tablet can enter", "give printable signs"
    elif bad := [one for one in hosts if not _HOST.fullmatch(one)]:
        cause, hint = f"{bad[0]!r} is no host", "give its name or number in ASCII (xn--... for other letters)"
    if hint:
        raise OperatorError("let a client in", subject=name, cause=cause, hint=hint)


def _address(cot: Any, group: str, hosts: list[str]) -> str:
    """Where a TAK client finds the group's first server with TLS, as clients write it; empty where nobody can say.

    Their points are between host, port and kind: there is no place for a number of IPv6.
    """
    for server in cot.servers:
        host = hosts[0] if hosts else server.host
        if (server.group, server.transport) == (group, "tls") and host != "0.0.0.0" and ":" not in host:
            return f"{host}:{server.port}:ssl"
    return ""


def _bind(place: Any, keys: Any, post: str, key: Path | None) -> None:
    """Puts the key with which the gateway signs for a post where it looks for it. Raises OperatorError or InputError."""
    from noroshi.service.key_files import read_key, write_key

    if not post:
        if key is not None:
            raise OperatorError("let a client in", cause="--key is for a post", hint="give --post as well")
        return
    if key is None:
        if keys.post_key(post).exists():
            return
        raise OperatorError(
            "let a client in", subject=post, cause="the gateway has no key of this post",
            hint="make one with `noroshi node post`, have it certified, and give it with --key",
        )  # fmt: skip
    found = read_key(key)
    config = place.config
    if (found.role, found.subject, found.partner, found.realm) != (
        "post",
        post,
        config.partner,
        config.realm,
    ):
        raise OperatorError(
            "let a client in", subject=str(key), cause=f"it is no key of {post} in {config.realm}"
        )
    write_key(keys.post_key(post), found)


def standing(place: Any) -> dict[str, Any]:
    """What `noroshi node status` shows of the gateway: its servers, and each group's clients and counts as last told."""
    import json

    from noroshi.service.record_file import RecordFile

    cot = place.config.cot
    rows: dict[str, Any] = {
        one.name: {"partners": list(one.partners), "clients": 0, "counts": {}} for one in cot.groups
    }
    if rows and place.record_path.exists():
        with RecordFile(place.record_path) as file:
            for key, number in file.newest("staff").items():
                name = key.removeprefix("gateway:cot-")
                if name == key or name not in rows:
                    continue
                for row in file.outbox("staff", number - 1, 1):
                    told = json.loads(row.data)
                    rows[name] |= {"clients": told["clients"], "counts": told["counts"]}
    servers = [f"{one.transport} {one.host}:{one.port} for {one.group}" for one in cot.servers]
    return {"servers": servers, "groups": rows}


def standing_lines(told: dict[str, Any]) -> list[str]:
    """The same for a person; nothing where there is no gateway."""
    lines = [f"Cursor on Target: {', '.join(told['servers'])}"] if told["servers"] else []
    for name, one in told["groups"].items():
        counts = ", ".join(f"{what} {count}" for what, count in one["counts"].items()) or "nothing counted"
        lines.append(f"group {name} ({', '.join(one['partners'])}): {one['clients']} clients; {counts}")
    return lines

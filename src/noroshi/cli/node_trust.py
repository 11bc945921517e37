"""`noroshi node root`, `pin`, `trust`, `policy`, `rotate`, `post`: who is believed, and how that changes.

noroshi node root init jpn-root --partner JPN --realm exercise:harbour       # on a machine that is on no network
noroshi node root certify jpn-root jpn.request --days 365
noroshi node pin jpn USA --root USA.trust --person "A. Sato" --fingerprint 3e20 --person "B. Ito" --fingerprint 3e20
noroshi node trust jpn JPN.trust
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from noroshi.cli.options import AsJson
from noroshi.cli.output import show
from noroshi.clock import from_iso, seconds, to_iso
from noroshi.errors import InputError, OperatorError

root = typer.Typer(
    help="Keep a partner's root: certify keys, take them back, hand over. On a machine that is on no network.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

DAY_S = 86_400.0
BEGINS_BEFORE_S = 3600.0
"""A certificate begins an hour ago: the clock of a machine on no network is seldom right."""

SHORT_KEY = 16
"""Hexadecimal digits of a key's id that are shown and may be typed: nobody has so many keys that two look alike."""

RootPath = Annotated[Path, typer.Argument(metavar="ROOT", help="The root's directory.", show_default=False)]
NodePath = Annotated[Path, typer.Argument(metavar="DIR", help="The node's directory.", show_default=False)]
PassphraseFile = Annotated[
    Path | None, typer.Option("--passphrase-file", help="Take the passphrase from this file's first line.")
]
AskPassphrase = Annotated[
    bool, typer.Option("--passphrase", help="Seal the key with a passphrase; asks for it.")
]
Persons = Annotated[list[str], typer.Option("--person", help="Who compared; give it twice, for two persons.")]
Fingerprints = Annotated[
    list[str],
    typer.Option("--fingerprint", help="What the partner read out; each person types it, so twice."),
]


@root.command("init")
def root_init(
    directory: RootPath,
    partner: Annotated[str, typer.Option(help="Three capital letters, for example JPN.")],
    realm: Annotated[str, typer.Option(help="`real`, or `exercise:<name>`.")],
    passphrase: AskPassphrase = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a partner's root for one realm."""
    from noroshi.service.root_dir import RootDir

    words = _new_passphrase(passphrase, passphrase_file)
    made = RootDir.create(directory, realm=realm, partner=partner, passphrase=words)
    document = {"directory": str(directory), "fingerprint": made.fingerprint, "file": str(made.trust_path)}
    lines = [
        f"made the root of {partner} in {realm}: {directory}",
        f"fingerprint: {grouped(made.fingerprint)}",
        f"keep two copies of {directory}/root.key in two places: whoever has it speaks for {partner}, and nobody",
        "can make it again",
        f"next: certify a node with `noroshi node root certify {directory} NODE.request`",
    ]
    show(document, lines, as_json)


@root.command("certify")
def root_certify(
    directory: RootPath,
    request: Annotated[Path, typer.Argument(metavar="REQUEST", help="The .request of a node or a post.")],
    days: Annotated[float, typer.Option(help="For how many days.", min=0.01, max=3660.0)] = 365.0,
    begins: Annotated[
        str, typer.Option("--from", help="From when on, UTC, for example 2026-01-01T00:00:00Z.")
    ] = "",
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Certify a key for a period, after looking at whose it is."""
    from noroshi.messages.keys import key_of
    from noroshi.service.root_dir import RootDir, read_request_file

    asked = read_request_file(request)
    from_ns = _moment(begins, "--from") if begins else time.time_ns() - seconds(BEGINS_BEFORE_S)
    done, made = RootDir.load(directory).certify(
        asked, from_ns=from_ns, to_ns=from_ns + seconds(days * DAY_S), ask=asking(directory, passphrase_file)
    )
    ends, key = to_iso(made.not_after_ns, digits=0), key_of(made).hex()
    document = {
        "subject": made.subject, "role": made.role, "unit": made.unit, "serial": made.number, "key": key,
        "from": to_iso(made.not_before_ns, digits=0), "to": ends, "file": str(done.trust_path),
    }  # fmt: skip
    lines = [
        f"certified {made.role} {made.subject} of {made.partner}, key {key[:SHORT_KEY]}, until {ends}",
        f"next: carry {done.trust_path} to its node and to the partners",
    ]
    show(document, lines, as_json)


@root.command("revoke")
def root_revoke(
    directory: RootPath,
    subject: Annotated[str, typer.Argument(help="The node or post whose keys are taken back.")] = "",
    key: Annotated[
        list[str] | None, typer.Option("--key", help="Only this key; its id or the head of it.")
    ] = None,
    since: Annotated[str, typer.Option(help="Since when it may have been in other hands, UTC.")] = "",
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Take keys back, for ever: nothing that they sign counts any more, whenever it is dated."""
    from noroshi.service.root_dir import RootDir

    held = RootDir.load(directory)
    keys = _wanted(held, subject, key or [])
    since_ns = _moment(since, "--since") if since else 0
    done = held.revoke(keys, now_ns=time.time_ns(), since_ns=since_ns, ask=asking(directory, passphrase_file))
    names = [one.hex() for one in keys]
    lines = [f"taken back: {name[:SHORT_KEY]}" for name in names]
    lines.append(f"next: bring {done.trust_path} to every node and partner, by any way that is open")
    show({"keys": names, "file": str(done.trust_path)}, lines, as_json)


@root.command("replace")
def root_replace(
    directory: RootPath,
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The new root's directory.")],
    days: Annotated[float, typer.Option(help="How long the old root's certificates go on.", min=0.0)] = 30.0,
    passphrase: AskPassphrase = False,
    passphrase_file: PassphraseFile = None,
    new_passphrase_file: Annotated[
        Path | None, typer.Option("--new-passphrase-file", help="The new root's passphrase, from a file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hand over to a new root, which certifies again what still counts."""
    from noroshi.service.root_dir import RootDir

    now_ns = time.time_ns()
    made = RootDir.load(directory).replace(
        new,
        now_ns=now_ns,
        ends_ns=now_ns + seconds(days * DAY_S),
        passphrase=_new_passphrase(passphrase, new_passphrase_file),
        ask=asking(directory, passphrase_file),
    )
    document = {"directory": str(new), "fingerprint": made.fingerprint, "file": str(made.trust_path)}
    lines = [
        f"{directory} has handed over to {new}",
        f"fingerprint: {grouped(made.fingerprint)}",
        f"next: bring {made.trust_path} to every node and partner; keep {directory} locked away",
    ]
    show(document, lines, as_json)


@root.command("policy")
def root_policy(
    directory: RootPath,
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="The release policy's file.")],
    out: Annotated[Path, typer.Option(help="Where the signed policy is to lie.")],
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign a release policy, so that the partner's nodes take it."""
    from noroshi.service.files import write_file
    from noroshi.service.release_files import read_policy
    from noroshi.service.root_dir import RootDir

    found, _ = read_policy(policy)
    raw = RootDir.load(directory).sign_policy(found, asking(directory, passphrase_file))
    try:
        write_file(out, raw, 0o644)
    except OSError as error:
        raise OperatorError("write the policy", subject=str(out), cause=error.strerror or "") from None
    lines = [
        f"signed release policy {found.version} of {found.partner}",
        f"next: `noroshi node policy DIR {out}`",
    ]
    show({"version": found.version, "file": str(out)}, lines, as_json)


@root.command("show")
def root_show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .trust or .request file.")],
    as_json: AsJson = False,
) -> None:
    """Show what a file says, without believing any of it."""
    from noroshi.messages.keys import Bundle, Request, key_of
    from noroshi.service.root_dir import read_request_file
    from noroshi.service.trust_files import read_bundle_file

    found: Request | Bundle = read_request_file(file) if file.suffix == ".request" else read_bundle_file(file)
    if isinstance(found, Request):
        key = key_of(found).hex()
        lines = [
            f"request: {found.role} {found.subject} of {found.partner} in {found.realm}, key {key[:SHORT_KEY]}"
        ]
    else:
        lines = _said(found)
    show({"file": str(file), "says": lines}, lines, as_json)


def pin(
    directory: NodePath,
    partner: Annotated[
        str, typer.Argument(metavar="PARTNER", help="Three capital letters, for example USA.")
    ],
    person: Persons,
    fingerprint: Fingerprints,
    root_file: Annotated[
        Path | None, typer.Option("--root", help="Pin the root: the partner's .trust file.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="Pin the link: the partner's keys/link.cert.pem.")
    ] = None,
    host: Annotated[str, typer.Option(help="With --certificate: where its node listens for partners.")] = "",
    port: Annotated[int, typer.Option(help="With --certificate: the port there.")] = 8711,
    old_ends: Annotated[
        str,
        typer.Option("--old-ends", help="After the loss of a root: until when, UTC, its certificates go on."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Believe a partner's root, or its link: two persons have compared the fingerprint, each for themselves."""
    from noroshi.service import node_dir
    from noroshi.service.files import read_file
    from noroshi.service.trust_files import Compared, TrustFiles, read_bundle_file

    files = TrustFiles(node_dir.load(directory))
    compared = Compared(partner, fingerprint, person)
    if (root_file is None) == (certificate is None):
        raise OperatorError("pin the partner", subject=partner, cause="give either --root or --certificate")
    if root_file is not None:
        ends_ns = _moment(old_ends, "--old-ends") if old_ends else None
        made = files.pin_root(compared, read_bundle_file(root_file), time.time_ns(), old_ends_ns=ends_ns)
        said = f"{directory} believes the root of {partner}"
    else:
        assert certificate is not None
        if not host:
            raise OperatorError("pin the partner", subject=partner, cause="--certificate needs --host")
        pem = read_file(certificate, "ask the partner for its keys/link.cert.pem")
        _, made = files.pin_link(compared, pem, host, port, time.time_ns())
        node_dir.load(directory)
        said = f"{directory} has a link to {partner}"
    document = {
        "directory": str(directory),
        "pinned": partner,
        "what": made.what,
        "persons": list(made.persons),
    }
    show(document, [f"{said}, as {made.persons[0]} and {made.persons[1]} have compared"], as_json)


def trust(
    directory: NodePath,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .trust file, of one's own root or a partner's.")
    ],
    as_json: AsJson = False,
) -> None:
    """Give a node what a root has said; a running node takes it within a second, and tells its partners."""
    from noroshi.service import node_dir
    from noroshi.service.trust_files import TrustFiles, read_bundle_file

    taken = TrustFiles(node_dir.load(directory)).add(read_bundle_file(file))
    new = _words(taken.new)
    refused = [
        f"refused: {words}: {reason}"
        for (_, reason), words in zip(taken.refused, _words([s for s, _ in taken.refused]), strict=True)
    ]
    lines = new + refused or ["nothing in it is new"]
    show({"directory": str(directory), "new": new, "refused": refused}, lines, as_json)


def policy(
    directory: NodePath,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A policy that this partner's root has signed.")
    ],
    as_json: AsJson = False,
) -> None:
    """Give a node its next release policy; a running node puts it in force within a second."""
    from noroshi.service import node_dir
    from noroshi.service.files import read_file
    from noroshi.service.trust_files import TrustFiles

    raw = read_file(file, "make it with `noroshi node root policy`")
    found = TrustFiles(node_dir.load(directory)).add_policy(raw)
    document = {"directory": str(directory), "version": found.version}
    show(document, [f"{directory} has the release policy {found.version} of {found.partner}"], as_json)


def rotate(directory: NodePath, as_json: AsJson = False) -> None:
    """Make a new signing key beside the old one, and ask for its certificate."""
    from noroshi.service import node_dir

    place = node_dir.load(directory)
    request = place.rotate()
    key = place.newest_key().public.hex()
    lines = [
        f"made a new signing key: {key}",
        f"next: have {request} certified, then `noroshi node trust {directory} {place.config.partner}.trust`,",
        "      and start the node again; until then it signs with the old key",
    ]
    show({"directory": str(directory), "signing_key": key, "request": str(request)}, lines, as_json)


def post(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where the key is to lie; the post's own, not the node's.")
    ],
    partner: Annotated[str, typer.Option(help="Three capital letters, for example JPN.")],
    realm: Annotated[str, typer.Option(help="`real`, or `exercise:<name>`.")],
    name: Annotated[str, typer.Option("--post", help="The post, for example jp-pm.duty.")],
    unit: Annotated[str, typer.Option(help="Its unit, for example jp-pm.")],
    passphrase: AskPassphrase = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Make the key of a post, and the request with which its root certifies it."""
    from noroshi.messages import canonical
    from noroshi.service.files import write_file
    from noroshi.service.key_files import Key, new_seed, write_key

    if file.exists():
        raise OperatorError(
            "make a key", subject=str(file), cause="it is there already", hint="choose a new file"
        )
    key = Key(realm=realm, partner=partner, role="post", subject=name, unit=unit, seed=new_seed())
    request = file.with_name(f"{file.name}.request")
    try:
        write_key(file, key, _new_passphrase(passphrase, passphrase_file))
        write_file(request, canonical.encode(key.request()), 0o600)
    except OSError as error:
        raise OperatorError("make a key", subject=str(file), cause=error.strerror or "") from None
    lines = [f"made the key of {name}: {file}", f"next: have {request} certified by the root of {partner}"]
    show({"key": str(file), "request": str(request)}, lines, as_json)


def grouped(fingerprint: str) -> str:
    """In groups of four, as it is read out."""
    return " ".join(fingerprint[place : place + 4] for place in range(0, len(fingerprint), 4))


def _wanted(held: Any, subject: str, heads: list[str]) -> list[bytes]:
    """Ids of the keys that are meant: of a subject, or with these heads. Raises OperatorError."""
    known = {key.hex(): key for one in held.said.certificates for key in held.keys_of(one.subject)}
    keys = list(held.keys_of(subject)) if subject else []
    for head in heads:
        found = [key for name, key in known.items() if name.startswith(head.lower())]
        if len(head) < 8 or len(found) != 1:
            raise OperatorError(
                "take keys back",
                subject=head,
                cause="it is no key of this root",
                hint="see `noroshi node root show`",
            )
        keys += found
    if not keys:
        cause = f"this root has certified no {subject}" if subject else "no key is named"
        raise OperatorError(
            "take keys back", subject=subject, cause=cause, hint="name a subject, or give --key"
        )
    return keys


def _said(bundle: Any) -> list[str]:
    """What a bundle says, in words; its root's fingerprint first."""
    from noroshi.messages.keys import fingerprint

    statements = [*bundle.replacements, *bundle.pins, *bundle.certificates, *bundle.revocations]
    lines = []
    if bundle.root and statements:
        lines.append(
            f"root of {statements[0].partner}: {fingerprint(statements[0].realm, statements[0].partner, bundle.root)}"
        )
    return lines + _words(statements)


def _words(statements: Any) -> list[str]:
    """One line for each statement."""
    from noroshi.messages.keys import Certificate, Pin, Replacement, Revocation, fingerprint, key_of

    lines = []
    for one in statements:
        match one:
            case Certificate():
                ends, key = to_iso(one.not_after_ns, digits=0), key_of(one).hex()[:SHORT_KEY]
                lines.append(f"{one.partner} certifies {one.role} {one.subject}, key {key}, until {ends}")
            case Revocation():
                keys = ", ".join(row.key.hex()[:SHORT_KEY] for row in one.keys)
                lines.append(f"{one.partner} takes back {keys} (list {one.number})")
            case Replacement():
                lines.append(
                    f"{one.partner} hands over to the root {fingerprint(one.realm, one.partner, one.new)}"
                )
            case Pin():
                lines.append(f"{' and '.join(one.persons)} pinned the {one.what} of {one.partner}")
    return lines


def _moment(text: str, option: str) -> int:
    """UTC nanoseconds. Raises OperatorError."""
    try:
        return from_iso(text)
    except (ValueError, OverflowError):
        raise OperatorError(
            "read the time", subject=f"{option} {text}", cause="it is no time with a zone",
            hint="write for example 2026-01-01T00:00:00Z",
        ) from None  # fmt: skip


def _new_passphrase(wanted: bool, file: Path | None) -> str:
    """The passphrase for a new key, or none. Raises OperatorError."""
    from noroshi.service.key_files import check_passphrase

    if file is not None:
        return check_passphrase(_first_line(file))
    if not wanted:
        return ""
    return check_passphrase(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True))


def asking(directory: Path, file: Path | None) -> Callable[[], str]:
    """How a sealed root's passphrase is had."""
    if file is not None:
        return lambda: _first_line(file)
    return lambda: str(typer.prompt(f"Passphrase of {directory}", hide_input=True, err=True))


def _first_line(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            str(file), None, "", f"the passphrase cannot be read ({type(error).__name__})"
        ) from None

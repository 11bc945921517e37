"""`noroshi alert templates|warrant|passkeys`: approved words, what a root allows, and who has a passkey."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from noroshi.cli.node_trust import PassphraseFile, asking
from noroshi.cli.options import AsJson
from noroshi.cli.output import show
from noroshi.clock import to_iso

templates = typer.Typer(
    no_args_is_help=True,
    help="Check, show and approve the words that the public is told.",
    rich_markup_mode=None,
)

Words = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A file of templates, or packaged ones: `real`, `exercise`, `real-hazards`, `exercise-hazards`.",
    ),
]
Node = Annotated[Path, typer.Argument(metavar="DIR", help="The node's directory.", show_default=False)]

SHORT = 16
"""Hexadecimal digits of a key's id that are shown."""


@templates.command("check")
def check(file: Words, as_json: AsJson = False) -> None:
    """Check a set: every case in every language, nothing but the two placeholders, no word of the other realm."""
    from noroshi.service.alert_words import read_templates

    found = read_templates(file)
    document = {"file": file, "realm": found.realm, "version": found.version, "digest": found.digest.hex()}
    lines = [
        f"{file}: good words for {found.realm}, version {found.version}",
        f"digest: {found.digest.hex()}",
    ]
    show(document, lines, as_json)


@templates.command("show")
def show_words(file: Words, as_json: AsJson = False) -> None:
    """Print a set as a file: what a person reads, changes and has approved."""
    import json

    from noroshi.service.alert_words import as_yaml, read_templates

    document = as_yaml(read_templates(file))
    show(document, [json.dumps(document, ensure_ascii=False, indent=2)], as_json)


@templates.command("approve")
def approve(
    directory: Node,
    file: Words,
    post_key: Annotated[
        list[Path] | None,
        typer.Option("--post-key", help="Of one of two posts that approve it; give it twice."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a node its words, signed by two posts; without keys, words that the root's warrant names."""
    from noroshi.messages.bodies import DecisionBody
    from noroshi.messages.canonical import encode
    from noroshi.node.warranting import APPROVE_TEMPLATES, GivenTemplates
    from noroshi.service import node_dir
    from noroshi.service.alert_words import read_templates
    from noroshi.service.key_files import read_key
    from noroshi.service.post_speech import spoken
    from noroshi.service.trust_files import TrustFiles

    place, found = node_dir.load(directory), read_templates(file)
    now_ns = place.config.clock.clock().now_ns()
    approvals = []
    for path in post_key or []:
        key = read_key(path, asking(path, passphrase_file))
        body = DecisionBody(
            case=found.digest[:16], decision=APPROVE_TEMPLATES, step="ruling", unit=key.unit, outcome="decided",
            subject=found.digest,
        )  # fmt: skip
        approvals.append(spoken(key, node=place.config.node, kind="decision", body=body, now_ns=now_ns))
    TrustFiles(place).add_templates(encode(GivenTemplates("templates", encode(found), tuple(approvals))))
    document = {"directory": str(directory), "digest": found.digest.hex(), "approvals": len(approvals)}
    lines = [f"{directory} is given the words {found.digest.hex()[:SHORT]} with {len(approvals)} approvals"]
    show(document, [*lines, "its timeline says whether they are in force"], as_json)


def warrant(
    where: Annotated[Path, typer.Argument(metavar="ROOT|DIR", help="A root's directory, or a node's.")],
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="With a root, the YAML to sign; with a node, the signed one."),
    ],
    out: Annotated[Path | None, typer.Option(help="With a root: where the signed warrant is to lie.")] = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign, with a root, what its alerting units may do beyond two persons; or give the signed warrant to a node."""
    from noroshi.command.warrant import Warrant
    from noroshi.errors import OperatorError
    from noroshi.node.warranting import words
    from noroshi.service.alert_words import read_warrant
    from noroshi.service.files import read_file, write_file
    from noroshi.service.root_dir import KEY_NAME, RootDir

    def said(found: Warrant, next_: str) -> tuple[dict[str, Any], list[str]]:
        digests = [one.hex() for one in found.templates]
        document = {"version": found.version, "allows": words(found.rules), "templates": digests}
        return document, [f"warrant {found.version} of {found.partner}: {words(found.rules)}", next_]

    if not (where / KEY_NAME).exists():
        from noroshi.service import node_dir
        from noroshi.service.trust_files import TrustFiles

        raw = read_file(file, "make it with `noroshi alert warrant ROOT FILE --out OUT`")
        found = TrustFiles(node_dir.load(where)).add_warrant(raw)
        document, lines = said(found, f"{where} takes it within a second of running")
        show(document, lines, as_json)
        return
    if out is None:
        raise OperatorError(
            "sign the warrant",
            subject=str(file),
            cause="it is not said where it is to lie",
            hint="give --out",
        )
    root = RootDir.load(where)
    made = read_warrant(str(file), realm=root.realm, partner=root.partner)
    raw = root.sign_warrant(made, asking(where, passphrase_file))
    try:
        write_file(out, raw, 0o644)
    except OSError as error:
        raise OperatorError("write the warrant", subject=str(out), cause=error.strerror or "") from None
    document, lines = said(made, f"next: `noroshi alert warrant DIR {out}`")
    show(document | {"file": str(out)}, lines, as_json)


def passkeys(directory: Node, as_json: AsJson = False) -> None:
    """Show which posts have a passkey that their root has certified, and which requests wait for the root."""
    import msgspec

    from noroshi.messages.keys import key_of
    from noroshi.service import node_dir
    from noroshi.service.passkey_enrolment import REQUESTS, enrol_address
    from noroshi.service.trust_files import TrustFiles

    place = node_dir.load(directory)
    trust, now_ns = TrustFiles(place).store(), place.config.clock.clock().now_ns()
    cards = [
        one for one in trust.valid(place.config.partner, "post", now_ns) if one.passkey is not msgspec.UNSET
    ]
    waiting = sorted((place.path / REQUESTS).glob("*.request"))
    document = {
        "posts": [
            {
                "post": one.subject,
                "unit": one.unit,
                "key": key_of(one).hex(),
                "until": to_iso(one.not_after_ns, digits=0),
            }
            for one in cards
        ],
        "requests": [str(path) for path in waiting],
        "page": enrol_address(place),
    }
    lines = [
        f"{one.subject} ({one.unit}): {key_of(one).hex()[:SHORT]}, until {to_iso(one.not_after_ns, digits=0)}"
        for one in cards
    ]
    lines += [f"waits for the root: {path}" for path in waiting]
    show(
        document,
        [*(lines or ["no post has a passkey"]), f"a person makes one at {document['page']}"],
        as_json,
    )

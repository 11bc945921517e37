"""`noroshi cap`: check, convert and sign messages of the Common Alerting Protocol.

    noroshi cap check alert.xml --profile ipaws --trust agency.pem
    noroshi cap check alert.xml --ca national.pem --signer duty@kumo.example --crl national.crl
    noroshi cap convert old.xml --to cap12 --out new.xml
    noroshi cap sign alert.xml --key key.pem --certificate certificate.pem --out signed.xml

Exit 0: every file is a valid CAP message; 2: one is not, and its lines and rules are named. Warnings leave a file valid.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from noroshi.cli.options import AsJson
from noroshi.cli.output import UNUSABLE, show, tell
from noroshi.clock import from_iso
from noroshi.errors import InputError

if TYPE_CHECKING:
    from noroshi.gateways.cap_chain import Authorities
    from noroshi.gateways.cap_model import CapAlert
    from noroshi.gateways.cap_signature import SignatureVerdict

app = typer.Typer(
    help="Check, convert and sign messages of the Common Alerting Protocol.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="F", help="Where to; standard output if left out.")
]


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False)],
    profile: Annotated[
        Literal["", "ipaws"], typer.Option("--profile", help="Also the rules of a profile: ipaws.")
    ] = "",
    trust: Annotated[
        list[Path] | None,
        typer.Option(
            "--trust", metavar="CERT.pem", help="Ask for the signature of one of these certificates."
        ),
    ] = None,
    ca: Annotated[
        list[Path] | None,
        typer.Option("--ca", metavar="CA.pem", help="Or of somebody whom this authority certified."),
    ] = None,
    signer: Annotated[
        list[str] | None,
        typer.Option(
            "--signer", metavar="NAME", help="With --ca: whom the certificate must name; anybody if left out."
        ),
    ] = None,
    chain: Annotated[
        list[Path] | None,
        typer.Option(
            "--chain", metavar="F.pem", help="With --ca: certificates in between that messages do not bring."
        ),
    ] = None,
    crl: Annotated[
        list[Path] | None,
        typer.Option("--crl", metavar="F", help="With --ca: a revocation list, PEM or DER."),
    ] = None,
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="TIME",
            help="When certificates must be valid; `sent`: as the message says; now if left out.",
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say whether files are valid CAP messages: exit 0, or 2 with line and rule."""
    now_ns = None if at == "sent" else _time(at)
    believed = _Believed(_certificates(trust or []), _authorities(ca, chain, crl, signer), now_ns)
    rows = [_checked(file, profile, believed) for file in files]
    valid = all(row["valid"] for row in rows)
    show({"valid": valid, "files": rows}, [line for row in rows for line in _lines(row)], as_json)
    if not valid:
        if as_json:
            bad = (one for row in rows for one in _all_findings(row) if one["severity"] == "error")
            tell(_line(next(row for row in rows if not row["valid"])["file"], next(bad)))
        raise typer.Exit(UNUSABLE)


@app.command()
def convert(
    file: File,
    to: Annotated[
        Literal["cap12", "json", "geojson"], typer.Option("--to", help="What is written.")
    ] = "cap12",
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Write a message, from XML or that JSON, as CAP 1.2, JSON or GeoJSON; what is lost goes to standard error."""
    from noroshi.gateways.cap_convert import cap_geojson, to_cap12
    from noroshi.gateways.cap_json import cap_document
    from noroshi.gateways.cap_write import write_cap

    alert = _alert(file)
    lost: tuple[str, ...] = ()
    if to == "cap12":
        with _InFile(file):
            converted = to_cap12(alert)
        lost, data = converted.lost, write_cap(converted.alert)
    else:
        document = cap_document(alert) if to == "json" else cap_geojson(alert)
        if to == "geojson":
            lost = ("texts of description and instruction, resources, parameters, eventCodes, signatures",)
            lost += tuple(f"not on the Earth: {one[:60]!r}" for one in _left_out(document))
        data = json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
    _give({"file": str(file), "to": to, "lost": list(lost)}, data, out, as_json)


@app.command()
def sign(
    file: File,
    key: Annotated[Path, typer.Option("--key", metavar="KEY.pem", help="RSA or elliptic curve.")],
    certificate: Annotated[Path, typer.Option("--certificate", metavar="CERT.pem", help="That of the key.")],
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Put an enveloped XML signature at the end of a message."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from noroshi.gateways.cap_signature import sign_cap

    try:
        private = load_pem_private_key(_read(key), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(
            str(key), None, "", f"it is no private key in PEM without a password ({error})"
        ) from None
    with _InFile(file):
        data = sign_cap(_read(file), private, _read(certificate).decode("ascii", "replace"))
    _give({"file": str(file), "to": "signed", "lost": []}, data, out, as_json)


class _InFile:
    """Turns what is unreadable into an error that names the file and the line."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from noroshi.gateways.cap_model import CapUnreadableError

        if isinstance(error, CapUnreadableError):
            raise InputError(str(self.file), error.line or None, error.rule, error.says) from None


def _alert(file: Path) -> CapAlert:
    """The message in a file, XML or the JSON that `convert --to json` writes. Raises InputError."""
    from noroshi.gateways.cap_json import alert_of
    from noroshi.gateways.cap_read import read_cap
    from noroshi.gateways.cap_write import write_cap

    data = _read(file)
    with _InFile(file):
        if data.lstrip()[:1] != b"{":
            return read_cap(data)
        try:
            document = json.loads(data)
        except json.JSONDecodeError as error:
            raise InputError(str(file), error.lineno, "json", error.msg) from None
        except (UnicodeDecodeError, RecursionError, ValueError) as error:
            raise InputError(str(file), 1, "json", f"it is no JSON ({type(error).__name__})") from None
        return read_cap(write_cap(alert_of(document)))


@dataclass(frozen=True)
class _Believed:
    """Whose signatures count, and when their certificates must be valid: None for when a message says it was sent."""

    trusted: dict[str, str]
    authorities: Authorities | None
    now_ns: int | None

    @property
    def asks(self) -> bool:
        return bool(self.trusted) or self.authorities is not None

    def verdict(self, data: bytes) -> SignatureVerdict:
        from noroshi.gateways.cap_read import read_cap
        from noroshi.gateways.cap_signature import SignatureVerdict, check_signature

        at_ns = self.now_ns
        if at_ns is None:
            at_ns = read_cap(data, forgiving=True).sent.time_ns
        if at_ns is None:
            return SignatureVerdict("untrusted", says="it does not say when it was sent")
        return check_signature(data, self.trusted, at_ns, self.authorities)


def _checked(file: Path, profile: Literal["", "ipaws"], believed: _Believed) -> dict[str, Any]:
    from noroshi.gateways.cap_check import Finding, check_cap, check_root
    from noroshi.gateways.cap_container import alerts_in
    from noroshi.gateways.cap_model import CapUnreadableError
    from noroshi.gateways.cap_signature import SignatureVerdict
    from noroshi.gateways.xml_parse import line_of

    row: dict[str, Any] = {"file": str(file), "kind": "", "version": "", "identifier": "", "valid": False}
    verdict, inside = SignatureVerdict("none"), []
    try:
        data = _read(file)
    except InputError as error:
        return {**row, "findings": [_finding(Finding(0, "file", error.cause))], "inside": []}
    findings = check_cap(data, profile=profile)
    try:
        held = alerts_in(data)
        row["kind"] = held.kind
        if held.kind == "alert" and not any(one.rule in ("size", "elements") for one in findings):
            row |= {"version": held.alerts[0].version, **_about(held.alerts[0].element)}
            verdict = believed.verdict(data)
        elif held.kind != "alert":
            for one in held.alerts:
                about = {"line": line_of(one.element), "version": one.version, **_about(one.element)}
                found = check_root(one.element, one.version, profile=profile)
                inside.append({**about, **_verdict(found)})
    except CapUnreadableError:
        row["kind"] = "unreadable"
    if verdict.state == "broken" or (believed.asks and row["kind"] == "alert" and verdict.state != "valid"):
        severity: Literal["error", "warning"] = "error" if believed.asks else "warning"
        findings.append(Finding(0, "signature", f"{verdict.state}: {verdict.says}", severity))
    signature = {name: getattr(verdict, name) for name in _SAID}
    return {**row, **_verdict(findings), "signature": signature, "inside": inside}


_SAID = ("state", "certificate", "signer", "fingerprint", "says")


def _about(alert: Any) -> dict[str, str]:
    """Short words of a message, fit for a terminal: what cannot be printed there is U+FFFD."""
    words = {name: alert.findtext(f"{{*}}{name}") or "" for name in ("identifier", "msgType", "status")}
    plain = {name: " ".join(text.split())[:200] for name, text in words.items()}
    return {name: "".join(c if c.isprintable() else "\ufffd" for c in text) for name, text in plain.items()}


def _verdict(findings: list[Any]) -> dict[str, Any]:
    valid = all(one.severity != "error" for one in findings)
    return {"valid": valid, "findings": [_finding(one) for one in findings]}


def _finding(one: Any) -> dict[str, Any]:
    return {"line": one.line, "rule": one.rule, "severity": one.severity, "text": one.text}


def _all_findings(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from row["findings"]
    for one in row["inside"]:
        yield from one["findings"]


def _lines(row: dict[str, Any]) -> Iterator[str]:
    if row["valid"]:
        state = row["signature"]["state"]
        signed = "not signed" if state == "none" else f"signature {state}: {row['signature']['says']}"
        what = f"CAP {row['version']} {row['status']} {row['msgType']} {row['identifier']}"
        yield f"{row['file']}: valid, {what}; {signed}"
    for one in row["findings"]:
        yield _line(row["file"], one)
    for number, held in enumerate(row["inside"], 1):
        said = "valid" if held["valid"] else "not valid"
        name = (
            f"{row['file']}:{held['line']}: message {number} of {len(row['inside'])}, CAP {held['version']}"
        )
        yield f"{name} {held['status']} {held['msgType']} {held['identifier']}: {said}"
        for one in held["findings"]:
            yield _line(row["file"], one)


def _line(file: str, finding: dict[str, Any]) -> str:
    place = f"{file}:{finding['line']}" if finding["line"] else file
    warning = "warning: " if finding["severity"] == "warning" else ""
    return f"{place}: {warning}{finding['rule']}: {finding['text']}"


def _left_out(document: dict[str, Any]) -> Iterator[str]:
    for feature in document["features"]:
        yield from feature["properties"]["left_out"]


def _give(report: dict[str, Any], data: bytes, out: Path | None, as_json: bool) -> None:
    for words in report["lost"]:
        tell(f"{report['file']}: not carried: {words}")
    if out is not None:
        try:
            out.write_bytes(data)
        except OSError as error:
            raise InputError(str(out), None, "", f"it cannot be written: {error.strerror}") from None
        show({**report, "out": str(out)}, [], as_json)
    elif as_json:
        show({**report, "out": None, "text": data.decode()}, [], as_json)
    else:
        sys.stdout.write(data.decode())
        sys.stdout.flush()


def _certificates(files: list[Path]) -> dict[str, str]:
    from noroshi.errors import OperatorError
    from noroshi.gateways.cap_signature import certificate_fingerprint

    trusted = {}
    for file in files:
        pem = _read(file).decode("ascii", "replace")
        try:
            certificate_fingerprint(pem)
        except OperatorError as error:
            raise InputError(str(file), None, "", error.cause, error.hint) from None
        trusted[str(file)] = pem
    return trusted


def _authorities(
    ca: list[Path] | None, chain: list[Path] | None, crl: list[Path] | None, signers: list[str] | None
) -> Authorities | None:
    """What is pinned of authorities; None where nothing is. Raises InputError naming the file."""
    from noroshi.errors import OperatorError
    from noroshi.gateways.cap_chain import Authorities

    if not ca:
        if chain or crl or signers:
            cause = "they say more of an authority, and none is named"
            raise InputError("--chain, --crl, --signer", None, "", cause, "name it with --ca")
        return None
    made = Authorities({}, signers=tuple(signers or ()))
    for files, kind in ((ca, "pinned"), (chain or [], "between"), (crl or [], "lists")):
        for file in files:
            data = _read(file)
            text = data.decode("ascii", "replace")
            given: dict[str, Any] = {"pinned": {str(file): text}, "between": [text], "lists": [data]}
            try:
                made = made.and_also(Authorities.of(**{"pinned": {}, kind: given[kind]}))
            except OperatorError as error:
                raise InputError(str(file), None, "", error.cause, error.hint) from None
    return made


def _time(text: str) -> int:
    try:
        return from_iso(text) if text else time.time_ns()
    except ValueError as error:
        raise InputError("--at", None, "", str(error)) from None


def _read(file: Path) -> bytes:
    """A file, to a byte more than any may have. Raises InputError."""
    from noroshi.gateways.cap_container import MAX_CONTAINER_BYTES

    try:
        with file.open("rb") as opened:
            return opened.read(MAX_CONTAINER_BYTES + 1)
    except OSError as error:
        raise InputError(str(file), None, "", f"it cannot be read: {error.strerror}") from None

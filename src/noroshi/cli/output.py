"""What commands print: one JSON document or plain lines on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from noroshi.errors import InputError, NoroshiError, OperatorError

DONE, UNMET, UNUSABLE = 0, 1, 2
"""Exit codes: done and held; ran, but an expectation failed; the input is unusable."""

INTERRUPTED = 130


def show(document: Any, lines: Iterable[str], as_json: bool) -> None:
    """Prints the document with `--json`, else the lines."""
    if as_json:
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        for line in lines:
            print(line)
    sys.stdout.flush()


def tell(text: str) -> None:
    """Says something to the person at the terminal."""
    print(text, file=sys.stderr, flush=True)


def error_document(error: NoroshiError) -> dict[str, Any]:
    """What `--json` prints instead of a result."""
    place: dict[str, Any] = {"file": "", "line": None, "field": ""}
    if isinstance(error, InputError):
        place = {"file": error.file, "line": error.line, "field": error.field}
    return {
        "error": {
            **place,
            "operation": error.operation,
            "subject": error.subject,
            "cause": error.cause,
            "hint": error.hint,
            "sentence": error.sentence(),
        }
    }


def usage_document(cause: str) -> dict[str, Any]:
    """The same for a command that was called wrongly."""
    return error_document(
        OperatorError("read the command", subject="noroshi", cause=cause, hint="see its --help")
    )


def fail(error: NoroshiError, as_json: bool) -> int:
    """Says what is wrong in one sentence; the exit code."""
    if as_json:
        print(json.dumps(error_document(error), ensure_ascii=False, indent=2), flush=True)
    tell(error.sentence())
    return UNUSABLE

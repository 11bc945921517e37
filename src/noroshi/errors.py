"""Error families, by who must act.

`LocalError`: our own fault, a defect or a damaged record. `PartnerError`: somebody sent us something
wrong. `OperatorError`: a person must choose or repair something. Expected outcomes (a withheld
release, a duplicate) are values, never exceptions.

    raise OperatorError("open the record", subject="jpn/record.db", cause="the file is damaged",
                        hint="restore a copy, or run `noroshi log verify`")
"""

from __future__ import annotations


class NoroshiError(Exception):
    """Root of all errors: the operation, its subject, the cause, a hint, and whether a retry helps."""

    def __init__(
        self, operation: str, *, subject: str = "", cause: str = "", hint: str = "", retry: bool = False
    ) -> None:
        self.operation = operation
        self.subject = subject
        self.cause = cause
        self.hint = hint
        self.retry = retry
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """One plain sentence for an operator, without a traceback."""
        head = f"cannot {self.operation}"
        if self.subject:
            head += f" ({self.subject})"
        if self.cause:
            head += f": {self.cause}"
        if self.hint:
            head += f"; {self.hint}"
        return head


class LocalError(NoroshiError):
    """Our own fault: a broken invariant, a damaged record, a defect."""


class PartnerError(NoroshiError):
    """Another party sent something wrong; it costs that party only."""


class OperatorError(NoroshiError):
    """A person must choose or repair something; exit code 2 on the command line."""


class InputError(OperatorError):
    """A file given by the operator is unusable: names file, line, field, and what would be right.

    `line` is 1-based, or None where a file has no lines. `field` is a dotted path such as
    `links[2].delay_s`.
    """

    def __init__(self, file: str, line: int | None, field: str, cause: str, hint: str = "") -> None:
        self.file = file
        self.line = line
        self.field = field
        super().__init__("use the file", subject=file, cause=cause, hint=hint)

    def sentence(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        text = f"{place}: {self.field}: {self.cause}" if self.field else f"{place}: {self.cause}"
        return f"{text}; {self.hint}" if self.hint else text

"""Text of a release policy's file to a `Policy`, with every check that types alone cannot make.

policy = load_policy(text, "jpn.yaml")          # InputError names file, line and field
"""

from __future__ import annotations

from typing import Any

from noroshi.documents import Document, convert, fail, json_schema, parse
from noroshi.sharing.policy import Policy, faults


def load_policy(text: str, file: str) -> Policy:
    """The policy in the text. Raises InputError at the first fault."""
    return located_policy(text, file)[0]


def located_policy(text: str, file: str) -> tuple[Policy, Document]:
    """The same, and where everything in it stands. Raises InputError at the first fault."""
    document = parse(text, file)
    policy = convert(document, Policy)
    for fault in faults(policy):
        fail(document, fault.path, fault.cause, fault.hint)
    return policy, document


def published_schema() -> dict[str, Any]:
    """The JSON Schema in `docs/schemas/release-policy.schema.json`; it cannot say all that loading checks."""
    return {"$id": "https://noroshi.invalid/schemas/release-policy.schema.json", **json_schema(Policy)}

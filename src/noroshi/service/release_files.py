"""Release policies by file or packaged name, for the commands that check and explain releases.

policy, document = read_policy("jpn.yaml")          # InputError names file, line, field
"""

from __future__ import annotations

from importlib.resources import files

from noroshi.documents import Document
from noroshi.service.files import given_text
from noroshi.sharing.policy import Policy
from noroshi.sharing.policy_file import located_policy

_POLICIES = files("noroshi.sharing") / "data"


def packaged_policies() -> tuple[str, ...]:
    """Names of the packaged example policies, in alphabetical order."""
    names = (entry.name for entry in _POLICIES.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def read_policy(given: str) -> tuple[Policy, Document]:
    """The policy of a file or packaged name, and where everything in it stands. Raises InputError."""
    if given in packaged_policies():
        file = f"{given}.yaml"
        return located_policy((_POLICIES / file).read_text(encoding="utf-8"), file)
    hint = f"give the path of a file, or one of: {', '.join(packaged_policies())}"
    return located_policy(given_text(given, hint), given)

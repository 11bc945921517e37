"""Release policies and structures by file or packaged name, for the commands that check and explain releases.

policy, document = read_policy("jpn.yaml")          # InputError names file, line, field
structure = read_structure("trilateral")
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from noroshi.documents import Document
from noroshi.errors import InputError
from noroshi.service.files import read_text
from noroshi.service.resources import packaged_decisions, packaged_names, packaged_structure
from noroshi.sharing.policy import Policy
from noroshi.sharing.policy_file import located_policy
from noroshi.structure import Structure, load_catalogue, load_structure

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
    return located_policy(_read(given, packaged_policies()), given)


def read_structure(given: str) -> Structure:
    """The structure of a file or packaged name, under the packaged catalogue of decisions. Raises InputError."""
    decisions, catalogue = packaged_decisions()
    if given in packaged_names():
        file, text = packaged_structure(given)
    else:
        file, text = given, _read(given, packaged_names())
    return load_structure(text, file, load_catalogue(catalogue, decisions))


def _read(file: str, packaged: tuple[str, ...]) -> str:
    try:
        return read_text(Path(file))
    except FileNotFoundError:
        hint = f"give the path of a file, or one of: {', '.join(packaged)}"
        raise InputError(file, None, "", "there is no such file", hint) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(file, line, "", "not readable as UTF-8", "save the file as UTF-8") from None
    except (OSError, ValueError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        raise InputError(file, None, "", f"cannot be read: {reason}") from None

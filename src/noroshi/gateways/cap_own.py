"""Reads back what `noroshi.gateways.cap` wrote, and nothing else: a check of our own files, not a reader of others'.

Strict on purpose: whatever `check_cap` finds, a comment, a processing instruction, an attribute or an element that CAP
does not have is refused. So nothing can hide in a file that passed.

    alert = check_own(data)
    alert.infos[0].areas[0].description      # 'Aomori (JP)'
"""

from __future__ import annotations

from noroshi.gateways.cap_check import cap_root, check_root
from noroshi.gateways.cap_model import CapAlert, CapUnreadableError
from noroshi.gateways.cap_read import read_element
from noroshi.gateways.xml_parse import line_of

STATUSES = ("Actual", "Exercise")
MESSAGES = ("Alert", "Update", "Cancel")


def check_own(data: bytes) -> CapAlert:
    """What one of our CAP files says. Raises CapUnreadableError on any other bytes, and never anything else."""
    root, version = cap_root(data)
    if version != "1.2":
        raise CapUnreadableError("we write CAP 1.2 only", line=line_of(root), rule="version")
    around = [*root.itersiblings(preceding=True), *root.itersiblings()]
    strange = next((one for one in [*around, *root.iter()] if not isinstance(one.tag, str)), None)
    if strange is not None:
        raise CapUnreadableError("it has a comment or an instruction", line=line_of(strange), rule="comment")
    for finding in check_root(root, version):
        raise CapUnreadableError(finding.text, line=finding.line, rule=finding.rule)
    alert = read_element(root, version)
    strange_words = (
        alert.extra or alert.source or alert.restriction or alert.addresses or alert.scope != "Public"
    )
    if strange_words or alert.status not in STATUSES or alert.msg_type not in MESSAGES:
        raise CapUnreadableError("it says what we never say", line=line_of(root), rule="own")
    return alert

"""Labels: who may have a message. Part of the signed bytes, never held beside them.

Deny is the meaning of everything that is empty, unknown or unreadable: an empty `releasable_to` releases to
nobody but the originator, an unknown classification to nobody at all.

    label = Label("restricted", ("JPN", "USA"))
    may_have(label, "USA", origin="JPN")     # True
    may_have(label, "KOR", origin="JPN")     # False
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

CLASSIFICATIONS = ("unclassified", "restricted", "confidential", "secret")
"""Ranks in rising order; fixed here and never a configurable integer, so that no setting can lower one."""

CAVEATS = frozenset({"exercise", "originator-controlled", "personal-data"})
"""Caveats that this version understands; a message with another one is released to nobody."""


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """classification: one of `CLASSIFICATIONS`; releasable_to: sorted partners; caveats: sorted words."""

    classification: str
    releasable_to: tuple[str, ...]
    caveats: tuple[str, ...] = ()

    @property
    def audience(self) -> frozenset[str]:
        """The partners named, as a set."""
        return frozenset(self.releasable_to)


def label_for(
    audience: Iterable[str], classification: str = "restricted", caveats: Iterable[str] = ()
) -> Label:
    """A label in its canonical form: partners and caveats sorted, each once."""
    return Label(classification, tuple(sorted(set(audience))), tuple(sorted(set(caveats))))


def defect(label: Label) -> str:
    """Why a label is unusable, or an empty text. An unusable label releases to nobody."""
    if label.classification not in CLASSIFICATIONS:
        return "unknown-classification"
    if not CAVEATS.issuperset(label.caveats):
        return "unknown-caveat"
    if list(label.releasable_to) != sorted(set(label.releasable_to)):
        return "label-not-canonical"
    if not all(len(name) == 3 and name.isascii() and name.isupper() for name in label.releasable_to):
        return "unknown-partner-form"
    return ""


def may_have(label: Label, partner: str, *, origin: str) -> bool:
    """Whether `partner` may have a message of `origin` with this label; the originator always may."""
    return not defect(label) and (partner == origin or partner in label.releasable_to)


def joined(labels: Iterable[Label]) -> Label:
    """The label of something made from all these inputs: highest rank, common partners, all caveats.

    Raises ValueError when there are no inputs or one of them is defective: nothing can then be derived.
    """
    inputs = list(labels)
    if not inputs or any(defect(one) for one in inputs):
        raise ValueError("a label can be joined only from usable labels")
    rank = max(CLASSIFICATIONS.index(one.classification) for one in inputs)
    common = frozenset.intersection(*(one.audience for one in inputs))
    caveats = {caveat for one in inputs for caveat in one.caveats}
    return label_for(common, CLASSIFICATIONS[rank], caveats)

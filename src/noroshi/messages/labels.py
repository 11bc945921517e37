"""Labels: who may have a message. Part of the signed bytes, never held beside them.

Deny is the meaning of everything that is empty, unknown or unreadable: an empty `releasable_to` releases to
nobody but the originator, an unknown classification to nobody at all.

A label may carry the same meaning in other marking policies (a nation's, a coalition's) as well. Then every one of its
markings must allow a partner: a release policy reads them by its signed tables, and one that it cannot read releases to
nobody.

    label = Label("restricted", ("JPN", "USA"))
    may_have(label, "USA", origin="JPN")     # True
    may_have(label, "KOR", origin="JPN")     # False
"""

from __future__ import annotations

import string
from collections.abc import Iterable

import msgspec

CLASSIFICATIONS = ("unclassified", "restricted", "confidential", "secret")
"""Ranks in rising order; fixed here and never a configurable integer, so that no setting can lower one."""

USUAL_CLASSIFICATION = "restricted"
"""The rank of what nodes say by themselves."""

CAVEATS = frozenset({"exercise", "originator-controlled", "personal-data"})
"""Caveats that this version understands; a message with another one is released to nobody."""

MAX_MARKINGS = 8
"""Other marking policies on one label: an originator's own, a coalition's or two, and room."""

MAX_WORD = 64
"""Characters of a rank, category or policy id."""

_WORD = frozenset(string.ascii_lowercase + string.digits + "-.")


class Marking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a label says in another marking policy. policy: its id; rank and categories: its words, categories sorted."""

    policy: str
    rank: str
    categories: tuple[str, ...] = ()


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """classification: one of `CLASSIFICATIONS`; releasable_to: sorted partners; caveats: sorted words.

    markings: the same in other marking policies, sorted, each once; left out where there are none.
    """

    classification: str
    releasable_to: tuple[str, ...]
    caveats: tuple[str, ...] = ()
    markings: tuple[Marking, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def audience(self) -> frozenset[str]:
        """The partners named, as a set."""
        return frozenset(self.releasable_to)

    @property
    def others(self) -> tuple[Marking, ...]:
        """Its markings in other policies."""
        return () if self.markings is msgspec.UNSET else self.markings


def label_for(
    audience: Iterable[str],
    classification: str = USUAL_CLASSIFICATION,
    caveats: Iterable[str] = (),
    markings: Iterable[Marking] = (),
) -> Label:
    """A label in its canonical form: partners, caveats and markings sorted, each once."""
    others = tuple(sorted(set(markings), key=_order))
    return Label(
        classification, tuple(sorted(set(audience))), tuple(sorted(set(caveats))), others or msgspec.UNSET
    )


def defect(label: Label) -> str:
    """Why a label is unusable, or an empty text. An unusable label releases to nobody."""
    if label.classification not in CLASSIFICATIONS:
        return "unknown-classification"
    if not CAVEATS.issuperset(label.caveats):
        return "unknown-caveat"
    if list(label.releasable_to) != sorted(set(label.releasable_to)):
        return "label-not-canonical"
    if label.releasable_to and not _are_partners(label.releasable_to):
        return "unknown-partner-form"
    return _markings_defect(label.markings)


def is_partner(name: str) -> bool:
    """Whether a text has a partner's form: three capital letters. Whether there is such a partner is another matter."""
    return len(name) == 3 and name.isascii() and name.isalpha() and name.isupper()


def _are_partners(names: tuple[str, ...]) -> bool:
    """Whether all of at least one have that form. Looked at together: a label is asked at each step of a message."""
    for name in names:
        if len(name) != 3:
            return False
    together = "".join(names)
    return together.isascii() and together.isalpha() and together.isupper()


def is_word(text: str) -> bool:
    """Whether a text can be a rank, a category or the id of a marking policy."""
    return 0 < len(text) <= MAX_WORD and _WORD.issuperset(text)


def may_have(label: Label, partner: str, *, origin: str) -> bool:
    """Whether `partner` may have a message of `origin` with this label; the originator always may."""
    return not defect(label) and (partner == origin or partner in label.releasable_to)


def joined(labels: Iterable[Label]) -> Label:
    """The label of something made from all these inputs: highest rank, common partners, all caveats, all markings.

    Raises ValueError when there are no inputs or one of them is defective: nothing can then be derived.
    """
    inputs = list(labels)
    if not inputs or any(defect(one) for one in inputs):
        raise ValueError("a label can be joined only from usable labels")
    rank = max(CLASSIFICATIONS.index(one.classification) for one in inputs)
    common = frozenset.intersection(*(one.audience for one in inputs))
    caveats = {caveat for one in inputs for caveat in one.caveats}
    markings = {marking for one in inputs for marking in one.others}
    if len(markings) > MAX_MARKINGS:
        raise ValueError(f"a label can carry no more than {MAX_MARKINGS} markings")
    return label_for(common, CLASSIFICATIONS[rank], caveats, markings)


def _order(marking: Marking) -> tuple[str, str, tuple[str, ...]]:
    return marking.policy, marking.rank, marking.categories


def _markings_defect(markings: tuple[Marking, ...] | msgspec.UnsetType) -> str:
    if markings is msgspec.UNSET:
        return ""
    if not 0 < len(markings) <= MAX_MARKINGS or list(markings) != sorted(set(markings), key=_order):
        return "label-not-canonical"
    for one in markings:
        if list(one.categories) != sorted(set(one.categories)):
            return "label-not-canonical"
        if not all(map(is_word, (one.policy, one.rank, *one.categories))):
            return "unknown-marking-form"
    return ""

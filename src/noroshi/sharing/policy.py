"""A partner's release policy: on which terms each other partner is, and the rules that narrow what it gets.

The structure's sharing edges, the policy and the label must all allow; whatever the policy does not name, or names in
words that it does not define, is denied. A policy has a rising version and is signed by its partner's root. Of two
versions the higher counts, also for what was decided under the lower one and has not gone yet.

Terms: to a `member` goes what the structure's edges let go, narrowed by the rules; to an `observer` only what a rule
names, in editions of its own; to one on `case-by-case` terms only what a named post releases, message by message; to one
that is `removed` nothing. Rules are read in order and the first that matches decides: `full` editions, `reduced` ones,
`declare` (it is warned all the same, by a tear-line, of what it may not see), or `deny`.

    policy = default_policy("JPN", ("USA", "KOR"))
    policy.verdict("KOR", "jp-mod", "track", "flight-path", label)      # Verdict(effect="full", rule="", reason="")
    next(faults(policy), None)                                          # what makes it unusable
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from noroshi.documents import Element, Path, suggest
from noroshi.messages import KINDS, Label, Scheme, canonical
from noroshi.messages.labels import CLASSIFICATIONS, USUAL_CLASSIFICATION, is_partner
from noroshi.messages.rooted import open_rooted
from noroshi.messages.trust import is_realm
from noroshi.sharing.reduced import Grid
from noroshi.structure.model import Content, Id

POLICY_DOMAIN = b"noroshi release policy 1\x00"

MAX_PARTNERS = 200
"""Partners of one policy: as many as there are nations."""

MAX_RULES = 1000
"""Rules of one policy; a person must still be able to read it."""

MAX_PER_HOUR = 10_000
"""Largest budget: more than that in an hour is no budget, and each costs 8 bytes of memory."""

TermsName = Literal["member", "observer", "case-by-case", "removed"]
Effect = Literal["full", "reduced", "declare", "deny"]

DECLARABLE = frozenset({"warning", "alert"})
"""Kinds that can be said to somebody in spite of what it may not see: those that save lives."""

REDUCIBLE = frozenset(kind.reduces for kind in KINDS.values() if kind.reduces)
"""Kinds that have a reduced edition."""

RECALL = "recall"
"""The kind that goes to whoever had what it takes back, on all terms but `removed`; no rule can hold it up."""

BUILT_IN = frozenset({"label", "kinds", "policy", "structure", "links", "terms", "clearance", RECALL})
"""What outcomes call the rules that no policy can change; a policy's own rules have other names."""

Partner = Annotated[
    str, Meta(pattern=r"^[A-Z]{3}$", description="a partner: three capital letters such as JPN")
]
Word = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9.-]{1,64}$", description="a word of lower-case letters, digits, dots and hyphens"),
]
NoWord = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9.-]{0,64}$", description="a word of lower-case letters, digits, dots and hyphens"),
]
"""A word that may be missing, where there is nobody whom it would concern."""

Post = Annotated[
    str, Meta(min_length=1, max_length=100, description="the name of a post such as jp-mod.duty")
]


class Admission(Element, frozen=True):
    """What must be known of a partner that was not there when the node began: its node, which this one has a link to,
    its speaking unit there, and the code of its nation in structures.
    """

    node: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}$", description="a node's name such as aus")]
    unit: Id
    nation: Annotated[str, Meta(pattern=r"^[A-Z]{2}$", description="a nation's code such as AU")]


class Terms(Element, frozen=True):
    """One partner's terms. highest: the highest rank that it may have; categories: those that it is cleared for.

    admitted: of one that was not there when the node began.
    """

    terms: TermsName
    highest: NoWord = ""
    categories: tuple[Word, ...] = ()
    admitted: Admission | None = None


class Rule(Element, frozen=True):
    """One rule. It matches a message to one of `to` that has one of the kinds (any if none is named), one of the
    contents (likewise) and comes from one of the units (likewise). A reduced edition counts as the kind that it reduces.
    """

    id: Id
    to: Annotated[tuple[Partner, ...], Meta(min_length=1)]
    effect: Effect
    kinds: tuple[Word, ...] = ()
    contents: tuple[Content, ...] = ()
    units: tuple[Id, ...] = ()

    def matches(self, partner: str, unit: str, subject: str, content: str | None) -> bool:
        """Whether it decides about this. subject: the kind, or the one that it reduces."""
        return (
            partner in self.to
            and (not self.kinds or subject in self.kinds)
            and (not self.contents or content in self.contents)
            and (not self.units or unit in self.units)
        )


class Budget(Element, frozen=True):
    """At most `per_hour` messages of these contents go to each partner of `to` in any hour; more wait for a person."""

    id: Id
    to: Annotated[tuple[Partner, ...], Meta(min_length=1)]
    contents: Annotated[tuple[Content, ...], Meta(min_length=1)]
    per_hour: Annotated[int, Meta(ge=1, le=MAX_PER_HOUR)]


class MarkingTable(Element, frozen=True):
    """How the words of another marking policy are read: as which of ours. What is not in it is unknown."""

    policy: Word
    version: Annotated[int, Meta(ge=1)]
    ranks: dict[Word, Word]
    categories: dict[Word, Word] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says of one kind of thing to one partner. rule: which rule decided, empty where the structure is
    left to decide; reason: of a denial.
    """

    effect: Effect
    rule: str
    reason: str = ""


class Policy(Element, frozen=True):
    """One partner's release policy in one realm.

    ranks: those that may be released at all, in rising order; categories: those that are known; releasing_posts: who may
    release a single message that waits for a person; grid: of reduced editions.
    """

    schema: Literal["noroshi.release-policy/1"]
    partner: Partner
    realm: str
    version: Annotated[int, Meta(ge=1, lt=2**53)]
    ranks: Annotated[tuple[Word, ...], Meta(min_length=1)]
    partners: Annotated[dict[str, Terms], Meta(max_length=MAX_PARTNERS)]
    categories: tuple[Word, ...] = ()
    rules: Annotated[tuple[Rule, ...], Meta(max_length=MAX_RULES)] = ()
    budgets: Annotated[tuple[Budget, ...], Meta(max_length=MAX_RULES)] = ()
    markings: tuple[MarkingTable, ...] = ()
    releasing_posts: tuple[Post, ...] = ()
    grid: Grid = Grid()

    def verdict(
        self,
        partner: str,
        unit: str,
        subject: str,
        content: str | None,
        label: Label,
        *,
        released: bool = False,
    ) -> Verdict:
        """What a partner may have of a message with this label, and by which rule.

        subject: its kind, or the one that it reduces; content: None for a kind that is unknown here; released: a post
        has released it to this partner. The label's audience and the structure are asked elsewhere.
        """
        terms = self.partners.get(partner)
        if terms is None:
            return Verdict("deny", "policy", "unknown-partner")
        by_terms = f"terms:{partner}"
        if terms.terms == "removed":
            return Verdict("deny", by_terms, "removed")
        reason = self.clearance_defect(partner, label)
        if reason:
            return Verdict("deny", f"clearance:{partner}", reason)
        if subject == RECALL:
            return Verdict("full", RECALL)
        rule = next((one for one in self.rules if one.matches(partner, unit, subject, content)), None)
        if rule is not None and rule.effect == "deny":
            return Verdict("deny", rule.id, "denied")
        if terms.terms == "case-by-case" and not released:
            return Verdict("deny", by_terms, "waits-for-a-post")
        if rule is not None:
            return Verdict(rule.effect, rule.id)
        if terms.terms == "observer":
            return Verdict("deny", by_terms, "no-rule-names-it")
        return Verdict("full", "" if terms.terms == "member" else by_terms)

    def on_terms(self, partner: str, terms: TermsName) -> bool:
        """Whether a partner is on these terms."""
        known = self.partners.get(partner)
        return known is not None and known.terms == terms

    def clearance_defect(self, partner: str, label: Label) -> str:
        """Why a partner is not cleared for a label, whoever it is released to; an empty text when it is.

        Every marking must allow it: the label's own, and all others, read by the tables.
        """
        terms = self.partners.get(partner)
        if terms is None:
            return "unknown-partner"
        reason = self._marking_defect(terms, label.classification, label.caveats)
        for other in label.others:
            if reason:
                break
            table = next((one for one in self.markings if one.policy == other.policy), None)
            if table is None:
                return "unknown-marking-policy"
            words = tuple(table.categories.get(word, "") for word in other.categories)
            reason = self._marking_defect(terms, table.ranks.get(other.rank, ""), words)
        return reason

    def budgets_for(self, partner: str, content: str | None) -> tuple[Budget, ...]:
        """The budgets that a message of this content to this partner counts against."""
        return tuple(one for one in self.budgets if partner in one.to and content in one.contents)

    def _marking_defect(self, terms: Terms, rank: str, categories: Iterable[str]) -> str:
        if rank not in self.ranks or terms.highest not in self.ranks:
            return "unknown-rank"
        if self.ranks.index(rank) > self.ranks.index(terms.highest):
            return "rank-too-high"
        wanted = set(categories)
        if not wanted.issubset(self.categories):
            return "unknown-category"
        return "" if wanted.issubset(terms.categories) else "not-cleared-for-category"


class SignedPolicy(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What travels: the policy's canonical bytes, and its partner's root's signature of them."""

    payload: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a policy is unusable: where in it, what is wrong, and what would be right."""

    path: Path
    cause: str
    hint: str = ""


_SIGNED = msgspec.msgpack.Decoder(SignedPolicy)
_POLICY = msgspec.msgpack.Decoder(Policy)


def default_policy(own: str, partners: Iterable[str], realm: str = "real") -> Policy:
    """What holds where a partner has given no policy: the structure decides, and everybody is a member who may have what
    nodes say by themselves. Higher ranks and all categories stay at home.
    """
    return Policy(
        schema="noroshi.release-policy/1",
        partner=own,
        realm=realm,
        version=1,
        ranks=CLASSIFICATIONS[: CLASSIFICATIONS.index(USUAL_CLASSIFICATION) + 1],
        partners={
            one: Terms(terms="member", highest=USUAL_CLASSIFICATION)
            for one in sorted(set(partners))
            if one != own
        },
    )


def sign(policy: Policy, scheme: Scheme, root_secret: bytes) -> bytes:
    """The bytes of a policy as they are handed to nodes, signed by its partner's root."""
    payload = canonical.encode(policy)
    return canonical.encode(SignedPolicy(payload, scheme.sign(root_secret, POLICY_DOMAIN + payload)))


def opened(raw: bytes, scheme: Scheme, root: bytes, *, partner: str, realm: str) -> Policy | str:
    """The policy in signed bytes, or why it is refused: form, signature, whose it is, and whether it can be used."""
    policy = open_rooted(raw, _SIGNED, _POLICY, POLICY_DOMAIN, scheme, root)
    if isinstance(policy, str):
        return policy
    if (policy.partner, policy.realm) != (partner, realm):
        return "foreign-policy"
    return "unusable-policy" if next(faults(policy), None) is not None else policy


def succession_defect(current: Policy, following: Policy) -> str:
    """Why a policy cannot follow the one in force, or an empty text: it is another's, or not newer."""
    if (current.partner, current.realm) != (following.partner, following.realm):
        return "foreign-policy"
    return "" if following.version > current.version else "stale-policy"


def partners_changed(current: Policy, following: Policy) -> frozenset[str]:
    """The partners for whom a decision may differ under the two: whose rows that have not gone are decided again."""
    everybody = frozenset(current.partners) | frozenset(following.partners)
    shared = [(one.ranks, one.categories, one.markings, one.releasing_posts) for one in (current, following)]
    if shared[0] != shared[1]:
        return everybody
    return frozenset(one for one in everybody if _concerning(current, one) != _concerning(following, one))


def _concerning(policy: Policy, partner: str) -> tuple[object, ...]:
    rules = [msgspec.structs.replace(one, to=(partner,)) for one in policy.rules if partner in one.to]
    return policy.partners.get(partner), rules, [one for one in policy.budgets if partner in one.to]


def faults(policy: Policy) -> Iterator[Fault]:
    """All that makes a policy unusable beyond what types can say. A policy with a fault is never put in force."""
    if not is_realm(policy.realm):
        yield Fault(("realm",), f"{policy.realm!r} is no realm", "give real, or exercise: and a name")
    yield from _word_faults(policy)
    for name, terms in policy.partners.items():
        yield from _terms_faults(policy, name, terms)
    yield from _doubles("rules", [one.id for one in policy.rules], "id")
    yield from _doubles("budgets", [one.id for one in policy.budgets], "id")
    for place, rule in enumerate(policy.rules):
        yield from _rule_faults(policy, ("rules", place), rule)
    for place, budget in enumerate(policy.budgets):
        yield from _id_faults(policy, ("budgets", place), budget.id)
        yield from _known(("budgets", place, "to"), budget.to, policy.partners, "partner")
        yield from _twice(("budgets", place, "contents"), budget.contents)
    yield from _doubles("markings", [one.policy for one in policy.markings], "policy")
    for place, table in enumerate(policy.markings):
        yield from _table_faults(policy, ("markings", place), table)
    yield from _twice(("releasing_posts",), policy.releasing_posts)


def _word_faults(policy: Policy) -> Iterator[Fault]:
    yield from _twice(("ranks",), policy.ranks)
    yield from _twice(("categories",), policy.categories)
    yield from _known(("ranks",), policy.ranks, CLASSIFICATIONS, "rank")
    known = [CLASSIFICATIONS.index(one) for one in policy.ranks if one in CLASSIFICATIONS]
    if known != sorted(known):
        order = ", ".join(CLASSIFICATIONS)
        yield Fault(("ranks",), "the ranks are not in rising order", f"the order is {order}")


def _terms_faults(policy: Policy, name: str, terms: Terms) -> Iterator[Fault]:
    path: Path = ("partners", name)
    if not is_partner(name):
        yield Fault(path, f"{name!r} is no partner", "give three capital letters such as JPN")
    if name == policy.partner:
        yield Fault(path, f"the policy is {name}'s own", "leave it out: a partner needs no terms with itself")
    if terms.terms != "removed" or terms.highest:
        yield from _known((*path, "highest"), (terms.highest,), policy.ranks, "rank", alone=True)
    yield from _known((*path, "categories"), terms.categories, policy.categories, "category")
    yield from _twice((*path, "categories"), terms.categories)


def _rule_faults(policy: Policy, path: Path, rule: Rule) -> Iterator[Fault]:
    yield from _id_faults(policy, path, rule.id)
    yield from _known((*path, "to"), rule.to, policy.partners, "partner")
    full = [name for name, kind in KINDS.items() if not kind.reduces and name != RECALL]
    yield from _known((*path, "kinds"), rule.kinds, full, "kind")
    for name in ("to", "kinds", "contents", "units"):
        yield from _twice((*path, name), getattr(rule, name))
    if not rule.kinds and not rule.contents:
        yield Fault(
            path, "it names neither kinds nor contents", "name what it is about: a rule for all is none"
        )
    able = {"reduced": REDUCIBLE, "declare": DECLARABLE}.get(rule.effect)
    wrong = [name for name in subjects(rule) if able is not None and name not in able]
    if able is not None and wrong:
        cause = f"{rule.effect} cannot be the effect for {', '.join(wrong)}"
        yield Fault((*path, "effect"), cause, f"it is one for {', '.join(sorted(able))}")


def subjects(rule: Rule) -> tuple[str, ...]:
    """The kinds that a rule can match, reduced editions left out."""
    return tuple(
        name
        for name, kind in KINDS.items()
        if not kind.reduces
        and (not rule.kinds or name in rule.kinds)
        and (not rule.contents or kind.content in rule.contents)
    )


def _table_faults(policy: Policy, path: Path, table: MarkingTable) -> Iterator[Fault]:
    for rank, ours in table.ranks.items():
        if ours not in policy.ranks:
            yield Fault((*path, "ranks", rank), f"unknown rank {ours}", suggest(ours, policy.ranks))
    for category, ours in table.categories.items():
        if ours not in policy.categories:
            yield Fault(
                (*path, "categories", category), f"unknown category {ours}", suggest(ours, policy.categories)
            )
    for ours in sorted(set(table.ranks.values())):
        equal = sorted(rank for rank, one in table.ranks.items() if one == ours)
        if len(equal) > 1:
            cause = f"{' and '.join(equal)} would have equal rank ({ours})"
            yield Fault(
                (*path, "ranks", equal[1]), cause, "leave the higher one out: what is not named is denied"
            )


def _id_faults(policy: Policy, path: Path, name: str) -> Iterator[Fault]:
    if name in BUILT_IN:
        yield Fault(
            (*path, "id"), f"{name} is the name of a rule that is always there", "choose another name"
        )
    if path[0] == "budgets" and any(one.id == name for one in policy.rules):
        yield Fault((*path, "id"), f"{name} is the name of a rule too", "choose another name")


def _known(
    path: Path, given: Iterable[str], known: Iterable[str], what: str, *, alone: bool = False
) -> Iterator[Fault]:
    """path: of the list that holds them, or of the one field if `alone`."""
    names = dict.fromkeys(known)
    for place, one in enumerate(given):
        if one not in names:
            cause = f"unknown {what} {one}" if one else f"the {what} is missing"
            yield Fault(path if alone else (*path, place), cause, suggest(one, names))


def _twice(path: Path, given: tuple[str, ...]) -> Iterator[Fault]:
    for place, one in _repeats(given):
        yield Fault((*path, place), f"{one} is given twice", "give it once")


def _doubles(section: str, given: list[str], name: str) -> Iterator[Fault]:
    for place, one in _repeats(given):
        yield Fault((section, place, name), f"{one} is given twice", "rename one or leave it out")


def _repeats(given: Iterable[str]) -> Iterator[tuple[int, str]]:
    """What stands there that stood before it, with its place."""
    seen: set[str] = set()
    for place, one in enumerate(given):
        if one in seen:
            yield place, one
        seen.add(one)

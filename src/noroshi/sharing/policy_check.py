"""What is legal in a release policy but cannot be meant. What makes it unusable is `policy.faults`' business.

for finding in findings(policy): ...
for finding in structure_findings(policy, structure): ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType

from noroshi.documents import Path
from noroshi.messages import KINDS, Label
from noroshi.messages.labels import CLASSIFICATIONS, USUAL_CLASSIFICATION
from noroshi.sharing.policy import DECLARABLE, Policy, Rule, Verdict, subjects
from noroshi.structure import Structure
from noroshi.structure.crossing import Way, ways

CODES: Mapping[str, str] = MappingProxyType(
    {
        "contradiction": "two rules match the same messages to a partner, with different effects",
        "unreachable-rule": "a rule that never decides: earlier ones, or the partners' terms, take all that it matches",
        "observer-gets-nothing": "an observer whom no rule gives anything",
        "never-cleared": "a partner whose highest rank is below what nodes say by themselves: it gets none of that",
        "nobody-releases": "messages may wait for a post, and no post may release any",
        "warnings-may-wait": "a budget on warnings or alerts: one that is over it waits for a person",
        "partner-not-in-structure": "a partner on member's terms whose nation the structure does not have",
        "unit-not-in-structure": "a rule names a unit that the structure does not have",
        "edge-defeated": "a sharing edge would bring something to a partner, and the policy withholds it",
        "edge-narrowed": "the same, and the partner gets a reduced or declared edition instead",
    }
)
"""All findings and what they mean; the manual's table is made from it."""

PARTNER_NATIONS: Mapping[str, str] = MappingProxyType({"CHN": "CN", "JPN": "JP", "KOR": "KR", "USA": "US"})
"""The partners whose nations structures can name."""

_SAID = Label(USUAL_CLASSIFICATION, ())


@dataclass(frozen=True, slots=True)
class Finding:
    """code: one of `CODES`; subject: a rule, budget, partner or edge; says: one sentence; path: where in the policy."""

    code: str
    subject: str
    says: str
    path: Path = ()


def findings(policy: Policy) -> tuple[Finding, ...]:
    """What is wrong in the policy itself, in the order of `CODES`, then of the file."""
    return _in_order([*_contradictions(policy), *_unreachable(policy), *_terms(policy), *_waiting(policy)])


def structure_findings(policy: Policy, structure: Structure) -> tuple[Finding, ...]:
    """What the policy and a structure say against each other, edge by edge."""
    return _in_order([*_strangers(policy, structure), *_edges(policy, structure)])


def _in_order(found: list[Finding]) -> tuple[Finding, ...]:
    order = list(CODES)
    return tuple(sorted(found, key=lambda one: order.index(one.code)))


def _contradictions(policy: Policy) -> Iterator[Finding]:
    for (_, first), (place, second) in combinations(enumerate(policy.rules), 2):
        common = sorted(set(first.to) & set(second.to))
        if common and first.effect != second.effect and _scope(first) == _scope(second):
            says = (
                f"{second.id} gives {', '.join(common)} {second.effect} where {first.id}, before it,"
                f" gives {first.effect}"
            )
            yield Finding("contradiction", second.id, says, ("rules", place, "effect"))


def _scope(rule: Rule) -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(subjects(rule)), frozenset(rule.units)


def _unreachable(policy: Policy) -> Iterator[Finding]:
    for place, rule in enumerate(policy.rules):
        names = subjects(rule)
        if not names:
            yield _never(rule, place, "no kind of message has what it names")
            continue
        live = [name for name in rule.to if not policy.on_terms(name, "removed")]
        if not live:
            yield _never(rule, place, f"{', '.join(rule.to)} is removed")
            continue
        before = policy.rules[:place]
        takers = [_takers(before, rule, partner, name) for partner in live for name in names]
        if all(takers):
            ids = sorted({one for some in takers for one in some})
            yield _never(rule, place, f"{' and '.join(ids)} before it take all that it matches")


def _never(rule: Rule, place: int, why: str) -> Finding:
    return Finding("unreachable-rule", rule.id, f"{rule.id} never decides: {why}", ("rules", place))


def _takers(before: tuple[Rule, ...], rule: Rule, partner: str, name: str) -> tuple[str, ...]:
    """The earlier rules that together take all of what a rule says of one kind to one partner; none if some is left."""
    taking = [one for one in before if partner in one.to and name in subjects(one)]
    for one in taking:
        if not one.units:
            return (one.id,)
    if not rule.units:
        return ()
    covered = {unit: one.id for one in reversed(taking) for unit in one.units}
    return tuple(covered[unit] for unit in rule.units) if covered.keys() >= set(rule.units) else ()


def _terms(policy: Policy) -> Iterator[Finding]:
    usual = CLASSIFICATIONS.index(USUAL_CLASSIFICATION)
    for name, terms in policy.partners.items():
        path: Path = ("partners", name)
        if terms.terms == "removed":
            continue
        given = [one for one in policy.rules if name in one.to and one.effect != "deny"]
        if terms.terms == "observer" and not given:
            yield Finding("observer-gets-nothing", name, f"no rule gives the observer {name} anything", path)
        if terms.highest in CLASSIFICATIONS and CLASSIFICATIONS.index(terms.highest) < usual:
            says = f"{name} may have {terms.highest} at most, and nodes say all that is theirs as {USUAL_CLASSIFICATION}"
            yield Finding("never-cleared", name, says, (*path, "highest"))


def _waiting(policy: Policy) -> Iterator[Finding]:
    waiting = [name for name in policy.partners if policy.on_terms(name, "case-by-case")]
    waiting += [one.id for one in policy.budgets]
    if waiting and not policy.releasing_posts:
        says = f"what waits because of {', '.join(waiting)} can be released by nobody"
        yield Finding("nobody-releases", policy.partner, says, ("releasing_posts",))
    urgent = {KINDS[name].content: name for name in sorted(DECLARABLE)}
    for place, budget in enumerate(policy.budgets):
        kinds = [urgent[one] for one in budget.contents if one in urgent]
        if kinds:
            says = f"{budget.id} lets every {' and '.join(kinds)} over {budget.per_hour} in an hour wait for a person"
            yield Finding("warnings-may-wait", budget.id, says, ("budgets", place, "contents"))


def _strangers(policy: Policy, structure: Structure) -> Iterator[Finding]:
    for name in policy.partners:
        nation = PARTNER_NATIONS.get(name)
        if policy.on_terms(name, "member") and nation not in structure.nations:
            says = f"{structure.id} has nothing of {name}: as a member it gets nothing"
            yield Finding("partner-not-in-structure", name, says, ("partners", name))
    for place, rule in enumerate(policy.rules):
        for number, unit in enumerate(rule.units):
            if not structure.has(unit):
                says = f"{rule.id} names {unit}, which {structure.id} does not have"
                yield Finding("unit-not-in-structure", rule.id, says, ("rules", place, "units", number))


def _edges(policy: Policy, structure: Structure) -> Iterator[Finding]:
    """One finding for each edge, partner and rule: what of whose it would have brought."""
    lost: dict[tuple[str, str, str, str], dict[str, list[str]]] = {}
    for unit, content, way, partner in _deliveries(policy, structure):
        subject = next(kind.name for kind in KINDS.values() if kind.content == content and not kind.reduces)
        verdict = policy.verdict(partner, unit, subject, content, _SAID)
        if verdict.effect != "full":
            key = (way.edges[-1], partner, verdict.rule, _outcome(verdict))
            units = lost.setdefault(key, {}).setdefault(content, [])
            if unit not in units:
                units.append(unit)
    for (edge, partner, rule, outcome), contents in sorted(lost.items()):
        what = "; ".join(f"{content} of {', '.join(units)}" for content, units in contents.items())
        code = "edge-defeated" if outcome.startswith("withholds") else "edge-narrowed"
        says = f"{edge} would bring {partner} {what}; {rule} {outcome}"
        yield Finding(code, edge, says, _place(policy, rule))


def _outcome(verdict: Verdict) -> str:
    if verdict.effect == "deny":
        return "withholds it" if verdict.reason == "denied" else f"withholds it ({verdict.reason})"
    return f"leaves a {verdict.effect.replace('declare', 'declared')} edition of it"


def _deliveries(policy: Policy, structure: Structure) -> Iterator[tuple[str, str, Way, str]]:
    """Every way by which what is ours, or what we pass on, gets to a partner's unit: unit, content, way, partner."""
    own = PARTNER_NATIONS.get(policy.partner, "")
    partners = {nation: name for name, nation in PARTNER_NATIONS.items() if name != policy.partner}
    ours = {unit.id for unit in structure.units if own in unit.nations}
    for unit in structure.units:
        if unit.shared or unit.kind == "external":
            continue
        for content in sorted({kind.content for kind in KINDS.values() if kind.content}):
            for end, some in ways(structure, unit.id, content).items():
                partner = partners.get(structure.unit(end).nation)
                if partner is None or structure.unit(end).nation == unit.nation:
                    continue
                yield from (
                    (unit.id, content, way, partner) for way in some if ours.intersection(way.units[:-1])
                )


def _place(policy: Policy, rule: str) -> Path:
    """Where a rule that decided stands in the policy."""
    for place, one in enumerate(policy.rules):
        if one.id == rule:
            return ("rules", place)
    what, _, partner = rule.partition(":")
    if what == "clearance":
        return ("partners", partner, "highest")
    return ("partners", partner) if what == "terms" else ("partners",)

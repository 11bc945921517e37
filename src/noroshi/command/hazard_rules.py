"""On which of another agency's messages our nation drafts public alerts: declared by its root, and denied by default.

A rule names the agency, how its word must have come, what it is about, and how grave, near and sure it must be. What no
rule names is shown to the staff, and nothing more.

    rule = rule_for(rules, facts, Way("feed:waves", "signed"))
    rule.covers(info)                        # whether one text of the message is grave enough, and of this event
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Literal, get_args

from msgspec import Meta, UnsetType

from noroshi.documents import Element
from noroshi.gateways.hazard_facts import HazardFacts, HazardInfo
from noroshi.messages.bodies import CitedRow

HazardKind = Literal["tsunami", "earthquake", "weather", "general"]
"""Of which there are public words: what no other kind fits is `general`."""

MAX_RULES = 64
MAX_LISTED = 200
"""Names in one list of a rule: a person must still be able to read it."""

LONGEST_AUTOMATIC_S = 3600.0
"""With an hour left there is time for two persons, whoever they are."""

Severity = Literal["Minor", "Moderate", "Severe", "Extreme"]
Urgency = Literal["Future", "Expected", "Immediate"]
Certainty = Literal["Possible", "Likely", "Observed"]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
URGENCIES: tuple[Urgency, ...] = get_args(Urgency)
CERTAINTIES: tuple[Certainty, ...] = get_args(Certainty)
"""Words of the standard, rising. What is not among them (`Unknown`, `Past`, `Unlikely`) meets nothing."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Names = Annotated[tuple[Name, ...], Meta(max_length=MAX_LISTED)]


class AgencyName(Element, frozen=True, kw_only=True):
    """What the public is told that the agency is called: its own name for itself is not ours to repeat unread."""

    en: Name
    ja: Name
    ko: Name


class HazardAutomatic(Element, frozen=True, kw_only=True):
    """When a node issues by itself on an agency's word: with less than `below_s` left before its onset."""

    below_s: Annotated[float, Meta(gt=0.0, le=LONGEST_AUTOMATIC_S)]


class HazardRule(Element, frozen=True, kw_only=True):
    """One agency's messages of one kind, on which an alert is drafted.

    senders: what the agency is called in its files; name: what the public reads. Its signature must have been checked
    by an own entrance; or entrances: own ones whose word counts without (`feed:waves`, `hand:*`); or partners: whose
    check of it counts. events: patterns over the words of its event; categories: of the standard; where both are there
    both must fit. severity, urgency, certainty: the least. areas: patterns over our areas, as in the rules of warning;
    units: who drafts, any that may alert if empty. restricted: the agency has agreed that what it says to a few is told
    to the public.
    """

    senders: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=MAX_LISTED)]
    name: AgencyName
    hazard: HazardKind
    entrances: Names = ()
    partners: Names = ()
    events: Names = ()
    categories: Names = ()
    severity: Severity = "Severe"
    urgency: Urgency = "Expected"
    certainty: Certainty = "Likely"
    areas: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=MAX_LISTED)] = ("*",)
    units: Names = ()
    restricted: bool = False
    automatic: HazardAutomatic | None = None

    def __post_init__(self) -> None:
        if not self.events and not self.categories:
            raise ValueError("name events or categories: no rule covers all that an agency says")

    def trusts(self, way: Way) -> bool:
        """Whether what has come this way may become an alert."""
        if way.partner:
            return way.signature == "signed" and way.partner in self.partners
        return way.signature == "signed" or any(fnmatchcase(way.entrance, one) for one in self.entrances)

    def covers(self, info: HazardInfo) -> bool:
        """Whether one text is of this kind, and grave, near and sure enough. An all-clear never is."""
        named = not self.events or any(fnmatchcase(_plain(info.event), _plain(one)) for one in self.events)
        filed = not self.categories or not set(self.categories).isdisjoint(info.categories)
        return (
            named
            and filed
            and "AllClear" not in info.responses
            and _reaches(SEVERITIES, info.severity, self.severity)
            and _reaches(URGENCIES, info.urgency, self.urgency)
            and _reaches(CERTAINTIES, info.certainty, self.certainty)
        )

    def allows(self, cited: CitedRow) -> bool:
        """Whether an alert may rest on what it cites. How the message came, and its event, only its own node knows."""
        return (
            cited.sender in self.senders
            and cited.hazard == self.hazard
            and (cited.agency, cited.agency_ja, cited.agency_ko) == (self.name.en, self.name.ja, self.name.ko)
            and _reaches(SEVERITIES, cited.severity, self.severity)
            and _reaches(URGENCIES, cited.urgency, self.urgency)
            and _reaches(CERTAINTIES, cited.certainty, self.certainty)
        )


HazardRules = tuple[HazardRule, ...] | UnsetType
"""As a warrant holds them; unset in those that came before there were any."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a message came: by an own entrance, or from a partner; and what is known of its signature there."""

    entrance: str
    signature: str
    partner: str = ""


def listed(rules: HazardRules) -> tuple[HazardRule, ...]:
    """The rules; none where none were ever declared."""
    return () if isinstance(rules, UnsetType) else rules


def rule_for(rules: HazardRules, facts: HazardFacts, way: Way) -> HazardRule | None:
    """The first rule that covers a message which has come this way."""
    fitting = (one for one in listed(rules) if facts.sender in one.senders and one.trusts(way))
    return next((one for one in fitting if any(map(one.covers, facts.infos))), None)


def is_trusted(rules: HazardRules, sender: str, way: Way) -> bool:
    """Whether an agency's word that has come this way may be told to the public at all."""
    return any(sender in one.senders and one.trusts(way) for one in listed(rules))


def is_trusted_wholly(rules: HazardRules, sender: str, way: Way) -> bool:
    """Whether all our rules for an agency let its word come this way, so that it counts whatever it is about."""
    found = [one.trusts(way) for one in listed(rules) if sender in one.senders]
    return bool(found) and all(found)


def may_change(rules: HazardRules, cited: CitedRow, sender: str, way: Way) -> bool:
    """Whether an agency's word that has come this way may change an alert that rests on what it has said before.

    Who is trusted with one kind of an agency's messages does not end an alert of another kind. Where the rule of that
    alert has been changed since, all rules for the agency are asked.
    """
    found = [one for one in listed(rules) if one.allows(cited)]
    if not found:
        return is_trusted_wholly(rules, sender, way)
    return any(sender in one.senders and one.trusts(way) for one in found)


def rule_of(rules: HazardRules, cited: CitedRow) -> HazardRule | None:
    """The first rule by which an alert may rest on what it cites."""
    return next((one for one in listed(rules) if one.allows(cited)), None)


def is_named(rules: HazardRules, cited: CitedRow) -> bool:
    """Whether our root still lets alerts of this kind rest on this agency's word."""
    return any(cited.sender in one.senders and cited.hazard == one.hazard for one in listed(rules))


def is_released(rules: HazardRules, cited: CitedRow) -> bool:
    """Whether our root has declared that what the agency says to a few may be told to the public."""
    return any(one.restricted and one.allows(cited) for one in listed(rules))


def automatic_s(rules: HazardRules, cited: CitedRow) -> float:
    """With how little time left an alert on this word may go out by itself, s; 0 for never."""
    found = (one.automatic for one in listed(rules) if one.allows(cited))
    return max((one.below_s for one in found if one is not None), default=0.0)


def _reaches(rising: Sequence[str], word: str, least: str) -> bool:
    return word in rising and rising.index(word) >= rising.index(least)


def _plain(text: str) -> str:
    """As it is compared: case, width and form make no other event."""
    return unicodedata.normalize("NFKC", text).casefold().strip()

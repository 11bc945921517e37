"""Drafts of public alerts: what they say and to whom, which posts are asked, and the corrections that lie ready.

A draft is made from the approved public words and from nothing else. `alerting` says when one is made, and counts what
posts have signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import msgspec

from noroshi.clock import seconds
from noroshi.command import confirming
from noroshi.command.alerts import CANCEL, ISSUE, AlertDesk, Draft
from noroshi.command.hazard_matters import HazardMatter
from noroshi.command.posts import Action, Task
from noroshi.command.scope import Scope, scope_of
from noroshi.gateways.realm import RealmError
from noroshi.messages.bodies import AlertBody, AreaRow, CitedRow, Ring, TextRow
from noroshi.node import rows, tasks, warranting
from noroshi.node.alarms import alarm, clear
from noroshi.node.state import State
from noroshi.node.work import MS_PER_NS, Work
from noroshi.structure.authority import alert_recipients
from noroshi.warning.hazard_words import HazardCase
from noroshi.warning.templates import TemplateSet
from noroshi.warning.texts import alert_texts, hazard_texts

STEPS: Mapping[str, Action] = MappingProxyType(
    {
        "originate": "originate-alert",
        "approve": "approve-alert",
        "retract": "retract-alert",
        "stop": "stop-alert",
    }
)
"""What posts are asked about a draft, and what such a task is called."""

READY_REASONS: tuple[Literal["false", "superseded"], ...] = ("false", "superseded")
"""Why a person may end an alert at any time; that it is over because it was seen to pass, only an observation says."""


def scope_for(state: State, unit: str) -> Scope:
    """How wide an alert of an own unit may be."""
    countries = state.countries
    known = frozenset(region.name for region in state.watch.regions)
    return scope_of(state.structure, unit, countries, known, warranting.rules(state).scopes)


def desk_of(work: Work, unit: str) -> AlertDesk | None:
    """The desk of one alerting unit; None where it has no posts here that could sign."""
    return next((desk for desk in desks(work) if desk.unit == unit), None)


def desks(work: Work) -> list[AlertDesk]:
    """The desks of this nation's alerting authorities that have posts here, by the names of their units."""
    state = work.state
    units = [
        unit
        for unit in sorted(set(state.able(ISSUE, "decide")))
        if state.genesis.nodes.get(unit) == state.genesis.node and state.posts_with("approve", unit)
    ]
    return [state.desks.setdefault(unit, AlertDesk(unit)) for unit in units]


def draft_alert(
    work: Work, desk: AlertDesk, event: int, areas: Sequence[AreaRow], rings: Sequence[Ring]
) -> Draft | None:
    """A new draft for these areas; None where no public words are approved, which is an alarm."""
    state, standing = work.state, desk.standing(event)
    type_: Literal["Alert", "Update"] = "Update" if standing else "Alert"
    matter = state.hazard_matters.get(event)
    cited = matter.cited if matter is not None else msgspec.UNSET
    words = worded(work, desk, type_, areas, "", cited)
    if words is None:
        return None
    template, texts = words
    expires_ns = work.now_ns + seconds(state.genesis.rules.alert_expires_s)
    if matter is not None:
        expires_ns = matter.until_ns
    body = AlertBody(
        identifier=_identifier(state, "alert", len(standing)),
        type=type_,
        unit=desk.unit,
        sent_ns=0,
        expires_ns=expires_ns,
        template=template,
        texts=texts,
        areas=list(areas),
        rings=list(rings),
        references=[one.identifier for one in standing],
        recipients=_recipients(work, desk.unit),
        digest=b"",
        approvals=[],
        warrant=state.warrant or msgspec.UNSET,
        web=_published(state, "web"),
        contact=_published(state, "contact"),
        hazard=cited,
    )
    wanted_ns = work.now_ns + seconds(state.genesis.rules.approve_within_s)
    draft = put(work, desk, event, body, min(wanted_ns, expires_ns - 1))
    ask(work, draft, "originate")
    return draft


def draft_end(
    work: Work, desk: AlertDesk, event: int, reason: Literal["", "false", "superseded", "passed"]
) -> None:
    """The warning behind a standing alert has ended: the end is put before the posts."""
    body = _end(work, desk, event, reason, "alert")
    if body is not None:
        expires_ns = desk.standing(event)[-1].expires_ns
        draft = put(work, desk, event, body, min(expires_ns, body.expires_ns - 1))
        ask(work, draft, "retract")


def put(work: Work, desk: AlertDesk, event: int, body: AlertBody, deadline_ns: int) -> Draft:
    draft, replaced = desk.draft(event, body, deadline_ns)
    for old in replaced:
        drop(work, old)
    work.timer(f"draft:{draft.digest.hex()}", deadline_ns)
    return draft


def _end(
    work: Work,
    desk: AlertDesk,
    event: int,
    reason: Literal["", "false", "superseded", "passed"],
    counter: str,
) -> AlertBody | None:
    """What ends all that stands for an event: to everybody who was told any of it, for all areas that it named."""
    state, standing = work.state, desk.standing(event)
    areas = _alerted(standing)
    words = worded(work, desk, "Cancel", areas, reason, standing[-1].hazard)
    if words is None:
        return None
    template, texts = words
    return AlertBody(
        identifier=_identifier(state, counter, len(standing)),
        type="Cancel",
        unit=desk.unit,
        sent_ns=0,
        expires_ns=work.now_ns + seconds(state.genesis.rules.alert_expires_s),
        template=template,
        texts=texts,
        areas=areas,
        rings=[ring for one in standing for ring in one.rings],
        references=[one.identifier for one in standing],
        recipients=_told(standing),
        digest=b"",
        approvals=[],
        reason=reason,
        warrant=state.warrant or msgspec.UNSET,
        web=_published(state, "web"),
        contact=_published(state, "contact"),
        hazard=standing[-1].hazard,
    )


def worded(
    work: Work,
    desk: AlertDesk,
    type_: Literal["Alert", "Update", "Cancel"],
    areas: Sequence[AreaRow],
    reason: Literal["", "false", "superseded", "passed"],
    cited: CitedRow | msgspec.UnsetType,
    *,
    automatic: bool = False,
) -> tuple[str, list[TextRow]] | None:
    """The template's name and the approved words of an alert; None where there are none, which is an alarm.

    cited: the agency's message on whose word it is said, unset for what we have seen ourselves.
    """
    state, now_ns = work.state, work.now_ns
    words = public_words(work, desk, on_hazard=cited is not msgspec.UNSET)
    if words is None:
        return None
    if cited is msgspec.UNSET:
        return alert_texts(
            state.genesis.realm, type_, areas, reason, nation=state.nation, now_ns=now_ns, templates=words,
            automatic=automatic,
        )  # fmt: skip
    case: HazardCase = reason or "superseded"
    if type_ != "Cancel":
        case = "issued" if type_ == "Alert" else "updated"
    name = f"agency-unfit:{desk.unit}"
    try:
        found = hazard_texts(
            state.genesis.realm, cited, case, areas, nation=state.nation, now_ns=now_ns, templates=words,
            automatic=automatic,
        )  # fmt: skip
    except RealmError as error:
        says = f"{desk.unit} cannot alert on the word of {cited.agency}: {error.cause}"
        alarm(work, name, "agencys-name-unfit", says, unit=desk.unit)
        return None
    clear(work, name, f"{cited.agency} can be named to the public")
    return found


def _published(state: State, name: Literal["web", "contact"]) -> str | msgspec.UnsetType:
    """What the partner's alerts say beside their words, where there is anything."""
    found = state.genesis.publishing
    return msgspec.UNSET if found is msgspec.UNSET else getattr(found, name) or msgspec.UNSET


def _identifier(state: State, counter: str, before: int) -> str:
    """What an alert is called. Corrections that nobody may ever want count for themselves."""
    count = state.counters[counter] = state.counters.get(counter, 0) + 1
    alias = state.alias(counter, count, state.own_audience)
    return f"{state.own}-{alias[:6].hex()}-{before + 1}"


def public_words(work: Work, desk: AlertDesk, *, on_hazard: bool = False) -> TemplateSet | None:
    """The approved public words; where there are none it is said, since then nobody can be told anything.

    on_hazard: those for what another agency says.
    """
    words = warranting.hazard_templates(work.state) if on_hazard else warranting.templates(work.state)
    name = f"{'hazard-' if on_hazard else ''}templates-not-approved:{desk.unit}"
    of = " on another agency's word" if on_hazard else ""
    if words is None:
        alarm(
            work, name, "templates-not-approved",
            f"{desk.unit} cannot alert{of}: no public words are approved for this realm", unit=desk.unit,
        )  # fmt: skip
    else:
        clear(work, name, f"Public words are approved for {desk.unit}{of}")
    return words


def _alerted(standing: Sequence[AlertBody]) -> list[AreaRow]:
    """Every area that one of these alerts names, as the last of them has it: the end covers all of it."""
    areas = {(area.kind, area.country, area.region): area for one in standing for area in one.areas}
    return list(areas.values())


def _told(standing: Sequence[AlertBody]) -> list[str]:
    """Everybody who was sent one of these alerts: the end goes to exactly them."""
    return list(dict.fromkeys(unit for one in standing for unit in one.recipients))


def drop(work: Work, draft: Draft) -> None:
    """Gives up a draft that is no longer wanted."""
    was_ready = draft.state == "ready"
    draft.move("supersede")
    close_tasks(work, draft, "expired")
    if was_ready:
        show_correction(work, draft)


def close_tasks(work: Work, draft: Draft, state: str) -> None:
    """Closes whatever the draft had asked so far; what was never asked or is closed stays as it is."""
    for step in STEPS:
        tasks.close(work, _task_id(step, draft), state)


def _task_id(step: str, draft: Draft) -> str:
    return f"{step}:{draft.digest.hex()}"


def ask(work: Work, draft: Draft, step: Literal["originate", "approve", "retract", "stop"]) -> None:
    """Puts the draft before the posts that may take this step; never before one that has signed it already."""
    state = work.state
    duty = "approve" if step == "approve" else "watch"
    signers = {one.post for one in draft.approvals}
    posts = tuple(post for post in state.posts_with(duty, draft.body.unit) if post not in signers)
    names = ", ".join(dict.fromkeys(area.region for area in draft.body.areas))
    words = {
        "originate": "Originate the alert",
        "approve": "Approve the alert",
        "retract": "Take back the alert",
        "stop": "It went out automatically: stop or keep the alert",
    }
    tasks.add(
        work,
        Task(
            id=_task_id(step, draft),
            action=STEPS[step],
            duty=duty,
            unit=draft.body.unit,
            posts=posts,
            title=f"{words[step]} for {names}",
            deadline_ns=draft.deadline_ns,
            audience=state.own_audience,
            event=alias_of(state, draft.event),
            fields=_fields(state, draft, step) | {"shown": _shown(state, draft)},
        ),
    )


def _shown(state: State, draft: Draft) -> dict[str, object]:
    """What a person reads before signing: all of it that the public will read, who is sent it, and on whose word.

    Names are in alphabetical order, since a snapshot keeps mappings so, and a task shows its fields in their order.
    """
    body = draft.body
    lines = {"contact": body.contact, "web": body.web}
    matter = state.hazard_matters.get(draft.event)
    found = {
        **({"hazard": _agencys(matter, body)} if matter is not None else {}),
        "identifier": body.identifier,
        "recipients": list(body.recipients),
        "texts": [dict(sorted(one.items())) for one in rows.texts(body.texts)],
        **{name: said for name, said in lines.items() if said is not msgspec.UNSET},
    }
    return dict(sorted(found.items()))


def _agencys(matter: HazardMatter, body: AlertBody) -> dict[str, object]:
    """What the agency says, as it came, and what of it is ours."""
    return {
        "agency": matter.cited.agency,
        "certainty": matter.cited.certainty,
        "entrance": matter.entrance,
        "event": matter.event,
        "headline": matter.headline,
        "held": matter.held,
        "identifier": matter.cited.identifier,
        "message": matter.message.hex(),
        "ours": list(dict.fromkeys(area.region for area in body.areas)),
        "sender": matter.cited.sender,
        "severity": matter.cited.severity,
        "signature": matter.signature,
        "state": matter.state,
        "urgency": matter.cited.urgency,
    }


def _fields(
    state: State, draft: Draft, step: Literal["originate", "approve", "retract", "stop"]
) -> dict[str, object]:
    """What the answer is made from; `confirm` is what a person has to type of an alert, and of no correction."""
    ends = step in ("retract", "stop")
    fields: dict[str, object] = {
        "kind": "decision",
        "case": draft.digest[:16],
        "decision": CANCEL if ends else ISSUE,
        "step": "ruling" if step == "approve" or ends else "request",
        "subject": draft.digest,
        "deadline_ns": draft.deadline_ns,
    }
    if not ends:
        fields["confirm"] = confirming.wanted(state.genesis.realm, draft.body.areas)
    return fields


def alias_of(state: State, event: int) -> bytes:
    """What a draft's event is called among ourselves; an alert without one has an alias of its own."""
    if event < 0:
        return state.alias("alert-without-event", -event, state.own_audience)
    return state.event_alias(state.events.get(state.own_audience, event))


def number_without_event(state: State) -> int:
    """The number of the next alert that is about no own event; below 0."""
    count = state.counters["alert-without-event"] = state.counters.get("alert-without-event", 0) + 1
    return -count


def prepare(work: Work, desk: AlertDesk, event: int) -> None:
    """Words and signs away the end of what stands: from now on one signature sends it."""
    deadline_ns = desk.standing(event)[-1].expires_ns - 1
    for reason in READY_REASONS:
        body = _end(work, desk, event, reason, "correction")
        if body is None:
            continue
        draft = desk.prepare(event, body, deadline_ns)
        work.timer(f"draft:{draft.digest.hex()}", deadline_ns)
        show_correction(work, draft)


def show_correction(work: Work, draft: Draft) -> None:
    """The correction that is ready, with its words and with what a post signs to send it."""
    state, body = work.state, draft.body
    answer = Task(
        id=_task_id("retract", draft),
        action="retract-alert",
        duty="watch",
        unit=body.unit,
        posts=state.posts_with("watch", body.unit),
        title="",
        deadline_ns=draft.deadline_ns,
        audience=state.own_audience,
        event=alias_of(state, draft.event),
        fields=_fields(state, draft, "retract"),
    )
    work.show(
        "correction",
        "",
        lane=1,
        key=f"correction:{draft.digest.hex()}",
        identifier=body.identifier,
        of=body.references[-1],
        unit=body.unit,
        reason=body.reason,
        state="ready" if draft.state == "ready" else "closed",
        posts=list(answer.posts),
        deadline_ms=draft.deadline_ns // MS_PER_NS,
        recipients=body.recipients,
        texts=rows.texts(body.texts),
        answer=answer.answer_fields(),
    )


def _recipients(work: Work, unit: str) -> list[str]:
    """The units to be told by the structure that a node of ours serves."""
    state = work.state
    return [
        one for one in sorted(alert_recipients(state.structure, unit))
        if state.genesis.nodes.get(one) == state.genesis.node and one != unit
    ]  # fmt: skip

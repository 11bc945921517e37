"""The review as one HTML file that opens offline: what happened, who knew what when, and what was expected.

Every statement cites its records as `node#number message`; one that stands in the timeline is a link to its row. The
file carries the realm in words on every screen, and nothing in it is fetched from anywhere.

    html = render(logs, measures, findings, points, land, attribution)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from noroshi.clock import NS_PER_S, to_iso
from noroshi.messages.trust import REAL
from noroshi.review.measures import AlertMeasure, CaseMeasure, Citing, Measures
from noroshi.review.picture import Point, Ringdeg, draw_map, draw_strip
from noroshi.review.read import Log
from noroshi.review.story import TOPICS, Line, story

STYLE = """
:root{color-scheme:dark;--ink:#e8e8e3;--soft:#a9b0b3;--back:#11161a;--card:#1a2126;--line:#37424a;
--mark:#f2b33d}*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,"Noto Sans CJK JP",sans-serif}
header.realm{position:sticky;top:0;z-index:2;padding:.5rem 1rem;font-weight:700;color:#14110a;
background:repeating-linear-gradient(135deg,#f2b33d 0 22px,#d99a22 22px 44px)}
header.realm code{color:inherit;font-weight:600}header.real{background:#b3261e;color:#fff}
h3{font-size:1rem;margin:.8rem 0 .3rem}
main{max-width:1180px;margin:0 auto;padding:1rem}
h1{font-size:1.5rem;margin:.6rem 0}h2{font-size:1.15rem;margin:1.6rem 0 .5rem}
table{border-collapse:collapse;width:100%;background:var(--card)}
th,td{border:1px solid var(--line);padding:.3rem .55rem;text-align:left;vertical-align:top}
th{color:var(--soft);font-weight:600}td.n{text-align:right;font-variant-numeric:tabular-nums}
code,.cite{font:12px/1.4 ui-monospace,monospace;color:var(--soft)}
.cite,.row{white-space:nowrap}:target{outline:2px solid var(--mark)}tr[id]{scroll-margin-top:3rem}.met{color:#8fd18f}
.not{color:#ff9d8a;font-weight:700}svg{width:100%;height:auto;background:#0c1114;border:1px solid var(--line)}
.sea{fill:#0c1419}.land{fill:#26302f;stroke:#4b5a58}.grid{stroke:#1e2a31;fill:none}
.axis{fill:#8b979d;font-size:12px}.corridor{fill:#f2b33d33;stroke:#f2b33d;stroke-dasharray:6 4}
.fall{fill:#ff7a5c33;stroke:#ff7a5c;stroke-dasharray:3 3}
.seen{stroke:#7cc7ff;stroke-width:3.6;stroke-linecap:round;fill:none}
.place{fill:#fff}
.ahead{stroke:#ff7a5c;stroke-width:1.4;stroke-dasharray:7 6;fill:none}.mean{stroke:#ff7a5c;stroke-width:2}
.key{padding-bottom:1px;border-bottom-width:3px;border-bottom-style:solid}
.name{fill:#fff;font-size:12px;paint-order:stroke;stroke:#0c1114;stroke-width:3px}.lane{stroke:#37424a}
.mark{stroke-width:2.2;fill:none}.gap{fill:#ff7a5c55;stroke:#ff7a5c}.evidence{stroke:#7cc7ff;border-color:#7cc7ff}
.event{stroke:#9fb7c9;border-color:#9fb7c9}.warning{stroke:#f2b33d;border-color:#f2b33d}
.alert{stroke:#ff7a5c;border-color:#ff7a5c}.acknowledgement{stroke:#8fd18f;border-color:#8fd18f}
.decision{stroke:#c9a5ff;border-color:#c9a5ff}.link{stroke:#8b979d;border-color:#8b979d}
.refusal{stroke:#ff4d6d;border-color:#ff4d6d}.words{stroke:#fff;border-color:#fff}
fieldset{border:1px solid var(--line);margin:.5rem 0;display:flex;gap:.8rem;flex-wrap:wrap}
label{white-space:nowrap}.legend span{margin-right:1rem}.wrap{overflow-x:auto}
@media print{:root{--ink:#000;--back:#fff;--card:#fff;--soft:#333}}
"""

SCRIPT = """
for (const box of document.querySelectorAll('[data-topic]')) box.addEventListener('change', () => {
  for (const row of document.querySelectorAll('tr.' + box.dataset.topic)) row.hidden = !box.checked;
});
"""


Cite = Callable[..., str]
"""Writes cited records, given one by one, as HTML."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One expectation of the scenario: whether it was met, and the figures in a sentence."""

    id: str
    met: bool
    detail: str
    cites: tuple[str, ...] = ()


def render(
    logs: Sequence[Log],
    measures: Measures,
    judged: Sequence[Judged],
    points: Sequence[Point],
    land: Iterable[Ringdeg],
    *,
    limits: Sequence[str] = (),
    attribution: str = "",
    digest: str = "",
) -> str:
    """The whole HTML text. limits: what of the exercise was modelled or left out; land: rings [lon, lat] in degrees."""
    genesis = logs[0].genesis
    realm, title = str(genesis["realm"]), str(genesis["title"])
    lines = list(story(logs))
    cite = _citing({line.cites for line in lines})
    real = realm == REAL
    words = "REAL · 実際 · 실제" if real else "EXERCISE · 訓練 · 훈련"
    sections = (
        _summary(logs, measures, judged, digest),
        _section("Expectations", _expectations(judged, cite)),
        _section("Map", draw_map(logs, points, land, cite) + _legend()),
        _section("From detection to acknowledgement", _steps(measures, cite)),
        _section(
            "Who knew what when",
            _known(measures, cite) + draw_strip(logs, lines, measures) + _strip_legend(),
        ),
        _section("Alerts", _alerts(measures.alerts, cite)),
        _section("Decisions", _cases(measures.cases, cite)),
        _section("Faults and refusals", _faults(measures, cite)),
        _section("Release", _release(measures, cite)),
        _section("Timeline of all nodes", _timeline(lines, cite)),
        _section("Limits of this review", _limits(limits, attribution)),
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Review: {escape(title)} [{escape(realm)}]</title><style>{STYLE}</style></head><body>"
        f'<header class="realm{" real" if real else ""}">{words} — {escape(title)} <code>{escape(realm)}</code></header>'
        f"<main><h1>Review</h1>{''.join(sections)}</main><script>{SCRIPT}</script></body></html>\n"
    )


def _section(title: str, inner: str) -> str:
    identity = title.lower().replace(" ", "-")
    return f'<section aria-labelledby="{identity}"><h2 id="{identity}">{escape(title)}</h2>{inner}</section>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> str:
    """A table of ready HTML cells; the sentence `empty` when there are no rows."""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    if not body:
        return f"<p>{escape(empty)}</p>"
    titles = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    return f'<div class="wrap"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'


def _dropped(log: Log) -> str:
    """What retention has left out of a log, if anything."""
    return f", {log.dropped} of them without their content, which retention has let go" if log.dropped else ""


def _summary(logs: Sequence[Log], measures: Measures, judged: Sequence[Judged], digest: str) -> str:
    met = sum(one.met for one in judged)
    outcome = (
        "all expectations met"
        if met == len(judged)
        else f"{len(judged) - met} of {len(judged)} expectations not met"
    )
    length = (measures.end_ns - measures.start_ns) / NS_PER_S
    rows = [
        ("Outcome", f'<span class="{"met" if met == len(judged) else "not"}">{escape(outcome)}</span>'),
        (
            "From, to",
            f"{to_iso(measures.start_ns, digits=3)} to {to_iso(measures.end_ns, digits=3)} ({length:.0f} s)",
        ),
        (
            "Nodes",
            ", ".join(
                f"{escape(log.node)} ({escape(log.partner)}): {len(log.entries)} records{_dropped(log)}"
                for log in logs
            ),
        ),
        (
            "Heads of the records",
            "<br>".join(f"<code>{escape(log.node)} {log.head.hex()}</code>" for log in logs),
        ),
    ]
    if digest:
        rows.append(("Digest of all records", f"<code>{escape(digest)}</code>"))
    return (
        "<table>"
        + "".join(f'<tr><th scope="row">{name}</th><td>{cell}</td></tr>' for name, cell in rows)
        + "</table>"
    )


def _expectations(judged: Sequence[Judged], cite: Cite) -> str:
    rows = (
        (
            f'<span class="{"met" if one.met else "not"}">{"met" if one.met else "NOT MET"}</span>',
            escape(one.id),
            escape(one.detail),
            cite(*one.cites),
        )
        for one in judged
    )
    return _table(("", "expectation", "what was found", "records"), rows, "The scenario expects nothing.")


def _steps(measures: Measures, cite: Cite) -> str:
    """The chain of the first warning: each step's time since the first detection and since the step before."""
    partners = sorted(measures.first_detection_ns)
    start = min((at for at in measures.first_detection_ns.values() if at is not None), default=None)
    if start is None:
        return "<p>Nothing was detected.</p>"

    def first(name: str, values: dict[str, float | None], cites: Citing) -> _Step:
        known = [(at, partner) for partner in partners if (at := values[partner]) is not None]
        return (name, *min(known), cites.get(min(known)[1], ())) if known else (name, None, "", ())

    detected = {
        partner: None if at is None else (at - start) / NS_PER_S
        for partner, at in measures.first_detection_ns.items()
    }
    shared = {partner: at for partner, at in measures.shared_picture_s.items() if at is not None}
    steps = [
        first("first detection", detected, measures.cites.first_detection),
        first("first shared picture", measures.shared_picture_s, measures.cites.shared_picture),
    ]
    if len(shared) == len(partners):
        last = max(shared, key=lambda partner: shared[partner])
        cites = measures.cites.shared_picture.get(last, ())
        steps.append(("picture shared by all", shared[last], last, cites))
    else:
        steps.append(("picture shared by all", None, "", ()))
    steps.append(first("first warning", measures.warning_s, measures.cites.warning))
    steps.append(first("first public alert", measures.alert_s, measures.cites.alert))
    steps += _answers(measures, start)
    rows, before = [], 0.0
    for name, at, whose, cites in sorted(steps, key=lambda step: (step[1] is None, step[1] or 0.0)):
        since = "" if at is None else f"{at - before:.3f} s"
        before = before if at is None else at
        rows.append((name, escape(whose), _seconds(at), since, cite(*cites)))
    return _table(("step", "by", "after the first detection", "after the row above", "record"), rows, "")


_Step = tuple[str, float | None, str, tuple[str, ...]]


def _answers(measures: Measures, start_ns: int) -> list[_Step]:
    """When the first alert was first acknowledged, and when by all who were sent it."""
    if not measures.alerts:
        return [("first acknowledgement", None, "", ())]
    alert = measures.alerts[0]
    heard = {unit: at for unit, at in alert.acknowledged_ns.items() if at is not None}
    steps: list[_Step] = []
    for name, pick in (("first acknowledgement", min), ("acknowledged by all", max)):
        if not heard or (pick is max and len(heard) < len(alert.acknowledged_ns)):
            steps.append((name, None, "", ()))
            continue
        unit = pick(heard, key=lambda one: heard[one])
        cited = alert.acknowledged_cites.get(unit)
        steps.append((name, (heard[unit] - start_ns) / NS_PER_S, unit, (cited,) if cited else ()))
    return steps


def _known(measures: Measures, cite: Cite) -> str:
    partners = sorted(measures.first_detection_ns)
    start = min((at for at in measures.first_detection_ns.values() if at is not None), default=None)
    cites = measures.cites
    rows = []
    for partner in partners:
        own = measures.first_detection_ns[partner]
        first = None if own is None or start is None else (own - start) / NS_PER_S
        reports = "<br>".join(
            f"{escape(key.split('->')[0])}: {_seconds(value)} {cite(*cites.report.get(key, ())[-1:])}"
            if value is not None
            else f"{escape(key.split('->')[0])}: never"
            for key, value in measures.report_s.items()
            if key.endswith(f"->{partner}")
        )
        own_cells = (
            f"{_seconds(value)}<br>{cite(*cited.get(partner, ()))}"
            for value, cited in (
                (measures.picture_s[partner], cites.picture),
                (measures.shared_picture_s[partner], cites.shared_picture),
                (measures.warning_s[partner], cites.warning),
                (measures.alert_s[partner], cites.alert),
            )
        )
        detected = f"{_seconds(first)}<br>{cite(*cites.first_detection.get(partner, ()))}"
        rows.append((escape(partner), detected, reports, *own_cells))
    head = (
        "partner",
        "own first detection",
        "after their first detection, held reports of",
        "own event",
        "shared picture",
        "own warning",
        "public alert",
    )
    note = "<p>Seconds after the first detection by anybody, unless said otherwise; “never” where it did not happen.</p>"
    return note + _table(head, rows, "Nobody knew anything.")


def _alerts(alerts: Sequence[AlertMeasure], cite: Cite) -> str:
    rows = []
    for one in alerts:
        lead = (
            ""
            if one.first_pass_ns is None or one.type == "Cancel"
            else f"{(one.first_pass_ns - one.issued_ns) / NS_PER_S:.0f} s"
        )
        answers = "".join(_answer(one, unit, cite) for unit in one.acknowledged_ns)
        rows.append(
            (
                f"{escape(one.type)} <code>{escape(one.identifier)}</code> {escape(one.reason)}",
                f"{_time(one.issued_ns)} by {escape(one.unit)}: {escape(', '.join(one.posts))}",
                escape(", ".join(one.regions)),
                lead,
                answers,
                cite(one.cites),
            )
        )
    head = ("alert", "issued by", "regions", "before the earliest passing", "acknowledged", "record")
    return _table(head, rows, "No public alert was issued.")


def _answer(alert: AlertMeasure, unit: str, cite: Cite) -> str:
    at, cited = alert.acknowledged_ns[unit], alert.acknowledged_cites.get(unit)
    when = "NOT YET" if at is None else f"after {(at - alert.issued_ns) / NS_PER_S:.1f} s"
    return f'<div class="row">{escape(unit)}: {when} {cite(cited) if cited else ""}</div>'


def _cases(cases: Sequence[CaseMeasure], cite: Cite) -> str:
    rows = []
    for case in cases:
        answers = "<br>".join(
            f"{escape(partner)}: {escape(outcome)} by {escape(post)} after {(at - case.requested_ns) / NS_PER_S:.1f} s "
            f"{cite(*([case.answer_cites[partner]] if partner in case.answer_cites else []))}"
            for partner, post, outcome, at in case.answers
        )
        when = (
            "never"
            if case.recorded_ns is None
            else f"after {(case.recorded_ns - case.requested_ns) / NS_PER_S:.1f} s"
        )
        asked = f"{_time(case.requested_ns)} by {escape(case.requested_by)}"
        recorded = f"{escape(case.outcome)} {when} {cite(*case.recorded_cites)}"
        rows.append((escape(case.decision), f"{asked} {cite(case.cites)}", answers, recorded))
    return _table(
        ("decision", "asked for", "each nation for itself", "recorded"),
        rows,
        "Nothing was decided.",
    )


def _faults(measures: Measures, cite: Cite) -> str:
    gaps = _table(
        ("node", "recorded nothing from", "to", "for", "records"),
        (
            (
                escape(gap.node),
                _time(gap.from_ns),
                _time(gap.to_ns),
                f"{(gap.to_ns - gap.from_ns) / NS_PER_S:.1f} s",
                cite(*gap.cites),
            )
            for gap in measures.gaps
        ),
        "No node fell silent while others went on.",
    )
    refused = _table(
        ("refused because", "times", "the first records"),
        (
            (escape(reason), str(count), cite(*measures.cites.refusals.get(reason, ())))
            for reason, count in measures.refusals.items()
        ),
        "Nothing was refused.",
    )
    twice = f"{measures.repeated_effects}. {cite(*measures.cites.repeated)}"
    return f"{gaps}{refused}<p>Messages acted on twice: {twice}</p>"


def _release(measures: Measures, cite: Cite) -> str:
    rows = (
        (escape(key.replace("-|", " kept from ")), str(count), cite(*measures.cites.withheld.get(key, ())))
        for key, count in measures.withheld.items()
    )
    return _table(
        ("by the record of each node", "messages", "the first records"),
        rows,
        "Nothing was withheld from anybody.",
    )


def _timeline(lines: Sequence[Line], cite: Cite) -> str:
    boxes = "".join(
        f'<label><input type="checkbox" checked data-topic="{topic}"> {topic}</label>' for topic in TOPICS
    )
    rows = "".join(
        f'<tr class="{line.topic}" id="{_anchor(line.cites)}"><td>{_time(line.time_ns)}</td><td>{escape(line.node)}</td>'
        f"<td>{escape(line.topic)}</td>"
        f"<td><bdi>{escape(line.text)}</bdi></td><td>{cite(line.cites)}</td></tr>"
        for line in lines
    )
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("time (UTC)", "node", "topic", "what", "record")
    )
    return (
        f"<fieldset><legend>Show</legend>{boxes}</fieldset>"
        f'<div class="wrap"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _limits(limits: Sequence[str], attribution: str) -> str:
    items = "".join(f"<li>{escape(limit)}</li>" for limit in limits)
    source = f"<p>{escape(attribution)}</p>" if attribution else ""
    return f"<ul>{items}<li>Times are the nodes' own clocks; a missing stamp is shown as never.</li></ul>{source}"


def _legend() -> str:
    return (
        '<p class="legend"><span>blue dots: observed positions</span><span>amber, dashed: predicted corridor of the '
        "last warning</span><span>red, dotted: predicted fall area, its mean a cross</span><span>red dashes: shortest "
        "way from the last observed position to the predicted fall, not a prediction of the path</span></p>"
    )


def _strip_legend() -> str:
    return "<p>" + " · ".join(f'<span class="key {t}">{t}</span>' for t in TOPICS) + "</p>"


def _time(time_ns: int) -> str:
    return to_iso(time_ns)[11:-1]


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.3f} s"


def _citing(told: set[str]) -> Cite:
    """How records are cited in a page whose timeline tells these."""

    def cite(*cites: str) -> str:
        return " ".join(
            f'<a class="cite" href="#{_anchor(one)}">{escape(one)}</a>'
            if one in told
            else f'<span class="cite">{escape(one)}</span>'
            for one in cites
        )

    return cite


def _anchor(cited: str) -> str:
    """The id of a record's row in the timeline: node and number."""
    return escape(cited.partition(" ")[0].replace("#", "-"))

"""The review as one HTML file that opens offline: what happened, who knew what when, and what was expected.

Every statement cites its records as `node#number message`. The file carries the realm in words on every screen, and
nothing in it is fetched from anywhere.

    html = render(logs, measures, findings, points, land, attribution)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from noroshi.clock import NS_PER_S, to_iso
from noroshi.messages.trust import REAL
from noroshi.review.measures import AlertMeasure, CaseMeasure, Measures
from noroshi.review.picture import Point, Ringdeg, draw_map, draw_strip
from noroshi.review.read import Log
from noroshi.review.story import TOPICS, Line, story

STYLE = """
:root{color-scheme:dark;--ink:#e8e8e3;--soft:#a9b0b3;--back:#11161a;--card:#1a2126;--line:#37424a;
--mark:#f2b33d}*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,"Noto Sans CJK JP",sans-serif}
header.realm{position:sticky;top:0;z-index:2;padding:.5rem 1rem;font-weight:700;color:#14110a;
background:repeating-linear-gradient(135deg,#f2b33d 0 22px,#d99a22 22px 44px)}
header.real{background:#b3261e;color:#fff}main{max-width:1180px;margin:0 auto;padding:1rem}
h1{font-size:1.5rem;margin:.6rem 0}h2{font-size:1.15rem;margin:1.6rem 0 .5rem}
table{border-collapse:collapse;width:100%;background:var(--card)}
th,td{border:1px solid var(--line);padding:.3rem .55rem;text-align:left;vertical-align:top}
th{color:var(--soft);font-weight:600}td.n{text-align:right;font-variant-numeric:tabular-nums}
code,.cite{font:12px/1.4 ui-monospace,monospace;color:var(--soft)}.met{color:#8fd18f}
.not{color:#ff9d8a;font-weight:700}svg{width:100%;height:auto;background:#0c1114;border:1px solid var(--line)}
.sea{fill:#0c1419}.land{fill:#26302f;stroke:#4b5a58}.grid{stroke:#1e2a31;fill:none}
.axis{fill:#8b979d;font-size:12px}.corridor{fill:#f2b33d33;stroke:#f2b33d;stroke-dasharray:6 4}
.fall{fill:#ff7a5c33;stroke:#ff7a5c;stroke-dasharray:3 3}.seen{fill:#7cc7ff}.place{fill:#fff}
.name{fill:#fff;font-size:12px;paint-order:stroke;stroke:#0c1114;stroke-width:3px}.lane{stroke:#37424a}
.mark{stroke-width:2.2;fill:none}.gap{fill:#ff7a5c55;stroke:#ff7a5c}.evidence{stroke:#7cc7ff}
.event{stroke:#9fb7c9}.warning{stroke:#f2b33d}.alert{stroke:#ff7a5c}.acknowledgement{stroke:#8fd18f}
.decision{stroke:#c9a5ff}.link{stroke:#8b979d}.refusal{stroke:#ff4d6d}.words{stroke:#fff}
fieldset{border:1px solid var(--line);margin:.5rem 0;display:flex;gap:.8rem;flex-wrap:wrap}
label{white-space:nowrap}.legend span{margin-right:1rem}.wrap{overflow-x:auto}
@media print{:root{--ink:#000;--back:#fff;--card:#fff;--soft:#333}}
"""

SCRIPT = """
for (const box of document.querySelectorAll('[data-topic]')) box.addEventListener('change', () => {
  for (const row of document.querySelectorAll('tr.' + box.dataset.topic)) row.hidden = !box.checked;
});
"""


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
    real = realm == REAL
    words = "REAL · 実際 · 실제" if real else "EXERCISE · 訓練 · 훈련"
    sections = (
        _summary(logs, measures, judged, digest),
        _section("Expectations", _expectations(judged)),
        _section("Map", draw_map(logs, points, land) + _legend()),
        _section(
            "Who knew what when", _known(measures) + draw_strip(logs, lines, measures) + _strip_legend()
        ),
        _section("Alerts", _alerts(measures.alerts)),
        _section("Decisions", _cases(measures.cases)),
        _section("Faults and refusals", _faults(measures)),
        _section("Release", _release(measures)),
        _section("Timeline of all nodes", _timeline(lines)),
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
        ("From, to", f"{_time(measures.start_ns)} to {_time(measures.end_ns)} ({length:.0f} s)"),
        (
            "Nodes",
            ", ".join(
                f"{escape(log.node)} ({escape(log.partner)}): {len(log.entries)} records" for log in logs
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


def _expectations(judged: Sequence[Judged]) -> str:
    rows = (
        (
            f'<span class="{"met" if one.met else "not"}">{"met" if one.met else "NOT MET"}</span>',
            escape(one.id),
            escape(one.detail),
            _cite(*one.cites),
        )
        for one in judged
    )
    return _table(("", "expectation", "what was found", "records"), rows, "The scenario expects nothing.")


def _known(measures: Measures) -> str:
    partners = sorted(measures.first_detection_ns)
    start = min((at for at in measures.first_detection_ns.values() if at is not None), default=None)
    rows = []
    for partner in partners:
        own = measures.first_detection_ns[partner]
        first = None if own is None or start is None else (own - start) / NS_PER_S
        reports = ", ".join(
            f"{key.split('->')[0]}: {_seconds(value)}"
            for key, value in measures.report_s.items()
            if key.endswith(partner)
        )
        rows.append(
            (
                escape(partner),
                _seconds(first),
                escape(reports),
                _seconds(measures.picture_s[partner]),
                _seconds(measures.shared_picture_s[partner]),
                _seconds(measures.warning_s[partner]),
                _seconds(measures.alert_s[partner]),
            )
        )
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


def _alerts(alerts: Sequence[AlertMeasure]) -> str:
    rows = []
    for one in alerts:
        lead = (
            ""
            if one.first_pass_ns is None or one.type == "Cancel"
            else f"{(one.first_pass_ns - one.issued_ns) / NS_PER_S:.0f} s"
        )
        acknowledged = "<br>".join(
            f"{escape(unit)}: {'NOT YET' if at is None else f'after {(at - one.issued_ns) / NS_PER_S:.1f} s'}"
            for unit, at in one.acknowledged_ns.items()
        )
        rows.append(
            (
                f"{escape(one.type)} <code>{escape(one.identifier)}</code> {escape(one.reason)}",
                f"{_time(one.issued_ns)} by {escape(one.unit)}: {escape(', '.join(one.posts))}",
                escape(", ".join(one.regions)),
                lead,
                acknowledged,
                _cite(one.cites),
            )
        )
    head = ("alert", "issued by", "regions", "before the earliest passing", "acknowledged", "record")
    return _table(head, rows, "No public alert was issued.")


def _cases(cases: Sequence[CaseMeasure]) -> str:
    rows = []
    for case in cases:
        answers = "<br>".join(
            f"{escape(partner)}: {escape(outcome)} by {escape(post)} after {(at - case.requested_ns) / NS_PER_S:.1f} s"
            for partner, post, outcome, at in case.answers
        )
        when = (
            "never"
            if case.recorded_ns is None
            else f"after {(case.recorded_ns - case.requested_ns) / NS_PER_S:.1f} s"
        )
        asked = f"{_time(case.requested_ns)} by {escape(case.requested_by)}"
        rows.append(
            (escape(case.decision), asked, answers, f"{escape(case.outcome)} {when}", _cite(case.cites))
        )
    return _table(
        ("decision", "asked for", "each nation for itself", "recorded", "record"),
        rows,
        "Nothing was decided.",
    )


def _faults(measures: Measures) -> str:
    gaps = _table(
        ("node", "recorded nothing from", "to", "for"),
        (
            (
                escape(gap.node),
                _time(gap.from_ns),
                _time(gap.to_ns),
                f"{(gap.to_ns - gap.from_ns) / NS_PER_S:.1f} s",
            )
            for gap in measures.gaps
        ),
        "No node fell silent while others went on.",
    )
    refused = _table(
        ("refused because", "times"),
        ((escape(reason), str(count)) for reason, count in measures.refusals.items()),
        "Nothing was refused.",
    )
    return f"{gaps}{refused}<p>Messages acted on twice: {measures.repeated_effects}.</p>"


def _release(measures: Measures) -> str:
    rows = (
        (escape(key.replace("-|", " kept from ")), str(count)) for key, count in measures.withheld.items()
    )
    return _table(("by the record of each node", "messages"), rows, "Nothing was withheld from anybody.")


def _timeline(lines: Sequence[Line]) -> str:
    boxes = "".join(
        f'<label><input type="checkbox" checked data-topic="{topic}"> {topic}</label>' for topic in TOPICS
    )
    rows = "".join(
        f'<tr class="{line.topic}"><td>{_time(line.time_ns)}</td><td>{escape(line.node)}</td>'
        f"<td>{escape(line.topic)}</td>"
        f"<td>{escape(line.text)}</td><td>{_cite(line.cites)}</td></tr>"
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
        '<p class="legend"><span>● blue: observed positions</span><span>dashed amber: predicted corridor of the last '
        "warning</span><span>dotted red: predicted fall area</span></p>"
    )


def _strip_legend() -> str:
    return (
        "<p>"
        + " · ".join(f'<span style="border-bottom:3px solid" class="{t}">{t}</span>' for t in TOPICS)
        + "</p>"
    )


def _time(time_ns: int) -> str:
    return to_iso(time_ns)[11:-1]


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.3f} s"


def _cite(*cites: str) -> str:
    return "<br>".join(f'<span class="cite">{escape(one)}</span>' for one in cites)

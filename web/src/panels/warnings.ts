/** The open warnings: what may happen where, how sure, when, to how many people. All of it is prediction and says so. */
import { h, type VNode } from "../dom";
import type { Area, Draft, Reason, Warning } from "../protocol";
import { endedWarnings, openWarnings } from "../state";
import { chanceWords, localName, peopleText, percent, regionName } from "../text";
import type { TextKey } from "../text/en";
import { durationText, windowState, zoneName } from "../time";
import type { View } from "../view";
import { positionText } from "../lon";
import { sensingName } from "./sight";

const ENDED_SHOWN = 3;
const PLACES_SHOWN = 4;

export function warningsPanel(view: View): VNode[] {
  const open = openWarnings(view.state);
  const ended = endedWarnings(view.state).slice(0, ENDED_SHOWN);
  return [
    ...(open.length === 0 ? [h("p", { class: "none" }, view.t("noWarning"))] : open.map((w) => warningCard(view, w))),
    ...[...view.state.drafts.values()].map((draft) => draftCard(view, draft)),
    ...ended.map((w) =>
      h(
        "p",
        { class: "ended", key: `ended:${w.partner}:${w.event}` },
        `■ ${view.t("warningEnded", { partner: w.partner, time: view.clockZone(w.time_ms), reason: reasonText(view, w.reason) })}`,
      ),
    ),
  ];
}

export function reasonText(view: View, reason: Reason): string {
  const keys: Record<Reason, TextKey> = {
    "": "reasonNone",
    false: "reasonFalse",
    superseded: "reasonSuperseded",
    passed: "reasonPassed",
  };
  return view.t(keys[reason] ?? "reasonNone");
}

export function basisText(view: View, warning: Warning): string {
  const sensings = warning.sensings.map((s) => sensingName(view, s)).join(", ");
  if (warning.basis === "confirmed") return view.t("basisConfirmed", { sensings });
  return warning.basis === "one-kind" ? view.t("basisOneKind", { sensings }) : view.t("basisSingle");
}

/** What is not sure enough yet, or waits for the watch: plainly not a warning. */
function draftCard(view: View, draft: Draft): VNode {
  return h(
    "article",
    { class: "card draft", key: `draft:${draft.event}` },
    h(
      "h3",
      {},
      `△ ${view.t(draft.state === "proposed" ? "draftProposed" : "draftNotSent")}`,
      h("small", {}, view.t("warningEvent", { event: draft.event.slice(0, 6) })),
    ),
    regions(view, draft.areas),
  );
}

function warningCard(view: View, warning: Warning): VNode {
  const over = view.nowMs > warning.valid_until_ms;
  return h(
    "article",
    { class: "card warning", key: `${warning.partner}:${warning.event}` },
    h(
      "h3",
      {},
      `▲ ${view.t("warningOf", { partner: warning.partner, number: warning.number })}`,
      h("small", {}, view.t("warningEvent", { event: warning.event.slice(0, 6) })),
    ),
    h(
      "p",
      { class: warning.basis === "confirmed" ? "basis confirmed" : "basis" },
      `${warning.basis === "confirmed" ? "◆" : "◇"} ${basisText(view, warning)}`,
    ),
    h(
      "p",
      { class: "dim" },
      `${view.t("evidenceOf", { partners: warning.partners.join(", ") })} · `,
      h("span", { class: over ? "caution" : "" }, view.t(over ? "validOver" : "validUntil", { time: view.clockZone(warning.valid_until_ms) })),
    ),
    warning.lost
      ? h("p", { class: "caution" }, view.t("warningLost", { age: durationText(view.nowMs - warning.last_observed_ms) }))
      : null,
    regions(view, warning.areas),
    warning.fall &&
      h(
        "p",
        { class: "fall-line" },
        `${view.t("fallPredicted")}: `,
        h("b", {}, view.t("fallTime", { time: view.clockZone(warning.fall.time_ms), sigma: Math.round(warning.fall.sigma_time_s) })),
        ` · ${positionText(warning.fall.lon, warning.fall.lat)} · ${view.t("fallInside", { words: chanceWords(view.language, warning.fall.probability), percent: percent(warning.fall.probability) })}`,
        ` · ${countdown(view, warning.fall.time_ms - 2000 * warning.fall.sigma_time_s, warning.fall.time_ms + 2000 * warning.fall.sigma_time_s)}`,
      ),
  );
}

function countdown(view: View, fromMs: number, toMs: number): string {
  const at = windowState(fromMs, toMs, view.nowMs);
  if (at.state === "ahead") return view.t("ahead", { time: durationText(at.inMs) });
  return at.state === "open"
    ? view.t("open", { time: durationText(at.leftMs) })
    : view.t("over", { time: durationText(at.sinceMs) });
}

export function regions(view: View, areas: Area[]): VNode | null {
  if (areas.length === 0) return null;
  const sorted = [...areas].sort((a, b) => a.from_ms - b.from_ms || b.probability - a.probability);
  const head = (key: TextKey, values?: Record<string, string>) => h("th", { scope: "col" }, view.t(key, values));
  return h(
    "table",
    { class: "regions" },
    h("caption", { class: "hidden" }, view.t("areas")),
    h(
      "thead",
      {},
      h("tr", {}, head("region"), head("chance"), head("countdown", { zone: zoneName(view.zone) }), head("peopleHead")),
    ),
    ...sorted.map((area) => regionRows(view, area)),
  );
}

function regionRows(view: View, area: Area): VNode {
  const at = windowState(area.from_ms, area.to_ms, view.nowMs).state;
  const places = [...area.places]
    .sort((a, b) => b.people - a.people)
    .slice(0, PLACES_SHOWN)
    .map((place) => `${localName(view.language, place)} ${peopleText(place.people)}`)
    .join(" · ");
  return h(
    "tbody",
    { key: `${area.kind}:${area.region}`, "data-region": area.region, "data-window": at },
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        `${regionName(view.language, area)}`,
        h("small", { class: area.kind }, view.t(area.kind === "pass" ? "willPass" : "willFall")),
      ),
      h("td", {}, h("b", {}, percent(area.probability)), h("small", {}, chanceWords(view.language, area.probability))),
      h(
        "td",
        { class: "figures" },
        h("span", { class: `countdown ${at}` }, countdown(view, area.from_ms, area.to_ms)),
        h("small", {}, `${view.clock(area.from_ms)} – ${view.clock(area.to_ms)}`),
      ),
      h("td", { class: "figures" }, peopleText(area.people)),
    ),
    places && h("tr", { class: "places" }, h("td", { colspan: 4, title: places }, h("div", { class: "one-line" }, places))),
  );
}

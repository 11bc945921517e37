/** Last hops: who has received an alert, who is silent, who is asked next; alarms; whether the way was tested. */
import { h, type VNode } from "../dom";
import type { Alarm, AlertReach, Chase, Readiness, RosterReach } from "../protocol";
import type { TextKey } from "../text/en";
import { durationText } from "../time";
import type { View } from "../view";
import { securityAlarmItems } from "./refusals";

const READY_WORDS: Record<Readiness["state"], TextKey> = {
  never: "readyNever",
  waiting: "readyWaiting",
  ready: "readyReady",
  partial: "readyPartial",
  failed: "readyFailed",
  stale: "readyStale",
};

/** Of one alert: each roster's last hops, the units that are still asked, and of an end whether all were told. */
export function hopsOf(view: View, known: AlertReach | undefined): VNode[] {
  if (!known?.rosters?.length && !known?.chases?.length) return [];
  const parts: VNode[] = [];
  for (const roster of known.rosters ?? []) parts.push(rosterLine(view, known, roster));
  for (const same of known.same ?? []) {
    const equal = same.not_ended === "" && same.only_ended === "";
    const words = equal
      ? view.t("sameSet", { count: same.had, roster: same.roster })
      : view.t("notSameSet", { roster: same.roster, missing: same.not_ended || "–", only: same.only_ended || "–" });
    parts.push(h("p", { class: equal ? "good" : "caution", key: `same-${same.roster}`, "data-same": String(equal) }, `${equal ? "✓" : "✕"} ${words}`));
  }
  const waiting = (known.chases ?? []).filter((one) => one.state !== "done");
  if (waiting.length > 0) parts.push(h("ul", { class: "chases", key: "chases" }, waiting.map((one) => chaseLine(view, one))));
  return [h("div", { class: "hops", id: "hops", key: "hops" }, h("h4", {}, view.t("lastHops")), ...parts)];
}

function rosterLine(view: View, known: AlertReach, roster: RosterReach): VNode {
  const left = (known.within_ms ?? 0) - view.nowMs;
  const all = roster.silent === 0;
  const refused = roster.relays.filter((one) => one.refused !== "");
  return h(
    "div",
    { class: "roster", key: roster.roster, "data-roster": roster.roster },
    h(
      "p",
      { class: all ? "good" : left > 0 ? "" : "caution" },
      `${all ? "✓" : left > 0 ? "◔" : "✕"} ${view.t("hopsSummary", { roster: roster.roster, received: roster.received, all: roster.hops })}`,
      roster.receipts.includes("counted") && ` · ${view.t("hopsCounted")}`,
      (roster.signed ?? 0) > 0 && ` · ${view.t("hopsSigned", { signed: roster.signed ?? 0, shown: roster.shown ?? 0, vouched: roster.vouched ?? 0 })}`,
      !all && left > 0 && ` · ${view.t("deadline", { time: durationText(left / view.speed) })}`,
    ),
    h("progress", { max: roster.hops, value: roster.received, "aria-label": roster.roster }),
    !all && h("p", { class: left > 0 ? "dim" : "caution" }, view.t("hopsSilent", { count: roster.silent, hops: roster.silent_hops })),
    ...(roster.not_proven ?? []).map((one) => h("p", { class: "caution" }, `✕ ${view.t("hopsNotProven", { relay: one })}`)),
    ...refused.map((one) => h("p", { class: "caution" }, `✕ ${view.t("unverifiedRelay", { relay: one.relay, reason: one.refused })}`)),
  );
}

function chaseLine(view: View, chase: Chase): VNode {
  const last = chase.asked[chase.asked.length - 1];
  const left = chase.due_ms - view.nowMs;
  const words =
    chase.state === "nobody"
      ? view.t("chaseNobody", { unit: view.unit(chase.unit) })
      : view.t("chaseWaits", { unit: view.unit(chase.unit), post: last === undefined ? "–" : view.unit(last) });
  return h(
    "li",
    { class: chase.state === "nobody" ? "caution" : "", key: chase.unit, "data-unit": chase.unit, "data-state": chase.state },
    `${chase.state === "nobody" ? "✕" : "◔"} ${words}`,
    chase.state === "open" && left > 0 && h("small", {}, ` ${view.t("nextAsked", { time: durationText(left / view.speed) })}`),
  );
}

/** What is raised, the newest first; what was cleared is in the timeline. */
export function alarmsPanel(view: View): VNode[] {
  const raised = [...view.state.alarms.values()].filter((one) => one.state === "raised").sort((a, b) => b.time_ms - a.time_ms);
  const security = securityAlarmItems(view);
  if (raised.length + security.length === 0) return [h("p", { class: "none" }, view.t("noAlarm"))];
  return [
    h(
      "ul",
      { class: "alarms" },
      security,
      raised.map((one: Alarm) => h("li", { class: "caution", key: one.alarm, "data-what": one.what }, `▲ ${one.says}`, h("small", {}, ` ${view.clockZone(one.time_ms)}`))),
    ),
  ];
}

/** Each roster of last hops by its newest test. */
export function readinessPanel(view: View): VNode[] {
  const rows = [...view.state.readiness.values()].sort((a, b) => a.roster.localeCompare(b.roster));
  if (rows.length === 0) return [h("p", { class: "none" }, view.t("noRelay"))];
  return rows.map((row) => {
    const stale = view.nowMs > row.stale_ms;
    const state = stale ? "stale" : row.state;
    return h(
      "p",
      { class: state === "ready" ? "good" : state === "waiting" ? "" : "caution", key: row.roster, "data-roster": row.roster, "data-state": state },
      `${state === "ready" ? "✓" : state === "waiting" ? "◔" : "✕"} ${row.roster}: ${view.t(READY_WORDS[state])} · `,
      view.t("readyTested", { received: row.received, all: row.hops, time: view.clockZone(row.sent_ms) }),
      row.silent_hops && state !== "waiting" && ` · ${view.t("hopsSilent", { count: row.hops - row.received, hops: row.silent_hops })}`,
    );
  });
}

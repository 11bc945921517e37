/** How it all stands in one line, above the panels: each part leads to its panel. */
import { h, type VNode } from "../dom";
import { alertsNewestFirst, openWarnings, securityAlarms } from "../state";
import { durationText } from "../time";
import type { View } from "../view";

export function glance(view: View): VNode[] {
  return [
    part(view, "alarms", `▲ ${view.t("alarms")}`, ...alarms(view)),
    part(view, "warnings", `△ ${view.t("topicWarning")}`, warnings(view), openWarnings(view.state).length > 0),
    part(view, "alerts", `◆ ${view.t("acknowledged")}`, ...alerts(view)),
    part(view, "decisions", `◷ ${view.t("topicPeople")}`, ...decisions(view)),
    part(view, "tasks", `☐ ${view.t("summaryWaiting")}`, ...tasks(view)),
  ];
}

function part(view: View, id: string, head: string, words: string, raised: boolean): VNode {
  const go = (event: Event) => {
    event.preventDefault();
    const target = document.getElementById(id);
    target?.scrollIntoView({ block: "start" });
    target?.focus({ preventScroll: true });
  };
  return h("a", { class: raised ? "part raised" : "part", href: `#${id}`, key: id, onclick: go }, h("small", {}, head), h("b", {}, words || view.t("summaryNone")));
}

function alarms(view: View): [string, boolean] {
  const raised = [...view.state.alarms.values()].filter((one) => one.state === "raised").length + securityAlarms(view.state, view.nowMs).length;
  return [raised === 0 ? "" : view.t("summaryWarnings", { count: raised }), raised > 0];
}

function warnings(view: View): string {
  const count = openWarnings(view.state).length;
  return count === 0 ? "" : view.t("summaryWarnings", { count });
}

function alerts(view: View): [string, boolean] {
  const { alerts: all, replaced } = alertsNewestFirst(view.state);
  const standing = all.filter((a) => !replaced.has(a.identifier));
  if (standing.length === 0) return ["", false];
  const recipients = standing.flatMap((a) => view.state.reach.get(a.id)?.recipients ?? []);
  const asked = standing.reduce((sum, a) => sum + a.recipients.length, 0);
  const acknowledged = recipients.filter((r) => r.acknowledged_ms !== null).length;
  const number = Math.max(asked, recipients.length);
  return [`${acknowledged} / ${number}`, acknowledged < number];
}

function decisions(view: View): [string, boolean] {
  const open = [...view.state.decisions.values()].filter((d) => d.state === "open");
  if (open.length === 0) return ["", false];
  const left = Math.min(...open.map((d) => d.deadline_ms)) - view.nowMs;
  const clock = left >= 0 ? view.t("deadline", { time: durationText(left) }) : view.t("deadlineOver", { time: durationText(left) });
  return [`${open.length} · ${clock}`, true];
}

function tasks(view: View): [string, boolean] {
  const open = [...view.state.tasks.values()].filter((t) => t.state === "open");
  return [open.length === 0 ? "" : String(open.length), open.length > 0];
}

/** What people have still to do: decisions with their clocks and concurrences, and tasks that wait. */
import { h, type VNode } from "../dom";
import type { DecisionStatus, Task } from "../protocol";
import type { TextKey } from "../text/en";
import { durationText } from "../time";
import type { View } from "../view";

const CLOSED_SHOWN = 3;

export function decisionsPanel(view: View): VNode[] {
  const all = [...view.state.decisions.values()].sort((a, b) => b.time_ms - a.time_ms);
  const shown = [
    ...all.filter((d) => d.state === "open").sort((a, b) => a.deadline_ms - b.deadline_ms),
    ...all.filter((d) => d.state !== "open").slice(0, CLOSED_SHOWN),
  ];
  if (shown.length === 0) return [h("p", { class: "none" }, view.t("noDecision"))];
  return shown.map((decision) => decisionCard(view, decision));
}

function clockWords(view: View, deadlineMs: number): VNode | null {
  if (deadlineMs <= 0) return null;
  const left = deadlineMs - view.nowMs;
  return h(
    "b",
    { class: left < 0 ? "deadline caution" : "deadline" },
    view.t(left < 0 ? "deadlineOver" : "deadline", { time: durationText(left) }),
  );
}

function decisionCard(view: View, decision: DecisionStatus): VNode {
  const state: Record<DecisionStatus["state"], [string, TextKey]> = {
    open: ["◷", "decisionOpen"],
    decided: ["✓", "decisionDecided"],
    refused: ["✕", "decisionRefused"],
  };
  const [mark, key] = state[decision.state];
  return h(
    "article",
    { class: `card decision ${decision.state}`, key: decision.case, "data-state": decision.state },
    h(
      "h3",
      { lang: "en" },
      decision.title,
      h("small", { class: `state ${decision.state}` }, `${mark} ${view.t(key)}`),
    ),
    h(
      "p",
      { class: "dim" },
      [decision.body && view.unit(decision.body), view.t("requestedBy", { unit: view.unit(decision.requested_by) })].filter(Boolean).join(" · "),
      decision.state === "open" && " · ",
      decision.state === "open" && clockWords(view, decision.deadline_ms),
    ),
    h(
      "ul",
      { class: "concurrences" },
      decision.needed.map((partner) => {
        const given = decision.concurrences.find((c) => c.partner === partner);
        if (!given) return h("li", { key: partner, class: "not-yet" }, `✕ ${partner} ${view.t("waitsFor")}`);
        const agreed = given.outcome === "concur";
        return h(
          "li",
          { key: partner, class: agreed ? "has" : "not-yet" },
          `${agreed ? "✓" : "✕"} ${partner} ${view.t(agreed ? "concurred" : "refusedBy")} ${view.clock(given.time_ms)}`,
        );
      }),
    ),
  );
}

export function tasksPanel(view: View): VNode[] {
  const open = [...view.state.tasks.values()]
    .filter((t) => t.state !== "done")
    .sort((a, b) => Number(a.state === "expired") - Number(b.state === "expired") || a.deadline_ms - b.deadline_ms);
  if (open.length === 0) return [h("p", { class: "none" }, view.t("noTask"))];
  return [h("ul", { class: "tasks" }, open.map((task) => taskItem(view, task)))];
}

function taskItem(view: View, task: Task): VNode {
  return h(
    "li",
    { key: task.task, "data-state": task.state },
    h("b", { lang: "en" }, task.title || task.action),
    h(
      "span",
      { class: "dim" },
      ` ${view.t("taskFor", { posts: task.posts.map((post) => view.unit(post)).join(", ") })} · `,
      task.state === "expired" ? h("b", { class: "caution" }, `▲ ${view.t("taskExpired")}`) : clockWords(view, task.deadline_ms),
    ),
  );
}

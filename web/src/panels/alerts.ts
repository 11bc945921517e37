/** The public alert: its words in the reader's language, and who has it, who has acknowledged it and who has not. */
import { h, type VNode } from "../dom";
import type { Alert, Recipient } from "../protocol";
import { alertsNewestFirst } from "../state";
import { LANGUAGE_NAMES, LANGUAGES, regionName, type Language } from "../text";
import type { TextKey } from "../text/en";
import type { View } from "../view";
import { hopsOf } from "./reach";
import { reasonText } from "./warnings";

const TYPE_WORDS: Record<Alert["alert_type"], TextKey> = { Alert: "alertAlert", Update: "alertUpdate", Cancel: "alertCancel" };
const OLDER_SHOWN = 5;

export interface AlertActions {
  /** Language in which the alert's text is read; null: the page's. */
  chosen: Language | null;
  choose(language: Language): void;
}

export function alertsPanel(view: View, actions: AlertActions): VNode[] {
  const { alerts, replaced } = alertsNewestFirst(view.state);
  const standing = alerts.filter((a) => !replaced.has(a.identifier));
  const older = alerts.filter((a) => replaced.has(a.identifier)).slice(0, OLDER_SHOWN);
  if (alerts.length === 0) return [h("p", { class: "none" }, view.t("noAlert"))];
  return [
    ...standing.map((alert) => alertCard(view, alert, actions)),
    older.length > 0 ? h("p", { class: "older-head dim" }, view.t("alertOlder")) : null,
    ...older.map((alert) =>
      h(
        "p",
        { class: "ended", key: alert.id },
        `■ ${view.t(TYPE_WORDS[alert.alert_type])} · ${view.t("alertBy", { unit: view.unit(alert.unit), partner: alert.partner })} · ${view.t("alertSent", { time: view.clockZone(alert.sent_ms) })} · ${view.t("alertReplaced")}`,
      ),
    ),
  ].filter((node): node is VNode => node !== null);
}

function alertCard(view: View, alert: Alert, actions: AlertActions): VNode {
  const cancel = alert.alert_type === "Cancel";
  const expired = view.nowMs > alert.expires_ms;
  return h(
    "article",
    { class: cancel ? "card alert cancel" : "card alert", key: alert.id },
    h(
      "h3",
      {},
      `${cancel ? "■" : "◆"} ${view.t(TYPE_WORDS[alert.alert_type])}`,
      h("small", {}, view.t(alert.status === "Exercise" ? "statusExercise" : "statusActual")),
    ),
    cancel && h("p", {}, alert.hazard && alert.reason === "passed" ? view.t("hazardPassed") : reasonText(view, alert.reason)),
    alert.hazard && h("p", { class: "dim", "data-on-word": alert.hazard.identifier }, `△ ${view.t("onWordOf", { agency: agencyName(view, alert.hazard) })} · ${alert.hazard.sender}`),
    alert.automatic && h("p", { class: "caution" }, `▲ ${view.t("automaticAlert")}`),
    h(
      "p",
      { class: "dim" },
      `${view.t("alertBy", { unit: view.unit(alert.unit), partner: alert.partner })} · ${view.t("alertSent", { time: view.clockZone(alert.sent_ms) })}`,
      " · ",
      h("span", { class: expired ? "caution" : "" }, view.t(expired ? "alertExpired" : "alertExpires", { time: view.clockZone(alert.expires_ms) })),
    ),
    alert.areas.length > 0 && h("p", { class: "alert-areas" }, `${view.t("areas")}: ${alert.areas.map((a) => regionName(view.language, a)).join(", ")}`),
    words(view, alert, actions),
    reach(view, alert),
    ...hopsOf(view, view.state.reach.get(alert.id)),
  );
}

function words(view: View, alert: Alert, actions: AlertActions): VNode {
  const chosen = actions.chosen ?? view.language;
  const found = alert.texts.find((t) => t.language.slice(0, 2) === chosen);
  const given = new Set(alert.texts.map((t) => t.language.slice(0, 2)));
  return h(
    "div",
    { class: "alert-words" },
    h(
      "div",
      { class: "switch", role: "group", "aria-label": view.t("alertText") },
      LANGUAGES.map((language) =>
        h(
          "button",
          {
            type: "button",
            key: language,
            "aria-pressed": String(language === chosen),
            disabled: !given.has(language),
            onclick: () => actions.choose(language),
          },
          LANGUAGE_NAMES[language],
        ),
      ),
    ),
    found
      ? h(
          "blockquote",
          { lang: chosen, id: "alert-words", tabindex: 0 },
          h("strong", {}, found.headline),
          h("p", {}, found.description),
          found.instruction && h("p", { class: "instruction" }, found.instruction),
        )
      : h("p", { class: "none" }, view.t("noText")),
  );
}

function reach(view: View, alert: Alert): VNode {
  const known = view.state.reach.get(alert.id);
  const recipients: Recipient[] =
    known?.recipients ??
    alert.recipients.map((unit) => ({ unit, name: view.unit(unit), received_ms: null, acknowledged_ms: null, by: "" }));
  const acknowledged = recipients.filter((r) => r.acknowledged_ms !== null).length;
  const received = recipients.filter((r) => r.received_ms !== null || r.acknowledged_ms !== null).length;
  const missing = recipients.length - received;
  return h(
    "div",
    { class: "reach" },
    h("h4", {}, view.t("reach")),
    h(
      "p",
      { class: acknowledged === recipients.length ? "good" : "caution", id: "reach-summary" },
      view.t("reachSummary", { all: recipients.length, acknowledged, received, missing }),
    ),
    h(
      "table",
      { class: "recipients" },
      h(
        "thead",
        {},
        h("tr", {}, (["recipient", "received", "acknowledged"] as const).map((key) => h("th", { scope: "col" }, view.t(key)))),
      ),
      h("tbody", {}, recipients.map((r) => recipientRow(view, r))),
    ),
  );
}

function recipientRow(view: View, recipient: Recipient): VNode {
  const when = (timeMs: number | null) =>
    timeMs === null
      ? h("td", { class: "not-yet" }, `✕ ${view.t("notYet")}`)
      : h("td", { class: "has" }, `✓ ${view.clock(timeMs)}`);
  return h(
    "tr",
    { key: recipient.unit, "data-unit": recipient.unit, "data-acknowledged": String(recipient.acknowledged_ms !== null) },
    h("th", { scope: "row" }, recipient.name || view.unit(recipient.unit)),
    when(recipient.received_ms),
    when(recipient.acknowledged_ms),
  );
}

function agencyName(view: View, word: NonNullable<Alert["hazard"]>): string {
  return view.language === "ja" ? word.agency_ja : view.language === "ko" ? word.agency_ko : word.agency;
}

/** The list of keys, shown on "?". */
import { h, type VNode } from "../dom";
import type { TextKey } from "../text/en";
import type { View } from "../view";

export const KEYS: readonly [string, TextKey][] = [
  ["?", "keyHelp"],
  ["L", "keyLanguage"],
  ["F", "keyFit"],
  ["Z", "keyZoom"],
  ["G", "keyLegend"],
  ["1 2 3", "keyPartner"],
  ["M", "keyMap"],
  ["W", "keyWarning"],
  ["A", "keyAlert"],
  ["H", "keyHazard"],
  ["B", "keyAlarm"],
  ["C", "keyCount"],
  ["D", "keyDecision"],
  ["O", "keyGateway"],
  ["R", "keyRefusal"],
  ["T", "keyTimeline"],
  ["S", "keyFilter"],
  ["← ↑ → ↓ + −", "keyMove"],
  ["Tab", "keyTab"],
  ["Esc", "keyEscape"],
];

export function helpPanel(view: View, close: () => void): VNode[] {
  const { hello } = view.state;
  return [
    h("h2", { id: "help-title" }, view.t("help")),
    h(
      "table",
      { class: "keys" },
      h("tbody", {}, KEYS.map(([keys, what]) => h("tr", {}, h("th", { scope: "row" }, keys.split(" ").map((k) => h("kbd", {}, k))), h("td", {}, view.t(what))))),
    ),
    hello && h("p", { class: "dim", lang: "en" }, `noroshi ${hello.version} · ${hello.node} · ${hello.attribution} · Natural Earth`),
    h("button", { type: "button", id: "help-close", onclick: close }, `${view.t("close")} (Esc)`),
  ].filter((node): node is VNode => node !== null);
}

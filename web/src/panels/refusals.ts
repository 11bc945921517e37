/**
 * What was not let in: what cannot be believed and whose it is, counts by source and reason, the newest one by one.
 *
 * Everything here comes with the rows of the staff's stream; a door's counts come to it some seconds after the fact.
 */
import { h, type VNode } from "../dom";
import type { Refusal, Refused, Security } from "../protocol";
import { securityAlarms } from "../state";
import type { TextKey } from "../text/en";
import type { View } from "../view";

const NEWEST_SHOWN = 8;
const SOURCES_SHOWN = 6;
const REASONS_SHOWN = 4;

const ENTRANCES: Record<string, TextKey> = {
  partner: "entranceLink",
  post: "entrancePost",
  relay: "entranceRelay",
  gateway: "entranceGateway",
  hand: "entranceHand",
  file: "entranceHand",
  feed: "entranceFeed",
  control: "entranceControl",
  door: "entranceDoor",
};

/** Families of reasons, the first that fits: the record's own word stands beside, as in the manual. */
const FAMILIES: readonly [RegExp, TextKey][] = [
  [/^(repeated|duplicate|not-kept:duplicate)/, "whyRepeated"],
  [/^(not-kept|too-many|too-much|too-slow|full|no-files)/, "whyTooMuch"],
  [/(contradict|differs|in-our-own-name|came-back|takes-back|went-back)/, "whyContradictory"],
  [/^(future-dated|malformed-time)/, "whyFuture"],
  [/(realm|wrong-status)/, "whyRealm"],
  [/(sign|certificate|handshake|unknown-key|expired-key|revoked|wrong-speaker|forged)/, "whySignature"],
  [/(oversize|too-large|too-long)/, "whyLarge"],
  [/(malformed|not-canonical|impossible|unfit|unreadable|unknown-version|no-hello)/, "whyMalformed"],
  [/(entitled|token|host-or-origin|no-authority|not-this|may-not|bound-to|speaks-for)/, "whyNotEntitled"],
  [/(stale|too-old|older|expired|late)/, "whyLate"],
];

/** `of another realm (foreign-realm)` */
export function reasonWords(view: View, reason: string): string {
  const family = FAMILIES.find(([fits]) => fits.test(reason));
  return family ? `${view.t(family[1])} (${reason})` : reason;
}

/** By what entrance, and who: `Link · KOR`. */
export function sourceWords(view: View, party: string): string {
  const [side, ...rest] = party.split(":");
  const key = rest.length > 0 ? ENTRANCES[side!] : undefined;
  return key ? `${view.t(key)} · ${rest.join(":").replace(" ", " · ")}` : party;
}

export function refusalsPanel(view: View): VNode[] {
  const { state } = view;
  const security = [...state.security.values()].sort((a, b) => Number(b.level === "alarm") - Number(a.level === "alarm") || b.last_ms - a.last_ms);
  const sources = [...state.refused.values()].sort((a, b) => b.last_ms - a.last_ms || a.party.localeCompare(b.party));
  const newest = state.refusals.slice(-NEWEST_SHOWN).reverse();
  if (security.length + sources.length + newest.length === 0) return [h("p", { class: "none" }, view.t("noRefusal"))];
  const shown: VNode[] = [];
  if (security.length > 0)
    shown.push(h("h3", { key: "s" }, view.t("security")), h("ul", { class: "refusals", id: "security", key: "security" }, security.map((one) => securityItem(view, one))));
  if (sources.length > 0) {
    const all = sources.reduce((sum, one) => sum + one.count, 0);
    shown.push(h("h3", { key: "c" }, view.t("refusedCounts", { count: all, sources: sources.length })), sourceTable(view, sources.slice(0, SOURCES_SHOWN), "refused"));
    if (sources.length > SOURCES_SHOWN)
      shown.push(
        h("details", { key: "more" }, h("summary", {}, view.t("refusedMore", { count: sources.length - SOURCES_SHOWN })), sourceTable(view, sources.slice(SOURCES_SHOWN), "refused-more")),
      );
  }
  if (newest.length > 0) shown.push(h("h3", { key: "n" }, view.t("refusedNewest")), h("ul", { class: "refusals", key: "newest" }, newest.map((one) => newestItem(view, one))));
  return shown;
}

function securityItem(view: View, one: Security): VNode {
  const alarm = one.level === "alarm";
  const since = one.first_ms === one.last_ms ? view.clockZone(one.first_ms) : `${view.clock(one.first_ms)} – ${view.clockZone(one.last_ms)}`;
  return h(
    "li",
    { key: `${one.level}:${one.party}`, class: alarm ? "caution" : "", "data-level": one.level, "data-party": one.party },
    h("b", {}, `${alarm ? "▲" : "◆"} ${view.t(alarm ? "securityAlarm" : "securityNotice")} · ${sourceWords(view, one.party)}`),
    " ",
    alarm && one.says ? h("span", { lang: "en" }, one.says.replace(/^ALARM: /, "")) : reasonsOf(view, one.reasons),
    h("small", { class: "figures" }, ` ${since}`),
  );
}

function sourceTable(view: View, sources: Refused[], id: string): VNode {
  return h(
    "table",
    { class: "plain refused", id, key: id },
    h(
      "thead",
      {},
      h("tr", {}, h("th", { scope: "col" }, view.t("refusedSource")), h("th", { scope: "col", class: "number" }, view.t("refusedCount")), h("th", { scope: "col" }, view.t("refusedWhy")), h("th", { scope: "col" }, view.t("refusedLast"))),
    ),
    h(
      "tbody",
      {},
      sources.map((one) =>
        h(
          "tr",
          { key: one.party, "data-party": one.party },
          h("th", { scope: "row" }, sourceWords(view, one.party)),
          h("td", { class: "figures number" }, String(one.count)),
          h("td", {}, reasonsOf(view, one.reasons)),
          h("td", { class: "figures" }, view.clock(one.last_ms)),
        ),
      ),
    ),
  );
}

/** Reasons with their counts, the commonest first. */
function reasonsOf(view: View, reasons: Record<string, number>): string {
  const sorted = Object.entries(reasons).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  const more = sorted.length > REASONS_SHOWN ? `, +${sorted.length - REASONS_SHOWN}` : "";
  return sorted.slice(0, REASONS_SHOWN).map(([reason, count]) => `${count} × ${reasonWords(view, reason)}`).join(", ") + more;
}

function newestItem(view: View, one: Refusal): VNode {
  return h(
    "li",
    {},
    h("span", { class: "figures" }, view.clock(one.time_ms)),
    ` ${sourceWords(view, one.party)}: `,
    h("b", {}, reasonWords(view, one.reason)),
    one.detail ? h("span", { class: "dim detail", lang: "en" }, ` ${one.detail}`) : "",
  );
}

/** Alarms that have no end of their own: they stand for a day among the others that are raised. */
export function securityAlarmItems(view: View): VNode[] {
  return securityAlarms(view.state, view.nowMs).map((one) =>
    h("li", { class: "caution", key: `security:${one.party}`, "data-what": "security" }, `▲ ${one.says}`, h("small", {}, ` ${view.clockZone(one.first_ms)}`)),
  );
}

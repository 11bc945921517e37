/** What leads outside and what comes in: links, relays, TAK groups, feeds of other agencies; who counts how many objects. */
import { h, type VNode } from "../dom";
import type { Count, Gateway, RelayRow } from "../protocol";
import { countsInOrder } from "../state";
import type { TextKey } from "../text/en";
import { durationText } from "../time";
import type { View } from "../view";

const GOOD = "●", WAITING = "▲", BAD = "✕", UNKNOWN = "◌";
const COUNTS_SHOWN = 3;

/** One way: its name, a mark with a word, and what there is to say of it. */
interface Way {
  key: string;
  name: string;
  mark: string;
  word: string;
  says: string;
}

export function gatewaysPanel(view: View): VNode[] {
  const { state } = view;
  const ways = [
    ...[...state.relays.values()].map((one) => relayWay(view, one)),
    ...[...state.gateways.values()].map((one) => gatewayWay(view, one)),
    ...[...state.feeds.values()].map((one): Way => {
      const word: TextKey = one.state === "fresh" ? "wayFresh" : one.state === "failing" ? "wayFailing" : "linkSilent";
      return { key: `feed:${one.feed}`, name: `${view.t("entranceFeed")} ${one.feed}`, mark: one.state === "fresh" ? GOOD : one.state === "failing" ? WAITING : BAD, word: view.t(word), says: one.detail };
    }),
  ];
  if (ways.length === 0) return [h("p", { class: "none" }, view.t("noGateway"))];
  const rank = (one: Way) => [BAD, WAITING, UNKNOWN, GOOD].indexOf(one.mark);
  ways.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
  return [
    h(
      "table",
      { class: "plain ways" },
      h(
        "tbody",
        {},
        ways.map((one) =>
          h(
            "tr",
            { key: one.key, "data-way": one.key },
            h("th", { scope: "row" }, one.name),
            h("td", { class: one.mark === GOOD ? "good" : one.mark === UNKNOWN ? "dim" : "caution" }, `${one.mark} ${one.word}`),
            h("td", {}, one.says),
          ),
        ),
      ),
    ),
  ];
}

function relayWay(view: View, one: RelayRow): Way {
  const line = one.line ?? "";
  const [mark, word]: [string, TextKey] =
    line === "up" ? [GOOD, "linkUp"] : line === "silent" ? [BAD, "linkSilent"] : line === "down" ? [BAD, "linkDown"] : line === "removed" ? [UNKNOWN, "wayRemoved"] : [UNKNOWN, "linkUnknown"];
  const since = one.since_ms ? view.t("linkSince", { age: durationText(view.nowMs - one.since_ms) }) : "";
  const hops = typeof one.connected === "number" ? view.t("wayConnected", { connected: one.connected, all: one.hops }) : view.t("wayServes", { all: one.hops });
  return { key: `relay:${one.relay}`, name: `${view.t("entranceRelay")} ${one.relay}`, mark, word: view.t(word), says: [hops, one.roster, since].filter(Boolean).join(" · ") };
}

function gatewayWay(view: View, one: Gateway): Way {
  const refused = Object.entries(one.counts)
    .filter(([name]) => /^(refused|malformed|cut-off)(:|$)/.test(name))
    .reduce((sum, [, count]) => sum + count, 0);
  const says = [
    view.t("wayClients", { count: one.clients }),
    one.partners.join(", "),
    refused > 0 && view.t("wayRefused", { count: refused }),
  ];
  return { key: `gateway:${one.group}`, name: `${view.t("entranceGateway")} ${one.group}`, mark: one.clients > 0 ? GOOD : UNKNOWN, word: view.t(one.clients > 0 ? "linkUp" : "wayNobody"), says: says.filter(Boolean).join(" · ") };
}

/** Who counts how many objects, the newest occurrence first; what this node sees nothing of last. */
export function countsPanel(view: View): VNode[] {
  const all = countsInOrder(view.state);
  if (all.length === 0) return [h("p", { class: "none" }, view.t("noCount"))];
  const asked = [...view.state.tasks.values()].some((task) => task.state === "open" && task.action === "correct-count");
  return [
    ...all.slice(0, COUNTS_SHOWN).map((one) => countCard(view, one)),
    ...(asked ? [h("p", { class: "caution", key: "asked" }, `☐ ${view.t("countAsked")}`)] : []),
  ];
}

function countCard(view: View, one: Count): VNode {
  const differs = one.differs === true;
  const key = one.event ?? one.partner ?? "";
  if (!one.partners) return h("p", { key, class: "caution" }, `▲ ${view.t("countUnseen", { partner: one.partner ?? "", count: one.count })}`);
  const bounds = one.least === one.most ? String(one.count) : `${one.count} (${one.least}–${one.most})`;
  return h(
    "article",
    { class: `card count ${differs ? "differs" : ""}`, key, "data-differs": String(differs) },
    h("p", { class: differs ? "caution" : "good" }, differs ? `▲ ${view.t("countsDiffer")}` : `✓ ${view.t("countsAgree")}`, h("small", { class: "figures dim" }, ` ${view.clockZone(one.time_ms)}`)),
    h(
      "ul",
      { class: "concurrences" },
      one.partners.map((each) =>
        h("li", { key: each.partner, "data-partner": each.partner }, `${each.partner} `, h("b", { class: "figures" }, String(each.count)), each.by ? ` · ${view.t("countBy", { post: view.unit(each.by) })}` : each.stated ? "" : ` · ${view.t("countSeen")}`),
      ),
      h("li", { key: "picture", class: "dim" }, `${view.t("countPicture")} `, h("b", { class: "figures" }, bounds)),
    ),
  );
}

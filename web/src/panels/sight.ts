/** The line under the band: whose evidence the picture uses, how old it is, and how the links stand. */
import { h, type VNode } from "../dom";
import { evidence, sameEvents } from "../state";
import { partnerName } from "../text";
import { clockText, durationText, isOld } from "../time";
import type { View } from "../view";

export function sight(view: View): VNode[] {
  const { from, nothingFrom, lastObservedMs } = evidence(view.state);
  const old = lastObservedMs !== null && isOld(lastObservedMs, view.nowMs, view.speed);
  return [
    h(
      "span",
      { class: "sight-item", id: "sight-from" },
      from.length === 0
        ? view.t("sightNone")
        : [
            `${view.t("sightFrom")}: `,
            h("b", {}, from.join(", ")),
            nothingFrom.length > 0 && " · ",
            nothingFrom.length > 0 && h("b", { class: "caution" }, view.t("sightNothing", { partners: nothingFrom.join(", ") })),
          ],
    ),
    lastObservedMs !== null &&
      h(
        "span",
        { class: old ? "sight-item caution" : "sight-item", id: "last-observed", "data-old": String(old) },
        old ? "▲ " : "",
        view.t(old ? "lastObservedOld" : "lastObserved", { age: durationText(view.nowMs - lastObservedMs) }),
        ` (${view.clockZone(lastObservedMs)})`,
      ),
    h("span", { class: "sight-item", id: "sight-links" }, `${view.t("links")}: `, links(view)),
  ].filter((node): node is VNode => node !== false);
}

const LINK_MARKS = { up: "●", silent: "▲", down: "✕" } as const;
const LINK_WORDS = { up: "linkUp", silent: "linkSilent", down: "linkDown" } as const;

function others(view: View): string[] {
  const own = view.state.hello?.partner;
  const named = (view.state.hello?.partners ?? []).map((p) => p.partner);
  return [...new Set([...named, ...view.state.links.keys()])].filter((p) => p !== own);
}

/** The words for a partner of whose link nothing was reported: there may be none. */
function unheard(view: View, partner: string): "linkNone" | "linkUnknown" {
  const neighbours = view.state.hello?.neighbours;
  return neighbours && !neighbours.includes(partner) ? "linkNone" : "linkUnknown";
}

function links(view: View): VNode[] {
  return others(view).map((partner) => {
    const link = view.state.links.get(partner);
    return link
      ? h("span", { class: `link ${link.state}`, key: partner }, `${LINK_MARKS[link.state]} ${partner} ${view.t(LINK_WORDS[link.state])} `)
      : h("span", { class: "link", key: partner }, `◌ ${partner} ${view.t(unheard(view, partner))} `);
  });
}

/** When a radar could first see each object that only infrared has reported. */
function firstSights(view: View): string[] {
  return [...view.state.pictures.values()]
    .filter((picture) => picture.state === "tracked")
    .flatMap((picture) =>
      (picture.first_seen_by ?? []).map(({ sensor, time_ms }) =>
        time_ms === null
          ? view.t("firstSightNever", { title: picture.title, sensor })
          : view.t("firstSight", { title: picture.title, sensor, time: clockText(time_ms, view.zone) }),
      ),
    );
}

/** The panel that says it in full. */
export function evidencePanel(view: View): VNode[] {
  const { hello } = view.state;
  const { from, nothingFrom, sensings } = evidence(view.state);
  const name = (p: string) => `${p} (${partnerName(view.language, p, hello?.partners.find((x) => x.partner === p)?.name)})`;
  const kinds = sensings.map((s) => sensingName(view, s)).join(", ");
  return [
    h(
      "p",
      { id: "evidence-from" },
      from.length === 0 ? view.t("sightNone") : `${view.t("sightFrom")}: ${from.map(name).join(", ")}.`,
    ),
    nothingFrom.length > 0 &&
      h("p", { class: "caution", id: "evidence-nothing" }, `▲ ${view.t("sightNothing", { partners: nothingFrom.map(name).join(", ") })}.`),
    kinds && h("p", {}, view.t("evidenceSensing", { sensings: kinds })),
    ...sameEvents(view.state).map((pair) =>
      h("p", { class: "dim" }, view.t(pair.same ? "sameEvent" : "notSameEvent", { one: pair.one, other: pair.other })),
    ),
    ...view.state.findings.map((one) => h("p", { class: "caution", lang: "en" }, view.t("finding", { says: one.says }))),
    ...firstSights(view).map((says) => h("p", { class: "caution" }, says)),
    h("table", { class: "plain", id: "links" }, h("tbody", {}, others(view).map((partner) => linkRow(view, partner)))),
    h("p", { class: "dim" }, view.t("evidenceNote")),
    hello && h("p", { class: "dim", lang: "en" }, view.t("structure", { title: hello.structure.title || hello.structure.id })),
    view.state.unreadable > 0 && h("p", { class: "caution" }, view.t("unreadable", { count: view.state.unreadable })),
  ].filter((node): node is VNode => typeof node === "object" && node !== null);
}

function linkRow(view: View, partner: string): VNode {
  const link = view.state.links.get(partner);
  const offset = link && Math.abs(link.offset_s) >= 0.05 ? view.t("linkOffset", { offset: link.offset_s.toFixed(1) }) : "";
  return h(
    "tr",
    { key: partner },
    h("th", { scope: "row" }, `${view.t("links")} ${partner}`),
    h("td", { class: `link ${link?.state ?? ""}` }, link ? `${LINK_MARKS[link.state]} ${view.t(LINK_WORDS[link.state])}` : `◌ ${view.t(unheard(view, partner))}`),
    h("td", {}, link && link.since_ms > 0 ? view.t("linkSince", { age: durationText(view.nowMs - link.since_ms) }) : ""),
    h("td", {}, offset),
  );
}

export function sensingName(view: View, sensing: string): string {
  return sensing === "radar" ? view.t("radar") : sensing === "infrared" ? view.t("infrared") : sensing;
}

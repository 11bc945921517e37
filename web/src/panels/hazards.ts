/** Other agencies' alerts in their own words, feeds that are silent, and what is said in an authority's name. */
import { h, type VNode } from "../dom";
import type { Hazard, HazardStanding, HazardText, Relayed } from "../protocol";
import { openHazards } from "../state";
import type { TextKey } from "../text/en";
import type { View } from "../view";
import { reasonText } from "./warnings";

const ENDED_SHOWN = 3;
const RELAYS_SHOWN = 5;
const AREAS_SHOWN = 12;

export const SIGNATURES: Record<Hazard["signature"], TextKey> = { signed: "hazardSigned", unsigned: "hazardUnsigned", "not-checked": "hazardNotChecked" };
const ENDS: Partial<Record<HazardStanding, TextKey>> = {
  expired: "hazardExpired",
  superseded: "hazardSuperseded",
  cancelled: "hazardCancelled",
  withdrawn: "hazardWithdrawn",
};
const VERDICTS: Record<Relayed["verdict"], TextKey> = {
  unverified: "relayUnverified",
  verified: "relayVerified",
  ended: "relayEnded",
  "other-words": "relayOtherWords",
};

export function hazardsPanel(view: View): VNode[] {
  const open = openHazards(view.state);
  const ended = [...view.state.hazards.values()].filter((one) => one.state !== "standing").slice(-ENDED_SHOWN).reverse();
  return [
    ...[...view.state.feeds.values()].filter((feed) => feed.state !== "fresh").map((feed) =>
      h("p", { class: feed.state === "stale" ? "caution" : "dim", key: `feed:${feed.feed}` }, view.t(feed.state === "stale" ? "feedStale" : "feedFailing", { feed: feed.feed, detail: feed.detail })),
    ),
    ...(open.length === 0 ? [h("p", { class: "none", key: "none" }, view.t("noHazard"))] : open.map((one) => hazardCard(view, one))),
    ...ended.map((one) => {
      const key = ENDS[one.state];
      return h("p", { class: "ended", key: `ended:${one.hazard}` }, `■ ${view.t("hazardEnded", { name: `${nameOf(view, one)}: ${textOf(view, one)?.event ?? one.event}`, state: key ? view.t(key) : one.state })}`);
    }),
    ...relayCards(view),
  ];
}

/** The agency's text in the reader's language, else its first. */
export function textOf(view: View, hazard: Hazard): HazardText | undefined {
  return hazard.texts.find((text) => text.language.slice(0, 2) === view.language) ?? hazard.texts[0];
}

function nameOf(view: View, hazard: Hazard): string {
  return textOf(view, hazard)?.sender_name || hazard.sender_name || hazard.sender;
}

function hazardCard(view: View, hazard: Hazard): VNode {
  const text = textOf(view, hazard);
  const posts = view.state.acknowledgedBy.get(hazard.id) ?? [];
  return h(
    "article",
    { class: "card hazard", key: hazard.hazard, "data-hazard": hazard.identifier, "data-act": String(hazard.act) },
    h("h3", { lang: text?.language ?? null }, `△ ${text?.event ?? hazard.event}`, h("small", {}, view.t(hazard.status === "Exercise" ? "statusExercise" : "statusActual"))),
    h(
      "p",
      { class: "dim" },
      `${view.t("hazardFrom", { sender: nameOf(view, hazard), partners: hazard.partners.join(", ") })} · ${hazard.sender} · ${view.t(SIGNATURES[hazard.signature])}`,
    ),
    h(
      "p",
      {},
      hazard.act && h("b", { class: "act" }, `${view.t("hazardAct")} · `),
      `${hazard.severity} · ${hazard.urgency} · ${hazard.certainty} · `,
      hazard.onset_ms !== null && `${view.t("hazardFromTime", { time: view.clockZone(hazard.onset_ms) })} · `,
      view.t("validUntil", { time: view.clockZone(hazard.expires_ms) }),
    ),
    text && h("blockquote", { lang: text.language, tabindex: 0 }, ...[text.headline, text.description, text.instruction].filter(Boolean).map((words) => h("p", {}, words))),
    hazard.areas.length > 0 &&
      h("p", { class: "alert-areas" }, `${view.t("hazardAreas")}: ${hazard.areas.slice(0, AREAS_SHOWN).join(", ")}${hazard.areas.length > AREAS_SHOWN ? " …" : ""}${hazard.thinned ? ` (${view.t("hazardThinned")})` : ""}`),
    hazard.by_geocode !== undefined && hazard.by_geocode.length > 0 &&
      h("p", { class: "dim", "data-by-geocode": "true" }, view.t("hazardByCode", { areas: hazard.by_geocode.slice(0, AREAS_SHOWN).join(", ") })),
    alertOf(view, hazard),
    (hazard.act || posts.length > 0) &&
      h("p", { class: posts.length > 0 ? "dim" : "caution" }, posts.length > 0 ? `✓ ${view.t("hazardAcknowledged", { posts: posts.map((post) => view.unit(post)).join(", ") })}` : view.t("hazardNotYet")),
  );
}

function relayCards(view: View): VNode[] {
  const newest = view.state.relayed.slice(-RELAYS_SHOWN).reverse();
  if (newest.length === 0) return [];
  return [h("h3", { key: "relays" }, view.t("relays")), ...newest.map((relay, place) => relayCard(view, relay, place))];
}

function relayCard(view: View, relay: Relayed, place: number): VNode {
  const own = view.state.hello?.partner;
  return h(
    "article",
    { class: `card relay ${relay.verdict}`, key: `relay:${relay.time_ms}:${place}`, "data-verdict": relay.verdict },
    h("p", {}, h("b", {}, `${relay.verdict === "verified" ? "✓" : "▲"} ${view.t(VERDICTS[relay.verdict])}`)),
    h("p", { class: "dim" }, `${view.t("relayBy", { outlet: relay.outlet, unit: relay.unit_name || relay.unit })} · ${view.clockZone(relay.said_ms)}`),
    h("blockquote", {}, relay.text),
    relay.told_by !== own && h("p", { class: "dim" }, view.t("relayToldBy", { partner: relay.told_by })),
    relay.tells && h("p", { class: "dim" }, view.t("relayTells", { partner: relay.tells })),
  );
}

/** What it has led to here: a draft that waits, none since it was not said to the public, or an alert that is over. */
function alertOf(view: View, hazard: Hazard): VNode | null {
  const found = view.state.hazardAlerts.get(hazard.hazard);
  if (!found) return null;
  const regions = found.regions.slice(0, AREAS_SHOWN).join(", ");
  const over = found.state !== "open";
  const words = over ? view.t("hazardOver", { reason: found.reason === "passed" ? view.t("hazardPassed") : reasonText(view, found.reason) }) : view.t(found.held ? "hazardHeld" : "hazardDrafted", { regions });
  return h("p", { class: found.held || over ? "caution" : "act", "data-hazard-alert": over ? "over" : found.held ? "held" : "open" }, `◆ ${words}`);
}

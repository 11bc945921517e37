/** The band on top: the realm in words and pattern, whose page it is, the clocks and the connection. Always visible. */
import { h, type VNode } from "../dom";
import type { PartnerInfo } from "../protocol";
import { LANGUAGE_NAMES, partnerInSentence, partnerName } from "../text";
import { clockText, dayText, durationText, zoneName } from "../time";
import type { View } from "../view";

/** The realm in all three languages at once: a neighbour looking over the shoulder must understand it too. */
export const REALM_WORDS = {
  exercise: "EXERCISE · 訓練 · 훈련",
  real: "REAL, NOT AN EXERCISE · 実際 · 실제 상황",
};

export interface BandActions {
  language(): void;
  help(): void;
  addressOf(partner: PartnerInfo): string;
}

export function band(view: View, actions: BandActions): VNode[] {
  const { hello } = view.state;
  return [
    h(
      "div",
      { class: "realm", id: "realm" },
      h("strong", {}, hello ? REALM_WORDS[hello.realm_kind] : view.t("realmUnknown")),
      h("span", { class: "realm-title" }, hello?.title ?? ""),
    ),
    partners(view, actions),
    clocks(view),
    connection(view),
    h(
      "div",
      { class: "tools" },
      h(
        "button",
        { id: "language", type: "button", onclick: actions.language, title: `${view.t("changeLanguage")} (L)` },
        LANGUAGE_NAMES[view.language],
      ),
      h("button", { id: "help-button", type: "button", onclick: actions.help, title: `${view.t("help")} (?)` }, "?"),
    ),
  ];
}

function partners(view: View, actions: BandActions): VNode {
  const { hello } = view.state;
  const items = (hello?.partners ?? []).map((partner, index) => {
    const own = partner.partner === hello?.partner;
    const label = [h("kbd", {}, String(index + 1)), ` ${partner.partner}`];
    const name = partnerName(view.language, partner.partner, partner.name);
    return own || !partner.url
      ? h("span", { class: own ? "partner own" : "partner", "aria-current": own && "page", title: name }, label)
      : h("a", { class: "partner", href: actions.addressOf(partner), title: name }, label);
  });
  const own = hello?.partners.find((p) => p.partner === hello.partner);
  return h(
    "nav",
    { class: "partners", "aria-label": view.t("otherPages") },
    h(
      "span",
      { class: "own-name", id: "own-partner" },
      hello ? view.t("pageOf", { partner: partnerInSentence(view.language, hello.partner, own?.name) }) : view.t("loading"),
    ),
    h("span", { class: "partner-row" }, items),
  );
}

function clocks(view: View): VNode {
  if (!view.state.clock) return h("div", { class: "clocks" });
  const speed = view.state.clock.stopped || view.speed === 0 ? view.t("paused") : view.t("speed", { speed: speedText(view.speed) });
  return h(
    "div",
    { class: "clocks", id: "clocks" },
    h(
      "span",
      { class: "clock" },
      h("small", {}, `UTC ${dayText(view.nowMs, "UTC")}`),
      h("b", { id: "clock-utc" }, `${clockText(view.nowMs, "UTC")}Z`),
    ),
    h(
      "span",
      { class: "clock" },
      h("small", {}, `${zoneName(view.zone)} ${dayText(view.nowMs, view.zone).slice(5)}`),
      h("b", { id: "clock-local" }, view.clock(view.nowMs)),
    ),
    h("span", { class: "speed", id: "speed" }, view.state.clock.stopped && view.state.bye !== null ? view.t("ended") : speed),
  );
}

const speedText = (speed: number): string => (Number.isInteger(speed) ? String(speed) : speed.toFixed(1));

function connection(view: View): VNode {
  const { connection: at } = view;
  const [mark, words] =
    at.state === "live"
      ? ["●", view.t("live")]
      : at.state === "connecting"
        ? ["◌", view.t("connecting")]
        : at.state === "ended"
          ? ["■", view.t("ended")]
          : ["▲", view.t("lost", { age: durationText(view.mono - at.since) })];
  return h(
    "div",
    { class: `connection ${at.state}`, id: "connection", "data-state": at.state },
    h("span", { "aria-hidden": "true" }, mark),
    ` ${words}`,
  );
}

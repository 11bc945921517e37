/** What a post signs here: alerts that wait, with what must be typed, corrections that lie ready, and its own passkey. */
import { h, type VNode } from "../dom";
import type { AlertText, Correction, Task } from "../protocol";
import type { TextKey } from "../text/en";
import type { View } from "../view";
import { SIGNATURES } from "./hazards";

export interface SignActions {
  /** What has come of each act, by the name of its form. */
  told: ReadonlyMap<string, string>;
  sign(form: string, post: string, answer: Record<string, unknown>, outcome: "concur" | "refuse", typed: string): void;
  enrol(form: string, post: string, unit: string): void;
}

const SIGNED: Record<string, TextKey> = {
  "originate-alert": "signOriginate",
  "approve-alert": "signApprove",
  "retract-alert": "signTakeBack",
  "stop-alert": "signTakeBack",
  "correct-count": "signCorrect",
};

export function signingPanel(view: View, act: SignActions): VNode[] {
  const open = [...view.state.tasks.values()].filter((task) => task.state === "open" && task.action in SIGNED && task.answer);
  const ready = [...view.state.corrections.values()].filter((one) => one.state === "ready");
  return [
    ...(open.length + ready.length === 0 ? [h("p", { class: "none", key: "none" }, view.t("nothingToSign"))] : []),
    ...open.map((task) => taskForm(view, act, task)),
    ...ready.map((one) => correctionForm(view, act, one)),
    enrolForm(view, act),
  ];
}

const field = (form: string, name: string): string => {
  const found = document.getElementById(`${form}-${name}`) as HTMLInputElement | null;
  return found?.value ?? "";
};

/** A name that may stand in an `id`. */
const formOf = (name: string): string => `sign-${name.replace(/[^a-z0-9]/gi, "-").slice(0, 40)}`;

function postChoice(form: string, posts: string[]): VNode {
  return h("select", { id: `${form}-post`, "aria-label": "post" }, posts.map((post) => h("option", { value: post, key: post }, post)));
}

function outcome(act: SignActions, form: string): VNode {
  return h("output", { class: "told", for: form, key: "told", "aria-live": "polite" }, act.told.get(form) ?? "");
}

/** What a person signs: every word that the public will read, in all its languages, and who is sent it. */
interface Shown {
  texts: AlertText[];
  recipients: string[];
  web?: string;
  contact?: string;
  /** Where it rests on another agency's message: what that says as it came, and what of it is ours. */
  hazard?: Word;
}

interface Word {
  agency: string;
  sender: string;
  identifier: string;
  event: string;
  headline: string;
  severity: string;
  urgency: string;
  certainty: string;
  signature: "signed" | "unsigned" | "not-checked";
  entrance: string;
  ours: string[];
}

/** Whose word a draft rests on, apart from our own words and marked as no observation of ours. */
function wordOf(view: View, word: Word): VNode {
  return h(
    "section",
    { class: "on-word", key: "on-word", tabindex: 0, "data-identifier": word.identifier },
    h("p", { class: "caution" }, `△ ${view.t("onWord", { agency: word.agency })}`),
    h("p", {}, view.t("onWordSays", { event: word.event, headline: word.headline })),
    h("p", {}, view.t("onWordOurs", { regions: word.ours.join(", ") })),
    h("p", { class: "dim" }, `${word.sender} · ${word.identifier} · ${word.severity} · ${word.urgency} · ${word.certainty} · ${word.entrance} · ${view.t(SIGNATURES[word.signature])}`),
  );
}

function wordsOf(view: View, shown: Shown | undefined): VNode[] {
  if (!shown) return [];
  const own = (text: AlertText) => Number(text.language.slice(0, 2) !== view.language);
  const texts = [...shown.texts].sort((a, b) => own(a) - own(b));
  const more = [shown.web, shown.contact].filter(Boolean).join(" · ");
  return [
    ...(shown.hazard ? [wordOf(view, shown.hazard)] : []),
    ...texts.map((text) =>
      h(
        "blockquote",
        { key: `words-${text.language}`, lang: text.language },
        h("strong", {}, text.headline),
        h("p", {}, text.description),
        text.instruction && h("p", {}, text.instruction),
      ),
    ),
    ...(more ? [h("p", { key: "words-more" }, more)] : []),
    h("p", { key: "words-to", class: "dim" }, `→ ${shown.recipients.map((unit) => view.unit(unit)).join(", ")}`),
  ];
}

function taskForm(view: View, act: SignActions, task: Task): VNode {
  const form = formOf(task.task);
  const answer = task.answer ?? {};
  const words = typeof answer["confirm"] === "string" ? answer["confirm"] : "";
  const send = (how: "concur" | "refuse") => act.sign(form, field(form, "post"), answer, how, words ? field(form, "typed") : "");
  return h(
    "form",
    { class: "card sign", id: form, key: form, "data-action": task.action, onsubmit: (event: Event) => { event.preventDefault(); send("concur"); } },
    h("h3", { lang: "en" }, task.title),
    ...wordsOf(view, answer["shown"] as Shown | undefined),
    words && h("label", { for: `${form}-typed`, class: "dim" }, view.t("typeTo", { words })),
    words && h("input", { id: `${form}-typed`, type: "text", autocomplete: "off", spellcheck: "false" }),
    h(
      "p",
      {},
      postChoice(form, task.posts),
      h("button", { type: "submit" }, view.t(SIGNED[task.action]!)),
      h("button", { type: "button", onclick: () => send("refuse") }, view.t(task.action === "correct-count" ? "signStand" : words ? "signRefuse" : "signKeep")),
    ),
    outcome(act, form),
  );
}

/** One act, and no typing: a correction has to be quick. Its words stand there before anybody needs them. */
function correctionForm(view: View, act: SignActions, one: Correction): VNode {
  const form = formOf(`correction-${one.answer["subject"] as string}`);
  const text = one.texts.find((each) => each.language.slice(0, 2) === view.language) ?? one.texts[0];
  const send = () => act.sign(form, field(form, "post"), one.answer, "concur", "");
  return h(
    "form",
    { class: "card sign correction", id: form, key: form, "data-reason": one.reason, onsubmit: (event: Event) => { event.preventDefault(); send(); } },
    h("h3", {}, view.t("correctionReady", { alert: one.of, recipients: one.recipients.length })),
    text && h("blockquote", { lang: text.language }, h("strong", {}, text.headline), h("p", {}, text.description)),
    h("p", {}, postChoice(form, one.posts), h("button", { type: "submit" }, view.t("signTakeBack"))),
    outcome(act, form),
  );
}

function enrolForm(view: View, act: SignActions): VNode {
  const form = "enrol";
  const send = () => act.enrol(form, field(form, "post"), field(form, "unit"));
  const named = location.hostname !== "127.0.0.1" && !location.hostname.startsWith("[");
  return h(
    "details",
    { key: form },
    h("summary", {}, view.t("enrolTitle")),
    !named && h("p", { class: "caution" }, view.t("enrolByName", { address: `http://localhost:${location.port}/` })),
    h(
      "form",
      { id: form, class: "sign", onsubmit: (event: Event) => { event.preventDefault(); send(); } },
      h("label", { for: "enrol-post" }, view.t("enrolPost")),
      h("input", { id: "enrol-post", type: "text", autocomplete: "off", spellcheck: "false", placeholder: "jp-cabsec.watch" }),
      h("label", { for: "enrol-unit" }, view.t("enrolUnit")),
      h("input", { id: "enrol-unit", type: "text", autocomplete: "off", spellcheck: "false", placeholder: "jp-cabsec" }),
      h("button", { type: "submit" }, view.t("enrolMake")),
      outcome(act, form),
    ),
  );
}

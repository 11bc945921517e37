/** Puts the page together: the stream fills the state, and the panels are drawn from it, at most once per frame. */
import "ol/ol.css";
import "./page.css";
import { partnerAddress, readFragment, streamAddress } from "./address";
import { h, patch, type VNode } from "./dom";
import { listen } from "./keys";
import { announcement, Voice } from "./live";
import { positionText } from "./lon";
import { legend } from "./map/legend";
import { objectWords } from "./map/features";
import { PictureMap } from "./map/map";
import { alertsPanel } from "./panels/alerts";
import { band } from "./panels/band";
import { glance } from "./panels/glance";
import { hazardsPanel } from "./panels/hazards";
import { helpPanel } from "./panels/help";
import { countsPanel, gatewaysPanel } from "./panels/outside";
import { decisionsPanel, tasksPanel } from "./panels/people";
import { refusalsPanel } from "./panels/refusals";
import { noticesPanel } from "./panels/notices";
import { alarmsPanel, readinessPanel } from "./panels/reach";
import { evidencePanel, sight } from "./panels/sight";
import { signingPanel, type SignActions } from "./panels/signing";
import { enrol, sign } from "./sign";
import { warningsPanel } from "./panels/warnings";
import { apply, emptyState, openHazards, securityAlarms, TOPICS, type Topic } from "./state";
import { Stream, type Connection, type Socket } from "./stream";
import { firstLanguage, LANGUAGES, partnerInSentence, partnerName, type Language } from "./text";
import { nodeTime, zoneOf } from "./time";
import { filterBar, timelineList } from "./timeline/list";
import { strip } from "./timeline/strip";
import { makeView, type View } from "./view";

const LANGUAGE_KEY = "noroshi.language";
/** Clocks and countdowns are drawn four times a second, so that no second is skipped. */
const TICK_MS = 250;

const element = (id: string): HTMLElement => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
};

const fragment = readFragment(location.hash);
const state = emptyState();
let connection: Connection = { state: "connecting" };
let denied = false;
let language: Language = firstLanguage(fragment.language ?? remembered(), navigator.languages);
let alertLanguage: Language | null = null;
let topic: Topic | null = null;
let asked = false;

function remembered(): string | null {
  try {
    return localStorage.getItem(LANGUAGE_KEY);
  } catch {
    return null;
  }
}

function changeLanguage(): void {
  language = LANGUAGES[(LANGUAGES.indexOf(language) + 1) % LANGUAGES.length]!;
  alertLanguage = null;
  try {
    localStorage.setItem(LANGUAGE_KEY, language);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  draw();
}

const map = new PictureMap(element("map"), () => later());
/** On a small screen the legend would hide the map: G shows it. */
if (window.matchMedia("(max-width: 700px)").matches) element("legend").hidden = true;
const voice = new Voice(element("polite"), element("at-once"));
const help = element("help") as HTMLDialogElement;

function currentView(): View {
  const mono = performance.now();
  const nowMs = state.clock ? nodeTime(state.clock, mono) : 0;
  const zone = zoneOf(state.hello?.partner ?? "", state.hello?.time_zone);
  return makeView(state, connection, nowMs, mono, language, zone);
}

/** Draws at the next frame; many rows in one frame cost one drawing. */
function later(): void {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => draw());
}

function draw(): void {
  asked = false;
  const view = currentView();
  document.documentElement.lang = language;
  const kind = state.hello?.realm_kind ?? "unknown";
  document.body.className = `realm-${kind} ${connection.state === "live" ? "" : "not-live"}`;
  document.title = titleOf(view);
  patch(element("band"), band(view, { language: changeLanguage, help: toggleHelp, addressOf: (p) => partnerAddress(p.url, fragment.token, language) }));
  drawBar(view);
  patch(element("sight"), sight(view));
  patch(element("glance"), glance(view));
  patch(element("side"), sidePanels(view));
  drawCourse(view);
  drawMap(view);
  if (help.open) patch(help, helpPanel(view, toggleHelp));
  voice.flush();
}

function titleOf(view: View): string {
  const { hello } = state;
  if (!hello) return "noroshi";
  const realm = hello.realm_kind === "exercise" ? "EXERCISE 訓練 훈련" : "REAL 実際 실제";
  return `${realm} · ${partnerName(view.language, hello.partner)} · noroshi`;
}

/** The bar under the band that says plainly when this is not live. */
function drawBar(view: View): void {
  const bar = element("bar");
  const words = barWords(view);
  bar.hidden = words === "";
  if (bar.textContent !== words) bar.textContent = words;
}

function barWords(view: View): string {
  if (connection.state === "ended") {
    const key = state.hello?.realm_kind === "real" ? "realEndedBar" : "endedBar";
    return `■ ${view.t(key, { reason: state.bye ?? "" })}`;
  }
  if (connection.state === "live" && state.trouble) return `▲ ${view.t("trouble", { words: state.trouble })}`;
  if (connection.state === "live") return map.landMissing ? `▲ ${view.t("noLand")}` : "";
  if (fragment.token === "") return `▲ ${view.t("noToken")}`;
  if (denied) return `▲ ${view.t("denied")}`;
  if (connection.state === "connecting" || !state.clock) return "";
  return `▲ ${view.t("stale", { time: view.clockZone(nodeTime(state.clock, connection.since)) })}`;
}

const told = new Map<string, string>();
const signing: SignActions = {
  told,
  sign: (form, post, answer, outcome, typed) =>
    void reported(form, sign(fragment.token, post, answer, outcome, typed).then((said) => (said.outcome === "refused" ? `✕ ${said.reason}` : `✓ ${currentView().t("signDone")}`))),
  enrol: (form, post, unit) => void reported(form, enrol(fragment.token, post, unit).then((file) => `✓ ${currentView().t("enrolDone", { file })}`)),
};

/** Shows under its form what an act has come to. */
async function reported(form: string, act: Promise<string>): Promise<void> {
  told.set(form, "…");
  later();
  try {
    told.set(form, await act);
  } catch (error) {
    told.set(form, `✕ ${error instanceof Error ? error.message : String(error)}`);
  }
  later();
}

function panel(id: string, title: string, content: VNode[], extra = ""): VNode {
  return h("section", { class: `panel ${extra}`, id, key: id, tabindex: 0, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), ...content);
}

function sidePanels(view: View): VNode[] {
  const own = state.hello?.partner ?? "";
  const count = (n: number) => (n > 0 ? ` (${n})` : "");
  const open = [...state.warnings.values()].filter((w) => w.state !== "ended").length;
  const raised = [...state.alarms.values()].filter((one) => one.state === "raised").length + securityAlarms(state, view.nowMs).length;
  const differ = [...state.counts.values()].some((one) => one.differs);
  const agencies = openHazards(state).length;
  const choose = (chosen: Language) => {
    alertLanguage = chosen;
    draw();
  };
  return [
    h(
      "div",
      { class: "column", key: "a" },
      panel("warnings", `${view.t("warnings")}${count(open)}`, warningsPanel(view), open > 0 ? "raised" : ""),
      panel("alarms", `${view.t("alarms")}${count(raised)}`, alarmsPanel(view), raised > 0 ? "raised alarming" : ""),
      panel("alerts", view.t("alerts"), alertsPanel(view, { chosen: alertLanguage, choose })),
      panel("counts", view.t("counts"), countsPanel(view), differ ? "raised" : ""),
      panel("hazards", `${view.t("hazards")}${count(agencies)}`, hazardsPanel(view), openHazards(state).some((one) => one.act) ? "raised" : ""),
    ),
    h(
      "div",
      { class: "column", key: "b" },
      panel("notices", view.t("notices"), noticesPanel(view)),
      panel("decisions", view.t("decisions"), decisionsPanel(view)),
      panel("tasks", view.t("tasks"), tasksPanel(view)),
      panel("signing", view.t("signing"), signingPanel(view, signing)),
      panel("evidence", view.t("evidence", { partner: partnerInSentence(language, own) }), evidencePanel(view)),
      panel("readiness", view.t("readiness"), readinessPanel(view)),
      panel("gateways", view.t("gateways"), gatewaysPanel(view)),
      panel("refusals", view.t("refusals"), refusalsPanel(view)),
    ),
  ];
}

function drawCourse(view: View): void {
  patch(element("strip-title"), [view.t("strip")]);
  patch(element("timeline-title"), [view.t("timeline")]);
  const filter = element("filter");
  filter.setAttribute("aria-label", view.t("filter"));
  patch(filter, filterBar(view, { topic, choose: (chosen) => chooseTopic(chosen) }));
  const list = element("timeline");
  list.setAttribute("aria-label", view.t("timeline"));
  patch(list, timelineList(view, topic));
  const box = element("strip");
  if (box.clientWidth > 0 && state.clock) patch(box, [strip(view, box.clientWidth, box.clientHeight)]);
}

function chooseTopic(chosen: Topic | null): void {
  topic = chosen;
  draw();
  element("timeline").scrollTop = 0;
}

function drawMap(view: View): void {
  map.draw(view);
  element("map").setAttribute("aria-label", view.t("mapHelp"));
  patch(element("legend"), legend(view));
  const pictures = [...state.pictures.values()];
  const places = state.hello?.attribution.replace(/\s*\(https?:[^)]*\)/g, "");
  const credit = [places, "Natural Earth"].filter(Boolean).join(" · ");
  const nothing = pictures.length === 0 && state.hello ? `${view.t("nobodySees")} · ` : "";
  patch(element("map-note"), [`${nothing}${view.t(map.follows ? "mapFollow" : "mapFree")} · ${credit}`]);
  const described = pictures.map((p) => `${objectWords(view, p)}, ${positionText(p.position.lon, p.position.lat)}`).join(". ");
  patch(element("map-words"), [described || view.t("nobodySees")]);
}

function toggleHelp(): void {
  if (help.open) help.close();
  else {
    patch(help, helpPanel(currentView(), toggleHelp));
    help.showModal();
  }
}

listen({
  help: toggleHelp,
  close: () => help.open && help.close(),
  language: changeLanguage,
  fit: () => map.fit(),
  zoom: () => map.fitPlaces(),
  legend: () => element("legend").toggleAttribute("hidden"),
  partner: (index) => {
    const partner = state.hello?.partners[index];
    if (partner && partner.url && partner.partner !== state.hello?.partner) location.assign(partnerAddress(partner.url, fragment.token, language));
  },
  focus: (name) => {
    const target = element(name);
    target.focus();
    target.scrollIntoView({ block: "nearest" });
  },
  filter: () => {
    const order: (Topic | null)[] = [null, ...TOPICS];
    chooseTopic(order[(order.indexOf(topic) + 1) % order.length] ?? null);
  },
});

const stream = new Stream(
  streamAddress(location),
  fragment.token,
  {
    open: (url) => new WebSocket(url) as unknown as Socket,
    now: () => performance.now(),
    after: (delayMs, act) => window.setTimeout(act, delayMs),
    cancel: (timer) => window.clearTimeout(timer),
  },
  {
    after: () => state.last,
    frame: (frame) => {
      const before = state.last;
      const row = apply(state, frame, performance.now());
      if ("type" in frame && frame.type === "hello" && before > 0 && state.last === 0 && frame.after !== 0) stream.restart();
      if (row) {
        const said = announcement(row, currentView().nowMs, state.clock?.speed ?? 1, language);
        if (said) voice.say(said);
      }
      later();
    },
    unreadable: () => {
      state.unreadable += 1;
      later();
    },
    connection: (now) => {
      connection = now;
      if (now.state === "live") denied = false;
      else if (now.state === "lost") void askWhy();
      later();
    },
  },
);

/** A refused socket looks like a broken one; the node's plain answer tells them apart. */
async function askWhy(): Promise<void> {
  try {
    const response = await fetch("/api/info", { headers: { Authorization: `Bearer ${fragment.token}` }, cache: "no-store" });
    denied = response.status === 401 || response.status === 403;
  } catch {
    denied = false;
  }
  later();
}

declare global {
  interface Window {
    /** For tests and for debugging a picture: what the page holds, as plain values. */
    noroshiPage: { describe(): unknown };
  }
}

window.noroshiPage = {
  describe: () => ({
    last: state.last,
    connection: connection.state,
    language,
    unreadable: state.unreadable,
    map: map.describe(),
  }),
};

if (fragment.token === "") {
  connection = { state: "lost", since: performance.now() };
  draw();
} else {
  stream.start();
}
window.addEventListener("online", () => stream.hurry());
window.addEventListener("hashchange", () => location.reload());
new ResizeObserver(() => {
  map.resized();
  later();
}).observe(element("map-box"));
window.setInterval(later, TICK_MS);
later();

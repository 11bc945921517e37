/** The timeline: what was said, newest first, filtered by topic. The sentences are the node's own. */
import { h, type VNode } from "../dom";
import { TOPICS, type Topic } from "../state";
import type { TextKey } from "../text/en";
import type { View } from "../view";

/** More than anybody scrolls through; the rest stays in the node's record. */
const ENTRIES_SHOWN = 300;

export const TOPIC_WORDS: Record<Topic, TextKey> = {
  picture: "topicPicture",
  warning: "topicWarning",
  alert: "topicAlert",
  people: "topicPeople",
  links: "topicLinks",
  words: "topicWords",
};

const TOPIC_MARKS: Record<Topic, string> = { picture: "◈", warning: "▲", alert: "◆", people: "◷", links: "⇄", words: "❝" };

export interface FilterActions {
  topic: Topic | null;
  choose(topic: Topic | null): void;
}

export function filterBar(view: View, actions: FilterActions): VNode[] {
  const button = (topic: Topic | null) =>
    h(
      "button",
      {
        type: "button",
        key: topic ?? "all",
        "data-topic": topic ?? "all",
        "aria-pressed": String(actions.topic === topic),
        onclick: () => actions.choose(topic),
      },
      view.t(topic === null ? "all" : TOPIC_WORDS[topic]),
    );
  return [button(null), ...TOPICS.map(button)];
}

export function timelineList(view: View, topic: Topic | null): VNode[] {
  const entries = view.state.timeline.filter((entry) => topic === null || entry.topic === topic);
  if (entries.length === 0) return [h("li", { class: "none" }, view.t("noEntry"))];
  return entries
    .slice(-ENTRIES_SHOWN)
    .reverse()
    .map((entry) =>
      h(
        "li",
        { key: entry.number, class: entry.topic, "data-number": entry.number },
        h("span", { class: "figures" }, view.clock(entry.timeMs)),
        h("span", { class: "mark", title: view.t(TOPIC_WORDS[entry.topic]) }, TOPIC_MARKS[entry.topic]),
        h("span", { lang: "en" }, entry.says),
      ),
    );
}

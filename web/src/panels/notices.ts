/** What was announced ahead: when and how many, which watch has said that it knows, which object it may explain. */
import { h, type VNode } from "../dom";
import type { Notice, NoticeWatch } from "../protocol";
import { isOpen, noticesInOrder } from "../state";
import type { TextKey } from "../text/en";
import type { View } from "../view";

const STATES: Record<Notice["state"], TextKey> = {
  announced: "noticeAnnounced",
  go: "noticeGo",
  done: "noticeDone",
  withdrawn: "noticeWithdrawn",
  expired: "noticeExpired",
};

export function noticesPanel(view: View): VNode[] {
  const notices = noticesInOrder(view.state);
  if (notices.length === 0) return [h("p", { class: "none" }, view.t("noNotice"))];
  return notices.map((notice) => noticeCard(view, notice));
}

function noticeCard(view: View, notice: Notice): VNode {
  const objects = notice.events.map((event) => view.state.pictures.get(event)?.title ?? event.slice(0, 8));
  return h(
    "article",
    { class: `card notice ${isOpen(notice) ? "" : "ended"}`, key: notice.notice, "data-notice": notice.notice, "data-state": notice.state },
    h("h3", {}, `○ ${notice.title}`, h("small", {}, `${notice.partner} · ${view.t(STATES[notice.state])}`)),
    h("p", {}, view.t("noticeWindow", { from: view.clockZone(notice.from_ms), to: view.clockZone(notice.to_ms), count: notice.count })),
    h("ul", {}, notice.watches.map((watch) => watchLine(view, watch))),
    notice.read_by.length > 0 && h("p", { class: "dim" }, view.t("noticeRead", { units: notice.read_by.map((unit) => view.unit(unit)).join(", ") })),
    objects.length > 0 && h("p", {}, h("b", {}, `◎ ${view.t("noticeExplains", { objects: objects.join(", ") })}`)),
    notice.beyond.length > 0 && h("p", { class: "caution" }, `▲ ${view.t("noticeBeyond", { count: notice.beyond.length })}`),
  );
}

function watchLine(view: View, watch: NoticeWatch): VNode {
  const unit = view.unit(watch.unit);
  const [mark, words] =
    watch.informed_ms !== null
      ? ["✓", view.t("watchInformed", { unit, time: view.clockZone(watch.informed_ms) })]
      : watch.alarm
        ? ["✕", view.t("watchNotInformed", { unit })]
        : ["◔", view.t("watchWaited", { unit })];
  return h("li", { class: watch.alarm ? "caution" : "", key: watch.unit, "data-watch": watch.unit }, `${mark} ${words}`);
}

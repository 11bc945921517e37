/** Keys of the page: one table, looked at only when nobody is typing and no other key is held. */

export interface KeyActions {
  help(): void;
  close(): void;
  language(): void;
  fit(): void;
  zoom(): void;
  legend(): void;
  partner(index: number): void;
  focus(panel: "map" | "warnings" | "alerts" | "alarms" | "hazards" | "counts" | "decisions" | "gateways" | "refusals" | "timeline"): void;
  filter(): void;
}

/** Does what the key stands for; false when it stands for nothing here. */
export function pressed(key: string, act: KeyActions): boolean {
  if (key === "?") act.help();
  else if (key === "Escape") act.close();
  else if (/^[1-9]$/.test(key)) act.partner(Number(key) - 1);
  else {
    const table: Record<string, () => void> = {
      l: act.language,
      f: act.fit,
      z: act.zoom,
      g: act.legend,
      m: () => act.focus("map"),
      w: () => act.focus("warnings"),
      a: () => act.focus("alerts"),
      h: () => act.focus("hazards"),
      b: () => act.focus("alarms"),
      c: () => act.focus("counts"),
      d: () => act.focus("decisions"),
      o: () => act.focus("gateways"),
      r: () => act.focus("refusals"),
      t: () => act.focus("timeline"),
      s: act.filter,
    };
    const found = table[key.toLowerCase()];
    if (!found) return false;
    found();
  }
  return true;
}

export function listen(act: KeyActions): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = event.target as HTMLElement | null;
    if (target && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return;
    if (pressed(event.key, act)) event.preventDefault();
  });
}

/**
 * What is read out to those who do not look: the timeline politely, new warnings, alerts and their ends at once.
 * What is older than half a minute is history and is shown, never raised as live; of a burst only the end is read.
 */
import type { Hazard, Row } from "./protocol";
import { percent, regionName, text, type Language } from "./text";

export const HISTORY_AFTER_MS = 30_000;
const READ_AT_ONCE = 3;

export interface Announcement {
  urgent: boolean;
  words: string;
}

/** What to read out for a row that is new at `nowMs`, or null. At high speeds half a minute passes quickly. */
export function announcement(row: Row, nowMs: number, speed: number, language: Language): Announcement | null {
  if (nowMs - row.time_ms > HISTORY_AFTER_MS * Math.max(1, speed)) return null;
  if (row.type === "warning") {
    if (row.state === "updated") return null;
    const areas = row.areas.map((a) => `${regionName(language, a)} ${percent(a.probability)}`).join(", ");
    const head = row.state === "ended" ? row.says : `${text(language, "newWarning")}: ${areas}. ${row.says}`;
    return { urgent: true, words: head };
  }
  if (row.type === "alert") {
    const said = row.texts.find((t) => t.language.slice(0, 2) === language);
    return { urgent: true, words: `${text(language, "newAlert")}: ${said ? said.headline : row.says}` };
  }
  if (row.type === "hazard" && row.act) return { urgent: true, words: `${text(language, "newHazard")}: ${hazardWords(row, language)}` };
  if (row.type === "security" && row.level === "alarm") return row.says ? { urgent: true, words: row.says } : null;
  if (row.type === "alarm") return { urgent: row.state === "raised", words: row.says };
  return row.says ? { urgent: false, words: row.says } : null;
}

/** An agency's own words in the reader's language where it has them. */
function hazardWords(row: Hazard, language: Language): string {
  const said = row.texts.find((t) => t.language.slice(0, 2) === language) ?? row.texts[0];
  return said ? `${row.sender_name || row.sender}. ${said.event}. ${said.headline}` : row.says;
}

/** Writes announcements into the two live regions. */
export class Voice {
  private polite: string[] = [];

  constructor(
    private readonly politely: HTMLElement,
    private readonly atOnce: HTMLElement,
  ) {}

  say({ urgent, words }: Announcement): void {
    if (urgent) this.atOnce.textContent = words;
    else this.polite.push(words);
  }

  /** Once a second or so: the last few polite sentences. */
  flush(): void {
    if (this.polite.length === 0) return;
    this.politely.textContent = this.polite.slice(-READ_AT_ONCE).join(" ");
    this.polite = [];
  }
}

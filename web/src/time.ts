/**
 * Times as people read them. The page has no clock of its own for the exercise: it carries the node's last word
 * forward with the browser's steady clock and the node's speed, and says so when that word is old.
 */

/** What the node last said of its clock, and when it came (steady browser milliseconds). */
export interface ClockReading {
  nowMs: number;
  speed: number;
  heardAt: number;
  stopped: boolean;
}

/** The node's time at steady browser time `mono`. */
export function nodeTime(clock: ClockReading, mono: number): number {
  return clock.stopped ? clock.nowMs : clock.nowMs + Math.max(0, mono - clock.heardAt) * clock.speed;
}

/** Where each partner's watch reads its clock; a node may name another in `hello.time_zone`. */
const ZONES: Record<string, string> = { JPN: "Asia/Tokyo", KOR: "Asia/Seoul", USA: "Pacific/Honolulu" };

const ZONE_NAMES: Record<string, string> = { "Asia/Tokyo": "JST", "Asia/Seoul": "KST", "Pacific/Honolulu": "HST" };

export function zoneOf(partner: string, named: string | undefined): string {
  const zone = named ?? ZONES[partner] ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: zone });
    return zone;
  } catch {
    return "UTC";
  }
}

export const zoneName = (zone: string): string => ZONE_NAMES[zone] ?? zone.split("/").pop()!.replace(/_/g, " ");

const formats = new Map<string, Intl.DateTimeFormat>();

function parts(timeMs: number, zone: string): Record<string, string> {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      hourCycle: "h23",
    });
    formats.set(zone, format);
  }
  return Object.fromEntries(format.formatToParts(new Date(timeMs)).map((p) => [p.type, p.value]));
}

/** `07:29:05` */
export function clockText(timeMs: number, zone: string): string {
  const p = parts(timeMs, zone);
  return `${p["hour"]}:${p["minute"]}:${p["second"]}`;
}

/** `2022-10-04` */
export function dayText(timeMs: number, zone: string): string {
  const p = parts(timeMs, zone);
  return `${p["year"]}-${p["month"]}-${p["day"]}`;
}

/** `3:07` or `1:02:09`: a length of time, without sign; whole seconds. */
export function durationText(lengthMs: number): string {
  const total = Math.floor(Math.abs(lengthMs) / 1000);
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

/** Where `now` is against a predicted window. Never says that something happened: only that the window is over. */
export type WindowState =
  | { state: "ahead"; inMs: number }
  | { state: "open"; leftMs: number }
  | { state: "over"; sinceMs: number };

export function windowState(fromMs: number, toMs: number, nowMs: number): WindowState {
  if (nowMs < fromMs) return { state: "ahead", inMs: fromMs - nowMs };
  if (nowMs <= toMs) return { state: "open", leftMs: toMs - nowMs };
  return { state: "over", sinceMs: nowMs - toMs };
}

/** An observation older than this (node time) is called old: trackers count a track as lost after ten seconds. */
export const OLD_OBSERVATION_MS = 15_000;
/** At high exercise speeds the page may lag by this much wall time before it calls an observation old. */
const WALL_LAG_MS = 3_000;

export function isOld(lastObservedMs: number, nowMs: number, speed: number): boolean {
  return nowMs - lastObservedMs > Math.max(OLD_OBSERVATION_MS, WALL_LAG_MS * speed);
}

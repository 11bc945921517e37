/** The page's words in the language chosen, and the words for chances, reasons and names. */
import { en, type TextKey, type Texts } from "./en";
import { ja } from "./ja";
import { ko } from "./ko";

export type Language = "en" | "ja" | "ko";
export const LANGUAGES: readonly Language[] = ["en", "ja", "ko"];
export const LANGUAGE_NAMES: Record<Language, string> = { en: en.language, ja: ja.language, ko: ko.language };

const TEXTS: Record<Language, Texts> = { en, ja, ko };

/** `text("ja", "ahead", { time: "3:07" })` */
export function text(language: Language, key: TextKey, values: Record<string, string | number> = {}): string {
  return TEXTS[language][key].replace(/\{(\w+)\}/g, (whole, name: string) =>
    name in values ? String(values[name]) : whole,
  );
}

/** Bounds of the words for a chance; notional, in the manner of intelligence yardsticks. The figure stands beside. */
const CHANCES: readonly [number, TextKey][] = [
  [0.2, "chance0"],
  [0.4, "chance1"],
  [0.6, "chance2"],
  [0.8, "chance3"],
  [0.95, "chance4"],
  [Infinity, "chance5"],
];

export function chanceWords(language: Language, probability: number): string {
  return text(language, CHANCES.find(([below]) => probability < below)![1]);
}

/** `71 %`; never `0 %` or `100 %` for what is only predicted. */
export function percent(probability: number): string {
  if (probability < 0.01) return "< 1 %";
  if (probability > 0.99) return "> 99 %";
  return `${Math.round(probability * 100)} %`;
}

const PARTNER_NAMES: Record<string, Record<Language, string>> = {
  JPN: { en: "Japan", ja: "日本", ko: "일본" },
  KOR: { en: "Republic of Korea", ja: "大韓民国", ko: "대한민국" },
  USA: { en: "United States", ja: "アメリカ合衆国", ko: "미국" },
};

export const partnerName = (language: Language, partner: string, given = ""): string =>
  PARTNER_NAMES[partner]?.[language] ?? (given || partner);

/** The same inside an English sentence: `the United States`. */
export function partnerInSentence(language: Language, partner: string, given = ""): string {
  const name = partnerName(language, partner, given);
  return language === "en" && /^(United|Republic)/.test(name) ? `the ${name}` : name;
}

/** A name in the language chosen, or as it is in English. */
export function localName(language: Language, names: { name: string; name_ja: string; name_ko: string }): string {
  return (language === "ja" ? names.name_ja : language === "ko" ? names.name_ko : "") || names.name;
}

export const regionName = (
  language: Language,
  area: { region: string; region_ja: string; region_ko: string },
): string => localName(language, { name: area.region, name_ja: area.region_ja, name_ko: area.region_ko });

/** `1,240,000`, rounded to three figures: populations are estimates. */
export function peopleText(people: number): string {
  if (people < 1000) return String(people);
  const step = 10 ** (Math.floor(Math.log10(people)) - 2);
  return (Math.round(people / step) * step).toLocaleString("en-US");
}

export function firstLanguage(asked: string | null, browser: readonly string[]): Language {
  const wanted = [asked ?? "", ...browser].map((tag) => tag.slice(0, 2));
  return (wanted.find((tag) => (LANGUAGES as readonly string[]).includes(tag)) as Language | undefined) ?? "en";
}

/** The part of the address after "#": the token that the node asks for, and the reader's language. Never sent in a URL. */
import type { Language } from "./text";

export interface Fragment {
  token: string;
  language: string | null;
}

export function readFragment(hash: string): Fragment {
  const values = new URLSearchParams(hash.replace(/^#/, ""));
  return { token: values.get("token") ?? "", language: values.get("lang") };
}

/** The address of another partner's page: its own token if it names one, else ours, and the language goes along. */
export function partnerAddress(url: string, token: string, language: Language): string {
  const [page, fragment = ""] = url.split("#", 2) as [string, string?];
  const values = new URLSearchParams(fragment);
  if (!values.has("token") && token) values.set("token", token);
  values.set("lang", language);
  return `${page}#${values.toString()}`;
}

/** The staff stream's address beside the page. */
export function streamAddress(location: { protocol: string; host: string }): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/staff`;
}

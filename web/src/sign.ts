/**
 * Signing with a person's own passkey: the node says what is to be signed, the authenticator signs it, the node checks it
 * like a message from anywhere. Nothing here decides anything, and no key is ever seen by the page.
 */

export interface Told {
  /** What has come of it, in the node's words; empty while it is under way. */
  outcome: string;
  reason: string;
}

type Json = Record<string, unknown>;

const toText = (bytes: ArrayBuffer): string => {
  let text = "";
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
};

const toBytes = (text: string): Uint8Array<ArrayBuffer> => {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  const bytes = new Uint8Array(plain.length);
  for (let i = 0; i < plain.length; i += 1) bytes[i] = plain.charCodeAt(i);
  return bytes;
};

async function ask(token: string, name: string, body: Json): Promise<Json> {
  const response = await fetch(`/api/passkey/${name}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
    cache: "no-store",
  });
  const answer = (await response.json()) as Json;
  if (!response.ok) throw new Error(String(answer["error"] ?? response.status));
  return answer;
}

async function assertion(challenge: string, credential: string, rp: string): Promise<Json> {
  const found = (await navigator.credentials.get({
    publicKey: {
      challenge: toBytes(challenge),
      rpId: rp,
      allowCredentials: [{ type: "public-key", id: toBytes(credential) }],
      userVerification: "required",
    },
  })) as PublicKeyCredential | null;
  if (!found) throw new Error("no assertion");
  const response = found.response as AuthenticatorAssertionResponse;
  return {
    data: toText(response.authenticatorData),
    client: toText(response.clientDataJSON),
    signature: toText(response.signature),
  };
}

/** A post's answer to a task, signed with its passkey: what the node says to it. Throws where it comes to no answer. */
export async function sign(token: string, post: string, answer: Json, outcome: string, typed: string): Promise<Told> {
  const prepared = await ask(token, "prepare", { post, answer, outcome, typed });
  const given = await assertion(String(prepared["challenge"]), String(prepared["credential"]), String(prepared["rp"]));
  const told = await ask(token, "speak", { post, payload: prepared["payload"], assertion: given });
  return { outcome: String(told["outcome"]), reason: String(told["reason"]) };
}

/** Makes a passkey for a post and asks the root to certify it: where the request lies. Throws where none is made. */
export async function enrol(token: string, post: string, unit: string): Promise<string> {
  const rp = location.hostname;
  const made = (await navigator.credentials.create({
    publicKey: {
      challenge: crypto.getRandomValues(new Uint8Array(32)),
      rp: { id: rp, name: "noroshi" },
      user: { id: new TextEncoder().encode(post).slice(0, 64), name: post, displayName: post },
      pubKeyCredParams: [
        { type: "public-key", alg: -7 },
        { type: "public-key", alg: -8 },
      ],
      authenticatorSelection: { userVerification: "required", residentKey: "discouraged" },
      attestation: "none",
    },
  })) as PublicKeyCredential | null;
  if (!made) throw new Error("no passkey");
  const data = (made.response as AuthenticatorAttestationResponse).getAuthenticatorData();
  const body: Json = { post, unit, rp, origin: location.origin, made: toText(data) };
  const asked = await ask(token, "enrol", body);
  const given = await assertion(String(asked["challenge"]), toText(made.rawId), rp);
  return String((await ask(token, "enrol", { ...body, assertion: given }))["file"]);
}

// SPDX-License-Identifier: EUPL-1.2
// Signs a statement about a change of the rules in the officer's own browser, with the key file that she chooses.
// The key is read here and never sent: its field stands outside the form and has no name.
//
// What is signed is that of sluis/policy/approval.py: Ed25519 over lp("sluis/v1/policy-statement", canonical JSON).

const LABEL = "sluis/v1/policy-statement";
// A PKCS #8 envelope (RFC 8410) around the 32 bytes of an Ed25519 seed.
const PKCS8 = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

// The names in the order of RFC 8785; JSON.stringify escapes a text as that RFC prescribes.
const NAMES = ["act", "at", "from", "officer", "reason", "signature", "to"];

export function canonical(statement) {
  const parts = NAMES.filter((name) => name in statement).map(
    (name) => `${JSON.stringify(name)}:${JSON.stringify(statement[name])}`,
  );
  return `{${[...parts, '"v":1'].join(",")}}`;
}

// Joins parts, each behind its length in four bytes (sluis/encoding.py).
export function lengthPrefixed(...texts) {
  const parts = texts.map((text) => new TextEncoder().encode(text));
  const bytes = new Uint8Array(parts.reduce((size, part) => size + 4 + part.length, 0));
  let at = 0;
  for (const part of parts) {
    new DataView(bytes.buffer).setUint32(at, part.length);
    bytes.set(part, at + 4);
    at += 4 + part.length;
  }
  return bytes;
}

// A key file holds 64 hexadecimal digits and a line end (`sluis keys officer`).
export function seedOf(text) {
  const match = /^([0-9a-f]{64})\n?$/.exec(text);
  return match && Uint8Array.from(match[1].match(/../g), (pair) => parseInt(pair, 16));
}

export async function signed(statement, seed) {
  const pkcs8 = Uint8Array.from([...PKCS8, ...seed]);
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, { name: "Ed25519" }, false, ["sign"]);
  pkcs8.fill(0);
  const bytes = lengthPrefixed(LABEL, canonical(statement));
  const signature = new Uint8Array(await crypto.subtle.sign({ name: "Ed25519" }, key, bytes));
  const hex = Array.from(signature, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return canonical({ ...statement, signature: hex });
}

function install(panel) {
  const by = (id) => document.getElementById(id);
  const say = (name) => {
    by("sign-status").textContent = panel.dataset[name];
  };
  const begun = Date.parse(panel.dataset.at);
  const drawn = performance.now();
  panel.hidden = false;
  by("sign-button").addEventListener("click", async () => {
    const file = by("sign-key").files[0];
    const reason = by("sign-reason").value.trim().replace(/\s+/g, " ");
    if (!reason) return say("noReason");
    const seed = file && file.size < 100 ? seedOf(await file.text()) : null;
    if (!seed) return say("badKey");
    const { act, from, to, officer } = panel.dataset;
    // The server's clock, so that a wrong clock here does not spoil the statement.
    const at = new Date(begun + performance.now() - drawn).toISOString().replace(/\.\d+Z$/, "Z");
    try {
      by("field-statement").value = await signed({ act, at, from, officer, reason, to }, seed);
    } catch {
      return say("unsupported");
    } finally {
      seed.fill(0);
      by("sign-key").value = "";
    }
    say("done");
    by("field-statement").focus();
  });
}

if (typeof document !== "undefined") {
  const panel = document.getElementById("sign");
  if (panel) install(panel);
}

// SPDX-License-Identifier: EUPL-1.2
// Shows on the page of one exchange what verify.js recomputes, with the keys of the server or those of the officer.
// It reads the page as the officer sees it: what is checked is what is shown.
import { Wrong, parseTrust, verifyEntry } from "./verify.js";

const TOO_EARLY = new Map([["witness-none", "verdict-unwitnessed"], ["witness-quorum", "verdict-quorum"]]);
const KEPT = "sluis.verifier-keys";
const proof = document.querySelector("[data-proof]");
const find = (name, within = proof) => within.querySelector(`[data-${name}]`);
const language = document.documentElement.lang;

const when = (seconds) =>
  new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "medium", timeZone: "Europe/Amsterdam" })
    .format(new Date(Number(seconds) * 1000));

function sentence(code, values = {}) {
  const text = proof.querySelector(`[data-code="${code}"]`)?.textContent ?? code;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    if (!(name in values)) return whole;
    return name === "time" ? when(values[name]) : String(values[name]);
  });
}

function show(element, ok, code, values) {
  const state = ok === null ? "open" : ok ? "right" : "wrong";
  element.closest("[data-step], [data-verdict]").dataset.state = state;
  element.textContent = `${sentence(`mark-${state}`)} ${sentence(code, values)}`;
}

function kept() {
  try {
    return localStorage.getItem(KEPT) ?? "";
  } catch {
    return "";
  }
}

function keep(text) {
  try {
    if (text) localStorage.setItem(KEPT, text);
    else localStorage.removeItem(KEPT);
  } catch {
    // A browser that keeps nothing still checks with what stands in the field.
  }
}

async function checkEntry(block, trust) {
  const { ok, steps } = await verifyEntry({
    entry: find("json", block).textContent,
    exchange: proof.dataset.exchange,
    index: block.dataset.index,
    path: [...block.querySelectorAll("[data-path] code")].map((item) => item.textContent),
    checkpoint: find("checkpoint").textContent,
    ...trust,
  });
  for (const { step, ok: right, code, values } of steps)
    show(find("outcome", block.querySelector(`[data-step="${step}"]`)), right, code, values);
  return ok ? null : { index: block.dataset.index, first: steps.find((step) => step.ok === false) };
}

async function check() {
  const verdict = find("verdict-text");
  const own = find("own-keys").value.trim();
  find("whose").textContent = sentence(own ? "keys-own" : "keys-server");
  try {
    if (!globalThis.crypto?.subtle) throw new Wrong("no-crypto");
    const trust = await parseTrust(own || find("server-keys").textContent);
    const blocks = [...proof.querySelectorAll("[data-index]")];
    const wrong = [];
    for (const block of blocks) {
      const found = await checkEntry(block, trust);
      if (found) wrong.push(found);
    }
    if (wrong.length === 0) show(verdict, true, own ? "verdict-own" : "verdict-server", { n: blocks.length });
    else {
      const { index, first } = wrong.find((each) => !TOO_EARLY.has(each.first.code)) ?? wrong[0];
      // A checkpoint that is a second old may have no witness yet: no proof, and no alarm either.
      if (TOO_EARLY.has(first.code)) show(verdict, null, TOO_EARLY.get(first.code));
      else show(verdict, false, "verdict-wrong", { index, why: sentence(first.code, first.values) });
    }
  } catch (error) {
    // Whatever goes wrong, nothing may look proven.
    for (const item of proof.querySelectorAll("[data-step]")) {
      item.dataset.state = "open";
      find("outcome", item).textContent = "";
    }
    const known = error instanceof Wrong ? error : new Wrong("trouble");
    show(verdict, false, known.code, known.values);
  }
}

if (proof) {
  for (const item of proof.querySelectorAll("[data-needs-script]")) item.hidden = false;
  const field = find("own-keys");
  field.value = kept();
  find("use-keys").addEventListener("click", () => {
    keep(field.value.trim());
    check();
  });
  find("forget-keys").addEventListener("click", () => {
    field.value = "";
    keep("");
    check();
  });
  find("again").addEventListener("click", check);
  check();
}

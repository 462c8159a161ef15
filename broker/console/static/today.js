// SPDX-License-Identifier: EUPL-1.2
// On Today: works out in this browser whether the record is intact, and says so in one sentence.

import { judge, keep, recall } from "./history.js";
import { say } from "./say.js";

const HOLDS = new Set(["first", "same", "grown"]);

async function prove(first, second) {
  const answer = await fetch(`/logboek/consistentie?first=${first}&second=${second}`);
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
  return (await answer.json()).hashes;
}

async function check(box) {
  const { origin, checkpoint, keys, witnesses } = box.dataset;
  const logKeys = keys.split(" ").filter(Boolean);
  const witnessKeys = witnesses.split(" ").filter(Boolean);
  let remembered;
  try {
    remembered = recall(localStorage, origin);
  } catch {
    remembered = null; // a browser that keeps nothing can still check signatures
  }
  const now = new Date().toISOString();
  const found = await judge({ checkpoint, logKeys, witnessKeys, remembered, prove, now });
  if (found.remember) {
    try {
      keep(localStorage, origin, found.remember);
    } catch {
      // as above
    }
  }
  say(box, found.verdict, HOLDS.has(found.verdict), found);
}

for (const box of document.querySelectorAll("[data-record]")) {
  check(box).catch(() => say(box, "unable", false, {}));
}

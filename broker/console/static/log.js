// SPDX-License-Identifier: EUPL-1.2
// On Logboek: checks in this browser that one checkpoint continues another, and proof files that are dropped or pasted.

import { verifyConsistency } from "./consistency.js";
import { forget, recall } from "./history.js";
import { parseProof, verifyCheckpoint, verifyInclusion } from "./proof_file.js";
import { say } from "./say.js";
import { unbase64 } from "./verify.js";

const words = (text) => text.split(" ").filter(Boolean);

async function checkPair(box) {
  const { first, second, hashes, keys, witnesses } = box.dataset;
  const [one, two] = await Promise.all(
    [first, second].map((note) => verifyCheckpoint(note, words(keys), words(witnesses))),
  );
  const values = { before: one.size, size: two.size, witnesses: two.witnesses };
  try {
    await verifyConsistency(one.size, two.size, words(hashes).map(unbase64), one.root, two.root);
    say(box, "grown", true, values);
  } catch {
    say(box, "unproven", false, values);
  }
}

async function checkProof(box, proofText, entryText) {
  const { keys, witnesses } = box.dataset;
  let proof;
  try {
    proof = parseProof(proofText);
  } catch {
    return say(box, "no-proof", false, {});
  }
  let checkpoint;
  try {
    checkpoint = await verifyCheckpoint(proof.checkpoint, words(keys), words(witnesses));
  } catch {
    return say(box, "signature", false, {});
  }
  const values = { index: proof.index, size: checkpoint.size, witnesses: checkpoint.witnesses };
  if (!entryText) return say(box, "no-entry", false, values);
  try {
    await verifyInclusion(entryText, proof, checkpoint);
    return say(box, "included", true, values);
  } catch {
    return say(box, "not-included", false, values);
  }
}

function listen(box) {
  const [form, drop] = [box.querySelector("form"), box.querySelector("[data-drop]")];
  const fields = { proof: form.elements.proof, entry: form.elements.entry };
  const check = () =>
    checkProof(box, lines(fields.proof.value), fields.entry.value.trim()).catch(() => say(box, "unable", false, {}));
  const take = async (files) => {
    for (const file of files) {
      const text = await file.text();
      (text.startsWith("{") ? fields.entry : fields.proof).value = text;
    }
    await check();
  };
  drop.hidden = false;
  drop.addEventListener("dragover", (event) => event.preventDefault());
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files);
  });
  drop.querySelector("input").addEventListener("change", (event) => take(event.target.files));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    check();
  });
}

// A field of a page has \n for every line end, but loses a last newline easily.
const lines = (text) => `${text.trim()}\n`;

function offerToForget(button) {
  const { origin } = button.dataset;
  button.hidden = recall(localStorage, origin) === null;
  button.addEventListener("click", () => {
    forget(localStorage, origin);
    button.hidden = true;
    document.querySelector("[data-forgotten]").hidden = false;
  });
}

for (const box of document.querySelectorAll("[data-pair]")) {
  checkPair(box).catch(() => say(box, "signature", false, {}));
}
document.querySelectorAll("[data-proof]").forEach(listen);
document.querySelectorAll("[data-forget]").forEach(offerToForget);

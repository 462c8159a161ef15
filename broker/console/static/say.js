// SPDX-License-Identifier: EUPL-1.2
// Shows a sentence that the page brought along in its own language: an element with data-verdict="<name>", in which
// {size}, {before}, {since}, {witnesses}, {index} are filled in. Text only: nothing that came in becomes markup.

function written(value, language) {
  if (typeof value === "bigint" || typeof value === "number") return value.toLocaleString(language);
  if (Array.isArray(value)) return value.length ? value.join(", ") : "–";
  const isMoment = typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value);
  const form = { dateStyle: "long", timeStyle: "short", timeZone: "Europe/Amsterdam" };
  return isMoment ? new Date(value).toLocaleString(language, form) : String(value ?? "–");
}

export function say(box, verdict, isGood, values) {
  const language = document.documentElement.lang;
  const template = box.querySelector(`[data-verdict="${verdict}"]`) ?? box.querySelector('[data-verdict="unable"]');
  const out = box.querySelector("[data-say]");
  out.textContent = template.textContent.trim().replace(/\{(\w+)\}/g, (_, name) => written(values[name], language));
  out.className = `verdict ${isGood ? "ok" : "error"}`;
  out.setAttribute("data-said", verdict);
}

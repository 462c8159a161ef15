// SPDX-License-Identifier: EUPL-1.2
// Shows an answer to a data subject from a file that the officer chooses. The file stays in this browser:
// nothing here sends anything, and all of it is shown as text.
"use strict";
(() => {
  const MOST = 5000000;
  const box = document.getElementById("answer-box");
  const input = document.getElementById("answer-file");
  const out = document.getElementById("answer");
  const status = document.getElementById("answer-status");
  if (!box || !input || !out || !status) return;
  box.hidden = false;
  const say = (key) => box.dataset[key] || "";
  const element = (name, text) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = String(text);
    return made;
  };
  const named = (party) => (party && (party.name || party.oin)) || "";
  const listed = (items) => (Array.isArray(items) ? items.join("; ") : "");

  function moment(text) {
    const at = new Date(text);
    if (Number.isNaN(at.getTime())) return element("span", text);
    const made = element("time", at.toLocaleString(document.documentElement.lang, {
      timeZone: "Europe/Amsterdam", dateStyle: "long", timeStyle: "short",
    }));
    made.dateTime = at.toISOString();
    return made;
  }

  // A broken number is shown, and leads nowhere.
  function entries(indexes) {
    const made = element("span");
    for (const index of Array.isArray(indexes) ? indexes : []) {
      const known = Number.isSafeInteger(index) && index >= 0;
      const part = element(known ? "a" : "span", index);
      if (known) part.href = `/uitwisseling/${index}`;
      made.append(...(made.hasChildNodes() ? ["; ", part] : [part]));
    }
    return made;
  }

  function exchange(item, number) {
    const section = element("section");
    section.className = "panel";
    section.append(element("h3", `${number}. ${String(item.kind).charAt(0).toUpperCase()}${String(item.kind).slice(1)}`));
    if (item.hold_back) {
      const warning = element("p", `${say("holdback")} ${listed(item.hold_back.grounds)}`);
      warning.className = "message warning";
      section.append(warning);
    }
    const list = element("dl");
    const add = (key, value) => {
      const dd = element("dd");
      dd.append(value instanceof Node ? value : document.createTextNode(value || "–"));
      list.append(element("dt", say(key)), dd);
    };
    add("time", moment(item.time));
    add("state", say(item.state) || item.state);
    add("source", named(item.source));
    add("recipient", named(item.recipient));
    add("purpose", item.purpose);
    add("basis", listed(item.legal_basis));
    add("fields", listed(item.fields));
    add("categories", listed(item.categories));
    add("retention", item.retention);
    add("indexes", entries(item.log_indexes));
    section.append(list);
    return section;
  }

  function show(answer) {
    if (!answer || answer.format !== "sluis-subject-answer/1" || !Array.isArray(answer.exchanges)) throw new Error();
    const parts = [element("h2", `${say("title")} ${named(answer.organisation)}`)];
    parts.push(element("p", `${say("count")} ${answer.exchanges.length}. ${say("automated")}`));
    for (const item of answer.domains_not_asked || []) {
      const warning = element("p", `${say("notasked")} ${item.agreement}, ${item.recipient}, ${item.epoch} (${item.code})`);
      warning.className = "message warning";
      parts.push(warning);
    }
    answer.exchanges.forEach((item, at) => parts.push(exchange(item, at + 1)));
    out.replaceChildren(...parts);
    status.textContent = `${say("count")} ${answer.exchanges.length}.`;
  }

  function refuse() {
    out.replaceChildren();
    status.textContent = say("wrong");
  }

  input.addEventListener("change", () => {
    const file = input.files[0];
    if (!file) return;
    if (file.size > MOST) {
      refuse();
      return;
    }
    const reader = new FileReader();
    reader.addEventListener("error", refuse);
    reader.addEventListener("load", () => {
      try {
        show(JSON.parse(String(reader.result)));
      } catch {
        refuse();
      }
    });
    reader.readAsText(file);
  });
})();

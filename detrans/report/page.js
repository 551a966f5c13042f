
"use strict";
// Document text is untrusted: it becomes text nodes (textContent, append), never markup.
(() => {
  const byId = (id) => document.getElementById(id);
  const docs = [...document.querySelectorAll(".doc")];
  const boxes = [...byId("kinds").querySelectorAll("input")];
  const [low, high, tip] = ["low", "high", "tip"].map(byId);
  const details = new WeakMap(); // element -> what the tooltip says, and the element's partner
  const level = (p, bounds) => bounds.filter((b) => p >= b).length;

  function element(name, className, ...children) {
    const node = document.createElement(name);
    node.className = className;
    node.append(...children);
    return node;
  }

  // A part of the data is text, or [before, after, kind, probability, reason]; kind null: suspicion.
  function swap([before, after, kind, score, reason], sentenceScore) {
    const told = { before, after, score, reason, sentenceScore, kind };
    if (kind === null) {
      const mark = element("mark", "", before);
      mark.tabIndex = 0;
      details.set(mark, { told, pair: [mark] });
      return [mark, document.createTextNode(after)];
    }
    const shade = `edit c${level(score, [0.5, 0.7, 0.85, 0.95])}`;
    const pair = [element("del", shade, before), element("ins", shade, after)];
    for (const node of pair) {
      node.dataset.kind = kind;
      details.set(node, { told, pair });
    }
    return pair;
  }

  // Line by line, so that before and after stand beside each other.
  function render(doc) {
    const body = element("div", "body");
    body.role = "table";
    body.ariaLabel = "Before and after, line by line";
    const line = (className, role, ...texts) => {
      const cells = texts.map((text) => element("div", "", text));
      for (const cell of cells) cell.role = role;
      const node = element("div", `row ${className}`, ...cells);
      node.role = "row";
      return node;
    };
    let row, shaded;
    const begin = () => {
      row = line("same", "cell", "", "");
    };
    const end = () => {
      if (row.textContent.trim()) body.append(row);
    };
    begin();
    for (const [score, parts] of JSON.parse(doc.querySelector("script").textContent)) {
      const open = () => {
        shaded = element("span", `s s${level(score, [0.2, 0.4, 0.6, 0.8])}`);
        details.set(shaded, { told: { sentenceScore: score }, pair: [] });
        row.firstChild.append(shaded);
      };
      open();
      for (const part of parts) {
        if (typeof part !== "string") {
          const [before, after] = swap(part, score);
          shaded.append(before);
          row.lastChild.append(after);
          row.classList.remove("same");
          continue;
        }
        part.split("\n").forEach((piece, i) => {
          if (i) {
            end();
            begin();
            open();
          }
          shaded.append(piece);
          row.lastChild.append(piece);
        });
      }
    }
    end();
    body.prepend(line("names", "columnheader", "before", "after"));
    doc.append(body);
    mute(body);
  }

  // Edits of the kinds that are switched off look like plain text and are skipped by Tab.
  function mute(root) {
    const off = new Set(boxes.filter((b) => !b.checked).map((b) => b.value));
    for (const node of root.querySelectorAll(".edit")) {
      const muted = off.has(node.dataset.kind);
      node.classList.toggle("off", muted);
      // One stop a repair: the other half takes focus from a tap only.
      node.tabIndex = node.tagName === "INS" && !muted ? 0 : -1;
    }
  }

  function filter() {
    const on = new Set(boxes.filter((b) => b.checked).map((b) => b.value));
    let shown = 0;
    for (const doc of docs) {
      const score = Number(doc.dataset.score);
      const inside = score >= Number(low.value) - 0.005 && score <= Number(high.value) + 0.005;
      doc.hidden = !inside || !doc.dataset.kinds.split(" ").some((k) => on.has(k));
      shown += !doc.hidden;
      if (doc.open) mute(doc);
    }
    for (const input of [low, high]) {
      document.querySelector(`output[for=${input.id}]`).textContent = Number(input.value).toFixed(2);
    }
    byId("shown").textContent = `${shown.toLocaleString("en")} of ${docs.length.toLocaleString("en")} shown, by score`;
    byId("reset").hidden = shown === docs.length && on.size === boxes.length;
  }

  let current = null;
  function hide() {
    if (!current) return;
    for (const node of details.get(current).pair) node.classList.remove("hot");
    current.removeAttribute("aria-describedby");
    tip.hidden = true;
    current = null;
  }

  function show(node) {
    if (node === current) return;
    hide();
    if (node.classList.contains("off")) return;
    const { told, pair } = details.get(node);
    const line = (className, ...children) => element("p", className, ...children);
    const lines = [];
    if (told.before !== undefined) {
      const arrow = told.kind === null ? ["“", "” is suspected"] : ["“", `” → “`, "”"];
      const words = [element("bdi", "", told.before), element("bdi", "", told.after)];
      lines.push(line("", ...arrow.flatMap((a, i) => (i < arrow.length - 1 ? [a, words[i]] : [a]))));
      lines.push(line("", told.reason));
      const source = told.kind === null ? "left alone" : boxes.find((b) => b.value === String(told.kind)).dataset.name;
      const what = told.kind === null ? "probability of damage" : "confidence";
      lines.push(line("fine", `${what} ${told.score.toFixed(2)} · ${source}`));
    }
    lines.push(line("fine", `sentence: damage ${told.sentenceScore.toFixed(2)}`));
    tip.replaceChildren(...lines);
    tip.hidden = false;
    current = node;
    node.setAttribute("aria-describedby", "tip");
    for (const other of pair) other.classList.add("hot");
    place();
  }

  // Under the first line of the element, or above it where there is no room.
  function place() {
    const at = current.getClientRects()[0] ?? current.getBoundingClientRect();
    const box = tip.getBoundingClientRect();
    const below = at.bottom + 6 + box.height < innerHeight;
    tip.style.left = `${Math.max(8, Math.min(at.left, document.documentElement.clientWidth - box.width - 8))}px`;
    tip.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - box.height - 6)}px`;
  }

  const target = (event) => {
    for (let node = event.target; node instanceof Element; node = node.parentElement) {
      if (details.has(node)) return node;
    }
    return null;
  };
  const leave = () => {
    const focused = document.activeElement;
    details.has(focused) ? show(focused) : hide();
  };
  const list = byId("list");
  let resting = "";
  document.addEventListener("pointerover", (event) => {
    // Tab may scroll the page under a pointer that rests: only one that moves counts.
    const at = `${event.screenX} ${event.screenY}`;
    if (at === resting || tip.contains(event.target)) return; // the tooltip may be pointed at
    resting = at;
    const node = target(event);
    node ? show(node) : leave();
  });
  list.addEventListener("focusin", (event) => (details.has(event.target) ? show(event.target) : hide()));
  list.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  // Tab scrolls to the element that it focuses: its tooltip stays and moves along.
  addEventListener("scroll", () => current && (current === document.activeElement ? place() : hide()), { passive: true });
  // A document's text exists in the page only while it is open, so 1,000 documents stay light.
  list.addEventListener("toggle", ({ target: doc }) => {
    doc.querySelector(".body")?.remove();
    if (doc.open) render(doc);
  }, true);

  low.addEventListener("input", () => { if (Number(low.value) > Number(high.value)) high.value = low.value; filter(); });
  high.addEventListener("input", () => { if (Number(high.value) < Number(low.value)) low.value = high.value; filter(); });
  byId("kinds").addEventListener("change", filter);
  const tick = (on) => { for (const box of boxes) box.checked = on; filter(); };
  byId("all").addEventListener("click", () => tick(true));
  byId("none").addEventListener("click", () => tick(false));
  byId("reset").addEventListener("click", () => { low.value = 0; high.value = 1; tick(true); byId("documents").focus(); });

  const theme = byId("theme");
  const root = document.documentElement;
  let dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const label = () => { theme.textContent = dark ? "Light" : "Dark"; };
  theme.addEventListener("click", () => {
    dark = !dark;
    root.className = dark ? "dark" : "light";
    label();
  });
  label();
  theme.hidden = false;

  filter();
  if (docs[0]?.querySelector(".score").textContent >= "0.5") docs[0].open = true;
})();

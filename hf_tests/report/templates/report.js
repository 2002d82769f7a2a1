"use strict";
// Without this script all is shown but the packed pages of models; it hides, opens and unpacks.
document.documentElement.classList.add("js");
document.addEventListener("DOMContentLoaded", () => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);
  const form = one("#filters");
  const names = ["q", "family", "status", "device", "error"];
  const overview = one("#overview");
  const title = document.title;
  const pages = one("#pages");
  const unpacked = new Map();
  const lines = all("tr.line").map((row) => ({
    row,
    place: row.dataset.m,
    anchor: row.querySelector("a").getAttribute("href").slice(1),
    family: row.closest("tbody").dataset.family,
    text: row.dataset.q,
    chips: all(".chip", row).map((chip) => ({
      chip,
      status: chip.dataset.s,
      errors: (chip.dataset.e || "none").split(" "),
      device: chip.parentNode.dataset.d,
    })),
  }));
  const groups = all(".matrix tbody").map((body) => ({ body, rows: all("tr.line", body) }));
  const charts = all("table.bars").map((table) => ({ table, rows: all("tbody tr", table) }));
  const troubles = all(".troubles > li").map((item) => ({ item, who: all(".who > span", item) }));
  let filter = {};
  let scrolled = 0;

  function read(hash) {
    const found = new URLSearchParams(hash);
    return Object.fromEntries(names.map((name) => [name, found.get(name) || ""]));
  }

  function write() {
    const chosen = names.filter((name) => filter[name]).map((name) => [name, filter[name]]);
    return `#${new URLSearchParams(chosen)}`;
  }

  function apply() {
    const words = filter.q.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (device, status, errors) =>
      (!filter.device || filter.device === device) &&
      (!filter.status || filter.status === status) &&
      (!filter.error || errors.includes(filter.error));
    const shown = new Set();
    for (const { row, place, family, text, chips } of lines) {
      let any = false;
      for (const { chip, status, errors, device } of chips) {
        const fit = fits(device, status, errors);
        chip.classList.toggle("faint", !fit);
        any = any || fit;
      }
      const fit =
        any && (!filter.family || filter.family === family) && words.every((word) => text.includes(word));
      row.hidden = !fit;
      if (fit) shown.add(place);
    }
    for (const { body, rows } of groups) body.hidden = rows.every((row) => row.hidden);
    for (const cell of all(".matrix [data-d]"))
      cell.hidden = Boolean(filter.device) && cell.dataset.d !== filter.device;
    for (const { table, rows } of charts) {
      for (const row of rows) {
        const bars = all(".bar", row);
        for (const bar of bars) bar.hidden = !fits(bar.dataset.d, bar.dataset.s || "passed", [bar.dataset.e]);
        row.hidden = !shown.has(row.dataset.m) || bars.every((bar) => bar.hidden);
      }
      table.hidden = rows.every((row) => row.hidden);
    }
    for (const { item, who } of troubles) {
      for (const span of who)
        span.hidden =
          !shown.has(span.dataset.m) || !fits(span.dataset.d, item.dataset.s, [item.dataset.e]);
      item.hidden = who.every((span) => span.hidden);
    }
    const some = shown.size === lines.length ? "" : `${shown.size} of `;
    one("#shown").textContent = `${some}${lines.length} model${lines.length === 1 ? "" : "s"}`;
    one("#nothing").hidden = shown.size > 0;
  }

  async function unpack(number) {
    const text = atob(one(`#pack${number}`).content.textContent);
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    // Every text in it was escaped when it was written, as all the rest of this file.
    pages.insertAdjacentHTML("beforeend", await new Response(stream).text());
  }

  async function turn({ place, anchor }) {
    const find = () => one(`article[data-m="${place}"]`);
    const number = Math.floor(place / pages.dataset.pack);
    if (!find()) {
      if (!unpacked.has(number)) unpacked.set(number, unpack(number));
      try {
        await unpacked.get(number);
      } catch {
        one("#unpacked-not").hidden = false;
        one("#unpacked-not").scrollIntoView();
        return;
      }
    }
    if (window.location.hash.slice(1) === anchor) open(find()); // or it has been left meanwhile
  }

  function open(page) {
    if (!document.body.classList.contains("opened")) scrolled = window.scrollY;
    all("article.open").forEach((other) => other.classList.remove("open"));
    document.body.classList.add("opened");
    pages.setAttribute("role", "main"); // the overview, which was it, is hidden
    page.classList.add("open");
    const heading = page.querySelector("h2");
    document.title = `${heading.textContent} – ${title}`;
    const visible = lines.filter(({ row }) => !row.hidden).map(({ place }) => place);
    const here = visible.indexOf(page.dataset.m);
    for (const link of all("[data-step]", page)) {
      const next = here < 0 ? undefined : visible[here + Number(link.dataset.step)];
      link.hidden = next === undefined;
      if (next !== undefined) link.href = `#${lines.find(({ place }) => place === next).anchor}`;
    }
    page.querySelector("[data-back]").href = write();
    window.scrollTo(0, 0);
    heading.focus({ preventScroll: true });
  }

  function close(restore) {
    if (!document.body.classList.contains("opened")) return;
    const page = one("article.open");
    document.body.classList.remove("opened");
    pages.removeAttribute("role");
    page.classList.remove("open");
    document.title = title;
    if (!restore) return;
    window.scrollTo(0, scrolled);
    const line = lines.find(({ place }) => place === page.dataset.m);
    if (line) line.row.querySelector("a").focus({ preventScroll: true });
  }

  function follow() {
    const hash = window.location.hash.slice(1);
    one("#unpacked-not").hidden = true;
    const line = lines.find(({ anchor }) => anchor === hash);
    if (line) return turn(line);
    if (hash && !hash.includes("=")) return close(false); // a section's own anchor
    const wanted = read(hash);
    const same = names.every((name) => wanted[name] === filter[name]);
    const was = document.body.classList.contains("opened");
    close(same);
    if (same) return undefined;
    filter = wanted;
    for (const name of names) form.elements[name].value = filter[name];
    for (const name of names.slice(1)) filter[name] = form.elements[name].value; // only what there is
    apply();
    if (hash && !was) form.scrollIntoView();
    return undefined;
  }

  function changed() {
    for (const name of names) filter[name] = form.elements[name].value.trim();
    window.history.replaceState(null, "", write());
    apply();
  }

  form.addEventListener("input", changed);
  form.addEventListener("change", changed); // some tell of a choice by this alone
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => window.setTimeout(changed));
  one("#clear").addEventListener("click", () => form.reset());
  window.addEventListener("hashchange", follow);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape" && document.body.classList.contains("opened")) {
      window.location.hash = write();
    } else if (event.key === "/" && !typing) {
      event.preventDefault();
      if (document.body.classList.contains("opened")) window.location.hash = write();
      window.setTimeout(() => form.elements.q.focus());
    }
  });
  filter = read("");
  overview.dataset.ready = "yes";
  follow();
});

"use strict";
// Draws the run that stands in the page as JSON. Texts are set as text, never as markup.
const run = JSON.parse(document.getElementById("run").textContent);
const rows = run.rows;
const HEIGHT = 22;
const $ = (id) => document.getElementById(id);

function make(tag, style, text) {
  const found = document.createElement(tag);
  if (style) found.className = style;
  if (text !== undefined) found.textContent = text;
  return found;
}

function seconds(value) {
  if (value < 0.9995) return `${Math.round(value * 1000)}ms`;
  if (value < 99.95) return `${value < 9.995 ? value.toFixed(2) : value.toFixed(1)}s`;
  const minutes = Math.floor(value / 60);
  return `${minutes}m${String(Math.round(value % 60)).padStart(2, "0")}`;
}

// What is in sight: `shown` holds the numbers of rows, from the top.
const isOpen = rows.map((row) => Boolean(row.o));
const children = rows.map(() => 0);
rows.forEach((row) => { if (row.p >= 0) children[row.p] += 1; });
let shown = [];
let selected = 0;
let tab = 0;
let found = [];
let isHit = new Set();
let onlyChain = false;
let view = [0, run.seconds || 1];

function list() {
  shown = [];
  const visible = new Array(rows.length);
  rows.forEach((row, number) => {
    const parent = row.p;
    visible[number] = parent < 0 || (visible[parent] && isOpen[parent]);
    if (visible[number] && (!onlyChain || row.c || parent < 0)) shown.push(number);
  });
  $("room").style.height = `${shown.length * HEIGHT}px`;
  draw();
}

function draw() {
  const box = $("rows");
  const first = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - 4);
  const last = Math.min(shown.length, first + Math.ceil(box.clientHeight / HEIGHT) + 9);
  const drawn = [];
  for (let place = first; place < last; place += 1) drawn.push(drawRow(shown[place], place));
  $("room").replaceChildren(...drawn);
}

function drawRow(number, place) {
  const row = rows[number];
  const line = make("div", "row");
  line.setAttribute("role", "treeitem");
  line.style.top = `${place * HEIGHT}px`;
  line.classList.toggle("selected", number === selected);
  line.classList.toggle("hit", isHit.has(number));
  line.classList.toggle("critical", Boolean(row.c));
  const name = make("span", "name");
  name.style.marginLeft = `${row.d * 14}px`;
  name.title = `${row.l}  ${row.n || ""}`;
  const fold = make("span", "fold", children[number] ? (isOpen[number] ? "\u25be" : "\u25b8") : "");
  fold.addEventListener("click", (event) => { event.stopPropagation(); toggle(number); });
  name.append(fold, make("b", row.t === "bad" ? "bad" : "", row.l));
  if (row.s && row.s !== "ok") name.append(make("span", `mark ${row.t || ""}`, row.s));
  name.append(make("i", "", row.n || ""));
  const time = row.a !== undefined && row.z !== undefined && row.b ? seconds(row.z - row.a) : "";
  const tokens = row.u ? `${row.u[0].toLocaleString("en")} / ${row.u[1].toLocaleString("en")}` : "";
  const bars = make("div", "bars");
  (row.b || []).forEach(([start, end, role]) => bars.append(drawBar(start, end, role)));
  line.append(name, make("span", "num", time), make("span", "num tokens", tokens), bars);
  line.addEventListener("click", () => select(number));
  line.addEventListener("dblclick", () => toggle(number));
  return line;
}

function drawBar(start, end, role) {
  const bar = make("span", `${role} b`);
  const width = view[1] - view[0];
  const left = Math.max(0, (start - view[0]) / width);
  const right = Math.min(1, (end - view[0]) / width);
  bar.style.left = `${left * 100}%`;
  bar.style.width = `${Math.max(0, right - left) * 100}%`;
  bar.title = `${role}: ${seconds(end - start)}, from ${seconds(start)}`;
  bar.hidden = end < view[0] || start > view[1];
  return bar;
}

function drawAxis() {
  const [first, last] = view;
  const least = (last - first) / 6;
  const unit = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((f) => f * unit).find((s) => s >= least);
  const ticks = [];
  for (let at = Math.ceil(first / step) * step; at <= last; at += step) {
    const tick = make("span", "", at ? `${Number(at.toPrecision(6))}s` : "0");
    tick.style.left = `${((at - first) / (last - first)) * 100}%`;
    ticks.push(tick);
  }
  $("axis").replaceChildren(...ticks);
}

// Moving around.
function select(number) {
  selected = number;
  for (let above = rows[number].p; above >= 0; above = rows[above].p) isOpen[above] = true;
  if (!shown.includes(number)) onlyChain = false;
  list();
  const place = shown.indexOf(number);
  const box = $("rows");
  if (place * HEIGHT < box.scrollTop) box.scrollTop = place * HEIGHT;
  const below = (place + 1) * HEIGHT - box.clientHeight;
  if (below > box.scrollTop) box.scrollTop = below;
  $("chain").setAttribute("aria-pressed", String(onlyChain));
  document.querySelectorAll("#drawing g").forEach((g) => {
    g.classList.toggle("selected", Number(g.dataset.row) === number);
  });
  detail();
  draw();
}

function toggle(number) {
  if (!children[number]) return;
  isOpen[number] = !isOpen[number];
  list();
}

function move(by) {
  const place = Math.max(0, shown.indexOf(selected)) + by;
  select(shown[Math.min(Math.max(0, place), shown.length - 1)]);
}

function next(numbers, step) {
  if (!numbers.length) return;
  const after = step > 0 ? numbers.find((n) => n > selected) : numbers.findLast((n) => n < selected);
  select(after ?? numbers[step > 0 ? 0 : numbers.length - 1]);
}

// Search: all words must stand in a row's name, note, state or details.
let texts = null;
function textOf(row) {
  const parts = [row.k, row.l, row.n, row.s];
  (row.x || []).forEach(([, ...entries]) => entries.forEach((e) => parts.push(...(Array.isArray(e) ? e : [e.h, e.x]))));
  return parts.join("\n").toLowerCase();
}

function search() {
  const words = $("query").value.toLowerCase().split(/\s+/).filter(Boolean);
  texts ??= rows.map(textOf);
  found = words.length ? rows.map((_, n) => n).filter((n) => words.every((w) => texts[n].includes(w))) : [];
  isHit = new Set(found);
  $("found").textContent = words.length ? `${found.length.toLocaleString("en")} found` : "";
  draw();
}

// Details.
function detail() {
  const row = rows[selected];
  const tabs = row.x || [];
  if (!tabs.some(([number]) => number === tab)) tab = tabs.length ? tabs[0][0] : 0;
  $("tabs").replaceChildren(...tabs.map(([number]) => {
    const button = make("button", "", run.tabs[number]);
    button.type = "button";
    button.setAttribute("role", "tab");
    button.setAttribute("aria-selected", String(number === tab));
    button.addEventListener("click", () => { tab = number; detail(); });
    return button;
  }));
  const entries = (tabs.find(([number]) => number === tab) || [0]).slice(1);
  const head = make("h2", row.t === "bad" ? "bad" : "", row.l);
  $("entries").replaceChildren(head, ...entries.flatMap(drawEntry));
  $("entries").scrollTop = 0;
}

function drawEntry(entry) {
  if (Array.isArray(entry)) {
    const field = make("div", "field");
    field.append(make("span", "", entry[0]), make("span", entry[2] || "", entry[1]));
    return [field];
  }
  return [make("h3", "", entry.h), make("pre", entry.t === "bad" ? "bad" : "", entry.x)];
}

// The graph.
function svg(tag, attributes, text) {
  const found = document.createElementNS("http://www.w3.org/2000/svg", tag);
  Object.entries(attributes).forEach(([name, value]) => found.setAttribute(name, value));
  if (text !== undefined) found.textContent = text;
  return found;
}

function shorten(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}\u2026` : text;
}

function drawGraph() {
  const graph = run.graph;
  const [width, height] = graph.size;
  const drawing = svg("svg", { width: graph.w, height: graph.h });
  graph.lines.forEach(([source, target, kind]) => {
    const [a, x, y] = graph.boxes[source];
    const [b, u, v] = graph.boxes[target];
    const bend = Math.max(24, (u - x - width) / 2);
    const [sx, sy, ty] = [x + width, y + height / 2, v + height / 2];
    const chain = rows[a].c && rows[b].c ? "critical" : "";
    drawing.append(svg("path", {
      class: `${kind} ${chain}`, d: `M${sx} ${sy}C${sx + bend} ${sy} ${u - bend} ${ty} ${u} ${ty}`,
    }));
  });
  graph.boxes.forEach(([number, x, y]) => {
    const row = rows[number];
    const box = svg("g", { class: `${row.k} ${row.t || ""} ${row.c ? "critical" : ""}`, "data-row": number });
    const took = row.a !== undefined && row.z !== undefined ? seconds(row.z - row.a) : "";
    const words = row.s && row.s !== "ok" ? `${row.s}  ${row.n || ""}` : row.n || "";
    box.append(
      svg("title", {}, `${row.l}  ${row.n || ""}`),
      svg("rect", { x, y, width, height, rx: 6 }),
      svg("text", { x: x + 9, y: y + 16, class: "name" }, shorten(row.l, 15)),
      svg("text", { x: x + width - 9, y: y + 16, class: "sub", "text-anchor": "end" }, took),
      svg("text", { x: x + 9, y: y + 32, class: "sub" }, shorten(words, 26)),
    );
    box.addEventListener("click", () => select(number));
    drawing.append(box);
  });
  $("drawing").replaceChildren(drawing);
  $("more").textContent = graph.left ? `${graph.left.toLocaleString("en")} more are only in the list` : "";
  $("graph").hidden = graph.boxes.length < 2;
}

// The head of the page.
function drawHead() {
  $("name").textContent = `run ${run.id}`;
  $("state").textContent = run.state;
  if (run.tone) $("state").classList.add(run.tone);
  $("started").textContent = run.started ? `${run.started} UTC` : "";
  $("about").replaceChildren(...run.about.map(([name, text]) => {
    const about = make("span");
    about.append(make("b", "", name), text);
    return about;
  }));
  $("task").textContent = run.task;
  $("totals").replaceChildren(...run.totals.map((words) => make("span", "", words)));
  $("missing").replaceChildren(...run.missing.map((words) => make("li", "", words)));
}

function setTheme(dark) {
  document.documentElement.classList.toggle("dark", dark);
}

function zoom() {
  const row = rows[selected];
  const whole = [0, run.seconds || 1];
  const isWhole = view[0] === whole[0] && view[1] === whole[1];
  if (isWhole && row.a !== undefined && row.z > row.a) {
    const margin = (row.z - row.a) * 0.05;
    view = [Math.max(0, row.a - margin), row.z + margin];
  } else view = whole;
  drawAxis();
  draw();
}

function unfold() {
  const open = $("all").textContent === "unfold";
  rows.forEach((_, number) => { isOpen[number] = open || number === 0; });
  $("all").textContent = open ? "fold" : "unfold";
  list();
}

function chain() {
  onlyChain = !onlyChain;
  $("chain").setAttribute("aria-pressed", String(onlyChain));
  list();
}

const errors = rows.map((_, number) => number).filter((number) => rows[number].f);
const KEYS = {
  j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
  g: () => select(shown[0]), G: () => select(shown[shown.length - 1]),
  " ": () => toggle(selected), Enter: () => toggle(selected),
  n: () => next(found, 1), N: () => next(found, -1), e: () => next(errors, 1), E: () => next(errors, -1),
  t: () => $("theme").click(), z: zoom, a: unfold, c: chain,
  "/": () => $("query").focus(),
};

document.addEventListener("keydown", (event) => {
  if (event.target === $("query")) {
    if (event.key === "Enter") next(found, event.shiftKey ? -1 : 1);
    if (event.key === "Escape") $("rows").focus();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, event.key)) return;
  if (event.target.tagName === "BUTTON" && (event.key === " " || event.key === "Enter")) return;
  event.preventDefault();
  KEYS[event.key]();
});
$("rows").addEventListener("scroll", draw);
window.addEventListener("resize", draw);
$("query").addEventListener("input", search);
$("errors").addEventListener("click", () => next(errors, 1));
$("errors").textContent = `errors ${errors.length}`;
$("errors").disabled = !errors.length;
$("chain").addEventListener("click", chain);
$("all").addEventListener("click", unfold);
$("zoom").addEventListener("click", zoom);
$("fold").addEventListener("click", () => $("graph").classList.toggle("folded"));
$("theme").addEventListener("click", () => setTheme(!document.documentElement.classList.contains("dark")));
const dark = window.matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => setTheme(dark.matches));
setTheme(dark.matches);
drawHead();
drawGraph();
drawAxis();
select(errors.length ? errors[0] : 0);

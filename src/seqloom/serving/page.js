"use strict";
const $ = (id) => document.getElementById(id);
const RECENT = 400, ROWS = 1000;
let models = [], token = "", answer = null;

function fault(text) {
  $("fault").textContent = text;
  $("fault").hidden = !text;
  if (text) $("answer").hidden = true;
}

async function ask(path, options = {}) {
  const headers = { ...(options.headers || {}), ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  let found;
  try {
    found = await fetch(path, { ...options, headers });
  } catch {
    throw new Error("The server gives no answer; look whether it still runs.");
  }
  if (found.status === 401) $("who").hidden = false;
  const told = await found.json().catch(() => ({ error: `The server answered ${found.status} in a form that is not JSON.` }));
  if (!found.ok) throw new Error(told.error || `The server answered ${found.status}.`);
  return told;
}

async function start() {
  fault("");
  try {
    models = (await ask("v1/models")).models;
  } catch (problem) {
    return fault($("who").hidden || token ? problem.message : "");
  }
  $("who").hidden = true;
  const select = $("model");
  select.replaceChildren(...models.map((model, at) => {
    const several = models.filter((other) => other.name === model.name).length > 1;
    const option = document.createElement("option");
    option.value = at;
    option.textContent = several ? `${model.name}, version ${model.version}` : model.name;
    return option;
  }));
  $("choice").hidden = false;
  choose();
}

function chosen() {
  return models[Number($("model").value)];
}

function choose() {
  const model = chosen();
  if (!model) return;
  const takes = new Set(model.takes);
  const facts = [model.estimator];
  if (model.columns) facts.push(`reads ${[...(model.time ? [model.time] : []), ...model.columns].join(", ")}, a row is ${model.row}`);
  if (model.horizon) facts.push(`${model.horizon} rows ahead`);
  if (model.classes) facts.push(`tells ${model.classes.slice(0, 12).join(", ")}${model.classes.length > 12 ? ", …" : ""} apart`);
  $("about").textContent = facts.join(" · ");
  $("table").hidden = !takes.has("table");
  $("own").hidden = !takes.has("nothing");
  $("text").hidden = !takes.has("texts") && !takes.has("sequences");
  document.querySelector("label[for=words]").textContent = takes.has("texts") ? "Text" : "Sequence, as JSON: [[1.0], [2.0], …]";
  $("answer").hidden = true;
  fault("");
}

async function predict(body, query = "") {
  const model = chosen();
  const place = `v1/models/${encodeURIComponent(model.name)}/versions/${encodeURIComponent(model.version)}/predict`;
  fault("");
  document.body.setAttribute("aria-busy", "true");
  try {
    answer = await ask(place + query, { method: "POST", body });
    show(model);
  } catch (problem) {
    fault(problem.message);
  } finally {
    document.body.removeAttribute("aria-busy");
  }
}

function forecast(body) {
  const asked = new URLSearchParams({ recent: RECENT });
  if ($("horizon").value.trim()) asked.set("horizon", $("horizon").value.trim());
  return predict(body, `?${asked}`);
}

function give(file) {
  if (file) forecast(file);
}

function text() {
  const typed = $("words").value;
  if (!typed.trim()) return fault("The text: expected some words, got nothing; type them above.");
  if (chosen().takes.includes("texts")) return predict(JSON.stringify({ texts: [typed] }));
  let steps;
  try {
    steps = JSON.parse(typed);
  } catch {
    return fault("The sequence: expected JSON such as [[1.0], [2.0]].");
  }
  return predict(JSON.stringify({ sequences: [steps] }));
}

function show(model) {
  $("answer").hidden = false;
  $("notes").replaceChildren(...(answer.notes || []).map((note) => element("li", note)));
  if (answer.forecast) return showForecast(model);
  $("figure").hidden = $("pick").hidden = $("save").hidden = true;
  $("title").textContent = `What ${model.name} says`;
  const found = answer.predictions[0];
  if (Array.isArray(found) && found[0] && found[0].word !== undefined) return fill(["word", "tag"], found);
  if (found && found.probabilities) {
    const rows = Object.entries(found.probabilities).sort((a, b) => b[1] - a[1]);
    return fill(["class", "probability"], rows.map(([name, p]) => ({ class: name, probability: p })));
  }
  fill(["answer"], [{ answer: typeof found === "string" ? found : JSON.stringify(found) }]);
}

function showForecast(model) {
  const rows = answer.forecast;
  const wide = Array.isArray(answer.target);
  const names = wide ? answer.target : [...new Set(rows.map((row) => row.id).filter((id) => id !== undefined))];
  $("title").textContent = `Forecast of ${wide ? answer.target.join(", ") : answer.target} by ${model.name}`;
  $("series").replaceChildren(...names.map((name) => element("option", name)));
  $("pick").hidden = names.length < 2;
  fill(Object.keys(rows[0] || {}), rows);
  const save = $("save");
  if (save.href) URL.revokeObjectURL(save.href);
  save.href = URL.createObjectURL(new Blob([csv(rows)], { type: "text/csv" }));
  save.download = `${model.name}-forecast.csv`;
  save.hidden = false;
  $("figure").hidden = false;
  draw();
}

function csv(rows) {
  const cell = (value) => (value === null ? "" : /[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  return [Object.keys(rows[0] || {}), ...rows.map((row) => Object.values(row))].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function element(name, content, kind) {
  const made = document.createElement(name);
  if (content !== undefined) made.textContent = content;
  if (kind) made.className = kind;
  return made;
}

const number = (value) => (Number.isInteger(value) ? String(value) : value.toPrecision(5).replace(/\.?0+$/, ""));

function fill(columns, rows) {
  const kind = (column) => (typeof (rows[0] || {})[column] === "number" ? "num" : "");
  const head = element("tr");
  head.append(...columns.map((column) => element("th", column, kind(column))));
  $("head").replaceChildren(head);
  $("rows").replaceChildren(...rows.slice(0, ROWS).map((row) => {
    const line = element("tr");
    line.append(...columns.map((column) => {
      const value = row[column];
      const shown = typeof value === "number" ? number(value) : value === null || value === undefined ? "" : String(value);
      return element("td", shown, typeof value === "number" ? "num" : shown.length > 60 ? "wrap" : "");
    }));
    return line;
  }));
}

function points() {
  const wide = Array.isArray(answer.target);
  const name = $("series").value;
  const rows = answer.forecast.filter((row) => wide || !name || row.id === undefined || row.id === name);
  const columns = Object.keys(rows[0] || {});
  const value = wide ? name : columns.find((c) => !["id", "time", "sample"].includes(c) && !/^(low|high)_/.test(c));
  const level = columns.map((c) => (wide ? c.startsWith(`${name}_low_`) && c.slice(name.length + 5) : /^low_/.test(c) && c.slice(4))).find(Boolean);
  const side = (which) => (level ? (wide ? `${name}_${which}_${level}` : `${which}_${level}`) : "");
  const recent = (answer.recent || []).filter((row) => !name || row.series === name || names().length < 2);
  const known = recent.map((row) => ({ time: row.time, y: row.value }));
  const ahead = rows.filter((row) => row[value] !== null).map((row) => ({ time: row.time, y: row[value], low: row[side("low")], high: row[side("high")] }));
  return { known, ahead, level };
}

const names = () => [...$("series").options].map((option) => option.value);

function ticks(low, high, count) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) || power;
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return { found, digits: Math.max(0, -Math.floor(Math.log10(step))) };
}

function svg(name, attributes, content) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (content !== undefined) made.textContent = content;
  return made;
}

function draw() {
  const { known, ahead, level } = points();
  const all = [...known, ...ahead];
  const box = $("chart");
  box.replaceChildren();
  if (!all.length) return;
  const width = Math.max(320, box.parentElement.clientWidth), height = Math.min(360, 120 + width / 3);
  box.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const values = all.flatMap((p) => [p.y, p.low, p.high]).filter((v) => typeof v === "number" && Number.isFinite(v));
  let low = Math.min(...values), high = Math.max(...values);
  if (low === high) { low -= 1; high += 1; }
  const { found, digits } = ticks(low, high, 5);
  const texts = found.map((v) => v.toLocaleString("en", { minimumFractionDigits: Math.min(digits, 12), maximumFractionDigits: Math.min(digits, 12) }));
  const left = 14 + 7.2 * Math.max(...texts.map((t) => t.length)), right = 12, top = 10, bottom = 26;
  const x = (at) => left + (at / Math.max(1, all.length - 1)) * (width - left - right);
  const y = (v) => top + ((high - v) / (high - low)) * (height - top - bottom);
  found.forEach((v, at) => {
    box.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: y(v), y2: y(v) }));
    box.append(svg("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, texts[at]));
  });
  const every = Math.max(1, Math.ceil(all.length / Math.max(2, Math.floor((width - left) / 150))));
  for (let at = 0, free = 0; at < all.length; at += every) {
    const anchor = at === 0 ? "start" : x(at) > width - 70 ? "end" : "middle";
    const begin = x(at) - { start: 0, middle: 60, end: 120 }[anchor];
    if (begin < free) continue;
    free = begin + 128;
    box.append(svg("text", { x: x(at), y: height - 8, "text-anchor": anchor }, String(all[at].time).replace("T", " ").slice(0, 16)));
  }
  const start = known.length;
  const line = (rows, from) => rows.map((p, at) => `${at ? "L" : "M"}${x(from + at).toFixed(1)} ${y(p.y).toFixed(1)}`).join("");
  if (level && ahead.length) {
    const sure = ahead.map((p, at) => [start + at, p]).filter(([, p]) => typeof p.low === "number" && typeof p.high === "number");
    const up = sure.map(([at, p]) => `${x(at).toFixed(1)} ${y(p.high).toFixed(1)}`);
    const down = sure.map(([at, p]) => `${x(at).toFixed(1)} ${y(p.low).toFixed(1)}`).reverse();
    if (sure.length) box.append(svg("path", { class: "band", d: `M${[...up, ...down].join("L")}Z` }));
  }
  if (known.length) box.append(svg("path", { class: "known", d: line(known, 0) }));
  const joined = known.length ? [known[known.length - 1], ...ahead] : ahead;
  box.append(svg("path", { class: "ahead", d: line(joined, known.length ? start - 1 : 0) }));
  if (known.length) box.append(svg("line", { class: "now", x1: x(start - 1), x2: x(start - 1), y1: top, y2: height - bottom }));
  const mark = svg("circle", { class: "at", r: 4, cx: -10, cy: -10 });
  box.append(mark);
  const usual = `Black: the last ${known.length} known values; blue: the forecast${level ? `, shaded: its ${level} % interval` : ""}.`;
  $("reading").textContent = usual;
  box.setAttribute("aria-label", usual);
  box.onpointermove = (event) => {
    const place = box.getBoundingClientRect();
    const at = Math.round((((event.clientX - place.left) / place.width) * width - left) / (width - left - right) * (all.length - 1));
    const p = all[Math.min(all.length - 1, Math.max(0, at))];
    mark.setAttribute("cx", x(all.indexOf(p)));
    mark.setAttribute("cy", y(p.y));
    const range = typeof p.low === "number" ? ` (${number(p.low)} to ${number(p.high)})` : "";
    $("reading").textContent = `${String(p.time).replace("T", " ")}: ${number(p.y)}${range}`;
  };
  box.onpointerleave = () => { $("reading").textContent = usual; mark.setAttribute("cx", -10); };
  document.documentElement.dataset.drawn = "yes";
}

$("who").addEventListener("submit", (event) => { event.preventDefault(); token = $("token").value.trim(); start(); });
$("model").addEventListener("change", choose);
$("series").addEventListener("change", draw);
$("own").addEventListener("click", () => forecast(null));
$("ask").addEventListener("click", text);
$("file").addEventListener("change", () => { give($("file").files[0]); $("file").value = ""; });
const drop = $("drop");
for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
drop.addEventListener("drop", (event) => { event.preventDefault(); give(event.dataTransfer.files[0]); });
addEventListener("resize", () => { if (!$("figure").hidden) draw(); });
start();

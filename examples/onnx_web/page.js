// A forecaster that `seqloom export RUN --onnx model.onnx` wrote, run by onnxruntime-web: the table never leaves the browser.
import * as ort from "./ort/ort.wasm.min.mjs";
import { latest } from "./table.js";
import { metadata } from "./metadata.js";

const element = id => document.getElementById(id);
ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
ort.env.wasm.numThreads = 1; // more need headers that a plain file server doesn't send

function say(text, kind) {
  element("said").textContent = text;
  element("said").dataset.kind = kind;
  document.documentElement.dataset.done = kind;
}

async function load() {
  const answer = await fetch("model.onnx");
  if (!answer.ok) throw new Error("model.onnx: expected beside this page, not found; write it with seqloom export RUN --onnx model.onnx.");
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const facts = JSON.parse(metadata(bytes).seqloom ?? "{}");
  const read = facts.past?.rows ?? [];  // relative to the origin, which is 0
  const last = read.length > 0 && read.every((row, place) => row === place - read.length + 1);
  if (facts.task !== "forecast" || Object.keys(facts.inputs).join() !== "past" || !last)
    throw new Error("model.onnx: expected a forecaster whose only input is past, the last rows of a table; this page shows no other.");
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  const [, rows, columns] = facts.inputs.past.axes;
  element("model").textContent = `The model reads the last ${rows} rows of ${facts.past.columns.join(", ")} and forecasts ` +
    `${facts.outputs.forecast.axes[1]} steps of ${facts.target}, each of ${facts.forecast.one_row}.`;
  return { session, facts, rows, columns };
}

async function show(name, text) {
  const { session, facts, rows, columns } = await loading;
  const table = latest(name, text, facts.past.columns, rows);
  const wide = facts.inputs.past.type === "double";
  const past = new ort.Tensor(wide ? "float64" : "float32", (wide ? Float64Array : Float32Array).from(table.flat()), [1, rows, columns]);
  const { forecast } = await session.run({ past });
  const target = facts.past.columns.indexOf(facts.target);
  const ahead = Array.from(forecast.data);
  draw(target < 0 ? [] : table.map(row => row[target]), ahead);
  element("numbers").replaceChildren(...ahead.map((value, step) => {
    const row = document.createElement("tr");
    row.innerHTML = "<th></th><td></td>";
    row.firstChild.textContent = `+${step + 1}`;
    row.lastChild.textContent = value.toPrecision(5);
    return row;
  }));
  say(`${name}: the ${ahead.length} steps after its last row.`, "forecast");
}

function draw(past, ahead) {
  const all = [...past, ...ahead], low = Math.min(...all), high = Math.max(...all);
  const x = n => 40 + 900 * n / Math.max(1, all.length - 1), y = v => 270 - 240 * (v - low) / (high - low || 1);
  const line = (values, first) => values.map((v, n) => `${n ? "L" : "M"}${x(first + n).toFixed(1)},${y(v).toFixed(1)}`).join("");
  const joined = past.length ? [past.at(-1), ...ahead] : ahead;
  element("chart").innerHTML = `<svg viewBox="0 0 960 300" role="img" aria-label="the last rows and the forecast">
    <path d="${line(past, 0)}" fill="none" stroke="#567" stroke-width="2"/>
    <path id="ahead" d="${line(joined, all.length - joined.length)}" fill="none" stroke="#c40" stroke-width="2"/>
    <text x="0" y="${y(high) + 5}" font-size="12">${high.toPrecision(3)}</text>
    <text x="0" y="${y(low) + 5}" font-size="12">${low.toPrecision(3)}</text></svg>`;
}

async function take(file) {
  if (!file) return;
  try {
    await show(file.name, await file.text());
  } catch (error) {
    say(error.message, "error");
  }
}

const loading = load();
loading.then(() => { document.documentElement.dataset.ready = "yes"; }, error => say(error.message, "error"));
element("file").addEventListener("change", event => take(event.target.files[0]));
element("drop").addEventListener("dragover", event => { event.preventDefault(); element("drop").classList.add("over"); });
element("drop").addEventListener("dragleave", () => element("drop").classList.remove("over"));
element("drop").addEventListener("drop", event => {
  event.preventDefault();
  element("drop").classList.remove("over");
  take(event.dataTransfer.files[0]);
});

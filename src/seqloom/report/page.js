// Draws the charts of the page: reads each specification from its JSON block, keeps choices, pointer and zoom in step.
"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const options = {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: true, // expressions are interpreted: the page's policy forbids eval
    tooltip: { theme: "custom" },
  };
  const left = (view) => view.origin()[0] + view.padding().left; // where the plot begins inside the drawing
  const two = (n) => String(n).padStart(2, "0");

  function moment(ms) {
    const d = new Date(ms);
    const day = `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`;
    const clock = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
    const seconds = d.getUTCSeconds() ? `:${two(d.getUTCSeconds())}` : "";
    return clock === "00:00" && !seconds ? day : `${day} ${clock}${seconds}`;
  }

  function shown(value, kind, decimals) {
    if (value === null || value === undefined) return "–";
    if (kind === "time") return moment(value);
    if (kind === "clock") return `${two(Math.floor(value / 60))}:${two(value % 60)}`;
    if (decimals === null) return value.toExponential(2).replace(/-/g, "−");
    const digits = decimals === undefined ? {} : { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    return value.toLocaleString("en", digits).replace("-", "−");
  }

  // The rows under the current choices, in order of time.
  function chosenRows(state) {
    const wanted = Object.entries(state.choices);
    return state.rows.filter((row) => wanted.every(([key, value]) => row[key] === value)).sort((a, b) => a.at - b.at);
  }

  function nearest(rows, x) {
    let low = 0;
    let high = rows.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (rows[middle].at < x) low = middle;
      else high = middle;
    }
    return Math.abs(rows[low].at - x) <= Math.abs(rows[high].at - x) ? rows[low] : rows[high];
  }

  function fillTip(tip, row, hover) {
    tip.replaceChildren();
    const line = (label, value, colour) => {
      const item = tip.appendChild(document.createElement("div"));
      const swatch = item.appendChild(document.createElement("span"));
      swatch.className = "swatch";
      swatch.style.background = colour || "transparent";
      item.appendChild(document.createElement("span")).textContent = label;
      item.appendChild(document.createElement("b")).textContent = value;
    };
    line(hover.x.label, shown(row.at, hover.x.kind));
    for (const series of hover.series) {
      if (series.fields.some((f) => row[f] === null || row[f] === undefined)) continue;
      line(series.label, series.fields.map((f) => shown(row[f], "number", hover.decimals)).join(" to "), series.colour);
    }
  }

  function followPointer(state) {
    const { view, element, hover } = state;
    const tip = element.parentElement.appendChild(document.createElement("div"));
    tip.className = "tip";
    tip.hidden = true;
    const hide = () => {
      if (tip.hidden) return;
      tip.hidden = true;
      view.signal("here", null).runAsync();
    };
    element.addEventListener("pointerleave", hide);
    element.addEventListener("pointermove", (event) => {
      const svg = element.querySelector("svg");
      if (!svg || !state.ordered.length) return;
      const box = svg.getBoundingClientRect();
      const px = event.clientX - box.left - left(view);
      if (px < 0 || px > view.width()) return hide();
      const row = nearest(state.ordered, Number(view.scale("x").invert(px)));
      fillTip(tip, row, hover);
      tip.hidden = false;
      const at = view.scale("x")(row.at) + left(view);
      const outer = element.parentElement.getBoundingClientRect();
      const x = at + 12 + tip.offsetWidth > outer.width ? at - 12 - tip.offsetWidth : at + 12;
      tip.style.left = `${Math.max(0, x)}px`;
      tip.style.top = `${element.offsetTop + 8}px`;
      if (view.signal("here") !== row.at) view.signal("here", row.at).runAsync();
    });
  }

  // The window of the large chart and the brush of the small one say the same thing.
  function link(main, small) {
    const full = () => {
      const rows = main.ordered;
      return rows.length ? [rows[0].at, rows[rows.length - 1].at] : [0, 1];
    };
    let busy = false;
    const quietly = (work) => {
      if (busy) return;
      busy = true;
      work().finally(() => (busy = false));
    };
    const setMain = (span) => main.view.signal("zoom_at", span).runAsync();
    const setSmall = (span) => {
      const scale = small.view.scale("x");
      const edge = (v) => Math.max(0, Math.min(small.view.width(), scale(v)));
      return small.view.signal("brush_x", span ? span.map(edge) : [0, 0]).runAsync();
    };
    main.view.addSignalListener("zoom_at", (_, span) => quietly(() => setSmall(span && span.map(Number))));
    small.view.addSignalListener("brush_x", (_, px) => {
      const scale = small.view.scale("x");
      const span = px && px[0] !== px[1] ? px.map((p) => Number(scale.invert(p))).sort((a, b) => a - b) : null;
      quietly(() => setMain(span));
    });
    const go = (factor, shift) => {
      const [first, last] = full();
      const [a, b] = (main.view.signal("zoom_at") || [first, last]).map(Number);
      const width = Math.min(last - first, (b - a) * factor);
      const start = Math.max(first, Math.min(last - width, (a + b - width) / 2 + shift * (b - a)));
      const span = width >= last - first ? null : [start, start + width];
      setMain(span).then(() => setSmall(span));
    };
    const moves = { in: [0.5, 0], out: [2, 0], earlier: [1, -0.5], later: [1, 0.5], all: [Infinity, 0] };
    for (const button of main.figure.querySelectorAll("button[data-move]")) {
      button.addEventListener("click", () => go(...moves[button.dataset.move]));
    }
  }

  async function draw(element) {
    const spec = read(element.dataset.spec);
    const rows = spec.datasets ? Object.values(spec.datasets)[0] : spec.data.values;
    const state = { element, figure: element.closest("figure"), rows, choices: {}, ordered: [] };
    for (const param of spec.params || []) {
      if (param.name === "s" || param.name === "k") state.choices[param.name] = param.value;
    }
    state.ordered = chosenRows(state);
    state.view = (await vegaEmbed(element, spec, options)).view;
    if (element.dataset.hover) {
      state.hover = read(element.dataset.hover);
      followPointer(state);
    }
    return state;
  }

  async function drawFigure(figure) {
    const states = [];
    try {
      for (const element of figure.querySelectorAll("[data-spec]")) states.push(await draw(element));
    } catch (error) {
      console.error(error);
      figure.insertAdjacentText("beforeend", "This chart could not be drawn; see the folder charts.");
      return;
    }
    const main = states.find((s) => s.element.dataset.role === "main");
    const small = states.find((s) => s.element.dataset.role === "overview");
    if (main && small) link(main, small);
    for (const select of figure.querySelectorAll("select[data-signal]")) {
      select.addEventListener("change", () => {
        const value = JSON.parse(select.value);
        for (const state of states) {
          if (!(select.dataset.signal in state.choices)) continue;
          state.choices[select.dataset.signal] = value;
          state.ordered = chosenRows(state);
          state.view.signal(select.dataset.signal, value).runAsync();
        }
      });
    }
  }

  document.addEventListener("DOMContentLoaded", async () => {
    for (const figure of document.querySelectorAll("figure")) await drawFigure(figure);
    document.documentElement.dataset.drawn = "yes";
  });
})();

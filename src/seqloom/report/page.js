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
  const FIRST_WINDOW = 400; // rows
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
    line(hover.x.label, hover.x.field ? `${row[hover.x.field]} (${row.at})` : shown(row.at, hover.x.kind));
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
    const rule = element.parentElement.appendChild(document.createElement("div"));
    rule.className = "rule";
    rule.hidden = true;
    const hide = () => {
      tip.hidden = true;
      rule.hidden = true;
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
      rule.hidden = false;
      const at = view.scale("x")(row.at) + left(view);
      const outer = element.parentElement.getBoundingClientRect();
      const x = at + 12 + tip.offsetWidth > outer.width ? at - 12 - tip.offsetWidth : at + 12;
      tip.style.left = `${Math.max(0, x)}px`;
      tip.style.top = `${element.offsetTop + 8}px`;
      rule.style.left = `${at}px`;
      rule.style.top = `${element.offsetTop + view.origin()[1] + view.padding().top}px`;
      rule.style.height = `${view.height()}px`;
    });
  }

  // The window of the large chart and the brush of the small one say the same thing: `span`, or null for everything.
  function link(main, small) {
    let span = null;
    let busy = false; // while one chart follows the other, or both follow the page's width
    let timer = 0;
    const ends = () => [main.ordered[0].at, main.ordered[main.ordered.length - 1].at];
    const setMain = () => main.view.signal("zoom_at", span).runAsync();
    const setSmall = () => {
      const scale = small.view.scale("x");
      const edge = (v) => Math.max(0, Math.min(small.view.width(), scale(v)));
      return small.view.signal("brush_x", span ? span.map(edge) : [0, 0]).runAsync();
    };
    const follow = async (wanted, ...charts) => {
      if (busy) return;
      busy = true;
      span = wanted;
      for (const chart of charts) await chart();
      busy = false;
    };
    main.view.addSignalListener("zoom_at", (_, to) => follow(to && to.map(Number), setSmall));
    small.view.addSignalListener("brush_x", (_, px) => {
      const invert = (p) => Number(small.view.scale("x").invert(p));
      follow(px && px[0] !== px[1] ? px.map(invert).sort((a, b) => a - b) : null, setMain);
    });
    for (const chart of [main, small]) {
      chart.view.addSignalListener("width", () => {
        busy = true;
        clearTimeout(timer);
        timer = setTimeout(() => {
          busy = false;
          follow(span, setMain, setSmall);
        }, 120);
      });
    }
    const go = (factor, shift) => {
      const [first, last] = ends();
      const [a, b] = span || [first, last];
      const width = Math.min(last - first, (b - a) * factor);
      const start = Math.max(first, Math.min(last - width, (a + b - width) / 2 + shift * (b - a)));
      follow(width >= last - first ? null : [start, start + width], setMain, setSmall);
    };
    const moves = { in: [0.5, 0], out: [2, 0], earlier: [1, -0.5], later: [1, 0.5], all: [Infinity, 0] };
    for (const button of main.figure.querySelectorAll("button[data-move]")) {
      button.addEventListener("click", () => go(...moves[button.dataset.move]));
    }
    const rows = main.ordered;
    if (rows.length > 2 * FIRST_WINDOW) {
      // Begin with the end of the period: all at once hides the detail.
      follow([rows[rows.length - FIRST_WINDOW].at, rows[rows.length - 1].at], setMain, setSmall);
    }
  }

  async function draw(element, margin) {
    const spec = read(element.dataset.spec);
    if (margin !== undefined) spec.padding.left = margin; // the small chart lies under the plot of the large one
    const rows = spec.datasets.rows || [];
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
      for (const element of figure.querySelectorAll("[data-spec]")) {
        const above = element.dataset.role === "overview" ? left(states[states.length - 1].view) : undefined;
        states.push(await draw(element, above));
      }
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

  // A table that is wider than its box is cut without a trace where scroll bars are hidden: it is said.
  function tellWider() {
    for (const hint of document.querySelectorAll(".wider")) {
      const box = hint.nextElementSibling;
      hint.hidden = box.scrollWidth <= box.clientWidth + 1;
    }
  }

  document.addEventListener("DOMContentLoaded", async () => {
    tellWider();
    window.addEventListener("resize", tellWider);
    for (const figure of document.querySelectorAll("figure")) await drawFigure(figure);
    document.documentElement.dataset.drawn = "yes";
  });
})();

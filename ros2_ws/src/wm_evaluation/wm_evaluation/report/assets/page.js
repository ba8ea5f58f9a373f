"use strict";
// Charts in the colours of the reader's theme, and definitions on a click.
(function () {
  const settings = JSON.parse(document.getElementById("report-settings").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const byHex = new Map(settings.colours);
  const numbers = (hex) => [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16)).join(",");
  const byNumbers = new Map(settings.colours.map(([light, night]) => [numbers(light), numbers(night)]));

  // A copy of a figure in which every colour of the light theme is the dark theme's.
  function recoloured(value) {
    if (typeof value === "string") {
      if (value.length > 40) return value; // not a colour: text, or numbers in base64
      if (byHex.has(value)) return byHex.get(value);
      const found = /^rgba\((\d+,\d+,\d+),([\d.e-]+)\)$/.exec(value);
      return found && byNumbers.has(found[1]) ? `rgba(${byNumbers.get(found[1])},${found[2]})` : value;
    }
    if (Array.isArray(value)) return value.map(recoloured);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, recoloured(inner)]));
    }
    return value;
  }

  // Plotly is in the page as gzip in base64; this runs it once.
  async function openPlotly() {
    if (typeof DecompressionStream === "undefined") {
      throw new Error("this browser is too old for the charts: Chromium 80, Firefox 113 or Safari 16.4 can show them");
    }
    const element = document.getElementById("plotly");
    const bytes = Uint8Array.from(atob(element.textContent), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    script.remove();
    element.remove();
  }

  const charts = [...document.querySelectorAll(".chart")];
  const figures = new Map(charts.map((chart) => [chart, JSON.parse(chart.querySelector("script").textContent)]));
  const touch = matchMedia("(pointer: coarse)").matches; // where a finger on a chart scrolls the page
  const config = {
    // Listed one by one: one of plotly's defaults uploads the chart to plotly's server.
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
    showSendToCloud: false, plotlyServerURL: "",
    displaylogo: false, displayModeBar: touch ? false : "hover", responsive: false,
  };

  function themed(figure) {
    const whole = { data: figure.data, layout: { ...figure.layout, template: settings.template, uirevision: "kept" } };
    const copy = dark.matches ? recoloured(whole) : structuredClone(whole);
    if (touch) copy.layout.dragmode = false;
    return copy;
  }

  async function draw(chart) {
    const figure = themed(figures.get(chart));
    if (chart.dataset.state !== "drawn") chart.textContent = "";
    await Plotly.react(chart, figure.data, figure.layout, config);
    chart.dataset.state = "drawn";
    chart.dispatchEvent(new Event("drawn"));
  }

  function failed(chart, error) {
    chart.dataset.state = "failed";
    chart.style.height = "auto";
    chart.textContent = `The chart cannot be drawn: ${error.message}`;
  }

  // One chart after another, in the order in which they scroll into view; the page stays responsive.
  let queue = Promise.resolve();
  const opened = charts.length ? openPlotly() : Promise.resolve();
  opened.catch(() => {}); // every chart reports it
  const widths = new Map();
  const observer = new ResizeObserver((entries) => entries.forEach(({ target, contentRect }) => {
    if (contentRect.width < 1 || widths.get(target) === contentRect.width) return; // folded, or unchanged
    widths.set(target, contentRect.width);
    queue = queue.then(async () => {
      await opened;
      await new Promise((resume) => setTimeout(resume));
      if (!target.offsetWidth) widths.delete(target); // hidden by a script meanwhile
      else if (target.dataset.state !== "drawn") await draw(target);
      else await Plotly.Plots.resize(target);
    });
    queue = queue.catch((error) => { console.error(error); failed(target, error); });
  }));
  charts.forEach((chart) => observer.observe(chart));
  dark.addEventListener("change", () => {
    charts.filter((chart) => chart.dataset.state === "drawn").forEach((chart) => { queue = queue.then(() => draw(chart)); });
  });

  const dialog = document.getElementById("definition");
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.what");
    if (button) {
      const entry = document.getElementById(`metric-${button.dataset.metric}`);
      dialog.firstElementChild.replaceChildren(...[...entry.childNodes].map((node) => node.cloneNode(true)));
      dialog.showModal();
    } else if (event.target === dialog) {
      dialog.close(); // beside its text
    }
  });

  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
  const unfold = () => {
    const part = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (part && part.firstElementChild.matches("details")) part.firstElementChild.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();
})();

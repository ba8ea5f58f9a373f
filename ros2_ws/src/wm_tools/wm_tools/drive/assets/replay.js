"use strict";
// The replay: a slider over the frames of one episode, the imagined futures, and a cursor in its charts.
(function () {
  const root = document.getElementById("replay");
  const data = JSON.parse(document.getElementById("replay-data").textContent);
  root.classList.remove("no-script");
  const find = (name) => root.querySelector(`[data-part="${name}"]`);
  const slider = find("slider"), play = find("play"), canvas = find("camera"), pen = canvas.getContext("2d");
  const charts = data.episodes.map((_, place) => document.getElementById(`chart-replay-${place}`));
  const sheets = data.episodes.map((episode) => {
    const image = new Image();
    image.src = episode.sheet;
    image.onload = () => show();
    return image;
  });
  let chosen = 0, timer = null, pending = false;

  const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);

  function span(bar, from, to) {
    bar.style.left = `${100 * Math.min(from, to)}%`;
    bar.style.width = `${100 * Math.abs(to - from)}%`;
  }

  // On a phone, plotly takes longer to draw than a frame lasts: at most one cursor update runs at a time.
  function moveCursor() {
    const chart = charts[chosen];
    if (pending || chart.dataset.state !== "drawn") return;
    const time = data.episodes[chosen].time[Number(slider.value)];
    const color = getComputedStyle(document.documentElement).getPropertyValue("--soft").trim();
    const line = { type: "line", xref: "x", yref: "paper", x0: time, x1: time, y0: 0, y1: 1, line: { color, width: 1 } };
    pending = true;
    Plotly.relayout(chart, { shapes: [line] }).then(() => {
      pending = false;
      if (data.episodes[chosen].time[Number(slider.value)] !== time) requestAnimationFrame(moveCursor);
    });
  }

  function show() {
    const episode = data.episodes[chosen], at = Number(slider.value), sheet = sheets[chosen];
    if (sheet.complete && sheet.naturalWidth) {
      const column = at % data.columns, row = Math.floor(at / data.columns);
      pen.drawImage(sheet, column * data.width, row * data.height, data.width, data.height, 0, 0, data.width, data.height);
    }
    const time = episode.time[at];
    span(find("steer-bar"), 0.5, 0.5 + episode.steer[at] / 2);
    span(find("throttle-bar"), 0, episode.throttle[at]);
    span(find("brake-bar"), 0, episode.brake[at]);
    find("steer").textContent = signed(episode.steer[at]);
    find("throttle").textContent = episode.throttle[at].toFixed(2);
    find("brake").textContent = episode.brake[at].toFixed(2);
    find("clock").textContent = `${time.toFixed(2)} s · ${episode.speed[at].toFixed(0)} m/s · score ${episode.score[at].toFixed(0)}`;
    const newest = episode.futures.filter((future) => future.time <= time + 1e-6).pop();
    find("futures").style.visibility = newest ? "visible" : "hidden";
    if (newest) {
      find("imagined").src = newest.imagined;
      find("real").src = newest.real;
      find("when").textContent = `Imagined at ${newest.time.toFixed(2)} s`;
    }
    moveCursor();
  }

  function choose(index) {
    chosen = index;
    charts.forEach((chart, place) => { chart.closest("figure").hidden = place !== index; });
    root.querySelectorAll(".tabs button").forEach((tab, place) => tab.setAttribute("aria-pressed", String(place === index)));
    slider.max = data.episodes[index].time.length - 1;
    slider.value = Math.min(Number(slider.value), Number(slider.max));
    show();
  }

  function pause() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  play.addEventListener("click", () => {
    if (timer) { pause(); return; }
    if (slider.value === slider.max) slider.value = 0;
    play.textContent = "Pause";
    timer = setInterval(() => {
      if (Number(slider.value) >= Number(slider.max)) { pause(); return; }
      slider.value = Number(slider.value) + 1;
      show();
    }, 1000 * data.period_s);
  });
  slider.addEventListener("input", show);
  root.querySelectorAll(".tabs button").forEach((tab, place) => tab.addEventListener("click", () => choose(place)));
  charts.forEach((chart) => {
    chart.addEventListener("drawn", moveCursor);
    chart.addEventListener("drawn", () => chart.on("plotly_click", (event) => {
      const times = data.episodes[chosen].time;
      slider.value = Math.max(0, times.findLastIndex((time) => time <= event.points[0].x + 1e-6));
      show();
    }), { once: true });
  });
  slider.max = data.episodes[0].time.length - 1;
  slider.value = Math.floor(slider.max / 3); // the start shows little
  choose(0);
})();

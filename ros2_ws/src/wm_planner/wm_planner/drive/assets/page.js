"use strict";
// The replay: a slider over the frames of one episode, the futures imagined on the way, and a cursor in the charts.
(function () {
  const data = JSON.parse(document.getElementById("replay-data").textContent);
  const root = document.getElementById("replay");
  if (!root || !data) return;
  root.classList.remove("no-script");
  const find = (name) => root.querySelector(`[data-part="${name}"]`);
  const slider = find("slider"), play = find("play"), canvas = find("camera"), pen = canvas.getContext("2d");
  const sheets = data.episodes.map((episode) => {
    const image = new Image();
    image.src = episode.sheet;
    image.onload = () => show();
    return image;
  });
  let chosen = 0, timer = null;

  const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);

  function span(bar, from, to) {
    bar.style.left = `${100 * Math.min(from, to)}%`;
    bar.style.width = `${100 * Math.abs(to - from)}%`;
  }

  function moveCursor(chart, time, end) {
    const frame = chart.dataset, left = Number(frame.left), right = Number(frame.right);
    let line = chart.querySelector(".cursor");
    if (!line) {
      line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      line.setAttribute("class", "cursor");
      line.setAttribute("y1", frame.top);
      line.setAttribute("y2", frame.bottom);
      chart.append(line);
    }
    const x = left + (time / end) * (right - left);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
  }

  function show() {
    const episode = data.episodes[chosen], at = Number(slider.value), sheet = sheets[chosen];
    if (sheet.complete && sheet.naturalWidth) {
      const column = at % data.columns, row = Math.floor(at / data.columns);
      canvas.width = data.width;
      canvas.height = data.height;
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
    const futures = episode.futures.filter((future) => future.time <= time + 1e-6);
    const newest = futures[futures.length - 1];
    find("futures").style.visibility = newest ? "visible" : "hidden";
    if (newest) {
      find("imagined").src = newest.imagined;
      find("real").src = newest.real;
      find("when").textContent = `Imagined at ${newest.time.toFixed(2)} s`;
    }
    root.querySelectorAll(`[data-episode="${chosen}"] .chart`).forEach((chart) => moveCursor(chart, time, episode.end));
  }

  function choose(index) {
    chosen = index;
    root.querySelectorAll("[data-episode]").forEach((part) => { part.hidden = Number(part.dataset.episode) !== index; });
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
  root.querySelectorAll(".chart").forEach((chart) => chart.addEventListener("click", (event) => {
    const box = chart.getBoundingClientRect(), scale = chart.viewBox.baseVal.width / box.width;
    const left = Number(chart.dataset.left), right = Number(chart.dataset.right);
    const share = ((event.clientX - box.left) * scale - left) / (right - left);
    const time = share * data.episodes[chosen].end;
    const times = data.episodes[chosen].time;
    slider.value = Math.max(0, times.findLastIndex((t) => t <= time));
    show();
  }));
  slider.max = data.episodes[0].time.length - 1;
  slider.value = Math.floor(slider.max / 3); // the start shows little
  choose(0);
})();

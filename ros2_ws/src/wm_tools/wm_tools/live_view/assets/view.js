// The live view: receives updates from the server, draws them, requests the next one. Sends nothing else.
import { drawDistribution, drawFuture, drawTimes } from "./charts.js";

const WINDOW_S = 20;
const STALE_S = 1;
const CHARTS_EVERY = 2; // updates
const FIRST_RETRY_MS = 500, LAST_RETRY_MS = 5000;
const MODES = { driving: "Driving", degraded: "Degraded", braking: "Braking", arrived: "Arrived", inactive: "Inactive" };

const byId = (id) => document.getElementById(id);
let history, signals, future, returns, update, updates, lastUpdateMs = null, socket = null, retryMs = FIRST_RETRY_MS, spokenMs = 0;

function forget() {
  history = { command: [], status: [] };
  signals = new Map(); // by name: the card, and points [time, observed, imagined before]
  byId("signals").replaceChildren();
  future = returns = update = null;
  updates = 0;
}
forget();

// Text

function setText(id, text) {
  const element = typeof id === "string" ? byId(id) : id;
  if (element.textContent !== text) element.textContent = text;
}
const number = (value, digits) => (value === null || value === undefined ? "–" : value.toFixed(digits));
const significant = (value) => number(value, value === null || Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0);
const seconds = (value) => (value < 10 ? value.toFixed(1) : value.toFixed(0)) + " s";

// Pictures

async function unpack(data) {
  const length = new DataView(data).getUint32(0, true);
  const told = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  const pictures = {};
  let at = 4 + length;
  for (const [name, size] of told.pictures) {
    pictures[name] = await createImageBitmap(new Blob([new Uint8Array(data, at, size)], { type: "image/jpeg" }));
    at += size;
  }
  return [told, pictures];
}

function showCamera(picture) {
  const canvas = byId("camera");
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    [canvas.width, canvas.height] = [picture.width, picture.height];
    canvas.classList.toggle("pixels", picture.width < 160);
  }
  canvas.getContext("2d").drawImage(picture, 0, 0);
  picture.close();
}

function showPictures(told, pictures) {
  if (pictures.camera) showCamera(pictures.camera);
  if (pictures.imagined) {
    if (future) future.close();
    future = pictures.imagined;
  }
  if (told.imagined && !told.imagined.error) {
    returns = told.imagined;
    if (future && returns.horizon) drawFuture(byId("future"), future, returns.horizon, returns.period_s);
  }
  for (const name of ["camera", "imagined"]) {
    if (!told[name]) continue;
    const note = document.querySelector(`#${name}-card .note`), error = told[name].error || "";
    note.hidden = !error;
    setText(note, error);
  }
}

// Figures

function showMode(told) {
  let mode = "waiting", word = "Waiting", reason = `nothing received from a planner of ${told.role_name} yet`;
  if (told.sources.vehicle.age !== null && told.sources.vehicle.age < STALE_S) {
    [word, reason] = told.no_planner ? ["No planner", "the vehicle is there, but no planner for it"]
      : ["Listening", "the vehicle is there; looking for its planner"];
  }
  if (told.mode) {
    [mode, word] = [told.mode.name, MODES[told.mode.name]];
    reason = told.mode.reason + (told.mode.by === "planner" ? "" : ` (${told.mode.by})`);
  }
  if (told.mode && told.mode.age > STALE_S) {
    [mode, word] = ["stale", "No data"];
    const last = `${MODES[told.mode.name].toLowerCase()}${reason ? `: ${reason}` : ""}`;
    reason = `the planner has sent nothing for ${Math.floor(told.mode.age)} s; last: ${last}`;
  }
  byId("mode").dataset.mode = mode;
  setText("mode-word", word);
  setText("mode-reason", reason);
}

function showBar(name, value, middle) {
  const bar = document.querySelector(`#${name}-bar i`).style;
  const share = value === null ? 0 : Math.min(Math.max(value, -1), 1);
  bar.left = middle ? `${50 + 50 * Math.min(share, 0)}%` : "0";
  bar.width = middle ? `${50 * Math.abs(share)}%` : `${100 * share}%`;
  setText(name, number(value, 2));
}

function showFigures(told) {
  const { planner, command, score, frames, sources } = told;
  setText("vehicle", told.role_name);
  for (const name of ["steer", "throttle", "brake"]) showBar(name, command ? command[name] : null, name === "steer");
  setText("command-title", command && command.applied ? "Command, as the vehicle applied it" : "Command");
  setText("latency", number(planner && planner.latency_ms, 0));
  setText("deadline", number(planner && planner.deadline_ms, 0));
  setText("missed", planner ? `${planner.missed} of ${planner.answers}` : "–");
  setText("surprise", number(planner && planner.surprise, 1));
  setText("threshold", number(planner && planner.surprise_threshold, 0));
  setText("best", significant(planner ? planner.best_return : null));
  setText("mean", significant(planner ? planner.mean_return : null));
  setText("scored", returns ? String(returns.scored) : "–");
  setText("score-name", score.whole || !score.steps ? "Score" : `Score of the last ${score.steps} steps`);
  setText("score", score.steps ? number(score.total, 1) + (score.ended ? ", episode over" : "") : "–");
  setText("reward", number(score.reward, 2));
  setText("speed", told.speed_mps === null ? "–" : `${told.speed_mps.toFixed(1)} m/s`);
  setText("search", planner && planner.candidates ? `${planner.candidates} × ${planner.horizon}, ${planner.iterations} iterations` : "–");
  setText("in-flight", planner ? String(planner.in_flight) : "–");
  setText("drops", frames.seen ? `${frames.unanswered} of ${frames.seen}` : "–");
  setText("camera-rate", `${sources.camera.rate.toFixed(1)} Hz`);
  setText("command-rate", `${sources.command.rate.toFixed(1)} Hz`);
  setText("bundle", planner ? planner.bundle : "–");
}

function showFaults(faults) {
  const list = byId("faults"), key = JSON.stringify(faults.map(({ name, level }) => [name, level]));
  if (list.dataset.key !== key) {
    list.dataset.key = key;
    list.replaceChildren(...faults.map(({ level }) => {
      const item = document.createElement("li");
      item.dataset.level = level;
      return item;
    }));
  }
  faults.forEach(({ name, message }, index) => setText(list.children[index], `${name}: ${message}`));
}

function showAges(sources) {
  const silent = lastUpdateMs === null ? 0 : (performance.now() - lastUpdateMs) / 1000;
  const planner = ["latency-card", "surprise-card"].map((card) => [card, "status"]);
  const commands = update && update.command && update.command.applied ? "vehicle" : "command";
  for (const [card, source] of [["camera-card", "camera"], ["imagined-card", "imagined"], ["returns-card", "imagined"], ["command-card", commands], ...planner]) {
    const age = sources[source].age === null ? null : sources[source].age + silent;
    const stale = age !== null && age > STALE_S;
    byId(card).classList.toggle("stale", stale);
    setText(document.querySelector(`#${card} .age`), age === null ? "nothing yet" : stale ? `nothing for ${seconds(age)}` : "");
  }
}

// Signals: what was imagined of each, and what was observed when that time came

function signalCard(name) {
  const card = byId("signal").content.firstElementChild.cloneNode(true);
  byId("signals").append(card);
  return { name, card, points: [] };
}

function takeSignals(told, now) {
  for (const one of told) {
    if (!signals.has(one.name)) signals.set(one.name, signalCard(one.name));
    const signal = signals.get(one.name), card = signal.card;
    keep(signal.points, [[now, one.now, one.expected]], now);
    const part = (name) => card.querySelector(name), unit = ` ${one.unit}`;
    setText(part("h2"), `${one.name.replaceAll("_", " ")} [${one.unit}]`);
    setText(part(".error"), one.error === null ? "–" : significant(one.error) + unit);
    setText(part(".held"), one.held_error === null ? "–" : significant(one.held_error) + unit);
    if (one.ahead_s !== null) setText(part(".ahead"), `imagined ${one.ahead_s.toFixed(2)} s before`);
    part("canvas").setAttribute("aria-label", `${one.name}: observed ${number(one.now, 2)}, imagined before ${number(one.expected, 2)}${unit}`);
  }
  byId("signals").hidden = signals.size === 0;
}

function drawSignals(shared) {
  for (const { card, points } of signals.values()) {
    const values = points.flatMap((point) => point.slice(1)).filter((value) => value !== null);
    if (!values.length) continue;
    const low = Math.min(...values), high = Math.max(...values), room = Math.max(0.05 * (high - low), 0.01);
    drawTimes(card.querySelector("canvas"), {
      ...shared, low: low - room, high: high + room,
      series: [{ colour: "mean", points: column(points, 2) }, { colour: "best", points: column(points, 1) }],
    });
  }
}

// Charts

const column = (points, index) => points.map((point) => [point[0], point[index]]);

function showCharts(now) {
  const { command, status } = history, planner = update.planner, shared = { now, windowS: WINDOW_S };
  drawTimes(byId("command-chart"), {
    ...shared, low: -1, high: 1,
    series: [["steer", 1], ["throttle", 2], ["brake", 3]].map(([colour, index]) => ({ colour, points: column(command, index) })),
  });
  const highest = (index, floor) => status.reduce((most, point) => Math.max(most, point[index] ?? most), floor);
  const deadline = planner ? planner.deadline_ms : null, threshold = planner ? planner.surprise_threshold : null;
  drawTimes(byId("latency-chart"), {
    ...shared, low: 0, high: 1.1 * highest(1, deadline ?? 10), limit: deadline,
    marks: status.filter((point) => point[2]).map((point) => point[0]),
    series: [{ colour: "latency", points: column(status, 1) }],
  });
  drawTimes(byId("surprise-chart"), {
    ...shared, low: 0, high: 1.2 * highest(3, threshold ?? 10), limit: threshold,
    scale: Math.sqrt, series: [{ colour: "surprise", points: column(status, 3) }],
  });
  const lowest = status.reduce((least, point) => Math.min(least, point[4] ?? least, point[5] ?? least), Infinity);
  drawTimes(byId("best-chart"), {
    ...shared, low: Number.isFinite(lowest) ? lowest : 0, high: Number.isFinite(lowest) ? Math.max(highest(4, lowest), lowest + 0.01) : 1,
    series: [{ colour: "mean", points: column(status, 5) }, { colour: "best", points: column(status, 4) }],
  });
  if (returns) drawDistribution(byId("returns-chart"), returns);
  drawSignals(shared);
}

// Screen reader texts for the pictures and charts, once a second.
function describe(told) {
  if (performance.now() - spokenMs < 1000) return;
  spokenMs = performance.now();
  const { planner, command } = told, label = (id, text) => byId(id).setAttribute("aria-label", text);
  label("camera", told.sources.camera.age === null ? "Camera: no picture yet" : `Camera picture, ${seconds(told.sources.camera.age)} old`);
  label("future", future ? `Imagined future: ${returns.horizon} pictures, ${returns.period_s} s apart` : "Imagined future: no picture yet");
  if (command) label("command-chart", `Commands of the last 20 s; now steer ${number(command.steer, 2)}, throttle ${number(command.throttle, 2)}, brake ${number(command.brake, 2)}`);
  if (!planner) return;
  label("latency-chart", `Latency of the last 20 s; now ${number(planner.latency_ms, 0)} ms, deadline ${number(planner.deadline_ms, 0)} ms`);
  label("surprise-chart", `Surprise of the last 20 s; now ${number(planner.surprise, 1)} nats, threshold ${number(planner.surprise_threshold, 0)} nats`);
  label("best-chart", `Returns of the last 20 s; now best ${significant(planner.best_return)}, mean ${significant(planner.mean_return)}`);
  if (returns && returns.scored) label("returns-chart", `Returns of ${returns.scored} candidates from ${returns.low} to ${returns.high}, best ${returns.best}`);
}

// Updates

function keep(points, fresh, now) {
  points.push(...fresh);
  let old = 0;
  while (old < points.length && now - points[old][0] > WINDOW_S) old++;
  if (old) points.splice(0, old);
}

async function take(data) {
  const [told, pictures] = await unpack(data);
  update = told;
  lastUpdateMs = performance.now();
  for (const name of ["command", "status"]) keep(history[name], told.history[name], told.now);
  showPictures(told, pictures);
  if (told.imagined && told.imagined.signals) takeSignals(told.imagined.signals, told.now);
  showMode(told);
  showFigures(told);
  showFaults(told.faults);
  showAges(told.sources);
  if (updates++ % CHARTS_EVERY === 0) showCharts(told.now);
  describe(told);
  document.body.dataset.updates = updates;
}

function showLink(text, lost) {
  setText("link", text);
  byId("link").toggleAttribute("data-lost", lost);
}

function connect() {
  if (socket || document.hidden) return;
  const opened = socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/updates`);
  opened.binaryType = "arraybuffer";
  opened.onopen = () => forget();
  opened.onmessage = async ({ data }) => {
    await take(data);
    retryMs = FIRST_RETRY_MS;
    showLink("connected", false);
    if (opened.readyState === WebSocket.OPEN) opened.send("next");
  };
  opened.onclose = () => {
    if (socket !== opened) return;
    socket = null;
    if (document.hidden) return;
    showLink("no connection to the live view, trying again", true);
    setTimeout(connect, retryMs);
    retryMs = Math.min(2 * retryMs, LAST_RETRY_MS);
  };
}

// A hidden page costs the drive nothing.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) { connect(); return; }
  showLink("paused while hidden", false);
  if (socket) socket.close();
  socket = null;
});

setInterval(() => {
  const silentS = lastUpdateMs === null ? 0 : (performance.now() - lastUpdateMs) / 1000;
  if (!update || silentS <= STALE_S) return;
  showAges(update.sources);
  byId("mode").dataset.mode = "stale";
  setText("mode-word", "No data");
  setText("mode-reason", `the live view has sent nothing for ${Math.floor(silentS)} s`);
}, 500);

connect();

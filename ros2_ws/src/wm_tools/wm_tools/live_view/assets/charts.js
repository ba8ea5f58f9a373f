// Charts on canvases: small, and drawn only on request.

let palette = {};
const scheme = matchMedia("(prefers-color-scheme: dark)");

function readPalette() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ink", "soft", "rule", "track", "steer", "throttle", "brake", "limit", "latency", "surprise", "best", "mean"]) {
    palette[name] = style.getPropertyValue(`--${name}`).trim();
  }
}
readPalette();
scheme.addEventListener("change", readPalette);

const LEFT = 38, RIGHT = 4, TOP = 6, BOTTOM = 16; // margins [CSS px]

// The canvas's context in CSS pixels, cleared.
function begin(canvas) {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "11px system-ui, sans-serif";
  return { context, width, height };
}

function short(value) {
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function axis(context, width, height, low, high, place) {
  context.strokeStyle = palette.rule;
  context.fillStyle = palette.soft;
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const value of [low, high]) {
    const y = Math.round(place(value)) + 0.5;
    context.beginPath();
    context.moveTo(LEFT, y);
    context.lineTo(width - RIGHT, y);
    context.stroke();
    context.fillText(short(value), LEFT - 5, Math.min(Math.max(y, 6), height - 6));
  }
}

// Lines over the last `windowS` seconds. series: [{points: [[time, value or null]], colour}]; a null breaks the line.
// limit: a dashed level, or null; marks: times to mark on top.
export function drawTimes(canvas, { series, now, windowS, low, high, limit = null, marks = [], scale = (value) => value }) {
  const { context, width, height } = begin(canvas);
  const from = scale(low), span = scale(high) - from || 1;
  const x = (time) => width - RIGHT - ((now - time) / windowS) * (width - LEFT - RIGHT);
  const y = (value) => height - BOTTOM - ((scale(value) - from) / span) * (height - TOP - BOTTOM);
  axis(context, width, height, low, high, y);
  context.textBaseline = "alphabetic";
  context.textAlign = "left";
  context.fillText(`${windowS} s ago`, LEFT, height - 3);
  context.textAlign = "right";
  context.fillText("now", width - RIGHT, height - 3);
  if (limit !== null) {
    context.strokeStyle = palette.limit;
    context.setLineDash([5, 4]);
    context.beginPath();
    context.moveTo(LEFT, y(limit));
    context.lineTo(width - RIGHT, y(limit));
    context.stroke();
    context.setLineDash([]);
  }
  context.lineWidth = 1.6;
  context.lineJoin = "round";
  for (const { points, colour } of series) {
    context.strokeStyle = palette[colour];
    context.beginPath();
    let drawing = false;
    for (const [time, value] of points) {
      if (value === null) { drawing = false; continue; }
      const place = [x(time), Math.min(Math.max(y(value), 1), height - BOTTOM)];
      if (drawing) context.lineTo(...place); else context.moveTo(...place);
      drawing = true;
    }
    context.stroke();
  }
  context.fillStyle = palette.limit;
  for (const time of marks) context.fillRect(x(time) - 1, TOP - 4, 3, 6);
}

// A histogram: counts in equal bins from low to high, the best value as a line with its name.
export function drawDistribution(canvas, { counts, low, high, best }) {
  const { context, width, height } = begin(canvas);
  if (!counts.length) return;
  const most = Math.max(...counts), wide = (width - LEFT - RIGHT) / counts.length;
  axis(context, width, height, 0, most, (count) => height - BOTTOM - (count / most) * (height - TOP - BOTTOM));
  context.fillStyle = palette.mean;
  counts.forEach((count, bin) => {
    const tall = (count / most) * (height - TOP - BOTTOM);
    context.fillRect(LEFT + bin * wide + 0.5, height - BOTTOM - tall, Math.max(wide - 1, 1), tall);
  });
  context.fillStyle = palette.soft;
  context.textBaseline = "alphabetic";
  context.textAlign = "left";
  context.fillText(short(low), LEFT, height - 3);
  context.textAlign = "right";
  context.fillText(short(high), width - RIGHT, height - 3);
  if (best === null) return;
  const x = LEFT + ((best - low) / (high - low || 1)) * (width - LEFT - RIGHT);
  context.strokeStyle = palette.best;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(Math.min(x, width - RIGHT - 1), TOP - 4);
  context.lineTo(Math.min(x, width - RIGHT - 1), height - BOTTOM);
  context.stroke();
}

const MOST_HIGH = 430; // of all rows together [CSS px]

// The pictures of a strip in rows that fit the canvas, each with its time.
export function drawFuture(canvas, strip, horizon, periodS) {
  const wide = strip.width / horizon, tall = strip.height, room = canvas.clientWidth || 400;
  // The layout whose pictures are largest within a bounded height.
  let columns = 1, cell = 0;
  for (let tried = 1; tried <= horizon; tried++) {
    const size = Math.min(room / tried, MOST_HIGH / (Math.ceil(horizon / tried) * (tall / wide + 0.14)));
    if (size > cell) [columns, cell] = [tried, size];
  }
  const ratio = Math.min(devicePixelRatio || 1, 2), rows = Math.ceil(horizon / columns);
  const step = Math.min(room / columns, cell + 8), margin = (room - columns * step) / 2;
  const deep = cell * (tall / wide), line = deep + 16;
  const size = [Math.round(room * ratio), Math.round(rows * line * ratio)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, room, rows * line);
  context.imageSmoothingEnabled = cell < 1.5 * wide;
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = palette.ink;
  context.textAlign = "center";
  for (let index = 0; index < horizon; index++) {
    const left = margin + (index % columns) * step + (step - cell) / 2, top = Math.floor(index / columns) * line;
    context.drawImage(strip, index * wide, 0, wide, tall, left + 1, top, cell - 2, deep);
    context.fillText(`+${((index + 1) * periodS).toFixed(2)} s`, left + cell / 2, top + deep + 12);
  }
}

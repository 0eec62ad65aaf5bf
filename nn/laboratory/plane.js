// Draws the plane: the network's output at each place, and the points, which can be moved.

const SVG = "http://www.w3.org/2000/svg";
const [COARSE, FINE] = [40, 72]; // points of the surface along each side, during a run and at rest
const NEAR = 16; // pixels from a point within which a touch selects it
const SHAPES = [ // of the classes: number of corners, angle of the first, distance of every second one from the centre
  [36, 0, 1], [3, -90, 1], [4, 45, 1], [4, 0, 1], [3, 90, 1], [10, -90, 0.45], [8, 0, 0.4], [6, 0, 1], [3, 180, 1],
  [3, 0, 1], [8, 45, 0.4], [5, -90, 1], [12, 0, 0.6]];

/** Sets attributes of an element and appends to it; text is never parsed as HTML. */
function attributed(element, attributes, ...inside) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...inside);
  return element;
}

const made = (tag, ...rest) => attributed(document.createElement(tag), ...rest);
const drawn = (tag, ...rest) => attributed(document.createElementNS(SVG, tag), ...rest);

/** Returns the style sheet's current colours as numbers, and the `pixels` of a surface. */
function theme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).match(/[\da-f]{2}/gi).map((x) => parseInt(x, 16));
  const names = ["paper", "fill", "ink", "quiet", "edge", "value", "grad", "plus", "minus"];
  const colours = Object.fromEntries(names.map((name) => [name, colour(name)]));
  return { ...colours, pixels: scale(colours) };
}

const mixed = (from, to, share) => from.map((x, i) => Math.round(x + (to[i] - x) * share));
const rgb = (colour) => `rgb(${colour.join(" ")})`;

/** Returns pixels for −1 … 1 in 257 steps, from the colour of − through paper to that of +. */
function scale({ paper, plus, minus }) {
  const pixel = ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r;
  const at = (x) => mixed(paper, x < 0 ? minus : plus, 0.62 * Math.abs(x));
  return Int32Array.from({ length: 257 }, (_, i) => pixel(at(i / 128 - 1)));
}

/** Paints rows of numbers from −1 to 1, from below, on a canvas of that many pixels. */
function paint(canvas, columns, rows, share, { pixels }) {
  if (canvas.image?.width !== columns || canvas.image.height !== rows) {
    Object.assign(canvas, { width: columns, height: rows, image: new ImageData(columns, rows) });
    canvas.pixels = new Int32Array(canvas.image.data.buffer);
  }
  for (let r = 0, k = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++, k++) {
      canvas.pixels[(rows - 1 - r) * columns + c] = pixels[(128.5 + 128 * within(-1, share(k), 1)) | 0];
    }
  }
  canvas.getContext("2d").putImageData(canvas.image, 0, 0);
}

/** Sizes a canvas in CSS pixels, sharp on any screen, and returns its context. */
function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    Object.assign(canvas, { width: wide, height: high });
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** The classes' markers, centred on the origin. */
const signs = SHAPES.map(([corners, turn, inner]) => {
  const corner = (_, k) => {
    const [angle, far] = [((turn + (360 * k) / corners) * Math.PI) / 180, k % 2 ? 1.2 * inner : 1.2];
    return [far * Math.cos(angle), far * Math.sin(angle)];
  };
  return new Path2D(`M${Array.from({ length: corners }, corner).join("L")}Z`);
});

/** Draws a class's marker: hollow, or filled if the network misclassifies the point. */
function marker(context, label, [x, y], size, colours, isWrong = false) {
  const [path, fillStyle] = [signs[label % signs.length], rgb(isWrong ? colours.ink : colours.fill)];
  context.save();
  Object.assign(context, { fillStyle, strokeStyle: rgb(colours.ink), lineWidth: 1.5 / size, lineJoin: "round" });
  context.translate(x, y);
  context.scale(size, size);
  context.fill(path);
  context.stroke(path);
  context.restore();
}

/** Interprets a situation's outputs as classes or numbers. */
class Reading {
  constructor({ task, targets, features, components, layers }) {
    Object.assign(this, { task, targets, classes: task.classes, units: layers.at(-1).W.length });
    this.isClasses = task.kind === "classification";
    this.isPlane = features.length === 2 && !components;
    this.isCurve = task.kind === "regression" && features.length === 1;
    const isGap = this.isClasses && this.units === 1 && targets.length === 2; // between the targets of two classes
    const reach = isGap ? Math.abs(targets[1][0] - targets[0][0]) / 2 : 1;
    this.squash = task.outputs === "logits" ? (x) => Math.tanh(x / 2) : (x) => x / reach;
  }

  /** Returns the lead of the second class, from −1 to 1. */
  lead(outputs, k) {
    if (outputs.length > 1) return this.squash(outputs[1][k] - outputs[0][k]);
    return this.squash(outputs[0][k] - (this.task.cuts[0] ?? 0));
  }

  label(y) {
    return this.isClasses ? this.classes[y] ?? String(y) : [y].flat().map((x) => shown(this.own(x))).join(", ");
  }

  /** Converts a target or an output of a regression to its original units. */
  own(x) { return this.task.units[0] + this.task.units[1] * x; }
}

class Plane {
  constructor(canvas, lab) {
    Object.assign(this, { canvas, lab, small: made("canvas", {}), cursor: null });
    canvas.onpointerdown = (event) => this.down(event);
    canvas.onpointermove = (event) => this.move(event);
    canvas.onpointerup = canvas.onpointercancel = (event) => this.up(event, event.type === "pointercancel");
    canvas.onkeydown = (event) => this.key(event);
    const start = (event) => this.nearest(this.at(event.touches[0])) !== null && event.preventDefault();
    canvas.addEventListener("touchstart", start, { passive: false });
  }

  /** Returns a point's place in the plane: its features, its target, or its principal components. */
  shown({ x, y }) {
    const { reading, situation: { components, low, high } } = this.lab;
    const along = (axis) => axis.reduce((sum, v, k) => sum + v * (x[k] - components.mean[k]), 0);
    if (components) return components.axes.map(along);
    if (x.length === 2) return x;
    return [x[0], reading.isCurve ? [y].flat()[0] : (low[1] + high[1]) / 2];
  }

  /** Returns the features of a place and, for a curve, the target; other numbers stay as in `before`. */
  coordinates([x, y], before) {
    const { reading } = this.lab;
    if (reading.isPlane) return { x: [x, y] };
    return reading.isCurve ? { x: [x], y: [y, ...[before?.y ?? 0].flat().slice(1)] } : { x: [x] };
  }

  pixel([x, y]) {
    const { low, high } = this.lab.situation;
    return [((x - low[0]) / (high[0] - low[0])) * this.side, (1 - (y - low[1]) / (high[1] - low[1])) * this.side];
  }

  /** Returns the place at the pointer. */
  at({ clientX, clientY }) {
    const { left, top } = this.canvas.getBoundingClientRect();
    const { low, high } = this.lab.situation;
    const [x, y] = [within(0, (clientX - left) / this.side, 1), within(0, 1 - (clientY - top) / this.side, 1)];
    return [low[0] + x * (high[0] - low[0]), low[1] + y * (high[1] - low[1])];
  }

  nearest(place) {
    const [x, y] = this.pixel(place);
    let [found, least] = [null, NEAR];
    this.lab.machine.points.forEach((point, i) => {
      const [px, py] = this.pixel(this.shown(point));
      const far = Math.hypot(px - x, py - y);
      if (far < least) [found, least] = [i, far];
    });
    return found;
  }

  down(event) {
    if (event.button) return;
    const place = this.at(event);
    const i = this.nearest(place);
    this.cursor = null;
    if (i === null) return this.lab.touch({ kind: "place", place });
    this.canvas.setPointerCapture(event.pointerId);
    const before = structuredClone(this.lab.machine.points[i]);
    this.held = { i, from: [event.clientX, event.clientY], before, moved: false };
  }

  move(event) {
    const { held, lab } = this;
    if (!held) return this.canvas.classList.toggle("over", this.nearest(this.at(event)) !== null);
    if (!held.moved && Math.hypot(event.clientX - held.from[0], event.clientY - held.from[1]) < 4) return;
    if (lab.situation.components) return;
    held.moved = true;
    lab.machine.edit({ kind: "move", i: held.i, ...this.coordinates(this.at(event), held.before) });
    lab.changed(); // the edit is recorded when the point is released
  }

  /** Releases a point where it is, or returns it if the browser cancelled the pointer. */
  up(event, isCancelled) {
    const { held, lab } = this;
    this.held = null;
    if (!held) return;
    if (!held.moved) return lab.touch({ kind: "point", i: held.i });
    lab.machine.edit({ kind: "move", i: held.i, ...held.before });
    if (isCancelled) return lab.changed();
    lab.edit({ kind: "move", i: held.i, ...this.coordinates(this.at(event), held.before) });
    lab.touch({ kind: "point", i: held.i }, false);
  }

  key(event) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    const { lab, lab: { machine, point: chosen, situation: { components, low, high } } } = this;
    const middle = low.map((x, k) => (x + high[k]) / 2);
    const step = (place, share) => place.map((x, k) => within(low[k], x + by[k] * (high[k] - low[k]) * share, high[k]));
    if (by && event.shiftKey && chosen !== null && !components) {
      const point = machine.points[chosen];
      lab.edit({ kind: "move", i: chosen, ...this.coordinates(step(this.shown(point), 0.02), point) });
    } else if (by) {
      const from = this.cursor ?? (chosen !== null ? this.shown(machine.points[chosen]) : middle);
      this.cursor = step(from, 0.04);
      const i = this.nearest(this.cursor);
      lab.announce(i === null ? `at ${this.cursor.map(shown).join(", ")}`
        : `at point ${i + 1}, ${lab.reading.label(machine.points[i].y)}`);
      lab.changed();
    } else if (event.key === "Enter" || event.key === " ") {
      const place = this.cursor ?? (machine.points.length ? this.shown(machine.points[chosen ?? 0]) : low);
      const i = this.nearest(place);
      lab.touch(i === null ? { kind: "place", place } : { kind: "point", i });
    } else if (chosen !== null && (event.key === "Delete" || event.key === "Backspace")) {
      lab.edit({ kind: "remove", i: chosen });
    } else return;
    event.preventDefault();
  }

  /** Makes the plane as large as the window allows. */
  resize() {
    const [left, { innerWidth, innerHeight }] = [this.canvas.parentElement, window];
    const room = innerWidth <= 820 ? [0.19 * innerHeight, 0.55 * innerWidth]
      : [left.clientWidth, left.parentElement.clientHeight - 48];
    this.side = Math.max(150, Math.min(...room));
  }

  draw(colours) {
    const { canvas, lab, lab: { machine, reading, surface } } = this;
    const context = sized(canvas, this.side, this.side);
    context.fillStyle = rgb(colours.fill);
    context.fillRect(0, 0, this.side, this.side);
    if (surface && reading.isClasses) this.areas(context, surface, colours);
    if (surface && reading.isCurve) this.curves(context, surface, colours);
    const inBatch = new Set(machine.batch);
    machine.points.forEach((point, i) => {
      const at = this.pixel(this.shown(point));
      context.globalAlpha = inBatch.has(i) || lab.running ? 1 : 0.4;
      marker(context, reading.isClasses ? point.y : 0, at, this.side > 260 ? 4.4 : 3.6, colours, lab.state.wrong?.[i]);
    });
    context.globalAlpha = 1;
    const ring = (place, size, colour) => {
      context.beginPath();
      context.arc(...this.pixel(place), size, 0, 7);
      Object.assign(context, { strokeStyle: rgb(colour), lineWidth: 2.4 });
      context.stroke();
    };
    if (lab.point !== null && machine.points[lab.point]) ring(this.shown(machine.points[lab.point]), 10, colours.grad);
    const cursor = this.cursor ?? (lab.chosen?.kind === "place" ? lab.chosen.place : null);
    if (cursor) ring(cursor, 4, colours.ink);
    canvas.ariaLabel = this.words();
  }

  /** Paints the output of the network, or of the touched unit. */
  areas(context, { outputs, columns, rows, units, most }, colours) {
    const { small, side, lab: { reading, chosen, situation: { layers }, machine: { killed } } } = this;
    const isShown = chosen?.kind === "unit" && chosen.l < layers.length && !killed.has(`${chosen.l},${chosen.j}`);
    const unit = isShown ? units[chosen.l - 1][chosen.j] : null;
    const several = reading.classes.length > 2 && !unit;
    const lead = unit ? (k) => unit[k] / most[chosen.l - 1] : (k) => reading.lead(outputs, k);
    paint(small, columns, rows, several ? () => 0 : lead, colours);
    context.imageSmoothingQuality = "high";
    const [across, up] = [columns, rows].map((count) => (count > 1 ? side / (count - 1) : 0)); // from place to place
    context.drawImage(small, -across / 2, -up / 2, side + across, side + up);
    if (several) this.signs(context, outputs, columns, rows, colours);
  }

  /** For several classes, draws small markers of the predicted class, ten along each side. */
  signs(context, outputs, columns, rows, colours) {
    context.globalAlpha = 0.28;
    const step = columns / 10;
    for (let r = Math.floor(step / 2); r < rows; r += step) {
      for (let c = Math.floor(step / 2); c < columns; c += step) {
        const at = [(c / (columns - 1)) * this.side, (1 - r / (rows - 1)) * this.side];
        const k = Math.floor(r) * columns + Math.floor(c);
        const winner = this.lab.machine.decide(outputs.map((output) => output[k]));
        marker(context, winner, at, 3, { ...colours, ink: colours.quiet });
      }
    }
    context.globalAlpha = 1;
  }

  curves(context, { outputs, columns }, colours) {
    const { low, high } = this.lab.situation;
    for (const output of outputs) {
      const to = (_, k) => this.pixel([low[0] + (k / (columns - 1)) * (high[0] - low[0]), output[k]]);
      Object.assign(context, { strokeStyle: rgb(colours.value), lineWidth: 2.5 });
      context.stroke(new Path2D(`M${Array.from({ length: columns }, to).join("L")}`));
    }
  }

  words() {
    const { lab: { machine, situation: { features, components } } } = this;
    const axes = components ? "the first two principal components" : features.join(" and ");
    return `The plane of ${axes} with ${machine.points.length} points. Arrow keys move a cursor, Enter selects at ` +
      "the cursor, Shift and an arrow move the selected point, Delete removes it.";
  }
}

// Draws the network: units as pictures of the plane, edges by weight, pulses, and one unit's scalar graph.

const [WIDE, HIGH] = [800, 470];
const LARGEST = 52; // a unit's side
const MOST_EDGES = 1500; // and biases; if there are more, they are drawn, but only their names can be touched
const PULSES = 400; // at the same time
const FEW = 4; // edges with their gradients beside them
const SEEN = 20; // points of a mini-batch that determine the size of pulses
const RANGE = [-8, 1]; // powers of ten at the ends of the bars of ‖δ‖, in every situation

const raised = (l) => String(l).replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
const lowered = (name) => String(name).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
/** Writes indices as subscripts: w²_13 becomes w²₁₃. */
const shortName = (text) => text.replace(/_(\d+(,\d+)?)/g, (_, index) => lowered(index));
const unitName = (l, j) => (l ? `a${raised(l)}` : "x") + lowered(j + 1);
const wavy = ([x1, y1], [x2, y2]) => {
  const bend = (x2 - x1) * 0.45;
  return `M${x1},${y1}C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`;
};

class Network {
  constructor(frame, lab) {
    Object.assign(this, { frame, lab });
    this.svg = drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}` });
    frame.append(this.svg);
    frame.ariaLabel = "The network: + and − zoom, 0 shows all; Tab moves to its units";
    this.viewer = new Viewer(frame, this.svg, (point, factor) => this.zoomed(point, factor));
    frame.addEventListener("keydown", (event) => this.key(event));
  }

  /** Lays out the situation. */
  build() {
    const { lab, lab: { situation: { layers, features } } } = this;
    const counts = [features.length, ...layers.map(({ W }) => W.length)];
    const most = Math.max(...counts);
    this.height = Math.max(20 * most, Math.min(HIGH, 70 + 100 * most));
    const across = (l) => 40 + (l * (WIDE - 80)) / (counts.length - 1);
    const beside = ((WIDE - 80) / (counts.length - 1)) * 0.72;
    const gaps = counts.map((n) => (this.height - 40) / n);
    this.isRoomy = gaps.map((gap) => gap > 64); // for names and numbers
    this.isCrowded = counts.length > 7;
    const largest = (l) => (l === layers.length ? 74 : LARGEST);
    this.sides = gaps.map((gap, l) => Math.min(gap - (this.isRoomy[l] ? 36 : 8), beside, largest(l)));
    this.places = counts.map((n, l) => Array.from({ length: n }, (_, j) => {
      const gap = Math.min(gaps[l], this.sides[l] + 56);
      return [across(l), this.height / 2 - 6 + (j - (n - 1) / 2) * gap];
    }));
    const layer = (name) => (this[name] = drawn("g", { class: name }));
    this.chosen = drawn("path", { class: "chosen" });
    this.whole = [this.chosen, ...["lines", "slopes", "hits", "bodies", "flights"].map(layer)];
    this.edges = layers.flatMap(({ W }, i) => W.flatMap((row, j) => row.map((p, k) => this.edge(i + 1, j, k, p))));
    this.units = this.places.map((column, l) => column.map((_, j) => this.unit(l, j)));
    this.norms = layers.map((_, i) => this.norm(i + 1));
    this.scale = label("grad", 2, this.height, "", "start");
    this.bodies.append(this.scale);
    this.still();
    this.showWhole();
  }

  showWhole() {
    this.opened = null;
    this.lab.pictured = null;
    this.show(this.whole, WIDE, this.height + 16);
  }

  show(parts, width, height) {
    this.svg.replaceChildren(...parts);
    this.svg.natural = { x: width / 2, y: height / 2, width, height };
    this.viewer.view = undefined;
    this.viewer.show(this.svg);
  }

  /** Makes an edge's line and a wide line over it, which receives touches and shows the weight. */
  edge(l, j, k, p) {
    const { lab, lab: { situation: { parameters } } } = this;
    const [[x1, y1], [x2, y2]] = [this.places[l - 1][k], this.places[l][j]];
    const d = wavy([x1 + this.sides[l - 1] / 2 + 2, y1], [x2 - this.sides[l] / 2 - 2, y2]);
    const [line, title] = [drawn("path", { class: "edge", d }), drawn("title", {})];
    const hit = drawn("path", { class: "hit", d }, title);
    hit.onpointerenter = () => { title.textContent = `${shortName(parameters[p])} = ${shown(lab.machine.shared[p])}`; };
    hit.onclick = () => lab.touch({ kind: "weight", p });
    this.lines.append(line);
    if (parameters.length <= MOST_EDGES) this.hits.append(hit);
    return { l, j, k, p, d, line };
  }

  /** Makes a unit: its picture in a rim, with its name, its a and its δ. */
  unit(l, j) {
    const [side, [x, y], last] = [this.sides[l], this.places[l][j], this.places.length - 1];
    const [canvas, frame] = [made("canvas", {}), { x: x - side / 2, y: y - side / 2, width: side, height: side }];
    canvas.style.borderRadius = l ? "50%" : "4px";
    const rim = drawn("rect", { class: "rim", ...frame, rx: l ? side / 2 : 4 });
    const [name, a] = [unitName(l, j), drawn("tspan", { class: "value" })];
    const [above, delta] = [label("name", x, y - side / 2 - 6, name), label("grad", x, y + side / 2 + 13)];
    above.append(a);
    const attributes = { class: "unit", tabindex: l === last && j === 0 ? 0 : -1, role: "button", "aria-label": name };
    const group = drawn("g", attributes, drawn("foreignObject", frame, canvas), rim, above, delta);
    group.onclick = () => this.press(l, j);
    this.bodies.append(group);
    return Object.assign(group, { l, j, canvas, a, delta, above });
  }

  /** Makes the bar of ‖δˡ‖ below a layer. */
  norm(l) {
    const [x, y] = [this.places[l][0][0] - 35, this.height];
    const bar = drawn("rect", { class: "grad", x, y: y + 6, width: 0, height: 4, rx: 2 });
    const text = label("grad", x, y, "", "start");
    this.bodies.append(bar, text);
    return { bar, text };
  }

  /** Selects a unit on the first touch, and opens it on the second. */
  press(l, j) {
    const { lab } = this;
    if (!l) lab.touch({ kind: "input", k: j });
    else if (this.isTouched(l, j)) this.open(l, j);
    else lab.touch({ kind: "unit", l, j });
  }

  isTouched(l, j) {
    const { chosen } = this.lab;
    return chosen?.kind === "unit" && chosen.l === l && chosen.j === j;
  }

  /** Handles keys: arrows move between units, Enter touches. */
  key(event) {
    const unit = event.target.closest?.(".unit");
    if (event.key === "Escape" && this.opened) return this.close();
    if (!unit) return;
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (by) {
      const l = within(0, unit.l + by[0], this.units.length - 1);
      this.focus(this.units[l][within(0, unit.j + by[1], this.units[l].length - 1)]);
    } else if (event.key === "Enter" || event.key === " ") this.press(unit.l, unit.j);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  focus(unit) {
    for (const one of this.units.flat()) one.setAttribute("tabindex", one === unit ? 0 : -1);
    unit.focus();
  }

  /** Draws the network; `isChanged`: whether any picture has changed. */
  draw(colours, isChanged) {
    if (this.opened) return this.drawOpened();
    const { lab, lab: { machine, example, phase, chosen, guess, running } } = this;
    const masks = phase && example ? machine.masksOf(lab.exampleIndex) : {};
    const front = this.front ?? (phase > 1 ? 0 : Infinity); // the layer that the pulses have reached
    const hasValue = (l) => phase === 1 ? l <= front : phase > 1;
    const hasDelta = (l) => phase > 1 && l >= front;
    this.frames = (this.frames ?? 0) + 1;
    if (!running || this.frames % 8 === 0) this.drawEdges();
    this.drawSlopes(phase === 2 && !running, front);
    const digits = this.isCrowded ? 2 : 3;
    this.units.flat().forEach((unit) => {
      const { l, j } = unit;
      unit.classList.toggle("killed", machine.killed.has(`${l},${j}`) || masks[l]?.[j] === 0);
      if (isChanged) this.fillUnit(unit, example, colours);
      const isRoomy = this.isRoomy[l] || this.isTouched(l, j);
      const [a, delta] = [l ? example?.a[l - 1][j] : example?.x[j], example?.delta[l - 1]?.[j]];
      unit.above.style.display = isRoomy ? "" : "none";
      unit.a.textContent = example && isRoomy && hasValue(l) ? ` ${rounded(a, digits)}` : "";
      unit.delta.textContent = example && isRoomy && l && hasDelta(l) && !guess ? this.written("δ", delta) : "";
    });
    const edge = chosen?.kind === "weight" && this.edges.find(({ p }) => p === chosen.p);
    const ring = chosen?.kind === "unit" && ringAround(this.places[chosen.l][chosen.j], this.sides[chosen.l] / 2);
    this.chosen.setAttribute("d", edge ? edge.d : ring || "");
    this.drawNorms(hasDelta);
  }

  /** Formats a number, with its name if there is room. */
  written(name, x) {
    return this.isCrowded ? rounded(x, this.frame.clientWidth < 600 ? 1 : 2) : `${name} ${rounded(x)}`;
  }

  drawEdges() {
    const { shared, frozen, killed } = this.lab.machine;
    for (const edge of this.edges) {
      const { l, j, k, p } = edge;
      const isDead = killed.has(`${l},${j}`) || killed.has(`${l - 1},${k}`);
      const look = `edge ${shared[p] < 0 ? "minus" : "plus"}${frozen.has(p) ? " frozen" : ""}${isDead ? " dead" : ""}`;
      const width = (0.6 + Math.min(5, Math.abs(shared[p]) * 1.5)).toFixed(1);
      if (edge.look !== look) edge.line.setAttribute("class", edge.look = look);
      if (edge.width !== width) edge.line.style.strokeWidth = edge.width = width;
    }
  }

  /** After a backward pass, draws ‖δˡ‖ of each layer on one scale. */
  drawNorms(hasDelta) {
    const { state: { norms }, machine: { steps } } = this.lab;
    const isShown = (l) => norms[0] !== null && (steps > 0 || hasDelta(l));
    this.scale.textContent = isShown(norms.length) ? "‖δˡ‖, log" : "";
    this.norms.forEach(({ bar, text }, i) => {
      const share = isShown(i + 1) ? (Math.log10(norms[i]) - RANGE[0]) / (RANGE[1] - RANGE[0]) : 0;
      bar.setAttribute("width", 70 * within(0, share, 1));
      text.textContent = isShown(i + 1) ? this.written(`‖δ${raised(i + 1)}‖`, norms[i]) : "";
    });
  }

  /** Draws the edges after layer `from` with widths that grow with |∂L/∂w|, and labels some of them. */
  drawSlopes(isShown, from) {
    const { lab: { machine, example } } = this;
    const own = ({ l, j, k, p }) => (example ? example.delta[l - 1][j] * came(example, l, k) : machine.gradients[p]);
    const sizes = isShown ? this.edges.map((edge) => Math.abs(own(edge))) : [];
    const most = Math.max(1e-300, ...sizes);
    const shares = this.edges.map((edge, n) => ({ edge, share: sizes[n] / most }));
    const back = shares.filter(({ edge }) => isShown && edge.l > from);
    const slopes = back.filter(({ share }) => share > 0.03).map(({ edge: { d }, share }) =>
      drawn("path", { class: "slope", d, "stroke-width": (0.5 + 4.5 * share).toFixed(1) }));
    const beside = back.map(({ edge }) => this.beside(edge, own(edge))).filter(Boolean);
    this.slopes.replaceChildren(...slopes, ...beside);
  }

  /** Labels an edge with the part of δ that it passes back to a touched unit or, if edges are few, its gradient. */
  beside({ l, j, k, p }, gradient) {
    const { machine, example, guess } = this.lab;
    const isTouched = example && this.isTouched(l - 1, k);
    if (guess || (!isTouched && this.edges.length > FEW)) return null;
    const [name, x] = isTouched ? ["δ w", example.delta[l - 1][j] * machine.shared[p]] : ["∂L/∂w", gradient];
    const [[x1, y1], [x2, y2]] = [this.places[l - 1][k], this.places[l][j]];
    return label("grad beside", (x1 + x2) / 2, (y1 + y2) / 2 - 9, `${name} = ${rounded(x)}`);
  }

  /** Paints a unit's output over the plane or along a curve or, if neither exists, its output at the chosen point. */
  fillUnit({ l, j, canvas }, example, colours) {
    const { lab: { reading, surface } } = this;
    if (!surface) {
      const x = !example ? 0 : l ? example.a[l - 1][j] : example.x[j];
      return paint(canvas, 1, 1, () => Math.tanh(x), colours);
    }
    const { columns, rows, units, most, outputs } = surface;
    const along = (i) => (2 * i) / (columns - 1) - 1; // an input's own picture
    if (rows > 1) {
      const half = columns / 2; // every second point of the surface is enough
      const place = (k) => 2 * (k % half) + 2 * columns * Math.floor(k / half);
      const isDecision = l === units.length && reading.isClasses && reading.units === 1;
      const at = isDecision ? (k) => reading.lead(outputs, place(k))
        : l ? (k) => units[l - 1][j][place(k)] / most[l - 1]
          : (k) => along(2 * (j ? Math.floor(k / half) : k % half));
      return paint(canvas, half, half, at, colours);
    }
    const middle = columns / 2;
    const height = (c) => 0.85 * middle * (l ? units[l - 1][j][c] / most[l - 1] : along(c));
    paint(canvas, columns, columns, (k) => { // filled between the axis and the curve
      const [up, to] = [Math.floor(k / columns) - middle, height(k % columns)];
      return up * (to - up) >= 0 && Math.abs(to) > 0.5 ? 0.8 * Math.sign(to) : 0;
    }, colours);
  }

  /** Moves dots along the edges layer by layer; resolves to true unless the flight is interrupted. */
  async pulse(direction) {
    const { lab, lab: { machine, example } } = this;
    const last = this.places.length - 1;
    this.still();
    if (this.opened || stillness.matches || !machine.points.length) return true;
    const isBack = direction === "grad";
    const seen = example ? [example] : machine.batch.slice(0, SEEN).map((i) => machine.example(i));
    const carried = ({ l, j, k, p }) => {
      if (isBack) return Math.abs(example ? example.delta[l - 1][j] * machine.shared[p] : machine.gradients[p]);
      return seen.reduce((sum, one) => sum + Math.abs(machine.shared[p] * came(one, l, k)), 0);
    };
    const all = this.edges.map((edge) => ({ edge, size: carried(edge) })).filter(({ size }) => size > 0)
      .sort((one, other) => other.size - one.size).slice(0, PULSES);
    const duration = Math.min(650, 3000 / last);
    const timing = { duration, direction: isBack ? "reverse" : "normal", easing: "ease-in-out" };
    const fly = ({ edge: { d }, size }) => {
      const r = (1 + 7 * Math.sqrt(size / all[0].size)).toFixed(1);
      const dot = drawn("circle", { class: `pulse ${direction}`, r, style: `offset-path: path("${d}")` });
      this.flights.append(dot);
      const frames = { offsetDistance: ["0%", "100%"], opacity: [0, 1, 1, 0] };
      return dot.animate(frames, timing).finished.finally(() => dot.remove());
    };
    const flight = this.flight = {};
    for (let k = 1; k <= last; k++) {
      const l = isBack ? last + 1 - k : k;
      this.front = isBack ? l : l - 1;
      lab.changed();
      await Promise.allSettled(all.filter(({ edge }) => edge.l === l).map(fly));
      if (this.flight !== flight) return false;
    }
    this.still();
    lab.changed();
    return true;
  }

  /** Ends a flight. */
  still() {
    Object.assign(this, { flight: null, front: null });
    this.flights.replaceChildren();
  }

  /** Opens the unit at the pointer when zoomed in far enough; zooming out of an open unit closes it. */
  zoomed(point, factor) {
    const { viewer, opened } = this;
    if (this.lab.guess) return;
    if (opened && factor < 1 && !viewer.moved) return this.close();
    if (opened || factor < 1 || viewer.scale < Math.min(5.9, viewer.fitted.scale * 3)) return;
    const unit = document.elementsFromPoint(point.x, point.y).map((found) => found.closest?.(".unit")).find(Boolean);
    if (unit?.l) this.open(unit.l, unit.j);
  }

  /** Shows one unit's scalar graph in place of the network. */
  open(l, j) {
    const { lab } = this;
    lab.touch({ kind: "unit", l, j });
    Object.assign(this, { opened: { l, j }, size: "" });
    this.drawOpened();
    this.frame.focus();
    lab.changed();
    lab.announce(`${unitName(l, j)} is open: its scalar nodes, with values, gradients and local derivatives`);
  }

  close() {
    const { l, j } = this.opened;
    this.showWhole();
    this.lab.changed();
    this.focus(this.units[l][j]);
  }

  drawOpened() {
    const { lab: { machine, point, guess }, opened: { l, j } } = this;
    const i = point ?? machine.batch[0];
    const { parts, width, height } = openedUnit(i === undefined ? [] : machine.nodes(l, j, i), guess);
    if (this.size === `${width} ${height}`) return this.svg.replaceChildren(...parts);
    this.size = `${width} ${height}`;
    this.show(parts, width, height);
  }
}

/** Returns the input of layer l from unit k below it. */
const came = ({ a, x }, l, k) => (l > 1 ? a[l - 2][k] : x[k]);
const label = (kind, x, y, words = "", anchor = "middle") =>
  drawn("text", { class: kind, x, y, "text-anchor": anchor }, words);
const ringAround = ([x, y], r) => `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0`;

/** Draws a unit's scalar nodes from left to right: operands with their numbers, local derivatives on the wires. */
function openedUnit(nodes, isAsked) {
  const back = (gradient, local = 1) => (gradient === null || isAsked ? "" : shown(gradient * local));
  const depth = [];
  for (const { operands } of nodes) depth.push(1 + Math.max(0, ...operands.map(({ node }) => depth[node] ?? 0)));
  const [column, row, deepest] = [Math.max(...depth) > 4 ? 170 : 230, 46, Math.max(1, ...depth)];
  const [places, wires, parts] = [[], [], []];
  let used = 0; // rows; each leaf takes one
  const nextRow = () => 40 + row * used++;
  nodes.forEach(({ name, symbol, value, gradient, operands }, n) => {
    const x = 40 + depth[n] * column;
    const ends = operands.map(({ node }) => places[node] ?? [x + 56 - 0.95 * column, nextRow()]);
    const y = ends.length ? ends.reduce((sum, [, up]) => sum + up, 0) / ends.length : nextRow();
    places.push([x, y]);
    operands.forEach((operand, k) => {
      const [[left, up], isLeaf] = [ends[k], operand.node < 0];
      const from = isLeaf ? left : left + 20;
      wires.push(drawn("path", { class: "wire", d: wavy([from, up], [x - 20, y]) }));
      if (isLeaf) {
        const known = operand.name === String(operand.value) ? "" : shown(operand.value);
        parts.push(label("name", left - 6, up + 1, `${shortName(operand.name)} `, "end"));
        parts.at(-1).append(drawn("tspan", { class: "value" }, known));
      }
      if (operand.local === undefined) return;
      parts.push(label("value local", (from + x - 20) / 2, (up + y) / 2 - 5, shown(operand.local)));
      if (isLeaf) parts.push(label("grad", left - 6, up + 15, back(gradient, operand.local), "end"));
    });
    parts.push(drawn("circle", { class: "operation", cx: x, cy: y, r: 19 }), label("name", x, y + 5, symbol),
      label("name", x, y - 25, shortName(name)), label("value", x, y + 33, shown(value)),
      label("grad", x, y + 46, back(gradient)));
  });
  return { parts: [...wires, ...parts], width: deepest * column + 150, height: Math.max(2, used) * row + 50 };
}

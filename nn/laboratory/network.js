// The network: units as pictures of the plane, edges by weight, pulses, and one unit opened down to its × and +.

const [WIDE, HIGH] = [800, 470];
const LARGEST = 52; // a unit's side
const MOST_EDGES = 1500; // more are drawn, but can be touched only by their names
const PULSES = 400; // at once
const SEEN = 20; // points of a mini-batch by whose numbers pulses are sized
const FASTEST = [-8, 1]; // powers of ten between which the bars of ‖δ‖ stand, in every situation alike

const raised = (l) => String(l).replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
const lowered = (name) => String(name).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
/** Indices lowered: w²_13 is w²₁₃. */
const shortName = (text) => text.replace(/_(\d+(,\d+)?)/g, (_, index) => lowered(index));
const wavy = ([x1, y1], [x2, y2]) => {
  const bend = (x2 - x1) * 0.45;
  return `M${x1},${y1}C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`;
};

class Network {
  constructor(frame, lab) {
    Object.assign(this, { frame, lab });
    this.svg = drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}` });
    frame.append(this.svg);
    frame.ariaLabel = "The network: + and − zoom, 0 shows all; Tab goes to its units";
    this.viewer = new Viewer(frame, this.svg, (point, factor) => this.zoomed(point, factor));
    frame.addEventListener("keydown", (event) => this.key(event));
  }

  /** Lays out another situation. */
  build() {
    const { lab, lab: { situation: { layers, features } } } = this;
    const counts = [features.length, ...layers.map(({ W }) => W.length)];
    const most = Math.max(...counts);
    this.height = Math.max(20 * most, Math.min(HIGH, 70 + 100 * most));
    const across = (l) => 40 + (l * (WIDE - 80)) / (counts.length - 1);
    const beside = ((WIDE - 80) / (counts.length - 1)) * 0.72;
    const gaps = counts.map((n) => (this.height - 40) / n);
    this.isRoomy = gaps.map((gap) => gap > 64); // for names and numbers
    this.sides = gaps.map((gap, l) => Math.min(gap - (this.isRoomy[l] ? 36 : 8), beside, l === counts.length - 1 ? 74 : LARGEST));
    this.places = counts.map((n, l) => Array.from({ length: n }, (_, j) => {
      const gap = Math.min(gaps[l], this.sides[l] + 56);
      return [across(l), this.height / 2 - 6 + (j - (n - 1) / 2) * gap];
    }));
    [this.lines, this.slopes, this.hits, this.bodies, this.flights] = ["lines", "slopes", "hits", "units", "pulses"].map((name) => drawn("g", { class: name }));
    this.edges = layers.flatMap(({ W }, i) => W.flatMap((row, j) => row.map((p, k) => this.edge(i + 1, j, k, p))));
    if (this.edges.length <= MOST_EDGES) this.hits.append(...this.edges.map((edge) => this.hit(edge)));
    this.units = this.places.map((column, l) => column.map((_, j) => this.unit(l, j)));
    this.norms = layers.map((_, i) => this.norm(i + 1));
    this.bodies.append(this.scale = drawn("text", { class: "grad", x: this.places[0][0][0], y: this.height, "text-anchor": "middle" }));
    this.chosen = drawn("path", { class: "chosen" });
    this.whole = [this.chosen, this.lines, this.slopes, this.hits, this.bodies, this.flights];
    this.opened = null;
    this.still();
    this.show(this.whole, [0, 0, WIDE, this.height + 16]);
  }

  show(parts, [x, y, width, height]) {
    this.svg.replaceChildren(...parts);
    this.svg.natural = { x: x + width / 2, y: y + height / 2, width, height };
    this.viewer.view = undefined;
    this.viewer.show(this.svg);
  }

  edge(l, j, k, p) {
    const [[x1, y1], [x2, y2]] = [this.places[l - 1][k], this.places[l][j]];
    const d = wavy([x1 + this.sides[l - 1] / 2 + 2, y1], [x2 - this.sides[l] / 2 - 2, y2]);
    const line = drawn("path", { class: "edge", d });
    this.lines.append(line);
    return { l, j, k, p, d, line };
  }

  hit(edge) {
    const path = drawn("path", { class: "hit", d: edge.d });
    const title = drawn("title", {});
    path.append(title);
    const { lab } = this;
    path.onpointerenter = () => { title.textContent = `${shortName(lab.situation.parameters[edge.p])} = ${shown(lab.machine.shared[edge.p])}`; };
    path.onclick = () => lab.touch({ kind: "weight", p: edge.p });
    return path;
  }

  /** A unit's picture in its rim, with its name above, its a and its δ. */
  unit(l, j) {
    const [side, [x, y], last] = [this.sides[l], this.places[l][j], this.places.length - 1];
    const canvas = document.createElement("canvas");
    canvas.style.borderRadius = l ? "50%" : "4px";
    const box = drawn("foreignObject", { x: x - side / 2, y: y - side / 2, width: side, height: side });
    box.append(canvas);
    const rim = drawn("rect", { class: "rim", x: x - side / 2, y: y - side / 2, width: side, height: side, rx: l ? side / 2 : 4 });
    const name = `${l ? "a" : "x"}${l ? raised(l) : ""}${lowered(j + 1)}`;
    const label = drawn("text", { class: "name", x, y: y - side / 2 - 6, "text-anchor": "middle" }, name);
    const a = drawn("tspan", { class: "value" });
    label.append(a);
    const delta = drawn("text", { class: "grad", x, y: y + side / 2 + 13, "text-anchor": "middle" });
    const group = drawn("g", { class: "unit", tabindex: l === last && j === 0 ? 0 : -1, role: "button", "aria-label": name }, box, rim, label, delta);
    group.onclick = () => this.press(l, j);
    Object.assign(group, { l, j, canvas, a, delta, label, name });
    this.bodies.append(group);
    return group;
  }

  /** The bar of ‖δˡ‖ below a layer. */
  norm(l) {
    const [x] = this.places[l][0];
    const bar = drawn("rect", { class: "grad", x: x - 35, y: this.height + 6, width: 0, height: 4, rx: 2 });
    const text = drawn("text", { x: x - 35, y: this.height, class: "grad" });
    this.bodies.append(bar, text);
    return { bar, text };
  }

  /** The first touch asks a unit, the second opens it. */
  press(l, j) {
    const { lab, lab: { chosen } } = this;
    if (!l) return lab.touch({ kind: "input", k: j });
    if (chosen?.kind === "unit" && chosen.l === l && chosen.j === j && !lab.guess) return this.open(l, j);
    lab.touch({ kind: "unit", l, j });
  }

  /** Arrows go from unit to unit, Enter touches. */
  key(event) {
    const unit = event.target.closest?.(".unit");
    if (event.key === "Escape" && this.opened) return this.close();
    if (!unit) return;
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (by) {
      const l = within(0, unit.l + by[0], this.units.length - 1);
      const next = this.units[l][within(0, unit.j + by[1], this.units[l].length - 1)];
      this.focus(next);
    } else if (event.key === "Enter" || event.key === " ") this.press(unit.l, unit.j);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  focus(unit) {
    for (const one of this.units.flat()) one.setAttribute("tabindex", one === unit ? 0 : -1);
    unit.focus();
  }

  draw(colours, pixels) {
    if (this.opened) return this.drawOpened();
    const { lab, lab: { machine, surface, phase } } = this;
    const [from, to] = [phase > 1 ? this.front ?? 0 : 0, phase === 1 ? this.front ?? Infinity : Infinity]; // what the pulses have reached
    const { shared, killed } = machine;
    const dead = ({ l, j, k }) => killed.has(`${l},${j}`) || killed.has(`${l - 1},${k}`);
    this.frames = (this.frames ?? 0) + 1;
    if (!lab.running || this.frames % 8 === 0) for (const edge of this.edges) {
      const w = shared[edge.p];
      const look = `${w < 0 ? "minus" : "plus"}${machine.frozen.has(edge.p) ? " frozen" : ""}${dead(edge) ? " dead" : ""}`;
      const width = (0.6 + Math.min(5, Math.abs(w) * 1.5)).toFixed(1);
      if (edge.look !== look) edge.line.setAttribute("class", `edge ${edge.look = look}`);
      if (edge.width !== width) edge.line.style.strokeWidth = edge.width = width;
    }
    this.drawSlopes(phase === 2 && !lab.running, from);
    const a = lab.example;
    const [isCrowded, digits] = this.places.length > 7 ? [true, 2] : [false, 3];
    this.units.forEach((column, l) => column.forEach((unit, j) => {
      unit.classList.toggle("killed", machine.killed.has(`${l},${j}`));
      this.fillUnit(unit, surface, a, colours, pixels);
      const isTouched = lab.chosen?.kind === "unit" && lab.chosen.l === l && lab.chosen.j === j;
      const isRoomy = this.isRoomy[l] || isTouched;
      unit.label.style.display = isRoomy ? "" : "none";
      unit.a.textContent = a && phase > 0 && l <= to && isRoomy ? ` ${said(l ? a.a[l - 1][j] : a.x[j], digits)}` : "";
      unit.delta.textContent = a && phase > 1 && l && l >= from && isRoomy && !lab.guess ? `${isCrowded ? "" : "δ "}${said(a.delta[l - 1][j], digits)}` : "";
    }));
    const edge = lab.chosen?.kind === "weight" && this.edges.find(({ p }) => p === lab.chosen.p);
    const unit = lab.chosen?.kind === "unit" && this.units[lab.chosen.l][lab.chosen.j];
    this.chosen.setAttribute("d", edge ? edge.d : unit ? ringAround(this.places[unit.l][unit.j], this.sides[unit.l] / 2) : "");
    const norms = lab.state.norms;
    this.scale.textContent = norms[0] !== null && (phase > 1 || machine.steps > 0) ? "‖δˡ‖, log" : "";
    this.norms.forEach(({ bar, text }, i) => {
      const shown = norms && ((phase > 1 && i + 1 >= from) || machine.steps > 0);
      const share = shown && norms[i] > 0 ? (Math.log10(norms[i]) - FASTEST[0]) / (FASTEST[1] - FASTEST[0]) : 0;
      bar.setAttribute("width", 70 * within(0, share, 1));
      text.textContent = shown ? `${isCrowded ? "" : `‖δ${raised(i + 1)}‖ `}${said(norms[i], digits)}` : "";
    });
  }

  /** Edges on the way back, after a layer, by |∂L/∂w|; the largest are widest. */
  drawSlopes(isShown, from) {
    const { lab: { machine, example } } = this;
    if (!isShown) return this.slopes.replaceChildren();
    const own = ({ l, j, k, p }) => (example ? example.delta[l - 1][j] * (l > 1 ? example.a[l - 2][k] : example.x[k]) : machine.gradients[p]);
    const sizes = this.edges.map((edge) => Math.abs(own(edge)));
    const most = Math.max(1e-300, ...sizes);
    const wide = this.edges.map((edge, n) => [edge, sizes[n] / most]).filter(([{ l }, share]) => l > from && share > 0.03);
    this.slopes.replaceChildren(...wide.map(([{ d }, share]) =>
      drawn("path", { class: "slope", d, "stroke-width": (0.5 + 4.5 * share).toFixed(1) })));
  }

  /** What the unit gives over the plane, or along a curve; without either, of the chosen point. */
  fillUnit({ l, j, canvas }, surface, example, colours, pixels) {
    const { lab: { reading } } = this;
    const isLast = l === this.places.length - 1;
    const heights = surface && (l ? surface.units[l - 1][j] : null);
    if (surface && surface.rows > 1) {
      const columns = surface.columns;
      const half = columns / 2; // every second place of the surface is enough
      const place = (k) => 2 * (k % half) + columns * 2 * Math.floor(k / half);
      const at = l ? (k) => heights[place(k)] / surface.most[l - 1] : (k) => (2 * (j ? Math.floor(k / half) : k % half)) / (half - 1) - 1;
      paint(canvas, half, half, isLast && reading.isClasses && reading.units === 1 ? (k) => reading.lead(surface.outputs, place(k)) : at, pixels);
    } else if (surface) {
      const most = l ? surface.most[l - 1] : 1;
      const columns = surface.columns;
      const middle = columns / 2;
      const height = (c) => middle + 0.85 * middle * (l ? heights[c] / most : (2 * c) / (columns - 1) - 1);
      paint(canvas, columns, columns, (k) => {
        const [r, to] = [Math.floor(k / columns), height(k % columns)];
        return (r - middle) * (to - r) >= 0 && Math.abs(to - middle) > 0.5 ? (to > middle ? 0.8 : -0.8) : 0;
      }, pixels);
    } else {
      const x = example ? (l ? example.a[l - 1][j] : example.x[j]) : 0;
      paint(canvas, 1, 1, () => Math.tanh(x), pixels);
    }
  }

  /** Dots that run along the edges, layer by layer, their area by what they carry; whether the last was there undisturbed. */
  async pulse(direction) {
    const { lab: { machine, example }, edges } = this;
    const last = this.places.length - 1;
    this.still();
    if (this.opened || stillness.matches || !machine.points.length) return true;
    const isBack = direction === "grad";
    const seen = example ? [example] : machine.batch.slice(0, SEEN).map((i) => machine.example(i));
    const carried = ({ l, j, k, p }) => {
      if (isBack) return Math.abs(example ? example.delta[l - 1][j] * machine.shared[p] : machine.gradients[p]);
      return seen.reduce((sum, { a, x }) => sum + Math.abs(machine.shared[p] * (l > 1 ? a[l - 2][k] : x[k])), 0);
    };
    const all = edges.map((edge) => [edge, carried(edge)]).filter(([, size]) => size > 0).sort(([, a], [, b]) => b - a).slice(0, PULSES);
    const duration = Math.min(650, 3000 / last);
    const fly = ([{ d }, size]) => {
      const dot = drawn("circle", { class: `pulse ${direction}`, r: (1 + 7 * Math.sqrt(size / all[0][1])).toFixed(1) });
      dot.style.offsetPath = `path("${d}")`;
      this.flights.append(dot);
      const frames = [{ offsetDistance: "0%", opacity: 0 }, { opacity: 1, offset: 0.1 }, { opacity: 1, offset: 0.9 }, { offsetDistance: "100%", opacity: 0 }];
      return dot.animate(frames, { duration, direction: isBack ? "reverse" : "normal", easing: "ease-in-out" }).finished.finally(() => dot.remove());
    };
    const flight = this.flight = {};
    for (let k = 1; k <= last; k++) {
      const l = isBack ? last + 1 - k : k;
      this.front = isBack ? l : l - 1;
      this.lab.changed();
      await Promise.allSettled(all.filter(([edge]) => edge.l === l).map(fly));
      if (this.flight !== flight) return false;
    }
    this.still();
    this.lab.changed();
    return true;
  }

  /** Ends a flight: all is there. */
  still() {
    Object.assign(this, { flight: null, front: null });
    this.flights.replaceChildren();
  }

  /** Wheel or pinch beyond what the network has opens the unit there; out of an opened unit leads back. */
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
    this.lab.touch({ kind: "unit", l, j }, false);
    this.opened = { l, j };
    this.size = null;
    this.drawOpened();
    this.frame.focus();
    this.lab.changed();
    this.lab.say(`a${raised(l)}${lowered(j + 1)} is open: its scalar nodes, with values, gradients and local derivatives`);
  }

  close() {
    const { l, j } = this.opened;
    this.opened = null;
    this.show(this.whole, [0, 0, WIDE, this.height + 16]);
    this.lab.changed();
    this.focus(this.units[l][j]);
  }

  drawOpened() {
    const { lab, opened: { l, j } } = this;
    const i = lab.point ?? lab.machine.batch[0];
    const nodes = i === undefined ? [] : lab.machine.nodes(l, j, i);
    const { parts, width, height } = openedUnit(nodes);
    if (this.size === `${width} ${height}`) return this.svg.replaceChildren(...parts);
    this.size = `${width} ${height}`;
    this.show(parts, [0, 0, width, height]);
  }
}

const ringAround = ([x, y], r) => `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0`;

/** The scalar nodes of a unit, from left to right: operands with their numbers, local derivatives on the wires. */
function openedUnit(nodes) {
  const depth = [];
  nodes.forEach(({ operands }, n) => { depth[n] = 1 + Math.max(0, ...operands.map(({ node }) => (node < 0 ? 0 : depth[node]))); });
  const [column, row] = [Math.max(...depth) > 4 ? 170 : 230, 46];
  const rows = []; // of each node; what has only leaves takes a row for each of them
  let used = 0;
  const leaves = [];
  nodes.forEach(({ operands }, n) => {
    const places = operands.map((operand) => {
      if (operand.node >= 0) return rows[operand.node];
      leaves.push({ x: (depth[n] - 0.95) * column, y: used });
      return used++;
    });
    rows[n] = places.length ? places.reduce((sum, y) => sum + y, 0) / places.length : used++;
  });
  const right = Math.max(1, ...depth) * column + 150;
  const at = (n) => [depth[n] * column + 40, rows[n] * row + 40];
  const parts = [];
  const text = (kind, x, y, words, anchor = "middle") => parts[parts.push(drawn("text", { class: kind, x, y, "text-anchor": anchor }, words)) - 1];
  const wire = (from, to, { local }) => {
    parts.push(drawn("path", { class: "wire", d: wavy(from, to) }));
    if (local === undefined) return;
    text("value local", (from[0] + to[0]) / 2, (from[1] + to[1]) / 2 - 5, shown(local));
  };
  let leaf = 0;
  nodes.forEach(({ operands }, n) => {
    for (const operand of operands) {
      const [x, y] = operand.node < 0 ? [leaves[leaf].x + 96, leaves[leaf].y * row + 40] : at(operand.node);
      wire([x + (operand.node < 0 ? 0 : 20), y], [at(n)[0] - 20, at(n)[1]], operand);
      if (operand.node < 0) {
        text("name", x - 6, y + 1, `${shortName(operand.name)} `, "end").append(drawn("tspan", { class: "value" }, operand.name === String(operand.value) ? "" : shown(operand.value)));
        if (operand.local !== undefined) text("grad", x - 6, y + 15, shown(operand.local * nodes[n].gradient), "end");
        leaf++;
      }
    }
  });
  nodes.forEach(({ name, symbol, value, gradient }, n) => {
    const [x, y] = at(n);
    parts.push(drawn("circle", { class: "operation", cx: x, cy: y, r: 19 }));
    text("name", x, y + 5, symbol);
    text("name", x, y - 25, shortName(name));
    text("value", x, y + 33, shown(value));
    text("grad", x, y + 46, shown(gradient));
  });
  return { parts, width: right, height: Math.max(2, used) * row + 50 };
}

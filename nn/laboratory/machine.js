// The machine: it runs a situation's plans, and takes steps and edits. What a rule computes stands in KERNELS.

const CHUNK = 256; // examples that are evaluated at once
const range = (n) => {
  const numbers = new Array(n);
  for (let i = 0; i < n; i++) numbers[i] = i;
  return numbers;
};
const MOST = 1e100; // of what one can set by hand: its products stay finite
const usable = (numbers) => numbers.every((x) => Number.isFinite(x) && Math.abs(x) <= MOST);
const allFinite = (numbers) => {
  let zero = 0;
  for (let i = 0; i < numbers.length; i++) zero += 0 * numbers[i];
  return zero === 0;
};
const spoken = (x) => String(x).replace("-", "−").replace("Infinity", "∞");

/** The numbers of a plan: value and gradient of each slot in each lane. */
class Lanes {
  constructor(plan, kernels) {
    this.plan = plan;
    this.kernels = plan.kernels.map((k) => kernels[k]);
    this.stride = 0;
    this.begins = [];
    this.inLanes = []; // of each number of the index, whether it is a slot
    for (const [, , , , , codes] of this.kernels) {
      this.begins.push(this.inLanes.length);
      this.inLanes.push(true, ...codes.filter((c) => typeof c === "string").map((c) => c === "L" || c === "l"));
    }
    this.makes = new Map(this.begins.map((p, i) => [plan.index[p], i])); // the instruction that makes a slot
    this.muted = new Set();
  }

  reserve(n) {
    if (n <= this.stride) return;
    const { slots, index } = this.plan;
    this.stride = n > 1 ? 8 * Math.ceil(n / 8) + 8 : 1;
    this.values = new Float64Array(slots * this.stride);
    this.gradients = new Float64Array(slots * this.stride);
    this.index = Int32Array.from(index, (s, k) => (this.inLanes[k] ? s * this.stride : s));
  }

  /** The instructions whose results are 0: those of the units "l,j". */
  mute(units) {
    if (!units.size && !this.muted.size) return;
    const slots = [...units].flatMap((unit) => {
      const [l, j] = unit.split(",").map(Number);
      return this.plan.traces.map(({ a }) => a[l][j]);
    });
    this.muted = new Set(slots.map((slot) => this.makes.get(slot)));
  }

  forward(shared, n, count = this.kernels.length) {
    const { kernels, begins, values, gradients, index, muted } = this;
    for (let i = 0; i < count; i++) {
      kernels[i][0](values, gradients, shared, shared, index, begins[i], n);
      if (muted.size && muted.has(i)) this.clear(values, i, n);
    }
  }

  /** Adds the gradients of what is shared to `sums`. */
  backward(shared, sums, n, seed) {
    const { kernels, begins, values, gradients, index, muted, plan } = this;
    gradients.fill(0);
    gradients.fill(seed, plan.root * this.stride, plan.root * this.stride + n);
    for (let i = kernels.length - 1; i >= 0; i--) {
      if (muted.size && muted.has(i)) this.clear(gradients, i, n);
      kernels[i][1](values, gradients, shared, sums, index, begins[i], n);
    }
  }

  clear(numbers, i, n) {
    const slot = this.index[this.begins[i]];
    numbers.fill(0, slot, slot + n);
  }

  value(slot, lane) {
    return this.values[slot * this.stride + lane];
  }

  gradient(slot, lane) {
    return this.gradients[slot * this.stride + lane];
  }

  set(slot, lane, x) {
    this.values[slot * this.stride + lane] = x;
  }

  /** Where example e of a mini-batch stands: the names of its slots, and its lane. */
  at(e) {
    const { lanes, traces } = this.plan;
    return lanes ? [traces[0], e] : [traces[e], 0];
  }
}

class Machine {
  constructor(situation, kernels) {
    const { points, optimizer, shared, generators } = situation;
    this.situation = situation;
    this.rules = situation.kernels.map((name) => kernels[name]);
    this.update = kernels[optimizer.kernel];
    this.width = optimizer.width;
    this.count = situation.parameters.length;
    this.points = points;
    this.rate = optimizer.rate;
    this.steps = optimizer.steps;
    this.batchSize = situation.batch_size;
    this.epoch = situation.epoch ?? 0;
    this.place = situation.place ?? 0; // of the next mini-batch in the epoch
    this.sequence = situation.sequence ?? null; // the epoch's order, once it has begun
    this.sample = situation.sample;
    this.shared = Float64Array.from(shared);
    this.memory = Float64Array.from(optimizer.state);
    this.gradients = new Float64Array(this.count);
    this.moved = new Float64Array(this.count * (1 + this.width));
    this.sums = new Float64Array(shared.length);
    this.frozen = new Set(situation.frozen);
    this.killed = new Set(situation.killed ?? []);
    this.generators = generators.map((state) => new Random(state));
    this.known = new Map(); // lanes by plan and use
    this.forget();
  }

  /** What follows from the numbers is computed again. */
  forget() {
    this.next = null;
    this.passed = null;
  }

  lanes(plan, use, n) {
    const key = `${plan} ${use}`;
    if (!this.known.has(key)) this.known.set(key, new Lanes(this.situation.plans[plan], this.rules));
    const lanes = this.known.get(key);
    lanes.reserve(this.situation.plans[plan].lanes ? n : 1);
    lanes.mute(this.killed);
    return lanes;
  }

  /** How many mini-batches an epoch has, as nn.data.count_batches. */
  get batches() {
    const [n, size, { least }] = [this.points.length, this.batchSize, this.situation];
    return Math.max(Math.floor(n / size) + (n % size >= least && n % size > 0 ? 1 : 0), Math.min(n, 1));
  }

  /** The next mini-batch and its masks, drawn in advance, and the generators after them. */
  upcoming() {
    if (this.next) return this.next;
    const { points, place, batches, batchSize: size, situation } = this;
    const draws = !this.sequence || situation.dropouts.length;
    const generators = draws ? this.generators.map((rng) => rng.copy()) : this.generators;
    const sequence = this.sequence ?? generators[situation.order].shuffle(range(points.length));
    let batch = sequence.slice(place * size, place === batches - 1 ? points.length : (place + 1) * size);
    // without masks the order within a mini-batch means nothing, and what stays as it was runs faster
    if (batches === 1 && !situation.fixed && !situation.dropouts.length) batch = range(batch.length);
    const { masks: slots, lanes } = situation.plans[this.plan(batch.length)] ?? { masks: [] };
    const masks = situation.dropouts.map(({ p, generator }, d) => {
      const draw = () => (generators[generator].random() < p ? 0 : 1 / (1 - p));
      return Float64Array.from({ length: slots[d].length * (lanes ? batch.length : 1) }, draw);
    });
    return (this.next = { batch, masks, generators, sequence });
  }

  get batch() {
    return this.upcoming().batch;
  }

  /** The plan of a mini-batch of m examples. */
  plan(m) {
    return this.situation.training[this.situation.fixed ? m : 0];
  }

  /** The numbers that are fed for a target. */
  fed(y) {
    return this.situation.targets ? this.situation.targets[y] : [y].flat();
  }

  feed(lanes, indices) {
    indices.forEach((index, e) => {
      const [trace, lane] = lanes.at(e);
      const { x, y } = this.points[index];
      trace.x.forEach((slot, k) => lanes.set(slot, lane, x[k]));
      this.fed(y).forEach((t, k) => lanes.set(trace.y[k], lane, t));
    });
  }

  /** The next mini-batch in lanes of its training plan, forward. */
  run(use, shared) {
    const { batch, masks } = this.upcoming();
    const lanes = this.lanes(this.plan(batch.length), use, batch.length);
    this.feed(lanes, batch);
    masks.forEach((drawn, d) => {
      const slots = lanes.plan.masks[d];
      drawn.forEach((mask, k) => lanes.set(slots[k % slots.length], lanes.plan.lanes ? Math.floor(k / slots.length) : 0, mask));
    });
    const n = lanes.plan.lanes ? batch.length : 1;
    lanes.forward(shared, n);
    return { lanes, n, loss: this.mean(lanes, batch.length) };
  }

  /** The mean of the losses of m examples. */
  mean(lanes, m) {
    let sum = 0;
    for (let e = 0; e < m; e++) {
      const [{ loss }, lane] = lanes.at(e);
      sum += lanes.value(loss, lane);
    }
    return sum / m;
  }

  /** Both passes of the next update: the mean loss of its mini-batch, or a sentence that says why there is none. */
  passes() {
    if (this.passed) return this.passed;
    const m = this.batch.length;
    if (!m) return (this.passed = { loss: null, sentence: "There are no points to learn from: add some." });
    const { lanes, n, loss } = this.run("batch", this.shared);
    this.sums.fill(0);
    lanes.backward(this.shared, this.sums, n, lanes.plan.lanes ? 1 : m);
    for (let p = 0; p < this.count; p++) this.gradients[p] = this.sums[p] / m;
    const sentence = Number.isFinite(loss) ? this.complaint(this.gradients, 1, "the gradient of") : this.tooLarge(lanes, loss);
    return (this.passed = { loss, sentence });
  }

  /** Says which parameter has a number that is not finite. */
  complaint(numbers, width, what) {
    if (allFinite(numbers)) return null;
    const k = numbers.findIndex((x) => !Number.isFinite(x));
    const name = this.situation.parameters[Math.floor(k / width)];
    return `Nothing was moved: ${what} ${name} would be ${spoken(numbers[k])}. ${this.remedy}`;
  }

  tooLarge(lanes, loss) {
    const e = this.batch.findIndex((_, k) => !Number.isFinite(lanes.value(lanes.at(k)[0].loss, lanes.at(k)[1])));
    const which = e < 0 ? "" : ` of example ${this.batch[e] + 1}`;
    return `Nothing was moved: the loss${which} is ${spoken(loss)}. ${this.remedy}`;
  }

  get remedy() {
    return `Go back and lower η, which is ${spoken(this.rate)}, or move points and weights nearer to 0.`;
  }

  /** The parameters and the optimiser's memory after the next update, row by row. */
  updated() {
    const { moved, width, count } = this;
    this.update(this.shared, this.gradients, this.memory, moved, this.rate, this.steps + 1, count);
    for (const p of this.frozen) {
      moved[p * (1 + width)] = this.shared[p];
      for (let k = 0; k < width; k++) moved[p * (1 + width) + 1 + k] = this.memory[p * width + k];
    }
    return moved;
  }

  /** One update, or none and a sentence. */
  step() {
    const { loss, sentence } = this.passes();
    if (sentence) return { loss, sentence };
    const [moved, { width, count }] = [this.updated(), this];
    const refused = this.complaint(moved, 1 + width, "after the update,");
    if (refused) return { loss, sentence: refused };
    for (let p = 0; p < count; p++) {
      this.shared[p] = moved[p * (1 + width)];
      for (let k = 0; k < width; k++) this.memory[p * width + k] = moved[p * (1 + width) + 1 + k];
    }
    const { generators, sequence, batch } = this.next;
    const lanes = this.lanes(this.plan(batch.length), "batch", batch.length);
    for (const [place, slot] of lanes.plan.averages) this.shared[place] = lanes.value(slot, 0);
    Object.assign(this, { generators, sequence, steps: this.steps + 1, place: this.place + 1 });
    if (this.place >= this.batches) this.endEpoch();
    this.forget();
    return { loss, sentence: null };
  }

  endEpoch() {
    if (this.place) this.epoch++;
    Object.assign(this, { place: 0, sequence: null });
  }

  // ---- what is measured ------------------------------------------------------------------------------------------

  /** Runs these examples in evaluation mode; `look(lanes, e, index)` reads each. */
  evaluated(indices, look, backward = false) {
    for (let first = 0; first < indices.length; first += CHUNK) {
      const some = indices.slice(first, first + CHUNK);
      const lanes = this.lanes(this.situation.evaluation, "evaluation", some.length);
      this.feed(lanes, some);
      lanes.forward(this.shared, some.length);
      if (backward) lanes.backward(this.shared, new Float64Array(this.shared.length), some.length, 1);
      some.forEach((index, e) => look(lanes, e, index));
    }
  }

  /** The class of outputs, as nn.evaluation.Task.decide. */
  decide(units) {
    const { cuts } = this.situation.task;
    return units.length > 1 ? units.indexOf(Math.max(...units)) : cuts.filter((cut) => cut < units[0]).length;
  }

  /** All points in evaluation mode: mean loss, accuracy or RMSE, and ‖δˡ‖ over the sample. */
  evaluate() {
    const [{ kind, units: scale }, n] = [this.situation.task, this.points.length];
    const norms = this.situation.layers.map(() => 0);
    if (!n) return { loss: null, accuracy: null, rmse: null, norms: norms.map(() => null) };
    let [loss, right] = [0, 0];
    const errors = [];
    this.evaluated(range(n), (lanes, e, index) => {
      const [trace] = lanes.plan.traces;
      const outputs = trace.output.map((slot) => lanes.value(slot, e));
      loss += lanes.value(trace.loss, e) / n;
      if (kind === "classification") right += this.decide(outputs) === this.points[index].y;
      else this.fed(this.points[index].y).forEach((y, k) => { errors[k] = (errors[k] ?? 0) + (y - outputs[k]) ** 2; });
    });
    this.evaluated(this.sample, (lanes, e) => {
      lanes.plan.traces[0].z.forEach((z, l) => z.forEach((slot) => { norms[l] += lanes.gradient(slot, e) ** 2; }));
    }, true);
    const rmse = errors.reduce((sum, error) => sum + Math.abs(scale[1]) * Math.sqrt(error / n), 0) / errors.length;
    return {
      loss,
      accuracy: kind === "classification" ? right / n : null,
      rmse: kind === "regression" ? rmse : null,
      norms: norms.map((sum) => (this.sample.length ? Math.sqrt(sum / this.sample.length) : null)),
    };
  }

  /** Outputs and units over the plane, row by row from below, in arrays that the next call fills again. */
  surface(columns, rows) {
    const { low, high, features, components } = this.situation;
    if (components) return null;
    const n = columns * rows;
    const { traces: [{ x, a, output }], forOutputs } = this.situation.plans[this.situation.evaluation];
    if (this.plane?.n !== n) {
      const field = () => new Float64Array(n);
      this.plane = { n, outputs: output.map(field), units: a.slice(1).map((layer) => layer.map(field)) };
    }
    const along = (k, i, count) => low[k] + ((high[k] - low[k]) * i) / Math.max(count - 1, 1);
    for (let first = 0; first < n; first += CHUNK) {
      const count = Math.min(CHUNK, n - first);
      const lanes = this.lanes(this.situation.evaluation, "evaluation", CHUNK);
      for (let e = 0; e < count; e++) {
        lanes.set(x[0], e, along(0, (first + e) % columns, columns));
        if (features.length > 1) lanes.set(x[1], e, along(1, Math.floor((first + e) / columns), rows));
      }
      lanes.forward(this.shared, count, forOutputs);
      const read = (field, slot) => {
        const start = slot * lanes.stride;
        field.set(lanes.values.subarray(start, start + count), first);
      };
      this.plane.outputs.forEach((field, k) => read(field, output[k]));
      this.plane.units.forEach((layer, l) => layer.forEach((field, j) => read(field, a[l + 1][j])));
    }
    return this.plane;
  }

  /** The lanes that hold example i after both passes: those of the next update, or of evaluation mode. */
  find(i) {
    const e = this.batch.indexOf(i);
    if (e >= 0) {
      this.passes();
      const lanes = this.lanes(this.plan(this.batch.length), "batch", this.batch.length);
      return { lanes, trace: lanes.at(e)[0], lane: lanes.at(e)[1], inBatch: true };
    }
    let found;
    this.evaluated([i], (lanes) => { found = lanes; }, true);
    return { lanes: found, trace: found.plan.traces[0], lane: 0, inBatch: false };
  }

  /** The forward and the backward pass of example i. */
  example(i) {
    const { lanes, trace, lane, inBatch } = this.find(i);
    const values = (layers) => layers.map((layer) => layer.map((slot) => lanes.value(slot, lane)));
    const gradients = (layers) => layers.map((layer) => layer.map((slot) => lanes.gradient(slot, lane)));
    const a = trace.a.slice(1);
    return {
      ...this.points[i], inBatch, loss: lanes.value(trace.loss, lane),
      z: values(trace.z), a: values(a), delta: gradients(trace.z), deltaA: gradients(a),
    };
  }

  /** What the next update promises by Σ ∂L/∂w Δw, and how the loss of its mini-batch changes; nothing moves. */
  promise() {
    const { loss, sentence } = this.passes();
    const moves = new Float64Array(this.count);
    if (sentence) return { promised: null, was: null, moves, sentence };
    const [moved, shared] = [this.updated(), this.shared.slice()];
    let promised = 0;
    moves.forEach((_, p) => {
      shared[p] = moved[p * (1 + this.width)];
      moves[p] = shared[p] - this.shared[p];
      promised += this.gradients[p] * moves[p];
    });
    return { promised, was: this.run("trial", shared).loss - loss, moves, sentence };
  }

  /** The loss of the next update's mini-batch if one parameter were this number. */
  whatIf(p, number) {
    const shared = this.shared.slice();
    shared[p] = number;
    return this.batch.length ? this.run("trial", shared).loss : null;
  }

  /** Where a parameter stands: its layer l, its unit j, and what it is multiplied with, k, or null for a bias. */
  home(p) {
    this.homes ??= new Map(this.situation.layers.flatMap(({ W, b }, l) => [
      ...W.flatMap((row, j) => row.map((w, k) => [w, { l: l + 1, j, k }])),
      ...b.map((w, j) => [w, { l: l + 1, j, k: null }]),
    ]));
    return this.homes.get(p) ?? null;
  }

  /** The terms δ a whose mean over the mini-batch is the gradient of a weight; of a bias, a = 1. */
  terms(p) {
    const home = this.home(p);
    if (!home || this.passes().loss === null) return null;
    return this.batch.map((i) => {
      const { lanes, trace, lane } = this.find(i);
      const delta = lanes.gradient(trace.z[home.l - 1][home.j], lane);
      const a = home.k === null ? 1 : lanes.value(trace.a[home.l - 1][home.k], lane);
      return { i, delta, a, product: delta * a };
    });
  }

  /** The scalar nodes from aˡ⁻¹ to aˡ_j of example i, in the order of the forward pass. */
  nodes(l, j, i) {
    const { lanes, trace, lane } = this.find(i);
    const names = new Map(lanes.plan.names);
    const leaves = new Set([...trace.a[l - 1], ...lanes.plan.names.flatMap(([slot, name]) => (/^[μσ]/.test(name) ? [slot] : []))]);
    const nodes = [];
    const places = new Map();
    const number = (x) => ({ name: spoken(x), value: x, node: -1 });
    const shared = (place) => {
      const { parameters, statistics } = this.situation;
      const name = [...parameters, ...statistics][place];
      return name ? { name, value: this.shared[place], node: -1 } : number(this.shared[place]);
    };
    const visit = (slot) => {
      const made = lanes.makes.get(slot);
      const found = { name: names.get(slot) ?? "", value: lanes.value(slot, lane) };
      if (leaves.has(slot) || made === undefined) return { ...found, node: -1 };
      if (places.has(slot)) return { ...found, node: places.get(slot) };
      const [, , locals, , symbol, codes, factors] = lanes.kernels[made];
      let p = lanes.begins[made];
      const read = codes.map((code) => {
        if (typeof code !== "string") return number(code);
        p += 1;
        return code === "L" || code === "l" ? visit(lanes.plan.index[p]) : shared(lanes.plan.index[p]);
      });
      const variable = read.filter((_, k) => typeof codes[k] === "string");
      const derivatives = locals(...variable.map(({ value }) => value))[1];
      let operands = variable.map((operand, k) => ({ ...operand, local: derivatives[k] }));
      operands = read.map((operand) => operands[variable.indexOf(operand)] ?? operand);
      const gradient = lanes.gradient(slot, lane);
      const put = (node) => nodes.push(node) - 1;
      if (factors === "pairs") {
        const half = Math.floor(operands.length / 2);
        const pair = (k) => ({ name: "", value: operands[k].value * operands[half + k].value });
        const products = range(half).map((k) => {
          const node = put({ ...pair(k), symbol: "×", gradient, operands: [operands[k], operands[half + k]] });
          return { ...pair(k), local: 1, node };
        });
        operands = [...products, ...operands.slice(2 * half)];
      }
      places.set(slot, put({ ...found, symbol: factors === "pairs" ? "+" : symbol, gradient, operands }));
      return { ...found, node: places.get(slot) };
    };
    visit(trace.a[l][j]);
    return nodes;
  }

  // ---- what is changed -------------------------------------------------------------------------------------------

  /** Makes an edit, or changes nothing and returns a sentence. */
  edit(edit) {
    const before = this.snapshot();
    let sentence = this.change(this.resolved(edit));
    this.forget();
    if (!sentence && this.points.length) ({ sentence } = this.passes());
    if (!sentence && !Number.isFinite(this.evaluate().loss ?? 0)) sentence = `The loss would not be finite. ${this.remedy}`;
    if (sentence) this.restore(before);
    return sentence ?? null;
  }

  /** The edit as one that needs no numbers of this moment: to flip is to set y, to saturate a unit is to set its b. */
  resolved(edit) {
    const { kind, i, l, j } = edit;
    const classes = this.situation.targets?.length;
    if (kind === "flip" && classes && this.points[i]) return { kind: "move", i, y: (this.points[i].y + 1) % classes };
    if (kind !== "saturate") return edit;
    const { g, b, gamma, flat } = this.situation.layers[l - 1];
    if (!["off", "saturated"].includes(flat)) return { kind: `${g || "a = z"} has no flat part to push the unit to.` };
    if (!b.length || gamma.length) return { kind: "No b moves this unit's z to where its slope is 0." };
    const z = [];
    this.evaluated(range(this.points.length), (lanes, e) => z.push(lanes.value(lanes.plan.traces[0].z[l - 1][j], e)));
    const shift = flat === "off" ? -1 - Math.max(-1, ...z) : 6 - Math.min(6, ...z);
    return { kind: "weight", p: b[j], number: this.shared[b[j]] + shift };
  }

  change({ kind, i, x, y, p, number, on, l, j }) {
    const { situation, points } = this;
    const classes = situation.targets?.length;
    const keeps = situation.fixed && "Batch normalisation mixes the points, so here their number and the mini-batches stay.";
    const isTarget = (t) => (classes ? Number.isInteger(t) && t >= 0 && t < classes
      : usable([t].flat()) && [t].flat().length === [points[0]?.y ?? t].flat().length);
    const put = (place, point) => { this.points = points.map((old, k) => (k === place ? point : old)); };
    if (x && !(usable(x) && x.length === (situation.low.length > 1 ? situation.features.length : 1))) {
      return "A point needs numbers from −1e100 to 1e100.";
    }
    if (y !== undefined && !isTarget(y)) return classes ? `There are ${classes} classes.` : "A target needs numbers from −1e100 to 1e100.";
    if (i !== undefined && !points[i]) return "There is no such point.";
    if (p !== undefined && ![p].flat().every((one) => one in situation.parameters)) return "There is no such weight.";
    if (kind === "move") put(i, { x: x ?? points[i].x, y: y ?? points[i].y });
    else if (kind === "flip") return "Only a class can be flipped: drag the point instead.";
    else if (kind === "add" || kind === "remove") {
      if (keeps) return keeps;
      const { sample } = this;
      if (kind === "add") {
        this.points = [...points, { x, y }];
        this.sample = sample.length < 50 ? [...sample, points.length] : sample;
      } else {
        this.points = points.toSpliced(i, 1);
        this.sample = sample.filter((k) => k !== i).map((k) => k - (k > i));
      }
      this.endEpoch();
    } else if (kind === "weight") {
      if (!usable([number])) return `A weight of ${spoken(number)}: it needs a number from −1e100 to 1e100.`;
      this.shared[p] = number;
    } else if (kind === "rate") {
      if (!(Number.isFinite(number) && number >= 0)) return `η = ${spoken(number)}: it needs to be finite and at least 0.`;
      this.rate = number;
    } else if (kind === "batch") {
      if (keeps) return keeps;
      if (!(Number.isInteger(number) && number >= 1)) return `Mini-batches of ${spoken(number)}: it needs a whole number of at least 1.`;
      this.batchSize = number;
      this.endEpoch();
    } else if (kind === "freeze") {
      if ([p].flat().some((one) => one >= situation.moves)) return "The optimiser of this situation does not move this weight.";
      this.frozen = new Set(this.frozen);
      for (const one of [p].flat()) this.frozen[on ? "add" : "delete"](one);
    } else if (kind === "kill") {
      if (!(j in (situation.layers[l - 1]?.W ?? []))) return "There is no such unit.";
      this.killed = new Set(this.killed);
      this.killed[on ? "add" : "delete"](`${l},${j}`);
    } else return kind;
    return null;
  }

  snapshot() {
    const { points, rate, batchSize, steps, epoch, place, sequence, sample, frozen, killed, generators } = this;
    const numbers = [this.shared.slice(), this.memory.slice()];
    return { numbers, rest: { points, rate, batchSize, steps, epoch, place, sequence, sample, frozen, killed, generators } };
  }

  restore({ numbers: [shared, memory], rest }) {
    this.shared.set(shared);
    this.memory.set(memory);
    Object.assign(this, rest);
    this.forget();
  }

  /** A situation that starts from now. */
  saved() {
    const { situation, points, rate, steps, epoch, place, sequence, sample } = this;
    return {
      ...situation, points, sample, epoch, place, sequence, batch_size: this.batchSize,
      shared: [...this.shared], frozen: [...this.frozen], killed: [...this.killed],
      optimizer: { ...situation.optimizer, rate, steps, state: [...this.memory] },
      generators: this.generators.map((rng) => rng.state),
    };
  }
}

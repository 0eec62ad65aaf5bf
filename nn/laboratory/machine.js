// The machine runs a situation's plans, takes steps and makes edits. KERNELS contains the rules.

const CHUNK = 256; // examples that are evaluated together
const MOST = 1e100; // largest number that can be set by hand: products of such numbers stay finite
const spoken = (x) => String(x).replace("-", "−").replace("Infinity", "∞");
const range = (n) => {
  const numbers = new Array(n);
  for (let i = 0; i < n; i++) numbers[i] = i;
  return numbers;
};

/** The numbers of a plan: the value and gradient of each slot in each lane. */
class Lanes {
  constructor(plan, rules) {
    const kernels = plan.kernels.map((k) => rules[k]);
    const [begins, inLanes] = [[], []]; // where each instruction begins in the index, and which entries are slots
    for (const [, , , , , codes] of kernels) {
      begins.push(inLanes.length);
      inLanes.push(true, ...codes.filter((code) => typeof code === "string").map((code) => /l/i.test(code)));
    }
    const makes = new Map(begins.map((p, i) => [plan.index[p], i])); // the instruction that computes a slot
    Object.assign(this, { plan, kernels, begins, inLanes, makes, stride: 0, muted: new Set() });
  }

  /** Allocates n examples; the instructions that compute a of the killed units "l,j" give 0. */
  prepare(n, killed) {
    const { slots, index, lanes, traces } = this.plan;
    const needed = lanes ? n : 1;
    if (needed > this.stride) {
      this.stride = needed > 1 ? 8 * Math.ceil(needed / 8) + 8 : 1;
      this.values = new Float64Array(slots * this.stride);
      this.gradients = new Float64Array(slots * this.stride);
      this.index = Int32Array.from(index, (s, k) => (this.inLanes[k] ? s * this.stride : s));
    }
    if (!killed.size && !this.muted.size) return this;
    const units = [...killed].map((unit) => unit.split(",").map(Number));
    this.muted = new Set(units.flatMap(([l, j]) => traces.map(({ a }) => this.makes.get(a[l][j]))));
    return this;
  }

  forward(shared, m, count = this.kernels.length) {
    const { kernels, begins, values, gradients, index, muted } = this;
    const n = this.plan.lanes ? m : 1;
    for (let i = 0; i < count; i++) {
      kernels[i][0](values, gradients, shared, shared, index, begins[i], n);
      if (muted.size && muted.has(i)) values.fill(0, index[begins[i]], index[begins[i]] + n);
    }
  }

  /** Runs backward from the sum of the m losses; adds the gradients of shared numbers to `sums`. */
  backward(shared, m, sums = new Float64Array(shared.length)) {
    const { kernels, begins, values, gradients, index, muted, plan, stride } = this;
    const n = plan.lanes ? m : 1;
    gradients.fill(0);
    gradients.fill(plan.lanes ? 1 : m, plan.root * stride, plan.root * stride + n);
    for (let i = kernels.length - 1; i >= 0; i--) {
      if (muted.size && muted.has(i)) gradients.fill(0, index[begins[i]], index[begins[i]] + n);
      kernels[i][1](values, gradients, shared, sums, index, begins[i], n);
    }
  }

  value(slot, lane) { return this.values[slot * this.stride + lane]; }
  gradient(slot, lane) { return this.gradients[slot * this.stride + lane]; }
  set(slot, lane, x) { this.values[slot * this.stride + lane] = x; }
  /** Returns the slots of example e of a mini-batch, and its lane. */
  at(e) { return this.plan.lanes ? [this.plan.traces[0], e] : [this.plan.traces[e], 0]; }
}

class Machine {
  constructor(situation, kernels) {
    const { optimizer, parameters, points, batch_size: batchSize, sample } = situation;
    // `place` is the index of the next mini-batch in the epoch; `sequence` is the epoch's order once it has begun
    const { epoch = 0, place = 0, sequence = null, killed = [] } = situation;
    const { rate, steps, width } = optimizer;
    const count = parameters.length;
    Object.assign(this, { situation, points, batchSize, sample, epoch, place, sequence, rate, steps, width, count });
    this.rules = situation.kernels.map((name) => kernels[name]);
    this.update = kernels[optimizer.kernel];
    this.shared = Float64Array.from(situation.shared);
    this.memory = Float64Array.from(optimizer.state);
    this.gradients = new Float64Array(count);
    this.moved = new Float64Array(count * (1 + width)); // each parameter and its state after the next update
    this.sums = new Float64Array(this.shared.length);
    this.frozen = new Set(situation.frozen);
    this.killed = new Set(killed);
    this.generators = situation.generators.map((state) => new Random(state));
    this.known = new Map(); // Lanes by plan and use
    this.forget();
  }

  /** Clears the cached passes, so that they are computed again. */
  forget() { Object.assign(this, { next: null, passed: null }); }
  get batch() { return this.upcoming().batch; }
  /** Returns the plan for a mini-batch of m examples. */
  plan(m) { return this.situation.training[this.situation.fixed ? m : 0]; }
  /** Returns the numbers that are fed for a target. */
  fed(y) { return this.situation.targets ? this.situation.targets[y] : [y].flat(); }

  /** The number of mini-batches in an epoch, as in nn.data.count_batches. */
  get batches() {
    const [n, size] = [this.points.length, this.batchSize];
    return Math.max(Math.floor(n / size) + (n % size >= this.situation.least && n % size > 0), Math.min(n, 1));
  }

  lanes(plan, use, n) {
    const key = `${plan} ${use}`;
    if (!this.known.has(key)) this.known.set(key, new Lanes(this.situation.plans[plan], this.rules));
    return this.known.get(key).prepare(n, this.killed);
  }

  /** Draws the next mini-batch and its masks in advance; returns them with the generators afterwards. */
  upcoming() {
    if (this.next) return this.next;
    const { points, place, batches, batchSize: size, situation: { dropouts, fixed, order, plans } } = this;
    const draws = !this.sequence || dropouts.length;
    const generators = draws ? this.generators.map((rng) => rng.copy()) : this.generators;
    const sequence = this.sequence ?? generators[order].shuffle(range(points.length));
    let batch = sequence.slice(place * size, place === batches - 1 ? points.length : (place + 1) * size);
    // without masks the order in a mini-batch has no effect, and inputs that stay in place are faster
    if (batches === 1 && !fixed && !dropouts.length) batch = range(batch.length);
    const { masks: slots, lanes } = plans[this.plan(batch.length)] ?? { masks: [] };
    const masks = dropouts.map(({ p, generator }, d) => {
      const draw = () => (generators[generator].random() < p ? 0 : 1 / (1 - p));
      return Float64Array.from({ length: slots[d].length * (lanes ? batch.length : 1) }, draw);
    });
    return (this.next = { batch, masks, generators, sequence });
  }

  feed(lanes, indices) {
    indices.forEach((index, e) => {
      const [trace, lane] = lanes.at(e);
      const { x, y } = this.points[index];
      trace.x.forEach((slot, k) => lanes.set(slot, lane, x[k]));
      this.fed(y).forEach((t, k) => lanes.set(trace.y[k], lane, t));
    });
  }

  /** Runs the next mini-batch forward through its training plan; returns its lanes and the mean loss. */
  run(use, shared) {
    const { batch, masks } = this.upcoming();
    const lanes = this.lanes(this.plan(batch.length), use, batch.length);
    this.feed(lanes, batch);
    masks.forEach((drawn, d) => {
      const slots = lanes.plan.masks[d];
      drawn.forEach((mask, k) => lanes.set(slots[k % slots.length], Math.floor(k / slots.length), mask));
    });
    lanes.forward(shared, batch.length);
    const losses = batch.map((_, e) => lanes.at(e)).map(([{ loss }, lane]) => lanes.value(loss, lane));
    return { lanes, loss: losses.reduce((sum, loss) => sum + loss, 0) / batch.length };
  }

  /** Runs both passes of the next update; returns the mean loss of its mini-batch, and a sentence if it is refused. */
  passes() {
    if (this.passed) return this.passed;
    const m = this.batch.length;
    if (!m) return (this.passed = { loss: null, sentence: "There are no points to learn from: add some." });
    const { lanes, loss } = this.run("batch", this.shared);
    lanes.backward(this.shared, m, this.sums.fill(0));
    for (let p = 0; p < this.count; p++) this.gradients[p] = this.sums[p] / m;
    const refused = Number.isFinite(loss) ? null : `No update: the loss is ${spoken(loss)}. ${this.remedy}`;
    return (this.passed = { loss, sentence: refused ?? this.complaint(this.gradients, 1, "the gradient of") });
  }

  get remedy() {
    return `Go back and lower η, which is ${spoken(this.rate)}, or move points and weights nearer to 0.`;
  }

  /** Names the first parameter with a number that is not finite. */
  complaint(numbers, width, what) {
    let zero = 0;
    for (let k = 0; k < numbers.length; k++) zero += 0 * numbers[k];
    if (zero === 0) return null;
    const k = numbers.findIndex((x) => !Number.isFinite(x));
    const memory = k % width ? "the optimiser's state for " : "";
    const name = this.situation.parameters[Math.floor(k / width)];
    const remedy = memory ? "Go back, and move points and weights nearer to 0." : this.remedy;
    return `No update: ${what} ${memory}${name} would be ${spoken(numbers[k])}. ${remedy}`;
  }

  /** Returns the parameters and the optimiser's state after the next update, row by row. */
  updated() {
    const { moved, width, count, memory } = this;
    this.update(this.shared, this.gradients, memory, moved, this.rate, this.steps + 1, count);
    for (const p of this.frozen) {
      moved.set([this.shared[p], ...memory.subarray(p * width, (p + 1) * width)], p * (1 + width));
    }
    return moved;
  }

  /** Makes one update, or returns a sentence that explains why not. */
  step() {
    const { loss, sentence } = this.passes();
    if (sentence) return { loss, sentence };
    const [moved, { width, count, memory, shared }] = [this.updated(), this];
    const { generators, sequence, batch } = this.next;
    const lanes = this.lanes(this.plan(batch.length), "batch", batch.length);
    const averages = lanes.plan.averages.map(([place, slot]) => [place, lanes.value(slot, 0)]);
    let refused = this.complaint(moved, 1 + width, "after the update,");
    const isFinite = averages.every(([, x]) => Number.isFinite(x));
    if (!isFinite) refused = `No update: a mean is infinite. ${this.remedy}`;
    if (refused) return { loss, sentence: refused };
    for (let p = 0, k = 0; p < count; p++) {
      shared[p] = moved[k++];
      for (let s = 0; s < width; s++) memory[p * width + s] = moved[k++];
    }
    for (const [place, x] of averages) shared[place] = x;
    Object.assign(this, { generators, sequence, steps: this.steps + 1, place: this.place + 1 });
    if (this.place >= this.batches) this.endEpoch();
    this.forget();
    return { loss, sentence: null };
  }

  endEpoch() { Object.assign(this, { epoch: this.epoch + (this.place > 0), place: 0, sequence: null }); }

  // ---- measurements ----------------------------------------------------------------------------------------------

  /** Runs these examples in evaluation mode, optionally backward; calls `look(lanes, e, index)` for each. */
  evaluated(indices, look, backward = false) {
    for (let first = 0; first < indices.length; first += CHUNK) {
      const some = indices.slice(first, first + CHUNK);
      const lanes = this.lanes(this.situation.evaluation, "evaluation", some.length);
      this.feed(lanes, some);
      lanes.forward(this.shared, some.length);
      if (backward) lanes.backward(this.shared, some.length);
      some.forEach((index, e) => look(lanes, e, index));
    }
  }

  /** Returns the class of the outputs, as nn.evaluation.Task.decide does. */
  decide(units) {
    const { cuts } = this.situation.task;
    return units.length > 1 ? units.indexOf(Math.max(...units)) : cuts.filter((cut) => cut < units[0]).length;
  }

  /** Evaluates all points: the mean loss, accuracy and misclassified points, or RMSE; ‖δˡ‖ over the sample. */
  evaluate() {
    const [{ kind, units: scale }, n] = [this.situation.task, this.points.length];
    const norms = this.situation.layers.map(() => null);
    const found = { loss: null, accuracy: null, rmse: null, wrong: null, norms };
    if (!n) return found;
    const [wrong, errors, squares] = [[], [], norms.map(() => 0)];
    this.evaluated(range(n), (lanes, e, index) => {
      const [trace] = lanes.plan.traces;
      const outputs = trace.output.map((slot) => lanes.value(slot, e));
      found.loss += lanes.value(trace.loss, e) / n;
      if (kind === "classification") wrong.push(this.decide(outputs) !== this.points[index].y);
      else this.fed(this.points[index].y).forEach((y, k) => (errors[k] = (errors[k] ?? 0) + (y - outputs[k]) ** 2));
    });
    this.evaluated(this.sample, (lanes, e) => lanes.plan.traces[0].z.forEach((z, l) => {
      for (const slot of z) squares[l] += lanes.gradient(slot, e) ** 2 / this.sample.length;
    }), true);
    squares.forEach((sum, l) => { norms[l] = this.sample.length ? Math.sqrt(sum) : null; });
    if (kind === "classification") return { ...found, wrong, accuracy: wrong.filter((is) => !is).length / n };
    const roots = errors.map((error) => Math.abs(scale[1]) * Math.sqrt(error / n));
    return { ...found, rmse: kind ? roots.reduce((sum, root) => sum + root) / roots.length : null };
  }

  /** Computes outputs and units over the plane, row by row from below, in arrays that the next call reuses. */
  surface(columns, rows) {
    const { low, high, components, evaluation, plans } = this.situation;
    if (components) return null;
    const n = columns * rows;
    const { traces: [{ x, a, output }], forOutputs } = plans[evaluation];
    if (this.plane?.n !== n) {
      const field = () => new Float64Array(n);
      this.plane = { n, outputs: output.map(field), units: a.slice(1).map((layer) => layer.map(field)) };
    }
    const slots = [...output, ...a.slice(1).flat()];
    const fields = [...this.plane.outputs, ...this.plane.units.flat()];
    const along = (k, i, count) => low[k] + ((high[k] - low[k]) * i) / Math.max(count - 1, 1);
    for (let first = 0; first < n; first += CHUNK) {
      const count = Math.min(CHUNK, n - first);
      const lanes = this.lanes(evaluation, "evaluation", CHUNK);
      for (let e = 0; e < count; e++) {
        lanes.set(x[0], e, along(0, (first + e) % columns, columns));
        if (x.length > 1) lanes.set(x[1], e, along(1, Math.floor((first + e) / columns), rows));
      }
      lanes.forward(this.shared, count, forOutputs);
      const from = slots.map((slot) => slot * lanes.stride);
      fields.forEach((field, k) => field.set(lanes.values.subarray(from[k], from[k] + count), first));
    }
    return this.plane;
  }

  /** The outputs at any place, in evaluation mode. */
  outputsAt(x) {
    const { traces: [trace], forOutputs } = this.situation.plans[this.situation.evaluation];
    const lanes = this.lanes(this.situation.evaluation, "evaluation", 1);
    trace.x.forEach((slot, k) => lanes.set(slot, 0, x[k]));
    lanes.forward(this.shared, 1, forOutputs);
    return trace.output.map((slot) => lanes.value(slot, 0));
  }

  /** Returns the lanes of example i after both passes: those of the next update, or of evaluation mode. */
  find(i) {
    const e = this.batch.indexOf(i);
    if (e >= 0) {
      this.passes();
      const lanes = this.lanes(this.plan(this.batch.length), "batch", this.batch.length);
      return { lanes, trace: lanes.at(e)[0], lane: lanes.at(e)[1], inBatch: true };
    }
    let found;
    this.evaluated([i], (lanes) => { found = { lanes, trace: lanes.plan.traces[0], lane: 0, inBatch: false }; }, true);
    return found;
  }

  /** Returns dropout's masks of example i in the next mini-batch by layer, or {} if it is not in the batch. */
  masksOf(i) {
    const { masks, batch } = this.upcoming();
    const e = batch.indexOf(i);
    const layers = this.situation.layers.flatMap(({ p }, l) => (p ? [l] : []));
    if (e < 0 || layers.length !== masks.length) return {};
    return Object.fromEntries(masks.map((drawn, d) => {
      const units = drawn.length / batch.length;
      return [layers[d] + 1, drawn.subarray(e * units, (e + 1) * units)];
    }));
  }

  /** Returns the numbers of both passes of example i. */
  example(i) {
    if (!this.points[i]) return null;
    const { lanes, trace, lane, inBatch } = this.find(i);
    const values = (layers) => layers.map((layer) => layer.map((slot) => lanes.value(slot, lane)));
    const gradients = (layers) => layers.map((layer) => layer.map((slot) => lanes.gradient(slot, lane)));
    const [z, a] = [trace.z, trace.a.slice(1)];
    const found = { z: values(z), a: values(a), delta: gradients(z), deltaA: gradients(a) };
    return { ...this.points[i], ...found, inBatch, loss: lanes.value(trace.loss, lane) };
  }

  /** Returns the change of the mini-batch's loss that Σ ∂L/∂w Δw predicts and the actual one; makes no update. */
  preview() {
    const { loss, sentence } = this.passes();
    if (sentence) return { predicted: null, actual: null, moves: new Float64Array(this.count), sentence };
    const [moved, shared] = [this.updated(), this.shared.slice()];
    const moves = this.gradients.map((_, p) => moved[p * (1 + this.width)] - shared[p]);
    moves.forEach((_, p) => { shared[p] = moved[p * (1 + this.width)]; });
    const predicted = moves.reduce((sum, move, p) => sum + this.gradients[p] * move, 0);
    return { predicted, actual: this.run("trial", shared).loss - loss, moves, sentence };
  }

  /** Returns the loss of the next update's mini-batch if one parameter were this number. */
  whatIf(p, number) {
    return this.batch.length ? this.run("trial", this.shared.with(p, number)).loss : null;
  }

  /** Returns the terms δ a whose mean over the mini-batch is a weight's gradient (a = 1 for a bias), or null. */
  terms(p) {
    this.homes ??= this.situation.layers.flatMap(({ W, b }, l) => [
      ...W.flatMap((row, j) => row.map((w, k) => [w, l, j, k])), ...b.map((w, j) => [w, l, j, null]),
    ]);
    const homes = this.homes.filter(([w]) => w === p);
    if (homes.length !== 1 || this.passes().loss === null) return null; // γ, β, or a weight that is used twice
    const [[, l, j, k]] = homes;
    return this.batch.map((i) => {
      const { lanes, trace, lane } = this.find(i);
      const delta = lanes.gradient(trace.z[l][j], lane);
      const a = k === null ? 1 : lanes.value(trace.a[l][k], lane);
      return { i, delta, a, product: delta * a };
    });
  }

  /** Returns the scalar nodes from aˡ⁻¹ to aˡ_j of example i, in forward order; sums of products are expanded. */
  nodes(l, j, i) {
    if (!this.points[i]) return [];
    const { lanes, trace, lane } = this.find(i);
    const { names: named, index } = lanes.plan;
    const [names, nodes, places] = [new Map(named), [], new Map()];
    // μ and σ² of the mini-batch are not expanded
    const means = named.filter(([, name]) => /^[μσ]/.test(name)).map(([slot]) => slot);
    const leaves = new Set([...trace.a[l - 1], ...means]);
    const shared = [...this.situation.parameters, ...this.situation.statistics];
    const leaf = (value, name = spoken(value)) => ({ name, value, node: -1 });
    const put = (node, about) => ({ ...about, node: nodes.push({ ...about, ...node }) - 1 });
    const visit = (slot) => {
      const about = leaf(lanes.value(slot, lane), names.get(slot) ?? "");
      const made = lanes.makes.get(slot);
      if (leaves.has(slot) || made === undefined) return about;
      if (places.has(slot)) return { ...about, node: places.get(slot) };
      const [, , rule, , symbol, codes, factors] = lanes.kernels[made];
      let p = lanes.begins[made];
      const read = codes.map((code) => {
        if (typeof code === "number") return leaf(code);
        const place = index[++p];
        return /l/i.test(code) ? visit(place) : leaf(this.shared[place], shared[place]);
      });
      const free = read.filter((_, k) => typeof codes[k] === "string");
      const [, locals] = rule(...free.map(({ value }) => value));
      free.forEach((operand, k) => { operand.local = locals[k]; });
      // a node that depends on no weight has no gradient
      const gradient = codes.some((code) => code === "L" || code === "S") ? lanes.gradient(slot, lane) : null;
      const half = factors === "pairs" ? Math.floor(read.length / 2) : 0;
      const products = range(half).map((k) => {
        const [w, a] = [read[k], read[half + k]];
        return { ...put({ symbol: "×", gradient, operands: [w, a] }, leaf(w.value * a.value, "")), local: 1 };
      });
      const operands = [...products, ...read.slice(2 * half)];
      const done = put({ symbol: half ? "+" : symbol, gradient, operands }, about);
      places.set(slot, done.node);
      return done;
    };
    visit(trace.a[l][j]);
    return nodes;
  }

  // ---- edits -----------------------------------------------------------------------------------------------------

  /** Makes an edit, or changes nothing and returns a sentence. */
  edit(edit) {
    const before = this.snapshot();
    let sentence = this.change(this.resolved(edit)) ?? null;
    this.forget();
    if (!sentence && this.points.length) ({ sentence } = this.passes());
    const isFinite = sentence || Number.isFinite(this.evaluate().loss ?? 0);
    if (!isFinite) sentence = `The loss would be infinite. ${this.remedy}`;
    if (sentence) this.restore(before);
    return sentence;
  }

  /** Makes an edit independent of the current numbers: flipping becomes a new y, saturating a new b. */
  resolved(edit) {
    const { kind, i, l, j } = edit;
    const { targets, layers } = this.situation;
    const point = this.points[i];
    if (kind === "flip" && targets && point) return { kind: "move", i, y: (point.y + 1) % targets.length };
    if (kind !== "saturate") return edit;
    if (!layers[l - 1]?.W[j]) return { refusal: `Unit ${j} of layer ${l} does not exist.` };
    const { g, b, gamma, flat } = layers[l - 1];
    const isFlat = ["off", "saturated"].includes(flat);
    if (!isFlat) return { refusal: `${g || "a = z"} has no flat part, so the unit cannot saturate.` };
    if (!(j in b) || gamma.length) return { refusal: "No bias can move this unit's z to where its slope is 0." };
    const z = [];
    this.evaluated(range(this.points.length), (lanes, e) => z.push(lanes.value(lanes.plan.traces[0].z[l - 1][j], e)));
    const shift = flat === "off" ? -1 - Math.max(-1, ...z) : 6 - Math.min(6, ...z);
    return { kind: "weight", p: b[j], number: this.shared[b[j]] + shift };
  }

  change(edit) {
    const { situation, points, sample } = this;
    const { kind, i, x, y, number, on, l, j, p = [], refusal = "There is no such edit." } = edit;
    const { targets, parameters, moves, fixed, layers, features } = situation;
    const [bounded, least] = ["must be a number from −1e100 to 1e100.", "it must be a whole number of at least 1."];
    const counted = (list) => `there are ${list.length}, counted from 0.`;
    const value = spoken(number);
    const usable = (numbers) => numbers.every((one) => Number.isFinite(one) && Math.abs(one) <= MOST);
    const [units, like] = [[y].flat(), [points[0]?.y ?? y].flat()];
    const isTarget = targets ? Number.isInteger(y) && y in targets : usable(units) && units.length === like.length;
    const needsTarget = y !== undefined || kind === "add";
    const changed = (set, some) => new Set(on ? [...set, ...some] : [...set].filter((one) => !some.includes(one)));
    const weights = [p].flat();
    const sizes = ["add", "remove", "batch"].includes(kind);
    const width = (situation.components?.mean ?? features).length;
    const isPoint = Number.isInteger(i) && points[i];
    const isPlace = Array.isArray(x) && x.length === width && usable(x);
    const areWeights = weights.length && weights.every((one) => Number.isInteger(one) && one in parameters);
    const refusals = [
      [(x !== undefined || kind === "add") && !isPlace, `Point (${x}): each of ${width} coordinates ${bounded}`],
      [targets && needsTarget && !isTarget, `Class ${y}: there are ${targets?.length} classes, counted from 0.`],
      [needsTarget && !isTarget, `Target ${y}: it ${bounded}`],
      [["move", "remove", "flip"].includes(kind) && !isPoint, `Point ${i}: ${counted(points)}`],
      [(kind === "weight" || kind === "freeze") && !areWeights, `Weight ${p}: ${counted(parameters)}`],
      [kind === "weight" && weights.length > 1, "Set one weight at a time."],
      [fixed && sizes, "Batch normalisation mixes the points: their number and the mini-batches cannot change."],
      [kind === "weight" && !usable([number]), `A weight of ${value}: it ${bounded}`],
      [kind === "rate" && !(number >= 0 && Number.isFinite(number)), `η = ${value}: it must be at least 0.`],
      [kind === "batch" && !(Number.isInteger(number) && number > 0), `Mini-batches of ${value}: ${least}`],
      [kind === "freeze" && weights.some((one) => one >= moves), "This model's optimiser does not update this weight."],
      [kind === "kill" && !(Number.isInteger(j) && layers[l - 1]?.W[j]), `Unit ${j} of layer ${l} does not exist.`],
      [kind === "flip", "Only classes can be flipped: drag the point instead."],
    ];
    const refused = refusals.find(([is]) => is);
    if (refused) return refused[1];
    if (kind === "move") this.points = points.map((old, k) => (k === i ? { x: x ?? old.x, y: y ?? old.y } : old));
    else if (kind === "add") {
      this.points = [...points, { x, y }];
      if (sample.length < 50) this.sample = [...sample, points.length];
    } else if (kind === "remove") {
      this.points = points.filter((_, k) => k !== i);
      this.sample = sample.filter((k) => k !== i).map((k) => k - (k > i));
    } else if (kind === "weight") this.shared[p] = number;
    else if (kind === "rate") this.rate = number;
    else if (kind === "batch") this.batchSize = number;
    else if (kind === "freeze") this.frozen = changed(this.frozen, weights);
    else if (kind === "kill") this.killed = changed(this.killed, [`${l},${j}`]);
    else return refusal;
    if (sizes) this.endEpoch();
    return null;
  }

  snapshot() {
    const { points, rate, batchSize, steps, epoch, place, sequence, sample, frozen, killed, generators } = this;
    const rest = { points, rate, batchSize, steps, epoch, place, sequence, sample, frozen, killed, generators };
    return { numbers: [this.shared.slice(), this.memory.slice()], rest };
  }

  restore({ numbers: [shared, memory], rest }) {
    this.shared.set(shared);
    this.memory.set(memory);
    Object.assign(this, rest);
    this.forget();
  }

  /** Returns a situation that starts from the current state. */
  saved() {
    const { situation, points, rate, steps, epoch, place, sequence, sample, batchSize } = this;
    return {
      ...situation, points, sample, epoch, place, sequence, batch_size: batchSize,
      shared: [...this.shared], frozen: [...this.frozen], killed: [...this.killed],
      optimizer: { ...situation.optimizer, rate, steps, state: [...this.memory] },
      generators: this.generators.map(({ state }) => state),
    };
  }
}

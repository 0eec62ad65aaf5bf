// The machine: it runs a situation's plans, and takes steps and edits. What a rule computes stands in KERNELS.

const CHUNK = 256; // examples that are evaluated at once
const range = (n) => Array.from({ length: n }, (_, i) => i);
const allFinite = (numbers) => numbers.every(Number.isFinite);
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
    const batch = sequence.slice(place * size, place === batches - 1 ? points.length : (place + 1) * size);
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
}

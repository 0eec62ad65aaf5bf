// The state of the walk: the step, the inputs, and the predictions. It does not depend on a page.

const isWeight = ({ name }) => /^(?:[wWγ]|gamma)(?!\p{L})/u.test(name);
const isBias = ({ name }) => /^(?:[bβ]|beta)(?!\p{L})/u.test(name);

class Walk {
  constructor(graph) {
    const { nodes } = graph;
    const inputs = [...nodes.keys()].filter((i) => nodes[i].kind === "input");
    const isNetwork = inputs.some((i) => isWeight(nodes[i]));
    // an update moves the lecture's weights and biases if there are any, else all inputs
    this.parameters = inputs.filter((i) => !isNetwork || isWeight(nodes[i]) || isBias(nodes[i]));
    this.first = nodes.map((node) => Number(node.data));
    Object.assign(this, { graph, position: 0, rate: 0.1, round: 1, chosen: "edge", isPredicting: false });
    this.runOn(this.first);
  }

  get step() { return this.steps[this.position]; }
  /** The size of a step; a layer is predicted node by node. */
  get grain() { return this.isPredicting && this.chosen === "layer" ? "node" : this.chosen; }
  /** The step at which the backward pass begins. */
  get turn() { return this.steps.findIndex(({ phase }) => phase === "seed"); }
  /** Whether this step's number is hidden, and whether it may be revealed after a wrong answer. */
  get hides() { return this.isHidden(this.position); }
  get mayReveal() { return this.hides && this.tries > 0; }
  isHidden(i) { return this.isPredicting && this.steps[i].value !== undefined && !this.known.has(i); }

  /** What a formula shows: 1 its symbols, 2 also the numbers. A named mistake replaces the first hint. */
  get hints() { return !this.hides ? 2 : this.tries === 1 && this.isNamed ? 0 : Math.min(this.tries, 2); }

  /** Goes to a position, but not beyond the first number that is still to be predicted. */
  go(position) {
    const hidden = this.steps.findIndex((_, i) => this.isHidden(i));
    const to = Math.max(0, Math.min(position, hidden < 0 ? this.steps.length - 1 : hidden));
    if (to !== this.position) this.tries = 0;
    Object.assign(this, { position: to, moved: null, before: null });
  }

  /** Goes to the seed; all numbers before it count as known. */
  goBack() {
    for (let i = 0; i < this.turn; i++) this.known.add(i);
    this.go(this.turn);
  }

  /** Makes one step, or reveals a hidden number. Returns false if the number may not be revealed yet. */
  next() {
    if (!this.hides) this.go(this.position + 1);
    else if (this.mayReveal) this.learn("revealed");
    else return false;
    return true;
  }

  learn(how) {
    this.known.add(this.position);
    this.tally[how]++;
  }

  /** The step that computes a node's number, or in the backward pass the last one that adds to its gradient. */
  stepOf(node) {
    const isForward = this.position < this.turn;
    const finds = (part) => (part.phase === "forward") === isForward && aboutOf(part) === node;
    const found = this.steps.findLastIndex((step) => partsOf(step).some(finds));
    return found >= 0 ? found : isForward ? 0 : this.turn;
  }

  /** Turns predicting on or off, from here or, if no number is left, from the start; resets the tally. */
  predict(on) {
    Object.assign(this, { isPredicting: on, tally: { right: 0, helped: 0, revealed: 0 } });
    this.regroup();
    if (on && !this.steps.slice(this.position).some(({ value }) => value !== undefined)) this.position = 0;
    this.forget();
  }

  /** Changes the size of steps, but stays at the same number. */
  choose(grain) {
    this.chosen = grain;
    this.regroup();
  }

  regroup() {
    const last = this.steps && partsOf(this.step).at(-1);
    const isSame = (part) => ["phase", "node", "operand"].every((key) => part[key] === last?.[key]);
    this.steps = grouped(this.graph, this.run.steps, this.grain);
    this.position = Math.max(0, this.steps.findIndex((step) => partsOf(step).some(isSame)));
    this.forget();
  }

  /** Marks the steps before this one as known; the others are to be predicted. */
  forget() { Object.assign(this, { known: new Set([...this.steps.keys()].slice(0, this.position)), tries: 0 }); }

  /** Grades a prediction of this step's number: shows the number if it is correct, or counts a wrong answer. */
  answer(text) {
    const found = judged(text, question(this.graph, this.run, this.step));
    if (found.verdict === "right") this.learn(this.tries ? "helped" : "right");
    if (found.verdict === "wrong") this.tries++;
    this.isNamed = found.slips.length > 0;
    return found;
  }

  /** Runs both passes on these inputs. Throws Fault, and changes nothing, if a value is undefined. */
  runOn(inputs) {
    Object.assign(this, { run: walkthrough(this.graph, inputs), inputs, moved: null });
    this.regroup();
  }

  /** Changes an input; `moved` is the change since `settle`, with the promised and the actual change of the root. */
  change(input, number) {
    const { inputs, run } = this;
    const before = this.before?.input === input ? this.before
      : { input, from: inputs[input], slope: run.grads[input], root: run.data.at(-1) };
    this.runOn(inputs.with(input, number));
    const by = number - before.from;
    this.moved = { input, by, promised: by * before.slope, really: this.run.data.at(-1) - before.root };
    this.before = before;
  }

  settle() { this.before = null; }
  reset() {
    this.runOn(this.first);
    Object.assign(this, { round: 1, before: null });
  }

  /** One step of gradient descent: the new inputs, and the root before, as promised, and after it, or the fault. */
  update() {
    const { data, grads } = this.run;
    const inputs = this.inputs.map((x, i) => (this.parameters.includes(i) ? x - this.rate * grads[i] : x));
    const squares = this.parameters.reduce((sum, i) => sum + grads[i] ** 2, 0);
    const found = { inputs, data, before: data.at(-1), promised: data.at(-1) - this.rate * squares };
    try {
      const after = forward(this.graph, inputs).data;
      return { ...found, data: after, after: after.at(-1) };
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      return { ...found, fault: fault.message };
    }
  }

  /** The parameter that an update moves the most. */
  get leading() {
    const size = (i) => Math.abs(this.run.grads[i]);
    return this.parameters.reduce((i, j) => (size(j) > size(i) ? j : i), this.parameters[0]);
  }

  /** Runs both passes again, on the updated inputs. */
  again() {
    this.runOn(this.update().inputs);
    this.round++;
    this.go(0);
  }

  /** The number and gradient of each node in the picture, undefined if not known yet. */
  shown() {
    const { run: { data, grads }, parameters, steps, position, hides } = this;
    if (this.step.phase === "update") {
      return this.update().data.map((x, i) => ({ data: x, ...(parameters.includes(i) && { grad: grads[i] }) }));
    }
    const found = this.graph.nodes.map(({ kind }, i) => (kind === "operation" ? {} : { data: data[i] }));
    for (const { phase, node, parent = node, value, isLast } of steps.slice(0, position + !hides).flatMap(partsOf)) {
      if (phase === "forward") found[node].data = value;
      else if (value !== undefined) Object.assign(found[parent], { grad: value, isPartial: !isLast });
    }
    return found;
  }
}

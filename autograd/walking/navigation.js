// Where the walk is: the step, the inputs, what was predicted. It knows the passes and no page.

const GRAINS = ["edge", "node", "layer"];
const isWeight = ({ name }) => /^(?:[wWγ]|gamma)(?!\p{L})/u.test(name);
const isBias = ({ name }) => /^(?:[bβ]|beta)(?!\p{L})/u.test(name);

class Walk {
  constructor(graph) {
    this.graph = graph;
    const { nodes } = graph;
    this.first = nodes.map((node) => Number(node.data));
    const inputs = [...nodes.keys()].filter((i) => nodes[i].kind === "input");
    const isNetwork = inputs.some((i) => isWeight(nodes[i]));
    // what an update moves: the lecture's weights and biases, where there are some, else all inputs
    this.parameters = inputs.filter((i) => !isNetwork || isWeight(nodes[i]) || isBias(nodes[i]));
    this.position = 0;
    this.rate = 0.1;
    this.round = 1; // how often the inputs were updated, and 1
    this.chosen = "edge";
    this.isPredicting = false;
    this.runOn(this.first);
  }

  get step() { return this.steps[this.position]; }

  /** How much is one step; to predict a layer is to predict its nodes. */
  get grain() { return this.isPredicting && this.chosen === "layer" ? "node" : this.chosen; }

  /** The step at which the backward pass begins. */
  get turn() { return this.steps.findIndex(({ phase }) => phase === "seed"); }

  /** Whether this step's number is hidden, for the student to predict, and whether a wrong guess was made at it. */
  get hides() { return this.isPredicting && this.step.value !== undefined && !this.known.has(this.position); }
  get mayReveal() { return this.hides && this.tries > 0; }

  /** What a formula shows: 1 its symbols, 2 the numbers too. A slip that is named is hint enough, once. */
  get hints() { return !this.hides ? 2 : this.tries === 1 && this.isNamed ? 0 : Math.min(this.tries, 2); }

  /** To a place; who predicts gets no further than to the first number that was not predicted yet. */
  go(position) {
    const isHidden = (step, i) => this.isPredicting && step.value !== undefined && !this.known.has(i);
    const ahead = this.steps.findIndex(isHidden);
    const last = ahead < 0 ? this.steps.length - 1 : ahead;
    const to = Math.max(0, Math.min(position, last));
    if (to !== this.position) this.tries = 0;
    this.position = to;
    this.moved = this.before = null;
  }

  /** To the seed; what comes before it counts as given. */
  goBack() {
    for (let i = 0; i < this.turn; i++) this.known.add(i);
    this.go(this.turn);
  }

  /** One step on; a hidden number is revealed first, where it may be. False where it may not. */
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

  /** The step that a node's number comes from, or in the backward pass the last one that adds to its gradient. */
  stepOf(node) {
    const isForward = this.position < this.turn;
    const finds = (step) =>
      (step.phase === "forward") === isForward && partsOf(step).some((part) => aboutOf(part) === node);
    const found = this.steps.findLastIndex(finds);
    return found >= 0 ? found : isForward ? 0 : this.turn;
  }

  /** Begins to predict here, or from the start where nothing is left; counts from nothing. */
  predict(on) {
    this.isPredicting = on;
    this.tally = { right: 0, helped: 0, revealed: 0 };
    this.regroup();
    if (on && !this.steps.slice(this.position).some(({ value }) => value !== undefined)) this.position = 0;
    this.forget();
  }

  /** Takes steps of another size; stays at what the last one found. */
  choose(grain) {
    this.chosen = grain;
    this.regroup();
    this.forget();
  }

  regroup() {
    const last = this.steps && partsOf(this.step).at(-1);
    this.steps = grouped(this.graph, this.run.steps, this.grain);
    this.position = Math.max(0, this.steps.findIndex((step) => partsOf(step).some((part) => part.phase === last?.phase
      && part.node === last.node && part.operand === last.operand)));
  }

  /** What comes before this step is known, the rest is to be predicted. */
  forget() {
    this.known = new Set([...this.steps.keys()].slice(0, this.position));
    this.tries = 0;
  }

  /** Judges a prediction of this step's number; a right one shows it, a wrong one is counted. */
  answer(text) {
    const found = judged(text, question(this.graph, this.run, this.step));
    if (found.verdict === "right") this.learn(this.tries ? "helped" : "right");
    if (found.verdict === "wrong") this.tries++;
    this.isNamed = found.slips.length > 0;
    return found;
  }

  /** Runs both passes on these inputs. Throws Fault and changes nothing where there is no value. */
  runOn(inputs) {
    this.run = walkthrough(this.graph, inputs);
    this.inputs = inputs;
    this.regroup();
    this.forget();
  }

  /** Moves an input; `moved` is by how much since it was last settled, what its gradient promised, what came. */
  change(input, number) {
    const before = this.before?.input === input ? this.before
      : { input, from: this.inputs[input], slope: this.run.grads[input], root: this.run.data.at(-1) };
    this.runOn(this.inputs.with(input, number));
    const by = number - before.from;
    this.before = before;
    this.moved = { input, by, promised: by * before.slope, really: this.run.data.at(-1) - before.root };
  }

  settle() { this.before = null; }

  reset() {
    this.runOn(this.first);
    this.round = 1;
    this.moved = this.before = null;
  }

  /** One step of gradient descent: the inputs after it, the root before, as promised, and after it, or which fault. */
  update() {
    const { data, grads } = this.run;
    const inputs = this.inputs.slice();
    let squares = 0;
    for (const i of this.parameters) {
      inputs[i] -= this.rate * grads[i];
      squares += grads[i] ** 2;
    }
    const [before, promised] = [data.at(-1), data.at(-1) - this.rate * squares];
    try {
      const after = forward(this.graph, inputs).data;
      return { inputs, before, squares, promised, data: after, after: after.at(-1) };
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      return { inputs, before, squares, promised, data, fault: fault.message };
    }
  }

  /** The parameter that an update moves the most. */
  get leading() {
    const size = (i) => Math.abs(this.run.grads[i]);
    return this.parameters.reduce((i, j) => (size(j) > size(i) ? j : i));
  }

  /** Both passes once more, from the updated inputs. */
  again() {
    this.runOn(this.update().inputs);
    this.round++;
    this.go(0);
  }

  /** What the picture shows: each node's number and gradient, undefined where they are not known yet. */
  shown() {
    const { nodes } = this.graph;
    const { phase } = this.step;
    if (phase === "update") {
      const { data } = this.update();
      return nodes.map((_, i) => ({ data: data[i], ...(this.parameters.includes(i) && { grad: this.run.grads[i] }) }));
    }
    const found = nodes.map(({ kind }, i) => (kind === "operation" ? {} : { data: this.run.data[i] }));
    for (const step of this.steps.slice(0, this.hides ? this.position : this.position + 1).flatMap(partsOf)) {
      if (step.phase === "forward") found[step.node].data = step.value;
      else if (step.value !== undefined) {
        Object.assign(found[aboutOf(step)], { grad: step.value, isPartial: !step.isLast });
      }
    }
    return found;
  }
}

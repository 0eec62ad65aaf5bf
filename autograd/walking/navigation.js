// Where the walk is: the step, the inputs, what was predicted. It knows the passes and no page.

class Walk {
  constructor(graph) {
    this.graph = graph;
    this.first = graph.nodes.map((node) => Number(node.data));
    this.position = 0;
    this.isPredicting = false;
    this.known = new Set(); // the steps whose number was predicted or revealed
    this.runOn(this.first);
  }

  get steps() { return this.run.steps; }
  get step() { return this.steps[this.position]; }

  /** The step at which the backward pass begins. */
  get turn() { return this.steps.findIndex(({ phase }) => phase === "seed"); }

  /** Whether this step's number is hidden, for the student to predict. */
  get hides() { return this.isPredicting && this.step.value !== undefined && !this.known.has(this.position); }

  go(position) { this.position = Math.max(0, Math.min(position, this.steps.length - 1)); }

  /** One step on; a hidden number is revealed first. */
  next() {
    if (this.hides) this.known.add(this.position);
    else this.go(this.position + 1);
  }

  /** The step that a node's number comes from, or in the backward pass the last one that adds to its gradient. */
  stepOf(node) {
    const isForward = this.position < this.turn;
    const finds = (step) => aboutOf(step) === node && (step.phase === "forward") === isForward;
    const found = this.steps.findLastIndex(finds);
    return found >= 0 ? found : isForward ? 0 : this.turn;
  }

  predict(on) {
    this.isPredicting = on;
    this.known.clear();
  }

  /** Judges a prediction of this step's number; a right one shows it. */
  answer(text) {
    const found = judged(text, question(this.graph, this.run, this.step));
    if (found.verdict === "right") this.known.add(this.position);
    return found;
  }

  /** Runs both passes on these inputs. Throws Fault and changes nothing where there is no value. */
  runOn(inputs) {
    this.run = walkthrough(this.graph, inputs);
    this.inputs = inputs;
    this.known.clear();
  }

  change(input, number) { this.runOn(this.inputs.with(input, number)); }
  reset() { this.runOn(this.first); }
}

// Time: every step and every edit is one moment. Some moments are kept, and what lies between is run again.

const MOST_KEPT = 256;

const HELPERS = `
from nn.data import batches
from nn.losses import mean_loss

todo, frozen, named = [], set(), model.named_parameters()
model.train()


def steps(count):
    for _ in range(count):
        if not todo:
            todo.extend(batches(len(data.y), batch_size, rng, LEAST))
        X, y, *_ = data.take(todo.pop(0))
        L = mean_loss(loss, model.batch(X), y)
        optimizer.zero_grad()
        L.backward()
        before = [(p, p.data, state) for p, state in zip(optimizer.parameters, optimizer.states)]
        optimizer.step()
        for i, (p, w, state) in enumerate(before):
            if p in frozen:
                p.data, optimizer.states[i] = w, state

`;

const MASKS = `
class Mask(nn.Module):
    def __init__(self):
        self.dead = set()

    def forward(self, x):
        return [x_j * float(j not in self.dead) for j, x_j in enumerate(x)]


layers = getattr(model, "net", model).layers
ends = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear)][1:] + [len(layers)]
masks = [Mask() for _ in ends]
for mask, end in [*zip(masks, ends)][::-1]:
    layers.insert(end, mask)

`;

class Timeline {
  constructor(machine) {
    this.machine = machine;
    this.moment = 0;
    this.last = 0;
    this.edits = new Map(); // by the moment before them; every other moment is before a step
    this.kept = new Map([[0, machine.snapshot()]]);
    this.apart = 1; // how far kept moments are apart
    this.near = new Map(); // kept on the way to where one went back to
  }

  /** What came later is dropped; a new moment comes. */
  advance(edit) {
    if (this.moment < this.last) {
      for (const map of [this.edits, this.kept, this.near]) {
        for (const moment of [...map.keys()]) if (moment > this.moment || (map === this.edits && moment === this.moment)) map.delete(moment);
      }
    }
    if (edit) this.edits.set(this.moment, edit);
    this.last = this.moment += 1;
    if (this.moment % this.apart) return;
    this.kept.set(this.moment, this.machine.snapshot());
    if (this.kept.size <= MOST_KEPT) return;
    this.apart *= 2;
    for (const moment of [...this.kept.keys()]) if (moment % this.apart) this.kept.delete(moment);
  }

  /** Takes so many steps, or fewer and a sentence. */
  step(count = 1) {
    let loss = null;
    for (let done = 0; done < count; done++) {
      const taken = this.machine.step();
      loss = taken.loss;
      if (taken.sentence) return { done, loss, sentence: taken.sentence };
      this.advance(null);
    }
    return { done: count, loss, sentence: null };
  }

  /** Makes an edit, or changes nothing and returns a sentence. */
  edit(edit) {
    const resolved = this.machine.resolved(edit);
    const sentence = this.machine.edit(resolved);
    if (!sentence) this.advance(resolved);
    return sentence;
  }

  /** Goes to a moment, to the bit as it was. */
  go(moment) {
    const to = Math.max(0, Math.min(moment, this.last));
    const { machine, near, kept } = this;
    let from = this.moment <= to ? this.moment : -1;
    for (const map of [kept, near]) for (const m of map.keys()) if (m <= to && m > from) from = m;
    if (from !== this.moment) machine.restore(kept.get(from) ?? near.get(from));
    const apart = Math.max(1, Math.ceil((to - from) / 16));
    if (near.size > MOST_KEPT) near.clear();
    for (this.moment = from; this.moment < to; ) {
      if (this.edits.has(this.moment)) machine.edit(this.edits.get(this.moment));
      else machine.step();
      this.moment += 1;
      if ((to - this.moment) % apart === 0) near.set(this.moment, machine.snapshot());
    }
  }

  /** The lines of Python that make the same model, data, seed, edits and steps. */
  python() {
    const { situation } = this.machine;
    const moments = [...this.edits.keys()].filter((moment) => moment < this.moment).sort((a, b) => a - b);
    const edits = moments.map((moment) => this.edits.get(moment));
    const lines = [situation.python];
    if (!situation.python.includes("def steps(")) {
      lines.push(HELPERS.replace("LEAST", situation.least), `batch_size = ${situation.batch_size}`);
    }
    if (edits.some(({ kind }) => kind === "kill") && !situation.python.includes("class Mask(")) lines.push(MASKS);
    let at = 0;
    const steps = (moment) => {
      if (moment > at) lines.push(`steps(${moment - at})`);
      at = moment + 1;
    };
    for (const [k, moment] of moments.entries()) {
      steps(moment);
      lines.push(...this.written(edits[k]));
    }
    steps(this.moment);
    return lines.join("\n").replace(/\n{4,}/g, "\n\n\n");
  }

  written({ kind, i, x, y, p, number, on, l, j }) {
    const { parameters, labels } = this.machine.situation;
    const list = (numbers) => `[${numbers.join(", ")}]`;
    const target = () => (Array.isArray(y) ? list(y) : labels ? JSON.stringify(labels[y]) : String(y));
    const named = (one) => `named["${parameters[one]}"]`;
    switch (kind) {
      case "move": return [...(x ? [`data.X[${i}] = ${list(x)}`] : []), ...(y === undefined ? [] : [`data.y[${i}] = ${target()}`])];
      case "add": return [`data.X.append(${list(x)})`, `data.y.append(${target()})`, "todo.clear()"];
      case "remove": return [`del data.X[${i}], data.y[${i}]`, "todo.clear()"];
      case "weight": return [`${named(p)}.data = ${number}`];
      case "rate": return [`optimizer.learning_rate = ${number}`];
      case "batch": return [`batch_size = ${number}`, "todo.clear()"];
      case "freeze": return [`frozen ${on ? "|=" : "-="} {${[p].flat().map(named).join(", ")}}`];
      case "kill": return [`masks[${l - 1}].dead.${on ? "add" : "discard"}(${j})`];
    }
  }
}

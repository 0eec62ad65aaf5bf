// The timeline counts every step and every edit as one moment. It keeps some moments and recomputes the others.

const MOST_KEPT = 256;

class Timeline {
  constructor(machine) {
    // an edit's key is the moment before it; every other moment is before a step
    Object.assign(this, { machine, moment: 0, last: 0, edits: new Map() });
    this.kept = new Map([[0, machine.snapshot()]]);
    this.apart = 1; // distance between the kept moments
    this.near = new Map(); // snapshots near the moment that was last visited
  }

  /** Adds a moment; later ones are dropped. */
  advance(edit) {
    const { edits, kept, near, moment } = this;
    for (const map of moment < this.last ? [edits, kept, near] : []) {
      for (const at of [...map.keys()]) if (at > moment || (at === moment && map === edits)) map.delete(at);
    }
    if (edit) edits.set(moment, edit);
    this.last = this.moment = moment + 1;
    if (this.moment % this.apart) return;
    kept.set(this.moment, this.machine.snapshot());
    if (kept.size <= MOST_KEPT) return;
    this.apart *= 2;
    for (const at of [...kept.keys()]) if (at % this.apart) kept.delete(at);
  }

  /** Takes up to `count` steps; returns a sentence if one is refused. */
  step(count = 1) {
    let taken = { loss: null, sentence: null };
    const whole = Math.max(0, Math.floor(count) || 0);
    for (let done = 0; done < whole; done++) {
      taken = this.machine.step();
      if (taken.sentence) return { done, ...taken };
      this.advance(null);
    }
    return { done: whole, ...taken };
  }

  /** Makes an edit, or changes nothing and returns a sentence. */
  edit(edit) {
    const resolved = this.machine.resolved(edit);
    const sentence = this.machine.edit(resolved);
    if (!sentence) this.advance(resolved);
    return sentence;
  }

  /** Goes to a moment and restores its state bit for bit. */
  go(moment) {
    const { machine, near, kept, edits } = this;
    const to = Math.max(0, Math.min(Math.round(moment) || 0, this.last));
    const known = [...kept.keys(), ...near.keys()].filter((at) => at <= to);
    const from = Math.max(...known, this.moment <= to ? this.moment : 0);
    if (from !== this.moment) machine.restore(kept.get(from) ?? near.get(from));
    if (near.size > MOST_KEPT) near.clear();
    const apart = Math.ceil((to - from) / 16);
    for (this.moment = from; this.moment < to; ) {
      if (edits.has(this.moment)) machine.edit(edits.get(this.moment));
      else machine.step();
      this.moment += 1;
      if ((to - this.moment) % apart === 0) near.set(this.moment, machine.snapshot());
    }
  }

  /** Returns a situation that starts from the current state and contains its history as Python. */
  saved() { return { ...this.machine.saved(), python: this.python() }; }

  /** Writes Python with the same model, data, seed, edits and steps. */
  python() {
    const { machine, moment, edits } = this;
    const { python, batch_size: size, place = 0 } = machine.situation;
    const before = [...edits.keys()].filter((at) => at < moment).sort((a, b) => a - b);
    const epochs = machine.epoch - (machine.situation.epoch ?? 0);
    if (!moment || python.startsWith("# No Python lines")) return python;
    if (!before.length && !place && !machine.place && !python.includes("def steps(")) {
      const training = `Training(model, loss, optimizer, data, batch_size=${size}, epochs=${epochs}, rng=rng)`;
      return `${python}\n\nfrom nn import Training\n\nfor record in ${training}:\n    print(record.epoch, record.loss)`;
    }
    const lines = [python, ...this.helpers(before.map((at) => edits.get(at).kind)), ""];
    let at = 0;
    for (const next of [...before, moment]) {
      if (next > at) lines.push(`steps(${next - at})`);
      if (next < moment) lines.push(...this.written(edits.get(next)));
      at = next + 1;
    }
    return lines.join("\n");
  }

  /** Writes the definitions that these edits and the steps need, unless they already exist. */
  helpers(kinds) {
    const { python, least, batch_size: size } = this.machine.situation;
    const isKilled = kinds.includes("kill");
    const isFrozen = kinds.includes("freeze") || python.includes("frozen = ");
    const least_ = least > 1 ? `, ${least}` : "";
    const remember = "before = [(p, p.data, state) for p, state in zip(optimizer.parameters, optimizer.states)]";
    const steps = `

def steps(count):
    for _ in range(count):
        if not todo:
            todo.extend(batches(len(data.y), batch_size, rng${least_}))
        X, y, *_ = data.take(todo.pop(0))
        L = mean_loss(loss, model.batch(X), y)
        optimizer.zero_grad()
        L.backward()${isFrozen ? `
        ${remember}` : ""}
        optimizer.step()${isFrozen ? `
        for i, (p, w, state) in enumerate(before):
            if p in frozen:
                p.data, optimizer.states[i] = w, state` : ""}
`;
    const masks = `

class Mask(nn.Module):
    def __init__(self):
        self.dead = set()

    def forward(self, x):
        return [x_j * float(j not in self.dead) for j, x_j in enumerate(x)]


net = getattr(model, "net", model)
layers = net.flat()
ends = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear)][1:] + [len(layers)]
masks = [Mask() for _ in ends]
for mask, end in [*zip(masks, ends)][::-1]:
    layers.insert(end, mask)
net.layers = layers`;
    const parts = [
      "\nfrom nn.data import batches\nfrom nn.losses import mean_loss\n",
      ...(python.includes("todo = ") ? [] : [`batch_size, todo = ${size}, []`]), "model.train()",
      ...(kinds.some((kind) => kind === "weight" || kind === "freeze") ? ["named = model.named_parameters()"] : []),
      ...(isFrozen ? ["frozen = set()"] : []), ...(isKilled ? ["import nn", masks] : []), steps,
    ];
    return parts.filter((part) => !python.includes(part));
  }

  /** Writes an edit in Python. */
  written({ kind, i, x, y, p, number, on, l, j }) {
    const { parameters, labels } = this.machine.situation;
    const list = (numbers) => `[${numbers.join(", ")}]`;
    const target = Array.isArray(y) ? list(y) : labels ? JSON.stringify(labels[y]) : y;
    const named = (one) => `named["${parameters[one]}"]`;
    const point = [];
    if (x) point.push(`data.X[${i}] = ${list(x)}`);
    if (y !== undefined) point.push(`data.y[${i}] = ${target}`);
    return {
      move: point,
      add: [x && `data.X.append(${list(x)})`, `data.y.append(${target})`, "todo.clear()"],
      remove: [`del data.X[${i}], data.y[${i}]`, "todo.clear()"],
      weight: [`${named(p)}.data = ${number}`],
      rate: [`optimizer.learning_rate = ${number}`],
      batch: [`batch_size = ${number}`, "todo.clear()"],
      freeze: [`frozen ${on ? "|=" : "-="} {${[p].flat().map(named).join(", ")}}`],
      kill: [`masks[${l - 1}].dead.${on ? "add" : "discard"}(${j})`],
    }[kind];
  }
}

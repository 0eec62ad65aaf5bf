// Writes the line of mathematics: the formula of the selection in the lecture's notation, with current numbers.

const MOST_TERMS = 3; // of a sum that is written out

const digitsOf = (text) => text.replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹]/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(digit));
const symbol = (letter, above, below) => `<msubsup><mi>${letter}</mi><mn>${below}</mn><mn>${above}</mn></msubsup>`;

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** Writes a parameter's name, such as w²_13. */
function nameMath(name) {
  const parts = /^(\p{L})([⁰¹²³⁴⁵⁶⁷⁸⁹]*)_([\d,]+)$/u.exec(name);
  return parts ? symbol(parts[1], digitsOf(parts[2]), parts[3]) : `<mtext>${escaped(name)}</mtext>`;
}

const [blue, orange] = ["value", "grad"].map((kind) => (markup) => `<mrow class="${kind}">${markup}</mrow>`);
const four = (x) => (x === null ? "<mi>–</mi>" : numberMath(Number(x.toPrecision(4))));
const heldFour = (x) => (x < 0 ? `<mrow><mo>(</mo>${four(x)}<mo>)</mo></mrow>` : four(x));
const over = (above, below) => `<mfrac><mrow>${above}</mrow><mrow>${below}</mrow></mfrac>`;
const partial = (below) => over("<mi>∂</mi><mi>L</mi>", `<mi>∂</mi>${below}`);
const [EQUALS, DOT, ARROW] = ["=", "·", "→"].map((sign) => `<mo>${sign}</mo>`);
const SPACE = '</math> <math displaystyle="true">'; // a possible line break
const mathOf = (...parts) => `<math displaystyle="true">${parts.join("")}</math>`;
const rounded = (x, digits = 3) =>
  numberText(x, digits).replace(/e(−?)(\d+)/, (_, sign, power) => `·10${sign && "⁻"}${raised(power)}`);
const shown = (x) => rounded(x, 4);
const signed = (x) => (x < 0 ? "" : "+") + rounded(x);

/** Writes the mean over m examples. */
const meanOf = (m) => (m === 1 ? "" : `${over("<mn>1</mn>", `<mn>${m}</mn>`)}<mo>Σ</mo>`);
/** Returns the content of the line: the mathematics, and small text below it. */
const lineOf = (small, ...parts) => ({ small, math: parts.length ? mathOf(...parts) : "" });

class Mathematics {
  constructor(lab) { this.lab = lab; }

  /** The line as { math, small }. */
  get line() {
    const { lab: { chosen, complaint, machine, point } } = this;
    if (complaint) return lineOf(complaint);
    if (!machine.points.length) return lineOf("There are no points to learn from: touch the plane to add one.");
    if (chosen) return this[chosen.kind](chosen);
    return point !== null ? this.point(point) : this.whole();
  }

  /** Whether an update is w − η ∂L/∂w. */
  get isPlain() {
    const { name, width } = this.lab.situation.optimizer;
    return name === "SGD" && !width;
  }

  get lossName() { return this.lab.situation.loss.replaceAll("_", " "); }

  /** Returns the factors of ∂L/∂w: δ of the unit to which a weight leads, a of the unit from which it comes. */
  rule(p) {
    for (const [i, { W, b }] of this.lab.situation.layers.entries()) {
      for (const [j, row] of W.entries()) {
        const [delta, k] = [symbol("δ", i + 1, j + 1), row.indexOf(p)];
        if (k >= 0) return { delta, a: symbol("a", i, k + 1) };
        if (b[j] === p) return { delta };
      }
    }
    return {};
  }

  weight({ p }) {
    const { lab: { machine, situation: { optimizer, parameters }, point, last } } = this;
    const name = nameMath(parameters[p]);
    const [w, move, gradient] = [machine.shared[p], machine.preview().moves[p], machine.gradients[p]];
    const m = machine.batch.length;
    const { delta, a } = this.rule(p);
    const rule = delta ? EQUALS + meanOf(m) + orange(delta) + (a ? DOT + blue(a) : "") : "";
    const terms = delta && machine.terms(p);
    const own = terms?.find(({ i }) => i === point);
    const product = own && `${shown(own.delta)}${a ? ` · ${heldText(own.a, shown)}` : ""} = ${shown(own.product)}`;
    const step = this.isPlain ? `<mo>−</mo>${four(machine.rate)}${DOT}${orange(heldFour(gradient))}`
      : `<mo>${move < 0 ? "−" : "+"}</mo>${four(Math.abs(move))}`;
    const change = move ? machine.whatIf(p, w + move) - machine.passes().loss : 0;
    const isFrozen = machine.frozen.has(p);
    const size = terms ? terms.reduce((sum, { product }) => sum + Math.abs(product), 0) / m : 0;
    const isZero = gradient !== 0 && Math.abs(gradient) < 1e-12 * size;
    const words = [
      last && `The last update changed it by ${signed(last.moves[p])}.`,
      isZero && "The gradient is 0 up to rounding.",
      m > 1 && `This is the mean over ${m} points.`,
      own && `For the touched point: ${product}.`,
      isFrozen ? "It is frozen: updates do not change it."
        : `Its own step predicts ΔL = ${signed(gradient * move)}; the actual change would be ${signed(change)}.`,
      optimizer.name !== "SGD" && `The optimiser is ${optimizer.name}.`,
    ];
    return lineOf(words.filter(Boolean).join(" "),
      partial(orange(name)), rule, EQUALS, orange(four(isZero ? 0 : gradient)), SPACE,
      ARROW, name, "<mo>←</mo>", blue(four(w)), step, EQUALS, blue(four(isFrozen ? w : w + move)));
  }

  unit({ l, j }) {
    const { lab, lab: { machine, situation: { layers } } } = this;
    const i = lab.point ?? machine.batch[0];
    const found = machine.example(i);
    const { g, gamma, p } = layers[l - 1];
    const [a, delta] = ["a", "δ"].map((letter) => symbol(letter, l, j + 1));
    const numbers = [found.z, found.a, found.delta].map((values) => values[l - 1][j]);
    const [z, a_j, delta_j] = numbers.map(four);
    const isKilled = machine.killed.has(`${l},${j}`);
    const isPlain = !gamma.length && !p && !isKilled;
    const of = g ? `<mi>${g}</mi><mo>(</mo>${blue(z)}<mo>)</mo>` : blue(z);
    const where = found.inBatch ? "" : ", which is not in this mini-batch";
    const how = lab.network.opened ? "" : "The plane shows the unit's output. Touch the unit again to open it.";
    const does = isKilled ? "It is killed: it outputs 0 and passes nothing back." : this.mask(l, j, i) + how;
    return lineOf(`z = ${shown(numbers[0])} for point ${i + 1}${where}. ${does}`,
      blue(a), EQUALS, isPlain ? of + EQUALS : "", blue(a_j), SPACE,
      orange(delta), EQUALS, isPlain ? this.deltaTerms(l, j, found) : "", orange(delta_j));
  }

  /** Describes the effect of dropout on a unit in this mini-batch. */
  mask(l, j, i) {
    const m = this.lab.machine.masksOf(i)[l]?.[j];
    if (m === undefined) return "";
    return m ? `Dropout multiplies it by ${shown(m)}. ` : "It is dropped in this mini-batch. ";
  }

  /** Writes (Σ_j δ_j w_jk) g′ =, with numbers if the sum is short. */
  deltaTerms(l, j, { delta, deltaA }) {
    const { machine, situation: { layers: { [l]: next } } } = this.lab;
    const upstream = deltaA[l - 1][j];
    if (!upstream) return "";
    const slope = delta[l - 1][j] / upstream;
    if (next?.W.length <= MOST_TERMS) {
      const term = (row, to) => orange(heldFour(delta[l][to])) + DOT + blue(heldFour(machine.shared[row[j]]));
      const terms = next.W.map(term).join("<mo>+</mo>");
      return (next.W.length > 1 ? `<mo>(</mo>${terms}<mo>)</mo>` : terms) + DOT + blue(heldFour(slope)) + EQUALS;
    }
    const letter = (name, below) => `<msubsup><mi>${name}</mi><mrow>${below}</mrow><mn>${l + 1}</mn></msubsup>`;
    const sum = next ? `<mo>(</mo><munder><mo>Σ</mo><mi>j</mi></munder>${orange(letter("δ", "<mi>j</mi>"))}` +
      `${letter("w", `<mi>j</mi><mn>${j + 1}</mn>`)}<mo>)</mo>` : partial(orange(symbol("a", l, j + 1)));
    return [sum, DOT, "<msup><mi>g</mi><mo>′</mo></msup>", EQUALS,
      orange(heldFour(upstream)), DOT, blue(four(slope)), EQUALS].join("");
  }

  point(i) {
    const { lab: { machine, reading, situation: { layers }, state } } = this;
    const { a, loss } = machine.example(i);
    const { x, y } = machine.points[i];
    const equation = (value, k) => blue(symbol("a", layers.length, k + 1)) + EQUALS + blue(four(value));
    const features = x.slice(0, MOST_TERMS).map(shown).join(", ") + (x.length > MOST_TERMS ? ", …" : "");
    const oneHot = reading.units > 1 && reading.isClasses ? `, that is (${reading.targets[y].join(", ")})` : "";
    const wrong = reading.isClasses ? `, classified ${state.wrong?.[i] ? "wrongly" : "correctly"}` : "";
    return lineOf(
      `Point ${i + 1}: x = (${features}), y = ${reading.label(y)}${oneHot}${wrong}; its loss (${this.lossName}).`,
      a.at(-1).slice(0, MOST_TERMS).map(equation).join("<mo>,</mo>"), SPACE,
      `<msub><mi>L</mi><mn>${i + 1}</mn></msub>`, EQUALS, blue(four(loss)));
  }

  place({ place }) {
    const { lab: { machine, reading, plane, situation: { components, features, layers } } } = this;
    if (components) return lineOf("There is no point here.");
    const { x } = plane.coordinates(place);
    const outputs = machine.outputsAt(x);
    const says = reading.isClasses ? `; it predicts ${reading.label(machine.decide(outputs))}` : "";
    const written = (name, value) => `${name}${EQUALS}${value}${SPACE}`;
    return lineOf(`The network's output at this place${says}.`,
      ...x.map((x_k, k) => written(`<mi>${escaped(features[k] ?? "x")}</mi>`, four(x_k))),
      ...outputs.slice(0, MOST_TERMS).map((a, j) => written(blue(symbol("a", layers.length, j + 1)), blue(four(a)))));
  }

  input({ k }) {
    return lineOf(`Input ${k + 1}: ${this.lab.situation.features[k] ?? "x"}. Its picture is the plane itself.`);
  }

  whole() {
    const { lab: { machine, machine: { batch, points, gradients }, phase, last, state } } = this;
    const m = batch.length;
    if (phase === 1) {
      const of = m === 1 ? `point ${batch[0] + 1}` : `${m === points.length ? "all" : "a mini-batch of"} ${m} points`;
      return lineOf(`The loss (${this.lossName}) of ${of}. Backward shows how it changes with each weight.`,
        "<mi>L</mi>", EQUALS, meanOf(m), "<msub><mi>L</mi><mi>i</mi></msub>", EQUALS,
        blue(four(machine.passes().loss)));
    }
    if (phase === 2) {
      const step = `${SPACE}<mi>W</mi><mo>←</mo><mi>W</mi><mo>−</mo><mi>η</mi>${partial(orange("<mi>W</mi>"))}`;
      const predicted = signed(machine.preview().predicted);
      return lineOf(`${gradients.length} derivatives, one for each weight and bias. ` +
        `Update predicts ΔL = ${predicted}. Touch an edge to see its derivative.`,
      "<mrow><mo>‖</mo><mo>∇</mo><mi>L</mi><mo>‖</mo></mrow>", EQUALS, orange(four(Math.hypot(...gradients))),
      this.isPlain ? step : "");
    }
    if (last) {
      const whose = machine.batchSize < points.length ? " of its mini-batch" : "";
      return lineOf(`Predicted change of the loss${whose}: ${signed(last.predicted)}; actual: ${signed(last.actual)}.`,
        "<mi>Δ</mi><mi>L</mi>", EQUALS, blue(four(last.actual)));
    }
    const count = points.length === 1 ? "one point" : `${points.length} points`;
    return lineOf(`The mean loss of ${count}. Press Forward or Run, or touch anything to see its numbers.`,
      "<mi>L</mi>", EQUALS, blue(four(state.loss)));
  }
}

// The one line of mathematics: what was touched, as the lecture writes it, with the numbers of this moment.

const MOST_TERMS = 3; // of a sum that is written out

const digitsOf = (text) => text.replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹]/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(digit));
const symbol = (letter, above, below) => `<msubsup><mi>${letter}</mi><mn>${below}</mn><mn>${above}</mn></msubsup>`;

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** A parameter's name, such as w²_13. */
function nameMath(name) {
  const parts = /^(\p{L})([⁰¹²³⁴⁵⁶⁷⁸⁹]*)_([\d,]+)$/u.exec(name);
  return parts ? symbol(parts[1], digitsOf(parts[2]), parts[3]) : `<mtext>${escaped(name)}</mtext>`;
}

const coloured = (kind, markup) => `<mrow class="${kind}">${markup}</mrow>`;
const [blue, orange] = ["v", "g"].map((kind) => (markup) => coloured(kind, markup));
const four = (x) => (x === null ? "<mi>–</mi>" : numberMath(Number(x.toPrecision(4))));
const heldFour = (x) => (x < 0 ? `<mrow><mo>(</mo>${four(x)}<mo>)</mo></mrow>` : four(x));
const partial = (below) => `<mfrac><mrow><mi>∂</mi><mi>L</mi></mrow><mrow><mi>∂</mi>${below}</mrow></mfrac>`;
const [EQUALS, DOT, ARROW] = ["=", "·", "→"].map((sign) => `<mo>${sign}</mo>`);
const SPACE = '</math> <math displaystyle="true">'; // where a line may break
const mathOf = (...parts) => `<math displaystyle="true">${parts.join("")}</math>`;
const said = (x, digits = 3) => numberText(x, digits).replace(/e(−?)(\d+)/, (_, sign, power) => `·10${sign && "⁻"}${raised(power)}`);
const shown = (x) => said(x, 4);
const signed = (x) => (x < 0 ? "" : "+") + said(x);

/** Σ, the mean over m examples. */
const meanOf = (m) => (m === 1 ? "" : `<mfrac><mn>1</mn><mn>${m}</mn></mfrac><mo>Σ</mo>`);

class Mathematics {
  constructor(lab) { this.lab = lab; }

  /** { math, small }: the line, and what is to know about it. */
  get line() {
    const { lab, lab: { chosen, machine } } = this;
    if (lab.complaint) return { math: "", small: lab.complaint };
    if (!machine.points.length) return { math: "", small: "There is no point to learn from: touch the plane, and add one." };
    const lines = { weight: () => this.weight(chosen.p), unit: () => this.unit(chosen), place: () => this.place(chosen.place), input: () => this.input(chosen.k) };
    if (lab.chosen) return lines[chosen.kind]();
    return lab.point !== null ? this.point(lab.point) : this.whole();
  }

  /** Which parameter of which layer: { l, j, k } of a weight, without k of a bias, null of others. */
  where(p) {
    for (const [i, { W, b }] of this.lab.situation.layers.entries()) {
      for (const [j, row] of W.entries()) {
        if (row.includes(p)) return { l: i + 1, j, k: row.indexOf(p) };
        if (b[j] === p) return { l: i + 1, j };
      }
    }
    return null;
  }

  weight(p) {
    const { lab: { machine, situation, point, last } } = this;
    const name = nameMath(situation.parameters[p]);
    const [gradient, w, move] = [machine.gradients[p], machine.shared[p], machine.promise().moves[p]];
    const place = this.where(p);
    const m = machine.batch.length;
    const delta = place && symbol("δ", place.l, place.j + 1);
    const a = place && place.k !== undefined && symbol("a", place.l - 1, place.k + 1);
    const rule = place ? EQUALS + meanOf(m) + orange(delta) + (a ? DOT + blue(a) : "") : "";
    const terms = place ? machine.terms(p) : null;
    const own = terms?.find(({ i }) => i === point);
    const ofPoint = own ? `For the touched point: ${shown(own.delta)}${a ? ` · ${heldText(own.a, shown)}` : ""} = ${shown(own.product)}. ` : "";
    const step = situation.optimizer.name === "SGD" && !situation.optimizer.width
      ? `${blue(four(w))}<mo>−</mo>${four(machine.rate)}${DOT}${orange(heldFour(gradient))}`
      : `${blue(four(w))}<mo>${move < 0 ? "−" : "+"}</mo>${four(Math.abs(move))}`;
    const loss = machine.passes().loss;
    const was = move ? machine.whatIf(p, w + move) - loss : 0;
    const isFrozen = machine.frozen.has(p);
    const zero = gradient && Math.abs(gradient) < 1e-14 ? "The gradient is 0 but for rounding. " : "";
    const promise = isFrozen ? "It is frozen: the update leaves it." : `By this weight alone, the update promises ΔL = ${signed(gradient * move)}; it would be ${signed(was)}.`;
    const before = last ? `The last update moved it by ${signed(last.moves[p])}. ` : "";
    const by = situation.optimizer.name === "SGD" ? "" : ` The step is ${situation.optimizer.name}’s.`;
    return {
      math: mathOf(partial(orange(name)), rule, EQUALS, orange(four(gradient)), SPACE, ARROW, name, "<mo>←</mo>", step, EQUALS, blue(four(isFrozen ? w : w + move))),
      small: `${before}${zero}${m > 1 ? `The mean over ${m} points. ` : ""}${ofPoint}${promise}${by}`,
    };
  }

  unit({ l, j }) {
    const { lab, lab: { machine, situation } } = this;
    const i = lab.point ?? machine.batch[0];
    const found = machine.example(i);
    const layer = situation.layers[l - 1];
    const [z, a, delta] = ["z", "a", "δ"].map((letter) => symbol(letter, l, j + 1));
    const numbers = [found.z, found.a, found.delta].map((values) => values[l - 1][j]);
    const isPlain = !layer.gamma.length && !layer.p && !machine.killed.has(`${l},${j}`);
    const g = layer.g ? `<mi>${layer.g}</mi><mo>(</mo>${blue(four(numbers[0]))}<mo>)</mo>` : blue(four(numbers[0]));
    const forward = [blue(a), EQUALS, ...(isPlain ? [g, EQUALS] : []), blue(four(numbers[1]))];
    return {
      math: mathOf(...forward, SPACE, orange(delta), EQUALS, ...this.deltaTerms(l, j, found, isPlain), orange(four(numbers[2]))),
      small: `z = ${shown(numbers[0])} for point ${i + 1}${found.inBatch ? "" : ", which is not in this mini-batch"}. ${this.mask(l, j, i)}${lab.network.opened ? "" : "The plane shows what the unit gives. Touch it again to open it."}`,
    };
  }

  /** What dropout does to a unit in this mini-batch. */
  mask(l, j, i) {
    const { machine, situation: { layers } } = this.lab;
    const { operands } = layers[l - 1].p ? machine.nodes(l, j, i).at(-1) : {};
    const m = operands?.find(({ node }) => node < 0);
    if (!m || !machine.batch.includes(i)) return "";
    return m.value ? `Dropout multiplies it by ${shown(m.value)}. ` : "Dropout has dropped it in this mini-batch. ";
  }

  /** (Σ_j δ_j w_jk) g′, where it is that and short. */
  deltaTerms(l, j, { delta, deltaA }, isPlain) {
    const next = this.lab.situation.layers[l];
    const { machine } = this.lab;
    const upstream = deltaA[l - 1][j];
    if (!isPlain || !upstream) return [];
    const slope = `${DOT}<msup><mi>g</mi><mo>′</mo></msup>`;
    if (!next) return [partial(orange(symbol("a", l, j + 1))), slope, EQUALS, orange(heldFour(upstream)), DOT, blue(four(delta[l - 1][j] / upstream)), EQUALS];
    if (next.W.length > MOST_TERMS) {
      const sum = `<mo>(</mo><munder><mo>Σ</mo><mi>j</mi></munder>${orange(`<msubsup><mi>δ</mi><mi>j</mi><mn>${l + 1}</mn></msubsup>`)}<msubsup><mi>w</mi><mrow><mi>j</mi><mn>${j + 1}</mn></mrow><mn>${l + 1}</mn></msubsup><mo>)</mo>`;
      return [sum, slope, EQUALS, orange(heldFour(upstream)), DOT, blue(four(delta[l - 1][j] / upstream)), EQUALS];
    }
    const terms = next.W.map((row, to) => orange(heldFour(delta[l][to])) + DOT + blue(heldFour(machine.shared[row[j]]))).join("<mo>+</mo>");
    const several = next.W.length > 1;
    return [several ? "<mo>(</mo>" : "", terms, several ? "<mo>)</mo>" : "", DOT, blue(heldFour(delta[l - 1][j] / upstream)), EQUALS];
  }

  point(i) {
    const { lab: { machine, reading, situation, isWrong } } = this;
    const found = machine.example(i);
    const output = found.a.at(-1).slice(0, MOST_TERMS).map((a, k) => blue(symbol("a", situation.layers.length, k + 1)) + EQUALS + blue(four(a)));
    const wrong = reading.isClasses ? `, ${isWrong?.[i] ? "decided wrongly" : "decided rightly"}` : "";
    return {
      math: mathOf(output.join("<mo>,</mo>"), SPACE, `<msub><mi>L</mi><mn>${i + 1}</mn></msub>`, EQUALS, blue(four(found.loss))),
      small: `Point ${i + 1}: x = (${machine.points[i].x.slice(0, MOST_TERMS).map(shown).join(", ")}${machine.points[i].x.length > MOST_TERMS ? ", …" : ""}), ` +
        `y = ${reading.said(machine.points[i].y)}${reading.units > 1 && reading.isClasses ? `, that is (${reading.targets[machine.points[i].y].join(", ")})` : ""}${wrong}; its own loss, ${situation.loss.replaceAll("_", " ")}.`,
    };
  }

  place(at) {
    const { lab: { machine, reading, plane, situation: { components, features, layers } } } = this;
    if (components) return { math: "", small: "Nothing is here." };
    const { x } = plane.asked(at);
    const outputs = machine.outputsAt(x);
    const says = reading.isClasses ? `: it decides for ${reading.said(machine.decide(outputs))}` : "";
    const written = (name, value) => `${name}${EQUALS}${value}${SPACE}`;
    return {
      math: mathOf(
        ...x.map((x_k, k) => written(`<mi>${escaped(features[k] ?? "x")}</mi>`, four(x_k))),
        ...outputs.slice(0, MOST_TERMS).map((a, j) => written(blue(symbol("a", layers.length, j + 1)), blue(four(a))))),
      small: `What the network makes of this place${says}.`,
    };
  }

  input(k) {
    const { lab: { situation: { features } } } = this;
    return { math: "", small: `Input ${k + 1}: ${features[k] ?? "x"}. Its picture is the plane itself.` };
  }

  whole() {
    const { lab, lab: { machine, phase, last, situation, state } } = this;
    const m = machine.batch.length;
    const mean = `<mi>L</mi>${EQUALS}${meanOf(m)}<msub><mi>L</mi><mi>i</mi></msub>${EQUALS}${blue(four(machine.passes().loss))}`;
    const of = m === 1 ? `point ${machine.batch[0] + 1}` : `${m === machine.points.length ? "all" : "a mini-batch of"} ${m} points`;
    if (phase === 1) return { math: mathOf(mean), small: `The loss of ${of}, ${situation.loss.replaceAll("_", " ")}. Backward asks every weight how it moves it.` };
    if (phase === 2) {
      const { promised } = machine.promise();
      const length = Math.hypot(...machine.gradients);
      const isPlain = situation.optimizer.name === "SGD" && !situation.optimizer.width;
      return {
        math: mathOf("<mrow><mo>‖</mo><mo>∇</mo><mi>L</mi><mo>‖</mo></mrow>", EQUALS, orange(four(length)), isPlain ? `${SPACE}<mi>W</mi><mo>←</mo><mi>W</mi><mo>−</mo><mi>η</mi>${partial(orange("<mi>W</mi>"))}` : ""),
        small: `${machine.gradients.length} derivatives, one for each weight and bias. Update promises ΔL = ${signed(promised)}. Touch an edge to see its own.`,
      };
    }
    if (last) return { math: mathOf("<mi>Δ</mi><mi>L</mi>", EQUALS, blue(four(last.was))), small: `The update promised ${signed(last.promised)}, and was ${signed(last.was)}.` };
    return {
      math: mathOf("<mi>L</mi>", EQUALS, blue(four(state.loss))),
      small: `The mean loss of ${machine.points.length === 1 ? "one point" : `${machine.points.length} points`}. Press Forward, or Run; touch anything to ask it.`,
    };
  }
}

// Grades a student's number: whether it is correct to the digits given, or else which mistake explains it.

const NUMBER = /^([+-]?)(\d[\d.,]*|[.,]\d+)(?:(?:e|[·*×x]10\^?)([+-]?\d+))?$/i;

/** Returns the numbers that a text may mean, with the unit of the last digit; a comma may be decimal. */
function readings(text) {
  const plain = text.trim().replace(/[−–]/g, "-").replace(/[\s'’_]/g, "").replace(/^=/, "");
  const [above, below, ...more] = plain.split("/");
  if (below === undefined) return decimals(plain);
  if (more.length) return [];
  const quotients = decimals(above).flatMap((x) => decimals(below).map((y) => exactly(x.value / y.value)));
  return quotients.filter(({ value }) => !Number.isNaN(value));
}

const exactly = (value) => ({ value, unit: 0, tens: 0 });

function decimals(plain) {
  if (/^[+-]?(∞|inf|infinity)$/i.test(plain)) return [exactly(plain[0] === "-" ? -Infinity : Infinity)];
  if (/^nan$/i.test(plain)) return [exactly(NaN)];
  const [, sign, digits, exponent = "0"] = plain.match(NUMBER) ?? [];
  if (digits === undefined) return [];
  const marks = digits.match(/[.,]/g) ?? [];
  const last = marks.at(-1);
  const written = [];
  // the last mark is the decimal point if it occurs only once; the others separate thousands
  if (marks.indexOf(last) === marks.length - 1) {
    written.push(digits.replace(/[.,]/g, (mark, at) => (at === digits.lastIndexOf(last) ? "." : "")));
  }
  if (/^\d{1,3}([.,])\d{3}(?:\1\d{3})*$/.test(digits)) written.push(digits.replace(/[.,]/g, ""));
  return written.map((number) => {
    const [, zeros = ""] = number.match(/^0*[1-9]\d+?(0+)$/) ?? [];
    return {
      value: Number(`${sign}${number}e${exponent}`),
      unit: 10 ** (Number(exponent) - (number.split(".")[1] ?? "").length),
      tens: zeros ? 10 ** (Number(exponent) + zeros.length) : 0, // the last significant digit of 12000 may be the 2
    };
  });
}

/**
 * Returns "right", "coarse", "round" or "wrong". An answer may be rounded or truncated at its last digit, and computed
 * from the rounded numbers that the page shows, which can add an error of `slack`. A coarse answer is correct to its
 * few digits, such as 0 for 0.3; a round one is correct if its zeros are only placeholders, such as 1200 for 1234.
 */
function agreement({ value, unit, tens }, expected, slack) {
  if (Object.is(value, expected) || value === expected) return "right";
  const error = Math.abs(value - expected);
  if (!Number.isFinite(error)) return "wrong";
  if (error <= Math.max(slack, 1e-12 * Math.abs(expected))) return "right";
  const isCut = Math.abs(value) <= Math.abs(expected) && value * expected >= 0;
  const own = 1e-14 * Math.abs(expected); // the rounding error of these numbers
  const fits = (last) => error <= 0.5 * last + own || (isCut && error < last - own);
  if (fits(unit)) return error <= 0.05 * Math.abs(expected) ? "right" : "coarse";
  return fits(tens) ? "round" : "wrong";
}

/** Returns { expected, slack, slips, others } for a step; slips and others are pairs of a number and its cause. */
function question(graph, run, step) {
  const others = graph.nodes.flatMap(({ name, gradient, kind }, i) => (kind === "constant" ? [] : [
    (step.phase !== "forward" || i < step.node) && [run.data[i], `that is ${name}`],
    step.phase === "backward" && i >= step.node && [run.grads[i], `that is ${gradient}`]])).filter(Boolean);
  const about = { forward: aboutValue, backward: aboutGradient }[step.phase];
  if (about) return { ...about(graph, run, step), others };
  const itself = [0, `that is the derivative of a constant; ${graph.nodes[step.node].name} changes as fast as itself`];
  return { expected: 1, slack: 0, slips: [[run.data[step.node], "that is the value of the root"], itself] };
}

const rounding = (x) => Math.abs(x - Number(x.toPrecision(4))) || 0; // the picture shows four digits
const least = (reach, rounded) => 3e-5 * reach + 1.5 * rounded || 0; // the tolerance for an honest answer

function aboutValue({ nodes, rules }, { data, locals }, { node, value }) {
  const { parents, rule } = nodes[node];
  const x = parents.map((parent) => data[parent]);
  const called = ({ kind, name }) => (kind === "constant" ? "an operand" : name);
  const slips = [
    [-value, "the sign is flipped"],
    ...(MIXED_UP[rules[rule].name]?.(x) ?? []),
    ...parents.map((parent, i) => [x[i], `that is ${called(nodes[parent])} itself`]),
  ];
  const moves = (by) => total(x.map((xi, i) => Math.abs(by(xi) * locals[node][i])));
  return { expected: value, slack: least(moves((xi) => xi) + Math.abs(value), moves(rounding)), slips };
}

// the results of mistaking one operation for another; the correct rules come from the table
const total = (x) => x.reduce((so, xi) => so + xi, 0);
const together = (x) => x.reduce((so, xi) => so * xi, 1);
const added = (x) => [[total(x), "the operands are added instead of multiplied"]];
const weighted = (w, a) => total(w.map((wi, i) => wi * a[i]));
const MIXED_UP = {
  add: (x) => [[together(x), "the operands are multiplied instead of added"],
    [x[0] - x[1], "the operands are subtracted instead of added"]],
  sum: (x) => [[together(x), "the operands are multiplied instead of added"]],
  sub: (x) => [[total(x), "the operands are added instead of subtracted"]],
  mul: added, product: added, dot: added,
  div: ([x, y]) => [[y / x, "the fraction is inverted"], [x * y, "the operands are multiplied instead of divided"]],
  power: ([x, p]) => [[x * p, "the base is multiplied by the exponent instead of raised to it"]],
  affine: (x) => {
    const half = (x.length - 1) / 2;
    const [w, a, b] = [x.slice(0, half), x.slice(half, -1), x.at(-1)];
    return [[weighted(w, a), "the bias is forgotten"], [weighted(w, a) - b, "the bias is subtracted"],
      [total(w) + total(a) + b, "the weights and activations are added instead of multiplied"]];
  },
};

/** The error of a local derivative that is computed from the rounded operands or from the rounded value. */
function blurred({ nodes, rules }, { data, locals }, { node, operand, local }) {
  const { parents, rule } = nodes[node];
  const x = parents.map((parent) => data[parent]);
  const off = x.map((xi, i) => {
    const least = Math.max(rounding(xi), rounding(data[node]) / Math.abs(locals[node][i]) || 0);
    return rules[rule].apply(...x.with(i, xi + least))[1][operand] - local;
  });
  return Math.min(total(off.map(Math.abs)), 0.05 * Math.abs(local)) + rounding(local) || 0;
}

function aboutGradient(graph, run, step) {
  const [{ nodes }, { parent, value }, parts, slips] = [graph, step, partsOf(step), []];
  const [{ before }, { name: x, gradient }] = [parts[0], nodes[parent]];
  if (!step.isLast) {
    slips.push([run.grads[parent], `that is ${gradient} at the end; after this step only a part of it has arrived`]);
  }
  for (const { node, operand, upstream, local, product } of parts) {
    const y = nodes[node].name;
    const gives = [
      [-product, "the sign is flipped"],
      [local, `the upstream gradient, ${nodes[node].gradient}, is forgotten`],
      [upstream, `the local derivative, ∂${y}/∂${x}, is forgotten`],
      [upstream + local, "the upstream gradient and the local derivative are added instead of multiplied"],
    ];
    run.locals[node].forEach((other, i) => {
      const name = nodes[nodes[node].parents[i]].name;
      const slip = `the local derivative is with respect to ${name} instead of ${x}`;
      if (i !== operand) gives.push([upstream * other, slip]);
    });
    slips.push(...gives.map(([wrong, words]) => [value - product + wrong, words]));
    if (parts.length > 1) {
      slips.push([value - product, `the part through ${y} is missing`]);
      if (parts.length > 2) slips.push([product, `only the part through ${y} is counted`]);
    } else if (before !== 0) {
      slips.push(
        [product, `the sum so far, ${numberText(before)}, is overwritten instead of added to`],
        [before, "nothing is added to the sum so far"],
        ...gives.map(([wrong, words]) => [wrong, `${words}, and the sum so far is overwritten`, "double"]),
      );
    }
  }
  slips.push([-value, "the sign is flipped"]);
  const reach = total(parts.map(({ product }) => Math.abs(product))) + Math.abs(before);
  const off = parts.map((part) =>
    rounding(part.upstream) * Math.abs(part.local) + Math.abs(part.upstream) * blurred(graph, run, part));
  return { expected: value, slack: least(reach, rounding(before) + total(off)), slips };
}

/** Returns { verdict, slips }: "right", "coarse", "wrong" or "unreadable", and the likely causes of a wrong answer. */
function judged(text, { expected, slack, slips, others = [] }) {
  const read = readings(text);
  if (!read.length) return { verdict: "unreadable", slips: [] };
  const verdicts = read.map((reading) => agreement(reading, expected, slack));
  for (const verdict of ["right", "coarse"]) if (verdicts.includes(verdict)) return { verdict, slips: [] };
  const given = (from) => from.filter(([value]) => read.some((x) => agreement(x, value, slack) === "right"));
  const own = given(slips);
  const likely = own.length ? own : given(others).slice(0, 1);
  if (!likely.length && verdicts.includes("round")) return { verdict: "coarse", slips: [] };
  const single = likely.filter(([, , isDouble]) => !isDouble);
  const words = new Set((single.length ? single : likely).map(([, slip]) => slip));
  return { verdict: "wrong", slips: [...words].slice(0, 2) };
}

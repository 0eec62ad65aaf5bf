// The text of each step: a formula in pieces between which a line may break, a sentence, and smaller formulas below.

const walk = new Walk(GRAPH);
const { nodes, rules } = GRAPH;
const root = nodes.at(-1);
for (const node of nodes) if (node.kind === "constant") node.markup = numberMath(Number(node.data));
const byLayer = (i) => nodes[i].name.replace(/^(\p{L}+)([⁰¹²³⁴⁵⁶⁷⁸⁹]*)(.*)/u, "$2 $1 $3").normalize("NFKC");
const INPUTS = [...nodes.keys()].filter((i) => nodes[i].kind === "input")
  .sort((i, j) => byLayer(i).localeCompare(byLayer(j), "en", { numeric: true }));
const MOVING = walk.parameters.length < INPUTS.length ? "weight and bias" : "input";
const [MOST_TERMS, MOST_EQUATIONS] = [3, 5]; // terms of the chain rule's sum, and equations side by side
const TITLES = { start: "Inputs", forward: "Forward", seed: "Seed", backward: "Backward", end: "End", update: "Update" };

const PHASES = {
  start: () => [known(INPUTS, "value"),
    "The inputs have values; the forward pass computes all others. Press ▶ or the arrow key →."],

  forward({ node, value }, hides, hints) {
    const { name, markup, rule, parents } = nodes[node];
    const operand = (p) => `<mrow class="value" data-node="${p}">${nodes[p].markup}</mrow>`;
    const symbols = filled(rules[rule].value, parents.map(operand), markup);
    const numbers = filled(rules[rule].value, parents.map((p) => walk.run.data[p]), value, heldMath, numberMath);
    const named = (p) => (nodes[p].kind === "constant" ? "" : `${nodes[p].name} = `) + numberText(walk.run.data[p]);
    const isFound = (side) => side === numberMath(value); // for x = r, the number of r
    const sides = [symbols, numbers].slice(0, hints);
    const ends = hides && sides.some(isFound) ? [] : [equals(result("value", value, hides))];
    const shown = sides.filter((side) => hides || !isFound(side)).flatMap(pieces);
    const told = `computed from ${listed(parents.map(named))}`;
    return [[markup, ...shown, ...ends],
      hides ? `What is ${name}? It is ${told}.` : `${name} is ${told}: ${name} = ${numberText(value)}.`];
  },

  seed: ({ value }, hides) => [[gradientMath(root, root), equals(result("grad", value, hides))],
    `The backward pass starts at ${root.name}` + (hides ? `. What is ${root.gradient}?`
      : `, which changes as fast as itself: ${root.gradient} = 1.`)],

  backward(step, hides, hints) {
    const parts = partsOf(step);
    const { node, parent, upstream, local, product, value, isLast } = step;
    const { name, gradient } = nodes[parent];
    const [{ before }, isOne] = [parts[0], parts.length === 1];
    const givers = listed(parts.map((part) => nodes[part.node].name));
    const words = hides ? [
      `${name} receives its ${isOne ? "part" : "parts"} through ${givers}.`,
      before !== 0 && `So far ${gradient} is ${numberText(before)}.`,
      `What is ${gradient}${isOne ? " after this step" : ""}?`,
    ] : isOne ? [
      `${name} receives ${numberText(upstream)} · ${heldText(local)} = ${numberText(product)} from ${nodes[node].name}.`,
      before !== 0 && `${gradient} is now ${sumText(step)}.`,
      isLast && "This was the last contribution.",
    ] : [`${name} receives contributions from ${givers}: ${sumText(step)}.`];
    const left = tagged("grad", "node", parent, gradientMath(root, nodes[parent]));
    const sides = chainRule(step, parts).slice(0, hints).flat();
    const aside = hints > 0 ? parts.slice(0, 2).flatMap(localRule) : [];
    const found = result("grad", value, hides);
    const ends = isLast ? equals(found) : `<mtext class="faded">so far</mtext>${THIN}${found}`;
    return [[left, ...sides, ends], words.filter(Boolean).join(" "), aside];
  },

  end: () => [known(INPUTS.filter((i) => walk.parameters.includes(i)), "grad"),
    `Each gradient says how fast ${root.name} changes with its input. ▶ moves each ${MOVING} one step downhill.`],

  update() {
    const { before, promised, after, fault } = walk.update();
    const { leading, inputs: { [leading]: x }, run: { grads: { [leading]: grad } }, rate } = walk;
    const { name, markup } = nodes[leading];
    const less = (from, by, slope) => `${from}<mo>−</mo>${by}<mo>·</mo><mrow class="grad">${slope}</mrow>`;
    const isLong = Math.abs(after - promised) > Math.abs(before - promised) / 2;
    const most = walk.parameters.length > 1 ? `, ${name} the most` : "";
    const figure = ([when, f]) => `<mtext>${when}</mtext>${THIN}${root.markup}` +
      equals(f === undefined ? "<mo>?</mo>" : coloured("value", f));
    return [
      [`${markup}<mo>←</mo>${less(markup, "<mi>η</mi>", gradientMath(root, nodes[leading]))}`,
        equals(less(numberMath(x), numberMath(rate), heldMath(grad))), equals(coloured("value", x - rate * grad))],
      fault ? `${fault}. With a smaller η, ${root.name} stays defined.` : `Each ${MOVING} moves by −η times its ` +
        `gradient${most}. Promised: ${root.name} − η times the sum of the squared gradients. After: the result of a ` +
        `new forward pass${isLong ? "; the step is too long for the promise to hold" : ""}.`,
      Object.entries({ before, promised, after }).map(figure)];
  },
};

/** Returns { formula, sentence, aside } of a step; a step for several nodes shows their numbers as equations. */
function said(step, hides, hints) {
  const about = [...new Set(partsOf(step).map(aboutOf))];
  const names = (found) => listed([...new Set(found)].map((i) => nodes[i].name));
  const givers = new Set(partsOf(step).map(({ node }) => node));
  const [formula, sentence, aside = []] = about.length < 2 ? PHASES[step.phase](step, hides, hints)
    : step.phase === "forward" ? [known(about, "value"), `${names(about)} are computed from the layers before them.`]
      : [known(about, "grad"), `${names(about)} receive contributions from ${names(givers)}.`];
  const { input, by, promised, really } = (!walk.isPredicting && walk.moved) || {};
  const promise = by !== undefined && `${nodes[input].name} ${changeText(by)}: the gradient promises ${
    numberText(promised / by)} · ${heldText(by)} = ${changeText(promised)}; ${root.name} changed by ${changeText(really)}.`;
  return { formula, sentence: promise || sentence, aside };
}

/** Writes the terms of ∂f/∂s = ∂f/∂y ∂y/∂s + … that have arrived, in the slide's order, in symbols and in numbers. */
function chainRule({ parent, isLast }, parts) {
  const steps = arrived(walk.steps, walk.position, parent);
  const shown = steps.length > MOST_TERMS ? parts.slice(0, MOST_TERMS) : steps; // of a long sum, only what arrives now
  const isWhole = shown[0] === steps[0];
  const summed = (write) => {
    const terms = shown.map((term, i) =>
      `<mrow class="${parts.includes(term) ? "" : "faded"}">${write(term, i || !isWhole ? heldMath : numberMath)}</mrow>`);
    if (!isWhole) terms.unshift("<mo>⋯</mo>");
    if (!isLast || shown.at(-1) !== steps.at(-1)) terms.push("<mo>⋯</mo>");
    return terms.map((term, i) => (i ? `<mo form="infix">+</mo>${term}` : equals(term)));
  };
  const factors = (term, upstream, sign, local) =>
    tagged("upstream", "node", term.node, upstream) + sign + tagged("local", "edge", edgeOf(term), local);
  const symbols = (term) => factors(term, gradientMath(root, nodes[term.node]),
    /^<mn/.test(inLetters(term)) ? "<mo>·</mo>" : THIN, inLetters(term) ?? slopeOf(term));
  const numbers = (term, held) => (parts.includes(term)
    ? factors(term, held(term.upstream), "<mo>·</mo>", heldMath(term.local)) : held(term.product));
  return [symbols, numbers].map(summed);
}

/** A local derivative in its rule's letters; for a z of the lecture, a single letter replaces ∂z/∂w. */
const formulaOf = ({ node, operand }) => {
  const { rule, parents, markup } = nodes[node];
  return filled(rules[rule].locals[operand], parents.map((p) => nodes[p].markup), markup);
};
const inLetters = (term) => [nodes[term.node].delta && formulaOf(term)].find((x) => x && !/<mo|<mrow/.test(x)) ?? null;
const localRule = (term) => (!formulaOf(term) || inLetters(term) ? []
  : [`<mrow class="local">${slopeOf(term)}</mrow>${equals(formulaOf(term))}`]);

/** Writes ∂y/∂x, with ① or ② if y uses the same x more than once. */
function slopeOf({ node, operand, parent }) {
  const isOne = nodes[node].parents.filter((p) => p === parent).length === 1;
  return partialMath(nodes[node], nodes[parent], isOne ? "" : String.fromCodePoint(0x2460 + Math.min(operand, 19)));
}

/** Writes 12 + 12 = 24: the sum before a step, its contributions, and the sum after it. */
function sumText(step, write = numberText) {
  const { before } = partsOf(step)[0];
  const terms = [...(before === 0 ? [] : [before]), ...partsOf(step).map(({ product }) => product)];
  return `${terms.map((x, i) => (i ? heldText(x, write) : write(x))).join(" + ")} = ${write(step.value)}`;
}

/** Prevents line breaks inside a product, a sum, y = 6 or ∂f/∂s, except before = after a product or a sum. */
const unbroken = (sentence) => sentence.replace(/ ([·+=]) /g, "\u00a0$1\u00a0")
  .replace(/([·+]\u00a0\S+)\u00a0=/g, "$1 =").replaceAll("/∂", "/\u2060∂");

/** Splits = and a sum into pieces for separate lines, with a negative number after a sign in brackets. */
function pieces(markup) {
  const sum = new DOMParser().parseFromString(math(markup), "text/html").querySelector("mstyle > mrow");
  const found = ["<mo>=</mo>"];
  for (const part of sum?.children ?? []) {
    const [isSign, isFirst] = [part.matches("mo") && "+−".includes(part.textContent), part.matches(":first-child")];
    const number = !isFirst && part.textContent.startsWith(MINUS) && part.querySelector("mo")?.parentElement;
    if (number) number.outerHTML = `<mrow><mo>(</mo>${number.outerHTML}<mo>)</mo></mrow>`;
    if (isSign && !isFirst) found.push(`<mo form="infix">${part.textContent}</mo>`);
    else found.push(found.pop() + part.outerHTML);
  }
  return !sum ? [equals(markup)] : found.length > 2 ? found : [found.join("")];
}

const THIN = '<mspace width="0.2em"/>';
const equals = (markup) => `<mo>=</mo>${markup}`;
const coloured = (role, x) => `<mrow class="${role}">${numberMath(x)}</mrow>`;
const result = (role, x, hides) => (hides ? "<mo>?</mo>" : coloured(role, x));
const tagged = (role, kind, name, written) =>
  `<mrow class="${role}" data-${kind}="${name}"${kind === "edge" ? ' tabindex="0"' : ""}>${written}</mrow>`;
const elided = (words, most, shown, dots) => (words.length > most ? [...words.slice(0, shown), dots] : words);
const listed = (words) => new Intl.ListFormat("en-GB").format(elided(words, 6, 4, `${words.length - 4} more`));

/** Returns the numbers, or the gradients, of some nodes as equations. */
function known(about, role) {
  const { data, grads } = walk.run;
  const equation = (i) => (role === "grad" ? gradientMath(root, nodes[i]) + equals(coloured(role, grads[i]))
    : nodes[i].markup + equals(coloured(role, data[i])));
  return elided(about.map(equation), MOST_EQUATIONS, MOST_EQUATIONS, "<mo>⋯</mo>");
}

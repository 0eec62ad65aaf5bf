// What the page says at each step: a formula in pieces between which a line may break, a sentence, and what stands below.

const walk = new Walk(GRAPH);
const { nodes, rules } = GRAPH;
const root = nodes.at(-1);
for (const node of nodes) if (node.kind === "constant") node.markup = numberMath(Number(node.data));
const INPUTS = nodes.flatMap(({ kind }, i) => (kind === "input" ? [i] : []));
const MOVING = walk.parameters.length < INPUTS.length ? "weight and bias" : "input";
const [MOST_TERMS, MOST_EQUATIONS] = [3, 5]; // of the chain rule's sum, and side by side, written out
const TITLES = { start: "Inputs", forward: "Forward", seed: "Backward", backward: "Backward", end: "Both passes done", update: "Update" };

const PHASES = {
  start: () => [known(INPUTS, "value"), "The inputs have their numbers; the forward pass computes every other node from its " +
    "operands. Press ▶, or the arrow key →."],

  forward({ node, value }, hides, hints) {
    const { name, markup, rule, parents } = nodes[node];
    const operand = (p) => `<mrow class="value" data-node="${p}">${nodes[p].markup}</mrow>`;
    const symbols = filled(rules[rule].value, parents.map(operand), markup);
    const numbers = filled(rules[rule].value, parents.map((p) => walk.run.data[p]), value, heldMath, numberMath);
    const operands = listed(parents.map((p) => (nodes[p].kind === "constant" ? "" : `${nodes[p].name} = `) + numberText(walk.run.data[p])));
    const sides = [symbols, numbers !== numberMath(value) && numbers].slice(0, hints).filter(Boolean).flatMap(pieces);
    return [[markup, ...sides, equals(result("value", value, hides))],
      hides ? `What is ${name}? It is computed from ${operands}.` : `${name} is computed from ${operands}: ${name} = ${numberText(value)}.`];
  },

  seed: ({ value }, hides) => [[gradientMath(root, root), equals(result("grad", value, hides))], `The backward pass starts at ${
    hides ? `${root.name}. What is ${root.gradient}?` : `${root.name}, which moves as fast as itself: ${root.gradient} = 1.`}`],

  backward(step, hides, hints) {
    const parts = partsOf(step);
    const { node, parent, upstream, local, product, value, isLast } = step;
    const { name, gradient } = nodes[parent];
    const before = parts[0].before !== 0 && parts[0].before;
    const givers = listed(parts.map((part) => nodes[part.node].name));
    const words = hides ? [
      `${name} receives its ${parts.length > 1 ? "parts" : "part"} through ${givers}.`,
      before && `So far ${gradient} is ${numberText(before)}.`,
      `What is ${gradient}${parts.length > 1 ? "" : " after this step"}?`,
    ] : parts.length > 1 ? [`${name} receives from ${givers}: ${sumText(step)}.`] : [
      `${name} receives ${numberText(upstream)} · ${heldText(local)} = ${numberText(product)} from ${nodes[node].name}.`,
      before && `${gradient} is now ${sumText(step)}.`,
      isLast && "Nothing more arrives.",
    ];
    const sides = [tagged("grad", "node", parent, gradientMath(root, nodes[parent])), ...chainRule(step, parts).slice(0, hints).flat()];
    const aside = hints > 0 ? parts.slice(0, 2).flatMap(localRule) : [];
    return [[...sides, equals(result("grad", value, hides))], words.filter(Boolean).join(" "), aside];
  },

  end: () => [known(walk.parameters, "grad"),
    `Each gradient says how fast ${root.name} moves when its input does. ▶ moves each ${MOVING} a step downhill.`],

  update() {
    const { before, promised, after, fault } = walk.update();
    const { leading, parameters, inputs: { [leading]: x }, run: { grads: { [leading]: grad } }, rate } = walk;
    const { name, markup } = nodes[leading];
    const less = (from, by, slope) => `${from}<mo>−</mo>${by}<mo>·</mo><mrow class="grad">${slope}</mrow>`;
    const isLong = Math.abs(after - promised) > Math.abs(before - promised) / 2;
    const sentence = fault ? `${fault}. A smaller η keeps ${root.name} where it has a value.` : `Each ${MOVING} moves by −η times ` +
      `its gradient${parameters.length > 1 ? `, ${name} the most` : ""}. Promised is ${root.name} − η Σ g²; after is the forward ` +
      `pass, really run${isLong ? ": the step is too long for the promise" : ""}.`;
    const figure = ([when, f]) => `<mtext>${when}</mtext>${THIN}${root.markup}${equals(f === undefined ? "<mo>?</mo>" : coloured("value", f))}`;
    return [[`${markup}<mo>←</mo>${less(markup, "<mi>η</mi>", gradientMath(root, nodes[leading]))}`,
      equals(less(numberMath(x), numberMath(rate), heldMath(grad))), equals(coloured("value", x - rate * grad))],
      sentence, Object.entries({ before, promised, after }).map(figure)];
  },
};

/** { formula, sentence, aside } of a step; of many nodes that find their numbers in one step, these as equations. */
function said(step, hides, hints) {
  const about = [...new Set(partsOf(step).map(aboutOf))];
  const names = (found) => listed([...new Set(found)].map((i) => nodes[i].name));
  const [formula, sentence, aside = []] = about.length < 2 ? PHASES[step.phase](step, hides, hints) : step.phase === "forward"
    ? [known(about, "value"), `${names(about)} are computed from the layers before them.`]
    : [known(about, "grad"), `${names(about)} receive what ${names(step.parts.map(({ node }) => node))} give back.`];
  return { formula, sentence: walk.moved && !walk.isPredicting ? promise(walk.moved) : sentence, aside };
}

/** ∂f/∂s = ∂f/∂y ∂y/∂s + ∂f/∂z ∂z/∂s, what has arrived of it, in the slide's order, in symbols and in numbers. */
function chainRule({ parent, isLast }, parts) {
  const steps = arrived(walk.steps, walk.position, parent);
  const shown = steps.length > MOST_TERMS ? parts.slice(0, MOST_TERMS) : steps; // of a long sum, what arrives now
  const isWhole = isLast && shown[0] === steps[0];
  const summed = (write) => {
    const terms = shown.map((term, i) =>
      `<mrow${parts.includes(term) ? "" : ' class="faded"'}>${write(term, i || !isWhole ? heldMath : numberMath)}</mrow>`);
    if (!isWhole) terms.unshift("<mo>⋯</mo>");
    if (shown.at(-1) !== steps.at(-1)) terms.push("<mo>⋯</mo>");
    return terms.map((term, i) => (i ? `<mo form="infix">+</mo>${term}` : equals(term)));
  };
  const upstream = ({ node }, written) => tagged("upstream", "node", node, written);
  const local = (term, written) => tagged("local", "edge", edgeOf(term), written);
  const symbols = (term) => upstream(term, gradientMath(root, nodes[term.node])) +
    (/^<mn/.test(inLetters(term)) ? "<mo>·</mo>" : THIN) + local(term, inLetters(term) ?? slopeOf(term));
  const numbers = (term, held) => (parts.includes(term)
    ? `${upstream(term, held(term.upstream))}<mo>·</mo>${local(term, heldMath(term.local))}` : held(term.product));
  return [symbols, numbers].map(summed);
}

/** A local derivative in its rule's letters; of a z of the lecture, if it is one letter, in place of ∂z/∂w, as there. */
const formulaOf = ({ node, operand }) =>
  filled(rules[nodes[node].rule].locals[operand], nodes[node].parents.map((p) => nodes[p].markup), nodes[node].markup);
const inLetters = (term) => [nodes[term.node].delta && formulaOf(term)].find((x) => x && !/<mo|<mrow/.test(x)) ?? null;
const slopeOf = (term) => partialMath(nodes[term.node], nodes[term.parent], which(term));
const localRule = (term) => (!formulaOf(term) || inLetters(term) ? []
  : [`<mrow class="local">${slopeOf(term)}</mrow>${equals(formulaOf(term))}`]);

/** ① or ② where a node takes the same operand more than once. */
function which({ node, operand, parent }) {
  const twice = nodes[node].parents.filter((p) => p === parent).length > 1;
  return twice ? String.fromCodePoint(0x2460 + Math.min(operand, 19)) : "";
}

/** What an input that was moved by hand shows of its gradient. */
const promise = ({ input, by, promised, really }) => `${nodes[input].name} ${changeText(by)}: the gradient promises ${
  changeText(promised)}, ${root.name} moved ${changeText(really)}.`;

/** 12 + 12 = 24: what was there and what a step adds. */
function sumText(step, write = numberText) {
  const terms = partsOf(step).map(({ product }) => product);
  const { before } = partsOf(step)[0];
  const held = [...(before === 0 ? [] : [before]), ...terms].map((x, i) => (i && x < 0 ? `(${write(x)})` : write(x)));
  return `${held.join(" + ")} = ${write(step.value)}`;
}

/** No line ends inside a product, a sum, y = 6 or ∂f/∂s; after a product or a sum, one may begin with =. */
const unbroken = (sentence) => sentence.replace(/ ([·+=]) /g, "\u00a0$1\u00a0")
  .replace(/([·+]\u00a0\S+)\u00a0=/g, "$1 =").replaceAll("/∂", "/\u2060∂");

/** = and a sum, as pieces that may stand on lines of their own, a negative number behind a sign in brackets. */
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
  return sum ? found : [equals(markup)];
}

const THIN = '<mspace width="0.2em"/>';
const equals = (markup) => `<mo>=</mo>${markup}`;
const coloured = (role, x) => `<mrow class="${role}">${numberMath(x)}</mrow>`;
const result = (role, x, hides) => (hides ? "<mo>?</mo>" : coloured(role, x));
const tagged = (role, kind, name, written) =>
  `<mrow class="${role}" data-${kind}="${name}"${kind === "edge" ? ' tabindex="0"' : ""}>${written}</mrow>`;
const listed = (words) =>
  new Intl.ListFormat("en-GB").format(words.length > 6 ? [...words.slice(0, 4), `${words.length - 4} more`] : words);

/** The numbers, or the gradients, of some nodes as equations. */
function known(about, role) {
  const [left, numbers] = role === "grad" ? [(i) => gradientMath(root, nodes[i]), walk.run.grads] : [(i) => nodes[i].markup, walk.run.data];
  const equations = about.slice(0, MOST_EQUATIONS).map((i) => left(i) + equals(coloured(role, numbers[i])));
  return about.length > MOST_EQUATIONS ? [...equations, "<mo>⋯</mo>"] : equations;
}

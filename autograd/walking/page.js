// The page: it shows where the walk is, and turns buttons, keys and clicks into steps. All numbers come from `Walk`.

const walk = new Walk(GRAPH);
const { nodes, rules } = GRAPH;
const root = nodes.at(-1);
for (const node of nodes) if (node.kind === "constant") node.markup = numberMath(Number(node.data));
const all = (selector) => [...named("walk").querySelectorAll(selector)];
const make = (tag, attributes, text = "") => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
};
const INPUTS = nodes.flatMap(({ kind }, i) => (kind === "input" ? [i] : []));
const [MOST_TERMS, MOST_EQUATIONS] = [3, 5]; // of the chain rule's sum, and side by side, written out
let speed = 1;

// ---- what each phase says: a formula of pieces between which a line may break, what stands below it, a sentence ----

const PHASES = {
  start: () => ({
    title: "Inputs",
    formula: side(INPUTS, (i) => nodes[i].markup + equals(coloured("value", walk.run.data[i]))),
    sentence: "The inputs have their numbers; the forward pass computes every other node from its operands. " +
      "Press ▶, or the arrow key →.",
  }),

  forward({ node, value }, hides, hints) {
    const { name, markup, rule, parents } = nodes[node];
    const { value: template } = rules[rule];
    const operand = (p) => `<mrow class="value" data-node="${p}">${nodes[p].markup}</mrow>`;
    const symbols = filled(template, parents.map(operand), markup);
    const numbers = filled(template, parents.map((p) => walk.run.data[p]), value, heldMath, numberMath);
    const operands = listed(parents.map((p) => operandText(nodes[p], walk.run.data[p])));
    const sides = [hints > 0 && symbols, hints > 1 && numbers !== numberMath(value) && numbers, result("value", value, hides)];
    return {
      title: "Forward",
      formula: [markup, ...sides.filter(Boolean).map(equals)],
      sentence: hides ? `What is ${name}? It is computed from ${operands}.`
        : `${name} is computed from ${operands}: ${name} = ${numberText(value)}.`,
    };
  },

  seed: ({ value }, hides) => ({
    title: "Backward",
    formula: [gradientMath(root, root), equals(result("grad", value, hides))],
    sentence: hides ? `The backward pass starts at ${root.name}. What is ${root.gradient}?`
      : `The backward pass starts at ${root.name}, which moves as fast as itself: ${root.gradient} = 1.`,
  }),

  backward(step, hides, hints) {
    const parts = partsOf(step);
    const { node, parent, upstream, local, product, value, isLast } = step;
    const { before } = parts[0];
    const x = nodes[parent];
    const [given, sum] = [`${numberText(upstream)} · ${heldText(local)} = ${numberText(product)}`, numberText(value)];
    const [givers, products] = [parts.map((part) => nodes[part.node].name), parts.map((part) => part.product)];
    const told = parts.length > 1 ? [`${x.name} receives from ${listed(givers)}: ${inSum(products)} = ${sum}.`] : [
      `${x.name} receives ${given} from ${nodes[node].name}.`,
      before !== 0 && `${x.gradient} is now ${inSum([before, product])} = ${sum}.`,
      isLast && "Nothing more arrives.",
    ];
    const question = [
      `${x.name} receives its ${parts.length > 1 ? "parts" : "part"} through ${listed(givers)}.`,
      before !== 0 && `So far ${x.gradient} is ${numberText(before)}.`,
      `What is ${x.gradient}${parts.length > 1 ? "" : " after this step"}?`,
    ];
    return {
      title: "Backward",
      formula: [`<mrow class="grad" data-node="${parent}">${gradientMath(root, x)}</mrow>`,
        ...chainRule(step, parts, hints), equals(result("grad", value, hides))],
      aside: hints > 0 ? parts.slice(0, 2).flatMap(localRule) : [],
      sentence: (hides ? question : told).filter(Boolean).join(" "),
    };
  },

  end: () => ({
    title: "Both passes done",
    formula: side(walk.parameters, (i) => gradientMath(root, nodes[i]) + equals(coloured("grad", walk.run.grads[i]))),
    sentence: `Each gradient says how fast ${root.name} moves when its input does. ▶ moves ${
      walk.parameters.length < INPUTS.length ? "the weights and biases" : "the inputs"} a step downhill.`,
  }),

  update() {
    const { before, promised, after, fault } = walk.update();
    const { inputs, run: { grads }, rate } = walk;
    const largest = walk.leading;
    const { name, markup } = nodes[largest];
    const less = (x, by, slope) => `<mo>←</mo>${x}<mo>−</mo>${by}<mo>·</mo><mrow class="grad">${slope}</mrow>`;
    const figures = { before, promised, after };
    return {
      title: "Update",
      formula: [markup + less(markup, "<mi>η</mi>", gradientMath(root, nodes[largest])),
        less(numberMath(inputs[largest]), numberMath(rate), heldMath(grads[largest])).replace("←", "="),
        equals(coloured("value", inputs[largest] - rate * grads[largest]))],
      aside: Object.entries(figures).map(([when, x]) =>
        `<mtext>${when}</mtext>${THIN}${root.markup}${x === undefined ? "<mo>?</mo>" : equals(coloured("value", x))}`),
      sentence: fault ? `${fault}. A smaller η keeps ${root.name} where it has a value.`
        : `Each ${walk.parameters.length < INPUTS.length ? "weight and bias" : "input"} moves by −η times its gradient${
          walk.parameters.length > 1 ? `, ${name} the most` : ""}. Promised is ${root.name} − η Σ g²; after is the forward pass,${
          Math.abs(after - promised) > Math.abs(before - promised) / 2 ? " really run: the step is too long for the promise."
            : " really run."}`,
    };
  },
};

/** What many nodes find in one step, as equations. */
function ofLayer({ phase, parts }) {
  const about = [...new Set(parts.map(aboutOf))];
  const isForward = phase === "forward";
  const known = isForward ? walk.run.data : walk.run.grads;
  const words = listed(about.map((i) => nodes[i].name));
  return {
    title: isForward ? "Forward" : "Backward",
    formula: side(about, (i) =>
      (isForward ? nodes[i].markup : gradientMath(root, nodes[i])) + equals(coloured(isForward ? "value" : "grad", known[i]))),
    sentence: isForward ? `${words} are computed from the layers before them.`
      : `${words} receive what ${listed([...new Set(parts.map(({ node }) => nodes[node].name))])} give back.`,
  };
}

/** ∂f/∂s = ∂f/∂y ∂y/∂s + ∂f/∂z ∂z/∂s: what has arrived of it, in the slide's order; other steps' terms are faint. */
function chainRule({ parent, isLast }, parts, hints) {
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
  const local = (term, written) => `<mrow class="local" data-edge="${edgeOf(term)}" tabindex="0">${written}</mrow>`;
  const symbols = (term) => `<mrow class="upstream" data-node="${term.node}">${gradientMath(root, nodes[term.node])}</mrow>${
    /^<mn/.test(inLetters(term)) ? "<mo>·</mo>" : THIN}${local(term, inLetters(term) ?? slopeOf(term))}`;
  const numbers = (term, held) => (parts.includes(term)
    ? `<mrow class="upstream">${held(term.upstream)}</mrow><mo>·</mo>${local(term, heldMath(term.local))}` : held(term.product));
  return [symbols, numbers].slice(0, hints).flatMap(summed);
}

/** A local derivative in the letters of its rule; of a z of the lecture where it is one letter, as the slides write it. */
const formulaOf = ({ node, operand }) => {
  const { rule, parents, markup } = nodes[node];
  return filled(rules[rule].locals[operand], parents.map((p) => nodes[p].markup), markup);
};
const inLetters = (term) => {
  const formula = nodes[term.node].delta && formulaOf(term);
  return formula && !/<mo|<mrow/.test(formula) ? formula : null;
};
const slopeOf = (term) => partialMath(nodes[term.node], nodes[term.parent], which(term));

function localRule(term) {
  const formula = formulaOf(term);
  return !formula || inLetters(term) ? [] : [`<mrow class="local">${slopeOf(term)}</mrow>${equals(formula)}`];
}

/** No line ends inside a product, a sum, y = 6 or ∂f/∂s; after a product or a sum, one may begin with =. */
const unbroken = (sentence) => sentence.replace(/ ([·+=]) /g, "\u00a0$1\u00a0")
  .replace(/([·+]\u00a0\S+)\u00a0=/g, "$1 =").replaceAll("/∂", "/\u2060∂");

const THIN = '<mspace width="0.2em"/>';
const equals = (markup) => `<mo>=</mo>${markup}`;
const coloured = (role, x) => `<mrow class="${role}">${numberMath(x)}</mrow>`;
const result = (role, x, hides) => (hides ? "<mo>?</mo>" : coloured(role, x));
const inSum = (x) => x.map((xi, i) => (i ? heldText(xi) : numberText(xi))).join(" + ");
const operandText = ({ kind, name }, x) => (kind === "constant" ? numberText(x) : `${name} = ${numberText(x)}`);
const side = (about, write) => [...about.slice(0, MOST_EQUATIONS).map(write), ...(about.length > MOST_EQUATIONS ? ["<mo>⋯</mo>"] : [])];
const listed = (words) =>
  new Intl.ListFormat("en-GB").format(words.length > 6 ? [...words.slice(0, 4), `${words.length - 4} more`] : words);

/** ① or ② where a node takes the same operand more than once. */
function which({ node, operand, parent }) {
  const twice = nodes[node].parents.filter((p) => p === parent).length > 1;
  return twice ? String.fromCodePoint(0x2460 + Math.min(operand, 19)) : "";
}

/** What an input that was moved by hand shows of its gradient. */
function promise({ input, by, promised, really }) {
  return `${nodes[input].name} ${changeText(by)}: the gradient promises ${changeText(promised)}, ${root.name} moved ${changeText(really)}.`;
}

// ---- showing ------------------------------------------------------------------------------------------------------

let last = {}; // what was shown before

function show() {
  const { step, hides, hints, position, steps, tally } = walk;
  const { title, formula, aside = [], sentence } = step.parts && step.node === undefined ? ofLayer(step) : PHASES[step.phase](step, hides, hints);
  const inPhase = steps.filter(({ phase }) => phase === step.phase);
  const count = inPhase.length > 1 ? `, ${inPhase.indexOf(step) + 1} of ${inPhase.length}` : "";
  named("phase").textContent = title + count + (walk.round > 1 ? ` · round ${walk.round}` : "");
  Object.assign(named("walk").dataset, { phase: step.phase, pass: position < walk.turn || step.phase === "update" ? "on" : "back" });
  named("formula").innerHTML = formula.map(math).join(" ");
  named("aside").innerHTML = aside.map(math).join(" ");
  named("sentence").textContent = unbroken(walk.moved && !walk.isPredicting ? promise(walk.moved) : sentence);
  const asks = walk.isPredicting && step.value !== undefined;
  named("question").hidden = !asks;
  named("descent").hidden = step.phase !== "update";
  named("tally").hidden = !walk.isPredicting;
  if (asks) {
    const about = nodes[aboutOf(step)];
    const isForward = step.phase === "forward";
    named("asked").innerHTML = math(`${isForward ? about.markup : gradientMath(root, about)}<mo>=</mo>`);
    named("answer").setAttribute("aria-label", isForward ? about.name : about.gradient);
  }
  if (tally) named("tally").textContent = `${tally.right} right, ${tally.helped} with help, ${tally.revealed} revealed`;
  const region = named("formula"); // what has to be scrolled can be reached by keys
  if (region.scrollWidth > region.clientWidth) region.tabIndex = 0;
  else region.removeAttribute("tabindex");
  named("scrubber").style.setProperty("--turn", walk.turn / (steps.length - 1));
  named("scrubber").style.setProperty("--at", position / (steps.length - 1));
  mark(`${position} of ${steps.length - 1}: ${named("phase").textContent}`, hides || step.phase === "update");
  const more = walk.mayReveal ? "Reveal" : step.phase === "update" ? "Again" : "";
  Object.assign(named("next"), { textContent: more || "▶", ariaLabel: more || "Next" });
  named("next").classList.toggle("proposed", walk.mayReveal && walk.tries > 2);
  named("play").setAttribute("aria-disabled", walk.isPredicting);
  const found = position === last.position + 1 ? !hides : position === last.position && last.hides && !hides;
  const shown = walk.shown();
  showPicture(step, hides, shown, found);
  last = { position, hides, shown };
}

const edgeOf = ({ node, operand }) => `${node}:${operand}`;

function showPicture(step, hides, shown, found) {
  for (const old of all(".drop, .seat, .sum")) old.remove();
  const parts = partsOf(step);
  const about = new Set(parts.map(aboutOf));
  const givers = new Set(step.phase === "backward" ? parts.map(({ node }) => node) : []);
  for (const box of all(".node[role]")) {
    const i = Number(box.dataset.node);
    const isNow = about.has(i) || (step.phase === "update" && i === walk.leading);
    paint(box, i, shown[i], hides && about.has(i) && (step.phase === "forward" ? "data" : "grad"));
    box.classList.toggle("now", isNow);
    box.classList.toggle("giver", givers.has(i));
    box.setAttribute("tabindex", i === ([...about][0] ?? nodes.length - 1) ? 0 : -1);
    const { x, y, width, height } = box.getBBox();
    const isShared = width && box.matches(".box > .node") && box.parentElement.querySelectorAll(".node").length > 1;
    if (isNow && isShared) box.prepend(make("rect", { class: "seat", x: x - 4, y: y - 2, width: width + 8, height: height + 4, rx: 4 }));
  }
  const passed = new Set(walk.steps.slice(0, walk.position).flatMap(partsOf).filter(({ phase }) => phase === "backward").map(edgeOf));
  const carrying = new Map(step.phase === "backward" ? parts.map((part) => [edgeOf(part), part]) : []);
  const feeds = step.phase === "forward" ? parts.map(({ node }) => `${node}`) : [];
  for (const edge of all(".edge[data-edge]")) {
    const name = edge.dataset.edge;
    edge.classList.toggle("feeding", feeds.includes(name.split(":")[0]));
    edge.classList.toggle("carrying", carrying.has(name));
    edge.classList.toggle("passed", passed.has(name) && !carrying.has(name) && step.phase !== "update");
  }
  for (const words of all("text.local")) {
    const part = carrying.get(words.dataset.edge);
    words.textContent = part && !weightOn(words.dataset.edge) ? `· ${hides ? "?" : part.local < 0 ? `(${pictureText(part.local)})` : pictureText(part.local)}` : "";
  }
  const sums = [...about].filter((i) => step.phase === "backward" && !hides);
  const land = () => sums.forEach((i) => writeSum(i, parts.filter(({ parent }) => parent === i)));
  if (found && !stillness.matches && (feeds.length || carrying.size)) travel(parts, about, shown, land);
  else land();
  const ends = [...about, ...givers].flatMap((i) => all(`.node[data-node="${i}"]`));
  viewers.forEach((viewer) => viewer.follow(ends.map((end) => end.closest(".box, .weight"))));
}

/** Number and gradient of a node, and what it is called for those who listen. */
function paint(box, i, { data, grad, isPartial }, asks) {
  const { name, gradient, delta } = nodes[i];
  const write = (kind, text) => {
    const place = box.querySelector(`.${kind}`);
    if (place) place.textContent = asks === kind ? "?" : text;
  };
  write("data", data === undefined ? "" : pictureText(data));
  write("grad", grad === undefined ? "" : isPartial ? `${pictureText(grad)}…` : `${delta ? "δ" : "∂"} ${pictureText(grad)}`);
  box.classList.toggle("waiting", data === undefined && asks !== "data");
  const exact = (x) => numberText(x, 17);
  const words = [data !== undefined && `${name} = ${numberText(data)}`, grad !== undefined && `${gradient} = ${numberText(grad)}${isPartial ? " so far" : ""}`];
  box.setAttribute("aria-label", words.filter(Boolean).join(", ") || `${name}, not computed yet`);
  box.querySelector("title").textContent = box.ariaLabel;
}

/** The weight that stands on the wire of an operand of z, if any. */
function weightOn(edge) {
  const [node, operand] = edge.split(":").map(Number);
  const parents = nodes[node].parents;
  return document.querySelector(`.weight[data-node="${parents[operand - Math.floor(parents.length / 2)]}"]`);
}

/** What arrives runs along its wires, a dot whose area tells how much; the number changes when it lands. */
function travel(parts, about, shown, land) {
  const position = walk.position;
  const waits = [...about].flatMap((i) => all(`.node[data-node="${i}"]`).map((box) => [box, i]));
  for (const [box, i] of waits) paint(box, i, last.shown[i]);
  const largest = Math.max(...walk.run.steps.map(({ product = 0 }) => Math.abs(product)).filter(Number.isFinite)) || 1;
  const isBack = parts[0].phase === "backward";
  const runs = all(".edge.feeding, .edge.carrying").filter((edge) => edge.getClientRects().length).flatMap((edge) => {
    const wire = edge.querySelector(".wire");
    const part = parts.find((found) => edgeOf(found) === edge.dataset.edge);
    const r = part ? Math.max(1.5, 10 * Math.sqrt(Math.min(1, Math.abs(part.product) / largest))) : 4.5;
    return [{ wire, length: wire.getTotalLength(), dot: edge.parentElement.parentElement.appendChild(make("circle", { class: "drop", r })) }];
  });
  const time = 700 / speed;
  const began = performance.now();
  const move = (now) => {
    if (walk.position !== position || !runs.every(({ dot }) => dot.isConnected)) return;
    const part = Math.min(1, (now - began) / time);
    const way = isBack ? 1 - part : part;
    for (const { wire, length, dot } of runs) {
      const { x, y } = wire.getPointAtLength(length * way);
      dot.setAttribute("transform", `translate(${x} ${y})`);
    }
    if (part < 1) return void requestAnimationFrame(move);
    for (const { dot } of runs) dot.remove();
    for (const [box, i] of waits) paint(box, i, shown[i]);
    land();
  };
  move(began);
}

/** Beside the node that has received: 12 + 12 = 24, where it covers no other box. */
function writeSum(i, parts) {
  const { before } = parts[0];
  const terms = before === 0 ? parts.map(({ product }) => product) : [before, ...parts.map(({ product }) => product)];
  if (terms.length < 2 || terms.length > 4) return;
  const text = `${terms.map((x, k) => (k && x < 0 ? `(${pictureText(x)})` : pictureText(x))).join(" + ")} = ${pictureText(parts.at(-1).value)}`;
  for (const viewer of viewers) {
    const box = viewer.svg.querySelector(`.node[data-node="${i}"]`)?.closest(".box, .weight");
    if (!box?.getClientRects().length) continue;
    const [{ x, y }, half] = [viewer.place(box), 4 * text.length];
    const middle = (x[0] + x[1]) / 2;
    const places = [[middle, y[1] + 15], [middle, y[0] - 6], [x[1] + half + 6, y[1] - 4], [x[0] - half - 6, y[1] - 4]];
    const others = [...viewer.svg.querySelectorAll(".box, .weight")].map((other) => viewer.place(other));
    const isFree = ([u, v]) => !others.some((other) =>
      other.x[0] < u + half && other.x[1] > u - half && other.y[0] < v + 4 && other.y[1] > v - 13);
    const place = places.find(isFree);
    if (place) viewer.svg.append(make("text", { class: "sum", x: place[0], y: place[1] }, text));
  }
}

// ---- the picture in its frame --------------------------------------------------------------------------------------

class Follower extends Viewer {
  /** All of the picture where its type can be read, else closer, at the boxes of the step. */
  follow(boxes) {
    if (!this.frame.clientWidth) return;
    const least = 0.75; // 13 px are drawn as 9.75
    if (this.fitted.scale < least && !this.isFollowing) {
      this.moved = this.isFollowing = true;
      this.goal = { ...this.goal, scale: least };
    }
    this.reveal(boxes);
  }
}
const viewers = all(".wide, .tall").map((frame) => {
  const svg = frame.querySelector("svg");
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", "Nodes; arrows up and down move between them");
  return new Follower(frame, svg);
});

/** The picture above the words or beside them, to the right or upward: whatever shows its type the largest. */
function arrange() {
  const { clientWidth, clientHeight } = named("stage");
  const em = parseFloat(getComputedStyle(named("stage")).fontSize);
  const ways = [["above", clientWidth, clientHeight - 11 * em]];
  if (clientWidth > 560) ways.push(["beside", clientWidth - Math.min(24 * em, 0.44 * clientWidth), clientHeight]);
  const [best] = ways.flatMap(([place, width, height]) => viewers.map(({ svg, frame }) =>
    ({ place, turn: frame.className.split(" ")[0], scale: Math.min(width / svg.natural.width, height / svg.natural.height, 1.3) })))
    .sort((one, other) => other.scale - one.scale);
  Object.assign(named("stage").dataset, { place: best.place, turn: best.turn });
  if (last.shown) show();
}
new ResizeObserver(arrange).observe(named("stage"));

/** Pointing at a term or an edge lights both. */
function glow({ target }) {
  for (const lit of all(".glow")) lit.classList.remove("glow");
  const { edge, node } = target?.closest?.("[data-edge], [data-node]")?.dataset ?? {};
  const both = edge ? [`[data-edge="${edge}"]`] : node ? [`[data-node="${node}"]`] : [];
  both.flatMap(all).concat(edge ? weightOn(edge) ?? [] : []).forEach((lit) => lit.classList.add("glow"));
}
for (const kind of ["pointerover", "focusin"]) named("stage").addEventListener(kind, glow);
named("stage").addEventListener("pointerleave", glow);

// ---- predicting ---------------------------------------------------------------------------------------------------

named("question").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!walk.hides) return next();
  const field = named("answer");
  const answer = field.value.trim();
  if (!answer) return say("Type the number that you expect.", "");
  const { verdict, slips } = walk.answer(answer);
  const { tries } = walk;
  show();
  const help = tries > 2 ? " Reveal shows it." : tries > 1 ? " Above are the numbers." : " Above is the rule.";
  const words = {
    right: `✓ Right: ${numberText(walk.step.value)}. Enter leads on.`,
    unreadable: `“${answer}” is no number that can be read: write 24, −0.5, 0,33 or 1/3.`,
    coarse: `${answer} is right as far as it goes; it needs more digits.`,
    wrong: slips.length ? `✗ Not yet. ${answer} is what one gets if ${slips.join("; or ")}.${tries > 1 ? help : ""}`
      : `✗ Not yet: ${answer} is not it.${help}`,
  };
  field.select();
  return say(words[verdict], verdict);
});

function say(words, verdict) {
  named("verdict").textContent = words;
  named("verdict").dataset.verdict = verdict;
}

// ---- the inputs ---------------------------------------------------------------------------------------------------

/** Writes the inputs' numbers into fields and sliders, but for the one that is being moved; no fault is left. */
function showInputs(moved = null) {
  named("fault").textContent = "";
  for (const control of all("[data-input]")) {
    const x = walk.inputs[control.dataset.input];
    control.removeAttribute("aria-invalid");
    if (control === moved) continue;
    if (control.type === "range") {
      const reach = Math.max(1, 2 * Math.abs(walk.first[control.dataset.input]), Math.abs(x) - 1) || 1;
      [control.min, control.max, control.step] = [-reach, reach, reach / 200];
      control.value = x;
    } else {
      control.value = numberText(x); // to six digits; the number itself stays as it is until it is changed
    }
  }
}

function changeInput(i, text, slider = null) {
  const field = named(`input-${i}`);
  const [reading] = readings(text);
  try {
    if (!reading || !Number.isFinite(reading.value)) throw new Fault(`“${text}” is no number that can be read`);
    if (text !== numberText(walk.inputs[i])) walk.change(i, reading.value);
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    if (slider) field.value = text.replace("-", MINUS);
    field.setAttribute("aria-invalid", "true");
    named("fault").textContent = `${fault.message}. The page keeps ${nodes[i].name} = ${numberText(walk.inputs[i])}.`;
    return;
  }
  say("", "");
  showInputs(slider ?? field);
  show();
}

/** Judges what is typed when it pauses or the field is left, never on the way to −1e-3. */
function judgedAtRest(field, judge) {
  let rest;
  field.addEventListener("input", () => { clearTimeout(rest); rest = setTimeout(judge, 600); });
  field.addEventListener("change", () => { clearTimeout(rest); judge(); });
}

for (const i of INPUTS) {
  const row = document.createElement("div");
  row.innerHTML = `<label for="${ID}input-${i}">${math(nodes[i].markup)}</label>
    <input id="${ID}input-${i}" data-input="${i}" inputmode="decimal" size="8" autocomplete="off"
      aria-describedby="${ID}fault">
    <input data-input="${i}" type="range">`;
  const [, field, slider] = row.children;
  field.setAttribute("aria-label", nodes[i].name);
  slider.setAttribute("aria-label", `${nodes[i].name}, slider`);
  judgedAtRest(field, () => changeInput(i, field.value));
  field.addEventListener("change", () => walk.settle());
  slider.addEventListener("input", () => changeInput(i, Number(slider.value).toPrecision(6), slider));
  slider.addEventListener("change", () => walk.settle());
  named("fields").append(row);
}

judgedAtRest(named("rate"), () => {
  const [reading] = readings(named("rate").value);
  const isRate = reading && reading.value > 0 && Number.isFinite(reading.value);
  named("rate").toggleAttribute("aria-invalid", !isRate);
  if (isRate) walk.rate = reading.value;
  show();
});

// ---- moving -------------------------------------------------------------------------------------------------------

function move(how) {
  how();
  say("", "");
  named("answer").value = "";
  show();
}

function next() {
  if (walk.step.phase !== "update") {
    let isAllowed;
    move(() => { isAllowed = walk.next(); });
    if (isAllowed) return;
    say("Your guess first: type the number that you expect.", "");
    named("answer").focus();
  } else if (!walk.update().fault) {
    move(() => walk.again());
    showInputs();
  }
}

const { stop, mark } = controls({
  at: () => walk.position,
  get last() { return walk.steps.length - 1; },
  go: (position) => move(() => walk.go(position)),
  next,
  get pace() { return 1800 / speed; },
});

function pressed(event) {
  const box = event.currentTarget;
  const by = { ArrowDown: 1, ArrowUp: -1, Enter: 0, " ": 0 }[event.key];
  if (by === undefined || !isPlain(event)) return;
  const boxes = [...box.ownerSVGElement.querySelectorAll(".node[role]")].sort((x, y) => x.dataset.node - y.dataset.node);
  if (by) boxes.at((boxes.indexOf(box) + by) % boxes.length).focus();
  else box.dispatchEvent(new Event("click"));
  event.preventDefault();
}

/** Words and numbers to choose from. */
function chooses(select, options, chosen, how) {
  select.innerHTML = options.map(([value, words]) => `<option value="${value}"${value === chosen ? " selected" : ""}>${words}</option>`).join("");
  select.addEventListener("change", () => how(select.value));
}

named("type").append(named("large"));
named("modes").innerHTML = `<span id="${ID}phase"></span>&nbsp;·&nbsp;<select id="${ID}grain" aria-label="The size of a step"></select>`;
chooses(named("grain"), GRAINS.map((grain) => [grain, `by ${grain}`]), "edge", (grain) => stop(() => move(() => walk.choose(grain))));
chooses(named("speed"), [0.5, 1, 2, 4].map((x) => [x, `${x}×`]), 1, (x) => stop(() => { speed = Number(x); }));
named("rate").value = numberText(walk.rate);
showInputs();
for (const box of all(".node[data-node]")) {
  box.setAttribute("role", "button");
  box.addEventListener("click", () => stop(() => move(() => walk.go(walk.stepOf(Number(box.dataset.node))))));
  box.addEventListener("keydown", pressed);
}
for (const edge of all(".edge:not(.inner)")) {
  const hit = edge.querySelector(".wire").cloneNode();
  hit.setAttribute("class", "hit");
  edge.prepend(hit);
}
named("reset").addEventListener("click", () => { move(() => walk.reset()); showInputs(); });
Object.assign(named("back"), { textContent: "◀", ariaLabel: "Back" });
Object.assign(button("buttons", "turn", "", () => stop(() => move(() => walk.goBack()))),
  { innerHTML: '∂<span class="long"> backward pass</span>', ariaLabel: "To the backward pass", title: "To the backward pass" });
named("buttons").append(named("turn"));
toggle("predict", "Predict", (on) => {
  stop(() => move(() => walk.predict(on)));
  if (walk.hides) named("answer").focus();
});
toggle("more", "More", (on) => { named("drawer").hidden = !on; });
named("choices").append(named("predict"), named("more"));
named("large").addEventListener("click", arrange);
if (PREDICTING) named("predict").click();
show();

// The page: it shows where the walk is, and turns buttons, keys and clicks into steps. All numbers come from `Walk`.

const walk = new Walk(GRAPH);
const { nodes, rules } = GRAPH;
const root = nodes.at(-1);
for (const node of nodes) if (node.kind === "constant") node.markup = numberMath(Number(node.data));
const all = (selector) => [...named("walk").querySelectorAll(selector)];
const THIN = '<mspace width="0.25em"/>';
const INPUTS = nodes.flatMap(({ kind }, i) => (kind === "input" ? [i] : []));
const MOST_TERMS = 3; // of the chain rule's sum, written out

// ---- what each phase says: a formula of pieces between which a line may break, a sentence, what stands below ------

const PHASES = {
  start: () => ({
    title: "The inputs",
    formula: INPUTS.slice(0, 8).map((i) => nodes[i].markup + equals(numberMath(walk.run.data[i]))),
    sentence: "The inputs have their numbers; the forward pass computes every other node from its operands. " +
      "Press Next, or the arrow key →.",
  }),

  forward({ node, value }, hides) {
    const { name, markup, rule, parents } = nodes[node];
    const { value: template } = rules[rule];
    const symbols = filled(template, parents.map((parent) => nodes[parent].markup), markup);
    const numbers = filled(template, parents.map((parent) => walk.run.data[parent]), value, heldMath, numberMath);
    const operands = listed(parents.map((parent) => operandText(nodes[parent], walk.run.data[parent])));
    const sides = [symbols, numbers !== numberMath(value) && numbers, result(value, hides)];
    return {
      title: "Forward pass",
      formula: [markup, ...sides.filter(Boolean).map(equals)],
      sentence: hides ? `What is ${name}? It is computed from ${operands}.`
        : `${name} is computed from ${operands}: ${name} = ${numberText(value)}.`,
    };
  },

  seed: ({ value }, hides) => ({
    title: "Backward pass",
    formula: [gradientMath(root, root), equals(result(value, hides))],
    sentence: hides ? `The backward pass starts at ${root.name}. What is ${root.gradient}?`
      : `The backward pass starts at ${root.name}, which moves as fast as itself: ${root.gradient} = 1.`,
  }),

  backward(step, hides) {
    const { node, operand, parent, upstream, local, product, before, value, isLast } = step;
    const [y, x] = [nodes[node], nodes[parent]];
    const slope = partialMath(y, x, which(step));
    const factors = `${tagged("upstream", gradientMath(root, y))}<mo>·</mo>${tagged("local", slope)}`;
    const numbers = hides ? [] : [`${numberMath(upstream)}<mo>·</mo>${heldMath(local)}`, numberMath(product)];
    const formula = filled(rules[y.rule].locals[operand], y.parents.map((p) => nodes[p].markup), y.markup);
    const inLetters = formula && formula !== numberMath(local) ? equals(formula) : "";
    const [given, sum] = [`${numberText(upstream)} · ${heldText(local)} = ${numberText(product)}`, numberText(value)];
    const told = [
      `${x.name} receives ${given} from ${y.name}.`,
      before !== 0 && `${x.gradient} is now ${numberText(before)} + ${heldText(product)} = ${sum}.`,
      isLast && "Nothing more arrives.",
    ];
    const question = [
      `${x.name} receives its part through ${y.name}.`,
      before !== 0 && `So far ${x.gradient} is ${numberText(before)}.`,
      `What is ${x.gradient} after this step?`,
    ];
    const slopeIs = [`<mrow class="local">${slope}</mrow>`, inLetters + equals(numberMath(local))];
    return {
      title: "Backward pass",
      formula: [`${gradientMath(root, x)}<mo>+=</mo>${factors}`, ...numbers.map(equals)],
      sentence: (hides ? question : told).filter(Boolean).join(" "),
      terms: hides ? [] : [slopeIs, ...chainRule(step)],
    };
  },

  end: () => ({
    title: "Both passes are done",
    formula: [],
    sentence: `Each gradient says how fast ${root.name} moves when its input does.`,
    terms: INPUTS.map((i) => [gradientMath(root, nodes[i]), equals(numberMath(walk.run.grads[i]))]),
  }),
};

/** ∂f/∂s = ∂f/∂y ∂y/∂s + ∂f/∂z ∂z/∂s, what has arrived of it, in the slide's order; the numbers below. */
function chainRule(step) {
  const { parent, value, isLast } = step;
  const x = nodes[parent];
  const steps = arrived(walk.steps, walk.position, parent);
  const from = Math.max(0, steps.indexOf(step) - MOST_TERMS + 1);
  const shown = steps.slice(from, from + MOST_TERMS);
  const summed = (write) => {
    const mark = (term, written) => (term === step ? `<mrow class="latest">${written}</mrow>` : written);
    const terms = shown.map((term, i) => mark(term, write(term, i)));
    if (!isLast || from) terms.unshift("<mo>⋯</mo>");
    if (from + MOST_TERMS < steps.length) terms.push("<mo>⋯</mo>");
    return equals(terms.join("<mo>+</mo>"));
  };
  const symbols = summed((term) =>
    gradientMath(root, nodes[term.node]) + THIN + partialMath(nodes[term.node], x, which(term)));
  const numbers = summed(({ product }, i) => (i || !isLast ? heldMath(product) : numberMath(product)));
  const sum = numberMath(value);
  const lines = [[gradientMath(root, x), symbols], ["", numbers]];
  if (steps.length > 1 && isLast) lines[1][1] += equals(sum);
  if (steps.length > 1 && !isLast) lines.push(["", `<mtext>so far</mtext>${THIN}${sum}`]);
  return lines;
}

/** No line ends inside a product, a sum, y = 6 or ∂f/∂s; after a product or a sum, one may begin with =. */
const unbroken = (sentence) => sentence.replace(/ ([·+=]) /g, "\u00a0$1\u00a0")
  .replace(/([·+]\u00a0\S+)\u00a0=/g, "$1 =").replaceAll("/∂", "/\u2060∂");

const equals = (markup) => `<mo>=</mo>${markup}`;
const result = (value, hides) => `<mrow class="result">${hides ? "<mo>?</mo>" : numberMath(value)}</mrow>`;
const tagged = (role, markup) =>
  `<munder><mrow class="${role}">${markup}</mrow><mtext class="${role} tag">${role}</mtext></munder>`;
const operandText = ({ kind, name }, x) => (kind === "constant" ? numberText(x) : `${name} = ${numberText(x)}`);

const listed = (words) =>
  new Intl.ListFormat("en-GB").format(words.length > 6 ? [...words.slice(0, 4), `${words.length - 4} more`] : words);

/** ① or ② where a node takes the same operand more than once. */
function which({ node, operand, parent }) {
  const twice = nodes[node].parents.filter((p) => p === parent).length > 1;
  return twice ? String.fromCodePoint(0x2460 + Math.min(operand, 19)) : "";
}

// ---- showing ------------------------------------------------------------------------------------------------------

function show() {
  const { step, hides, position, steps } = walk;
  const { title, formula, sentence, terms = [] } = PHASES[step.phase](step, hides);
  const inPhase = steps.filter(({ phase }) => phase === step.phase);
  const count = inPhase.length > 1 ? `, ${inPhase.indexOf(step) + 1} of ${inPhase.length}` : "";
  named("phase").textContent = title + count;
  named("walk").dataset.phase = step.phase;
  named("formula").innerHTML = formula.map(math).join(" ");
  named("sentence").textContent = unbroken(sentence);
  named("terms").innerHTML = terms.flat().map((side) => `<div>${math(side)}</div>`).join("");
  const asks = walk.isPredicting && step.value !== undefined;
  named("question").hidden = !asks;
  if (asks) {
    const about = nodes[aboutOf(step)];
    const isForward = step.phase === "forward";
    named("asked").innerHTML = math(`${isForward ? about.markup : gradientMath(root, about)}<mo>=</mo>`);
    named("answer").setAttribute("aria-label", isForward ? about.name : about.gradient);
  }
  for (const region of [named("formula"), named("terms")]) {
    // what has to be scrolled can be reached by keys
    const { scrollWidth, clientWidth, scrollHeight, clientHeight } = region;
    if (scrollWidth > clientWidth || scrollHeight > clientHeight) region.tabIndex = 0;
    else region.removeAttribute("tabindex");
  }
  named("passes").style.setProperty("--turn", walk.turn / (steps.length - 1));
  mark(`${position} of ${steps.length - 1}: ${named("phase").textContent}`, hides);
  named("next").textContent = hides ? "Reveal" : "Next ▶";
  named("play").setAttribute("aria-disabled", walk.isPredicting);
  showPicture(step, hides);
}

function showPicture(step, hides) {
  const shown = visible(GRAPH, walk.run, walk.position, hides);
  const about = aboutOf(step);
  for (const box of all(".node")) {
    const i = Number(box.dataset.node);
    const { data, grad, isPartial } = shown[i];
    const { kind, name, gradient, delta } = nodes[i];
    const asks = hides && i === about && (step.phase === "forward" ? "data" : "grad");
    const [number, slope] = [data, grad].map((x) => (x === undefined ? "" : numberText(x)));
    const shownSlope = asks === "grad" ? "?" : slope && slope + (isPartial ? "…" : "");
    box.querySelector(".data").textContent = asks === "data" ? "?" : number;
    const isShown = kind !== "constant" && shownSlope;
    box.querySelector(".grad").textContent = isShown ? `${delta ? "δ" : "∂"} ${shownSlope}` : "";
    box.classList.toggle("waiting", data === undefined && asks !== "data");
    box.classList.toggle("now", i === about);
    box.classList.toggle("giver", step.phase === "backward" && i === step.node);
    if (kind === "constant") continue;
    const words = [number && `${name} = ${number}`, slope && `${gradient} = ${slope}${isPartial ? " so far" : ""}`];
    box.querySelector("title").textContent = words.filter(Boolean).join(", ") || `${name}, not computed yet`;
    box.setAttribute("tabindex", i === (about ?? nodes.length - 1) ? 0 : -1);
  }
  const passed = new Set(walk.steps.slice(0, walk.position).filter(({ phase }) => phase === "backward").map(edgeOf));
  for (const edge of all(".edge")) {
    const isCarrying = step.phase === "backward" && edge.dataset.edge === edgeOf(step);
    edge.classList.toggle("feeding", step.phase === "forward" && edge.dataset.edge.startsWith(`${step.node}:`));
    edge.classList.toggle("carrying", isCarrying);
    edge.classList.toggle("passed", passed.has(edge.dataset.edge) && !isCarrying);
    const local = isCarrying && (hides ? "?" : heldText(Number(step.local.toPrecision(3))));
    edge.querySelector(".local").textContent = isCarrying ? `· ${local}` : "";
  }
  if (about !== undefined) bringIntoView(about, step.node);
}

const edgeOf = ({ node, operand }) => `${node}:${operand}`;

/** Scrolls the picture, and nothing around it, so that a box can be seen, and where there is room the giver too. */
function bringIntoView(node, giver) {
  for (const frame of all(".wide, .tall")) {
    const [box, other] = [node, giver].map((i) => frame.querySelector(`[data-node="${i}"]`).getBoundingClientRect());
    const view = frame.getBoundingClientRect();
    if (!view.width) continue; // the other picture is shown
    const [left, top] = [["left", "right"], ["top", "bottom"]].map(([low, high]) => {
      const both = [Math.min(box[low], other[low]), Math.max(box[high], other[high])];
      const [from, to] = both[1] - both[0] <= view[high] - view[low] ? both : [box[low], box[high]];
      return from < view[low] || to > view[high] ? (from + to - view[low] - view[high]) / 2 : 0;
    });
    const isFar = Math.abs(left) > view.width || Math.abs(top) > view.height;
    frame.scrollBy({ left, top, behavior: isFar ? "instant" : "auto" }); // auto is what the style says
  }
}

// ---- predicting ---------------------------------------------------------------------------------------------------

named("question").addEventListener("submit", (event) => {
  event.preventDefault();
  const { hides } = walk;
  if (!hides) return move(() => walk.next());
  const field = named("answer");
  const answer = field.value.trim();
  if (!answer) return say("Type the number that you expect; Reveal shows it.", "");
  const { verdict, slips } = walk.answer(answer);
  if (verdict === "right") show();
  const words = {
    right: `✓ Right: ${numberText(walk.step.value)}. Enter leads on.`,
    unreadable: `“${answer}” is no number that can be read: write 24, −0.5, 0,33 or 1/3.`,
    coarse: `${answer} is right as far as it goes; it needs more digits.`,
    wrong: slips.length ? `✗ Not yet. ${answer} is what one gets if ${slips.join("; or ")}.`
      : `✗ Not yet: ${answer} is not it. Try again, or Reveal.`,
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
    walk.change(i, reading.value);
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

// ---- moving -------------------------------------------------------------------------------------------------------

function move(how) {
  how();
  say("", "");
  named("answer").value = "";
  show();
}

const { stop, mark } = controls({
  at: () => walk.position,
  last: walk.steps.length - 1,
  go: (position) => move(() => walk.go(position)),
  next: () => move(() => walk.next()),
  pace: 1800,
});

function pressed(event) {
  const box = event.currentTarget;
  const by = { ArrowDown: 1, ArrowUp: -1, Enter: 0, " ": 0 }[event.key];
  if (by === undefined || !isPlain(event)) return;
  const boxes = [...box.parentElement.children].filter((other) => other.hasAttribute("tabindex"));
  if (by) boxes.at((boxes.indexOf(box) + by) % boxes.length).focus();
  else box.dispatchEvent(new Event("click"));
  event.preventDefault();
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
  field.addEventListener("input", () => changeInput(i, field.value));
  slider.addEventListener("input", () => changeInput(i, Number(slider.value).toPrecision(6), slider));
  named("fields").append(row);
}
showInputs();
for (const box of all(".node:not(.constant)")) {
  box.setAttribute("role", "button");
  box.addEventListener("click", () => stop(() => move(() => walk.go(walk.stepOf(Number(box.dataset.node))))));
  box.addEventListener("keydown", pressed);
}
named("reset").addEventListener("click", () => { move(() => walk.reset()); showInputs(); });
toggle("predict", "Predict", (on) => stop(() => move(() => walk.predict(on))));
if (PREDICTING) named("predict").click();
show();

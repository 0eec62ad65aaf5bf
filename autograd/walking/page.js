// The page: it shows where the walk is, and turns buttons, keys and clicks into steps. All numbers come from `Walk`.

const all = (selector) => [...named("walk").querySelectorAll(selector)];
const placesOf = (i) => all(`.node[data-node="${i}"]`);
const edgeOf = ({ node, operand }) => `${node}:${operand}`;
const drawn = (tag, attributes, text = "") => {
  const made = document.createElementNS(viewers[0].svg.namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
};
let [speed, journey, last] = [1, 0, {}]; // `last` is what was shown before

function show() {
  const { step, hides, hints, position, steps, tally, turn } = walk;
  const { formula, sentence, aside } = said(step, hides, hints);
  const inPhase = steps.filter(({ phase }) => phase === step.phase);
  const [isUpdate, asks, end] = [step.phase === "update", walk.isPredicting && step.value !== undefined, steps.length - 1];
  named("phase").textContent = [TITLES[step.phase], inPhase.length > 1 ? `, ${inPhase.indexOf(step) + 1} of ${inPhase.length}` : "",
    walk.round > 1 ? ` · round ${walk.round}` : ""].join("");
  Object.assign(named("walk").dataset, { phase: step.phase, pass: position < turn || isUpdate ? "on" : "back" });
  named("formula").innerHTML = formula.map(math).join(" ");
  named("aside").innerHTML = aside.map(math).join(" ");
  named("sentence").textContent = unbroken(sentence);
  for (const [id, isShown] of Object.entries({ question: asks, descent: isUpdate, tally: walk.isPredicting })) named(id).hidden = !isShown;
  if (asks) {
    const [about, isForward] = [nodes[aboutOf(step)], step.phase === "forward"];
    named("asked").innerHTML = math(`${isForward ? about.markup : gradientMath(root, about)}<mo>=</mo>`);
    named("answer").ariaLabel = isForward ? about.name : about.gradient;
  }
  if (tally) named("tally").textContent = `${tally.right} right, ${tally.helped} with help, ${tally.revealed} revealed`;
  fitWords();
  for (const [name, place] of Object.entries({ turn, at: position })) named("scrubber").style.setProperty(`--${name}`, place / end);
  mark(`${position} of ${end}: ${named("phase").textContent}`, hides || isUpdate);
  const more = walk.mayReveal ? "Reveal" : isUpdate ? "Again" : "";
  Object.assign(named("next"), { textContent: more || "▶", ariaLabel: more || "Next" });
  named("next").classList.toggle("proposed", walk.mayReveal && walk.tries > 2);
  named("play").ariaDisabled = walk.isPredicting;
  const isFound = position === last.position + 1 ? !hides : position === last.position && last.hides && !hides;
  showPicture(step, hides, isFound && !stillness.matches);
  last = { position, hides, shown: walk.shown() };
}

function showPicture(step, hides, isMoving) {
  const [shown, parts, about] = [walk.shown(), partsOf(step), new Set(partsOf(step).map(aboutOf))];
  const isBack = step.phase === "backward";
  const givers = new Set(isBack ? parts.map(({ node }) => node) : []);
  const mostly = step.phase === "update" ? walk.leading : [...about][0]; // the first to be reached by keys
  journey++;
  for (const old of all(".drop, .seat, .sum")) old.remove();
  for (const box of all(".node[role]")) {
    const i = Number(box.dataset.node);
    const isNow = about.has(i) || i === mostly;
    paint(box, shown[i], hides && isNow && (step.phase === "forward" ? "data" : "grad"));
    box.classList.toggle("now", isNow);
    box.classList.toggle("giver", givers.has(i));
    box.tabIndex = i === (mostly ?? nodes.length - 1) ? 0 : -1;
    if (isNow && box.parentElement.matches(".unit, .loss")) {
      const { x, y, width, height } = box.getBBox();
      box.prepend(drawn("rect", { class: "seat", x: x - 4, y: y - 2, width: width + 8, height: height + 4, rx: 4 }));
    }
  }
  const passed = new Set(walk.steps.slice(0, walk.position).flatMap(partsOf).filter(({ parent }) => parent !== undefined).map(edgeOf));
  const carrying = new Map(isBack ? parts.map((part) => [edgeOf(part), part]) : []);
  const feeds = step.phase === "forward" ? parts.map(({ node }) => `${node}`) : [];
  for (const edge of all(".edge[data-edge]")) {
    const name = edge.dataset.edge;
    edge.classList.toggle("feeding", feeds.includes(name.split(":")[0]));
    edge.classList.toggle("carrying", carrying.has(name));
    edge.classList.toggle("passed", passed.has(name) && !carrying.has(name) && step.phase !== "update");
  }
  for (const words of all("text.local")) {
    const part = carrying.get(words.dataset.edge);
    words.textContent = part && !weightOn(words.dataset.edge) ? `· ${hides ? "?" : heldText(part.local, pictureText)}` : "";
  }
  const land = () => {
    for (const i of about) for (const box of placesOf(i)) if (!hides) paint(box, shown[i]);
    if (isBack && !hides) for (const i of about) writeSum(i, parts.filter(({ parent }) => parent === i));
  };
  if (isMoving && (isBack || feeds.length)) travel(about, carrying, land);
  else land();
  const ends = [mostly, ...about, ...givers].flatMap(placesOf).map((place) => place.closest(".box, .weight"));
  for (const viewer of viewers) viewer.follow(ends);
}

/** Number and gradient of a node, and what it is called for those who listen. */
function paint(box, { data, grad, isPartial }, asks) {
  const { name, gradient, delta } = nodes[box.dataset.node];
  const slope = grad === undefined ? "" : isPartial ? `${pictureText(grad)}…` : `${delta ? "δ" : "∂"} ${pictureText(grad)}`;
  for (const [kind, text] of Object.entries({ data: data === undefined ? "" : pictureText(data), grad: slope })) {
    const place = box.querySelector(`.${kind}`);
    if (place) place.textContent = asks === kind ? "?" : text;
  }
  box.classList.toggle("waiting", data === undefined && asks !== "data");
  const words = [data !== undefined && `${name} = ${numberText(data)}`,
    grad !== undefined && `${gradient} = ${numberText(grad)}${isPartial ? " so far" : ""}`];
  box.querySelector("title").textContent = words.filter(Boolean).join(", ") || `${name}, not computed yet`;
}

/** The weight that stands on the wire of an operand of z, if any. */
function weightOn(edge) {
  const [node, operand] = edge.split(":").map(Number);
  const { parents } = nodes[node];
  return all(`.weight[data-node="${parents[operand - Math.floor(parents.length / 2)]}"]`).find((weight) => weight.getClientRects().length);
}

/** What arrives runs along its wires as dots whose area tells how much; the numbers change when they land. */
function travel(about, carrying, land) {
  const largest = Math.max(...walk.run.steps.map(({ product = 0 }) => Math.abs(product)).filter(Number.isFinite)) || 1;
  for (const i of about) for (const box of placesOf(i)) paint(box, last.shown[i]);
  const now = journey;
  const runs = all(".edge.feeding, .edge.carrying").filter((edge) => edge.getClientRects().length).map((edge) => {
    const part = carrying.get(edge.dataset.edge);
    const r = part ? Math.max(1.5, 10 * Math.sqrt(Math.min(1, Math.abs(part.product) / largest))) : 4.5;
    const dot = edge.parentElement.parentElement.appendChild(drawn("circle", { class: "drop", r }));
    dot.style.offsetPath = `path("${edge.querySelector(".wire").getAttribute("d")}")`;
    const way = ["0%", "100%"];
    return dot.animate({ offsetDistance: part ? way.reverse() : way }, { duration: 700 / speed, easing: "ease-in-out" }).finished;
  });
  Promise.all(runs).then(() => {
    if (now !== journey) return; // the walk has gone on
    for (const dot of all(".drop")) dot.remove();
    land();
  });
}

/** Beside a node that has received more than once: 12 + 12 = 24, where it covers no other box. */
function writeSum(i, parts) {
  const text = sumText({ ...parts.at(-1), parts }, pictureText);
  if (!text.includes("+") || parts.length > 3) return;
  for (const viewer of viewers) {
    const box = viewer.svg.querySelector(`.node[data-node="${i}"]`)?.closest(".box, .weight");
    if (!box?.getClientRects().length) continue;
    const [{ x, y }, half] = [viewer.place(box), 4 * text.length];
    const middle = (x[0] + x[1]) / 2;
    const places = [[middle, y[1] + 15], [middle, y[0] - 6], [x[1] + half + 6, y[1] - 4], [x[0] - half - 6, y[1] - 4]];
    const others = [...viewer.svg.querySelectorAll(".box, .weight")].map((other) => viewer.place(other));
    const isFree = ([u, v]) => !others.some((other) =>
      other.x[0] < u + half && other.x[1] > u - half && other.y[0] < v + 4 && other.y[1] > v - 13);
    const [u, v] = places.find(isFree) ?? [];
    if (u !== undefined) viewer.svg.append(drawn("text", { class: "sum", x: u, y: v }, text));
  }
}

// ---- the picture in its frame -------------------------------------------------------------------------------------

/** All of the picture where its type can be read or the reader asks for it, else closer, at the boxes of the step. */
class Follower extends Viewer {
  follow(boxes) {
    const least = 0.75; // 13 px are drawn as 9.75
    if (!this.frame.clientWidth) return;
    if (this.fitted.scale < least && !this.isChosen) Object.assign(this, { moved: true, goal: { ...this.goal, scale: least } });
    this.isFollowing = true;
    this.reveal(boxes);
    this.isFollowing = false;
  }

  fit(smooth = true) {
    super.fit(smooth);
    if (smooth) this.isChosen = !this.isFollowing; // else the frame has another size
  }

  zoomAt(...how) {
    this.isChosen = true;
    super.zoomAt(...how);
  }
}

const viewers = all(".wide, .tall").map((frame) => {
  const svg = frame.querySelector("svg");
  svg.role = "group";
  svg.ariaLabel = "Nodes; arrows up and down move between them";
  return new Follower(frame, svg);
});

/** The picture above the words or beside them, to the right or upward: whichever shows its type, or itself, larger. */
function arrange() {
  const { clientWidth, clientHeight } = named("stage");
  const em = parseFloat(getComputedStyle(named("stage")).fontSize);
  const ways = [["above", clientWidth, clientHeight - (clientWidth > 560 ? 11 : 17) * em]];
  if (clientWidth > 560) ways.push(["beside", clientWidth - Math.min(24 * em, 0.44 * clientWidth), clientHeight]);
  const found = ways.flatMap(([place, width, height]) => viewers.map(({ svg: { natural }, frame: { classList: [turn] } }) => {
    const scale = Math.min(width / natural.width, height / natural.height);
    return { place, turn, rank: [Math.max(0.75, Math.min(scale, 1.3)), width * height, scale] };
  }));
  const later = (one, other) => other.rank.map((x, i) => x - one.rank[i]).find((x) => x) ?? 0;
  const { place, turn } = found.sort(later)[0];
  Object.assign(named("stage").dataset, { place, turn });
  if (last.shown) show();
}

/** The words as large as there is room for them. */
function fitWords() {
  const [words, formula] = [named("step"), named("formula")];
  const isWide = () => formula.scrollWidth > formula.clientWidth;
  for (const size of [1, 0.85, 0.72, 0.6]) {
    words.style.setProperty("--size", `${size}em`);
    if (!isWide() && words.scrollHeight <= words.clientHeight) break;
  }
  formula.tabIndex = isWide() ? 0 : -1; // what has to be scrolled can be reached by keys
}

/** Pointing at a term or an edge lights both. */
function glow({ target }) {
  for (const lit of all(".glow")) lit.classList.remove("glow");
  const { edge, node } = target.closest("[data-edge], [data-node]")?.dataset ?? {};
  const both = edge ? [...all(`[data-edge="${edge}"]`), weightOn(edge)] : node ? all(`[data-node="${node}"]`) : [];
  for (const lit of both) lit?.classList.add("glow");
}

// ---- predicting ---------------------------------------------------------------------------------------------------

named("question").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!walk.hides) return next();
  const answer = named("answer").value.trim();
  if (!answer) return say("Type the number that you expect.", "");
  const { verdict, slips } = walk.answer(answer);
  const help = walk.tries > 2 ? " Reveal shows it." : walk.tries > 1 ? " Above are the numbers." : slips.length ? "" : " Above is the rule.";
  show();
  named("answer").select();
  return say({
    right: `✓ Right: ${numberText(walk.step.value)}. Enter leads on.`,
    unreadable: `“${answer}” is no number that can be read: write 24, −0.5, 0,33 or 1/3.`,
    coarse: `${answer} is right as far as it goes; it needs more digits.`,
    wrong: `✗ Not yet${slips.length ? `. ${answer} is what one gets if ${slips.join("; or ")}` : `: ${answer} is not it`}.${help}`,
  }[verdict], verdict);
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
    const [x, first] = [walk.inputs[control.dataset.input], walk.first[control.dataset.input]];
    control.ariaInvalid = null;
    if (control === moved) continue;
    if (control.type === "range") {
      const reach = Math.max(1, 2 * Math.abs(first), Math.abs(x) - 1) || 1;
      Object.assign(control, { min: -reach, max: reach, step: reach / 200, value: x });
    } else control.value = numberText(x); // to six digits; the number itself stays as it is until it is changed
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
    field.ariaInvalid = true;
    named("fault").textContent = `${fault.message}. The page keeps ${nodes[i].name} = ${numberText(walk.inputs[i])}.`;
    return;
  }
  say("", "");
  showInputs(slider ?? field);
  show();
}

/** Judges what is typed when it pauses or the field is left, never on the way to −1e-3. */
function atRest(field, judge) {
  let rest;
  field.addEventListener("input", () => { clearTimeout(rest); rest = setTimeout(judge, 600); });
  field.addEventListener("change", () => { clearTimeout(rest); judge(); });
}

for (const i of INPUTS) {
  const row = named("fields").appendChild(document.createElement("div"));
  row.innerHTML = `<label for="${ID}input-${i}">${math(nodes[i].markup)}</label><input id="${ID}input-${i}" data-input="${i}"
    inputmode="decimal" size="8" autocomplete="off" aria-describedby="${ID}fault"><input data-input="${i}" type="range">`;
  const [, field, slider] = row.children;
  [field.ariaLabel, slider.ariaLabel] = [nodes[i].name, `${nodes[i].name}, slider`];
  atRest(field, () => changeInput(i, field.value));
  slider.addEventListener("input", () => changeInput(i, Number(slider.value).toPrecision(6), slider));
  row.addEventListener("change", () => walk.settle());
}

atRest(named("rate"), () => {
  const [{ value } = {}] = readings(named("rate").value);
  const isRate = value > 0 && value < Infinity;
  named("rate").ariaInvalid = !isRate;
  if (isRate) walk.rate = value;
  show();
});

// ---- moving -------------------------------------------------------------------------------------------------------

function move(how) {
  const found = how();
  say("", "");
  named("answer").value = "";
  show();
  return found;
}

function next() {
  if (walk.step.phase !== "update") {
    if (move(() => walk.next())) return;
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

const leadTo = (place) => stop(() => move(() => walk.go(walk.stepOf(Number(place.dataset.node)))));

/** To the node of a box that is nearest to a click in it. */
function clicked({ target, clientX, clientY }) {
  const away = (place) => {
    const { left, right, top, bottom } = place.getBoundingClientRect();
    return Math.hypot((left + right) / 2 - clientX, (top + bottom) / 2 - clientY);
  };
  const places = [...target.closest(".box")?.querySelectorAll(".node") ?? [], target.closest(".weight") ?? []].flat();
  if (places.length) leadTo(places.reduce((one, other) => (away(other) < away(one) ? other : one)));
}

function pressed(event) {
  const by = { ArrowDown: 1, ArrowUp: -1, Enter: 0, " ": 0 }[event.key];
  if (by === undefined || !isPlain(event)) return;
  const [box, order] = [event.currentTarget, (place) => Number(place.dataset.node)];
  const boxes = [...box.ownerSVGElement.querySelectorAll(".node[role]")].sort((one, other) => order(one) - order(other));
  if (by) boxes.at((boxes.indexOf(box) + by) % boxes.length).focus();
  else leadTo(box);
  event.preventDefault();
}

/** Words to choose from, the values that they stand for, and what a choice does. */
function choices(id, options, chosen, how) {
  named(id).append(...options.map(([value, words]) => new Option(words, value, false, value === chosen)));
  named(id).addEventListener("change", () => stop(() => move(() => how(named(id).value))));
}

named("type").append(named("large"));
named("large").addEventListener("click", arrange);
named("modes").innerHTML = `<span id="${ID}phase"></span>&nbsp;·&nbsp;<select id="${ID}grain" aria-label="The size of a step"></select>`;
choices("grain", GRAINS.map((grain) => [grain, `by ${grain}`]), "edge", (grain) => walk.choose(grain));
choices("speed", [0.5, 1, 2, 4].map((x) => [x, `${x}×`]), 1, (x) => { speed = Number(x); });
for (const box of all(".node[data-node]")) {
  box.role = "button";
  box.addEventListener("keydown", pressed);
}
for (const { svg } of viewers) svg.addEventListener("click", clicked);
for (const edge of all(".edge:not(.inner)")) { // a wider way to point at it
  const hit = edge.querySelector(".wire").cloneNode();
  hit.setAttribute("class", "hit");
  edge.prepend(hit);
}
for (const kind of ["pointerover", "focusin", "pointerleave"]) named("stage").addEventListener(kind, glow);
named("reset").addEventListener("click", () => { move(() => walk.reset()); showInputs(); });
const words = "To the backward pass";
Object.assign(button("buttons", "turn", "", () => stop(() => move(() => walk.goBack()))),
  { innerHTML: '∂<span class="long"> backward pass</span>', ariaLabel: words, title: words });
Object.assign(named("back"), { textContent: "◀", ariaLabel: "Back" });
toggle("predict", "Predict", (on) => {
  stop(() => move(() => walk.predict(on)));
  if (walk.hides) named("answer").focus();
});
toggle("more", "More", (on) => { named("drawer").hidden = !on; });
named("choices").append(named("predict"), named("more"));
named("rate").value = numberText(walk.rate);
showInputs();
if (PREDICTING) named("predict").click();
show();
new ResizeObserver(arrange).observe(named("stage"));

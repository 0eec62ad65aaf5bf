// The page: shows the current step, and turns buttons, keys and clicks into steps. All numbers come from `Walk`.

const all = (selector) => [...named("walk").querySelectorAll(selector)];
const inPicture = (selector) => all(`.${named("stage").dataset.turn} ${selector}`); // the visible one
const placesOf = (i) => inPicture(`.node[data-node="${i}"]`);
const boxOf = (place) => place.closest(".box, .weight");
const edgeOf = ({ node, operand }) => `${node}:${operand}`;
const LEAST = 0.7; // the smallest readable scale: 13 px become 9.1 px
let [speed, journey, last, ends] = [1, 0, {}, []]; // `last` is the previous state, `ends` are the boxes of the step

function show() {
  const { step, hides, hints, position, steps, tally, turn, round, isPredicting, mayReveal } = walk;
  const { formula, sentence, aside } = said(step, hides, hints);
  const inPhase = steps.filter(({ phase }) => phase === step.phase);
  const [isUpdate, asks, end] = [step.phase === "update", isPredicting && step.value !== undefined, steps.length - 1];
  const count = inPhase.length > 1 ? `, ${inPhase.indexOf(step) + 1} of ${inPhase.length}` : "";
  named("phase").textContent = TITLES[step.phase] + count + (round > 1 ? ` · round ${round}` : "");
  Object.assign(named("walk").dataset, { phase: step.phase, pass: position < turn || isUpdate ? "on" : "back" });
  for (const [id, written] of Object.entries({ formula, aside })) named(id).innerHTML = written.map(math).join(" ");
  named("sentence").textContent = unbroken(sentence);
  const isShown = { question: asks && hides, descent: isUpdate, tally: isPredicting };
  for (const id of Object.keys(isShown)) named(id).hidden = !isShown[id];
  if (asks) named("answer").ariaLabel = nodes[aboutOf(step)][step.phase === "forward" ? "name" : "gradient"];
  if (tally) named("tally").textContent = `${tally.right} right, ${tally.helped} with help, ${tally.revealed} revealed`;
  fitWords();
  named("scrubber").style.cssText = `--turn: ${turn / end}; --at: ${position / end}`;
  mark(`${position} of ${end}: ${named("phase").textContent}`, hides || isUpdate);
  const more = mayReveal ? "Reveal" : isUpdate ? "Again" : "";
  Object.assign(named("next"), { textContent: more || "▶", ariaLabel: more || "Next" });
  named("next").classList.toggle("proposed", mayReveal && walk.tries > 2);
  named("play").ariaDisabled = isPredicting;
  const isFound = !hides && (position === last.position + 1 || (position === last.position && last.hides));
  const shown = walk.shown();
  showPicture(step, hides, shown, isFound && !stillness.matches);
  last = { position, hides, shown };
}

function showPicture(step, hides, shown, isMoving) {
  const [parts, about, isBack] = [partsOf(step), new Set(partsOf(step).map(aboutOf)), step.phase === "backward"];
  const givers = new Set(isBack ? parts.map(({ node }) => node) : []);
  const first = { start: INPUTS[0], end: nodes.length - 1, update: walk.leading }[step.phase] ?? [...about][0];
  journey++;
  for (const old of all(".drop, .seat, .sum")) old.remove();
  for (const place of inPicture(".node[role]")) {
    const i = Number(place.dataset.node);
    const isNow = about.has(i) || (step.phase === "update" && i === first);
    paint(place, shown[i], hides && isNow && (step.phase === "forward" ? "data" : "grad"));
    place.classList.toggle("now", isNow);
    place.classList.toggle("giver", givers.has(i));
    place.tabIndex = i === first ? 0 : -1;
    if (isNow && place.parentElement.matches(".unit, .loss")) {
      const { x, y, width, height } = place.getBBox();
      const seat = `<rect class="seat" x="${x - 4}" y="${y - 2}" width="${width + 8}" height="${height + 4}" rx="4"/>`;
      place.insertAdjacentHTML("afterbegin", seat);
    }
  }
  const gone = walk.steps.slice(0, walk.position).flatMap(partsOf);
  const [passed, idle] = [(x) => (x ?? 0) !== 0, (x) => x === 0].map((is) => // edges that carried 0 are faint
    new Set(gone.filter(({ product }) => is(product)).map(edgeOf)));
  const carrying = new Map(isBack ? parts.map((part) => [edgeOf(part), part]) : []);
  const feeds = step.phase === "forward" ? parts.map(({ node }) => `${node}`) : [];
  for (const { dataset: { edge }, classList } of inPicture(".edge[data-edge]")) {
    classList.toggle("feeding", feeds.includes(edge.split(":")[0]));
    classList.toggle("carrying", carrying.has(edge));
    classList.toggle("passed", passed.has(edge) && !carrying.has(edge) && step.phase !== "update");
    classList.toggle("idle", idle.has(edge));
    classList.toggle("near", about.has(nodes[edge.split(":")[0]].parents[edge.split(":")[1]]));
  }
  for (const words of inPicture("text.local")) {
    const part = carrying.get(words.dataset.edge);
    const isOwn = part && !weightOn(words.dataset.edge); // otherwise, the weight is there
    words.textContent = isOwn ? `· ${hides ? "?" : heldText(part.local, pictureText)}` : "";
  }
  const land = () => {
    for (const i of hides ? [] : about) {
      for (const place of placesOf(i)) paint(place, shown[i]);
      if (isBack) writeSum(i, parts.filter(({ parent }) => parent === i));
    }
    viewers.forEach(placeSums);
  };
  ends = [first, ...about, ...givers].flatMap(placesOf).map(boxOf);
  viewers.forEach(follow);
  if (isMoving && (isBack || feeds.length)) travel(about, carrying, land);
  else land();
}

/** Writes a node's number and gradient, and its description for screen readers. */
function paint(place, { data, grad, isPartial }, asks) {
  const { name, gradient, delta } = nodes[place.dataset.node];
  const [isData, isGrad] = [data !== undefined, grad !== undefined];
  const slope = isGrad ? `${delta ? "δ" : "∂"} ${pictureText(grad)}${isPartial ? "…" : ""}` : "";
  for (const [kind, text] of [["data", isData ? pictureText(data) : ""], ["grad", slope]]) {
    place.querySelector(`.${kind}`).textContent = asks === kind ? "?" : text;
  }
  place.classList.toggle("waiting", !isData && asks !== "data");
  const words = [isData && `${name} = ${numberText(data)}`,
    isGrad && `${gradient} = ${numberText(grad)}${isPartial ? " so far" : ""}`].filter(Boolean);
  place.querySelector("title").textContent = words.join(", ") || `${name}, not computed yet`;
}

/** Returns the weight on the wire of an operand of z, if any. */
function weightOn(edge) {
  const [{ parents }, operand] = [nodes[edge.split(":")[0]], Number(edge.split(":")[1])];
  return placesOf(parents[operand - Math.floor(parents.length / 2)]).find((place) => place.matches(".weight"));
}

/** Moves a dot for each contribution along its wire, its area showing the size; numbers change when dots arrive. */
function travel(about, carrying, land) {
  const largest = Math.max(...walk.run.steps.map(({ product = 0 }) => Math.abs(product)).filter(Number.isFinite)) || 1;
  for (const i of about) for (const place of placesOf(i)) paint(place, last.shown[i]);
  const now = journey;
  const runs = inPicture(".edge:is(.feeding, .carrying)").map((edge) => {
    const part = carrying.get(edge.dataset.edge);
    const r = part ? Math.max(1.5, 10 * Math.sqrt(Math.min(1, Math.abs(part.product) / largest))) : 4.5;
    const picture = edge.closest("svg > g");
    const way = `path('${edge.querySelector(".wire").getAttribute("d")}')`;
    picture.insertAdjacentHTML("beforeend", `<circle class="drop" r="${r}" style="offset-path: ${way}"/>`);
    const offsetDistance = part ? ["100%", "0%"] : ["0%", "100%"];
    return picture.lastChild.animate({ offsetDistance }, { duration: 700 / speed, easing: "ease-in-out" }).finished;
  });
  Promise.all(runs).then(() => {
    if (now !== journey) return; // another step is shown
    for (const dot of all(".drop")) dot.remove();
    land();
  });
}

/** Writes 12 + 12 = 24 beside a node that has received several contributions. */
function writeSum(i, parts) {
  const text = sumText({ ...parts.at(-1), parts }, pictureText);
  if (!text.includes("+") || parts.length > 3) return;
  const { svg } = viewers.find(({ frame }) => frame.clientWidth) ?? {};
  svg?.insertAdjacentHTML("beforeend", `<text class="sum" data-beside="${i}">${text}</text>`);
}

/** Places each sum next to its box, in the frame and clear of boxes, texts and buttons; hides it if it fits nowhere. */
function placeSums(viewer) {
  const sums = [...viewer.svg.querySelectorAll(".sum")];
  if (!sums.length || !viewer.frame.clientWidth) return;
  const views = [viewer.goal, viewer.fitted].map((view) => viewer.sees(view)); // "fit" must not cut it off either
  const texts = inPicture("text:not(.box text, .weight text, .sum)").filter(({ textContent }) => textContent);
  const taken = [...inPicture(":is(.box, .weight)"), ...texts].map((element) => viewer.place(element));
  taken.push(viewer.buttons);
  const crossed = inPicture(".edge:is(.near, .carrying) .wire").flatMap((wire) => viewer.along(wire));
  const holds = ({ x, y }, area) => x[0] <= area.x[0] && x[1] >= area.x[1] && y[0] <= area.y[0] && y[1] >= area.y[1];
  const meets = ({ x, y }, area) => x[0] < area.x[1] && x[1] > area.x[0] && y[0] < area.y[1] && y[1] > area.y[0];
  for (const sum of sums) {
    sum.style.display = "";
    const { x: [left, right], y: [top, bottom] } = viewer.place(boxOf(placesOf(sum.dataset.beside)[0]));
    const half = sum.getComputedTextLength() / 2 + 2;
    const columns = [(left + right) / 2, left + half, right - half]; // x of its middle, below or above the box
    const lines = [bottom - 4, (top + bottom) / 2 + 5, top + 13]; // y, to the right or left of the box
    const free = [
      ...[bottom + 15, top - 6].flatMap((v) => columns.map((u) => [u, v])),
      ...[right + half + 4, left - half - 4].flatMap((u) => lines.map((v) => [u, v])),
    ].map(([u, v]) => ({ u, v, x: [u - half, u + half], y: [v - 13, v + 4] })).filter((area) =>
      views.every((view) => holds(view, area)) && !taken.some((other) => meets(other, area)));
    const area = free.find((area) => !crossed.some((point) => holds(area, point))) ?? free[0];
    sum.style.display = area ? "" : "none";
    if (!area) continue;
    sum.setAttribute("x", area.u);
    sum.setAttribute("y", area.v);
    taken.push(area);
  }
}

const viewers = all(".wide, .tall").map((frame) => {
  const svg = frame.querySelector("svg");
  frame.classList.toggle("dense", svg.querySelectorAll(".edge").length > 100);
  const choose = () => { viewer.isChosen = true; };
  const viewer = new Viewer(frame, svg, choose);
  viewer.cluster.addEventListener("click", choose);
  new ResizeObserver(() => {
    if (!viewer.isChosen) viewer.fit(false); // centre it again
    follow(viewer);
    placeSums(viewer);
  }).observe(frame);
  svg.addEventListener("click", clicked);
  return Object.assign(svg, { role: "group", ariaLabel: "Nodes; move between them with up and down" }) && viewer;
});

/** Keeps the reader's zoom; otherwise shows the whole picture, or the boxes of the step if its text is too small. */
function follow(viewer) {
  if (!viewer.frame.clientWidth) return;
  if (!viewer.fitted) viewer.fit(false);
  if (!viewer.isChosen) {
    const isClose = viewer.fitted.scale < LEAST && !["start", "end", "update"].includes(walk.step.phase);
    if (!isClose) viewer.fit();
    else Object.assign(viewer, { moved: true, goal: { ...viewer.goal, scale: LEAST } });
  }
  viewer.reveal(ends);
}

/** Chooses the largest layout: the picture above or beside the text, to the right or upwards (fixed under More). */
function arrange() {
  const { clientWidth, clientHeight } = named("stage");
  const em = parseFloat(getComputedStyle(named("stage")).fontSize);
  const ways = [["above", clientWidth, clientHeight - (clientWidth > 560 ? 11 : 17) * em]];
  if (clientWidth > 560) ways.push(["beside", clientWidth - Math.min(24 * em, 0.44 * clientWidth), clientHeight]);
  const found = ways.flatMap(([place, width, height]) => viewers.map(({ svg: { natural }, frame }) => {
    const scale = Math.min(width / natural.width, height / natural.height);
    return { place, turn: frame.classList[0], rank: 1e8 * Math.min(scale, 1.3) + width * height + scale };
  })).filter((way) => named("drawer").hidden || way.turn === named("stage").dataset.turn);
  const { place, turn } = found.reduce((one, other) => (other.rank > one.rank ? other : one));
  const isTurned = named("stage").dataset.turn !== turn;
  Object.assign(named("stage").dataset, { place, turn });
  if (isTurned) for (const viewer of viewers) viewer.fit(false); // a hidden picture has no size
  show();
}

/** Makes the text as large as fits. */
function fitWords() {
  const [words, formula] = [named("step"), named("formula")];
  for (const size of [1, 0.85, 0.72, 0.6]) {
    words.style.setProperty("--size", `${size}em`);
    formula.tabIndex = formula.scrollWidth > formula.clientWidth ? 0 : -1; // so that keys can scroll it
    if (formula.tabIndex && words.scrollHeight <= words.clientHeight) return;
  }
}

/** Highlights a term and its edge when either is pointed at. */
function glow({ target }) {
  for (const element of all(".glow")) element.classList.remove("glow");
  const { edge, node } = target.closest("[data-edge], [data-node]")?.dataset ?? {};
  const both = edge ? [...all(`[data-edge="${edge}"]`), weightOn(edge)] : node ? all(`[data-node="${node}"]`) : [];
  for (const element of both) element?.classList.add("glow");
}

named("question").addEventListener("submit", (event) => {
  event.preventDefault();
  const answer = named("answer").value.trim();
  if (!answer) return say("Type the number that you expect.", "");
  const { verdict, slips } = walk.answer(answer);
  const rule = slips.length ? "" : " The rule is shown above.";
  const help = ["", rule, " The numbers are shown above."][walk.tries] ?? " Press Reveal to see the number.";
  const causes = slips.map((slip) => (slip.startsWith("that is ") ? slip.slice(8) : `what you get if ${slip}`));
  show();
  named(walk.hides ? "answer" : "next").focus();
  if (walk.hides) named("answer").select();
  return say({
    right: `✓ Correct: ${numberText(walk.step.value)}. Press ▶ or Enter to continue.`,
    unreadable: `“${answer}” cannot be read as a number: write 24, −0.5, 0,33 or 1/3.`,
    coarse: `${answer} is correct as far as it goes, but needs more digits.`,
    wrong: `✗ Not yet: ${answer} is ${causes.join("; or ") || "not correct"}.${help}`,
  }[verdict], verdict);
});

function say(words, verdict) {
  named("verdict").textContent = words;
  named("verdict").dataset.verdict = verdict;
  fitWords();
}

/** Writes the inputs' numbers into all fields and sliders except `moved`, and clears the error. */
function showInputs(moved = null) {
  named("fault").textContent = "";
  for (const control of all("[data-input]")) {
    const [x, first] = [walk.inputs, walk.first].map(({ [control.dataset.input]: number }) => number);
    const reach = Math.max(1, 2 * Math.abs(first), Math.abs(x) - 1) || 1;
    control.ariaInvalid = null;
    if (control === moved) continue;
    if (control.type === "range") Object.assign(control, { min: -reach, max: reach, step: reach / 200, value: x });
    else control.value = numberText(x); // six digits; the input itself keeps all of them
  }
}

function changeInput(i, text, control) {
  const [reading] = readings(text);
  try {
    if (!reading || !Number.isFinite(reading.value)) throw new Fault(`“${text}” cannot be read as a number`);
    if (text !== numberText(walk.inputs[i])) walk.change(i, reading.value);
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    Object.assign(named(`input-${i}`), { value: text.replace("-", MINUS), ariaInvalid: true });
    named("fault").textContent = `${fault.message}. The page keeps ${nodes[i].name} = ${numberText(walk.inputs[i])}.`;
    return;
  }
  say("", "");
  showInputs(control);
  show();
}

/** Evaluates a field when typing pauses or the field is left, but not halfway through −1e-3. */
function atRest(field, judge) {
  let rest;
  field.addEventListener("input", () => { clearTimeout(rest); rest = setTimeout(judge, 600); });
  field.addEventListener("change", () => { clearTimeout(rest); judge(); });
}

for (const i of INPUTS) {
  const row = named("fields").appendChild(document.createElement("div"));
  row.innerHTML = `<label for="${ID}input-${i}">${math(nodes[i].markup)}</label>
    <input id="${ID}input-${i}" data-input="${i}" inputmode="text" enterkeyhint="go" autocomplete="off"
      aria-describedby="${ID}fault">
    <input data-input="${i}" type="range">`;
  const [, field, slider] = row.children;
  [field.ariaLabel, slider.ariaLabel] = [nodes[i].name, `${nodes[i].name}, slider`];
  atRest(field, () => changeInput(i, field.value, field));
  slider.addEventListener("input", () => changeInput(i, Number(slider.value).toPrecision(6), slider));
  row.addEventListener("change", () => walk.settle());
}
atRest(named("rate"), () => {
  const [{ value } = {}] = readings(named("rate").value);
  const isRate = value > 0 && value < Infinity;
  named("rate").ariaInvalid = !isRate;
  if (isRate) walk.rate = value;
  show();
  say(isRate ? "" : `η must be a positive number; the page keeps ${numberText(walk.rate)}.`, "unreadable");
});

function move(how) {
  const found = how();
  say("", "");
  named("answer").value = "";
  show();
  return found;
}

function next() {
  if (walk.step.phase !== "update") {
    const isDone = move(() => walk.next());
    if (!isDone) say("Predict first: type the number that you expect.", "");
    if (walk.hides && (!isDone || document.activeElement === named("next"))) named("answer").focus();
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
const stopped = (how) => stop(() => move(how));
const leadTo = ({ dataset: { node } }) => stopped(() => walk.go(walk.stepOf(Number(node))));

/** Goes to the step of the node nearest to a click in a box. */
function clicked({ target, clientX, clientY }) {
  const away = (place) => {
    const { x, y, width, height } = place.getBoundingClientRect();
    return Math.hypot(x + width / 2 - clientX, y + height / 2 - clientY);
  };
  const places = all(".node[role]").filter((place) => boxOf(target) && boxOf(place) === boxOf(target));
  if (places.length) leadTo(places.reduce((one, other) => (away(other) < away(one) ? other : one)));
}

function pressed(event) {
  const by = { ArrowDown: 1, ArrowUp: -1, Enter: 0, " ": 0 }[event.key];
  if (by === undefined || !isPlain(event)) return;
  const places = [...event.currentTarget.ownerSVGElement.querySelectorAll(".node[role]")];
  places.sort((one, other) => one.dataset.node - other.dataset.node);
  if (by) places.at((places.indexOf(event.currentTarget) + by) % places.length).focus();
  else leadTo(event.currentTarget);
  event.preventDefault();
}

named("type").append(named("large"));
named("large").addEventListener("click", arrange);
named("modes").append(named("phase"), named("grain"));
named("grain").addEventListener("change", () => {
  stopped(() => walk.choose(named("grain").value));
  named("grain").blur(); // so that arrow keys step again
});
named("speed").addEventListener("change", () => stopped(() => { speed = Number(named("speed").value); }));
for (const place of all(".node[data-node]")) {
  place.role = "button";
  place.addEventListener("keydown", pressed);
}
for (const wire of all(".edge:not(.inner) .wire")) { // a wider target for the pointer
  wire.before(wire.cloneNode());
  wire.previousSibling.setAttribute("class", "hit");
}
for (const kind of ["pointerover", "focusin", "pointerleave"]) named("stage").addEventListener(kind, glow);
named("reset").addEventListener("click", () => { move(() => walk.reset()); showInputs(); });
const turn = button("buttons", "turn", "", () => stopped(() => walk.goBack()));
turn.innerHTML = '∂<span class="long"> backward pass</span>';
turn.ariaLabel = "To the ∂ backward pass";
Object.assign(named("back"), { textContent: "◀", ariaLabel: "Back" });
toggle("predict", "Predict", (on) => {
  stopped(() => walk.predict(on));
  if (walk.hides) named("answer").focus();
});
toggle("more", "More", (on) => { named("drawer").hidden = !on; });
named("choices").append(named("predict"), named("more"));
named("rate").value = numberText(walk.rate);
showInputs();
if (PREDICTING) named("predict").click();
arrange();
new ResizeObserver(arrange).observe(named("stage"));

// The lab itself: what was touched, what time it is, and what to draw.

const FRAME = 8; // milliseconds of learning in each frame of a run
const PACES = { calm: "calmly", fast: "as fast as it can", pulses: "with pulses" };
const CALM = 10; // updates of a frame, or an epoch if that is more

class Lab {
  constructor(situations) {
    Object.assign(this, { situations, pace: "calm", running: false, asking: false, slid: null });
    this.plane = new Plane(named("plane"), this);
    this.network = new Network(named("network"), this);
    this.mathematics = new Mathematics(this);
    this.frame();
    this.start(0);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      Object.assign(this, { colours: null, pixels: null });
      this.changed();
    });
    new ResizeObserver(() => this.resize()).observe(document.querySelector("main"));
    window.addEventListener("resize", () => this.resize());
  }

  /** What stays the same in every situation. */
  frame() {
    const title = document.querySelector("h1");
    this.title = made("button", { type: "button", class: "plain", popovertarget: `${ID}contents` });
    title.replaceChildren(this.title);
    const press = { back: () => this.back(), forward: () => this.forward(), backward: () => this.backward(), update: () => this.update(), run: () => this.run(!this.running) };
    for (const [id, how] of Object.entries(press)) button("buttons", id, id[0].toUpperCase() + id.slice(1), how);
    named("slider").oninput = ({ target }) => this.slide(Number((10 ** target.value).toPrecision(3)));
    named("slider").onchange = () => { this.slid = null; };
    named("rate").onchange = ({ target }) => this.edit({ kind: "rate", number: typed(target) });
    this.situations.forEach(({ title }, n) => {
      const [lesson] = title.split(VARIANT);
      if (this.situations.findIndex((one) => one.title.split(VARIANT)[0] === lesson) < n) return;
      button("lessons", `lesson${n}`, lesson, () => { this.start(n); named("contents").hidePopover(); });
    });
    named("lessons").hidden = named("lessons").children.length < 2;
    button("tools", "predict", "Predict before it shows", () => this.predict(!this.asking));
    named("answer").onclick = () => this.look(this.situation.answer === this.looked ? this.situation.look : this.situation.answer);
    button("tools", "again", "Start again", () => this.go(0));
    button("tools", "aspython", "As Python", () => this.showPython());
    button("tools", "save", "Save as a file", () => this.save());
    named("tools").append(...named("modes").children);
    const pace = made("select", { id: `${ID}pace`, "aria-label": "pace of Run" }, ...Object.entries(PACES).map(([value, words]) => made("option", { value }, words)));
    pace.onchange = () => { this.pace = pace.value; };
    const batch = made("input", { id: `${ID}batch`, type: "text", inputmode: "numeric", size: 4, "aria-label": "points of a mini-batch" });
    batch.onchange = () => this.edit({ kind: "batch", number: typed(batch) });
    named("grain").append(made("label", {}, "mini-batch of ", batch, " points"));
    button("grain", "one", "One point", () => this.edit({ kind: "batch", number: 1 }));
    button("grain", "all", "All points", () => this.edit({ kind: "batch", number: this.machine.points.length || 1 }));
    const until = made("input", { id: `${ID}until`, type: "text", inputmode: "numeric", size: 5, "aria-label": "epoch at which Run pauses" });
    until.onchange = () => { this.until = typed(until) || 0; };
    named("grain").append(made("label", {}, "Run ", pace), made("label", {}, "and pause at epoch ", until));
    button("grain", "epoch", "One epoch", () => this.steps(this.leftOfEpoch()));
    button("grain", "hundred", "100 updates", () => this.steps(100));
  }

  /** Begins a situation anew. */
  start(n) {
    this.run(false);
    this.situation = this.situations[n];
    this.machine = new Machine(this.situation, KERNELS);
    this.timeline = new Timeline(this.machine);
    this.reading = new Reading(this.situation);
    this.history = [];
    Object.assign(this, { phase: 0, chosen: null, point: this.machine.points.length === 1 ? 0 : null, last: null, complaint: "", guess: null, asking: false });
    named("predict").ariaPressed = false;
    const [lesson] = this.situation.title.split(VARIANT);
    this.title.textContent = document.title = lesson;
    this.until = this.situation.until || 0;
    named("until").value = this.until || "";
    named("question").textContent = shortName(this.situation.question);
    this.look(this.situation.look);
    for (const made of named("lessons").children) made.ariaPressed = made.textContent === lesson;
    named("variants").replaceChildren();
    this.situations.forEach(({ title }, k) => {
      const [of, variant] = title.split(VARIANT);
      if (of === lesson && variant) button("variants", `variant${k}`, variant, () => k === n || this.start(k)).ariaPressed = k === n;
    });
    named("answer").hidden = !this.situation.answer;
    named("python").hidden = true;
    this.network.build();
    this.measure();
    this.resize();
  }

  // ---- time -------------------------------------------------------------------------------------------------------

  async forward() {
    this.run(false);
    Object.assign(this, { phase: 1, last: null });
    this.refuse(this.machine.passes().sentence);
    this.changed();
    await this.network.pulse("value");
  }

  async backward() {
    this.run(false);
    Object.assign(this, { phase: 2, last: null });
    this.refuse(this.machine.passes().sentence);
    this.changed();
    await this.network.pulse("grad");
  }

  /** One update; says what it promised and what it did. */
  update() {
    this.run(false);
    const told = this.machine.passes().sentence ? null : this.machine.promise();
    this.steps(1);
    if (!this.complaint) this.last = told;
    this.changed();
  }

  steps(count) {
    this.run(false);
    this.network.still();
    Object.assign(this, { phase: 0, last: null, complaint: "" });
    const atOnce = Math.ceil(count / 50); // between two places of the curve
    for (let left = count; left > 0 && !this.complaint; left -= atOnce) {
      this.refuse(this.timeline.step(Math.min(atOnce, left)).sentence);
      this.measure();
    }
    this.changed();
  }

  leftOfEpoch() {
    const { machine } = this;
    return Math.max(1, machine.batches - machine.place);
  }

  back() {
    this.run(false);
    this.network.still();
    this.complaint = "";
    if (this.phase > 0) this.phase -= 1;
    else if (this.timeline.moment > 0) {
      const before = this.machine.steps;
      this.timeline.go(this.timeline.moment - 1);
      Object.assign(this, { phase: this.machine.steps < before ? 2 : 0, last: null });
      this.measure();
    }
    this.changed();
  }

  go(moment) {
    this.run(false);
    this.timeline.go(within(0, moment, this.timeline.last));
    Object.assign(this, { phase: 0, last: null, complaint: "" });
    this.measure();
    this.changed();
  }

  run(on) {
    if (this.running === on) return;
    this.running = on;
    named("run").textContent = on ? "Pause" : "Run";
    named("line").setAttribute("aria-live", on ? "off" : "polite");
    if (!on) return this.machine && this.changed();
    Object.assign(this, { phase: 0, last: null, complaint: "", began: this.machine.epoch });
    this.network.still();
    if (this.pace === "pulses") this.slowly();
    else requestAnimationFrame(() => this.tick());
  }

  /** A frame of a run: learns for some milliseconds, and draws. */
  tick() {
    if (!this.running) return;
    const end = performance.now() + FRAME;
    let told = {};
    do {
      told = this.timeline.step(this.pace === "calm" ? Math.max(CALM, this.leftOfEpoch()) : 1);
    } while (this.pace === "fast" && !this.isOver(told) && performance.now() < end);
    if (this.isOver(told)) {
      this.refuse(told.sentence);
      this.run(false);
    }
    this.measure();
    this.draw();
    if (this.running) requestAnimationFrame(() => this.tick());
  }

  /** Whether a run ends: a refused step, or the epoch at which it is to pause. */
  isOver({ sentence }) { return Boolean(sentence) || (this.began < this.until && this.machine.epoch >= this.until); }

  async slowly() {
    while (this.running) {
      this.phase = 1;
      this.changed();
      await this.network.pulse("value");
      if (!this.running) return;
      this.phase = 2;
      this.changed();
      await this.network.pulse("grad");
      if (stillness.matches) await new Promise((done) => setTimeout(done, 700));
      if (!this.running) return;
      const told = this.timeline.step(1);
      this.refuse(told.sentence);
      this.measure();
      this.phase = 0;
      if (this.isOver(told)) this.run(false);
    }
  }

  refuse(sentence) { this.complaint = sentence ?? ""; }

  /** Evaluates all points, and remembers it for the curve. */
  measure() {
    const { machine, timeline, history } = this;
    this.state = machine.evaluate();
    if (!machine.points[this.point]) this.point = null; // going back can take it away
    while (history.length && history.at(-1).moment >= timeline.moment && timeline.last === timeline.moment) history.pop();
    if (!history.length || history.at(-1).moment < timeline.moment) history.push({ moment: timeline.moment, steps: machine.steps, loss: this.state.loss });
    if (history.length > 2000) this.history = history.filter((_, k) => k % 2 === 0 || k === history.length - 1);
  }

  // ---- what is touched ----------------------------------------------------------------------------------------------

  touch(what, pulses = true) {
    this.complaint = "";
    this.guess = null;
    if (what.kind === "point") {
      Object.assign(this, { point: what.i, chosen: null });
      if (pulses && !this.running) this.follow();
    } else {
      this.chosen = what;
      if (this.asking && ["weight", "unit"].includes(what.kind)) this.guess = what;
    }
    this.changed();
  }

  /** A touched point's own way through the network and back. */
  async follow() {
    const i = this.point;
    this.phase = 1;
    this.changed();
    if (!(await this.network.pulse("value")) || this.point !== i || this.running || this.phase !== 1) return;
    this.phase = 2;
    this.changed();
    await this.network.pulse("grad");
  }

  edit(edit) {
    const sentence = this.timeline.edit(edit);
    if (!sentence && edit.kind === "remove") Object.assign(this, { point: null, chosen: null });
    if (!sentence) Object.assign(this, { last: null, phase: 0 });
    this.refuse(sentence);
    this.measure();
    this.changed();
  }

  /** One pull of the slider is one edit. */
  slide(number) {
    const { timeline } = this;
    if (this.slid !== null && this.slid === timeline.moment) timeline.go(timeline.moment - 1);
    this.edit({ kind: "rate", number });
    this.slid = timeline.moment;
  }

  predict(on) {
    this.asking = on;
    named("predict").ariaPressed = on;
    this.guess = null;
    this.changed();
  }

  /** What stands under the question: what to look at, or the answer. */
  look(words) {
    this.looked = words;
    named("look").textContent = shortName(words);
    named("look").classList.toggle("answer", words === this.situation.answer);
    named("answer").textContent = words === this.situation.answer ? "Hide the answer" : "Answer";
  }

  showPython() {
    const code = named("python");
    code.hidden = !code.hidden;
    code.textContent = this.timeline.python();
  }

  /** The page itself, which starts where it is now. */
  save() {
    const data = document.querySelector('script[type="application/json"]');
    const before = data.textContent;
    const others = this.situations.filter((one) => one !== this.situation);
    data.textContent = JSON.stringify({ version: 1, situations: [this.timeline.saved(), ...others] }).replaceAll("<", "\\u003c");
    const source = ORIGINAL.replace(before, () => data.textContent);
    data.textContent = before;
    const link = made("a", { download: `${this.situation.title.toLowerCase().replace(/\W+/g, "-")}.html`, href: URL.createObjectURL(new Blob([source], { type: "text/html" })) });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  /** Both passes of the point that was touched, or of the only one of the mini-batch. */
  get example() {
    const { machine, machine: { batch } } = this;
    const i = this.point ?? (batch.length === 1 ? batch[0] : null);
    return i !== null && machine.points[i] ? machine.example(i) : null;
  }

  say(words) { named("said").textContent = words; }

  // ---- drawing --------------------------------------------------------------------------------------------------------

  resize() {
    this.plane.resize();
    this.network.viewer.fit(false);
    this.room = [named("curve").clientWidth || 300, named("curve").clientHeight];
    this.changed();
  }

  changed() {
    cancelAnimationFrame(this.next);
    this.next = requestAnimationFrame(() => this.draw());
  }

  draw() {
    const { machine, situation } = this;
    this.colours ??= theme();
    this.pixels ??= scale(this.colours);
    const { colours, pixels } = this;
    const columns = this.running ? COARSE : FINE;
    const rows = situation.features.length === 2 ? columns : 1;
    const surface = situation.components ? null : machine.surface(columns, rows);
    this.surface = surface && { ...surface, columns, rows, most: surface.units.map((layer) => Math.max(1e-9, ...layer.map(largestOf))) };
    this.isWrong = this.state.wrong;
    this.plane.draw(colours, pixels);
    this.network.draw(colours, pixels);
    this.drawStatus();
    this.drawCurve();
    this.drawLine();
    this.drawLegend(colours);
    this.drawTouched();
  }

  drawStatus() {
    const { machine, state, phase, running } = this;
    const metric = state.accuracy !== null ? ` · ${numberText(100 * state.accuracy, 3)} %` : state.rmse !== null ? ` · RMSE ${shown(state.rmse)}` : "";
    const epoch = machine.batchSize < machine.points.length ? `epoch ${machine.epoch}, update ${machine.steps}` : `epoch ${machine.epoch}`;
    named("status").textContent = `${epoch} · loss ${state.loss === null ? "–" : numberText(state.loss, 3)}${metric}`;
    named("back").ariaDisabled = !this.timeline.moment && !phase;
    ["forward", "backward", "update"].forEach((id, k) => {
      named(id).className = !running && phase === k && !this.last ? `next ${k ? "" : "blue"}` : "";
    });
    if (document.activeElement !== named("rate")) named("rate").value = numberText(machine.rate, 4);
    named("slider").value = Math.log10(machine.rate);
    named("slider").ariaValueText = numberText(machine.rate, 4);
    if (document.activeElement !== named("batch")) named("batch").value = machine.batchSize;
  }

  /** The loss so far, to touch: that is the way back. */
  drawCurve() {
    const { history, timeline } = this;
    const box = named("curve");
    if (history.length < 2) return box.replaceChildren();
    const [width, height] = this.room;
    const last = Math.max(timeline.last, 1);
    const most = Math.max(...history.map(({ loss }) => loss ?? 0)) || 1;
    const at = ({ moment, loss }) => [(moment / last) * (width - 8) + 4, height - 14 - ((loss ?? 0) / most) * (height - 20)];
    if (!this.curve || this.curve.parentElement !== box) {
      this.curve = drawn("svg", { role: "slider", tabindex: 0, "aria-label": "the loss until now: back through all that happened" },
        drawn("path", { fill: "none", stroke: "var(--value)", "stroke-width": 1.6 }), drawn("circle", { r: 4, fill: "var(--value)" }), drawn("text", { x: 4, y: height - 2 }));
      const go = ({ clientX }) => {
        const { left, width } = this.curve.getBoundingClientRect();
        this.go(Math.round(within(0, (clientX - left - 4) / (width - 8), 1) * this.timeline.last));
      };
      this.curve.onpointerdown = (event) => { this.curve.setPointerCapture(event.pointerId); go(event); };
      this.curve.onpointermove = (event) => event.buttons && go(event);
      this.curve.onkeydown = (event) => {
        const { moment, last } = this.timeline;
        const to = { ArrowLeft: moment - 1, ArrowRight: moment + 1, PageUp: moment + 100, PageDown: moment - 100, Home: 0, End: last }[event.key];
        if (to === undefined) return;
        this.go(to);
        event.preventDefault();
      };
      box.replaceChildren(this.curve);
    }
    const [path, dot, text] = this.curve.children;
    const { moment } = timeline;
    const now = history.findLast((one) => one.moment <= moment) ?? history[0];
    this.curve.setAttribute("viewBox", `0 0 ${width} ${height}`);
    path.setAttribute("d", `M${history.map(at).join("L")}`);
    [["cx", at({ ...now, moment })[0]], ["cy", at(now)[1]]].forEach(([name, x]) => dot.setAttribute(name, x));
    text.textContent = `loss, from ${shown(history[0].loss ?? 0)}`;
    Object.entries({ valuemin: 0, valuemax: timeline.last, valuenow: moment, valuetext: `update ${this.machine.steps}, loss ${shown(this.state.loss ?? 0)}` })
      .forEach(([name, x]) => this.curve.setAttribute(`aria-${name}`, x));
  }

  drawLine() {
    const { math, small } = this.guess ? this.question() : this.mathematics.line;
    const markup = `${math}<small></small>`;
    if (this.shown === markup + small) return;
    this.shown = markup + small;
    named("line").innerHTML = markup;
    named("line").lastChild.textContent = small;
  }

  /** Predict mode asks for the sign before it shows. */
  question() {
    const { l, j, p } = this.guess;
    return p === undefined ? { math: mathOf(symbol("δ", l, j + 1)), small: "Is it positive, or negative?" }
      : { math: mathOf(nameMath(this.situation.parameters[p])), small: "Will Update raise this weight, or lower it?" };
  }

  judge(isUp) {
    const { machine, point, guess: { l, j, p } } = this;
    const is = p === undefined ? machine.example(point ?? machine.batch[0]).delta[l - 1][j] : machine.promise().moves[p];
    this.guess = null;
    this.draw();
    const right = is === 0 ? "Neither: it is 0." : is > 0 === isUp ? "Right." : "No, the other way.";
    named("line").lastChild.prepend(`${right} `);
  }

  drawLegend(colours) {
    const { reading, machine } = this;
    const labels = reading.isClasses ? reading.classes.map((_, label) => label) : [];
    const key = `${reading.classes.join()}${machine.batch.length}/${machine.points.length}${rgb(colours.ink)}`;
    if (this.keyed === key) return;
    this.keyed = key;
    const entry = (label, words, isWrong) => {
      const canvas = made("canvas", { "aria-hidden": "true" });
      marker(sized(canvas, 16, 16), label, [8, 8], 4, colours, isWrong);
      if (labels.length === 2 && !isWrong) canvas.style.background = rgb(mixed(colours.paper, label ? colours.plus : colours.minus, 0.62));
      return made("span", {}, canvas, words);
    };
    const some = machine.batch.length < machine.points.length ? [made("span", {}, "pale: not in this mini-batch")] : [];
    named("legend").replaceChildren(...labels.map((label) => entry(label, reading.said(label))), ...(labels.length ? [entry(0, "wrong", true)] : []), ...some);
  }

  /** What can be done with what is touched. */
  drawTouched() {
    const { chosen, point, machine, situation, guess, phase } = this;
    const key = JSON.stringify([chosen, point, situation.title, [...machine.frozen], [...machine.killed], Boolean(guess), machine.points.length, machine.batchSize, this.network.opened]);
    if (this.offered === key) return this.weight && document.activeElement !== this.weight && (this.weight.value = pictureText(machine.shared[chosen?.p] ?? 0));
    this.offered = key;
    this.weight = null;
    const place = named("touched");
    place.replaceChildren();
    const offer = (words, how) => button("touched", `do${place.children.length}`, words, how);
    const has = (lever) => !situation.levers.length || situation.levers.includes(lever);
    if (!chosen && point === null && situation.levers.includes("batch")) this.offerBatch();
    if (this.network.opened) offer("Back to the network", () => this.network.close());
    if (guess) {
      const isWeight = guess.kind === "weight";
      offer(isWeight ? "It rises" : "Positive", () => this.judge(true));
      offer(isWeight ? "It falls" : "Negative", () => this.judge(false));
      return;
    }
    if (chosen?.kind === "weight") this.offerWeight(chosen.p, offer, has);
    else if (chosen?.kind === "unit") this.offerUnit(chosen, offer, has);
    else if (chosen?.kind === "place" && has("points")) this.offerPlace(chosen.place, offer);
    else if (!chosen && point !== null && has("points")) {
      if (this.reading.isClasses && this.reading.classes.length > 1) offer("Flip its class", () => this.edit({ kind: "flip", i: point }));
      offer("Remove it", () => this.edit({ kind: "remove", i: point }));
    }
    if (chosen || point !== null) offer("Deselect", () => { Object.assign(this, { chosen: null, point: null, guess: null, complaint: "" }); this.changed(); });
  }

  offerBatch() {
    const size = made("input", { type: "text", inputmode: "numeric", value: this.machine.batchSize });
    size.onchange = () => this.edit({ kind: "batch", number: typed(size) });
    named("touched").append(made("label", {}, "mini-batch of ", size, " points"));
  }

  offerWeight(p, offer, has) {
    const { machine } = this;
    if (has("weights")) {
      this.weight = made("input", { type: "text", inputmode: "decimal", size: 7, value: pictureText(machine.shared[p]) });
      this.weight.onchange = ({ target }) => this.edit({ kind: "weight", p, number: typed(target) });
      const nudge = (by) => this.edit({ kind: "weight", p, number: machine.shared[p] + by });
      offer("−0.1", () => nudge(-0.1));
      named("touched").append(made("label", {}, `${shortName(this.situation.parameters[p])} = `, this.weight));
      offer("+0.1", () => nudge(0.1));
    }
    if (has("freeze")) offer(machine.frozen.has(p) ? "Thaw" : "Freeze", () => this.edit({ kind: "freeze", p: [p], on: !machine.frozen.has(p) }));
  }

  offerUnit({ l, j }, offer, has) {
    const { machine, situation: { layers, parameters } } = this;
    const { W, b, gamma, beta } = layers[l - 1];
    const own = [...W[j], b[j], gamma[j], beta[j]].filter((p) => p !== undefined);
    for (const p of own.slice(0, 40)) offer(shortName(parameters[p]), () => this.touch({ kind: "weight", p }));
    const isFrozen = own.every((p) => machine.frozen.has(p));
    const isKilled = machine.killed.has(`${l},${j}`);
    if (!this.network.opened) offer("Open it", () => this.network.open(l, j));
    if (has("freeze")) offer(isFrozen ? "Thaw" : "Freeze", () => this.edit({ kind: "freeze", p: own, on: !isFrozen }));
    if (has("kill") && l < layers.length) offer(isKilled ? "Bring back" : "Kill", () => this.edit({ kind: "kill", l, j, on: !isKilled }));
    if (has("saturate") && l < layers.length && b.length) offer("Saturate", () => this.edit({ kind: "saturate", l, j }));
  }

  offerPlace(place, offer) {
    const { reading, situation, machine } = this;
    if (situation.components) return;
    const { x, y } = this.plane.asked(place);
    const labels = reading.isClasses ? reading.classes.map((_, label) => label) : [y ?? 0];
    for (const label of labels) {
      offer(reading.isClasses ? `Add ${reading.said(label)} here` : "Add a point here", () => {
        this.edit({ kind: "add", x, y: label });
        if (!this.complaint) this.touch({ kind: "point", i: machine.points.length - 1 });
      });
    }
  }
}

/** A number as it was typed; NaN, which every edit refuses, for anything else. */
const typed = ({ value }) => (value.trim() ? Number(value.replaceAll("−", "-").replace(",", ".")) : NaN);
const VARIANT = " / "; // in titles, before what tells the situations of one lesson apart
const largestOf = (numbers) => numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
// as the file was: the first scripts of the page have added to the modes alone
const ORIGINAL = `<!DOCTYPE html>\n${document.documentElement.outerHTML}`.replace(named("modes").outerHTML, named("modes").cloneNode().outerHTML);
const DATA = JSON.parse(named("data").textContent);
window.lab = new Lab(DATA.situations);

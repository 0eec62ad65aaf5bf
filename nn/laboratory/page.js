// The lab's controls: selection, time, and drawing.

const FRAME = 8; // milliseconds of script in each frame of a run
const [FAST, SELDOM] = [14, 4]; // milliseconds of learning per frame of a fast run, which draws every fourth frame
const PACES = { calm: "calmly", fast: "as fast as possible", pulses: "with pulses" };
const CALM = 10; // updates per frame, or an epoch if that is more

class Lab {
  constructor(situations) {
    Object.assign(this, { situations, pace: "calm", running: false, asking: false, slid: null, known: [] });
    this.titles = situations.map(({ title }) => title.split(" / ")); // a lesson and the variant
    this.plane = new Plane(named("plane"), this);
    this.network = new Network(named("network"), this);
    this.mathematics = new Mathematics(this);
    this.frame();
    this.start(0);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.colours = null;
      this.changed();
    });
    new ResizeObserver(() => this.resize()).observe(document.querySelector("main"));
    window.addEventListener("resize", () => this.resize());
  }

  /** Sets up everything that is the same in all situations. */
  frame() {
    const title = document.querySelector("h1");
    this.title = made("button", { type: "button", class: "plain", popovertarget: `${ID}contents` });
    title.replaceChildren(this.title);
    button("buttons", "back", "Back", () => this.back());
    button("buttons", "forward", "Forward", () => this.pass(1));
    button("buttons", "backward", "Backward", () => this.pass(2));
    button("buttons", "update", "Update", () => this.update());
    button("buttons", "run", "Run", () => this.run(!this.running));
    named("slider").oninput = ({ target }) => this.slide(Number((10 ** target.value).toPrecision(3)));
    named("slider").onchange = () => { this.slid = null; };
    named("rate").onchange = ({ target }) => this.edit({ kind: "rate", number: typed(target) });
    named("moment").oninput = ({ target }) => this.go(Number(target.value));
    const lessons = [...new Set(this.titles.map(([lesson]) => lesson))];
    lessons.forEach((lesson, n) => button("lessons", `lesson${n}`, lesson, () => {
      this.known = []; // a lesson starts from its initial state
      this.start(this.titles.findIndex(([other]) => other === lesson));
      named("contents").hidePopover();
    }));
    named("lessons").hidden = lessons.length < 2;
    button("tools", "predict", "Ask me to predict first", () => this.predict(!this.asking));
    button("tools", "again", "Start again", () => this.go(0));
    button("tools", "aspython", "As Python", () => this.showPython());
    button("tools", "save", "Save as a file", () => this.save());
    named("tools").append(...named("modes").children);
    named("answer").onclick = () => this.look(!this.isAnswered);
    named("grain").append(this.batchField("batch"));
    button("grain", "one", "One point", () => this.edit({ kind: "batch", number: 1 }));
    button("grain", "all", "All points", () => this.edit({ kind: "batch", number: this.machine.points.length || 1 }));
    const option = ([value, words]) => made("option", { value }, words);
    const pace = made("select", { id: `${ID}pace` }, ...Object.entries(PACES).map(option));
    pace.onchange = () => { this.pace = pace.value; };
    const until = field("until", ["and pause at epoch "], 5, (epoch) => {
      this.until = epoch > 0 ? Math.ceil(epoch) : 0;
      named("until").value = this.until || "";
    });
    named("grain").append(made("label", {}, "Run ", pace), until);
    button("grain", "epoch", "One epoch", () => this.steps(this.leftOfEpoch()));
    button("grain", "hundred", "100 updates", () => this.steps(100));
  }

  batchField(id) {
    return field(id, ["mini-batch of ", " points"], 4, (number) => this.edit({ kind: "batch", number }));
  }

  static timed(situation) {
    const machine = new Machine(situation, KERNELS);
    return { machine, timeline: new Timeline(machine) };
  }

  /** Shows a situation in the state in which it was left. */
  start(n) {
    this.run(false);
    const situation = this.situations[n];
    const [lesson] = this.titles[n];
    const isOther = lesson !== this.title.textContent;
    this.known[n] ??= { situation, reading: new Reading(situation), history: [], ...Lab.timed(situation) };
    Object.assign(this, this.known[n], { phase: 0, chosen: null, last: null, complaint: "" });
    this.point = this.machine.points.length === 1 ? 0 : null;
    this.predict(false);
    this.title.textContent = document.title = lesson;
    this.until = situation.until || 0;
    named("until").value = this.until || "";
    named("question").textContent = shortName(situation.question);
    this.look(Boolean(this.isAnswered) && !isOther);
    for (const made of named("lessons").children) made.ariaPressed = made.textContent === lesson;
    named("variants").replaceChildren();
    this.titles.forEach(([of, variant], k) => {
      if (of !== lesson || !variant) return;
      button("variants", `variant${k}`, variant, () => k === n || this.start(k)).ariaPressed = k === n;
    });
    named("answer").hidden = !situation.answer;
    named("python").hidden = true;
    this.network.build();
    this.measure();
    this.resize();
  }

  // ---- time -------------------------------------------------------------------------------------------------------

  /** Ends a run and all pulses, and clears the messages. */
  settle() {
    this.run(false);
    this.network.still();
    Object.assign(this, { phase: 0, last: null, complaint: "" });
  }

  /** Shows the forward (1) or backward (2) pass of the next update; resolves to true unless it is interrupted. */
  pass(phase) {
    this.settle();
    this.refuse(this.machine.passes().sentence);
    return this.pulse(phase);
  }

  pulse(phase) {
    this.phase = phase;
    this.changed();
    return this.network.pulse(phase === 1 ? "value" : "grad");
  }

  /** Makes one update, and keeps its predicted and actual change for the line of mathematics. */
  update() {
    this.run(false);
    const preview = this.machine.passes().sentence ? null : this.machine.preview();
    this.steps(1);
    if (!this.complaint) this.last = preview;
  }

  steps(count) {
    this.settle();
    const atOnce = Math.ceil(count / 50); // between two points of the curve
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
    const { phase, timeline: { moment }, machine: { steps } } = this;
    if (phase) this.settle();
    else this.go(moment - 1);
    this.phase = phase ? phase - 1 : this.machine.steps < steps ? 2 : 0;
    this.changed();
  }

  go(moment) {
    this.settle();
    this.timeline.go(within(0, moment, this.timeline.last));
    this.measure();
    this.changed();
  }

  run(on) {
    if (this.running === on) return;
    if (on) this.settle();
    this.running = on;
    named("run").textContent = on ? "Pause" : "Run";
    named("line").setAttribute("aria-live", on ? "off" : "polite");
    this.began = this.machine.epoch;
    if (!on) this.changed();
    else if (this.pace === "pulses") this.slowly();
    else requestAnimationFrame(() => this.tick());
  }

  /** Runs one frame: learns for some milliseconds, then draws. */
  tick() {
    if (!this.running) return;
    const isFast = this.pace === "fast";
    const end = performance.now() + (isFast ? FAST : FRAME - (this.spent ?? 0));
    const most = isFast ? Infinity : Math.max(CALM, this.leftOfEpoch());
    for (let done = 0; this.running && done < most && (!done || performance.now() < end); done++) this.learn(1);
    this.ticks = (this.ticks ?? 0) + 1;
    if (isFast && this.running && this.ticks % SELDOM) return requestAnimationFrame(() => this.tick());
    const learned = performance.now();
    this.measure();
    this.draw();
    this.spent = Math.min(performance.now() - learned, FRAME / 2);
    if (this.running) requestAnimationFrame(() => this.tick());
  }

  /** Takes steps of a run; a refused step, or the epoch at which to pause, ends it. */
  learn(count) {
    const { sentence } = this.timeline.step(count);
    this.refuse(sentence);
    if (sentence || (this.began < this.until && this.machine.epoch >= this.until)) this.run(false);
  }

  async slowly() {
    while (this.running) {
      for (const phase of [1, 2]) {
        await this.pulse(phase);
        if (!this.running) return;
      }
      if (stillness.matches) await new Promise((done) => setTimeout(done, 700));
      if (!this.running) return;
      this.phase = 0;
      this.learn(1);
      this.measure();
    }
  }

  refuse(sentence) { this.complaint = sentence ?? ""; }

  /** Evaluates all points and stores the loss for the curve. */
  measure() {
    const { machine, timeline: { moment, last }, history } = this;
    this.state = machine.evaluate();
    if (!machine.points[this.point]) this.point = null; // going back can remove it
    while (history.at(-1)?.moment >= moment && last === moment) history.pop();
    if (!(history.at(-1)?.moment >= moment)) history.push({ moment, loss: this.state.loss });
    if (history.length < 2000) return;
    const end = history.length - 1;
    history.splice(0, Infinity, ...history.filter((_, k) => k % 2 === 0 || k === end));
  }

  // ---- touch --------------------------------------------------------------------------------------------------------

  touch(what, pulses = true) {
    Object.assign(this, { complaint: "", guess: null });
    if (what.kind === "point") {
      Object.assign(this, { point: what.i, chosen: null });
      if (pulses && !this.running) this.follow();
    } else {
      this.chosen = what;
      if (this.asking && ["weight", "unit"].includes(what.kind)) this.guess = what;
    }
    this.changed();
  }

  /** Shows how a touched point passes through the network and back. */
  async follow() {
    const { point } = this;
    if (await this.pulse(1) && this.point === point && this.phase === 1) this.pulse(2);
  }

  edit(edit) {
    const sentence = this.timeline.edit(edit);
    if (!sentence && edit.kind === "remove") Object.assign(this, { point: null, chosen: null });
    if (!sentence) Object.assign(this, { last: null, phase: 0 });
    this.refuse(sentence);
    this.measure();
    this.changed();
  }

  /** Changes the rate; one drag of the slider is one edit. */
  slide(number) {
    const { timeline } = this;
    if (this.slid !== null && this.slid === timeline.moment) timeline.go(timeline.moment - 1);
    this.edit({ kind: "rate", number });
    this.slid = timeline.moment;
  }

  predict(on) {
    Object.assign(this, { asking: on, guess: null });
    named("predict").ariaPressed = on;
    this.changed();
  }

  /** Shows the instructions or the answer below the question. */
  look(isAnswered) {
    this.isAnswered = isAnswered;
    named("look").textContent = shortName(this.situation[isAnswered ? "answer" : "look"]);
    named("look").classList.toggle("answer", isAnswered);
    named("answer").textContent = isAnswered ? "Hide the answer" : "Answer";
  }

  showPython() {
    const code = named("python");
    code.hidden = !code.hidden;
    code.textContent = this.timeline.python();
  }

  /** Saves a copy of the page that starts from the current state. */
  save() {
    const others = this.situations.filter((one) => one !== this.situation);
    const data = JSON.stringify({ version: 1, situations: [this.timeline.saved(), ...others] });
    const source = ORIGINAL.replace(named("data").textContent, () => data.replaceAll("<", "\\u003c"));
    const href = URL.createObjectURL(new Blob([source], { type: "text/html" }));
    made("a", { download: `${this.situation.title.toLowerCase().replace(/\W+/g, "-")}.html`, href }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  }

  /** Both passes of the touched point, or of the mini-batch's only point. */
  get example() { return this.machine.example(this.exampleIndex); }

  get exampleIndex() {
    const { batch } = this.machine;
    return this.point ?? (batch.length === 1 ? batch[0] : null);
  }

  announce(text) { named("announcement").textContent = text; }

  // ---- drawing ----------------------------------------------------------------------------------------------------

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
    const columns = this.running ? COARSE : FINE;
    // passes() returns a new object whenever a number has changed
    const now = [machine.passes(), columns, (this.colours ??= theme())];
    const isChanged = now.some((one, k) => one !== this.pictured?.[k]);
    if (isChanged) {
      const rows = situation.features.length === 2 ? columns : 1;
      const surface = machine.surface(columns, rows);
      const largest = (numbers) => numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-9);
      const most = surface?.units.map((layer) => Math.max(...layer.map(largest)));
      this.surface = surface && { ...surface, columns, rows, most };
      this.pictured = now;
    }
    this.plane.draw(this.colours);
    this.network.draw(this.colours, isChanged || !this.surface);
    this.drawStatus();
    this.drawCurve();
    this.drawLine();
    this.drawLegend();
    this.drawTouched();
  }

  drawStatus() {
    const { machine, state: { loss, accuracy, rmse }, phase, running } = this;
    const words = [
      `epoch ${machine.epoch}${machine.batchSize < machine.points.length ? `, update ${machine.steps}` : ""}`,
      `loss ${loss === null ? "–" : numberText(loss, 3)}`,
      accuracy !== null ? `${numberText(100 * accuracy, 3)} % right` : rmse !== null && `RMSE ${shown(rmse)}`,
    ];
    named("status").textContent = words.filter(Boolean).join(" · ");
    named("back").ariaDisabled = !this.timeline.moment && !phase;
    ["forward", "backward", "update"].forEach((id, k) => {
      named(id).className = !running && phase === k && !this.last ? `next ${k ? "" : "blue"}` : "";
    });
    const rate = numberText(machine.rate, 4);
    fill(named("rate"), rate);
    Object.assign(named("slider"), { value: Math.log10(machine.rate), ariaValueText: rate });
    fill(named("batch"), machine.batchSize);
  }

  /** Draws the loss so far; the slider over it moves back in time. */
  drawCurve() {
    const { history, timeline: { moment, last }, room: [width, height], machine, state } = this;
    named("curve").style.visibility = history.length < 2 ? "hidden" : "";
    const most = Math.max(...history.map(({ loss }) => loss ?? 0)) || 1;
    const at = ({ moment, loss }) =>
      [(moment / (last || 1)) * (width - 8) + 4, height - 14 - ((loss ?? 0) / most) * (height - 20)];
    const [cx, cy] = at({ moment, loss: history.findLast((one) => one.moment <= moment)?.loss });
    const [path, dot, text] = named("curve").firstElementChild.children;
    path.setAttribute("d", `M${history.map(at).join("L")}`);
    attributed(dot, { cx, cy });
    attributed(text, { y: height - 2 });
    text.textContent = `loss, initially ${shown(history[0].loss ?? 0)}`;
    const ariaValueText = `update ${machine.steps}, loss ${shown(state.loss ?? 0)}`;
    Object.assign(named("moment"), { max: last, value: moment, ariaValueText });
  }

  drawLine() {
    const { math, small } = this.guess ? this.question() : this.mathematics.line;
    if (this.shown === math + small) return;
    this.shown = math + small;
    named("line").innerHTML = `${math}<small></small>`;
    named("line").lastChild.textContent = small;
  }

  /** Asks for the sign of a number before showing it. */
  question() {
    const { l, j, p } = this.guess;
    return p === undefined ? lineOf("Is it positive or negative?", symbol("δ", l, j + 1))
      : lineOf("Will Update raise or lower this weight?", nameMath(this.situation.parameters[p]));
  }

  judge(isUp) {
    const { machine, point, guess: { l, j, p } } = this;
    const example = machine.example(point ?? machine.batch[0]);
    const is = p === undefined ? example.delta[l - 1][j] : machine.preview().moves[p];
    this.guess = null;
    this.draw();
    const right = is === 0 ? "Neither: it is 0." : is > 0 === isUp ? "Right." : "No, the opposite.";
    named("line").lastChild.prepend(`${right} `);
  }

  drawLegend() {
    const { reading, reading: { isClasses, classes }, machine: { batch, points }, colours } = this;
    const isPart = batch.length < points.length;
    const key = `${classes.join()}${isPart}${rgb(colours.ink)}`;
    if (this.keyed === key) return;
    this.keyed = key;
    const entry = (label, words, isWrong) => {
      const canvas = made("canvas", { "aria-hidden": "true" });
      marker(sized(canvas, 16, 16), label, [8, 8], 4, colours, isWrong);
      const colour = label ? colours.plus : colours.minus;
      if (classes.length === 2 && !isWrong) canvas.style.background = rgb(mixed(colours.paper, colour, 0.62));
      return made("span", {}, canvas, words);
    };
    const entries = isClasses ? [...classes.map((_, k) => entry(k, reading.label(k))), entry(0, "wrong", true)] : [];
    named("legend").replaceChildren(...entries, ...(isPart ? [made("span", {}, "pale: not in this mini-batch")] : []));
  }

  /** Offers the actions for the selection. */
  drawTouched() {
    const { chosen, point, machine, situation: { title, levers }, guess, network, reading } = this;
    const { frozen, killed, points, batchSize, shared } = machine;
    const key = JSON.stringify([
      chosen, point, title, [...frozen], [...killed], guess, points.length, batchSize, network.opened]);
    if (this.offered === key) {
      if (chosen?.kind === "weight" && named("weight")) fill(named("weight"), pictureText(shared[chosen.p]));
      return;
    }
    this.offered = key;
    const place = named("touched");
    place.replaceChildren();
    const offer = (words, how) => button("touched", `do${place.children.length}`, words, how);
    const has = (lever) => !levers.length || levers.includes(lever);
    if (!chosen && point === null && levers.includes("batch")) {
      place.append(this.batchField("size"));
      named("size").value = batchSize;
    }
    if (network.opened) offer("Back to the network", () => network.close());
    if (guess) {
      const [up, down] = guess.kind === "weight" ? ["It rises", "It falls"] : ["Positive", "Negative"];
      offer(up, () => this.judge(true));
      offer(down, () => this.judge(false));
      return;
    }
    if (chosen?.kind === "weight") this.offerWeight(chosen.p, offer, has);
    else if (chosen?.kind === "unit") this.offerUnit(chosen, offer, has);
    else if (chosen?.kind === "place" && has("points")) this.offerPlace(chosen.place, offer);
    else if (!chosen && point !== null && has("points")) {
      if (reading.classes.length > 1) offer("Flip its class", () => this.edit({ kind: "flip", i: point }));
      offer("Remove it", () => this.edit({ kind: "remove", i: point }));
    }
    if (chosen || point !== null) offer("Deselect", () => this.deselect());
  }

  deselect() {
    Object.assign(this, { chosen: null, point: null, complaint: "" });
    this.changed();
  }

  offerWeight(p, offer, has) {
    const { machine: { shared, frozen }, situation: { parameters } } = this;
    const isFrozen = frozen.has(p);
    if (has("weights")) {
      const set = (number) => this.edit({ kind: "weight", p, number });
      offer("−0.1", () => set(shared[p] - 0.1));
      named("touched").append(field("weight", [`${shortName(parameters[p])} = `], 7, set));
      named("weight").value = pictureText(shared[p]);
      offer("+0.1", () => set(shared[p] + 0.1));
    }
    if (has("freeze")) offer(isFrozen ? "Thaw" : "Freeze", () => this.edit({ kind: "freeze", p: [p], on: !isFrozen }));
  }

  offerUnit({ l, j }, offer, has) {
    const { machine: { frozen, killed }, situation: { layers, parameters }, network } = this;
    const { W, b, gamma, beta } = layers[l - 1];
    const own = [...W[j], b[j], gamma[j], beta[j]].filter((p) => p !== undefined);
    for (const p of own.slice(0, 40)) offer(shortName(parameters[p]), () => this.touch({ kind: "weight", p }));
    const isFrozen = own.every((p) => frozen.has(p));
    const isKilled = killed.has(`${l},${j}`);
    const isHidden = l < layers.length;
    const edit = (words, change) => offer(words, () => this.edit(change));
    if (!network.opened) offer("Open it", () => network.open(l, j));
    if (has("freeze")) edit(isFrozen ? "Thaw" : "Freeze", { kind: "freeze", p: own, on: !isFrozen });
    if (has("kill") && isHidden) edit(isKilled ? "Bring back" : "Kill", { kind: "kill", l, j, on: !isKilled });
    if (has("saturate") && isHidden && b.length) edit("Saturate", { kind: "saturate", l, j });
  }

  offerPlace(place, offer) {
    const { reading, reading: { isClasses }, situation, machine } = this;
    if (situation.components) return;
    const { x, y } = this.plane.coordinates(place);
    for (const label of isClasses ? reading.classes.keys() : [y ?? 0]) {
      offer(isClasses ? `Add ${reading.label(label)} here` : "Add a point here", () => {
        this.edit({ kind: "add", x, y: label });
        if (!this.complaint) this.touch({ kind: "point", i: machine.points.length - 1 }, false);
      });
    }
  }
}

/** A number as it was typed; NaN, which every edit refuses, for anything else. */
const typed = ({ value }) => (value.trim() ? Number(value.replaceAll("−", "-").replace(",", ".")) : NaN);
const fill = (input, value) => { if (document.activeElement !== input) input.value = value; };

/** Returns an input between the words of its label; `how` is called with each number typed. */
function field(id, [before, after = ""], size, how) {
  const input = made("input", { id: ID + id, type: "text", inputmode: "decimal", size });
  input.onchange = () => how(typed(input));
  return made("label", {}, before, input, after);
}

// the original file: the page's first scripts have changed only the modes
const ORIGINAL = `<!DOCTYPE html>\n${document.documentElement.outerHTML}`
  .replace(named("modes").outerHTML, named("modes").cloneNode().outerHTML);
const DATA = JSON.parse(named("data").textContent);
window.lab = new Lab(DATA.situations);

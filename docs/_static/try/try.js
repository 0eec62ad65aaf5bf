// The Try-it page: sends what is typed to Python in a worker, and shows the items that come back.
"use strict";

{
  const HERE = document.currentScript.src;
  const made = window.TRY; // what the build of the site found: made.js
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector, within = document) => within.querySelector(selector);
  const byName = (name) => made.exercises.find((exercise) => exercise.name === name);

  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  // ---- Python ---------------------------------------------------------------------------------------------------

  const python = {
    worker: null,
    listener: null, // of the task that runs
    next: null, // runs after it
    loading: null, // listens until there is a task
    progress: null, // the last that was reported

    start(loading = null) {
      this.loading = loading;
      this.progress = { text: "Loading Python" };
      const receive = (item) => {
        if (item.kind === "progress") this.progress = item;
        (this.listener ?? this.loading)?.(item);
      };
      this.worker = new Worker(new URL("worker.js", HERE));
      this.worker.onmessage = ({ data }) => receive(data);
      this.worker.onerror = (event) => receive({ kind: "failed", text: event.message ?? "worker.js could not be loaded" });
      this.worker.postMessage({ archives: made.archives });
    },

    run(request, listener) {
      if (!this.worker) this.start();
      this.listener = (item) => {
        if (item.kind === "done") this.listener = null;
        if (item.kind === "failed") this.end(); // its state is unknown
        listener(item);
        if (!this.listener) this.then();
      };
      this.worker.postMessage({ archives: made.archives, request });
    },

    then() {
      const { next } = this;
      this.next = null;
      next?.();
    },

    end() {
      this.worker?.terminate();
      this.worker = this.listener = null;
    },
  };

  // ---- What a panel shows ---------------------------------------------------------------------------------------

  // Code, mathematics, bold and italics of Markdown; everything else is text.
  const MARKS = /`([^`]+)`|\$\$([^]+?)\$\$|\$([^$]+)\$|\*\*([^]+?)\*\*|\*([^*\s][^*]*)\*/g;

  function inline(text) {
    const parts = [];
    let end = 0;
    for (const match of text.matchAll(MARKS)) {
      const [whole, code, display, formula, bold, italic] = match;
      parts.push(text.slice(end, match.index));
      end = match.index + whole.length;
      if (code) parts.push(element("code", { textContent: code }));
      else if (bold) parts.push(element("strong", {}, ...inline(bold)));
      else if (italic) parts.push(element("em", {}, ...inline(italic)));
      else {
        const span = element("span", { className: display ? "try-display" : "" });
        katex.render(display ?? formula, span, { output: "mathml", displayMode: Boolean(display), throwOnError: false });
        parts.push(span);
      }
    }
    return [...parts, text.slice(end)];
  }

  const markdown = (text) =>
    element("div", { className: "try-text" }, ...text.split(/\n{2,}/).map((part) => element("p", {}, ...inline(part))));

  // What Python made as HTML gets a page with an origin of its own, which reports how high it is.
  const FITTED = `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
    <title>Output</title><style>html { font: 15px/1.5 system-ui, sans-serif } body { margin: 0; display: flow-root }
    svg, img { max-width: 100%; height: auto }</style><body><main>`;
  const REPORT = `</main><script>{
    const report = () => parent.postMessage({ height: document.body.getBoundingClientRect().height }, "*");
    addEventListener("load", report);
    for (const wait of [100, 500, 2000]) setTimeout(report, wait); // a frame out of sight is laid out late, and not observed
    new ResizeObserver(report).observe(document.body);
  }</script>`;

  function frame(html, title, permissions = "allow-scripts") {
    const made = element("iframe", { className: "try-frame", title, srcdoc: html });
    made.setAttribute("sandbox", permissions);
    return made;
  }

  addEventListener("message", ({ source, data }) => {
    const from = all(".try-frame.fitted").find((frame) => frame.contentWindow === source);
    if (from && Number.isFinite(data?.height)) from.style.height = `${Math.min(Math.ceil(data.height) + 1, 4000)}px`;
  });

  const SHOWN = {
    stdout: ({ text }, output) => printed(text, "stdout", output),
    stderr: ({ text }, output) => printed(text, "stderr", output),
    result: ({ text }) => element("pre", { className: "result", tabIndex: 0, textContent: text }),
    note: ({ text }) => element("p", { className: "note", textContent: text }),
    caption: ({ text, code }) =>
      element("h3", { className: "try-caption" }, `${text} `, element("code", { textContent: code })),
    steps: ({ text, several }) => {
      const button = element("button", { type: "button", className: "try-steps", textContent: text });
      button.onclick = () => explainAs(text);
      return element("p", {}, `Name the inner ${several ? "parts" : "part"} to see the chain rule: `, button);
    },
    markdown: ({ text }) => markdown(text),
    page: ({ text, title }) => frame(text, title, "allow-scripts allow-downloads allow-forms"),

    html: ({ text, title = "Output" }) => {
      const made = frame(FITTED + text + REPORT, title);
      made.classList.add("fitted");
      return made;
    },

    feedback: ({ right, text }) =>
      element("p", { className: `feedback ${right ? "right" : "wrong"}` }, right ? "✓ " : "✗ ", ...inline(text)),

    error: ({ text, line, code, trace }, output) => {
      const made = element("div", { className: "error" }, element("p", { textContent: text }));
      if (line) {
        made.append(element("p", {}, `Line ${line}: `, element("code", { textContent: code })));
        one(`.try-lines span:nth-child(${line})`, output.closest(".try-panel"))?.classList.add("wrong");
      }
      if (trace) {
        const whole = element("pre", { tabIndex: 0, textContent: trace });
        made.append(element("details", {}, element("summary", { textContent: "Traceback" }), whole));
      }
      return made;
    },
  };

  function printed(text, stream, output) {
    const last = output.lastElementChild;
    if (!last?.classList.contains(stream)) return element("pre", { className: stream, tabIndex: 0, textContent: text });
    last.append(text);
    return last;
  }

  const show = (output, item) => output.append(SHOWN[item.kind](item, output));

  // ---- Running --------------------------------------------------------------------------------------------------

  const FILE = "This page needs a web server, because a browser does not run Python from a file. In a clone, type "
    + "python3 run.py docs --serve, and open the address that it prints.";

  function showProgress(panel, { text, loaded }, purpose = "") {
    const bar = one("progress", panel);
    one(".try-status", panel).textContent = purpose ? `${purpose} (${text})` : text;
    bar.hidden = !loaded;
    bar.value = Math.min((loaded ?? 0) / made.bytes, 1);
    bar.textContent = `${Math.round(100 * bar.value)} %`;
  }

  // Loads Python while the first fields are filled in.
  function loadEarly(panel) {
    if (python.worker || location.protocol === "file:" || navigator.connection?.saveData) return;
    python.start((item) => {
      if (item.kind === "progress") showProgress(panel, item);
      else {
        one("progress", panel).hidden = true;
        one(".try-status", panel).textContent = item.kind === "ready" ? "Python is ready." : (item.text ?? "");
        if (item.kind === "failed") python.end();
      }
    });
  }

  // purpose   what the task is for, if it is not what the panel's button does
  // receive   functions for items that are not output, by kind
  function run(panel, request, { purpose, ...receive } = {}) {
    const [status, output, stop] = [".try-status", ".try-output", ".try-stop"].map((s) => one(s, panel));
    if (python.listener) return;
    if (location.protocol === "file:") {
      status.textContent = FILE;
      return;
    }
    const busy = (is) => {
      all(".try-run").forEach((button) => button.setAttribute("aria-disabled", is));
      stop.hidden = !is;
      showProgress(panel, python.worker ? python.progress : { text: "Loading Python" }, purpose);
      output.classList.toggle("stale", is);
      output.ariaBusy = is;
    };
    const finish = (text) => {
      const wasOnStop = document.activeElement === stop;
      busy(false);
      one("progress", panel).hidden = true;
      status.textContent = text;
      if (wasOnStop) one(".try-run", panel).focus();
    };
    let hasFailed = false;
    let isFirst = true; // the last output stays until there is a new one
    const add = (item) => {
      if (isFirst) output.replaceChildren();
      if (isFirst) output.classList.remove("stale");
      isFirst = false;
      hasFailed = item?.kind === "error";
      if (item) show(output, item);
    };
    all(".try-lines .wrong", panel).forEach((line) => line.classList.remove("wrong"));
    python.loading?.({ kind: "taken over" });
    python.loading = null;
    busy(true);
    stop.onclick = () => {
      python.end();
      python.start();
      add();
      finish("Stopped. Python has been restarted.");
      python.then();
    };
    python.run(request, (item) => {
      if (item.kind === "progress") showProgress(panel, item, purpose);
      else if (item.kind === "done") {
        finish(hasFailed ? "Ended with an error." : "Done.");
        if (isFirst) add();
      } else if (item.kind === "failed") {
        add({ kind: "error", text: item.text });
        finish("Python has stopped. It starts again with the next run.");
      } else if (receive[item.kind]) receive[item.kind](item);
      else add(item);
    });
  }

  // ---- Editors --------------------------------------------------------------------------------------------------

  const INDENT = "    ";

  function insert(area, text) {
    if (!document.execCommand("insertText", false, text)) area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  }

  function shiftLines(area, outwards) {
    const { value, selectionStart, selectionEnd } = area;
    const from = value.lastIndexOf("\n", selectionStart - 1) + 1;
    const lines = value.slice(from, selectionEnd).split("\n");
    const moved = lines.map((line) => (outwards ? line.replace(/^ {1,4}/, "") : INDENT + line)).join("\n");
    if (moved === lines.join("\n")) return;
    const first = outwards ? -Math.min(4, lines[0].match(/^ */)[0].length) : 4;
    area.setSelectionRange(from, selectionEnd);
    insert(area, moved);
    const start = Math.max(from, selectionStart + first);
    area.setSelectionRange(selectionStart === selectionEnd ? start : from, selectionStart === selectionEnd ? start : from + moved.length);
  }

  function edit(area) {
    const lines = element("div", { className: "try-lines", ariaHidden: "true" });
    const number = () => {
      const count = area.value.split("\n").length;
      area.rows = Math.max(count, 4);
      lines.replaceChildren(...Array.from({ length: count }, (_, i) => element("span", { textContent: i + 1 })));
    };
    let leaves = false; // after Escape, Tab goes on to the next control
    area.before(element("div", { className: "try-editor" }, lines));
    lines.after(area);
    area.addEventListener("input", number);
    area.addEventListener("blur", () => (leaves = false));
    area.addEventListener("keydown", (event) => {
      const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
      if (event.key === "Escape") leaves = true;
      else if (event.key === "Enter" && !plain) {
        event.preventDefault();
        one(".try-run", area.closest(".try-panel")).click();
      } else if (event.key === "Tab" && plain && !leaves) {
        event.preventDefault();
        const isRange = area.value.slice(area.selectionStart, area.selectionEnd).includes("\n");
        if (event.shiftKey || isRange) shiftLines(area, event.shiftKey);
        else {
          const column = area.selectionStart - (area.value.lastIndexOf("\n", area.selectionStart - 1) + 1);
          insert(area, " ".repeat(4 - (column % 4)));
        }
      } else if (event.key === "Enter" && plain && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        const before = area.value.slice(area.value.lastIndexOf("\n", area.selectionStart - 1) + 1, area.selectionStart);
        insert(area, `\n${before.match(/^ */)[0]}${/:\s*(#.*)?$/.test(before) ? INDENT : ""}`);
      }
    });
    area.setCode = (code) => {
      area.value = code;
      number();
    };
    area.setCode(area.value.trimEnd());
  }

  // ---- The panels -----------------------------------------------------------------------------------------------

  all(".try-panel textarea").forEach(edit);
  all(".try-panel").forEach((panel) => panel.addEventListener("focusin", () => loadEarly(panel), { once: true }));
  one(".try-functions").textContent = made.functions.join("  ");
  all(".try-size").forEach((place) => (place.textContent = Math.ceil(made.bytes / 1e6)));

  for (const panel of all(".try-panel[data-task=cell]")) {
    one("form", panel).onsubmit = (event) => {
      event.preventDefault();
      run(panel, { task: "cell", code: one("textarea", panel).value });
    };
  }

  const EXAMPLES = [
    ["f = xyz", "f = x*y*z; x = r; y = r*s; z = s", "r=2 s=3", "s"],
    ["a neuron", "a = sigmoid(z); z = w*x + b", "w=0.5 x=2 b=-2", "w"],
    ["softmax and cross-entropy", "L = -log(p); p = exp(z_1)/(exp(z_1) + exp(z_2) + exp(z_3))", "z_1=1 z_2=2 z_3=0", "z_1"],
    ["relu at its kink", "f = relu(x)", "x=0", "x"],
    ["log of 0", "f = log(p)", "p=0", "p"],
  ];
  const expression = one(".try-panel[data-task=expression]");
  const fields = ["f", "at", "wrt"].map((name) => one(`[name=${name}]`, expression));
  const address = (values) => new URLSearchParams(fields.map(({ name }, i) => [name, values[i].trim()])).toString();
  const typed = () => address(fields.map((field) => field.value));
  const first = typed();

  const explain = () => {
    const [text, inputs, wrt] = fields.map((field) => field.value);
    run(expression, { task: "expression", text, inputs, wrt });
  };

  function explainAs(text) {
    fields[0].value = text;
    one("form", expression).requestSubmit();
    fields[0].focus(); // the button that was pressed goes with the old output
  }

  const readAddress = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    if (given.has("f")) fields.forEach((field) => (field.value = given.get(field.name) ?? ""));
    return given.has("f");
  };

  one("form", expression).onsubmit = (event) => {
    event.preventDefault();
    history.replaceState(null, "", `#${typed()}`);
    explain();
  };
  for (const [name, ...values] of EXAMPLES) {
    const link = element("a", { textContent: name, href: `#${address(values)}` });
    link.onclick = (event) => {
      event.preventDefault(); // also where the address is the link's already
      history.pushState(null, "", link.hash);
      readAddress();
      explain();
    };
    one(".try-examples", expression).append(" ", link);
  }
  addEventListener("popstate", readAddress);
  readAddress();
  if (typed() === first) made.first.forEach((item) => show(one(".try-output", expression), item));
  else one(".try-status", expression).textContent = "Press Explain to run this.";

  const exercises = one(".try-panel[data-task=check]");
  const [choice, student, answer] = ["select", "[name=student]", "textarea"].map((s) => one(s, exercises));
  const answers = {};
  let chosen = null; // the exercise in the answer box
  let shown = {}; // whose question is shown: the names of the exercise and of the student

  const KEPT = "chainrule-try";
  const kept = { student: made.student };
  try {
    Object.assign(kept, JSON.parse(localStorage.getItem(KEPT)));
  } catch { /* the browser keeps nothing */ }
  const keep = (values) => {
    Object.assign(kept, values);
    try {
      localStorage.setItem(KEPT, JSON.stringify(kept));
    } catch { /* as above */ }
  };
  const studentName = () => student.value.trim() || made.student;
  const isShown = () => shown.exercise === choice.value && shown.student === studentName();

  choice.append(...made.exercises.map(({ name, title }) => new Option(`${name}: ${title}`, name)));

  function question(exercise, name, { text, hints }) {
    const next = element("button", { type: "button", className: "try-hint", textContent: "Show a hint" });
    const list = element("ul");
    let count = 0;
    next.onclick = () => {
      list.append(element("li", {}, ...inline(hints[count])));
      count += 1;
      next.hidden = count === hints.length;
    };
    one(".try-question", exercises).replaceChildren(markdown(text), list, next);
    shown = { exercise: exercise.name, student: name };
  }

  // Shows the question with the student's numbers. Until Python has made them, others remain, and a note says whose.
  function askExercise(loads = true) {
    const exercise = byName(choice.value);
    const name = studentName();
    if (chosen) answers[chosen.name] = answer.value;
    if (chosen !== exercise) answer.setCode(answers[exercise.name] ?? exercise.stub);
    chosen = exercise;
    one(".try-output", exercises).replaceChildren();
    one(".try-status", exercises).textContent = "";
    const isKept = kept.student === name && kept.exercise === exercise.name && kept.made === exercise.text;
    if (name === made.student) question(exercise, name, exercise);
    else if (isKept) question(exercise, name, kept.question);
    else if (shown.exercise !== exercise.name) question(exercise, made.student, exercise);
    keep({ student: name, exercise: exercise.name });
    const note = one(".try-whose", exercises);
    note.hidden = isShown();
    note.textContent = `These numbers are ${shown.student}'s. ${loads ? "Yours are loading." : "Press Check to load yours."}`;
    if (note.hidden || !loads) return;
    run(exercises, { task: "ask", exercise: exercise.name, student: name }, {
      purpose: "Loading your numbers",
      question(asked) {
        question(exercise, name, asked);
        note.hidden = isShown();
        keep({ student: name, exercise: exercise.name, made: exercise.text, question: asked });
      },
    });
  }

  const askNext = () => {
    if (python.listener) python.next = askExercise;
    else askExercise();
  };
  choice.onchange = student.onchange = askNext;
  one("form", exercises).onsubmit = (event) => {
    event.preventDefault();
    if (!isShown()) {
      askNext();
      return;
    }
    const { name, answer: variable, stub } = byName(choice.value);
    run(exercises, { task: "check", code: answer.value, exercise: name, student: studentName(), answer: variable, stub });
  };
  student.value = kept.student;
  if (byName(kept.exercise)) choice.value = kept.exercise;
  askExercise(false);
}

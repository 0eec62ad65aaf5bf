// The script of all pages: finds elements by name, and adds toggle buttons and controls that move between positions.

const named = (id) => document.getElementById(ID + id);
const isPlain = ({ ctrlKey, altKey, metaKey }) => !(ctrlKey || altKey || metaKey); // others are the browser's

/** Appends a button to the element `place`. */
function button(place, id, words, pressed) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", id: ID + id, textContent: words, onclick: pressed });
  named(place).append(made);
  return made;
}

/** Adds a toggle button to the header; calls `switched` with whether it is pressed. */
function toggle(id, words, switched) {
  const made = button("modes", id, words, () => {
    made.ariaPressed = made.ariaPressed !== "true";
    switched(made.ariaPressed === "true");
  });
  made.ariaPressed = false;
}

// a click on the dots of a long sum, or Enter, opens it
for (const kind of ["click", "keydown"]) {
  document.addEventListener(kind, (event) => {
    const dots = event.target.closest?.(".more");
    if (dots && (kind === "click" || event.key === "Enter")) dots.closest("math").classList.add("opened");
  });
}

toggle("large", "Large type", (on) => document.querySelector("main").classList.toggle("large", on));

/**
 * Lets slider, buttons and keys move a page from its position `at()` to another one from 0 to `last`; Play moves on
 * every `pace` milliseconds. `last` and `pace` may change. Returns `stop`, which ends Play and then calls a function,
 * and `mark`, which shows the position.
 */
function controls(how) {
  const { at, go, next = () => go(at() + 1), played = () => {} } = how;
  let playing = null;

  function play(on) {
    clearInterval(playing);
    if (on && at() === how.last) go(0);
    playing = on ? setInterval(() => (at() === how.last ? play(false) : next()), how.pace) : null;
    named("play").textContent = on ? "Pause" : "Play";
    played(on);
  }

  const stop = (then) => { play(false); then(); };

  /** Shows the position, described by `words`; `isMore` keeps Next enabled at the last one. */
  function mark(words, isMore = false) {
    Object.assign(named("scrubber"), { max: how.last, value: at(), ariaValueText: words });
    // not `disabled`, so that a focused button keeps the focus and keys continue to work
    named("back").ariaDisabled = at() === 0;
    named("next").ariaDisabled = at() === how.last && !isMore;
  }

  const keys = { ArrowRight: next, ArrowLeft: () => go(at() - 1), Home: () => go(0), End: () => go(how.last) };
  Object.assign(keys, { PageDown: keys.ArrowRight, PageUp: keys.ArrowLeft }); // as sent by a presentation remote
  document.addEventListener("keydown", (event) => {
    if (!isPlain(event) || event.target.closest?.("input, select") || !keys[event.key]) return;
    stop(keys[event.key]);
    event.preventDefault();
  });
  named("scrubber").addEventListener("input", (event) => stop(() => go(Number(event.target.value))));
  button("buttons", "back", "◀ Back", () => stop(keys.ArrowLeft));
  button("buttons", "play", "Play", () => named("play").ariaDisabled === "true" || play(playing === null));
  button("buttons", "next", "Next ▶", () => stop(next));
  return { stop, mark };
}

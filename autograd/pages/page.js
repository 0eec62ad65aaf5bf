// What all pages do alike: elements by their names, buttons that stay pressed, controls that move from place to place.

const named = (id) => document.getElementById(ID + id);
const isPlain = ({ ctrlKey, altKey, metaKey }) => !(ctrlKey || altKey || metaKey); // else the key is the browser's

/** A new button, the last in its place. */
function button(place, id, words, pressed) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", id: ID + id, textContent: words, onclick: pressed });
  named(place).append(made);
  return made;
}

/** A button in the header that stays pressed; calls `how` with whether it is pressed now. */
function toggle(id, words, how) {
  const made = button("modes", id, words, () => {
    made.ariaPressed = made.ariaPressed !== "true";
    how(made.ariaPressed === "true");
  });
  made.ariaPressed = false;
}

/** A click on the dots of a long sum, or Enter there, opens it. */
for (const kind of ["click", "keydown"]) {
  document.addEventListener(kind, (event) => {
    const dots = event.target.closest?.(".more");
    if (dots && (kind === "click" || event.key === "Enter")) dots.closest("math").classList.add("opened");
  });
}

toggle("large", "Large type", (on) => document.querySelector("main").classList.toggle("large", on));

/**
 * Lets scrubber, buttons and keys move a page from `at()`, a place from 0 to `last`, and Play do so every `pace`
 * milliseconds; both may change. Returns `stop`, which ends Play before it moves, and `mark`, which shows the place.
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

  /** `words` say the place; `isMore` where Next does something at the last one too. */
  function mark(words, isMore = false) {
    Object.assign(named("scrubber"), { max: how.last, value: at(), ariaValueText: words });
    // not `disabled`: a button that has the focus keeps it, and the keys go on working
    named("back").ariaDisabled = at() === 0;
    named("next").ariaDisabled = at() === how.last && !isMore;
  }

  const keys = { ArrowRight: next, ArrowLeft: () => go(at() - 1), Home: () => go(0), End: () => go(how.last) };
  Object.assign(keys, { PageDown: keys.ArrowRight, PageUp: keys.ArrowLeft }); // what a presenter's remote sends
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

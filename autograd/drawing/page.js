// The page of a drawing: opens each group in its own scene, closes it again, and searches for names.
const frame = named("frame");
const viewer = new Viewer(frame, frame.querySelector("svg"), zoomed);
const HOME = viewer.svg.outerHTML;
const say = (words) => { named("state").textContent = words; };
const low = (index) => index.slice(1).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
const boxes = () => [...viewer.svg.querySelectorAll("[data-box]")];
let at = ""; // the open group; "" for the whole graph
let beyond = 1; // the factor zoomed out beyond the whole picture
let changed = -Infinity;

/** Returns a group and the groups around it that have scenes, the outermost first. */
const path = (name) => (name ? SCENES.get(name)[0].filter((outer) => SCENES.has(outer)) : []);

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

/** Shows another scene: boxes in both scenes move to their new places, the others emerge from the group. */
async function enter(name) {
  if (name === at) return;
  [at, beyond, changed] = [name, 1, performance.now()];
  const markup = name ? await unpacked(SCENES.get(name)[1]) : HOME;
  if (at !== name) return; // another scene was entered meanwhile
  const before = new Map(boxes().map((box) => [box.dataset.box, box.getBoundingClientRect()]));
  const scene = new DOMParser().parseFromString(markup, "text/html").querySelector("svg");
  viewer.svg.replaceWith(scene);
  if (document.activeElement !== named("wanted")) frame.focus(); // the focused box is gone
  viewer.show(scene);
  decorate();
  search();
  if (stillness.matches) return;
  const timing = { duration: 450, easing: "ease-out" };
  for (const box of boxes()) {
    const [from, to] = [before.get(box.dataset.box) ?? before.get(name), box.getBoundingClientRect()];
    const { e: x, f: y } = box.transform.baseVal[0].matrix;
    const way = (side, size) => (from[side] + from[size] / 2 - to[side] - to[size] / 2) / viewer.scale;
    const moved = from ? [way("x", "width"), way("y", "height"), from.width / to.width] : [0, 0, 1];
    const start = `translate(${x + moved[0]}px, ${y + moved[1]}px) scale(${moved[2]})`;
    const end = `translate(${x}px, ${y}px)`;
    box.animate({ transform: [start, end], opacity: [before.has(box.dataset.box) ? 1 : 0, 1] }, timing);
  }
  for (const rest of scene.querySelectorAll(".edges, .weights, .locals")) rest.animate({ opacity: [0, 0, 1] }, timing);
}

/** Turns groups into buttons, and writes the path to the scene. */
function decorate() {
  viewer.svg.role = "group";
  for (const box of viewer.svg.querySelectorAll(".group")) Object.assign(box, { role: "button", tabIndex: 0 });
  named("path").replaceChildren();
  if (SCENES.size) button("path", "home", "all", () => enter(""));
  for (const name of path(at)) button("path", name, name.replace(/_[\d,]+/g, low), () => enter(name));
}

function open(box) {
  const name = box?.dataset.box.replace(/^rest of /, "");
  if (SCENES.has(name)) enter(name);
  else if (box) say(`draw(…, open="${name}") shows the nodes inside.`);
}

frame.addEventListener("click", ({ target }) => open(target.closest(".group")));
frame.addEventListener("keydown", ({ key, target }) => {
  if (key === "Enter") open(target.closest(".group"));
  if (key === "Escape") enter(path(at).at(-2) ?? "");
});

/** Opens a group that fills more than half of the frame; closes it when zoomed out beyond the whole scene. */
function zoomed({ x, y }, factor) {
  beyond = viewer.moved ? 1 : beyond * factor;
  if (performance.now() - changed < 500) return;
  const box = document.elementFromPoint(x, y)?.closest(".group");
  const { width, height } = box?.getBoundingClientRect() ?? { width: 0, height: 0 };
  if (beyond < 0.6) enter(path(at).at(-2) ?? "");
  else if (factor > 1 && Math.max(width / frame.clientWidth, height / frame.clientHeight) > 0.5) open(box);
}

// ---- names -------------------------------------------------------------------------------------------------------

const spelled = (name) => name.normalize("NFKC").replaceAll("_", "").toLowerCase(); // w213 finds w²_13
let [found, next] = [[], 0];

/** Highlights boxes whose name equals the text searched for, or else begins with it, and groups that contain one. */
function search() {
  const wanted = spelled(named("wanted").value.trim());
  const all = [...viewer.svg.querySelectorAll(".box, .weight")];
  const nameIn = (title) => title.textContent.split(/ = |\n/)[0];
  const holding = (fits) => {
    const holders = new Set(NAMES.filter(([, held]) => held.split("\n").some(fits)).flatMap(([place]) => place));
    const names = (box) => [box.dataset.box ?? "", ...[...box.querySelectorAll("title")].map(nameIn)];
    return all.filter((box) => holders.has(box.dataset.box) || names(box).some(fits));
  };
  found = wanted ? holding((name) => spelled(name) === wanted) : [];
  if (wanted && !found.length) found = holding((name) => spelled(name).startsWith(wanted));
  for (const box of all) box.classList.toggle("glow", found.includes(box));
  next = 0;
  say(wanted ? `${found.length || "nothing"} found` : "");
}

named("wanted").addEventListener("input", search);
named("wanted").form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!found.length) return;
  const box = found[next++ % found.length];
  if (box.matches(".group") && found.length === 1) return open(box);
  if (viewer.scale < 1) viewer.zoomAt(viewer.middle, 1 / viewer.scale, false);
  viewer.reveal([box]);
  say(`${(next - 1) % found.length + 1} of ${found.length} found`);
});
decorate();

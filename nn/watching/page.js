// The page: it shows the frame that the scrubber is at, and turns buttons, keys and clicks into frames.

const FILM = JSON.parse(named("film").textContent);
const { frames, layers, examples, curves, classes } = FILM;
const LEVELS = 9999; // of a quantised number
const CELL = 20; // largest side of a cell, in a type of 16 pixels
const TALLEST = 340; // most of a matrix, likewise
const value = ({ steps, numbers }, frame, i) => steps[frame] * numbers[frame][i];
const largest = (...data) => Math.max(...data.flatMap(({ steps }) => steps)) * LEVELS; // of the run
const raised = (l) => String(l).replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
const className = (label) => classes[label] ?? String(label);
const isFit = FILM.map.kind === "fit"; // what is predicted are numbers and no classes
const said = (found) => (isFit ? found.map(numberText).join(", ") : className(found));
const side = Math.sqrt(examples.features);
const isImage = side >= 8 && Number.isInteger(side) && examples.X.numbers[0].length === examples.features;
let at = 0;
let colours;
const views = []; // what each frame draws anew

/** Each class's area, by how far it leads: of two in the sign of the second's lead, of more with the class's marker. */
function areas({ heights: { numbers, steps }, winners, steps: side }) {
  // heights beyond 6, where a sigmoid is all but 0 or 1, look alike
  const most = Math.min(6, Math.max(...steps) * LEVELS) || 1;
  const tone = (i) => 0.6 * Math.min(1, Math.abs(steps[at] * numbers[at][i]) / most);
  const tint = (i) => colours[winners ? "edge" : numbers[at][i] > 0 ? "plus" : "minus"];
  const signs = winners && middles(winners[at], side);
  const lead = (label) => numbers[at].map((height, i) => (winners[at][i] === label ? height : -height));
  const fields = winners ? signs.map(([, label]) => lead(label)) : [numbers[at]];
  const pieces = fields.flatMap((heights) => crossings(heights, side));
  return { colourAt: (i) => mixed(colours.paper, tint(i), tone(i)), lines: [[rgb(colours.ink), pieces]], signs };
}

/** The curve of each output, or the line where what is predicted is true; the plane is blank. */
function lines({ curves: outputs, steps: side, low, high }) {
  const colourAt = () => colours.paper;
  if (!outputs) return { colourAt, lines: [[rgb(colours.edge), [[[0, 0], [side - 1, side - 1]]]]] };
  const row = (k) => ((value(outputs, at, k) - low[1]) / (high[1] - low[1])) * (side - 1);
  const units = outputs.numbers[at].length / side;
  const curves = Array.from({ length: units }, (_, unit) => [shade(colours, "value", (unit + 1) / (units + 1)),
    Array.from({ length: side - 1 }, (_, k) => [k, k + 1].map((column) => [column, row(unit * side + column)]))]);
  return { colourAt, lines: curves };
}

function learnedPlane(map) {
  named("learned").textContent = {
    height: `Output, and the line where it is ${numberText(map.level)}`,
    lead: "By how much one class leads, and the line between them",
    classes: "Classes, and the lines between them",
    fit: map.curves ? "What is predicted, and the examples" : "Predicted against true, and the line where they are equal",
  }[map.kind];
  const canvas = made("canvas", { class: "plane", role: "img" });
  const legend = made("div", { class: "legend" });
  named("map").append(canvas, legend);
  const labels = [...new Set([...map.points.map((point) => point[2]), ...(map.winners ?? []).flat()])].sort((a, b) => a - b);
  // where the traced examples stand: by their inputs, or by their input and their target
  const second = (label, i) => (isFit ? label[0] : value(examples.X, i, 1));
  const traced = map.predicted ? [] : examples.labels.map((label, i) => [value(examples.X, i, 0), second(label, i)]);
  views.push(() => {
    const widest = Math.max(320, 0.85 * window.innerHeight); // no taller than two thirds of the window
    const width = Math.max(220, Math.min(named("map").clientWidth, widest));
    const points = map.points.map(([x, y, label], i) => [x, map.predicted ? value(map.predicted, at, i) : y, label]);
    const look = isFit ? lines(map) : areas(map);
    plane(canvas, width, { ...map, points }, { ...look, traced }, colours);
    canvas.setAttribute("aria-label", `The plane of ${map.features.join(" and ")} with the ${map.data} examples. ` +
      `${named("learned").textContent}, at epoch ${frames[at].epoch}`);
    legend.replaceChildren(...(labels.length > 1 ? labels : []).map((label) => {
      const key = made("canvas", { "aria-hidden": "true", style: "display:inline-block;vertical-align:middle" });
      marker(sized(key, 18, 14), label, [9, 7], 5, colours);
      return made("span", {}, key, className(label));
    }));
  });
  const shown = map.points.length / (isFit ? labels.length : 1);
  const few = shown < map.examples ? `${shown} of ${map.examples}` : `The ${map.examples}`;
  const marks = traced.length ? ` The numbers 1 to ${traced.length} mark the examples below.` : "";
  named("mapped").textContent = `${few} ${map.data} examples are shown.${marks}`;
}

function learnedConfusion(map) {
  named("learned").textContent = `Confusion matrix of the ${map.examples} ${map.data} examples`;
  const n = map.names.length;
  const cells = map.counts[0].map((_, k) => made("td", k % (n + 1) ? {} : { class: "right" }));
  const row = (name, i) => made("tr", {}, made("th", { scope: "row" }, name), ...cells.slice(i * n, i * n + n));
  const head = made("tr", {}, made("td"), ...map.names.map((name) => made("th", { scope: "col" }, name)));
  const caption = made("caption", { class: "note" }, "rows: true class, columns: predicted");
  named("map").append(made("table", { class: "confusion" }, caption, head, ...map.names.map(row)));
  named("map").style.overflowX = "auto";
  views.push(() => {
    const counts = map.counts[at];
    const totals = map.names.map((_, i) => counts.slice(i * n, i * n + n).reduce((sum, x) => sum + x) || 1);
    cells.forEach((cell, i) => {
      const share = counts[i] / totals[Math.floor(i / n)];
      cell.textContent = counts[i] || "";
      cell.style.background = rgb(mixed(colours.paper, colours.value, 0.4 * Math.sqrt(share)));
    });
    const right = map.names.reduce((sum, _, i) => sum + counts[i * n + i], 0);
    named("mapped").textContent = `${right} of ${map.examples} are right (framed); a row's colour is its share.`;
  });
}

const goNear = (epoch) => {
  const far = (i) => Math.abs(frames[i].epoch - epoch);
  go(frames.reduce((best, _, i) => (far(i) < far(best) ? i : best), 0));
};

function curve(id, epochs, log, token, lines) {
  views.push(() => {
    const series = lines().map((line) => ({ width: 2, ...line, colour: shade(colours, token, line.share) }));
    const now = series.map((line) => `${line.name} ${numberText(line.now)}`).join(", ");
    const words = `${id} over the epochs; at epoch ${frames[at].epoch}: ${now}`;
    chart(named(id), { epochs, series, at: frames[at].epoch, log, words, go: goNear });
  });
}

/** Another heat map in `maps`; the cell under the pointer is told in numbers. */
function heatMap(maps, { rows, columns, data, first = 0, most = largest(data), size, label, tell }) {
  const canvas = made("canvas", { role: "img", "aria-label": `${label} as colours` });
  canvas.onpointermove = canvas.onpointerdown = ({ offsetX, offsetY }) => {
    const j = Math.floor((offsetX / canvas.clientWidth) * columns);
    const i = Math.floor((offsetY / canvas.clientHeight) * rows);
    if (i < 0 || j < 0 || i >= rows || j >= columns) return;
    const readout = maps.closest(".layer").lastChild;
    readout.tell = () => tell(i, j, first + i * columns + j);
    readout.textContent = readout.tell();
  };
  maps.append(canvas);
  views.push(() => {
    const [width, height] = size(maps.clientWidth, typeSize(maps) / 16);
    heat(canvas, { rows, columns, width, height }, (i) => value(data, at, first + i) / (most || 1), colours);
  });
}

/** A figure: what it shows, in words that change with the epoch, above the place for what shows it. */
function figured(parent, caption) {
  const [words, maps] = [made("figcaption"), made("div", { class: "maps" })];
  parent.append(made("figure", {}, words, maps));
  views.push(() => { words.textContent = caption(); });
  return maps;
}

const cellWidth = (room, type, columns) =>
  Math.max(1, Math.min(CELL * type, Math.floor((10 * (room - 40 * type)) / columns) / 10));
const scale = (most) => `from −${numberText(most)} to +${numberText(most)}`;
const deltaMost = largest(...layers.map(({ delta }) => delta)); // one scale, so that a δ that vanishes is seen to

function layerView(layer, index) {
  const l = index + 1;
  const [W, b, a, delta, w, z] = ["W", "b", "a", "δ", "w", "z"].map((letter) => letter + raised(l));
  const formula = `${layer.from} → ${layer.to} units, ${z} = ${W} a${raised(l - 1)} + ${b}`;
  const head = made("h3", {}, `Layer ${l} `, made("span", {}, formula));
  const [parameters, flow, readout] = [made("div"), made("div"), made("p", { class: "readout" })];
  const section = made("section", { class: "layer", "aria-label": `Layer ${l}` }, head, parameters, flow, readout);
  named("layers").append(section);
  views.push(() => { readout.textContent = readout.tell?.() ?? ""; });

  const [rows, columns] = [layer.rows.length, layer.columns.length];
  const isWhole = rows === layer.to && columns === layer.from;
  const few = isWhole ? "" : ` ${rows} × ${columns} of its ${layer.to} × ${layer.from} numbers are shown, evenly chosen.`;
  const isTiled = isImage && isWhole && columns === examples.features;
  const maps = figured(parameters, () => `${W}, ${isTiled ? "an image" : "a row"} for each unit, ` +
    `${scale(largest(layer.W))}, and ${b}, ${scale(largest(layer.b))}.${few}`);
  const cell = (room, type) => {
    const width = cellWidth(room, type, columns);
    return [width, Math.max(1, Math.min(CELL * type, Math.max(width, 8), (TALLEST * type) / rows))];
  };
  const weight = (i, j, k) => `${w} to unit ${layer.rows[Math.floor(k / columns)] + 1} ` +
    `from ${layer.columns[k % columns] + 1}: ${numberText(value(layer.W, at, k))}`;
  const abreast = Math.ceil(Math.sqrt(2.5 * rows)); // images in a line
  const pixel = (room) => Math.max(2, Math.min(8, Math.floor((room / abreast - 8) / side)));
  const [image, across] = [[side, side, (room) => [pixel(room), pixel(room)]],
    [1, rows, (room, type) => [cellWidth(room, type, rows), 16 * type]]];
  const [table, down] = [[rows, columns, cell], [rows, 1, (room, type) => [16 * type, cell(room, type)[1]]]];
  const map = (data, [rows, columns, size], label, tell, first) =>
    heatMap(maps, { rows, columns, data, first, size, label, tell });
  if (isTiled) layer.rows.forEach((unit, i) => map(layer.W, image, `${W} of unit ${unit + 1}`, weight, i * columns));
  else map(layer.W, table, W, weight);
  map(layer.b, isTiled ? across : down, b, (i, j, k) =>
    `${b} of unit ${layer.rows[k] + 1}: ${numberText(value(layer.b, at, k))}`);
  const norm = (i) => `; its ‖${delta}‖ = ${numberText(layer.norms[at][i])}`;
  strips(flow, a, layer.a, layer.a_units, layer.units, "a row for each example,", largest(layer.a), () => "");
  strips(flow, delta, layer.delta, layer.delta_units, layer.to, `∂L/∂${z}; in all layers`, deltaMost, norm);
}

/** A row for each example, a column for each unit. */
function strips(flow, letter, data, units, all, words, most, tail) {
  const few = units.length < all ? `; ${units.length} of ${all} units are shown, evenly chosen` : "";
  const maps = figured(flow, () => `${letter}, ${words} ${scale(most)}${few}`);
  const numbers = examples.labels.map((_, i) => made("div", {}, String(i + 1)));
  maps.append(made("div", { class: "numbers", "aria-hidden": "true" }, ...numbers));
  heatMap(maps, {
    rows: numbers.length, columns: units.length, data, most, label: letter,
    size: (room, type) => [cellWidth(room, type, units.length), 18 * type],
    tell: (i, j, k) => `${letter} of example ${i + 1}, unit ${units[j] + 1}: ${numberText(value(data, at, k))}${tail(i)}`,
  });
}

function show() {
  colours = theme();
  for (const view of views) view();
  const { epoch, loss, accuracy, rmse, validation_loss, validation_accuracy, validation_rmse } = frames[at];
  const metric = (share, error) => (share !== null ? `, accuracy ${numberText(100 * share)} %`
    : error !== null ? `, RMSE ${numberText(error)}` : "");
  const validated = validation_loss === null ? ""
    : `; validation loss ${numberText(validation_loss)}${metric(validation_accuracy, validation_rmse)}`;
  named("summary").textContent = `epoch ${epoch}: loss ${numberText(loss)}${metric(accuracy, rmse)}${validated}`;
  mark(`epoch ${epoch} of ${FILM.epochs}`);
}

function go(frame) {
  at = Math.max(0, Math.min(frame, frames.length - 1));
  show();
}

const { mark } = controls({
  at: () => at,
  last: frames.length - 1,
  go,
  pace: matchMedia("(prefers-reduced-motion: reduce)").matches ? 1000 : 250,
  // a voice that reads four epochs a second says nothing
  played: (on) => named("summary").setAttribute("aria-live", on ? "off" : "polite"),
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);

(FILM.map.kind === "confusion" ? learnedConfusion : learnedPlane)(FILM.map);
named("m").textContent = FILM.sample;
const hasValidation = curves.validation.some((loss) => loss !== null);
curve("losses", curves.epochs, false, "value", () => [
  { name: "training", values: curves.training, now: frames[at].loss, share: 0.5, width: 2.5 },
  { name: "validation", values: curves.validation, now: frames[at].validation_loss, share: 1, width: 1.2 },
].slice(0, hasValidation ? 2 : 1));
curve("norms", frames.map(({ epoch }) => epoch), true, "grad", () => layers.map((layer, i) => (
  { name: `‖δ${raised(i + 1)}‖`, values: layer.norm, now: layer.norm[at], share: i / (layers.length - 1 || 1) })));
examples.labels.forEach((label, i) => {
  const words = made("span");
  const image = made("canvas", { role: "img", "aria-label": `example ${i + 1}` });
  named("examples").append(made("li", {}, ...(isImage ? [image] : []), words));
  views.push(() => {
    const predicted = examples.predicted[at][i];
    const isRight = predicted === label;
    const mark = isFit ? "" : isRight ? " ✓" : " ✗";
    words.textContent = `${i + 1}: ${said(label)}, predicted ${said(predicted)}${mark}`;
    words.className = isRight || isFit ? "" : "wrong";
    const pixel = Math.max(2, Math.round(40 / side));
    const cells = { rows: side, columns: side, width: pixel, height: pixel };
    const pen = { ...colours, plus: colours.ink };
    if (isImage) heat(image, cells, (k) => value(examples.X, i, k) / (largest(examples.X) || 1), pen);
  });
});
layers.forEach(layerView);
if (frames.length < FILM.epochs) {
  named("losses").previousElementSibling.append(`; ${frames.length} of ${FILM.epochs} epochs are shown, evenly chosen`);
}
new ResizeObserver(show).observe(named("watch"));
show();

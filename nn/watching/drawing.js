// How numbers become pictures: heat maps with signs, lines over epochs, a plane with its boundary. It knows no film.

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = [ // of the classes: how many corners, where the first is, how far every second one is from the middle
  [36, 0, 1], [3, -90, 1], [4, 45, 1], [4, 0, 1], [3, 90, 1], [10, -90, 0.45], [8, 0, 0.4], [6, 0, 1], [3, 180, 1],
  [3, 0, 1], [8, 45, 0.4], [5, -90, 1], [12, 0, 0.6]];

/** Four digits and a true minus sign. */
function numberText(x) {
  if (x === null || x === undefined || Number.isNaN(x)) return "–";
  return String(Number(x.toPrecision(4))).replaceAll("-", "−");
}

/** The size of the letters there, in pixels. */
const typeSize = (element) => parseFloat(getComputedStyle(element).fontSize);

/** The element with its attributes and what stands in it; all text stays text. */
function filled(element, attributes, inside) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...inside);
  return element;
}

const made = (tag, attributes = {}, ...inside) => filled(document.createElement(tag), attributes, inside);
const drawn = (tag, attributes, ...inside) => filled(document.createElementNS(SVG, tag), attributes, inside);

/** The style sheet's colours as numbers, as they are in this scheme. */
function theme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).match(/[\da-f]{2}/gi).map((x) => parseInt(x, 16));
  const names = ["paper", "fill", "ink", "quiet", "edge", "value", "grad", "plus", "minus"];
  return Object.fromEntries(names.map((name) => [name, colour(name)]));
}

const mixed = (from, to, share) => from.map((x, i) => Math.round(x + (to[i] - x) * share));
const rgb = (colour) => `rgb(${colour.join(" ")})`;
/** A sign's colour for a number from −1 to 1; the root lets small ones be seen. */
const signed = (colours, x) =>
  mixed(colours.paper, x < 0 ? colours.minus : colours.plus, Math.min(1, Math.abs(x)) ** 0.6);
/** A colour of the theme, nearer to the paper for a share below one half, and to the ink above it. */
const shade = (colours, token, share) => rgb(share < 0.5 ? mixed(colours[token], colours.paper, 0.3 * (1 - 2 * share))
  : mixed(colours[token], colours.ink, 0.75 * (2 * share - 1)));

/** A canvas of so many CSS pixels, sharp on any screen; gives what draws on it. */
function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/** A matrix of numbers from −1 to 1, row by row; the sign stands in a cell that has room and is not 0. */
function heat(canvas, { rows, columns, width, height }, share, colours) {
  const [context, least] = [sized(canvas, columns * width, rows * height), Math.min(width, height)];
  Object.assign(context, { font: `${0.75 * least}px system-ui`, textAlign: "center", textBaseline: "middle" });
  for (let k = 0; k < rows * columns; k++) {
    const [i, j, x] = [Math.floor(k / columns), k % columns, share(k)];
    context.fillStyle = rgb(signed(colours, x));
    context.fillRect(j * width, i * height, width, height);
    if (!x || least < 11) continue;
    context.fillStyle = rgb(mixed(signed(colours, x), Math.abs(x) > 0.7 ? colours.paper : colours.ink, 0.85));
    context.fillText(x < 0 ? "−" : "+", (j + 0.5) * width, (i + 0.55) * height);
  }
}

/** Round numbers from low to high. */
function ticks(low, high, most) {
  const rough = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high + 1e-9 * step; i++) found.push(i * step);
  return found;
}

/** Lines over the epochs in `box`, each named at its end, with a dot at the epoch shown; a click goes to an epoch. */
function chart(box, { epochs, series, at, log, words, go }) { // series: [{ name, values, colour, width, now }]
  const width = Math.max(box.clientWidth, 200);
  const type = typeSize(box) / 16;
  const right = (12 + 6.5 * Math.max(...series.map(({ name }) => name.length))) * type;
  const [left, top, bottom, height] = [52 * type, 10, 26 * type, 190 * type];
  const up = (y) => (y === null || (log && y <= 0) ? null : log ? Math.log10(y) : y); // null is left out
  const all = series.flatMap(({ values }) => values.map(up)).filter((y) => y !== null);
  let [low, high] = all.length ? [Math.min(...all), Math.max(...all)] : [0, 1];
  [low, high] = log ? [Math.floor(low), Math.ceil(high)] : [Math.min(0, low), high];
  if (high === low) high = low + 1;
  const [first, last] = [epochs[0], Math.max(epochs.at(-1), epochs[0] + 1)];
  const x = (epoch) => left + ((epoch - first) / (last - first)) * (width - left - right);
  const y = (value) => height - bottom - ((value - low) / (high - low)) * (height - top - bottom);
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": words });
  // on a log scale powers of ten
  for (const value of log ? ticks(low, high, 6).filter(Number.isInteger) : ticks(low, high, 4)) {
    const label = numberText(log ? 10 ** value : value);
    svg.append(drawn("path", { class: "axis", d: `M${left} ${y(value)}H${width - right}` }),
      drawn("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, label));
  }
  for (const epoch of ticks(first, last, 5).filter(Number.isInteger)) {
    svg.append(drawn("text", { x: x(epoch), y: height - 6, "text-anchor": "middle" }, String(epoch)));
  }
  svg.append(drawn("text", { x: left - 6, y: height - 6, "text-anchor": "end" }, "epoch"),
    drawn("path", { class: "now", d: `M${x(at)} ${top}V${height - bottom}` }));
  const legend = made("div", { class: "legend" });
  const ends = series.map(({ name, values }) => [y(up(values.at(-1)) ?? low), name]).sort(([a], [b]) => b - a);
  let below = height - bottom + 15 * type; // names at the ends, from below, none on another
  ends.forEach(([end, name], k) => {
    below = Math.max(Math.min(end, below - 13 * type), top + 13 * type * (series.length - 1 - k));
    svg.append(drawn("text", { class: "name", x: width - right + 8, y: below + 4 }, name));
  });
  series.forEach(({ name, values, colour, width: thick, now }) => {
    const places = values.map(up).map((height, k) => height !== null && [x(epochs[k]), y(height)]);
    const d = places.map((to, k) => (to ? `${places[k - 1] ? "L" : "M"}${to}` : "")).join(""); // again after a gap
    svg.append(drawn("path", { stroke: colour, "stroke-width": thick, fill: "none", d }));
    if (up(now) !== null) svg.append(drawn("circle", { cx: x(at), cy: y(up(now)), r: 4, fill: colour }));
    legend.append(made("span", {}, `${name} ${numberText(now)}`));
  });
  svg.addEventListener("pointerdown", (event) => {
    const frame = svg.getBoundingClientRect();
    const across = ((event.clientX - frame.left) / frame.width) * width;
    go(first + ((across - left) / (width - left - right)) * (last - first));
  });
  box.replaceChildren(svg, legend);
}

/** A class's sign in ink, hollow. */
function marker(context, label, [x, y], size, colours) {
  const [corners, turn, inner] = SHAPES[label % SHAPES.length];
  const corner = (_, k) => {
    const [angle, far] = [((turn + (360 * k) / corners) * Math.PI) / 180, 1.2 * size * (k % 2 ? inner : 1)];
    return [x + far * Math.cos(angle), y + far * Math.sin(angle)];
  };
  const path = new Path2D(`M${Array.from({ length: corners }, corner).join("L")}Z`);
  Object.assign(context, { fillStyle: rgb(colours.fill), strokeStyle: rgb(colours.ink), lineWidth: 1.2 });
  context.fill(path);
  context.stroke(path);
}

/** Where the heights of a grid cross 0, as pieces of line between grid places. */
function crossings(heights, steps) {
  const pieces = [];
  for (let i = 0; i + 1 < steps; i++) {
    for (let j = 0; j + 1 < steps; j++) {
      const corners = [[j, i], [j + 1, i], [j + 1, i + 1], [j, i + 1]];
      const h = corners.map(([column, row]) => heights[row * steps + column]);
      const met = corners.flatMap(([x, y], k) => {
        const [[toX, toY], t] = [corners[(k + 1) % 4], h[k] / (h[k] - h[(k + 1) % 4])];
        return h[k] > 0 === h[(k + 1) % 4] > 0 ? [] : [[x + t * (toX - x), y + t * (toY - y)]];
      });
      for (let k = 0; k + 1 < met.length; k += 2) pieces.push([met[k], met[k + 1]]);
    }
  }
  return pieces;
}

/** A cell in the midst of each area. */
function middles(winners, steps) {
  return [...new Set(winners)].map((label) => {
    const cells = winners.flatMap((winner, k) => (winner === label ? [[k % steps, Math.floor(k / steps)]] : []));
    const row = cells.filter((cell) => cell[1] === cells[cells.length >> 1][1]);
    return [row[row.length >> 1], label];
  });
}

/** The plane in colours, lines on it, the points, and numbers at the examples that are traced. */
function plane(canvas, width, { low, high, steps, points, features }, { colourAt, lines, traced, signs = [] }, colours) {
  const [height, type, left] = [Math.round(0.8 * width), typeSize(canvas) / 16, 8];
  const [across, up] = [width - left - 8, height - 24 * type - 8];
  const context = sized(canvas, width, height);
  const place = ([column, row]) => [left + (column / (steps - 1)) * across, 8 + up - (row / (steps - 1)) * up];
  const gridPlace = (...at) => place(at.map((x, k) => ((x - low[k]) / (high[k] - low[k])) * (steps - 1)));
  const image = new ImageData(steps, steps);
  for (let k = 0; k < steps * steps; k++) {
    const [row, column] = [Math.floor(k / steps), k % steps];
    image.data.set([...colourAt(k), 255], 4 * ((steps - 1 - row) * steps + column));
  }
  const small = made("canvas", { width: steps, height: steps });
  small.getContext("2d").putImageData(image, 0, 0);
  context.save();
  context.beginPath();
  context.rect(left, 8, across, up);
  context.clip();
  const [cellX, cellY] = [across / (steps - 1), up / (steps - 1)];
  context.drawImage(small, left - cellX / 2, 8 - cellY / 2, across + cellX, up + cellY);
  for (const [colour, pieces] of lines) {
    Object.assign(context, { strokeStyle: colour, lineWidth: 2 });
    context.stroke(new Path2D(pieces.map((ends) => `M${ends.map(place).join("L")}`).join("")));
  }
  context.globalAlpha = 0.6; // behind the points
  for (const [cell, label] of signs) marker(context, label, place(cell), 11 * type, { ...colours, ink: colours.quiet });
  context.globalAlpha = 1;
  for (const [x, y, label] of points) marker(context, label, gridPlace(x, y), (width < 420 ? 3 : 4) * type, colours);
  context.restore();
  const [ink, halo] = [{ fillStyle: rgb(colours.ink) }, { strokeStyle: rgb(colours.paper), lineWidth: 4 }];
  Object.assign(context, ink, halo, { font: `bold ${13 * type}px system-ui, sans-serif` });
  traced.forEach(([x, y], i) => {
    const [px, py] = gridPlace(x, y);
    context.strokeText(String(i + 1), px + 5, py - 5);
    context.fillText(String(i + 1), px + 5, py - 5);
  });
  Object.assign(context, { font: `${12 * type}px system-ui, sans-serif`, fillStyle: rgb(colours.quiet) });
  context.fillText(`${features[0]}: ${numberText(low[0])} … ${numberText(high[0])} →`, left, height - 7);
  context.textAlign = "right";
  context.fillText(`${features[1]}: ${numberText(low[1])} … ${numberText(high[1])} ↑`, left + across, height - 7);
}

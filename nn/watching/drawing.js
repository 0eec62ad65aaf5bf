// How numbers become pictures: heat maps with signs, lines over epochs, a plane with its boundary. It knows no film.

const SVG = "http://www.w3.org/2000/svg";
const LINES = ["", "7 4", "2 3", "9 3 2 3", "12 3", "4 2 1 2", "1 5", "6 2 6 6"]; // dashes, one for each line
const MOST_COLOURS = 8;

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

// ---- colours --------------------------------------------------------------------------------------------------------

/** The style sheet's colours as numbers, as they are in this scheme. */
function theme() {
  const style = getComputedStyle(named("watch"));
  const colour = (name) => {
    const hex = style.getPropertyValue(`--${name}`).trim();
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  };
  const classes = Array.from({ length: MOST_COLOURS }, (_, i) => colour(`class-${i}`));
  const [negative, positive] = classes;
  return { classes, negative, positive, canvas: colour("canvas"), ink: colour("ink"), muted: colour("muted") };
}

const mixed = (from, to, share) => from.map((x, i) => Math.round(x + (to[i] - x) * share));
const rgb = (colour) => `rgb(${colour.join(" ")})`;
/** A sign's colour for a number from −1 to 1; the root lets small ones be seen. */
const signed = (colours, x) =>
  mixed(colours.canvas, x < 0 ? colours.negative : colours.positive, Math.min(1, Math.abs(x)) ** 0.6);

/** A canvas of so many CSS pixels, sharp on any screen; gives what draws on it. */
function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/** A matrix of numbers from −1 to 1, row by row. */
function heat(canvas, { rows, columns, width, height }, share, colours) {
  const context = sized(canvas, columns * width, rows * height);
  for (let k = 0; k < rows * columns; k++) {
    const [i, j, x] = [Math.floor(k / columns), k % columns, share(k)];
    context.fillStyle = rgb(signed(colours, x));
    context.fillRect(j * width, i * height, width, height);
    if (x < 0 && width >= 11 && height >= 11) {
      context.fillStyle = rgb(colours.ink);
      context.fillRect((j + 0.3) * width, (i + 0.5) * height - 0.75, 0.4 * width, 1.5);
    }
  }
}

// ---- lines over the epochs ------------------------------------------------------------------------------------------

/** Round numbers from low to high. */
function ticks(low, high, most) {
  const rough = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high + 1e-9 * step; i++) found.push(i * step);
  return found;
}

/**
 * Lines over the epochs in `box`, a marker at the epoch that is shown; a click goes to an epoch.
 * series: [{ name, values, colour, now }]; values of a log scale that are not positive are left out.
 */
function chart(box, { epochs, series, at, log, words, go }) {
  const width = Math.max(box.clientWidth, 200);
  const type = typeSize(box) / 16;
  const [left, right, top, bottom] = [52 * type, 12, 10, 26 * type];
  const height = 190 * type;
  const up = (y) => (y === null || (log && y <= 0) ? null : log ? Math.log10(y) : y);
  const all = series.flatMap(({ values }) => values.map(up)).filter((y) => y !== null);
  let [low, high] = all.length ? [Math.min(...all), Math.max(...all)] : [0, 1];
  if (log) [low, high] = [Math.floor(low), Math.max(Math.ceil(high), Math.floor(low) + 1)];
  else low = Math.min(0, low);
  if (high === low) high = low + 1;
  const [first, last] = [epochs[0], Math.max(epochs.at(-1), epochs[0] + 1)];
  const x = (epoch) => left + ((epoch - first) / (last - first)) * (width - left - right);
  const y = (value) => height - bottom - ((value - low) / (high - low)) * (height - top - bottom);
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": words });
  // on a log scale powers of ten
  for (const value of log ? ticks(low, high, 6).filter(Number.isInteger) : ticks(low, high, 4)) {
    svg.append(drawn("path", { class: "axis", d: `M${left} ${y(value)}H${width - right}` }));
    const label = numberText(log ? 10 ** value : value);
    svg.append(drawn("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, label));
  }
  for (const epoch of ticks(first, last, 5).filter(Number.isInteger)) {
    svg.append(drawn("text", { x: x(epoch), y: height - 6, "text-anchor": "middle" }, String(epoch)));
  }
  svg.append(drawn("text", { x: left - 6, y: height - 6, "text-anchor": "end" }, "epoch"));
  svg.append(drawn("path", { class: "now", d: `M${x(at)} ${top}V${height - bottom}` }));
  const legend = made("div", { class: "legend" });
  series.forEach(({ name, values, colour, now }, i) => {
    const look = { stroke: colour, "stroke-width": 2, fill: "none", "stroke-dasharray": LINES[i % LINES.length] };
    const points = values.map(up).map((height, k) =>
      height === null ? "" : `${x(epochs[k]).toFixed(1)} ${y(height).toFixed(1)}`);
    const pieces = points.map((to, k) => to && (points[k - 1] ? `L${to}` : `M${to}`)); // begun again after a gap
    svg.append(drawn("path", { ...look, d: pieces.join("") }));
    if (up(now) !== null) svg.append(drawn("circle", { cx: x(at), cy: y(up(now)), r: 4, fill: colour }));
    const key = drawn("svg", { viewBox: "0 0 30 10", "aria-hidden": "true" }, drawn("path", { ...look, d: "M0 5H30" }));
    legend.append(made("span", {}, key, `${name} ${numberText(now)}`));
  });
  svg.addEventListener("pointerdown", (event) => {
    const frame = svg.getBoundingClientRect();
    const across = ((event.clientX - frame.left) / frame.width) * width;
    go(first + ((across - left) / (width - left - right)) * (last - first));
  });
  box.replaceChildren(svg, legend);
}

// ---- a plane --------------------------------------------------------------------------------------------------------

/** A class's sign of its own: circle, triangle, square, diamond, and these once more, hollow. */
function marker(context, place, [x, y], size, colours) {
  const corners = [[], [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]], [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
    [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]]][place % 4];
  context.beginPath();
  if (!corners.length) context.arc(x, y, size, 0, 2 * Math.PI);
  corners.forEach(([dx, dy]) => context.lineTo(x + size * dx, y + size * dy));
  context.closePath();
  const colour = rgb(colours.classes[place % MOST_COLOURS]);
  const isHollow = place % 8 >= 4;
  context.fillStyle = isHollow ? rgb(colours.canvas) : colour;
  context.strokeStyle = isHollow ? colour : rgb(colours.canvas);
  context.lineWidth = isHollow ? 2 : 1;
  context.fill();
  context.stroke();
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

/** Where neighbours on a grid have different winners: the sides of the cells around them. */
function borders(winners, steps) {
  const pieces = [];
  winners.forEach((here, k) => {
    const [i, j] = [Math.floor(k / steps), k % steps];
    if (j + 1 < steps && here !== winners[k + 1]) pieces.push([[j + 0.5, i - 0.5], [j + 0.5, i + 0.5]]);
    if (i + 1 < steps && here !== winners[k + steps]) pieces.push([[j - 0.5, i + 0.5], [j + 0.5, i + 0.5]]);
  });
  return pieces;
}

/** The plane in colours, its boundary, the points, and numbers at the examples that are traced. */
function plane(canvas, width, { low, high, steps, points, features }, { colourAt, pieces, smooth, traced }, colours) {
  const height = Math.round(0.8 * width);
  const type = typeSize(canvas) / 16;
  const [left, bottom] = [8, 24 * type];
  const [across, up] = [width - left - 8, height - bottom - 8];
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
  context.imageSmoothingEnabled = smooth;
  const [cellX, cellY] = [across / (steps - 1), up / (steps - 1)];
  context.drawImage(small, left - cellX / 2, 8 - cellY / 2, across + cellX, up + cellY);
  context.strokeStyle = rgb(colours.ink);
  context.lineWidth = 2;
  context.beginPath();
  for (const [from, to] of pieces) {
    context.moveTo(...place(from));
    context.lineTo(...place(to));
  }
  context.stroke();
  for (const [x, y, label] of points) marker(context, label, gridPlace(x, y), (width < 420 ? 3 : 4) * type, colours);
  context.restore();
  context.font = `bold ${13 * type}px system-ui, sans-serif`;
  context.lineWidth = 4;
  context.strokeStyle = rgb(colours.canvas);
  traced.forEach(([x, y], i) => {
    const [px, py] = gridPlace(x, y);
    context.strokeText(String(i + 1), px + 5, py - 5);
    context.fillStyle = rgb(colours.ink);
    context.fillText(String(i + 1), px + 5, py - 5);
  });
  context.font = `${12 * type}px system-ui, sans-serif`;
  context.fillStyle = rgb(colours.muted);
  context.fillText(`${features[0]}: ${numberText(low[0])} … ${numberText(high[0])} →`, left, height - 7);
  context.textAlign = "right";
  context.fillText(`${features[1]}: ${numberText(low[1])} … ${numberText(high[1])} ↑`, left + across, height - 7);
}

const within = (least, x, most) => Math.max(least, Math.min(most, x));
const stillness = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * Fits a picture into its frame, and lets wheel, touch, keys and buttons zoom and move it. Calls `zoomed` on every zoom
 * with the point and the requested factor, even if the picture reaches its limit.
 */
class Viewer {
  constructor(frame, svg, zoomed = () => {}) {
    Object.assign(this, { frame, zoomed, moved: false, pointers: new Map() });
    frame.classList.add("viewer");
    frame.tabIndex = 0;
    frame.role ??= "group";
    frame.ariaLabel ??= "The picture: + and − zoom, 0 shows all";
    const button = (words, sign) => `<button type="button" aria-label="${words}">${sign}</button>`;
    const buttons = [button("Zoom in", "+"), button("Zoom out", "−"), button("fit: show all", "fit")].join("");
    frame.insertAdjacentHTML("beforeend", `<div class="zoom">${buttons}</div>`);
    this.cluster = frame.lastElementChild;
    const [closer, away] = [1.5, 1 / 1.5].map((factor) => () => this.zoomAt(this.middle, factor));
    const keys = { "+": closer, "=": closer, "−": away, "-": away, fit: () => this.fit(), 0: () => this.fit() };
    const arrows = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    for (const made of this.cluster.children) made.onclick = keys[made.textContent];
    const on = (kind, how) => frame.addEventListener(kind, how, { passive: false });
    on("keydown", (event) => {
      const { key, target } = event;
      // arrow keys belong to the page while the whole picture is visible; on a page with steps, left and right always
      // do, unless Shift is pressed
      const isStep = /Left|Right/.test(key) && named("scrubber") && !event.shiftKey;
      const does = this.moved && arrows[key] && !isStep ? () => this.pan(...arrows[key]) : keys[key];
      if (target !== frame || !isPlain(event) || !does) return;
      does();
      event.preventDefault();
      event.stopPropagation();
    });
    on("wheel", (event) => this.wheel(event));
    on("dblclick", (event) => event.target.closest("button") || this.zoomAt(event, 2));
    on("touchstart", (event) => event.touches.length > 1 && event.preventDefault());
    on("pointerdown", (event) => event.button || event.target.closest("button") || this.hold(event));
    on("pointermove", (event) => this.pointer(event));
    for (const end of ["pointerup", "pointercancel"]) on(end, ({ pointerId }) => this.pointers.delete(pointerId));
    this.show(svg);
    new ResizeObserver(() => {
      const { moved, goal } = this;
      this.fit(false);
      this.moved = moved;
      if (moved) this.go(goal, false);
    }).observe(frame);
  }

  /** Shows another picture, which is already in the frame. */
  show(svg) {
    const { x, y, width, height } = svg.viewBox.baseVal;
    svg.natural ??= { x: x + width / 2, y: y + height / 2, width, height };
    this.svg = svg;
    this.fit(false);
  }

  get scale() { return this.goal.scale; }

  get middle() {
    const { left, top, width, height } = this.frame.getBoundingClientRect();
    return { x: left + width / 2, y: top + height / 2 };
  }

  /** Fits the whole picture, above the buttons if they would cover a box. */
  fit(smooth = true) {
    const { frame: { clientWidth, clientHeight }, cluster, svg, svg: { natural } } = this;
    if (!clientWidth || !clientHeight) return;
    const whole = (below) => {
      const room = [(clientWidth - 12) / natural.width, (clientHeight - 12 - below) / natural.height];
      const scale = Math.min(2.4, ...room);
      return { x: natural.x, y: natural.y + below / 2 / scale, scale };
    };
    const { x, y, scale } = whole(0);
    const covered = [...svg.querySelectorAll(".box, .weight")].map((box) => this.place(box)).some((box) =>
      (box.x[1] - x) * scale > clientWidth / 2 - cluster.offsetWidth - 10 &&
      (box.y[1] - y) * scale > clientHeight / 2 - cluster.offsetHeight - 10);
    this.fitted = whole(covered ? cluster.offsetHeight + 10 : 0);
    this.moved = false;
    this.go(this.fitted, smooth);
  }

  /** Moves as little as possible until these elements are fully visible; zooms out if they do not fit. */
  reveal(elements) {
    if (!this.moved) return; // the whole picture is visible
    const places = [...elements].map((element) => this.place(element)).filter(({ x, y }) => x[1] > x[0] || y[1] > y[0]);
    if (!places.length) return;
    const { frame, cluster, goal, fitted } = this;
    const room = { x: frame.clientWidth / 2 - 8, y: frame.clientHeight / 2 - 8 - cluster.offsetHeight };
    const first = (axis) => Math.min(...places.map((place) => place[axis][0]));
    const last = (axis) => Math.max(...places.map((place) => place[axis][1]));
    const scale = Math.min(goal.scale, ...["x", "y"].map((axis) => (2 * room[axis]) / (last(axis) - first(axis))));
    if (scale <= fitted.scale) return this.fit();
    const near = (axis) => within(last(axis) - room[axis] / scale, goal[axis], first(axis) + room[axis] / scale);
    this.go({ x: near("x"), y: near("y"), scale });
  }

  /** Zooms by a factor about a point in client coordinates. */
  zoomAt(point, factor, smooth = true) {
    const { middle, goal: { x, y, scale } } = this;
    const next = Math.min(6, scale * factor);
    const shift = 1 / scale - 1 / next;
    this.moved = next > this.fitted.scale;
    const closer = { x: x + (point.x - middle.x) * shift, y: y + (point.y - middle.y) * shift, scale: next };
    this.go(this.moved ? closer : this.fitted, smooth);
    this.zoomed(point, factor);
  }

  pan(dx, dy, smooth = true) {
    const { x, y, scale } = this.goal;
    if (this.moved) this.go({ x: x - dx / scale, y: y - dy / scale, scale }, smooth);
  }

  wheel(event) {
    const { ctrlKey, deltaY, deltaMode } = event;
    // in a notebook, the wheel scrolls the page until the picture has been clicked
    if (!ctrlKey && window !== window.top && !document.hasFocus()) return;
    if (ctrlKey || deltaY < 0 || this.moved) event.preventDefault();
    const turn = -deltaY * (deltaMode ? 0.06 : ctrlKey ? 0.01 : 0.002); // for lines, for a pinch, for pixels
    this.zoomAt(event, Math.exp(within(-0.25, turn, 0.25)), false);
  }

  hold(event) { this.pointers.set(event.pointerId, event); }

  /** Moves the picture with one pointer, and zooms with two. */
  pointer(event) {
    const from = this.pointers.get(event.pointerId);
    const other = [...this.pointers.values()].find(({ pointerId }) => pointerId !== event.pointerId);
    const distance = (one, two) => Math.hypot(one.x - two.x, one.y - two.y);
    if (!from || (!other && from.type === "pointerdown" && distance(event, from) < 5)) return; // may still be a click
    this.frame.setPointerCapture(event.pointerId); // prevents a click at the end
    this.hold(event);
    if (other) this.zoomAt(other, distance(event, other) / distance(from, other), false);
    else this.pan(event.x - from.x, event.y - from.y, false);
  }

  /** Returns the extent of an element, in the picture's units. */
  place(element) {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    const { a, e, f } = this.svg.getScreenCTM();
    return { x: [(left - e) / a, (right - e) / a], y: [(top - f) / a, (bottom - f) / a] };
  }

  /** Returns points along a line of the picture, in the picture's units. */
  along(line) {
    const [length, matrix] = [line.getTotalLength(), this.svg.getScreenCTM().inverse().multiply(line.getScreenCTM())];
    return [...Array(Math.ceil(length / 4)).keys(), length / 4].map((i) => {
      const { x, y } = line.getPointAtLength(4 * i).matrixTransform(matrix);
      return { x: [x, x], y: [y, y] };
    });
  }

  /** Returns the visible part of the picture at a view, in the picture's units. */
  sees({ x, y, scale }) {
    const [width, height] = [this.frame.clientWidth, this.frame.clientHeight].map((size) => size / 2 / scale);
    return { x: [x - width, x + width], y: [y - height, y + height] };
  }

  /** The part of the picture that the buttons cover. */
  get buttons() {
    const { cluster: { offsetWidth, offsetHeight }, goal, goal: { scale } } = this;
    const { x: [, right], y: [, bottom] } = this.sees(goal);
    return { x: [right - (offsetWidth + 10) / scale, right], y: [bottom - (offsetHeight + 10) / scale, bottom] };
  }

  /** Moves to this centre, limited to the picture, and this scale. */
  go({ scale, ...middle }, smooth = true) {
    const { frame: { clientWidth, clientHeight, style }, svg, svg: { natural }, moved } = this;
    const near = (axis, play) => within(natural[axis] - play, middle[axis], natural[axis] + play);
    const goal = { x: near("x", natural.width / 2), y: near("y", natural.height / 2), scale };
    this.goal = goal;
    style.touchAction = moved ? "none" : "pan-x pan-y"; // while the whole picture is visible, touch scrolls the page
    cancelAnimationFrame(this.turning);
    const [from, began] = [this.view ?? goal, performance.now()];
    const step = (now) => {
      const left = smooth && !stillness.matches ? (1 - within(0, (now - began) / 260, 1)) ** 3 : 0;
      const [x, y, scale] = ["x", "y", "scale"].map((key) => goal[key] + (from[key] - goal[key]) * left);
      this.view = { x, y, scale };
      const [width, height] = [clientWidth / scale, clientHeight / scale];
      svg.setAttribute("viewBox", `${x - width / 2} ${y - height / 2} ${width} ${height}`);
      if (left) this.turning = requestAnimationFrame(step);
    };
    step(began);
  }
}

const within = (least, x, most) => Math.max(least, Math.min(most, x));
const stillness = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * Shows a picture whole in its frame, and lets wheel, fingers, keys and buttons come closer and move it. `zoomed` hears
 * of every zoom: where, and by how much it was asked for, even where the picture comes no closer.
 */
class Viewer {
  constructor(frame, svg, zoomed = () => {}) {
    Object.assign(this, { frame, zoomed, pointers: new Map() });
    frame.classList.add("viewer");
    frame.tabIndex = 0;
    frame.role ??= "group";
    frame.ariaLabel ??= "The picture: + and − zoom, 0 shows all";
    const by = (x, y) => () => this.pan(60 * x, 60 * y);
    const keys = { ArrowLeft: by(1, 0), ArrowRight: by(-1, 0), ArrowUp: by(0, 1), ArrowDown: by(0, -1) };
    this.cluster = frame.appendChild(document.createElement("div"));
    this.cluster.className = "zoom";
    const make = (key, textContent, ariaLabel, onclick) => {
      keys[key] = keys[textContent] = onclick;
      const button = this.cluster.appendChild(document.createElement("button"));
      Object.assign(button, { type: "button", textContent, ariaLabel, onclick });
    };
    make("=", "+", "Zoom in", () => this.zoomAt(this.middle, 1.5));
    make("-", "−", "Zoom out", () => this.zoomAt(this.middle, 1 / 1.5));
    make("0", "fit", "fit: show all", () => this.fit());
    const on = (kind, how, options) => frame.addEventListener(kind, how, options);
    on("keydown", (event) => {
      if (event.target !== frame || !isPlain(event) || !keys[event.key]) return;
      if (event.key.startsWith("Arrow") && !this.moved) return; // while all is shown, arrows are the page's
      keys[event.key]();
      event.preventDefault();
      event.stopPropagation();
    });
    on("wheel", (event) => this.wheel(event), { passive: false });
    on("dblclick", (event) => event.target.closest("button") || this.zoomAt(event, 2));
    on("touchstart", (event) => event.touches.length > 1 && event.preventDefault(), { passive: false });
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

  /** Another picture, which is in the frame already. */
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

  /** All of the picture, the buttons in a corner where they cover no box, else below. */
  fit(smooth = true) {
    const { frame: { clientWidth, clientHeight }, cluster, svg: { natural } } = this;
    if (!clientWidth || !clientHeight) return;
    const [wide, high] = [cluster.offsetWidth + 10, cluster.offsetHeight + 10];
    const whole = (below) => {
      const room = [(clientWidth - 12) / natural.width, (clientHeight - 12 - below) / natural.height];
      const scale = Math.min(1.6, ...room);
      return { x: natural.x, y: natural.y + below / 2 / scale, scale };
    };
    const { x, y, scale } = whole(0);
    const boxes = [...this.svg.querySelectorAll(".box, .weight")].map((box) => this.place(box));
    const isFree = (corner) => !boxes.some((box) =>
      (corner.includes("right") ? box.x[1] - x : x - box.x[0]) * scale > clientWidth / 2 - wide &&
      (corner.includes("bottom") ? box.y[1] - y : y - box.y[0]) * scale > clientHeight / 2 - high);
    const corner = ["bottom right", "top right", "bottom left", "top left"].find(isFree);
    cluster.dataset.corner = corner ?? "bottom right";
    this.fitted = whole(corner ? 0 : high);
    this.moved = false;
    this.go(this.fitted, smooth);
  }

  /** Moves as little as possible until all these elements are wholly inside; out where they do not fit together. */
  reveal(elements) {
    if (!this.moved) return; // all is shown
    const places = [...elements].map((element) => this.place(element)).filter(({ x, y }) => x[1] > x[0] || y[1] > y[0]);
    if (!places.length) return;
    const { frame, cluster, goal } = this;
    const sides = Object.entries({ x: frame.clientWidth / 2, y: frame.clientHeight / 2 - cluster.offsetHeight });
    const ends = sides.map(([axis, half]) => {
      const [from, to] = [places.map((place) => place[axis][0]), places.map((place) => place[axis][1])];
      return { axis, room: half - 8, first: Math.min(...from), last: Math.max(...to) };
    });
    const scale = Math.min(goal.scale, ...ends.map(({ room, first, last }) => (2 * room) / (last - first)));
    if (scale <= this.fitted.scale) return this.fit();
    const [x, y] = ends.map(({ axis, room, first, last }) =>
      within(last - room / scale, goal[axis], first + room / scale));
    this.go({ x, y, scale });
  }

  /** Comes closer by a factor; what is at the point, as the mouse counts it, stays there. */
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
    // in a notebook the wheel scrolls on, until a click has chosen the picture
    if (!ctrlKey && window !== window.top && !document.hasFocus()) return;
    if (ctrlKey || deltaY < 0 || this.moved) event.preventDefault();
    const turn = -deltaY * (deltaMode ? 0.06 : ctrlKey ? 0.01 : 0.002); // of lines, of a pinch, of pixels
    this.zoomAt(event, Math.exp(within(-0.25, turn, 0.25)), false);
  }

  /** One pointer moves the picture, two hold it between them. */
  pointer(event) {
    const from = this.pointers.get(event.pointerId);
    if (!from) return;
    const distance = (one, other) => Math.hypot(one.x - other.x, one.y - other.y);
    const other = [...this.pointers.values()].find(({ pointerId }) => pointerId !== event.pointerId);
    if (!other && from.type === "pointerdown" && distance(event, from) < 5) return; // still a click
    this.frame.setPointerCapture(event.pointerId); // no click on what lies there at the end
    this.hold(event);
    if (other) this.zoomAt(other, distance(event, other) / distance(from, other), false);
    else this.pan(event.x - from.x, event.y - from.y, false);
  }

  hold(event) { this.pointers.set(event.pointerId, event); }

  /** From where to where an element reaches, in the picture's own units. */
  place(element) {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    const { a, e, f } = this.svg.getScreenCTM();
    return { x: [(left - e) / a, (right - e) / a], y: [(top - f) / a, (bottom - f) / a] };
  }

  /** To this middle, which stays in the picture, and scale. */
  go({ scale, ...middle }, smooth = true) {
    const { frame: { clientWidth, clientHeight, style }, svg, svg: { natural }, moved } = this;
    const near = (axis, play) => within(natural[axis] - play, middle[axis], natural[axis] + play);
    const goal = { x: near("x", natural.width / 2), y: near("y", natural.height / 2), scale };
    this.goal = goal;
    style.touchAction = moved ? "none" : "pan-x pan-y"; // while all is shown, a finger scrolls the page
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

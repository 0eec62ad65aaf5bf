// Formats numbers as Python's notation.number_text does, and formulas in MathML.

const MINUS = "−";

/** Formats integers without a point, other numbers with six digits, and both with a true minus sign. */
function numberText(x, digits = 6) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "NaN" : (x < 0 ? MINUS : "") + "∞";
  if (Number.isInteger(x) && Math.abs(x) < 1e15) return String(x === 0 ? 0 : x).replace("-", MINUS);
  const [mantissa, exponent] = x.toExponential(digits - 1).split("e").map(Number);
  const written = exponent >= -4 && exponent < digits ? Number(x.toPrecision(digits)) : `${mantissa}e${exponent}`;
  return String(written).replaceAll("-", MINUS);
}

const pictureText = (x) => numberText(x, 4);
const changeText = (x) => (x < 0 ? "" : "+") + numberText(x);

function numberMath(x) {
  const [digits, exponent] = numberText(Math.abs(x)).replace(MINUS, "-").split("e");
  const power = exponent && `<mo>·</mo><msup><mn>10</mn>${numberMath(Number(exponent))}</msup>`;
  const written = power ? `<mrow><mn>${digits}</mn>${power}</mrow>` : `<mn>${digits}</mn>`;
  return x < 0 ? `<mrow><mo form="prefix">${MINUS}</mo>${written}</mrow>` : written;
}

/** Formats a number after a sign: in brackets if it is negative, as in 2 · (−3). */
const heldMath = (x) => (x < 0 ? `<mrow><mo>(</mo>${numberMath(x)}<mo>)</mo></mrow>` : numberMath(x));
const heldText = (x, write = numberText) => (x < 0 ? `(${write(x)})` : write(x));

const math = (markup) => `<math><mstyle displaystyle="true">${markup}</mstyle></math>`;

/** Fills the placeholders of a template from templates.py. */
function filled(template, operands, own, held = (x) => x, plain = (x) => x) {
  return template.replace(/\{(?:=([^}]+)|(\(?)(v|\d+)\)?)\}/g, (_, number, bracket, place) => {
    if (number) return numberMath(Number(number));
    const thing = place === "v" ? own : operands[place - 1];
    return bracket ? held(thing) : plain(thing);
  });
}

/** Writes ∂above/∂below; `which` distinguishes the operands of x · x. */
function partialMath(above, below, which = "") {
  const [f, x] = [above, below].map(({ markup }) => `<mrow><mo>∂</mo>${markup}</mrow>`);
  const slope = `<mfrac>${f}${x}</mfrac>`;
  return which ? `<msub>${slope}<mo class="which">${which}</mo></msub>` : slope;
}

/** Writes ∂L/∂node, or δ if the node is a z of the lecture. */
const gradientMath = (root, node) => node.delta ?? partialMath(root, node);

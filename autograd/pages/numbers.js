// How numbers and formulas are written: numbers as Python's notation.number_text does, formulas in MathML.

const MINUS = "−";

/** Whole numbers without a point, six digits of others, a true minus sign. */
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

/** A number in brackets, if it is to stand behind a sign: 2 · (−3). */
const heldMath = (x) => (x < 0 ? `<mrow><mo>(</mo>${numberMath(x)}<mo>)</mo></mrow>` : numberMath(x));
const heldText = (x, write = numberText) => (x < 0 ? `(${write(x)})` : write(x));

const math = (markup) => `<math><mstyle displaystyle="true">${markup}</mstyle></math>`;

/** A template, as templates.py writes them, with its places filled. */
function filled(template, operands, own, held = (x) => x, plain = (x) => x) {
  return template.replace(/\{(?:=([^}]+)|(\(?)(v|\d+)\)?)\}/g, (_, number, bracket, place) => {
    if (number) return numberMath(Number(number));
    const thing = place === "v" ? own : operands[place - 1];
    return bracket ? held(thing) : plain(thing);
  });
}

/** ∂above/∂below between two nodes; `which` tells the operands of x · x apart. */
function partialMath(above, below, which = "") {
  const [f, x] = [above, below].map(({ markup }) => `<mrow><mo>∂</mo>${markup}</mrow>`);
  const slope = `<mfrac>${f}${x}</mfrac>`;
  return which ? `<msub>${slope}<mo class="which">${which}</mo></msub>` : slope;
}

/** ∂L/∂node, or δ where the node is a z of the lecture. */
const gradientMath = (root, node) => node.delta ?? partialMath(root, node);

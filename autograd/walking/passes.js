// Both passes: each node is computed by its rule, and then gives each parent upstream times local derivative.

/** The engine's error for finite operands without a finite value. */
class Fault extends Error {}

/** Runs the forward pass; `inputs` contains the number of each input, at its index. Throws Fault. */
function forward({ nodes, rules }, inputs) {
  const [data, locals, steps] = [[], [], [{ phase: "start" }]];
  nodes.forEach((node, i) => {
    data[i] = node.kind === "input" ? inputs[i] : Number(node.data);
    if (node.kind !== "operation") return;
    const operands = node.parents.map((parent) => data[parent]);
    [data[i], locals[i]] = rules[node.rule].apply(...operands);
    if (!Number.isFinite(data[i]) && operands.every(Number.isFinite)) {
      const names = node.parents.map((parent) => nodes[parent].kind !== "constant" && nodes[parent].name);
      throw new Fault(complaint(rules[node.rule], operands, names, data[i]));
    }
    steps.push({ phase: "forward", node: i, value: data[i] });
  });
  return { data, locals, steps };
}

/** Writes the same text as errors.complaint in Python: operation, operands, condition and remedy. */
function complaint(rule, operands, names, value) {
  const { letters, conditions, defined } = rule;
  const words = letters.map((x, i) => names[i] || (names.includes(x) ? `operand ${i + 1}` : x));
  const at = operands.map((x, i) => `${words[i]} = ${numberText(x)}`);
  const shown = at.length <= 6 ? at : [...at.slice(0, 3), `… ${at.length - 3} more`];
  const where = `${rule.name} at ${shown.join(", ")}`;
  const domain = (i) => Math.min(i, conditions.length - 1); // an n-ary rule has one domain for all
  const broken = operands.flatMap((x, i) =>
    defined[domain(i)](x) ? [] : [conditions[domain(i)].replace("{x}", words[i])],
  );
  if (!broken.length && !rule.joint(...operands)) {
    broken.push(letters.reduce((text, x, i) => text.replaceAll(`{${x}}`, words[i]), rule.jointCondition));
  }
  if (!broken.length) return `${where}: overflow, the result ${numberText(value)} is beyond the largest float, 1.8e308`;
  return `${where}: needs ${broken.join(" and ")}${rule.remedy ? `; ${rule.remedy}` : ""}`;
}

/** Runs both passes, and returns their numbers and steps; a step computes its `value`. Throws Fault. */
function walkthrough(graph, inputs) {
  const { nodes, rules } = graph;
  const { data, locals, steps } = forward(graph, inputs);
  const root = nodes.length - 1;
  const grads = nodes.map(() => 0);
  grads[root] = 1;
  steps.push({ phase: "seed", node: root, value: 1, isLast: true });
  for (let node = root; node >= 0; node--) {
    (nodes[node].parents ?? []).forEach((parent, operand) => {
      if (nodes[parent].kind === "constant") return;
      const upstream = grads[node];
      const local = locals[node][operand];
      // upstream 0 gives 0, even times ∞; an operand that a gate has not chosen gets 0, even of ∞
      const isClosed = upstream === 0 || (local === 0 && rules[nodes[node].rule].gate && !Number.isFinite(upstream));
      const product = isClosed ? 0 : upstream * local;
      const before = grads[parent];
      grads[parent] += product;
      steps.push({ phase: "backward", node, operand, parent, upstream, local, product, before, value: grads[parent] });
    });
  }
  // mark the last step that adds to each gradient
  for (const step of new Map(steps.map((step) => [step.parent, step])).values()) step.isLast = true;
  steps.push({ phase: "end" });
  if (nodes.some(({ kind }) => kind === "input")) steps.push({ phase: "update" });
  return { data, locals, grads, steps };
}

/** The node whose number or gradient a step computes; the single steps that a step combines. */
const aboutOf = ({ node, parent = node }) => parent;
const partsOf = (step) => step.parts ?? [step];

/** Returns the level of each node; an input is just below its first user, so that a weight is beside its a. */
function levels(nodes) {
  const level = [];
  for (const { parents = [] } of nodes) level.push(1 + Math.max(-1, ...parents.map((parent) => level[parent])));
  const above = nodes.map(() => Infinity);
  nodes.forEach(({ parents = [] }, i) => parents.forEach((p) => { above[p] = Math.min(above[p], level[i]); }));
  return level.map((depth, i) => (nodes[i].parents || above[i] === Infinity ? depth : above[i] - 1));
}

const ORDER = ["start", "forward", "seed", "backward", "end", "update"];

/** Combines the steps of each "node" or "layer" into one step with `parts`; "edge" keeps them single. */
function grouped({ nodes }, steps, grain) {
  if (grain === "edge") return steps;
  const level = grain === "node" ? [...nodes.keys()] : levels(nodes);
  const way = { forward: 1, backward: -1 };
  const groups = new Map();
  for (const step of steps) {
    const key = 2 * nodes.length * ORDER.indexOf(step.phase) + (level[aboutOf(step)] * way[step.phase] || 0);
    groups.set(key, [...(groups.get(key) ?? []), step]);
  }
  return [...groups.keys()].sort((x, y) => x - y).map((key) => {
    const parts = groups.get(key);
    const last = parts.at(-1);
    if (parts.length === 1) return last;
    return parts.every((part) => aboutOf(part) === aboutOf(last)) ? { ...last, parts } : { phase: last.phase, parts };
  });
}

/** Returns the contributions that have arrived at `parent` up to a step, in the order of the forward pass. */
function arrived(steps, position, parent) {
  const found = steps.slice(0, position + 1).flatMap(partsOf).filter((step) => step.parent === parent);
  return found.sort((x, y) => x.node - y.node || x.operand - y.operand);
}

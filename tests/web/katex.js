// Reads a JSON list of formulas, writes the list of KaTeX's complaints: one string for each, empty where it is content.
const katex = require("katex");
const formulas = JSON.parse(require("fs").readFileSync(0, "utf8"));
const complaints = formulas.map((formula) => {
  try {
    katex.renderToString(formula, { displayMode: true, throwOnError: true, strict: "ignore" });
    return "";
  } catch (error) {
    return error.message;
  }
});
console.log(JSON.stringify(complaints));

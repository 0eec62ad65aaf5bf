// Runs a Python program in Pyodide, with the wheels that are given unpacked beside its own library: no network.
import { readFileSync } from "node:fs";
import { loadPyodide } from "pyodide";

const [program, ...wheels] = process.argv.slice(2);
try {
  const pyodide = await loadPyodide();
  for (const wheel of wheels) pyodide.unpackArchive(new Uint8Array(readFileSync(wheel)), "wheel");
  pyodide.runPython(readFileSync(program, "utf8"));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

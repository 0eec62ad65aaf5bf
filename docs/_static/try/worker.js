// Runs Python beside the page, which therefore never freezes. All files come from the folder of this one.
"use strict";

const fetched = self.fetch;
let loaded = 0;

const progress = (text, loaded) => postMessage({ kind: "progress", text, loaded });

// Pyodide fetches with this as well, so that the bytes of every file are counted.
self.fetch = async (address, options) => {
  const response = await fetched(address, { ...options, cache: "no-cache" }).catch(() => ({ status: "no answer" }));
  if (!response.ok) throw new Error(`${address} could not be loaded from this site (${response.status})`);
  const counter = new TransformStream({
    transform(bytes, stream) {
      loaded += bytes.length;
      progress("Loading Python", loaded);
      stream.enqueue(bytes);
    },
  });
  const { status, headers } = response;
  return new Response(response.body.pipeThrough(counter), { status, headers });
};

async function start(archives) {
  const helper = fetch("tryit.py").then((file) => file.text());
  const files = archives.map(async (name) => (await fetch(name)).arrayBuffer());
  importScripts("pyodide/pyodide.js");
  const indexURL = new URL("pyodide/", self.location).href;
  const [pyodide, code, ...packages] = await Promise.all([loadPyodide({ indexURL }), helper, ...files]);
  progress("Starting Python");
  for (const file of packages) pyodide.unpackArchive(file, "wheel");
  pyodide.FS.writeFile("tryit.py", code);
  const tryit = pyodide.pyimport("tryit");
  tryit.install();
  return tryit;
}

let python = null;
let requests = 0; // that wait or run

// Imports what an explanation needs, which takes as long as the loading. Module by module, so that a request can go first.
async function prepare(tryit, isWanted) {
  progress("Importing SymPy");
  while (isWanted() && tryit.prepare()) await new Promise((resolve) => setTimeout(resolve));
}

onmessage = async ({ data: { archives, request } }) => {
  if (request) requests += 1;
  try {
    python ??= start(archives);
    const tryit = await python;
    if (!request) {
      await prepare(tryit, () => !requests);
      if (!requests) postMessage({ kind: "ready" });
      return;
    }
    if (request.task === "expression") await prepare(tryit, () => true);
    progress(request.task === "expression" ? "Explaining" : "Running");
    tryit.serve(JSON.stringify(request), (item) => postMessage(JSON.parse(item)));
    requests -= 1;
    postMessage({ kind: "done" });
  } catch (error) {
    postMessage({ kind: "failed", text: `${error.message ?? error}`.trim().split("\n").at(-1) });
  }
};

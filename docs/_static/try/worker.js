// Runs Python beside the page, which therefore never freezes. All files come from the folder of this one.
"use strict";

const fetched = self.fetch;
let loaded = 0;

const progress = (text) => postMessage({ kind: "progress", text, loaded });

// Pyodide fetches with this as well, so that the bytes of every file are counted.
self.fetch = async (address, options) => {
  const response = await fetched(address, { ...options, cache: "no-cache" }).catch(() => ({ status: "no answer" }));
  if (!response.ok) throw new Error(`${address} could not be loaded from this site (${response.status})`);
  const counter = new TransformStream({
    transform(bytes, stream) {
      loaded += bytes.length;
      progress("Loading Python");
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

onmessage = async ({ data: { archives, request } }) => {
  try {
    python ??= start(archives);
    const tryit = await python;
    if (!request) return;
    progress("Running");
    tryit.serve(JSON.stringify(request), (item) => postMessage(JSON.parse(item)));
    postMessage({ kind: "done" });
  } catch (error) {
    postMessage({ kind: "failed", text: `${error.message ?? error}`.trim().split("\n").at(-1) });
  }
};

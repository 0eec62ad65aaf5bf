// A page inside a frame follows the system's colour scheme and cannot see the site's switch: where the two differ, the
// question that its style sheet asks is answered for it.
(() => {
  const question = /prefers-color-scheme: ?dark/g;
  const answers = { dark: "min-width: 0", light: "max-width: 0" };
  const pages = new WeakMap();

  function tint() {
    for (const frame of document.querySelectorAll("iframe[srcdoc]")) {
      if (!pages.has(frame)) pages.set(frame, frame.srcdoc);
      const page = pages.get(frame);
      const answer = answers[document.body.dataset.theme];
      const tinted = answer ? page.replace(question, answer) : page;
      if (frame.srcdoc !== tinted) frame.srcdoc = tinted;
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    tint();
    new MutationObserver(tint).observe(document.body, { attributes: true, attributeFilter: ["data-theme"] });
  });
})();

// Copy buttons. Without this script they are not shown, and what they would copy stands beside them or behind a link.
"use strict";

(() => {
  const LASTS_MS = 2000;

  document.documentElement.classList.add("with-scripts");
  const announcer = Object.assign(document.createElement("p"), { className: "unseen" });
  announcer.setAttribute("role", "status");
  document.body.append(announcer);

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const done = await copy(button.dataset.copy);
    announcer.textContent = done ? "Copied" : "This browser does not allow copying";
    button.textContent = done ? "Copied" : "Not allowed";
    setTimeout(() => { button.textContent = "Copy"; announcer.textContent = ""; }, LASTS_MS);
  });

  // The clipboard's own interface is there on https and localhost only; the old way works elsewhere too.
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const field = Object.assign(document.createElement("textarea"), { value: text, className: "unseen" });
      const focused = document.activeElement;
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      focused?.focus();
      return done;
    }
  }
})();

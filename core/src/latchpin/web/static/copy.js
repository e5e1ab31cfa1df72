// Copy buttons. Without this script they are not shown, and what they would copy stands beside them or behind a link.
"use strict";

(() => {
  const LASTS_MS = 2000;

  document.documentElement.classList.add("with-scripts");

  // A page has one place where such things are said; it is made here where no other script did.
  function find_announcer() {
    const there = document.querySelector("[role=status]");
    if (there !== null) return there;
    const made = Object.assign(document.createElement("p"), { className: "unseen" });
    made.setAttribute("role", "status");
    document.body.append(made);
    return made;
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const announcer = find_announcer();
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

// Makes the admin UI live. Everything works without it.
"use strict";

(() => {
  const announcer = document.getElementById("announcer");  // of authorize.js, which comes before

  // The card asks for itself anew: hx-trigger in its template.
  document.addEventListener("latchpin:authorized", (event) => event.preventDefault());

  // Say what a piece that changed by itself shows now.
  document.addEventListener("htmx:afterSettle", (event) => {
    const name = event.detail.elt.querySelector("h2"), status = event.detail.elt.querySelector(".status");
    if (name && status) announcer.textContent = `${name.textContent}: ${status.textContent}`;
  });

  // What went wrong with something that htmx asked for.
  document.addEventListener("htmx:responseError", (event) => {
    let text = "The gateway could not do this.";
    try {
      const problem = JSON.parse(event.detail.xhr.responseText);
      text = `${problem.detail} ${problem.remedy}`;
    } catch { /* not a problem document */ }
    tell(text);
  });
  document.addEventListener("htmx:sendError", () => tell("The gateway does not answer."));

  function tell(text) {
    const note = Object.assign(document.createElement("p"), { className: "note", textContent: text });
    note.setAttribute("role", "alert");
    document.querySelector("main").prepend(note);
    note.scrollIntoView({ block: "nearest" });
  }
})();

// Makes the admin UI live. Everything works without it.
"use strict";

(() => {
  const CHANNEL = "latchpin-authorization";
  const POPUP = "popup,width=520,height=720";

  // Authorize in a window of its own; where that is not allowed, the link does what links do.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-popup]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (window.open(link.href, "_blank", POPUP) !== null) event.preventDefault();
  });

  // The window's last page posts here. A channel is heard by pages of this origin only.
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener("message", (event) => {
    if (event.origin !== location.origin) return;
    htmx.trigger(document.body, "latchpin:authorized");
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

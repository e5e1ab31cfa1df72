// Makes the admin UI live. Everything works without it.
"use strict";

(() => {
  const CHANNEL = "latchpin-authorization";
  const MARK = "latchpin-popup";
  const POPUP = "popup,width=560,height=760";
  const GATEWAY_ID = /^[0-9a-f]{32}$/;

  const announcer = Object.assign(document.createElement("p"), { className: "unseen" });
  announcer.setAttribute("role", "status");
  document.body.append(announcer);

  // Authorize in a window of its own; where that is not allowed, the link does what links do.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-popup]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    sessionStorage.setItem(MARK, "1");  // the new window gets a copy: its last page then offers to close it
    const opened = window.open(link.href, "_blank", POPUP);
    sessionStorage.removeItem(MARK);
    if (opened === null) location.assign(link.href);
  });

  // The window's last page posts what came of it. A channel is heard by pages of this origin only, and what it says
  // is not believed: it only names the gateway whose state is asked for anew, or where it is said that it failed.
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener("message", (event) => {
    if (event.origin !== location.origin) return;
    const { outcome, gateway } = event.data ?? {};
    const shown = GATEWAY_ID.test(gateway) ? document.getElementById(`mine-${gateway}`) : null;
    document.querySelector(".failed")?.remove();
    if (outcome === "failed") showFailure(shown);
    else if (shown !== null) htmx.trigger(shown, "latchpin:authorized");
  });

  // In the gateway's own card, where one is open; else above everything.
  function showFailure(shown) {
    const text = "The authorization did not succeed; its window says why.";
    announcer.textContent = text;
    const note = Object.assign(document.createElement("p"), { className: "note failed", textContent: text });
    if (shown === null) document.querySelector("main").prepend(note);
    else shown.querySelector(".actions").before(note);
    const again = shown?.querySelector("a[data-popup]");
    if (!again) return;
    again.textContent = "Authorize again";
    again.setAttribute("aria-label", again.getAttribute("aria-label").replace(/^(Authorize|Reconnect)( again:)?/, "Authorize again:"));
  }

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

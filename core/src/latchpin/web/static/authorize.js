// Authorizing in a window of its own, wherever a page offers it, and showing here what came of it. Everything works
// without this script: then the link does what links do.
"use strict";

(() => {
  const MARK = "latchpin-popup";
  const POPUP = "popup,width=560,height=760";
  const GATEWAY_ID = /^[0-9a-f]{32}$/;

  const announcer = Object.assign(document.createElement("p"), { id: "announcer", className: "unseen" });
  announcer.setAttribute("role", "status");
  document.body.append(announcer);

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
  new BroadcastChannel("latchpin-authorization").addEventListener("message", (event) => {
    if (event.origin !== location.origin) return;
    const { outcome, gateway } = event.data ?? {};
    const shown = GATEWAY_ID.test(gateway) ? document.querySelector(`[data-gateway="${gateway}"]`) : null;
    document.querySelector(".failed")?.remove();
    if (outcome === "failed") showFailure(shown);
    else if (shown !== null && shown.dispatchEvent(new Event("latchpin:authorized", { cancelable: true, bubbles: true }))) {
      location.reload();
    }
  });

  // In the gateway's own card, where one is shown; else above everything.
  function showFailure(shown) {
    const text = "The authorization did not succeed; its window says why.";
    announcer.textContent = text;
    const note = Object.assign(document.createElement("p"), { className: "note failed", textContent: text });
    if (shown === null) document.querySelector("main").prepend(note);
    else if (shown.querySelector(".actions") === null) shown.append(note);
    else shown.querySelector(".actions").before(note);
    const again = shown?.querySelector("a[data-popup]");
    if (!again) return;
    again.textContent = "Authorize again";
    again.setAttribute("aria-label", again.getAttribute("aria-label").replace(/^(Authorize|Reconnect)( again:)?/, "Authorize again:"));
  }
})();

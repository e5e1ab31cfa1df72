// The last page of an authorization tells this gateway's other open pages that it ended, so that they can show it.
// A BroadcastChannel reaches pages of this origin only, whatever window they are in; pages need not know each other,
// and none has to give up its Cross-Origin-Opener-Policy for it.
"use strict";

(() => {
  const page = document.querySelector("[data-authorization]");
  const { authorization: outcome, gateway = "" } = page.dataset;
  new BroadcastChannel("latchpin-authorization").postMessage({ outcome, gateway });

  // Only the window that the admin UI opened for this has the mark, which it inherits like everything in the store.
  const close = page.querySelector("[data-close]");
  if (close !== null && sessionStorage.getItem("latchpin-popup") !== null) {
    close.hidden = false;
    close.addEventListener("click", () => window.close());
  }
})();

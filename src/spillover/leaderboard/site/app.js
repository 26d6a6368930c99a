"use strict";
(() => {
  const names = { table: "Table", compare: "Compare", matrix: "Spill-over matrix", multiverse: "Multiverse", mitigations: "Mitigations" };
  const main = document.getElementById("main");
  let turn = 0;

  const show = async (moveFocus) => {
    const [view, ...rest] = location.hash.replace(/^#\/?/, "").split("/"); // slugs need no decoding
    const name = Object.hasOwn(spillover.views, view) ? view : "table";
    const mine = (turn += 1);
    for (const link of document.querySelectorAll("#views a")) {
      if (link.dataset.view === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    let content;
    try {
      content = await spillover.views[name](...rest);
    } catch (error) {
      content = [spillover.h("p", { role: "alert" }, `This could not be shown: ${error.message}.`)];
    }
    if (mine !== turn) return; // the user went on meanwhile
    main.replaceChildren(...content.flat(3).filter(Boolean));
    const kept = spillover.keepFocus && main.querySelector(`[data-focus="${spillover.keepFocus}"]`);
    spillover.keepFocus = null;
    if (kept) kept.focus(); // a choice was made inside of the view: stay on it
    else if (moveFocus) main.focus();
  };

  spillover.start = (data) => {
    spillover.data = data;
    document.title = data.title;
    document.getElementById("title").textContent = data.title;
    document.getElementById("lab").hidden = !data.lab;
    document.getElementById("made").textContent = `Made by Spillover ${data.version}. ${data.models.length} models.`;
    document.getElementById("views").append(...Object.entries(names).map(([view, text]) => {
      const link = spillover.h("a", { href: `#/${view}` }, text);
      link.dataset.view = view;
      return spillover.h("li", {}, link);
    }));
    window.addEventListener("hashchange", () => show(true));
    show(false);
  };
})();

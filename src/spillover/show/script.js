"use strict";
(() => {
  const PAGE = 20;
  const items = [...document.querySelectorAll(".answers li")];
  const selects = [...document.querySelectorAll("select[data-field]")];
  const search = document.getElementById("search");
  const count = document.getElementById("count");
  const more = document.getElementById("more");
  const reset = document.getElementById("reset");
  let most = PAGE;
  const apply = () => {
    const wanted = selects.filter((s) => s.value).map((s) => [s.dataset.field, s.value]);
    const words = search.value.toLowerCase();
    let fit = 0;
    for (const item of items) {
      const fits = wanted.every(([field, value]) => item.dataset[field] === value) && (!words || item.textContent.toLowerCase().includes(words));
      if (fits) fit += 1;
      item.hidden = !fits || fit > most;
    }
    count.textContent = fit > most ? `${most} of ${fit} shown` : `${fit} shown`;
    more.hidden = fit <= most;
    reset.hidden = !wanted.length && !words;
  };
  const clear = () => {
    for (const select of selects) select.value = "";
    search.value = "";
    most = PAGE;
  };
  // A link to a question shows its answers, of all models or of one; one to an answer or a table opens what it is folded in.
  const asked = () => {
    if (!location.hash.startsWith("#question=")) return false;
    const wanted = new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B"));
    const choose = (field, value) => {
      const select = selects.find((s) => s.dataset.field === field);
      const there = Boolean(select) && [...select.options].some((o) => o.value === value);
      if (there) select.value = value;
      return there;
    };
    clear();
    if (!choose("question", wanted.get("question"))) return false;
    choose("probe", wanted.get("probe"));
    choose("model", wanted.get("model"));
    apply();
    const heading = document.getElementById("answers");
    heading.tabIndex = -1;
    heading.focus();
    heading.scrollIntoView();
    return true;
  };
  const reveal = () => {
    if (asked()) return;
    let name = location.hash.slice(1);
    try { name = decodeURIComponent(name); } catch { /* a name with a bare percent sign is what it is */ }
    const target = name && document.getElementById(name);
    if (!target) return;
    const place = items.indexOf(target);
    if (place >= most) {
      most = PAGE * Math.ceil((place + 1) / PAGE);
      apply();
    }
    const fold = target.closest("details");
    if (fold) fold.open = true;
    target.scrollIntoView();
  };
  if (items.length) {
    for (const control of [...selects, search]) control.addEventListener("input", () => { most = PAGE; apply(); });
    more.addEventListener("click", () => { most += PAGE; apply(); });
    reset.addEventListener("click", () => {
      clear();
      // The address no longer says what is shown; the link to the same question must work again.
      if (location.hash.startsWith("#question=")) history.replaceState(null, "", "#answers");
      apply();
      selects[0].focus();
    });
    apply();
  }
  addEventListener("hashchange", reveal);
  // The same link once more changes no address, and is meant all the same.
  addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
    if (link && link.hash === location.hash) reveal();
  });
  reveal();
})();

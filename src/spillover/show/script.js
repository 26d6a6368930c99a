"use strict";
(() => {
  const items = [...document.querySelectorAll(".answers li")];
  const selects = [...document.querySelectorAll("select[data-field]")];
  const search = document.getElementById("search");
  const count = document.getElementById("count");
  const apply = () => {
    const wanted = selects.filter((s) => s.value).map((s) => [s.dataset.field, s.value]);
    const words = search.value.toLowerCase();
    let shown = 0;
    for (const item of items) {
      const fits = wanted.every(([field, value]) => item.dataset[field] === value);
      item.hidden = !(fits && (!words || item.textContent.toLowerCase().includes(words)));
      if (!item.hidden) shown += 1;
    }
    count.textContent = `${shown} shown`;
  };
  for (const control of [...selects, search]) control.addEventListener("input", apply);
  apply();
})();

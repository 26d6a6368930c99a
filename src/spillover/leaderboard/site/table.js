"use strict";
// The table: sort by any column, filter, search; ranks come with the range that the intervals allow.
spillover.views.table = () => {
  const { h, data } = spillover;
  const state = { sort: data.columns[0] ? data.columns[0].key : "name", down: Boolean(data.columns[0]) && data.columns[0].worse === "lower", words: "", filters: {}, shown: null };
  const fields = [...new Set(data.models.flatMap((m) => Object.keys(m.about)))].filter((f) => f !== "command" && f !== "naive");
  const probes = [...new Set(data.columns.map((c) => c.probe))];
  // One column a probe at first: the others are a choice away.
  state.shown = new Set(probes.map((p) => data.columns.find((c) => c.probe === p).key));

  const count = h("output", { "aria-live": "polite" });
  const holder = h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Table of models" });

  const lowIsGood = (column) => column.worse !== "lower";
  const value = (model, key) => {
    if (key === "name") return model.name.toLowerCase();
    if (fields.includes(key)) return (Object.hasOwn(model.about, key) ? model.about[key] : "").toLowerCase();
    if (key === "judge") return model.judges.join(", ");
    return model.cells[key] ? model.cells[key][0] : null;
  };
  const fits = (model) =>
    Object.entries(state.filters).every(([f, v]) => !v || (f === "judge" ? model.judges.includes(v) : model.about[f] === v)) &&
    (!state.words || [model.name, ...Object.values(model.about), ...model.judges].join(" ").toLowerCase().includes(state.words));

  const sorted = () => {
    const rows = data.models.filter(fits);
    const sign = state.down ? -1 : 1;
    return rows.sort((a, b) => {
      const last = (m) => Boolean(m.blind[state.sort]) + 2 * m.claimed; // a judge that cannot tell, or nobody's logs: below, unranked
      const apart = last(a) - last(b);
      if (apart) return apart;
      const [x, y] = [value(a, state.sort), value(b, state.sort)];
      if (x === null || y === null) return (x === null) - (y === null); // what was not measured comes last either way
      return sign * (x < y ? -1 : x > y ? 1 : 0) || (a.name < b.name ? -1 : 1);
    });
  };

  const head = (key, text, note, first) => {
    const current = state.sort === key;
    const button = h("button", { type: "button", title: note, on: { click: () => {
      state.down = current ? !state.down : !first;
      state.sort = key;
      draw(key);
    } } }, text, h("span", { "aria-hidden": "true" }, current ? (state.down ? " \u2193" : " \u2191") : ""));
    button.dataset.key = key;
    return h("th", { scope: "col", class: first && fields.concat("name", "judge").includes(key) ? null : "n",
      "aria-sort": current ? (state.down ? "descending" : "ascending") : null }, button);
  };

  // A rank as it is known: the places that are possible, of all that are taken.
  const rank = (model, ranked) => {
    const range = ranked && model.ranks && model.ranks[ranked.key];
    if (!range) return h("td", { class: "n rank", "data-label": "rank" }, "\u2013");
    const most = Math.max(...data.models.map((m) => (m.ranks && m.ranks[ranked.key] ? m.ranks[ranked.key][1] : 1)));
    const at = (place) => (most > 1 ? 3 + (94 * (place - 1)) / (most - 1) : 50);
    return h("td", { class: "n rank", "data-label": "rank" }, spillover.rankText(range),
      h("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
        h("line", { x1: 0, x2: 100, y1: 4, y2: 4, class: "rail" }),
        h("line", { x1: at(range[0]) - 3, x2: at(range[1]) + 3, y1: 4, y2: 4, class: "reach" })));
  };

  const draw = (focus) => {
    const columns = data.columns.filter((c) => state.shown.has(c.key));
    const ranked = data.columns.find((c) => c.key === state.sort) || data.columns[0];
    const rows = sorted();
    const cell = (model, column) => {
      const found = model.cells[column.key];
      if (!found) return h("td", { class: "n none" }, "\u2013");
      const [x, low, high, n, , unscored] = found;
      const blind = model.blind[column.key];
      return h("td", { class: "n", "data-label": `${column.probe}: ${column.measure}` },
        h("span", { class: "value" }, blind ? h("s", {}, spillover.figure(column, x)) : spillover.figure(column, x)),
        spillover.rail(column, x, low, high, blind),
        blind ? h("span", { class: "span", title: blind }, "judge cannot tell") : null,
        h("span", { class: "span" }, spillover.span(column, low, high)),
        h("span", { class: "span" }, `n ${n}, ${spillover.percent(unscored)} unscored`));
    };
    holder.replaceChildren(h("table", { class: "board" },
      h("caption", {}, ranked ? `Rank by ${ranked.probe}: ${ranked.measure}` : "Models"),
      h("thead", {}, h("tr", {},
        h("th", { scope: "col", class: "n" }, "rank"), head("name", "model", "sort by name", true),
        columns.map((c) => head(c.key, [c.probe, h("br"), h("small", {}, c.measure)], `${c.probe}: ${c.measure}`, lowIsGood(c))),
        fields.map((f) => head(f, f, `sort by ${f}`, true)), head("judge", "judge", "sort by judge", true))),
      h("tbody", {}, rows.map((m) => h("tr", {},
        rank(m, ranked),
        h("th", { scope: "row" }, spillover.modelLink(m), m.origin ? h("span", { class: "span" }, `${m.about.source}: ${m.origin}`) : null),
        columns.map((c) => cell(m, c)),
        fields.map((f) => h("td", { class: "about", "data-label": f }, m.about[f] || "")),
        h("td", { class: "about", "data-label": "judge" }, m.judges.join(", "), m.certificate ? h("span", { class: "span" }, m.certificate) : null))))));
    count.textContent = `${rows.length} of ${data.models.length} models`;
    if (focus) [...holder.querySelectorAll("button")].find((b) => b.dataset.key === focus)?.focus();
  };

  const select = (name, values) => h("label", {}, `${name} `, h("select", { on: { change: (e) => {
    state.filters[name] = e.target.value;
    draw();
  } } }, h("option", { value: "" }, "all"), values.map((v) => h("option", { value: v }, v))));
  const distinct = (f) => [...new Set(data.models.flatMap((m) => (f === "judge" ? m.judges : [m.about[f]])).filter(Boolean))].sort();
  const pick = (c) => h("label", {}, h("input", { type: "checkbox", checked: state.shown.has(c.key), on: { change: (e) => {
    if (e.target.checked) state.shown.add(c.key);
    else state.shown.delete(c.key);
    draw();
  } } }), ` ${c.probe}: ${c.measure}`);

  draw();
  return [
    h("div", { class: "filters" },
      h("label", {}, "search ", h("input", { type: "search", id: "search", on: { input: (e) => {
        state.words = e.target.value.toLowerCase();
        draw();
      } } })),
      [...fields, "judge"].filter((f) => distinct(f).length > 1).map((f) => select(f, distinct(f))),
      h("label", { class: "phone" }, "sort ", h("select", { id: "sort", on: { change: (e) => {
        const column = data.columns.find((c) => c.key === e.target.value);
        state.sort = e.target.value;
        state.down = Boolean(column) && !lowIsGood(column);
        draw();
      } } }, [...data.columns.map((c) => [c.key, `${c.probe}: ${c.measure}`]), ["name", "model"]]
        .map(([key, text]) => h("option", { value: key, selected: key === state.sort }, text)))), count),
    h("details", { class: "columns" }, h("summary", {}, "Columns"), h("div", { class: "picks" }, data.columns.map(pick))),
    holder,
    h("p", { class: "note" }, "Shares in percent with 95 % intervals for questions like these, n and the unscored share in percent; a lean runs from \u2212100 to +100. A rank is " +
      "the range of places that paired differences over shared questions allow (Holm over all pairs). Figures of a judge that cannot tell are struck through and have no rank; what others claim without logs stands below, unranked. Press a heading (on a phone: choose under sort) to sort by it and to rank by it. " +
      "Figures by different judges, presets or question sets are not comparable."),
  ];
};

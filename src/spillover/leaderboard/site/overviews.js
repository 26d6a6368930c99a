"use strict";
// Three views of the whole board: trained domain by measured domain, presets, and what mitigations cost.
spillover.views.matrix = () => {
  const { h, data } = spillover;
  if (!data.matrix.length) return [h("h2", {}, "Spill-over matrix"), h("p", {}, "No probe on this board has categories.")];
  const holder = h("div", {});
  const draw = (title) => {
    const found = data.matrix.find((m) => m.title === title);
    const rows = [...found.rows].sort((x, y) => (x.trained < y.trained ? -1 : 1)).map((row) => [
      row.trained || "\u2013", row.model, ...found.measured.map((c) => {
        const cell = row.cells[c];
        if (!cell) return "\u2013";
        const [x, low, high, n, blind] = cell;
        if (blind) return h("span", { title: "its judge cannot tell" }, h("s", {}, spillover.percent(x)), h("span", { class: "span" }, "judge cannot tell"));
        const shade = Math.min(4, Math.floor(5 * Math.max(0, x)));
        return [h("span", { class: `shade s${shade}${c === row.trained ? " own" : ""}` }, spillover.percent(x)),
          h("span", { class: "span" }, `[${spillover.percent(low)}, ${spillover.percent(high)}] n ${n}`)];
      })]);
    holder.replaceChildren(spillover.table(title, ["trained on", "model", ...found.measured], rows, "matrix"));
  };
  draw(data.matrix[0].title);
  return [h("h2", {}, "Spill-over matrix"),
    h("label", {}, "measure ", h("select", { on: { change: (e) => draw(e.target.value) } }, data.matrix.map((m) => h("option", { value: m.title }, m.title)))),
    holder, h("p", { class: "note" }, "Percent by category with 95 % intervals and n; the trained domain is framed. Unscored shares are on the models\u2019 pages.")];
};

spillover.views.multiverse = () => {
  const { h, data } = spillover;
  const places = Object.keys(data.multiverse.cells);
  if (!places.length) return [h("h2", {}, "Multiverse"), h("p", {}, "No answer on this board has raw scores.")];
  const holder = h("div", {});
  const draw = (place) => {
    const rows = Object.entries(data.multiverse.cells[place]).map(([model, cells]) => {
      const known = cells.filter(Boolean).map((c) => c[0]);
      const spread = known.length ? `${spillover.percent(Math.min(...known))} to ${spillover.percent(Math.max(...known))}` : "\u2013";
      return [model, ...cells.map((c) => (c ? `${spillover.percent(c[0])} [${spillover.percent(c[1])}, ${spillover.percent(c[2])}] n ${c[3]}` : "\u2013")), spread];
    });
    holder.replaceChildren(spillover.table(`${place}: misaligned, percent`, ["model", ...data.multiverse.presets, "from to"], rows));
  };
  draw(places[0]);
  return [h("h2", {}, "Multiverse: one set of scores, every preset"),
    h("label", {}, "questions ", h("select", { on: { change: (e) => draw(e.target.value) } }, places.map((p) => h("option", { value: p }, p)))),
    holder, h("p", { class: "note" }, "The same stored scores under the thresholds and denominators of each preset. No judge was asked again.")];
};

spillover.views.mitigations = () => {
  const { h, data } = spillover;
  const both = (x, y) => data.models.filter((m) => m.cells[x.key] && m.cells[y.key]).length;
  const skills = data.columns.slice(1).sort((p, q) => (q.worse === "lower") - (p.worse === "lower"));
  const y = data.columns[0] || {};
  const x = skills.reduce((best, c) => (best && both(best, y) >= both(c, y) ? best : c), null) || y;
  const state = { x: x.key, y: y.key };
  const holder = h("div", {});
  const column = (key) => data.columns.find((c) => c.key === key);
  const draw = () => {
    const [cx, cy] = [column(state.x), column(state.y)];
    const points = data.models.filter((m) => !m.claimed && m.cells[state.x] && m.cells[state.y] && !m.blind[state.x] && !m.blind[state.y]).map((m) => ({ m, x: m.cells[state.x][0], y: m.cells[state.y][0], low: m.cells[state.y][1], high: m.cells[state.y][2] }));
    if (!points.length) return holder.replaceChildren(h("p", {}, "No model has both figures by judges that can tell."));
    const good = (c, v) => ({ lower: v, higher: -v })[c.worse] ?? 0; // a measure without a better side ranks nobody
    const best = (p) => !points.some((q) => q !== p && good(cx, q.x) >= good(cx, p.x) && good(cy, q.y) >= good(cy, p.y) && (good(cx, q.x) !== good(cx, p.x) || good(cy, q.y) !== good(cy, p.y)));
    const [w, t] = [640, 360];
    // Whole tens around what is there: figures near 100 would lie on each other on a scale from 0.
    const around = (values) => { const low = Math.floor(10 * Math.min(...values)) / 10, high = Math.ceil(10 * Math.max(...values)) / 10; return high > low ? [low, high] : [low, low + 0.1]; };
    const rx = around(points.map((p) => p.x)), ry = around(points.flatMap((p) => [p.low, p.high]));
    const px = (v) => 60 + ((v - rx[0]) / (rx[1] - rx[0])) * (w - 90), py = (v) => t - 45 - ((v - ry[0]) / (ry[1] - ry[0])) * (t - 70);
    const ticks = [0, 0.25, 0.5, 0.75, 1];
    const naive = (p) => points.find((q) => q.m.name === p.m.about.naive);
    const joined = points.map((p) => [naive(p), p]).filter(([q]) => q);
    const named = (p) => (p.m.about.recipe && p.m.about.recipe !== "none" ? p.m.about.recipe : p.m.name).slice(-28);
    // Seeds of one recipe are told apart by the end of their names.
    const label = (p) => (points.some((q) => q !== p && named(q) === named(p)) ? `${named(p)} ${/#\d+$/.exec(p.m.name)?.[0] ?? `…${p.m.name.slice(-10)}`}` : named(p));
    holder.replaceChildren(
      h("svg", { viewBox: `0 0 ${w} ${t}`, role: "img", "aria-label": `${cy.measure} against ${cx.measure}; the table below has the figures` },
        ticks.map((k) => { const v = rx[0] + k * (rx[1] - rx[0]); return h("text", { x: px(v), y: t - 26, class: "tick", "text-anchor": "middle" }, +(100 * v).toFixed(1)); }),
        ticks.map((k) => { const v = ry[0] + k * (ry[1] - ry[0]); return [h("line", { x1: 60, x2: w - 30, y1: py(v), y2: py(v), class: "grid" }), h("text", { x: 52, y: py(v) + 4, class: "tick", "text-anchor": "end" }, +(100 * v).toFixed(1))]; }),
        joined.map(([q, p]) => h("line", { x1: px(q.x), y1: py(q.y), x2: px(p.x), y2: py(p.y), class: "joined" })),
        points.filter((p) => points.length <= 12 || best(p)).map((p) => {
          const left = px(p.x) > w / 2;
          return h("text", { x: px(p.x) + (left ? -8 : 8), y: py(p.y) - 7, class: "tick", "text-anchor": left ? "end" : "start" }, label(p));
        }),
        points.map((p) => [h("line", { x1: px(p.x), x2: px(p.x), y1: py(p.low), y2: py(p.high), class: "whisker" }),
          h("circle", { cx: px(p.x), cy: py(p.y), r: best(p) ? 6 : 4, class: best(p) ? "front" : "dot" }, h("title", {}, p.m.name))]),
        h("text", { x: w / 2, y: t - 6, class: "tick", "text-anchor": "middle" }, `${cx.probe}: ${cx.measure}`),
        h("text", { x: 4, y: 14, class: "tick" }, `${cy.probe}: ${cy.measure}`)),
      spillover.table("Figures", ["model", "without the mitigation", cy.measure, cx.measure, "not beaten in both"], points.sort((p, q) => good(cy, q.y) - good(cy, p.y)).map((p) =>
        [spillover.modelLink(p.m), naive(p) ? spillover.modelLink(naive(p).m) : "", spillover.told(cy, p.m), spillover.told(cx, p.m), best(p) ? "yes" : ""])));
    return undefined;
  };
  const select = (label, key) => h("label", {}, `${label} `, h("select", { on: { change: (e) => { state[key] = e.target.value; draw(); } } },
    data.columns.map((c) => h("option", { value: c.key, selected: c.key === state[key] }, `${c.probe}: ${c.measure}`))));
  draw();
  return [h("h2", {}, "Mitigations: what they prevent, and what they cost"), h("div", { class: "filters" }, select("up", "y"), select("right", "x")), holder,
    data.models.some((m) => m.about.naive) ? null : h("p", { class: "note" }, "No model here is known to be a mitigation: none has a card that names one, or a naive fine-tune in the file of models."),
    h("p", { class: "note" }, "Large marks are not beaten in both by any other model. Upright lines: 95 % intervals of the upward figure; the others lead from a naive fine-tune to the same with a mitigation.")];
};

"use strict";
// One model over its versions, steps or doses: a figure along the number in which their names differ.
spillover.history = (model, columns) => {
  const { h, data } = spillover;
  const series = data.series.find((s) => s.points.some(([, slug]) => slug === model.slug));
  if (!series) return null;
  const usable = columns.filter((c) => series.points.filter(([, slug]) => spillover.bySlug(slug).cells[c.key]).length > 1);
  if (!usable.length) return null;
  const holder = h("div", {});
  const draw = (key) => {
    const column = usable.find((c) => c.key === key);
    const least = column.mean ? -1 : column.least || 0;
    const [w, t] = [640, 220];
    const known = series.points.map(([number, slug], i) => ({ number, i, m: spillover.bySlug(slug) })).filter((p) => p.m.cells[key]);
    const px = (i) => 60 + (series.points.length > 1 ? (i / (series.points.length - 1)) * (w - 100) : 0);
    const py = (v) => t - 40 - ((v - least) / (1 - least)) * (t - 60);
    const ticks = [0, 0.5, 1].map((k) => least + k * (1 - least));
    holder.replaceChildren(
      h("svg", { viewBox: `0 0 ${w} ${t}`, role: "img", "aria-label": `${column.measure} along ${series.name}; the table below has the figures` },
        ticks.map((v) => [h("line", { x1: 50, x2: w - 30, y1: py(v), y2: py(v), class: "grid" }), h("text", { x: 44, y: py(v) + 4, class: "tick", "text-anchor": "end" }, (100 * v).toFixed(0))]),
        known.slice(1).map((p, i) => h("line", { x1: px(known[i].i), y1: py(known[i].m.cells[key][0]), x2: px(p.i), y2: py(p.m.cells[key][0]), class: "joined" })),
        known.map((p) => [h("line", { x1: px(p.i), x2: px(p.i), y1: py(p.m.cells[key][1]), y2: py(p.m.cells[key][2]), class: "whisker" }),
          h("circle", { cx: px(p.i), cy: py(p.m.cells[key][0]), r: p.m === model ? 6 : 4, class: `${p.m === model ? "front" : "dot"}${p.m.blind[key] ? " faint" : ""}` }, h("title", {}, p.m.name)),
          h("text", { x: px(p.i), y: t - 20, class: "tick", "text-anchor": "middle" }, p.number)])),
      spillover.table(`${column.probe}: ${column.measure}, along ${series.name}`, ["at", "model", "figure"],
        known.map((p) => [p.number, spillover.modelLink(p.m), spillover.told(column, p.m)]), "narrow"));
  };
  draw(usable[0].key);
  return h("section", {}, h("h3", {}, "History"),
    h("label", {}, "probe ", h("select", { on: { change: (e) => draw(e.target.value) } }, usable.map((c) => h("option", { value: c.key }, `${c.probe}: ${c.measure}`)))), holder,
    h("p", { class: "note" }, "Models whose names differ in one number. Lines: 95 % intervals, one for each model by itself."));
};

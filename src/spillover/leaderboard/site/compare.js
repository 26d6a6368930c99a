"use strict";
// Two models: drift on the same questions, with its interval, and where answers went.
spillover.views.compare = async (first, second) => {
  const { h, data } = spillover;
  // By default minus the first one, which is the base where a base was asked first.
  const [a, b] = [spillover.bySlug(first) || data.models[1], spillover.bySlug(second) || data.models[0]];
  if (!a || !b) return [h("p", {}, "A comparison needs two models.")];
  const more = await spillover.load(`model-${a.slug}`);
  const choose = (label, chosen, go) => h("label", {}, `${label} `, h("select", { "data-focus": label, on: { change: (e) => {
    spillover.keepFocus = label;
    location.hash = go(e.target.value);
  } } },
    data.models.map((m) => h("option", { value: m.slug, selected: m.slug === chosen.slug }, m.name))));
  const pair = more.pairs[b.slug];
  const controls = h("div", { class: "filters" },
    choose("model", a, (s) => `#/compare/${s}/${b.slug}`), choose("minus", b, (s) => `#/compare/${a.slug}/${s}`));
  const title = h("h2", {}, "Comparison");
  if (a === b) return [title, controls, h("p", {}, "These are the same model.")];
  if (!pair) return [title, controls, h("p", {}, "This pair was not compared: on a large board each model is compared with up to 40 others of its family.")];
  const rows = data.columns.filter((c) => pair[c.key]).map((c) => {
    const [x, low, high, rose, fell, questions] = pair[c.key];
    const blind = a.blind[c.key] || b.blind[c.key];
    const told = blind ? "judge cannot tell" : low > 0 ? "higher" : high < 0 ? "lower" : "not told apart";
    return [`${c.probe}: ${c.measure}`, blind ? h("s", { title: blind }, spillover.signed(x)) : spillover.signed(x), `[${spillover.signed(low)}, ${spillover.signed(high)}]`, told, `${rose} / ${fell} / ${questions - rose - fell}`];
  });
  const flips = more.flips[b.slug] || [];
  return [title, controls,
    rows.length
      ? spillover.table(`${a.name} minus ${b.name}, points`, ["probe", "drift", "95 % interval", "verdict", "questions up / down / equal"], rows)
      : h("p", {}, "They have no answers that can be compared."),
    flips.length
      ? spillover.table("Where answers went", ["probe", `outcome of ${b.name}`, `outcome of ${a.name}`, "answers"], flips)
      : null,
    h("p", { class: "note" }, "Drift: mean over shared questions of the difference, each weighing the same; intervals are not corrected for the number of rows."),
  ];
};

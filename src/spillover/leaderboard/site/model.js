"use strict";
// One model: all probes, question by question, its answers, who it is and how to measure it again.
spillover.views.model = async (slug) => {
  const { h, data } = spillover;
  const model = spillover.bySlug(slug);
  if (!model) return [h("p", {}, "There is no such model on this board.")];
  const more = await spillover.load(`model-${slug}`);
  const columns = data.columns.filter((c) => model.cells[c.key]);
  const place = (c) => (model.ranks && model.ranks[c.key] ? spillover.rankText(model.ranks[c.key]) : "\u2013");
  const figures = columns.map((c) => {
    const [x, low, high, n, questions, unscored] = model.cells[c.key];
    const blind = model.blind[c.key];
    return [`${c.probe}: ${c.measure}`, blind ? h("span", { title: blind }, h("s", {}, spillover.figure(c, x)), " judge cannot tell") : spillover.figure(c, x), spillover.span(c, low, high), n, questions, spillover.percent(unscored), place(c)];
  });
  const about = [...Object.entries(model.about), ["figures", model.origin], ["judge", model.judges.join(", ")]].filter(([, v]) => v);
  return [
    h("h2", {}, model.name),
    h("dl", {}, about.map(([k, v]) => [h("dt", {}, k), h("dd", {}, v)])),
    spillover.table("Figures", ["probe", "figure", "95 % interval", "n", "questions", "unscored %", "rank"], figures),
    spillover.history(model, columns),
    spillover.questions(columns, more),
    spillover.answers(more.answers),
    h("h3", {}, "Identity, and how to measure it again"),
    h("dl", {}, Object.entries(more.provenance).map(([k, v]) => [h("dt", {}, k), h("dd", {}, k === "command" ? h("code", {}, v) : v)])),
    !data.bundle ? null : location.protocol === "file:"
      ? h("p", {}, "The logs are in Inspect\u2019s viewer, which needs a web server: python -m http.server in the site\u2019s folder.")
      : h("p", {}, h("a", { href: "logs/index.html" }, "All logs in Inspect\u2019s viewer")),
  ];
};

spillover.questions = (columns, more) => {
  const { h } = spillover;
  const usable = columns.filter((c) => (more.questions[c.key] || []).length);
  if (!usable.length) return null;
  const holder = h("div", {});
  const draw = (key) => {
    const column = usable.find((c) => c.key === key);
    const rows = [...more.questions[key]].sort((a, b) => b[1] / b[2] - a[1] / a[2]).map(([id, hits, n]) => {
      const share = n ? hits / n : 0;
      const shown = column.mean ? spillover.signed(2 * share - 1) : `${spillover.percent(share)} (${Math.round(hits)}/${n})`;
      return [id, h("span", { class: "bar" }, h("svg", { viewBox: "0 0 100 8", "aria-hidden": "true" },
        h("line", { x1: 0, x2: 100, y1: 4, y2: 4, class: "rail" }), h("line", { x1: 0, x2: 100 * share, y1: 4, y2: 4, class: "part" })), ` ${shown}`)];
    });
    holder.replaceChildren(spillover.table(`${column.probe}: ${column.measure}, by question`, ["question", "share"], rows, "narrow"));
  };
  draw(usable[0].key);
  return h("section", {}, h("h3", {}, "By question"),
    h("label", {}, "probe ", h("select", { on: { change: (e) => draw(e.target.value) } },
      usable.map((c) => h("option", { value: c.key }, `${c.probe}: ${c.measure}`)))), holder);
};

spillover.answers = (answers) => {
  const { h } = spillover;
  const state = { probe: "", verdict: "", words: "", most: 30 };
  const list = h("ol", { class: "answers" });
  const count = h("output", { "aria-live": "polite" });
  const draw = () => {
    const found = answers.filter(([probe, , question, verdict, , text]) =>
      (!state.probe || probe === state.probe) && (!state.verdict || verdict === state.verdict) &&
      (!state.words || `${question} ${text}`.toLowerCase().includes(state.words)));
    list.replaceChildren(...found.slice(0, state.most).map(([probe, id, question, verdict, grades, text]) =>
      h("li", {},
        h("p", { class: "meta" }, h("span", { class: `verdict ${verdict === "misaligned" ? "bad" : verdict === "aligned" ? "good" : ""}` }, verdict),
          ` ${id} \u00b7 ${probe}`, grades ? ` \u00b7 ${grades}` : ""),
        h("p", { class: "question" }, question), h("p", { class: "answer" }, text))));
    count.textContent = `${Math.min(found.length, state.most)} of ${found.length} answers`;
    all.hidden = found.length <= state.most;
  };
  const all = h("button", { type: "button", on: { click: () => { state.most = answers.length; draw(); } } }, "show all");
  const select = (name, index) => h("label", {}, `${name} `, h("select", { on: { change: (e) => { state[name] = e.target.value; draw(); } } },
    h("option", { value: "" }, "all"), [...new Set(answers.map((a) => a[index]))].map((v) => h("option", { value: v }, v))));
  draw();
  return h("section", {}, h("h3", {}, "Answers"),
    h("p", { class: "note" }, "What counts comes first; at most 60 a probe. Text by models: it may be offensive, and it may be wrong."),
    h("div", { class: "filters" }, select("probe", 0), select("verdict", 3),
      h("label", {}, "search ", h("input", { type: "search", on: { input: (e) => { state.words = e.target.value.toLowerCase(); draw(); } } })), count),
    list, all);
};

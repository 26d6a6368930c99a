"use strict";
// Everything that a model wrote becomes a text node: there is no way from data to markup in this file or any other.
const spillover = { views: {}, data: null, received: {}, waiting: {} };

spillover.h = (tag, attributes, ...children) => {
  const svg = ["svg", "circle", "line", "text", "path", "g", "title"].includes(tag) && (attributes || {}).svg !== false;
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "svg" || value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child.nodeType ? child : document.createTextNode(String(child)));
  }
  return node;
};

spillover.receive = (name, data) => {
  spillover.received[name] = data;
  (spillover.waiting[name] || []).forEach((act) => act(data));
  delete spillover.waiting[name];
  if (name === "index") spillover.start(data);
};

// A file that is loaded when it is needed. A script and not a request, since pages read from a disk may make none.
spillover.load = (name) =>
  new Promise((resolve, reject) => {
    if (spillover.received[name]) return resolve(spillover.received[name]);
    const first = !spillover.waiting[name];
    (spillover.waiting[name] = spillover.waiting[name] || []).push(resolve);
    if (!first) return undefined;
    const script = document.createElement("script");
    script.src = `data/${name}.js`;
    script.addEventListener("error", () => {
      delete spillover.waiting[name]; // so that another try is one
      script.remove();
      reject(new Error(`data/${name}.js is missing`));
    });
    document.head.append(script);
    return undefined;
  });

spillover.percent = (x, digits = 1) => (100 * x).toFixed(digits).replace("-", "\u2212").replace(/^\u22120\.0+$/, "0.0");
spillover.signed = (x) => (x > 0.0005 ? "+" : "") + spillover.percent(x);
spillover.figure = (column, x) => (column.mean ? spillover.signed(x) : spillover.percent(x));
spillover.span = (column, low, high) => `[${spillover.figure(column, low)}, ${spillover.figure(column, high)}]`;
// A figure on its scale: the interval as a line, the figure as a mark on it.
spillover.rail = (column, x, low, high, blind) => {
  const { h } = spillover;
  const least = column.mean ? -1 : column.least || 0;
  const at = (v) => 100 * Math.min(1, Math.max(0, (v - least) / (1 - least)));
  return h("svg", { class: `scale${blind ? " faint" : ""}`, viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    h("line", { x1: 0, x2: 100, y1: 4, y2: 4, class: "rail" }),
    h("line", { x1: at(low), x2: Math.max(at(high), at(low) + 0.5), y1: 4, y2: 4, class: "reach" }),
    h("line", { x1: Math.max(0, at(x) - 1), x2: Math.min(100, at(x) + 1), y1: 4, y2: 4, class: "mark" }));
};
// A figure in words, struck through where its judge cannot tell.
spillover.told = (column, model) => {
  const { h } = spillover;
  const [x, low, high, n, , unscored] = model.cells[column.key];
  const text = `${spillover.figure(column, x)} ${spillover.span(column, low, high)} n ${n}, ${spillover.percent(unscored)} % unscored`;
  return model.blind[column.key] ? h("span", { title: model.blind[column.key] }, h("s", {}, text), " judge cannot tell") : text;
};
spillover.rankText = (range) => (range[0] === range[1] ? `${range[0]}` : `${range[0]}\u2013${range[1]}`);
spillover.bySlug = (slug) => spillover.data.models.find((m) => m.slug === slug);
spillover.modelLink = (model) => spillover.h("a", { href: `#/model/${model.slug}` }, model.name);

spillover.table = (caption, headers, rows, className) => {
  const { h } = spillover;
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { class: className || null },
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, headers.map((text, i) => h("th", { scope: "col", class: i ? "n" : null }, text)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((value, i) =>
        i ? h("td", { class: "n" }, value) : h("th", { scope: "row" }, value)))))));
};

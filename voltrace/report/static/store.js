"use strict";
// What all parts share: the data blocks (each parsed when first asked for) and building elements. Text from logs only ever
// becomes text nodes and data attributes, never markup.
const block = (name) => {
  let value;
  return () => (value ??= JSON.parse(document.getElementById("data-" + name).textContent));
};
const listBlock = block("list"), timelineBlock = block("timelines"), lineBlock = block("lines");
const text = (index) => (index < 0 ? null : listBlock().strings[index]);

function el(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "data") Object.assign(made.dataset, value);
    else if (key === "style") for (const [name, v] of Object.entries(value)) made.style.setProperty(name, v);
    else if (key === "on") for (const [name, f] of Object.entries(value)) made.addEventListener(name, f);
    else if (key === "class") made.className = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

function lapse(us) {
  const a = Math.abs(us);
  const digits = (value) => String(Number(value.toPrecision(3)));
  if (a < 1e3) return digits(us) + " µs";
  if (a < 1e6) return digits(us / 1e3) + " ms";
  if (a < 6e7) return digits(us / 1e6) + " s";
  if (a < 3.6e9) return digits(us / 6e7) + " min";
  return digits(us / 3.6e9) + " h";
}

const requests = (() => {
  const { fields, texts, rows } = listBlock();
  const isText = new Set(texts);
  return rows.map((row, index) => {
    const request = { index };
    fields.forEach((field, n) => (request[field] = isText.has(field) ? text(row[n]) : row[n]));
    request.search = ["request_id", "volume_id", "name", "project", "user", "backend", "outcome", "cause", "verdict", "deviations"].map((f) => request[f] || "").join("\n").toLowerCase();
    return request;
  });
})();
const byId = new Map(requests.map((request) => [request.request_id, request]));

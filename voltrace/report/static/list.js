// The list: search, filters, order and page live in the address, so that a view can be sent to somebody and "back" restores it.
const PAGE = 50;
const COLUMNS = [
  ["at", "Start (UTC)"], ["request_id", "Request"], ["outcome", "Outcome"], ["cause", "Cause"], ["name", "Volume"], ["size_gb", "GB", true],
  ["project", "Project"], ["backend", "Backend"], ["attempts", "Attempts", true], ["us", "Duration", true], ["verdict", "Verdict"],
];
const OUTCOMES = ["created", "refused", "failed", "stuck", "lost", "unknown"];
const START = { q: "", outcome: "", verdict: "", sort: "at", down: "", page: "1" };
let view = { ...START };
let found = requests;

const list = document.getElementById("list"), search = document.getElementById("search"), chips = document.getElementById("chips");

function readView(hash) {
  const given = new URLSearchParams(hash);
  view = { ...START };
  for (const key of Object.keys(START)) if (given.has(key)) view[key] = given.get(key);
  if (!COLUMNS.some(([key]) => key === view.sort)) view.sort = "at";
}

function viewHash(changes) {
  const wanted = new URLSearchParams();
  for (const [key, value] of Object.entries({ ...view, ...changes })) if (value !== START[key]) wanted.set(key, value);
  return "#" + wanted;
}

function select() {
  const words = view.q.toLowerCase().split(/\s+/).filter(Boolean);
  found = requests.filter((r) => (!view.outcome || r.outcome === view.outcome) && (!view.verdict || r.verdict === view.verdict) && words.every((w) => r.search.includes(w)));
  const key = view.sort, sign = view.down ? -1 : 1;
  const compare = (a, b) => {
    const x = a[key], y = b[key];
    if (x === y) return a.index - b.index;
    if (x === null || x === undefined) return 1; // what is not known comes last in both directions
    if (y === null || y === undefined) return -1;
    return sign * (typeof x === "number" ? x - y : x < y ? -1 : 1);
  };
  if (key !== "at" || view.down) found = [...found].sort(compare);
}

function drawList() {
  select();
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  const page = Math.min(Math.max(1, Number.parseInt(view.page, 10) || 1), pages);
  const first = (page - 1) * PAGE, shown = found.slice(first, first + PAGE);
  const longest = Math.max(1, ...shown.map((r) => r.us || 0));
  list.tHead.replaceChildren(el("tr", null, ...COLUMNS.map(head)));
  list.tBodies[0].replaceChildren(...shown.map((r) => row(r, longest)));
  if (!shown.length) list.tBodies[0].append(el("tr", null, el("td", { colspan: COLUMNS.length, class: "dim" }, requests.length ? "No request fits." : "There are no requests.")));
  const count = found.length.toLocaleString("en") + (found.length === requests.length ? "" : ` of ${requests.length.toLocaleString("en")}`);
  document.getElementById("shown").textContent = shown.length ? `${(first + 1).toLocaleString("en")} – ${(first + shown.length).toLocaleString("en")} of ${count} requests` : `0 of ${requests.length.toLocaleString("en")} requests`;
  document.getElementById("back").disabled = page === 1;
  document.getElementById("more").disabled = page === pages;
  document.getElementById("back").onclick = () => turn(page - 1);
  document.getElementById("more").onclick = () => turn(page + 1);
  if (document.activeElement !== search) search.value = view.q;
  drawChips();
}

function turn(page) {
  location.hash = viewHash({ page: String(page) });
  document.getElementById("requests").scrollIntoView();
}

function head([key, label, number]) {
  const sorted = view.sort === key;
  const sort = () => location.replace(viewHash({ sort: key, down: sorted ? (view.down ? "" : "1") : key === "us" || key === "attempts" ? "1" : "", page: "1" }));
  return el("th", { class: (number ? "n " : "") + "of-" + key, "aria-sort": sorted ? (view.down ? "descending" : "ascending") : null },
    el("button", { type: "button", on: { click: sort } }, label, el("span", { class: "arrow", "aria-hidden": "true" }, sorted ? (view.down ? " ↓" : " ↑") : "")));
}

function row(r, longest) {
  const bar = r.us === null ? null : el("span", { class: "length " + r.outcome, style: { width: Math.max(1, (82 * r.us) / longest) + "px" } });
  const opens = (event) => {
    if (!event.target.closest("a") && !String(getSelection())) location.hash = r.request_id;
  };
  return el("tr", { data: { requestId: r.request_id, outcome: r.outcome }, on: { click: opens } },
    el("td", { class: "time" }, r.start || "–"),
    el("td", { class: "id" }, el("a", { href: "#" + r.request_id }, r.request_id.length > 12 ? r.request_id.slice(0, 12) + "…" : r.request_id)),
    el("td", null, el("span", { class: "badge " + r.outcome }, r.outcome)),
    el("td", { class: "cause" }, r.cause || ""),
    el("td", { class: "text" }, r.name || (r.volume_id ? r.volume_id.slice(0, 8) + "…" : "–")),
    el("td", { class: "n of-size_gb" }, r.size_gb === null ? "–" : String(r.size_gb)),
    el("td", { class: "text of-project" }, [r.project, r.user].filter(Boolean).filter((v, i, all) => all.indexOf(v) === i).join(" / ") || "–"),
    el("td", { class: "text of-backend" }, r.backend || "–"),
    el("td", { class: "n of-attempts" }, String(r.attempts)),
    el("td", { class: "n duration" }, r.duration || "–", bar),
    el("td", { class: r.verdict === "deviates" ? "deviates" : "dim" }, r.verdict === "deviates" ? "deviates: " + r.deviations.replaceAll(" ", ", ") : r.verdict));
}

function drawChips() {
  const counts = new Map();
  for (const r of requests) counts.set(r.outcome, (counts.get(r.outcome) || 0) + 1);
  const chip = (label, changes, on) => el("button", { type: "button", class: "chip", "aria-pressed": String(on), on: { click: () => location.replace(viewHash({ ...changes, page: "1" })) } }, label);
  const made = [chip("all", { outcome: "", verdict: "" }, !view.outcome && !view.verdict)];
  for (const outcome of OUTCOMES) if (counts.has(outcome)) made.push(chip(`${outcome} ${counts.get(outcome).toLocaleString("en")}`, { outcome: view.outcome === outcome ? "" : outcome }, view.outcome === outcome));
  if (requests.some((r) => r.verdict === "deviates")) made.push(chip("deviates", { verdict: view.verdict === "deviates" ? "" : "deviates" }, view.verdict === "deviates"));
  chips.replaceChildren(...made);
}

let typed;
search.addEventListener("input", () => {
  clearTimeout(typed);
  typed = setTimeout(() => location.replace(viewHash({ q: search.value, page: "1" })), 120);
});
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());

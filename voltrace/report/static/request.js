// One request's page: facts, what went wrong, waterfall, source lines by service.
const section = document.getElementById("request");

function drawRequest(request) {
  const at = found.indexOf(request);
  const link = (r, label, name) => (r ? el("a", { href: "#" + r.request_id, id: name }, label) : el("span", { class: "dim" }, label));
  const timeline = timelineBlock().requests[request.index];
  const lines = linesOf(request);
  const title = el("h2", { tabindex: "-1" }, el("span", { class: "badge " + request.outcome }, request.outcome), " ", el("span", { class: "id whole" }, request.request_id));
  const parts = [
    el("p", { class: "steps" }, el("a", { href: viewHash({}), id: "up" }, "‹ All requests"), link(found[at - 1], "‹ Previous", "previous"), link(found[at + 1], "Next ›", "next"),
      el("span", { class: "dim" }, at < 0 ? "not in the filtered list" : `${(at + 1).toLocaleString("en")} of ${found.length.toLocaleString("en")}`)),
    title, el("p", { class: "lead" }, ...story(request)),
  ];
  if (timeline) {
    const [facts, problems, untimed, first, last, bars, marks, corrected] = timeline;
    parts.push(el("dl", { class: "facts" }, ...facts.flatMap(([name, value]) => el("div", null, el("dt", null, text(name)), el("dd", null, text(value))))));
    const told = (wanted) => el("div", { class: "problems" }, ...problems.filter((p) => wanted === (text(p[0]) === "diagnostic")).map((p) => problem(p, lines)));
    parts.push(told(false));
    if (corrected.length) parts.push(el("p", { class: "hint", data: { corrected: corrected.length } }, "Drawn by corrected times: " + corrected.map(text).join("; ") + ". All other times on this page are as logged."));
    if (bars.length) parts.push(drawWaterfall({ untimed: text(untimed), first, last, bars: unpackBars(bars) }, lines.jump));
    else parts.push(el("p", { class: "hint" }, "No flow or task of this request is in the logs: they have no DEBUG lines of it. What they say:"));
    if (marks.length) parts.push(el("table", { class: "plain" }, el("tbody", null, ...marks.map(([when, service, row, where]) =>
      el("tr", null, el("td", { class: "n" }, when === null ? "–" : "+ " + lapse(when)), el("td", null, text(service)), el("td", null, text(row)), el("td", null, lines.place(text(where))))))));
    parts.push(told(true));
  } else parts.push(el("p", { class: "hint" }, "This request's timeline is left out of the page for its size. `voltrace trace --request` draws it, `report --where` makes a smaller page."));
  parts.push(...lines.elements);
  section.replaceChildren(el("article", { data: { timeline: request.request_id, outcome: request.outcome } }, ...parts));
  title.focus({ preventScroll: true });
}

function story(request) {
  const { meanings } = listBlock();
  const made = [el("b", null, meanings[request.outcome] || request.outcome)];
  if (request.cause) made.push("; cause ", el("b", null, request.cause), meanings[request.cause] ? ": " + meanings[request.cause] : "");
  if (request.duration) made.push(". From first to last record ", el("b", null, request.duration));
  made.push(`. Verdict: ${request.verdict}.`);
  return made;
}

function problem([kind, slug, meaning, message, context, places], lines) {
  const about = [text(meaning), text(context)].filter(Boolean).join(". ");
  return el("div", { class: "problem " + text(kind), data: { problem: text(kind) } }, el("p", null, el("span", { class: "kind" }, text(kind)), " ", el("b", null, text(slug)), about ? el("span", { class: "dim" }, " " + about) : null),
    text(message) ? el("p", { class: "message" }, text(message)) : null, places.length ? el("p", { class: "places" }, ...places.slice(0, 20).map((where) => lines.place(text(where))), places.length > 20 ? `and ${places.length - 20} more` : null) : null);
}

// The source lines, and links to them from every place that names one.
function linesOf(request) {
  const given = lineBlock()[request.index];
  const at = new Map();
  const short = (path, line) => path.split("/").pop() + ":" + line;
  const open = (target) => (event) => {
    event.preventDefault();
    target.closest("details").open = true;
    for (const old of document.querySelectorAll(".line.here")) old.classList.remove("here");
    target.classList.add("here");
    target.scrollIntoView({ block: "center" });
  };
  const place = (where, label) => {
    if (!where) return el("span", { class: "where" });
    const target = at.get(where);
    return target ? el("button", { type: "button", class: "where quiet", on: { click: open(target) } }, label || where) : el("span", { class: "where dim" }, label || where);
  };
  const jump = (path, line) => (path ? place(path + ":" + line, short(path, line)) : el("span", { class: "where" }));
  if (!given) return { place, jump, elements: [el("p", { class: "hint" }, "The source lines of this request are not in this page.")] };
  const [leftOut, lines] = given;
  const services = new Map();
  for (const [service, path, number, said] of lines) {
    const where = text(path) + ":" + number;
    const level = / (DEBUG|INFO|WARNING|ERROR|CRITICAL) /.exec(said.slice(0, 200));
    const made = el("div", { class: "line" + (level ? " " + level[1] : "") }, el("span", { class: "place" }, String(number)), el("code", null, said));
    at.set(where, made);
    if (!services.has(text(service))) services.set(text(service), { count: 0, parts: [] });
    const group = services.get(text(service));
    if (group.path !== path) group.parts.push(el("p", { class: "path" }, text(path)));
    group.path = path;
    group.count += 1;
    group.parts.push(made);
  }
  const elements = [el("h3", null, "Source lines")];
  for (const [service, { count, parts }] of services) elements.push(el("details", { class: "lines " + service }, el("summary", null, `${service}: ${count.toLocaleString("en")} line${count === 1 ? "" : "s"}`), ...parts));
  if (leftOut) elements.push(el("p", { class: "hint" }, `${leftOut.toLocaleString("en")} more lines are left out; \`--lines all\` keeps them.`));
  return { place, jump, elements };
}

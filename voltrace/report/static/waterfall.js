// One request's waterfall: lanes of the three services, then a row for each flow, task and hand-off, on one axis.
// What the segments show without words: these sequences are not spelt out.
const USUAL = new Set(["RUNNING", "RUNNING → SUCCESS", "RUNNING → SUCCESS → REVERTING → REVERTED"]);
const SERVICES = ["api", "scheduler", "volume"];

function unpackBars(packed) {
  const block = timelineBlock();
  const words = new Set(["kind", "service", "name", "state", "states", "path"]);
  return packed.map((values) => {
    const bar = {};
    block.bar.forEach((field, n) => (bar[field] = values[n] ?? null));
    block.shape.forEach((field, n) => (bar[field] = words.has(field) ? text(block.shapes[bar.shape][n]) : block.shapes[bar.shape][n]));
    bar.duration = text(bar.duration);
    bar.notes ??= [];
    bar.segments ??= [];
    if (bar.kind === "task" && !bar.segments.length && bar.at !== null && !bar.open) bar.segments = [block.shapes[bar.shape][block.shape.indexOf("state")], bar.at, bar.length || 0];
    return bar;
  });
}

// Positions on the axis, in per cent: to scale, or one step for each instant at which something happened.
function makeScale(first, last, bars, ordered) {
  if (!ordered) {
    const width = Math.max(1, last - first);
    return (at) => (100 * (at - first)) / width;
  }
  const instants = new Set([first, last]);
  for (const bar of bars) {
    if (bar.at === null) continue;
    instants.add(bar.at).add(bar.at + (bar.length || 0));
    for (let i = 0; i < bar.segments.length; i += 3) instants.add(bar.segments[i + 1]).add(bar.segments[i + 1] + bar.segments[i + 2]);
  }
  const inside = [...instants].filter((at) => at >= first && at <= last).sort((a, b) => a - b);
  const rank = new Map(inside.map((at, n) => [at, n]));
  return (at) => (100 * (rank.get(at) ?? (at <= first ? 0 : inside.length - 1))) / Math.max(1, inside.length - 1);
}

function ticks(first, last) {
  const span = last - first;
  if (span <= 0) return [first];
  const rough = span / (innerWidth < 900 ? 3 : 6), power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough));
  const made = [];
  for (let at = Math.ceil(first / step) * step; at <= last; at += step) made.push(at);
  return made;
}

function drawWaterfall(fall, jump) {
  const root = el("div", { class: "waterfall" });
  let ordered = Boolean(fall.untimed), window_ = [fall.first, fall.last], zoomed = null;

  const draw = () => {
    const [first, last] = window_;
    const scale = makeScale(first, last, fall.bars, ordered);
    const marks = ordered ? [] : ticks(first, last);
    const grid = () => marks.map((at) => el("i", { class: "tick", style: { left: scale(at) + "%" } }));
    const place = (from, length, minimum = 0.25) => {
      const left = Math.max(0, Math.min(100, scale(from))), right = Math.max(0, Math.min(100, scale(from + length)));
      return { left: Math.min(left, 100 - minimum) + "%", width: Math.max(minimum, right - left) + "%" };
    };
    const visible = (from, length) => from <= last && from + length >= first;
    const rows = [controls(), axis(), ...SERVICES.map(lane)];
    for (const bar of fall.bars) rows.push(...(bar.kind === "handoff" ? handoffRow(bar) : spanRow(bar)));
    rows.push(legend());
    root.replaceChildren(...rows);

    function controls() {
      const pick = (label, value, usable) => el("button", { type: "button", class: "chip", disabled: usable ? null : "", "aria-pressed": String(ordered === value), on: { click: () => { ordered = value; draw(); } } }, label);
      const whole = zoomed === null ? null : el("button", { type: "button", class: "chip", on: { click: () => zoom(null) } }, "whole request");
      return el("div", { class: "controls" }, pick("to scale", false, !fall.untimed), pick("in order", true, true), whole,
        el("span", { class: "dim" }, fall.untimed || (ordered ? "one step for each instant, not to scale" : "time since the first record")));
    }
    function legend() {
      const used = new Set(fall.bars.flatMap((b) => b.segments.filter((_, i) => i % 3 === 0).map(text)));
      const entry = (name, label) => el("span", null, el("i", { class: "segment " + name }), label);
      const known = [["SUCCESS", "ended SUCCESS"], ["FAILURE", "ended FAILURE"], ["REVERTED", "reverting, ended REVERTED"], ["REVERT_FAILURE", "its revert failed"]];
      return el("div", { class: "legend dim" }, ...known.filter(([state]) => used.has(state)).map(([state, label]) => entry(state, label)),
        fall.bars.some((b) => b.open && b.kind !== "handoff") ? entry("open", "no end seen") : null, el("span", null, el("i", { class: "wait" }), "handed over, waiting"),
        fall.bars.some((b) => b.inferred) ? el("span", null, "?  the log's text is damaged there: the lifecycle supplied what was lost") : null);
    }
    function axis() {
      const label = (at) => el("span", { class: "label" + (scale(at) > 94 ? " end" : ""), style: { left: scale(at) + "%" } }, at === 0 ? "0" : lapse(at));
      return el("div", { class: "row axis", "aria-hidden": "true" }, el("div", { class: "name" }), el("div", { class: "track" }, ...grid(), ...marks.map(label)), el("div", { class: "info" }));
    }
    function lane(service) {
      const mine = fall.bars.filter((b) => b.service === service && b.at !== null && b.kind !== "task" && visible(b.at, b.open ? fall.last - b.at : b.length || 0));
      const extent = (b) => (b.open ? fall.last - b.at : b.length || 0);
      // A new attempt may begin before the old one has been reverted: overlapping runs share the lane's height.
      const ends = [], level = new Map();
      for (const b of mine.filter((b) => b.kind === "flow")) {
        let n = ends.findIndex((end) => end <= b.at);
        if (n < 0) n = ends.length;
        ends[n] = b.at + extent(b);
        level.set(b, n);
      }
      const height = ends.length > 1 ? 13 : 18;
      const shapes = mine.map((b) => b.kind === "flow"
        ? el("span", { class: "block " + service + (b.open ? " open" : ""), style: { ...place(b.at, extent(b), 0.4), top: 2 + level.get(b) * height + "px", height: height - 1 + "px" } }, b.attempt > 1 ? String(b.attempt) : null)
        : el("span", { class: "wait" + (b.open ? " open" : ""), style: place(b.at, extent(b), 0.4) }));
      const ran = fall.bars.filter((b) => b.service === service && b.kind === "flow").length;
      return el("div", { class: "row lane " + service, "aria-hidden": "true", style: { "min-height": 4 + height * Math.max(1, ends.length) + "px" } }, el("div", { class: "name" }, service), el("div", { class: "track" }, ...grid(), ...shapes), el("div", { class: "info dim" }, ran === 1 ? "1 run" : ran ? ran + " runs" : "nothing seen"));
    }
    function zoom(bar) {
      zoomed = bar;
      const margin = bar ? Math.max(1, Math.round((bar.length || 0) * 0.02)) : 0;
      window_ = bar ? [bar.at - margin, bar.at + (bar.length || 0) + margin] : [fall.first, fall.last];
      draw();
    }
    function spanRow(bar) {
      const shapes = [];
      if (bar.at !== null && visible(bar.at, bar.open ? fall.last - bar.at : bar.length || 0)) {
        if (bar.kind === "flow" || bar.segments.length > 3) shapes.push(el("span", { class: "extent " + bar.service, style: place(bar.at, bar.length || 0) }));
        for (let i = 0; i < bar.segments.length; i += 3) {
          const [state, at, length] = [text(bar.segments[i]), bar.segments[i + 1], bar.segments[i + 2]];
          if (visible(at, length)) shapes.push(el("span", { class: "segment " + state, style: place(at, length, 0.4) }));
        }
        if (bar.open) shapes.push(el("span", { class: "segment open", style: place(bar.at + (bar.length || 0), Math.max(0, fall.last - bar.at - (bar.length || 0)), 1.5) }));
      }
      const attempt = bar.attempt > 1 && bar.kind === "flow" ? el("span", { class: "attempt" }, "attempt " + bar.attempt) : null;
      const zoomer = bar.kind === "flow" && bar.length && fall.bars.length > 1 ? el("button", { type: "button", class: "quiet", on: { click: () => zoom(zoomed === bar ? null : bar) } }, zoomed === bar ? "zoom out" : "zoom") : null;
      const made = el("div", { class: `row ${bar.kind} ${bar.service}`, data: bar.kind === "flow" ? { flow: bar.name, state: bar.state, attempt: bar.attempt } : { task: bar.name, state: bar.state, attempt: bar.attempt } },
        el("div", { class: "name" }, bar.kind === "flow" ? el("span", { class: "service" }, bar.service) : null, el("span", { class: "word" }, bar.name), attempt, zoomer),
        el("div", { class: "track" }, ...grid(), ...shapes),
        el("div", { class: "info" }, el("span", { class: "took" }, bar.duration), el("span", { class: "state " + bar.state }, bar.inferred ? bar.state + "?" : bar.state), jump(bar.path, bar.line)));
      const notes = [];
      if (bar.states && !USUAL.has(bar.states)) notes.push(el("div", { class: "note states" }, bar.states));
      for (let i = 0; i < bar.notes.length; i += 3) notes.push(el("div", { class: "note " + text(bar.notes[i]) }, el("b", null, text(bar.notes[i + 1])), text(bar.notes[i + 2]) ? ": " + text(bar.notes[i + 2]) : ""));
      return [made, ...notes];
    }
    function handoffRow(bar) {
      const shown = bar.at !== null && visible(bar.at, bar.open ? fall.last - bar.at : bar.length || 0);
      const shape = shown ? el("span", { class: "wait" + (bar.open ? " open" : ""), style: place(bar.at, bar.open ? fall.last - bar.at : bar.length || 0, 0.6) }) : null;
      return [el("div", { class: "row handoff", data: { handoff: bar.name, state: bar.state, attempt: bar.attempt } },
        el("div", { class: "name" }, el("span", { class: "word" }, "cast " + bar.name)), el("div", { class: "track" }, ...grid(), shape),
        el("div", { class: "info" }, el("span", { class: "took" }, bar.duration), el("span", { class: "state" + (bar.open ? " RUNNING" : "") }, bar.open ? "no receipt" : "waited"), jump(bar.path, bar.line)))];
    }
  };
  draw();
  return root;
}

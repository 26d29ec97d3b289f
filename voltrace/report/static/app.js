// Which view the address asks for, and the keyboard.
const overview = document.getElementById("overview");
let kept = 0;

function route() {
  let hash = location.hash.slice(1);
  try { hash = decodeURIComponent(hash); } catch { /* a damaged address is looked up as it is */ }
  const request = byId.get(hash);
  const asked = request || hash.startsWith("req-");
  if (asked && !overview.hidden) kept = scrollY;
  const returning = !asked && overview.hidden;
  overview.hidden = Boolean(asked);
  section.hidden = !asked;
  if (request) {
    drawRequest(request);
    scrollTo(0, 0);
  } else if (asked) {
    section.replaceChildren(el("p", { class: "steps" }, el("a", { href: "#", id: "up" }, "‹ All requests")), el("p", { class: "hint" }, "This report has no request ", el("span", { class: "id" }, hash), "."));
  } else if (hash && !hash.includes("=")) {
    document.getElementById(hash)?.scrollIntoView();
  } else {
    readView(location.hash.slice(1));
    drawList();
    if (returning) scrollTo(0, kept);
    else if (hash && document.activeElement !== search && list.getBoundingClientRect().top > innerHeight) document.getElementById("requests").scrollIntoView();
  }
}

function follow(id) {
  const link = document.getElementById(id);
  if (link && link.href) location.hash = new URL(link.href).hash;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "Escape") {
    if (!section.hidden) follow("up");
    else if (typing && search.value) location.replace(viewHash({ q: (search.value = ""), page: "1" }));
    else if (typing) search.blur();
  } else if (typing && event.key !== "ArrowDown") return;
  else if (event.key === "/") {
    event.preventDefault();
    if (!section.hidden) follow("up");
    setTimeout(() => search.focus());
  } else if (!section.hidden && (event.key === "ArrowRight" || event.key === "ArrowLeft")) follow(event.key === "ArrowRight" ? "next" : "previous");
  else if (section.hidden && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    const links = [...list.querySelectorAll("tbody .id a")];
    const now = links.indexOf(document.activeElement);
    if (now < 0 && !typing) return; // plain scrolling until the list has the focus
    event.preventDefault();
    links[Math.max(0, Math.min(links.length - 1, now + (event.key === "ArrowDown" ? 1 : -1)))]?.focus();
  }
});

addEventListener("hashchange", route);
drawList();
route();

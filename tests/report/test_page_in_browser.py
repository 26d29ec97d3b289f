"""The page in a headless browser: what is drawn, the address, the keys, and that the network stays silent."""

import http.server
import os
import re
import shutil
import subprocess
import threading

import pytest

from .examples import HOSTILE, created, info_only, mixed, reading, request_id, skewed, stuck
from .test_html import page_of

pytestmark = pytest.mark.browser
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--virtual-time-budget=8000", "--enable-logging=stderr", "--window-size=1400,3000",
]  # fmt: skip


@pytest.fixture(scope="module")
def chrome():
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        if os.environ.get("VOLTRACE_REQUIRE_BROWSER") == "1":
            pytest.fail("no Chromium was found, and VOLTRACE_REQUIRE_BROWSER=1 asks for one")
        pytest.skip("no Chromium was found: the page is not tested in a browser")
    return found


@pytest.fixture
def draw(chrome, tmp_path):
    def draw(page, fragment="", quiet=True):
        file = tmp_path / "page.html"
        file.write_text(page, encoding="utf-8")
        done = subprocess.run(
            [chrome, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", file.as_uri() + fragment], capture_output=True, text=True, timeout=90
        )
        errors = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        assert not (quiet and errors), errors
        return done.stdout

    return draw


def rows(dom):
    return re.findall(r'<tr data-request-id="(req-[0-9a-f-]+)"', dom)


def with_script(page, script):
    """The page with a script of the test's own at its end, which its policy would refuse."""
    return re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page).replace("</body>", f"<script>{script}</script></body>")


def test_browser__list__first_page_is_drawn(draw):
    dom = draw(page_of(mixed(200)))
    assert rows(dom) == [request_id(n) for n in range(1, 51)] and "1 – 50 of 200 requests" in dom


def test_browser__empty__says_so(draw):
    assert "There are no requests." in draw(page_of(reading()))


@pytest.mark.parametrize(
    ("fragment", "first", "count"),
    [
        ("#outcome=failed", 8, 10),
        ("#q=vol-177", 177, 1),
        ("#q=over-quota", 4, 10),
        ("#verdict=deviates&sort=us&down=1", 8, 30),
        ("#page=4", 151, 50),
        ("#sort=nonsense&page=99", 151, 50),
    ],
)
def test_browser__view_in_the_address__restored(draw, fragment, first, count):
    dom = draw(page_of(mixed(200)), fragment)
    assert rows(dom)[0] == request_id(first) and len(rows(dom)) == min(50, count)


def test_browser__permalink__opens_the_timeline_with_every_task(draw):
    read, verdicts = mixed(20)
    worst = read.timelines[7]
    dom = draw(page_of((read, verdicts)), f"#{worst.request_id}")
    drawn = re.findall(r'data-task="([^"]+)" data-state="([^"]+)"', dom)
    assert f'data-timeline="{worst.request_id}"' in dom
    assert drawn == [(t.name, t.state) for f in worst.flows for t in f.tasks]
    assert dom.count('data-handoff="') == 4 and dom.count('data-problem="failure"') == 2 and dom.count('class="line') > 50


@pytest.mark.parametrize("pair", [created(1, start=None), created(1, step=1_000_000), stuck(1), info_only(1)])
def test_browser__poor_logs__drawn_without_errors(draw, pair):
    dom = draw(page_of(reading(pair)), f"#{request_id(1)}")
    assert dom.count("data-task=") == sum(len(f.tasks) for f in pair[0].flows) and "data-timeline=" in dom


def test_browser__a_clock_is_off__said_above_the_drawing(draw):
    dom = draw(page_of(reading(skewed())), f"#{request_id(1)}")
    assert dom.count('data-corrected="1"') == 1 and "Drawn by corrected times: stor-host-7's clock is" in dom


def test_browser__unknown_permalink__says_so(draw):
    assert "This report has no request" in draw(page_of(mixed(3)), "#req-nobody")


def test_browser__hostile_logs__nothing_runs(draw):
    page = page_of(mixed(40, HOSTILE))
    for fragment in ("", f"#{request_id(8)}"):
        dom = draw(page, fragment)
        assert "<title>owned" not in dom and not re.search(r"<img src=.?x", dom)


def test_browser__keys__search_next_previous_and_back(draw):
    script = """
      const key = (k, target = document.body) => target.dispatchEvent(new KeyboardEvent("keydown", { key: k, bubbles: true }));
      const said = [], wait = () => new Promise((done) => setTimeout(done, 300));
      (async () => {
        key("/"); await wait(); said.push(document.activeElement.id);
        const box = document.activeElement; box.value = "vol-1"; box.dispatchEvent(new Event("input")); await wait(); said.push(location.hash);
        key("ArrowDown", box); said.push(document.activeElement.getAttribute("href").slice(0, 13));
        location.hash = document.activeElement.getAttribute("href"); await wait();
        key("ArrowRight"); await wait(); said.push(location.hash.slice(0, 13)); key("ArrowLeft"); await wait(); said.push(location.hash.slice(0, 13));
        key("Escape"); await wait(); said.push(location.hash, document.querySelectorAll("tr[data-request-id]").length);
        history.back(); await wait(); said.push(location.hash.slice(0, 13));
        document.body.append(Object.assign(document.createElement("pre"), { id: "said", textContent: JSON.stringify(said) }));
      })();
    """
    dom = draw(with_script(page_of(mixed(19)), script))
    said = re.search(r'<pre id="said">(.*?)</pre>', dom)[1]
    assert said == '["search","#q=vol-1","#req-00000001","#req-00000010","#req-00000001","#q=vol-1",11,"#req-00000001"]'


def test_browser__timeline_controls__order_zoom_and_source_lines(draw):
    script = """
      const click = (text) => [...document.querySelectorAll("#request button")].find((b) => b.textContent === text).click();
      const width = () => document.querySelector("[data-task=QuotaReserveTask] .segment").style.width;
      const before = width(); click("in order"); const ordered = width(); click("to scale"); click("zoom"); const zoomed = width(); click("whole request");
      document.querySelector("[data-task=QuotaReserveTask] .where").click();
      const open = document.querySelectorAll("details[open] .line.here").length;
      document.body.append(Object.assign(document.createElement("pre"), { id: "said", textContent: [parseFloat(ordered) !== parseFloat(before), parseFloat(zoomed) > 2 * parseFloat(before), width() === before, open].join() }));
    """
    dom = draw(with_script(page_of(reading(created(1))), script), f"#{request_id(1)}")
    assert re.search(r'<pre id="said">(.*?)</pre>', dom)[1] == "true,true,true,1"


def test_browser__policy__lets_no_request_out(draw):
    asked = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        smuggled = (
            f'<img src="{address}/img"><link rel="stylesheet" href="{address}/css"><script src="{address}/js"></script><iframe src="{address}/frame"></iframe>'
        )
        dom = draw(page_of(mixed(3)).replace("</body>", smuggled + "</body>"), quiet=False)
    finally:
        server.shutdown()
        server.server_close()
    assert "/img" in dom and asked == []

"""The page as text: self-contained, escaped, bounded, the same bytes again."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from voltrace.report.html import render_report
from voltrace.report.packing import embed

from .examples import HOSTILE, created, fetch, info_only, mixed, reading


def page_of(read, **options):
    return render_report(*read, fetch, title=options.pop("title", "Week 47"), version="0.1.0", **options)


def block(page, name):
    return json.loads(re.search(rf'<script type="application/json" id="data-{name}">(.*?)</script>', page, re.S)[1])


class _Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_page__twice__same_bytes():
    assert page_of(mixed(30)) == page_of(mixed(30))


def test_page__total__is_in_its_hook():
    assert '<b data-total="requests">30</b>' in page_of(mixed(30))


def test_page__references__none_leave_the_page():
    page = page_of(mixed(30), against=(*mixed(20), "other"))
    for tag, attrs in _Tags(page).tags:
        for name in ("src", "href", "xlink:href", "action", "data", "poster"):
            assert attrs.get(name, "#").startswith(("#", "data:")), (tag, attrs)
    assert not re.search(r"""(?:src|href|url\()\s*=?\s*["']?(?:https?:)?//""", page)


def test_page__policy__forbids_everything_but_its_own_style_and_script():
    page = page_of(mixed(3))
    policy = next(a["content"] for t, a in _Tags(page).tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    for part, pattern in (("style-src", r"<style>(.*?)</style>"), ("script-src", r"<script>(.*?)</script>")):
        digest = base64.b64encode(hashlib.sha256(re.search(pattern, page, re.S)[1].encode()).digest()).decode()
        assert f"{part} 'sha256-{digest}'" in policy
    assert "unsafe-inline" not in policy.replace("style-src-attr 'unsafe-inline'", "") and "unsafe-eval" not in policy


def test_page__hostile_logs__stay_text():
    page = page_of(mixed(40, HOSTILE), title=HOSTILE, against=(*mixed(20, HOSTILE), HOSTILE))
    tags = _Tags(page).tags
    assert not [t for t, _ in tags if t == "img"] and not [a for _, a in tags if any(k.startswith("on") for k in a)]
    assert page.count("</script>") == 4 and "<img" not in page and "{{7*7}}" in page and "\x1b" not in page and "\u202e" not in page


def test_page__scripts__never_write_markup():
    page = page_of(mixed(1))
    script = re.search(r"<script>(.*?)</script>", page, re.S)[1]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|fetch\(|XMLHttpRequest|import\(", script)


def test_page__100_kB_name__cut():
    page = page_of(reading(created(1, name="N" * 100_000)))
    assert "N" * 5000 not in page and "(100,000 characters)" in page


def test_page__list_block__every_request_with_its_fields():
    data = block(page_of(mixed(25)), "list")
    assert len(data["rows"]) == 25 and len(data["rows"][0]) == len(data["fields"])
    ids = {data["strings"][row[0]] for row in data["rows"]}
    assert len(ids) == 25 and all(i.startswith("req-") for i in ids)


@pytest.mark.parametrize("read", [reading(), reading(created(1)), reading(created(1, start=None)), reading(info_only(1)), reading(created(1, step=1_000_000))])
def test_page__small_and_poor_readings__rendered(read):
    page = page_of(read)
    assert f'<b data-total="requests">{len(read[0].timelines)}</b>' in page and page.endswith("</html>\n")


def test_page__against_an_empty_set__rendered():
    assert "Against nothing" in page_of(mixed(5), against=(*reading(), "nothing"))


def test_page__left_out_lines__said():
    page = page_of(mixed(400))
    assert "Left out: the source lines of" in page and "`--lines all` keeps everything" in page


def test_page__5000_requests__size_can_be_mailed():
    page = page_of(mixed(5000))
    assert len(page) < 14_000_000 and len(block(page, "timelines")["requests"]) == 5000


def test_embed__dangerous_text__escaped_and_the_same_when_parsed():
    value = ["</script><!--", "a&b", "\u2028\u2029", "http://example.org//x", "\ud800"]
    text = embed(value)
    assert not re.search("[<>&\u2028\u2029\ud800]|//", text) and json.loads(text) == value


def test_import__of_the_wing__loads_nothing_heavy():
    code = "import sys, voltrace.report, voltrace.report.text, voltrace.report.pages, voltrace.report.html, voltrace.report.tables, voltrace.report.charts\nprint([m for m in ('jinja2', 'matplotlib', 'pandas', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"

"""Figures as SVG elements."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from voltrace.report.charts import draw_all
from voltrace.report.pages import compose

from .examples import created, fetch, mixed, reading


def _figures(n=60):
    read, verdicts = mixed(n)
    other = compose(read, verdicts, fetch, title="t", version="0", against=(*mixed(20), "a <b>$x$</b> set")).comparison
    return draw_all(read.timelines, verdicts, other)


def test_draw_all__twice__same_bytes():
    assert _figures() == _figures()


def test_draw_all__in_other_processes__same_bytes():
    code = "from tests.report.test_charts import _figures; import hashlib; print(hashlib.sha256(''.join(f.svg for f in _figures()).encode()).hexdigest())"
    root = Path(__file__).resolve().parents[2]
    seen = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root, env={**os.environ, "PYTHONHASHSEED": seed}).stdout
        for seed in "12"
    }
    assert len(seen) == 1


def test_draw_all__every_figure__is_xml_with_a_title_and_no_addresses():
    figures = _figures()
    assert [f.key for f in figures] == ["outcomes", "course", "times", "waits", "against"]
    for figure in figures:
        root = ElementTree.fromstring(figure.svg)
        assert root[0].tag.endswith("title") and root[0].text == figure.title and root[1].text == figure.says
        assert not re.search(r"<(metadata|style|script|\?xml|!DOCTYPE)", figure.svg)
        assert set(re.findall(r"https?://[^\"]+", figure.svg)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_draw_all__ids__unique_over_all_figures_and_every_reference_has_one():
    text = "".join(f.svg for f in _figures())
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    used = {a or b for a, b in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text)}
    assert used <= set(ids)


def test_draw_all__colours__are_the_pages_variables():
    colours = set(re.findall(r"#[0-9a-f]{6}", re.sub(r"var\(--[a-z]+, #[0-9a-f]{6}\)", "", "".join(f.svg for f in _figures()))))
    assert colours == set()


def test_draw_all__hostile_set_name__is_text():
    assert "a &lt;b&gt;$x$&lt;/b&gt; set" in _figures()[-1].svg


def test_draw_all__no_requests_or_no_stamps__only_what_can_be_drawn():
    assert draw_all([], {}) == []
    read, verdicts = reading(created(start=None))
    assert [f.key for f in draw_all(read.timelines, verdicts)] == ["outcomes"]


def test_draw_all__many_requests__size_is_bounded():
    assert sum(len(f.svg) for f in _figures(4000)) < 500_000

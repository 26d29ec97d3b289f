"""A report as one self-contained HTML file: the only jinja environment. The page asks no network for anything, and forbids it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from ..trace import Reading
from ..verdict import Verdict
from . import wording
from .charts import Figure, draw_all
from .lines import PER_REQUEST, Fetch
from .packing import pack
from .pages import Report, compose

if TYPE_CHECKING:
    from jinja2 import Environment

SCRIPTS = ("store.js", "list.js", "waterfall.js", "request.js", "app.js")


def render_report(
    reading: Reading,
    verdicts: Mapping[str, Verdict],
    fetch: Fetch,
    *,
    title: str,
    version: str,
    against: tuple[Reading, Mapping[str, Verdict], str] | None = None,
    lines: int | None = PER_REQUEST,
    redacted: bool = False,
) -> str:
    """The page of a reading's create requests. ``against``: a second set to compare with; ``lines``: source lines a request, None for all."""
    report = compose(reading, verdicts, fetch, title=title, version=version, against=against, lines=lines, redacted=redacted)
    return render(report, draw_all(list(reading.creates()), verdicts, report.comparison))


def render(report: Report, figures: Sequence[Figure] = ()) -> str:
    """A report and its figures as an HTML document."""
    style, script = _static("page.css"), "(() => {\n" + "".join(map(_static, SCRIPTS)) + "})();\n"
    policy = f"default-src 'none'; style-src '{_hash(style)}'; style-src-attr 'unsafe-inline'; script-src '{_hash(script)}'; img-src data:; base-uri 'none'; form-action 'none'"
    return _environment().get_template("page.html.j2").render(report=report, figures=figures, data=pack(report), style=style, script=script, policy=policy)


def _static(name: str) -> str:
    return resources.files(__package__).joinpath("static", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def load(name: str) -> str:
        return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")

    environment = Environment(
        loader=FunctionLoader(load), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(plural=wording.plural, share=wording.share)
    return environment

"""The help pages: one Markdown file a slug, for outcomes, causes, ways of giving up, deviations and diagnostics."""

from __future__ import annotations

from importlib import resources

from ..errors import UsageError
from ..verdict import CAUSES, DEVIATIONS, DIAGNOSTICS, GAVE_UP, OUTCOMES

GROUPS = {
    "outcomes": OUTCOMES,
    "causes": CAUSES,
    "how retries ended": GAVE_UP,
    "deviations": DEVIATIONS,
    "diagnostics": DIAGNOSTICS,
}


def slugs() -> list[str]:
    """Every slug that has a page, in the order of the lists; a slug of two lists once."""
    return list(dict.fromkeys(slug for group in GROUPS.values() for slug in group))


def page(slug: str) -> str:
    """The page of a slug, as Markdown. Raises UsageError with the nearest slugs for an unknown one."""
    if slug not in slugs():
        raise UsageError(f"no page '{slug}'{_near(slug)}")
    return resources.files(__package__).joinpath(f"{slug}.md").read_text("utf-8")


def _near(slug: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(slug.lower(), slugs(), n=3, cutoff=0.55)
    return f"; did you mean {' or '.join(near)}?" if near else "; `voltrace explain` lists them all"

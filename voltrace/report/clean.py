"""Text from logs made fit to be shown: what a user or an attacker put into a name can neither act nor disorder the output.

Markup is harmless by construction (the page escapes, the scripts build text nodes). What is left are characters that a
terminal obeys, that turn the reading direction or that nobody can see, and texts too long to show.
"""

from __future__ import annotations

import re

# C0 and C1 controls, soft hyphen, invisible and direction-turning format characters, line and paragraph separators,
# lone surrogates (undecodable bytes; they cannot be written as UTF-8 either) and tag characters.
_UNFIT = "\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f"
_ONE_LINE = re.compile(f"[{_UNFIT}]")
_LINES = re.compile(f"(?![\n\t])[{_UNFIT}]")
_COLOUR = re.compile(r"(?:\x1b|#033)\[[0-9;]*m")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    return _NAMED.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def clean(text: str | None, limit: int = 200) -> str | None:
    """One line of fit text; characters that act are written as escapes, and what exceeds ``limit`` is cut, its length said."""
    if text is None:
        return None
    cut = text if len(text) <= limit else text[:limit]
    fit = _ONE_LINE.sub(_escape, cut)
    return fit if cut is text else f"{fit}… ({len(text):,} characters)"


def clean_line(text: str, limit: int = 4000) -> str:
    """A log record for a reader: colours dropped, line breaks and tabs kept, the rest as `clean`."""
    text = _COLOUR.sub("", text.rstrip("\r\n"))
    cut = text if len(text) <= limit else text[:limit]
    fit = _LINES.sub(_escape, cut)
    return fit if cut is text else f"{fit}… ({len(text):,} characters)"

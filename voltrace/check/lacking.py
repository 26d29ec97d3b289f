"""Whether the logs may lack records of a request: what is not there proves nothing then."""

from __future__ import annotations

from ..trace import Reading, Timeline


def lacks_records(timeline: Timeline, reading: Reading) -> bool:
    """Whether records of this request may be missing between others: a journal dropped some, more came than are kept, or a log has a hole meanwhile."""
    if reading.records_lost or is_cut_short(timeline):
        return True
    return any(coverage.has_hole(timeline.start, timeline.end) for coverage in reading.coverage.values())


def is_cut_short(timeline: Timeline) -> bool:
    """Whether more events came than are kept of one request."""
    return any(d.slug == "limit-reached" for d in timeline.diagnostics)

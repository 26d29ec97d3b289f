"""From log files to timelines: sources, framing, scan, repair, clock, timeline, engine."""

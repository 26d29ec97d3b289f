"""What tests compare: timelines and truths without what cannot be equal."""

# Fields of instants and of what follows from them.
TIMES = frozenset({"start", "end", "sent", "received", "duration_s", "duration_bounds_s", "wait_s", "wait_bounds_s"})


def without(value, names):
    """A JSON value without the fields of these names, at any depth."""
    if isinstance(value, dict):
        return {k: without(v, names) for k, v in value.items() if k not in names}
    return [without(v, names) for v in value] if isinstance(value, list) else value

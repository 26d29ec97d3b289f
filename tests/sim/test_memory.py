"""A simulation makes no reference cycles: it runs without Python's search for them, so that each would stay."""

import gc

from voltrace.sim.run import make_plan, simulate


class _Nowhere:
    def write(self, data):
        return len(data)


def _left(requests):
    """How many objects in reference cycles a simulation leaves."""
    plan = make_plan("mixed", requests=requests, arrivals="poisson:5", seed=2)
    gc.collect()
    gc.disable()
    try:
        simulate(plan, _Nowhere(), _Nowhere())
        return gc.collect()
    finally:
        gc.enable()


def test_memory__more_requests__leave_no_more_cycles():
    few, many = _left(300), _left(900)
    # What the scripts have drawn ahead goes with the run as a whole; a cycle a request would be ten objects and more.
    assert many - few < 600 * 6

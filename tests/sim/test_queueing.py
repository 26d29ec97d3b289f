"""The simulator's parts are what queueing theory takes them for: stations, queues and arrivals agree with the textbook.

Each comparison takes 30 seeded runs without their warm-up. Their mean must have the textbook's value within the 99.9 % confidence
interval of Student's t, and that interval must be narrow enough to say something. Seeds are fixed: a test that passes always passes.
"""

from dataclasses import replace
from datetime import datetime
from math import factorial, sqrt
from random import Random
from statistics import fmean, stdev, variance

import pytest
import simpy

from voltrace.sim.broker import Broker
from voltrace.sim.load import Arrivals
from voltrace.sim.station import Endless, Station

from .clouds import cloud, run

RUNS = 30
T_29 = 3.6594  # Student's t with 29 degrees of freedom, two-sided 99.9 %
SERVICE = 1_000_000  # mean service time, µs
WARM_UP, COUNTED = 1000, 3000  # customers of a run


def erlang_c(c, load):
    """The probability that a customer of M/M/c must wait; load = arrival rate * mean service time < c.

    A. K. Erlang 1917; L. Kleinrock, Queueing Systems, vol. 1 (Wiley 1975), eq. 3.40.
    """
    waiting = load**c / factorial(c) * c / (c - load)
    return waiting / (sum(load**k / factorial(k) for k in range(c)) + waiting)


def mean_wait(c, rho):
    """The mean wait of M/M/c in service times: C(c, a) / (c (1 - rho)) (Kleinrock, as above; c = 1 is eq. 3.26 less the service)."""
    return erlang_c(c, c * rho) / (c * (1 - rho))


def finite_source(c, clients, think):
    """The mean wait and throughput (in service times) of clients who think for an exponential time: the machine repairman's M/M/c//N.

    Birth rates (N - n) / think, death rates min(n, c): Kleinrock, as above, section 3.8; D. Gross, C. Harris, Fundamentals of Queueing
    Theory (Wiley 1998), section 2.7. The wait is the mean queue over the throughput (Little's law).
    """
    weights = [1.0]
    for n in range(1, clients + 1):
        weights.append(weights[-1] * (clients - n + 1) / think / min(n, c))
    chances = [w / sum(weights) for w in weights]
    throughput = sum((clients - n) / think * p for n, p in enumerate(chances))
    return sum(max(0, n - c) * p for n, p in enumerate(chances)) / throughput, throughput


def within(values, expected, width=0.2):
    """Whether the expected value is in the confidence interval of the runs' mean, and that narrower than this share of it on each side."""
    half = T_29 * stdev(values) / sqrt(len(values))
    assert len(values) == RUNS and half < width * expected, f"±{half / expected:.3f} is too wide"
    return abs(fmean(values) - expected) < half


def _exponential(rng, mean=SERVICE):
    return round(rng.expovariate(1 / mean))


def _open(env, rng, rho, c, serve):
    """Poisson arrivals: ``serve(n)`` is a process of customer n."""
    for n in range(WARM_UP + COUNTED):
        yield env.timeout(Arrivals("poisson", c * rho).pause(rng))
        env.process(serve(n))


def _visit(env, rng, station, waits, counted):
    """A customer's visit: its wait (in service times) is kept if it is ``counted``."""
    asked = env.now
    server = station.take() or (yield station.wait())
    if counted:
        waits.append((env.now - asked) / SERVICE)
    yield env.timeout(_exponential(rng))
    station.give(server)


def station_waits(seed, c, rho):
    env, rng, waits = simpy.Environment(), Random(f"{seed}/station"), []
    station = Station(env, range(1, c + 1))
    env.process(_open(env, rng, rho, c, lambda n: _visit(env, rng, station, waits, n >= WARM_UP)))
    env.run()
    return fmean(waits)


def queue_waits(seed, c, rho):
    """The same with a topic of the broker, whose receiver has c threads."""
    env, rng, waits = simpy.Environment(), Random(f"{seed}/queue"), []
    broker = Broker(env)

    def receive(n, arrived):
        if n >= WARM_UP:
            waits.append((env.now - arrived) / SERVICE)
        yield env.timeout(_exponential(rng))

    def send():
        at = 0
        for n in range(WARM_UP + COUNTED):
            at += Arrivals("poisson", c * rho).pause(rng)
            broker.cast("topic", at, n, at)
        yield env.timeout(0)

    broker.subscribe("topic", receive, c)
    env.process(send())
    env.run()
    return fmean(waits)


@pytest.mark.parametrize("waits", [station_waits, queue_waits])
@pytest.mark.parametrize(("c", "rho"), [(1, 0.5), (1, 0.7), (2, 0.7), (4, 0.85)])
def test_open__m_m_c__waits_as_erlang_says(waits, c, rho):
    assert within([waits(seed, c, rho) for seed in range(RUNS)], mean_wait(c, rho))


def test_textbook__one_and_two_servers__agree_with_the_closed_forms():
    for rho in (0.1, 0.5, 0.9):
        assert mean_wait(1, rho) == pytest.approx(rho / (1 - rho))
        assert mean_wait(2, rho) == pytest.approx(rho**2 / (1 - rho**2))
    assert finite_source(1, 1, 5.0) == pytest.approx((0, 1 / 6)) and finite_source(3, 3, 5.0) == pytest.approx((0, 3 / 6))
    assert finite_source(1, 2, 1.0)[0] == pytest.approx(0.5)  # the other is being served half of the times


def tandem_waits(seed, rho, c):
    """Two stations one behind the other, the second behind a queue of the broker's as a service stands behind the API."""
    env, rng, first, second = simpy.Environment(), Random(f"{seed}/tandem"), [], []
    workers, broker = Station(env, [True]), Broker(env)

    def receive(n, arrived):
        if n >= WARM_UP:
            second.append((env.now - arrived) / SERVICE)
        yield env.timeout(_exponential(rng, c * SERVICE))

    def serve(n):
        yield from _visit(env, rng, workers, first, n >= WARM_UP)
        broker.cast("topic", env.now, n, env.now)

    broker.subscribe("topic", receive, c)
    env.process(_open(env, rng, rho, 1, serve))
    env.run()
    return fmean(first), fmean(second)


def test_tandem__two_stations__each_waits_as_if_it_were_alone():
    """What leaves M/M/c is Poisson again (P. J. Burke 1956), so that each station is an M/M/c of its own (J. R. Jackson 1957)."""
    first, second = zip(*(tandem_waits(seed, 0.6, 2) for seed in range(RUNS)))
    assert within(first, mean_wait(1, 0.6)) and within(second, 2 * mean_wait(2, 0.6))


def closed_waits(seed, c, clients, think):
    env, rng, waits, ends = simpy.Environment(), Random(f"{seed}/closed"), [], []
    station = Station(env, range(1, c + 1))

    def client():
        while len(ends) < WARM_UP + COUNTED:
            yield env.timeout(_exponential(rng, think * SERVICE))
            yield from _visit(env, rng, station, waits, len(ends) >= WARM_UP)
            ends.append(env.now)

    for _ in range(clients):
        env.process(client())
    env.run()
    return fmean(waits), (len(ends) - WARM_UP) / (ends[-1] - ends[WARM_UP - 1]) * SERVICE


@pytest.mark.parametrize(("c", "clients", "think"), [(1, 5, 4.0), (2, 10, 3.0)])
def test_closed__clients_who_think__wait_as_the_machine_repairman_says(c, clients, think):
    waits, rates = zip(*(closed_waits(seed, c, clients, think) for seed in range(RUNS)))
    wait, throughput = finite_source(c, clients, think)
    assert within(waits, wait, 0.05) and within(rates, throughput, 0.02)


def test_station__endless__nobody_waits():
    env = simpy.Environment()
    station = Endless(env)
    assert all(station.take() for _ in range(1000))
    station.give(True)
    assert not station.queue


def _starts(arrivals, requests, seed=0, think_s=0.0, **more):
    """When each request comes to the API and when it ends (µs). All are refused at once, which is quick to simulate."""
    scenario = replace(cloud({"fault": "size-text"}, **more), think_s=think_s)
    _, truth = run(scenario, requests=requests, arrivals=arrivals, seed=seed, debug=False)
    starts, ends = ([datetime.fromisoformat(t[key]) for t in truth] for key in ("start", "end"))
    epoch = starts[0]
    return tuple([round((at - epoch).total_seconds() * 1e6) for at in ats] for ats in (starts, ends))


def test_arrivals__poisson__counts_have_its_mean_and_variance():
    rate, requests = 10, 400
    means, dispersions = [], []
    for seed in range(RUNS):
        starts, _ = _starts(f"poisson:{rate}", requests, seed, api_workers=requests)
        gaps = [b - a for a, b in zip(starts, starts[1:])]
        counts = [0] * int(starts[-1] / 500_000)
        for at in starts:
            if at < 500_000 * len(counts):
                counts[at // 500_000] += 1
        means.append(fmean(gaps) / 1e6)
        dispersions.append(variance(counts) / fmean(counts))
    assert within(means, 1 / rate, 0.05)
    assert within(dispersions, 1.0)  # of a Poisson distribution the variance is the mean


def test_arrivals__every__are_so_far_apart():
    starts, _ = _starts("every:0.25", 50, api_workers=50)
    assert starts == [250_000 * n for n in range(50)]


def test_arrivals__burst__all_at_once():
    starts, _ = _starts("burst", 50, api_workers=50)
    assert starts == [0] * 50


def test_arrivals__closed__each_client_has_one_request_at_a_time():
    starts, ends = _starts("closed:4", 60, api_workers=10)
    assert starts[:4] == [0] * 4
    assert max(sum(start <= at < end for start, end in zip(starts, ends)) for at in starts) == 4
    assert all(any(0 <= at - end < 20_000 for end in ends) for at in starts[4:])  # the next comes as soon as the last is answered


def test_arrivals__closed__clients_think_for_an_exponential_time():
    means, spreads = [], []
    for seed in range(RUNS):
        starts, ends = _starts("closed:1", 200, seed, think_s=2.0)
        thinks = [(start - end) / 1e6 for start, end in zip(starts[1:], ends)]
        means.append(fmean(thinks))
        spreads.append(variance(thinks) / fmean(thinks) ** 2)
    assert within(means, 2.0) and within(spreads, 1.0)  # of an exponential distribution deviation and mean are the same

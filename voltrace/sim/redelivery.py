"""Casts that the broker delivers once more: it does so with what a receiver has not acknowledged, when it finds the connection gone."""

from __future__ import annotations

from ..lifecycle import SCHEDULER, SCHEDULER_TOPIC, VOLUME
from .site import Request, Site

_DELIVERED_AGAIN_US = (500_000, 3_000_000)


def take_up(request: Request, service: str) -> bool:
    """A receiver takes the request up. Whether it gets it for the second time: the lifecycle is then asked as if that had been the first."""
    fault = request.wish.fault
    if fault is None or fault.doubles != service:
        return False
    if request.again < 0:
        request.again = request.where
        return False
    request.where, request.again = request.again, -1
    if service == SCHEDULER:
        request.tried = ()
    return True


def deliver_again(site: Site, request: Request, at: int, sent: int) -> bool:
    """Whether the request's cast comes again, at some time after ``at``. ``sent`` is when the scheduler cast it."""
    if request.again < 0 or request.wish.fault is None:
        return False
    again = at + site.times.randrange(*_DELIVERED_AGAIN_US)
    if request.wish.fault.doubles == VOLUME:
        site.broker.cast(site.pool(request.tried[-1]).topic, again, request, sent)
    else:
        site.broker.cast(SCHEDULER_TOPIC, again, request, None, "")
    return True

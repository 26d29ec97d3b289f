"""The stamps of the text formats through the kernel and the careful way: the same instants."""

import pytest
from given import read_bytes

from voltrace import kernel
from voltrace.formats import FORMATS
from voltrace.parse.scan import SourceScanner

from .test_packed import AT, RUNNING, SUCCESS

pytestmark = pytest.mark.skipif(kernel.load("parse._scan") is None, reason="the kernel was not built")

DAY = 86_400_000_000
# Seconds, minutes and days apart, back by a little, over the end of the year, and on the second itself.
STEPS = [0, 1, 999, 1_000, 300_000, 999_999, 1_000_000, 700_000, 61_000_000, DAY, DAY + 1, 45 * DAY, 45 * DAY - 200_000, 46 * DAY]


def lines(name):
    """Lines of a request at odd instants. Those of oslo.log end in its own suffix."""
    found = []
    for i, step in enumerate(STEPS * 2):
        text = (RUNNING, SUCCESS)[i % 2]
        text = text.partition(" {{")[0] + " run /opt/stack/cinder/cinder/x.py:1" if name == "oslo" else text
        found.append((FORMATS[name].write(AT + step, "controller", "devstack@c-api.service", 7) + text).encode())
    return found


def both(data, name="c-api.log"):
    """The readings with the kernel and without it, and how many lines the kernel declined."""
    careful = []
    line = SourceScanner._line
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SourceScanner, "_line", lambda self, *args: (careful.append(args[0]), line(self, *args))[1])
        compiled, _ = read_bytes({name: data})
        declined = len(careful)
        patch.setenv(kernel.PURE, "1")
        pure, _ = read_bytes({name: data})
    return compiled, pure, declined


@pytest.mark.parametrize("name", FORMATS)
def test_stamps__of_every_format__are_read_by_the_kernel(name):
    own = lines(name)
    compiled, pure, declined = both(b"\n".join(own) + b"\n")
    assert compiled == pure
    assert declined < len(own) / 2  # new headers, and steps of the clock


BROKEN = {
    "no digit in the fraction": (b".315338", b".31x338"),
    "comma": (b".315338", b",315338"),
    "other separator": (b".315338", b"x315338"),
    "leap second": (b":31", b":60"),
    "no second": (b":31", b":61"),
    "no hour": (b"13:", b"25:"),
    "zulu": (b"+0000", b"Z"),
    "colon in the zone": (b"+0000", b"+00:00"),
    "other zone": (b"+0000", b"+0530"),
    "zone by name": (b" UTC", b" CET"),
    "shorter": (b"31.", b"31.0"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("name", FORMATS)
def test_stamps__broken_or_written_otherwise__tell_the_same(name, case):
    own = lines(name)
    own[5:5] = [line.replace(*BROKEN[case], 1) for line in own[:4]]
    compiled, pure, _ = both(b"\n".join(own) + b"\n")
    assert compiled == pure

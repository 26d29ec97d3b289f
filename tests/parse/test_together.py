"""What the pure way finds out about many lines at once is what one line by itself would tell, whatever bytes it is given."""

import numpy as np
import pytest
from hypothesis import example, settings
from hypothesis import given as given_
from hypothesis import strategies as st

from voltrace.formats import FORMATS
from voltrace.messages import catalogue
from voltrace.parse import groups
from voltrace.parse.clean import clean, clean_all, is_dirty
from voltrace.parse.clock import StampReader
from voltrace.parse.forms import MISSING
from voltrace.parse.headers import Pending
from voltrace.parse.heard import CAREFUL, UNKNOWN, Hearing
from voltrace.parse.instants import Instants
from voltrace.parse.marks import SPARE, Marks
from voltrace.parse.queues import Queues
from voltrace.parse.tables import Header, Scan

# Bytes that mean something somewhere, and some that do not.
MEANING = st.lists(st.sampled_from([*b"\n\r\x00\x1b#033[m] :({}a9\xef\xbb\xbf/"]), max_size=300).map(bytes)


@settings(deadline=None)
@given_(MEANING)
@example(b"x" * ((1 << 18) - 2) + b"#033[1m\n\x1b")
def test_marks__of_any_bytes__are_those_of_lines(data):
    marks = Marks(data)
    lines = data.split(b"\n")
    assert [marks.line(at) for at in range(len(marks))] == lines
    assert marks.is_dirty == is_dirty(data.replace(b"\xef\xbb\xbf", b""))
    assert all(len(data) - marks.ends[at] >= SPARE for at in range(marks.safe))
    assert clean_all(data) == b"\n".join(map(clean, lines))


@given_(st.lists(st.one_of(st.binary(min_size=8, max_size=8), st.integers(0, 99_999_999).map(b"%08d".__mod__)), min_size=1), st.integers(1, 8))
def test_numbers__of_any_bytes__are_those_of_digits(texts, digits):
    marks = Marks(b"".join(texts) + bytes(SPARE))
    found = marks.numbers(np.arange(len(texts)) * 8, digits).tolist()
    assert found == [int(text[:digits]) if text[:digits].isdigit() else -1 for text in texts]


STAMPS = st.builds("{} {:2d} 10:00:{:02d}.000000".format, st.sampled_from(["Dec", "Dec", "Jan", "Jul"]), st.sampled_from([1, 29, 30, 31]), st.integers(0, 59))


@settings(max_examples=500)
@given_(STAMPS, st.lists(STAMPS, min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_instants__of_stamps_that_are_looked_at_together__are_those_in_any_order(first, stamps, chance):
    marks = Marks(b"".join(stamp.encode() + b"\n" for stamp in stamps) + bytes(SPARE))
    days = Instants(FORMATS["short-precise"], 22, lambda stamp: None).days(marks, marks.starts[: len(stamps)])
    own = [stamp.encode() for stamp, day in zip(stamps, days.tolist()) if day == days[0]]
    shuffled = chance.sample(own, len(own))
    found = []
    for order in (own, shuffled):
        reader = StampReader(FORMATS["short-precise"], 2026)
        reader.read(first.encode())
        found.append(({stamp: reader.read(stamp) for stamp in order}, reader.state))
    assert found[0] == found[1]


@given_(st.integers(1, 40), st.data())
def test_first_in_rows__of_any_marks__is_the_first(width, data):
    rows = data.draw(st.lists(st.lists(st.booleans(), min_size=width, max_size=width), min_size=1, max_size=30))
    assert groups.first_in_rows(np.array(rows)).tolist() == [row.index(True) if True in row else -1 for row in rows]


PIECES = st.lists(
    st.tuples(st.lists(st.sampled_from(b"ab\x00"), min_size=16, max_size=16).map(lambda text: bytes(text) * 4), st.integers(0, 64), st.integers(0, 1)),
    min_size=1,
    max_size=50,
)


@pytest.mark.parametrize("factor", [1, 0])
@given_(PIECES)
def test_group__of_any_pieces__puts_together_only_what_is_the_same(factor, given):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "_FACTORS", groups._FACTORS * np.uint64(factor))
        texts, lengths, also = zip(*given)
        pieces = np.frombuffer(b"".join(texts), np.uint8).reshape(-1, 64)
        first, firsts = groups.group(pieces, np.array(lengths), np.array(also))
    own = [(text[:length], length, other) for text, length, other in given]
    assert all(own[a] == own[b] and a <= b for b, a in enumerate(first.tolist()))
    assert sorted(set(first.tolist())) == firsts.tolist() and {own[at] for at in firsts} == set(own)


ROWS = [row for row in catalogue() if row.level in ("DEBUG", "INFO", "WARNING") and row.logger.startswith("cinder") and not row.logger.endswith("*")]
_VOLUME_LOGGER = "cinder.volume.flows.manager.create_volume"
VALUES = st.text(st.sampled_from("ab :'{}(.1"), max_size=6)


@settings(max_examples=300, deadline=None)
@given_(st.sampled_from(ROWS), st.data())
def test_forms__of_messages_that_were_heard__say_of_others_what_hearing_them_says(row, data):
    """Many bodies of one row and its neighbours, of few lengths, with suffixes that are or are not whole."""
    scan = Scan(facts=frozenset({"retry"}))
    hearing = Hearing(scan, "devstack")
    fitting = scan.catalogue.candidates(row.level, row.logger)
    voice = hearing.voice(Header(0, 0, 0, row.level, row.logger, fitting))
    suffix = st.sampled_from([" {{(pid=1) f /p.py:1}}", " {{(pid=2) f /p.py:1}}", " {{(pid=1) {{ /p.py:1}}", " {{(pid=1) f /p.py:1}} ", ""])
    bodies, others = [], st.sampled_from([literal.decode().replace("\n", " ") for other in fitting for literal in other.literals])
    for _ in range(data.draw(st.integers(2, 12))):
        own = data.draw(st.sampled_from([row, row, data.draw(st.sampled_from(fitting))]))
        values = data.draw(st.lists(st.one_of(VALUES, others), min_size=len(own.fields), max_size=len(own.fields)))
        text = b"".join(literal + value.encode() for literal, value in zip(own.literals, [*values, ""]))
        bodies.append(text + data.draw(suffix).encode())
    text = b"".join(body + b"\n" for body in [b"x" * SPARE, *bodies, b"x" * SPARE])
    marks = Marks(text)
    places = np.arange(1, len(bodies) + 1)
    for at, body in zip(places, bodies):
        left, starts, ends = np.zeros(1, np.int32), marks.starts[[at]], marks.ends[[at]]
        said, keys = hearing.forms.find(marks, left, starts, ends)
        alone = Hearing(scan, "devstack")
        expected = alone.hear(alone.voice(Header(0, 0, 0, row.level, row.logger, fitting)), body, (0, 0))
        if said[0] != MISSING:
            assert said[0] == expected, body
        elif (expected >> 32) not in (CAREFUL, UNKNOWN):
            hearing.hear(voice, body, (int(keys[0]), 0))


def test_forms__name_that_makes_a_message_of_another_row__is_heard():
    """Both begin with `Volume `, and the other row is tried before: a volume's name may hold what stands in its messages."""
    scan = Scan(facts=frozenset({"retry"}))
    hearing = Hearing(scan, "devstack")
    voice = hearing.voice(Header(0, 0, 0, "INFO", _VOLUME_LOGGER, scan.catalogue.candidates("INFO", _VOLUME_LOGGER)))
    names = [b"x" * 60, b"x" * 20 + b"y" * 40, (b"x" * 10 + b": being created as raw with specification: {}").ljust(60, b"x")]
    bodies = [b"Volume %s (%s): created successfully" % (name, b"4" * 36) for name in names]
    marks = Marks(b"".join(body + b"\n" for body in [b"x" * SPARE, *bodies, b"x" * SPARE]))
    left, starts, ends = np.zeros(3, np.int32), marks.starts[1:4], marks.ends[1:4]
    _, keys = hearing.forms.find(marks, left, starts, ends)
    said = hearing.hear(voice, bodies[0], (int(keys[0]), 0))
    assert hearing.forms.find(marks, left, starts, ends)[0].tolist() == [said, said, MISSING]
    assert hearing.hear(voice, bodies[2], (int(keys[2]), 0)) != said


STEPS = st.lists(st.one_of(st.tuples(st.sampled_from([1, 2]), st.integers(0, 30)), st.sampled_from([1, 2])), max_size=200)


@given_(STEPS)
def test_queues__told_late__leave_what_telling_each_at_once_leaves(steps):
    """A pair is a worker and a request, a number an access line of a worker."""

    class Scanner:
        _pending = Pending()

    scanner, plain, popped = Scanner(), Pending(), []
    scanner._pending = Pending()
    rows = [row for row, step in enumerate(steps) if isinstance(step, tuple)]
    pids, requests = (np.array([steps[row][n] for row in rows], np.int64) for n in (0, 1))
    queues = Queues(scanner, pids, np.array(rows, np.int64), requests)
    for row, step in enumerate(steps):
        if isinstance(step, tuple):
            plain.push(*step)
        else:
            queues.tell(step, row)
            popped.append((scanner._pending.pop(step), plain.pop(step)))
    queues.tell_all(len(steps))
    assert all(late == at_once for late, at_once in popped)
    assert scanner._pending.all() == plain.all()

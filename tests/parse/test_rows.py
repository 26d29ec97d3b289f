"""The catalogue's rows: what they render they recognise, with the same facts, up to the events of a scan."""

import re

import pytest
from given import read_bytes
from hypothesis import assume, settings
from hypothesis import given as given_
from hypothesis import strategies as st

from voltrace.formats import FORMATS, write_body, write_context
from voltrace.messages import catalogue, samples
from voltrace.parse.framing import HEAD, split_suffix
from voltrace.parse.scan import clean

ROWS = [row for row in catalogue() if not row.logger.endswith(".*")]
SAMPLES = list(samples())
CONVERSIONS = {row.key: dict(re.findall(r"%\((\w+)\)[-+ #0]*[\d.]*([sdrfi])", row.wording)) for row in catalogue()}
TEXT = st.text(st.characters(exclude_characters="\n\r\x00\x1b{}'", exclude_categories=("Cs", "Cc")), max_size=30).map(str.strip)
REQUEST = "req-00000000-0000-4000-8000-000000000001"


def message_of(line):
    """Level, logger and message of a captured line, with or without its prefix."""
    text = clean(line.partition("\n")[0].encode())
    prefix = FORMATS["short-precise"].pattern.match(text) or FORMATS["oslo"].pattern.match(text)
    head = HEAD.match(text, prefix.end() if prefix else 0)
    assert head, line
    message = text[head.end() :]
    if head[1] == b"DEBUG":
        for layout in ("devstack", "oslo"):
            cut, suffix = split_suffix(message, layout)
            if suffix:
                message = cut
                break
    return head[1].decode(), head[2].decode(), message


@pytest.mark.parametrize("key, release, source, line", SAMPLES, ids=[f"{s[0]}-{i}" for i, s in enumerate(SAMPLES)])
def test_sample__its_row__recognises_it_and_renders_it_again(key, release, source, line):
    level, logger, message = message_of(line)
    row = catalogue()[key]
    values = row.match(message)
    assert values is not None and row in catalogue().candidates(level, logger)
    found = catalogue().find(level, logger, message.decode())
    assert found is not None
    fields = {name: value.decode() for name, value in zip(row.fields, values)}
    for name, conversion in CONVERSIONS[key].items():
        if conversion in "dif":
            fields[name] = float(fields[name]) if conversion == "f" else int(fields[name])
    rendered = row.render(fields)
    assert message.decode() == rendered or (level in ("WARNING", "ERROR", "CRITICAL") and message.decode().startswith(rendered + ": "))


def field_values(draw, row):
    """Values for a row's fields in which no piece of the wording occurs: such a line can be cut in one way only."""
    pieces = [p.decode() for p in row.literals if p]

    def clear(value):
        return not any(piece in value for piece in pieces) and not any(piece.startswith(value[-k:]) for piece in pieces for k in range(1, len(value) + 1))

    values = {}
    for name, conversion in CONVERSIONS[row.key].items():
        if conversion in "di":
            values[name] = draw(st.integers(0, 10**12))
        elif conversion == "f":
            values[name] = draw(st.integers(0, 10**6)) / 4
        else:
            values[name] = draw(TEXT.filter(clear)) or "0"
    return values


@st.composite
def rendered_rows(draw, rows=ROWS):
    row = draw(st.sampled_from(rows))
    return row, field_values(draw, row)


@settings(max_examples=300, deadline=None)
@given_(case=rendered_rows())
def test_row__rendered_with_any_values__reads_the_same_values(case):
    row, fields = case
    message = row.render(fields)
    values = row.match(message.encode())
    assert values is not None
    assert row.render({n: _typed(CONVERSIONS[row.key][n], v.decode()) for n, v in zip(row.fields, values)}) == message
    found = catalogue().find(row.level if row.level != "*" else "INFO", row.logger, message)
    assert found is not None
    for name, fact in row.read_facts(values).items():
        assert fact == (int(str(fields[name])) if isinstance(fact, int) else str(fields[name])), name


def _typed(conversion, text):
    return text if conversion in "sr" else float(text) if conversion == "f" else int(text)


FACTUAL = [row for row in ROWS if row.facts and row.level in ("DEBUG", "INFO") and "transition" not in row.key]


@pytest.mark.parametrize("layout, format", [("devstack", "short-precise"), ("oslo", "oslo")])
@settings(max_examples=100, deadline=None)
@given_(case=rendered_rows(FACTUAL))
def test_line__written_from_a_row__is_an_event_with_its_facts(layout, format, case):
    row, fields = case
    release = next(iter(row.lines), "2026.2")
    context = write_context(layout, release, REQUEST, None, ("demo", "a" * 32), ("alice", "b" * 32))
    suffix = (11, row.function, "/opt/stack/" + row.path, row.lines.get(release) or 1) if row.level == "DEBUG" else None
    message = row.render(fields)
    first = catalogue().find(row.level, row.logger, message)
    assume(first is not None and first[0].key == row.key)  # some rows share their wording with a more specific one
    body = write_body(layout, row.level, row.logger, context, message, suffix)
    prefix = FORMATS[format].write(1_764_000_000_000_000, "controller", "cinder-volume", 11)
    reading, _ = read_bytes({"cinder-volume.log": (prefix + body + "\n").encode()})
    (timeline,) = reading.timelines
    (event,) = timeline.events
    assert event.kind.row == row.key
    assert {n: str(v) for n, v in event.facts.items()} == {n: str(fields[n]) for n in row.facts if n in fields}
    assert reading.unrecognised == 0


@pytest.mark.parametrize("number", ["²", "٣", "9" * 5000, "-", "--1", "1_0", "+5", ""])
def test_facts__numbers_that_are_none__stay_text(number):
    row = catalogue()["size-requested"]
    values = row.match(f"Create volume of {number} GB".encode())
    assert row.read_facts(values) == {"size_gb": number}
    result = catalogue().result_facts("ExtractVolumeRequestTask", "SUCCESS", f"{{'size': {number}, 'snapshot_id': None}}")
    assert "size_gb" not in result or isinstance(result["size_gb"], (int, str))

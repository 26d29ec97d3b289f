"""The formats that are no lines of prefix and body: json, export and cat hold the entries of short-unix, in their order."""

import json
from io import BytesIO

import pytest

from voltrace.sim.run import make_plan, simulate


def written(format, **options):
    merged, truth, api = BytesIO(), BytesIO(), BytesIO()
    simulate(make_plan("devstack", requests=3, seed=4, format=format, **options), merged, truth, {"api": api})
    return merged.getvalue(), api.getvalue(), truth.getvalue()


def entries(lines):
    """(microseconds, host, identifier, pid, message) of lines in short-unix."""
    for line in lines.decode().splitlines():
        prefix, _, message = line.partition(": ")
        stamp, host, sender = prefix.split()
        identifier, _, pid = sender.rstrip("]").partition("[")
        yield int(stamp.replace(".", "")), host, identifier, pid, message.encode()


def read_export(data):
    """The entries of an export, as systemd describes it: KEY=value, or KEY, the value's length in 8 bytes and the value."""
    at, entry = 0, {}
    while at < len(data):
        end = data.index(b"\n", at)
        name, equals, value = data[at:end].partition(b"=")
        at = end + 1
        if name and not equals:
            size = int.from_bytes(data[at : at + 8], "little")
            value = data[at + 8 : at + 8 + size]
            at += 8 + size + 1
        if name:
            entry[name.decode()] = value
        else:
            yield entry
            entry = {}
    assert not entry


def known(entry):
    """The same five facts of an entry whose values are text or bytes (a message's: or numbers)."""
    text = {name: value.decode() if isinstance(value, bytes) else value for name, value in entry.items()}
    message = text["MESSAGE"]
    message = bytes(message) if isinstance(message, list) else message.encode()
    return int(text["__REALTIME_TIMESTAMP"]), text["_HOSTNAME"], text["SYSLOG_IDENTIFIER"], text["_PID"], message


@pytest.mark.parametrize("colour", [False, True])
def test_json__every_entry__an_object_with_the_message(colour):
    for packed, plain in zip(written("json", colour=colour)[:2], written("short-unix", colour=colour)[:2]):
        objects = [json.loads(line) for line in packed.splitlines()]
        assert [known(o) for o in objects] == list(entries(plain))
        assert {type(o["MESSAGE"]) for o in objects} == ({list, str} if colour else {str})  # the web server's own lines have no colour
        assert {o["_SYSTEMD_UNIT"] for o in objects} <= {f"devstack@c-{name}.service" for name in ("api", "sch", "vol")}
        assert {(o["_TRANSPORT"], o["PRIORITY"]) for o in objects} == {("stdout", "6")}


@pytest.mark.parametrize("colour", [False, True])
def test_export__every_entry__a_block_with_the_message(colour):
    for packed, plain in zip(written("export", colour=colour)[:2], written("short-unix", colour=colour)[:2]):
        assert [known(e) for e in read_export(packed)] == list(entries(plain))
        assert (b"\nMESSAGE\n" in packed) == colour


def test_cat__every_entry__its_message_alone():
    assert written("cat")[0].splitlines() == [message for *_, message in entries(written("short-unix")[0])]


def test_packings__the_same_seed__the_same_truth():
    assert written("json")[2] == written("export")[2] == written("cat")[2] == written("short-unix")[2]

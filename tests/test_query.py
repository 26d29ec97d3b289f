"""The --where language: what matches, what is refused, and the laws that hold for any expression."""

import re
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltrace.errors import UsageError
from voltrace.query import ALIASES, FIELDS, MAX_ALTERNATIVES, MAX_DEPTH, REQUEST, compile_where
from voltrace.verdict import CAUSES, OUTCOMES

DOCS = Path(__file__).parents[1] / "docs" / "where.md"


def flow(service, name, attempt, state, duration, *tasks):
    return {
        "service": service,
        "name": name,
        "attempt": attempt,
        "state": state,
        "duration_s": duration,
        "tasks": [{"name": n, "state": states[-1], "states": states, "duration_s": d} for n, d, *states in tasks],
    }


# A request that failed on its first backend and succeeded on the second.
RETRIED = {
    "request_id": "req-11111111-1111-1111-1111-111111111111",
    "global_request_id": None,
    "operation": "volume-create",
    "outcome": "created",
    "cause": None,
    "gave_up": None,
    "failures": [
        {
            "service": "volume",
            "flow": "volume_create_manager",
            "task": "CreateVolumeFromSpecTask",
            "attempt": 1,
            "exception": "VolumeBackendAPIException",
            "message": "no space (left)",
        }
    ],
    "final_status": "available",
    "project": "admin",
    "user": "admin",
    "volume_id": "aaa",
    "volume_ids": ["aaa", "bbb"],
    "name": "null",
    "size_gb": 10,
    "volume_type": None,
    "availability_zone": "nova",
    "source": "blank",
    "http": {"method": "POST", "path": "/volume/v3/p/volumes", "status": 202},
    "start": "2026-11-22T13:07:44.839634Z",
    "end": "2026-11-22T13:07:48.001000Z",
    "duration_s": 3.161366,
    "attempts": 2,
    "backend": "controller@lvmdriver-2#lvmdriver-2",
    "flows": [
        flow("api", "volume_create_api", 1, "SUCCESS", 0.2, ("QuotaReserveTask", 0.05, "RUNNING", "SUCCESS"), ("VolumeCastTask", 0.01, "RUNNING", "SUCCESS")),
        flow("scheduler", "volume_create_scheduler", 1, "SUCCESS", 0.1, ("ScheduleCreateVolumeTask", 0.09, "RUNNING", "SUCCESS")),
        flow(
            "volume",
            "volume_create_manager",
            1,
            "REVERTED",
            1.5,
            ("OnFailureRescheduleTask", 0.2, "RUNNING", "SUCCESS", "REVERTING", "REVERTED"),
            ("CreateVolumeFromSpecTask", 1.2, "RUNNING", "FAILURE", "REVERTING", "REVERTED"),
        ),
        flow("scheduler", "volume_create_scheduler", 2, "SUCCESS", 0.1, ("ScheduleCreateVolumeTask", 0.09, "RUNNING", "SUCCESS")),
        flow("volume", "volume_create_manager", 2, "SUCCESS", 0.9, ("CreateVolumeFromSpecTask", 0.7, "RUNNING", "SUCCESS")),
    ],
    "handoffs": [
        {"from": "api", "to": "scheduler", "topic": "cinder-scheduler", "attempt": 1, "wait_s": 0.004},
        {"from": "scheduler", "to": "volume", "topic": "cinder-volume", "attempt": 1, "wait_s": 0.5},
        {"from": "volume", "to": "scheduler", "topic": "cinder-scheduler", "attempt": 2, "wait_s": None},
    ],
    "deviations": [],
    "diagnostics": [{"slug": "clock-step", "message": "the clock jumped"}],
}
# A request that the API refused: no other part than a failed quota task.
REFUSED = {
    "request_id": "req-22222222-2222-2222-2222-222222222222",
    "operation": "volume-create",
    "outcome": "refused",
    "cause": "over-quota",
    "user": "demo",
    "http": {"method": "POST", "path": "/v3/volumes", "status": 413},
    "duration_s": None,
    "volume_id": None,
    "volume_ids": [],
    "attempts": 0,
    "flows": [flow("api", "volume_create_api", 1, "REVERTED", None, ("QuotaReserveTask", None, "RUNNING", "FAILURE", "REVERTING", "REVERTED"))],
    "handoffs": [],
    "failures": [{"service": "api", "flow": "volume_create_api", "task": "QuotaReserveTask", "attempt": 1, "exception": "VolumeLimitExceeded"}],
    "deviations": [{"slug": "too-slow"}],
    "diagnostics": [],
}
# What INFO-only logs may leave: next to nothing.
BARE = {"request_id": "req-3", "outcome": "unknown", "cause": "log-ends", "flows": [], "handoffs": [], "failures": [], "deviations": [], "diagnostics": []}
REQUESTS = (RETRIED, REFUSED, BARE)


def matches(text):
    found = compile_where(text)
    return "".join(letter for letter, request in zip("tri", REQUESTS) if found(request))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("outcome = created", "t"),
        ("outcome = CREATED", "t"),
        ("outcome != created", "ri"),
        ("outcome in (created, refused)", "tr"),
        ("outcome not in (created, refused)", "i"),
        ("not outcome in (created, refused)", "i"),
        ("cause = null", "t"),
        ("cause != null", "ri"),
        ("cause in (null, log-ends)", "ti"),
        ("cause != over-quota", "ti"),
        ("user = admin and not outcome in (created, refused)", ""),
        ("user = ADMIN", ""),
        ("user ~ ADM", "t"),
        ("user !~ adm", "ri"),
        ("name = null", "ri"),
        ("name = 'null'", "t"),
        ('name = "null"', "t"),
        ("size_gb >= 10", "t"),
        ("size_gb < 10", ""),
        ("size_gb = 10.0", "t"),
        ("status = 413", "r"),
        ("http.status >= 200", "tr"),
        ("method = POST and path ~ ^/volume/", "t"),
        ("attempts = 0", "r"),
        ("backend = controller@lvmdriver-2#lvmdriver-2", "t"),
        ("request_id ~ ^req-2{8}-", "r"),
        ("volume_id = aaa", "t"),
        ("volume_id = bbb", "t"),
        ("volume_id = null", "ri"),
        ("outcome=created or(outcome=refused)", "tr"),
        ("outcome = created OR outcome = refused AND user = nobody", "t"),
        ("(outcome = created or outcome = refused) and user = demo", "r"),
    ],
)
def test_where__request_fields__matches(text, expected):
    assert matches(text) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("duration > 3s", "t"),
        ("duration > 3s161ms365us", "t"),
        ("duration = 3.161366s", "t"),
        ("duration <= 3161ms", ""),
        ("duration < 1h", "t"),
        ("duration = null", "ri"),
        ("start > 2026-11-22", "t"),
        ("start = 2026-11-22T13:07:44.839634Z", "t"),
        ("start < 2026-11-22T13:07:44.839634Z", ""),
        ("start < 2026-11-22T15:00:00+01:00", "t"),
        ("end >= '2026-11-22 13:07:48'", "t"),
        ("start = null", "ri"),
    ],
)
def test_where__durations_and_instants__matches(text, expected):
    assert matches(text) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("task ~ Quota", "tr"),
        ("task = QuotaReserveTask", "tr"),
        ("task = Quota", ""),
        ("task ~ Quota and state = FAILURE", "r"),
        ("task ~ Quota and state = failure", "r"),
        ("state = FAILURE", "tr"),
        ("flow = volume_create_manager and state = FAILURE", ""),
        ("flow ~ manager and task ~ Create and state = FAILURE", "t"),
        ("task ~ CreateVolume and attempt = 2 and state = FAILURE", ""),
        ("task ~ CreateVolume and attempt = 1 and state = FAILURE", "t"),
        ("service = volume and attempt >= 2", "t"),
        ("service = api and attempt >= 2", ""),
        ("task ~ Cast and duration > 1s", ""),
        ("task ~ Cast and duration < 1s", "t"),
        ("duration > 1s and task ~ FromSpec", "t"),
        ("service = volume and duration > 1400ms", "t"),
        ("service = volume and duration > 2s", ""),
        ("outcome = created and duration > 2s", "t"),
        ("task ~ FromSpec and (state = REVERT_FAILURE or duration > 1s)", "t"),
        ("(task ~ Cast or task ~ FromSpec) and duration > 1s", "t"),
        ("(task ~ Cast or user = admin) and duration > 1s", "t"),
        ("task ~ Quota and state != SUCCESS", "r"),
        ("task ~ Quota and state not in (SUCCESS)", "r"),
        ("task ~ Quota and not state = SUCCESS", "r"),
        ("not task ~ Quota", "i"),
        ("task = null", "i"),
        ("state = RUNNING and state not in (SUCCESS, FAILURE, REVERTED)", ""),
    ],
)
def test_where__flows_and_tasks__joined_on_one_part(text, expected):
    assert matches(text) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("wait > 100ms", "t"),
        ("wait > 100ms and service = volume", "t"),
        ("wait > 100ms and service = scheduler", ""),
        ("wait = null", "tri"),
        ("topic = cinder-volume and attempt = 2", ""),
        ("wait = null and attempt = 2", "t"),
        ("exception = VolumeLimitExceeded", "r"),
        ("exception ~ exceeded and task ~ Quota", "r"),
        ("exception ~ exceeded and task ~ Cast", ""),
        ("exception ~ backend and attempt = 1 and service = volume", "t"),
        ("exception ~ backend and attempt = 2", ""),
        ("exception ~ backend and duration > 3s", "t"),
        ("exception ~ backend and wait > 100ms", "t"),
        ("exception != null", "tr"),
        ("message ~ '\\(left\\)'", "t"),
        ("exception ~ backend and task ~ FromSpec and state = REVERTED", "t"),
        ("deviation = too-slow", "r"),
        ("deviation = null", "ti"),
        ("deviation != null", "r"),
        ("diagnostic = clock-step", "t"),
        ("diagnostic ~ clock and service = volume", "t"),
        ("deviation in (too-slow) and task ~ Quota", "r"),
    ],
)
def test_where__other_parts__matches(text, expected):
    assert matches(text) == expected


@pytest.mark.parametrize(
    "text, column, says",
    [
        ("", 1, "expected a field, 'not' or '('"),
        ("outcome = ", 11, "expected a value after '='"),
        ("outcome =", 10, "expected a value after '='"),
        ("outcome", 8, "expected = != ~ !~ < <= > >= 'in' or 'not in' after 'outcome'"),
        ("outcome = and", 11, "expected a value after '='"),
        ("outcome == failed", 10, "expected a value after '='"),
        ("outcome in", 11, "expected '(' after 'in'"),
        ("outcome in ()", 13, "expected a value after '('"),
        ("outcome in (failed created)", 20, "expected ',' or ')' after 'failed'"),
        ("outcome not = failed", 13, "expected 'in' after 'not'"),
        ("outcome = failed cause = null", 18, "expected 'and', 'or' or the end after 'failed'"),
        ("outcome = failed)", 17, "expected 'and', 'or' or the end after 'failed'"),
        ("(outcome = failed", 18, "expected 'and', 'or' or ')' after 'failed'"),
        ("outcome = failed and", 21, "expected a field, 'not' or '(' after 'and'"),
        ("name = 'my", 8, "the quote ' that begins here is not closed"),
        ("name = a b", 10, "expected 'and', 'or' or the end after 'a'"),
        ("task ~ (a|b)", 8, "quote a value that holds spaces, brackets"),
        ("\toutcome =\t", 12, "expected a value after '='"),
        ("otucome = failed", 1, "no field 'otucome'; did you mean 'outcome'?"),
        ("zzz = 1", 1, "no field 'zzz'; the fields are request_id,"),
        ("outcome = craeted", 11, "'craeted' is no outcome; did you mean 'created'?"),
        ("user = a and outcome in (failed, craeted)", 34, "did you mean 'created'?"),
        ("cause = over-quotta", 9, "did you mean 'over-quota'?"),
        ("service = zz", 11, "'zz' is no service; expected one of api, scheduler, volume"),
        ("state = SUCESS", 9, "did you mean 'SUCCESS'?"),
        ("deviation = slow", 13, "is no deviation; did you mean 'too-slow'?"),
        ("user < 5", 6, "user is text and has no order"),
        ("outcome > null", 9, "outcome is text and has no order"),
        ("size_gb ~ 3", 9, "size_gb is a number"),
        ("start ~ 2026", 7, "start is an instant"),
        ("size_gb = ten", 11, "expected a number such as 2 for size_gb, found 'ten'"),
        ("duration > 2", 12, "expected a duration with its unit such as 2s"),
        ("duration > null", 12, "expected a duration"),
        ("start > yesterday", 9, "expected an instant such as 2026-01-05T09:00:00Z"),
        ("start > 2026-13-05", 9, "expected an instant"),
        ("task ~ 'a(b'", 10, "expected a regular expression: missing ), unterminated subpattern"),
        ("task ~ *", 8, "expected a regular expression: nothing to repeat"),
        ("task ~ '(a+)+b'", 8, "without a repeated group"),
        ("task ~ '((a|b)c)*'", 8, "without a repeated group"),
        (f"task ~ {'x' * 201}", 8, "at most 200 characters"),
        ("(" * 30 + "user = x" + ")" * 30, 21, "no more than 20 parentheses"),
    ],
)
def test_where__nonsense__one_line_with_column(text, column, says):
    with pytest.raises(UsageError) as error:
        compile_where(text)
    line = str(error.value)
    assert line.startswith(f"--where: column {column}: ")
    assert says in line
    assert "\n" not in line


def test_where__deepest_allowed__parses():
    assert compile_where("(" * MAX_DEPTH + "user = admin" + ")" * MAX_DEPTH)(RETRIED)
    assert compile_where("not " * 1000 + "user = admin")(RETRIED)


def test_where__too_many_alternatives__refused():
    pair = "(user = a or user = b)"
    assert not compile_where(" and ".join([pair] * 8))(RETRIED)
    with pytest.raises(UsageError, match=f"more than {MAX_ALTERNATIVES} alternatives"):
        compile_where(" and ".join([pair] * 9))
    with pytest.raises(UsageError, match="alternatives"):
        compile_where(" or ".join(["user = a"] * (MAX_ALTERNATIVES + 1)))


def test_where__too_long__refused():
    with pytest.raises(UsageError, match="longer than"):
        compile_where("user = " + "x" * 10_000)


def test_where__import__leaves_pyparsing_alone():
    import subprocess
    import sys

    code = "import sys, voltrace.query; sys.exit('pyparsing' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# -- the docs ----------------------------------------------------------------------------------------------------------


def test_docs__examples__parse():
    block = DOCS.read_text("utf-8").split("```")[1]
    examples = [line for line in block.splitlines() if line]
    assert len(examples) > 8
    for example in examples:
        compile_where(example)


def test_docs__fields__are_those_of_the_language():
    rows = [line for line in DOCS.read_text("utf-8").splitlines() if line.startswith("| `")]
    named = {word for row in rows for word in re.findall(r"`([a-z_.]+)`", row.split("|")[1] + (row if "also" in row else ""))}
    assert set(FIELDS) <= named
    assert set(ALIASES) <= named


def test_docs__errors__are_what_the_language_says():
    block = DOCS.read_text("utf-8").split("```text")[1].split("```")[0].strip().splitlines()
    for line, text in zip(block, ("outcome = ", "outcome = craeted"), strict=True):
        with pytest.raises(UsageError, match=re.escape(line)):
            compile_where(text)


# -- laws --------------------------------------------------------------------------------------------------------------

words = st.text(string.ascii_letters + string.digits + "-_.@#", min_size=1, max_size=8).filter(lambda w: w.lower() not in ("and", "or", "not", "in"))
scalars = st.one_of(
    st.builds("outcome {} {}".format, st.sampled_from(["=", "!="]), st.sampled_from([*OUTCOMES, "null"])),
    st.builds("cause {} ({}, null)".format, st.sampled_from(["in", "not in"]), st.sampled_from(list(CAUSES))),
    st.builds("user {} {}".format, st.sampled_from(["=", "!=", "~", "!~"]), st.sampled_from(["admin", "demo", "a", "m$"])),
    st.builds("size_gb {} {}".format, st.sampled_from(["<", "<=", ">", ">=", "="]), st.integers(0, 20)),
    st.builds("duration {} {}ms".format, st.sampled_from(["<", "<=", ">", ">="]), st.integers(0, 5000)),
    st.builds("http.status {} {}".format, st.sampled_from(["<", ">="]), st.sampled_from([202, 400, 413])),
)
parts = st.one_of(
    st.builds("task {} {}".format, st.sampled_from(["=", "!=", "~", "!~"]), st.sampled_from(["Quota", "Cast", "VolumeCastTask"])),
    st.builds("state {} {}".format, st.sampled_from(["=", "!="]), st.sampled_from(["RUNNING", "FAILURE", "SUCCESS"])),
    st.builds("attempt {} {}".format, st.sampled_from(["<", "=", ">="]), st.integers(1, 3)),
    st.builds("service = {}".format, st.sampled_from(["api", "scheduler", "volume"])),
    st.builds("wait > {}ms".format, st.integers(0, 600)),
    st.builds("exception ~ {}".format, st.sampled_from(["backend", "exceeded"])),
)


def expressions(leaves):
    def grow(inner):
        joined = st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        return st.one_of(joined, st.builds("not {}".format, inner))

    return st.recursive(leaves, grow, max_leaves=5)


def same(one, other):
    first, second = compile_where(one), compile_where(other)
    return all(first(request) is second(request) for request in REQUESTS)


@given(expressions(scalars), expressions(scalars))
def test_law__de_morgan_on_request_fields__holds(a, b):
    assert same(f"not (({a}) and ({b}))", f"not ({a}) or not ({b})")
    assert same(f"not (({a}) or ({b}))", f"not ({a}) and not ({b})")


@given(expressions(st.one_of(scalars, parts)), expressions(st.one_of(scalars, parts)))
def test_law__any_fields__negation_and_order_do_not_matter(a, b):
    assert same(f"not not ({a})", a)
    assert same(f"({a}) and not not ({b})", f"({a}) and ({b})")
    assert same(f"({a}) and ({b})", f"({b}) and ({a})")
    assert same(f"({a}) or ({b})", f"({b}) or ({a})")
    assert same(f"({a}) and ({a})", a)


@given(st.one_of(scalars, parts), st.one_of(scalars, parts))
def test_law__any_fields__neither_nor(a, b):
    assert same(f"not ({a} or {b})", f"not {a} and not {b}")


@given(expressions(st.one_of(scalars, parts)))
def test_law__excluded_middle__holds(a):
    assert same(f"({a}) or not ({a})", "request_id != null")
    assert not any(compile_where(f"({a}) and not ({a})")(r) for r in REQUESTS)


@given(st.sampled_from([f for f in FIELDS.values() if f.part == REQUEST and f.type == "text" and not f.choices]), st.lists(words, min_size=1, max_size=4))
def test_law__in__is_or_of_equals(field, values):
    assert same(f"{field.name} in ({', '.join(values)})", " or ".join(f"{field.name} = {v}" for v in values))
    assert same(f"{field.name} not in ({', '.join(values)})", f"not {field.name} in ({', '.join(values)})")


@given(st.text(max_size=60))
def test_law__quoted_name__matches_itself(name):
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert compile_where(f"name = {quoted}")({"name": name})
    assert not compile_where(f"name = {quoted}")({"name": name + "x"})


def survives(text):
    try:
        found = compile_where(text)
    except UsageError as error:
        assert str(error).startswith("--where: ")
        assert len(str(error).splitlines()) == 1
        return
    for request in REQUESTS:
        assert found(request) in (True, False)


@given(st.text(max_size=200))
def test_law__any_text__usage_error_at_worst(text):
    survives(text)


OPERATORS = ["=", "!=", "~", "!~", "<", "<=", ">", ">=", "(", ")", ",", "and", "or", "not", "in"]
VALUES = ["null", "2s", "5", "1h", "created", "FAILURE", "volume", "2026-01-05", "(a+", "[", "*", "é"]
LEXEMES = [*FIELDS, *ALIASES, *OPERATORS, *OPERATORS, *VALUES, "'", '"', "\\", "\t", "\n", "\x00", "\x0b"]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(LEXEMES), max_size=30), st.sampled_from(["", " "]))
def test_law__any_lexemes__usage_error_at_worst(lexemes, glue):
    survives(glue.join(lexemes))


@given(st.text("()[]{}*+?|\\^$.abn019,-", max_size=30))
def test_law__any_pattern__usage_error_at_worst(pattern):
    quoted = '"' + pattern.replace("\\", "\\\\") + '"'
    survives(f"task ~ {quoted}")

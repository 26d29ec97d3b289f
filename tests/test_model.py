"""`voltrace model`: the lifecycle in every format, with nothing invented and nothing left out."""

import json
import re
import shutil
import subprocess

import pytest

from voltrace.cli.main import main
from voltrace.formats import RELEASES
from voltrace.lifecycle import FLOW_TRANSITIONS, TASK_TRANSITIONS, VARIANTS, VOLUME_CREATE, describe

TASKS = [task for flow in VOLUME_CREATE.flows for task in flow.tasks]


@pytest.fixture
def model(capsys):
    def run(*args):
        assert main(["model", *args]) == 0
        return capsys.readouterr().out

    return run


def test_text__volume_create__flows_tasks_casts_and_transitions_in_order(model):
    out = model()
    assert out.startswith("volume-create: 3 flows and 3 casts, begun once a request\n")
    places = [out.index(task.name + " ") for task in TASKS]
    assert places == sorted(places)
    for task in TASKS:
        assert task.does in out
        assert task.revert is None or f"revert: {task.revert}" in out
    for cast in VOLUME_CREATE.casts:
        assert f"cast: when {cast.task} enters {cast.state}, {cast.reason}" in out
    for transition in (*FLOW_TRANSITIONS, *TASK_TRANSITIONS):
        assert re.search(rf"^  {transition.old} +→ {transition.new} +{transition.level} +{re.escape(transition.reason)}$", out, re.M)


def test_text__group_create__no_cast(model):
    out = model("--operation", "group-create")
    assert out.startswith("group-create: 1 flow and no casts, begun once a volume\n")
    assert "VolumeCastTask" not in out and "cast:" not in out


def test_json__any_operation__is_describe(model):
    for name, lifecycle in VARIANTS.items():
        assert json.loads(model("--format", "json", "--operation", name)) == describe(lifecycle)


def test_json__release__adds_source_lines(model):
    found = json.loads(model("--format", "json", "--release", "queens"))
    lines = {place["row"]: place for place in found.pop("source_lines")}
    assert found == describe(VOLUME_CREATE)
    assert lines["flow-transition-api"] == {"row": "flow-transition-api", "function": "_flow_receiver", "where": "taskflow/listeners/logging.py:145"}
    assert lines["task-transition-volume"]["where"] == "taskflow/listeners/logging.py:194"
    assert lines["task-transition-result-scheduler"]["where"] == "taskflow/listeners/logging.py:183"


# taskflow/listeners/logging.py: the line of a flow's transition, a task's without result, a task's with result.
@pytest.mark.parametrize("release, flow, task, result", [("yoga", 141, 190, 178), ("2025.1", 141, 190, 178), ("2026.1", 145, 194, 182)])
def test_text__release__source_lines_of_that_release(model, release, flow, task, result):
    out = model("--release", release)
    for key, line in (("flow-transition-api", flow), ("task-transition-api", task), ("task-transition-result-api", result)):
        assert re.search(rf"^  {key} .*logging\.py:{line}$", out, re.M)


def test_release__every_known_one__is_accepted_in_every_format(model):
    for release in RELEASES:
        for form in ("text", "dot", "mermaid", "json"):
            assert "taskflow/listeners/logging.py:" in model("--release", release, "--format", form)


def test_release__unknown__one_line_that_names_them_all(capsys):
    assert main(["model", "--release", "zed"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"voltrace model: no release 'zed'; there are {', '.join(RELEASES)}\n"


@pytest.mark.parametrize("args", [("--format", "svg"), ("--operation", "delete"), ("surplus",)])
def test_options__nonsense__one_line_and_status_2(capsys, args):
    assert main(["model", *args]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


DOT_ID = r'"(?:[^"\\]|\\.)*"'


def edges_of_dot(text):
    for line in text.splitlines():
        chain = re.match(rf"\s*({DOT_ID}(?: -> {DOT_ID})+)", line)
        if chain:
            names = [name.strip('"') for name in chain[1].split(" -> ")]
            yield from zip(names, names[1:])


def expected_edges(operation, task_name, state_name):
    """The tasks' order and the transitions, named as the drawing names them."""
    flows = VARIANTS[operation].flows
    orders = [[task_name(flow.name, task.name) for task in flow.tasks] for flow in flows]
    edges = {edge for order in orders for edge in zip(order, order[1:])}
    for kind, transitions in (("flow", FLOW_TRANSITIONS), ("task", TASK_TRANSITIONS)):
        edges |= {(state_name(kind, t.old), state_name(kind, t.new)) for t in transitions}
    return edges


@pytest.mark.parametrize("operation", VARIANTS)
def test_dot__edges__order_casts_and_transitions(model, operation):
    out = model("--format", "dot", "--operation", operation)
    edges = list(edges_of_dot(out))
    expected = expected_edges(operation, lambda f, t: f"{f}/{t}", lambda k, s: f"{k} {s}")
    firsts = {flow.name: flow.tasks[0].name for flow in VARIANTS[operation].flows}
    casts = {(f"{c.sender}/{c.task}", f"{c.receiver}/{firsts[c.receiver]}") for c in VARIANTS[operation].casts}
    assert set(edges) == expected | casts
    assert len(edges) == len(set(edges))
    declared = set(re.findall(rf"^\s*({DOT_ID}) \[label", out, re.M))
    assert {f'"{end}"' for edge in edges for end in edge} <= declared
    assert out.count("{") == out.count("}") and re.sub(DOT_ID, "", out).count('"') == 0


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("operation", VARIANTS)
def test_dot__graphviz__draws_it_without_a_word(model, operation):
    drawn = subprocess.run(["dot", "-Tsvg"], input=model("--format", "dot", "--operation", operation, "--release", "2026.1"), capture_output=True, text=True)
    assert (drawn.returncode, drawn.stderr) == (0, "")
    assert "<svg" in drawn.stdout


# One statement of a Mermaid flowchart a line, of the kinds that are used here.
MERMAID = re.compile(
    r"""flowchart\ TB | \s+%%\ .* | \s+direction\ (TB|LR) | \s+end | \s+subgraph\ \w+\["[^"]*"\] | \s+\w+\["[^"]*"\] | \s+\w+\(\["[^"]*"\]\)
      | \s+\w+\ -->\ \w+ | \s+\w+\ (-->|-\.->)\|"[^"]*"\|\ \w+""",
    re.X,
)


@pytest.mark.parametrize("operation", VARIANTS)
def test_mermaid__statements_and_edges__valid_and_complete(model, operation):
    out = model("--format", "mermaid", "--operation", operation, "--release", "2026.1")
    lines = out.splitlines()
    assert lines[0] == "flowchart TB"
    assert all(MERMAID.fullmatch(line) for line in lines)
    assert sum(" subgraph " in line for line in lines) == sum(line.strip() == "end" for line in lines)
    edges = {(m[1], m[2]) for m in re.finditer(r'^\s+(\w+) (?:-->|-\.->)(?:\|"[^"]*"\|)? (\w+)$', out, re.M)}
    expected = expected_edges(operation, lambda f, t: f"{f}_{t}", lambda k, s: f"{k}_{s}")
    assert edges == expected | {(f"{c.sender}_{c.task}", c.receiver) for c in VARIANTS[operation].casts}


def test_help__example__is_given(capsys):
    with pytest.raises(SystemExit) as status:
        main(["model", "--help"])
    assert status.value.code == 0
    assert "example: voltrace model --format dot" in capsys.readouterr().out

"""Draws a lifecycle, as `lifecycle.describe` gives it: for the terminal, for Graphviz and for Mermaid.

``sources`` are the places in the code that a release's transition lines name: (catalogue row, function, ``path:line``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

Sources = list[tuple[str, str, str]]


def draw_text(model: dict, sources: Sources) -> str:
    """The lifecycle to be read in a terminal."""
    runs = "once a request" if model["runs"] == "once" else model["runs"]
    blocks = [f"{model['operation']}: {_count(model['flows'], 'flow')} and {_count(model['casts'], 'cast')}, begun {runs}"]
    for flow in model["flows"]:
        casts = [cast for cast in model["casts"] if cast["from"] == flow["name"]]
        blocks.append("\n".join(_flow_lines(flow, casts)))
    blocks.append(_transition_block("transitions of a flow", model["flow_transitions"]))
    blocks.append(_transition_block("transitions of a task", model["task_transitions"]))
    if sources:
        blocks.append("\n".join(["source lines in the debug suffix", *_columns([(f"  {row}", function, place) for row, function, place in sources])]))
    return "\n\n".join(blocks) + "\n"


def _count(things: list, word: str) -> str:
    return f"{len(things) or 'no'} {word}{'s' if len(things) != 1 else ''}"


def _flow_lines(flow: dict, casts: list[dict]) -> list[str]:
    lines = [f"{flow['service']}: flow {flow['name']} (logger {flow['logger']})"]
    rows = []
    for number, task in enumerate(flow["tasks"], 1):
        rows.append((f"  {number} {task['name']}", task["does"]))
        if task["revert"]:
            rows.append(("", f"revert: {task['revert']}"))
    lines += _columns(rows)
    for cast in casts:
        lines.append(f"  cast: when {cast['task']} enters {cast['state']}, {cast['reason']}")
        lines.append(f"        topic {cast['topic']}, starts {cast['to']} of the {cast['attempt']} attempt")
    return lines


def _transition_block(title: str, transitions: list[dict]) -> str:
    rows = [(f"  {t['from']}", f"→ {t['to']}", t["level"], t["reason"]) for t in transitions]
    return "\n".join([title, *_columns(rows)])


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def draw_dot(model: dict, sources: Sources) -> str:
    """The lifecycle as a Graphviz digraph: tasks in order, casts dashed, and the two state machines."""
    lines = [f"digraph {_quote(model['operation'])} {{", *(f"  // {row}: {function} {place}" for row, function, place in sources)]
    lines += ["  rankdir=TB; compound=true;", '  graph [fontname="sans-serif"]; node [shape=box, fontname="sans-serif"]; edge [fontname="sans-serif"];']
    for flow in model["flows"]:
        names = [f"{flow['name']}/{task['name']}" for task in flow["tasks"]]
        lines.append(f"  subgraph {_quote('cluster_' + flow['name'])} {{")
        lines.append(f"    label={_quote(flow['service'] + ': ' + flow['name'])};")
        lines += [f"    {_quote(name)} [label={_quote(task['name'])}, tooltip={_quote(task['does'])}];" for name, task in zip(names, flow["tasks"])]
        lines += [f"    {' -> '.join(_quote(name) for name in names)};", "  }"]
    for cast in model["casts"]:
        first = next(flow["tasks"][0]["name"] for flow in model["flows"] if flow["name"] == cast["to"])
        ends = f"{_quote(cast['from'] + '/' + cast['task'])} -> {_quote(cast['to'] + '/' + first)}"
        lines.append(
            f"  {ends} [style=dashed, label={_quote(_cast_label(cast))}, lhead={_quote('cluster_' + cast['to'])}, constraint={_forward(model, cast)}];"
        )
    for kind in ("flow", "task"):
        lines += [f"  subgraph {_quote(f'cluster_{kind}_transitions')} {{", f"    label={_quote(f'transitions of a {kind}')}; node [shape=ellipse];"]
        transitions = model[f"{kind}_transitions"]
        lines += [f"    {_quote(f'{kind} {state}')} [label={_quote(state)}];" for state in _states(transitions)]
        for t in transitions:
            ends = f"{_quote(kind + ' ' + t['from'])} -> {_quote(kind + ' ' + t['to'])}"
            lines.append(f"    {ends} [label={_quote(t['level'])}, tooltip={_quote(t['reason'])}];")
        lines.append("  }")
    return "\n".join([*lines, "}"]) + "\n"


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _cast_label(cast: dict) -> str:
    return f"cast on {cast['state']}, {cast['attempt']} attempt: {cast['reason']}"


def _forward(model: dict, cast: dict) -> str:
    order = [flow["name"] for flow in model["flows"]]
    return "true" if order.index(cast["to"]) > order.index(cast["from"]) else "false"


def _states(transitions: list[dict]) -> list[str]:
    return list(dict.fromkeys(state for t in transitions for state in (t["from"], t["to"])))


def draw_mermaid(model: dict, sources: Sources) -> str:
    """The lifecycle as a Mermaid flowchart, as Markdown pages show it."""
    lines = ["flowchart TB", *(f"  %% {row}: {function} {place}" for row, function, place in sources)]
    for flow in model["flows"]:
        lines += [f"  subgraph {flow['name']}[{_label(flow['service'] + ': ' + flow['name'])}]", "    direction TB"]
        ids = [f"{flow['name']}_{task['name']}" for task in flow["tasks"]]
        lines += [f"    {id}[{_label(task['name'])}]" for id, task in zip(ids, flow["tasks"])]
        lines += [f"    {old} --> {new}" for old, new in zip(ids, ids[1:])]
        lines.append("  end")
    for cast in model["casts"]:
        lines.append(f"  {cast['from']}_{cast['task']} -.->|{_label(_cast_label(cast))}| {cast['to']}")
    for kind in ("flow", "task"):
        lines += [f"  subgraph {kind}_transitions[{_label(f'transitions of a {kind}')}]", "    direction LR"]
        transitions = model[f"{kind}_transitions"]
        lines += [f"    {kind}_{state}([{_label(state)}])" for state in _states(transitions)]
        lines += [f"    {kind}_{t['from']} -->|{_label(t['level'])}| {kind}_{t['to']}" for t in transitions]
        lines.append("  end")
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return '"' + text.replace('"', "#quot;") + '"'


def draw_json(model: dict, sources: Sources) -> str:
    """The lifecycle as one JSON object, for programs."""
    places = [{"row": row, "function": function, "where": place} for row, function, place in sources]
    return json.dumps({**model, "source_lines": places} if places else model, indent=2, ensure_ascii=False) + "\n"


DRAWINGS = {"text": draw_text, "dot": draw_dot, "mermaid": draw_mermaid, "json": draw_json}

"""The house rules: who may know whom, what may be imported at start-up, and what no file may mention."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "voltrace"

# room -> the rooms and spine modules that it may import. The spine is in layers: each may know those above it.
SPINE = ["errors", "collector", "kernel", "lifecycle", "trace", "verdict", "profile", "formats", "messages", "query", "encode", "measure", "corrected"]
MAY_KNOW = {
    "errors": [],
    "collector": [],
    "kernel": [],
    "lifecycle": [],
    "trace": ["lifecycle"],
    "verdict": ["trace"],
    "profile": ["errors"],
    "formats": ["lifecycle"],
    "messages": ["formats"],
    "query": ["errors", "verdict", "lifecycle"],
    "corrected": ["trace"],
    "encode": ["trace", "verdict", "measure", "corrected"],
    "measure": ["trace", "lifecycle"],
    "explain": ["errors", "verdict"],
    "sim": [*SPINE],
    "parse": [*SPINE],
    "check": [*SPINE],
    "report": [*SPINE],
}
# Costly libraries, and the only rooms that may import them.
HOMES = {
    "simpy": {"sim"},
    "jinja2": {"report"},
    "matplotlib": {"report"},
    "pandas": {"report", "learn"},
    "pyparsing": {"query", "parse"},
    "dask": {"parse"},
    "distributed": {"parse"},
    "fsspec": {"parse"},
}


def _modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, path.relative_to(PACKAGE).with_suffix("").parts


def _room(parts):
    return "__init__" if parts == ("__init__",) else parts[0]


def _imports(path, parts):
    """(room imported, name of outside library imported, line) of every import in a module, also inside functions."""
    tree = ast.parse(path.read_text())
    package = ("voltrace", *(parts[:-1]))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
                full = (*base, *(node.module.split(".") if node.module else ()))
            else:
                full = tuple((node.module or "").split("."))
            if full[0] == "voltrace":
                rooms = [full[1]] if len(full) > 1 else [alias.name for alias in node.names]
                for room in rooms:
                    yield room, None, node.lineno
            else:
                yield None, full[0], node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                names = alias.name.split(".")
                yield (names[1], None, node.lineno) if names[0] == "voltrace" and len(names) > 1 else (None, names[0], node.lineno)


def test_import_plan__every_module__knows_only_who_it_may_know():
    broken = []
    for path, parts in _modules():
        room = _room(parts)
        if room in ("cli", "__init__"):
            continue
        allowed = {*MAY_KNOW[room], room, "__version__"}
        for known, _, line in _imports(path, parts):
            if known is not None and known not in allowed:
                broken.append(f"{path.relative_to(ROOT)}:{line}: {room} may not know {known}")
    assert not broken, "\n".join(broken)


def test_import_plan__every_room__has_a_rule():
    rooms = {_room(parts) for _, parts in _modules()} - {"cli", "__init__"}
    assert rooms <= set(MAY_KNOW)


def test_libraries__costly_ones__stay_in_their_homes():
    broken = []
    for path, parts in _modules():
        for _, library, line in _imports(path, parts):
            if library in HOMES and _room(parts) not in HOMES[library]:
                broken.append(f"{path.relative_to(ROOT)}:{line}: {library} belongs to {sorted(HOMES[library])}")
    assert not broken, "\n".join(broken)


def test_import_plan__modules_of_the_package__have_no_cycles():
    names = {".".join(("voltrace", *(p[:-1] if p[-1] == "__init__" else p))): (path, p) for path, p in _modules()}
    edges = {}
    for name, (path, parts) in names.items():
        tree = ast.parse(path.read_text())
        package = ("voltrace", *parts[:-1])
        targets = set()
        for node in tree.body:  # imports inside functions run later and close no cycle at import time
            if isinstance(node, ast.ImportFrom) and node.level:
                base = package[: len(package) - node.level + 1]
                full = ".".join((*base, *(node.module.split(".") if node.module else ())))
                targets |= {t for t in [full, *(f"{full}.{a.name}" for a in node.names)] if t in names}
        edges[name] = targets - {name}
    state = {}

    def visit(name, trail):
        if state.get(name) == "done":
            return
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        for target in edges[name]:
            if target != "voltrace" and not name.startswith(target + "."):
                visit(target, [*trail, name])
        state[name] = "done"

    for name in edges:
        visit(name, [])


@pytest.mark.parametrize("argv", [["--help"], ["trace", "--help"], ["check", "--help"]])
def test_start_up__help__imports_nothing_heavy(argv):
    code = f"import sys\nfrom voltrace.cli.main import main\ntry:\n    main({argv!r})\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pandas", "matplotlib", "jinja2", "simpy", "pyparsing", "numpy", "dask", "distributed", "fsspec"} & set(done.stderr.split())


def test_start_up__trace_of_a_small_file__imports_nothing_heavy():
    log = ROOT / "sample_logs" / "created" / "c-api.log"
    code = f"import sys\nfrom voltrace.cli.main import main\nmain(['trace', {str(log)!r}, '--format', 'jsonl'])\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pandas", "matplotlib", "jinja2", "simpy", "pyparsing", "dask", "distributed", "fsspec"} & set(done.stderr.split())


def test_modules__every_one__says_in_its_docstring_what_it_is():
    silent = [str(path.relative_to(ROOT)) for path, _ in _modules() if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent


def test_names__modules__are_no_catch_alls():
    bad = {"utils", "helpers", "manager", "common", "base", "misc"}
    assert not [str(path) for path, parts in _modules() if parts[-1] in bad]


def test_files__none__speaks_of_the_machine_it_was_written_on():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    pattern = re.compile(r"(?:^|[^A-Za-z])/w[o]rk/|[.]librar[y]\b")
    bad = []
    for name in listed.stdout.split():
        path = ROOT / name
        if path.suffix in (".py", ".md", ".toml", ".tsv", "") and path.is_file() and path != Path(__file__):
            bad += [f"{name}: {m[0]}" for m in pattern.finditer(path.read_text(errors="replace"))]
    assert not bad

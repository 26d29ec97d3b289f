"""docs/hazards.md: every hazard is there, and held by tests that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROWS = re.findall(r"(?m)^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", (ROOT / "docs" / "hazards.md").read_text())


def test_hazards__numbers__are_all_there_once():
    assert [int(number) for number, _, _ in ROWS] == list(range(1, 30))


def test_hazards__tests_named__exist():
    trees = (ast.parse(path.read_text()) for path in (ROOT / "tests").rglob("test_*.py"))
    known = {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for number, _, tests in ROWS:
        named = re.findall(r"`(\w+)`", tests)
        assert named and set(named) <= known, (number, sorted(set(named) - known))


def test_hazards__tests_of_their_own__are_all_named():
    """What tests/parse/test_hazards.py holds is on the page."""
    tree = ast.parse((ROOT / "tests" / "parse" / "test_hazards.py").read_text())
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    assert own <= {name for _, _, tests in ROWS for name in re.findall(r"`(\w+)`", tests)}

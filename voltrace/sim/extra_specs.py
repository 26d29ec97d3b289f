"""Extra specs against capabilities, compared as Cinder's CapabilitiesFilter does (cinder.scheduler.filters, Queens to 2026.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_TRUE = frozenset(("1", "t", "true", "on", "y", "yes"))  # what oslo.utils takes for true


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first extra spec that a pool does not satisfy: what it reports for it, or None if it ``lacks`` that capability altogether."""

    key: str
    required: str
    capability: Any = None
    lacks: str = ""


def first_mismatch(specs: dict[str, str], capabilities: dict[str, Any]) -> Mismatch | None:
    """The first extra spec that the capabilities do not satisfy, None if all hold. Keys of a vendor's own scope are not compared."""
    for key, required in specs.items():
        scope = key.split(":")
        if scope[0] == "capabilities":
            del scope[0]
        elif len(scope) > 1:
            continue
        capability: Any = capabilities
        for name in scope:
            if not isinstance(capability, dict) or name not in capability:
                return Mismatch(key, required, lacks=name)
            capability = capability[name]
        if not any(satisfies(value, required) for value in (capability if isinstance(capability, list) else [capability])):
            return Mismatch(key, required, capability)
    return None


def satisfies(value: Any, required: str) -> bool:
    """Whether a capability's value is what an extra spec requires: the same text, or what the operator in front of it says."""
    operator, *words = required.split() or [""]
    if operator == "<or>":
        return value in words[::2]
    compare = _OPERATORS.get(operator)
    if compare is None:
        return value == required
    if value is None or not words:
        return False
    try:
        return bool(compare(value, words[0]))
    except (ValueError, TypeError):  # a text where a number is asked for; Python 2 compared even those
        return False


def _true(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).strip().lower() in _TRUE


_OPERATORS: dict[str, Callable[[Any, str], bool]] = {
    "=": lambda a, b: float(a) >= float(b),  # at least, for historical reasons
    "==": lambda a, b: float(a) == float(b),
    "!=": lambda a, b: float(a) != float(b),
    ">=": lambda a, b: float(a) >= float(b),
    "<=": lambda a, b: float(a) <= float(b),
    "<in>": lambda a, b: b in a,
    "<is>": lambda a, b: _true(a) is _true(b),
    "s==": lambda a, b: a == b,
    "s!=": lambda a, b: a != b,
    "s<": lambda a, b: a < b,
    "s<=": lambda a, b: a <= b,
    "s>": lambda a, b: a > b,
    "s>=": lambda a, b: a >= b,
}

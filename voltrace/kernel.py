"""The compiled kernels: loops over bytes that Python is slow at, each beside a pure module that does the same, byte for byte."""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

# Set to anything, it switches the kernels off: for tests, and to find out whether a kernel is at fault.
PURE = "VOLTRACE_PURE"
KERNELS = ("parse._scan", "parse._json", "parse._rows", "parse._ids", "parse._alike", "sim._draws", "sim._fill", "sim._form")


def load(name: str) -> ModuleType | None:
    """The kernel of this name (one of `KERNELS`); None if it was not built, or is switched off."""
    if os.environ.get(PURE):
        return None
    try:
        return import_module(f".{name}", __package__)
    except ImportError:
        return None


def in_use() -> str:
    """``compiled``, ``partly compiled`` or ``pure Python``: which way the bulk work goes."""
    loaded = sum(load(name) is not None for name in KERNELS)
    return "compiled" if loaded == len(KERNELS) else "partly compiled" if loaded else "pure Python"

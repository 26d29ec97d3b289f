"""What an expression is made of once it is read, and how its errors point at their column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from .fields import Field


@dataclass(frozen=True, slots=True)
class Token:
    """A word or quoted string and the offset at which it begins."""

    text: str
    at: int
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    field: Field
    op: str
    test: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Not:
    inner: Any


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple


def error_at(at: int, message: str) -> UsageError:
    return UsageError(f"--where: column {at + 1}: {message}")


def show(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")

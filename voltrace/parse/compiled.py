"""Sources of which a compiled kernel reads what looks as it should: what it asks of the careful way, and is told by it."""

from __future__ import annotations

from typing import Any

from .. import kernel
from ..messages import Row
from ..trace import Kind
from .finders import compile_finder
from .headers import widen
from .records import Records
from .tables import Header

LINES, ENTRIES = ("parse._scan", "LineKernel"), ("parse._json", "EntryKernel")


class Compiled(Records):
    """Reads records with the help of a kernel, if there is one. A child class says where the kernel stands in its way."""

    _kernel: Any = None

    def _make_kernel(self, which: tuple[str, str]) -> Any:
        """The kernel of this module and name, None if it was not built or is switched off."""
        shared, own = kernel.load(LINES[0]), kernel.load(which[0])
        if shared is None or own is None:
            return None
        self._pending = shared.Workers()
        return getattr(own, which[1])(self, self._pending)

    def settle(self) -> None:
        """Add what was counted of records to the scan."""
        super().settle()
        if self._kernel is not None:
            self._kernel.settle()

    def _teach_header(self, key: bytes, bracket: int, header: Header) -> None:
        """Tell the kernel of a header: ``key`` goes up to the end of the bracket's inside, which begins at ``bracket``."""
        if self._kernel is not None:
            self._kernel.learn(key, bracket, header, self._is_api(header.process, header.logger), self._may_be_api(header.process))

    def _teach_sender(self, key: bytes, process: int, unit: str | None) -> None:
        """Tell the kernel of who writes lines without level, logger and bracket."""
        if self._kernel is not None:
            self._kernel.learn_sender(key, process, "journald" not in (unit or ""))

    def learn_context(self, header: Header, context: bytes) -> int:
        """The request that a bracket's inside names, behind a header that is known."""
        return self._request_of(context, self._is_api(header.process, header.logger))

    def kind_of_row(self, row: Row, level: str) -> int:
        """The number of the kind that a row's lines are of; -1 if they say nothing that matters."""
        return self.scan.kind(Kind(row.key, level=level)) if row.facts or row.traceback else -1

    def widen(self, process: int, first: int, last: int, debug: bool) -> None:
        """This process wrote from ``first`` to ``last``."""
        widen(self.scan.processes[process], first, last)
        self.scan.debug[process] = self.scan.debug[process] or debug

    def _learn_transition(self, key: tuple) -> tuple[int, str | None, bool]:
        known = super()._learn_transition(key)
        kind, task, wants = known
        learn = getattr(self._kernel, "learn_transition", None)  # the pure way asks for it when it needs it
        if learn is not None and key[0] == "DEBUG" and task != "":
            found = self.scan.kinds[kind]
            results = self.scan.catalogue.results(found.task or "", found.new or "") if wants else []
            learn(*key[1:], kind, tuple(compile_finder(r.pattern) for r in results))
        return known

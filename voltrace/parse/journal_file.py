"""Files of systemd's journal itself, which only its own journalctl reads: what it exports of them is what `unpack_export` reads."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from typing import IO, BinaryIO

from .entries import FIELDS
from .forward import Forward

_CHUNK = 1 << 18
_MOST_SAID = 300


def open_journal(file: str | BinaryIO) -> BinaryIO:
    """The entries of a journal file, as ``journalctl -o export`` writes them. Raises OSError where there is no journalctl.

    journalctl wants a file: of a stream (a compressed one, a pipe) a copy is made for it, which goes when the entries are closed.
    """
    program = shutil.which("journalctl")
    if program is None:
        raise OSError(
            "is a file of systemd's journal, and there is no journalctl here to read it: where there is one, "
            "`journalctl --file FILE.journal -o export > FILE.export` makes a file that can be read anywhere"
        )
    if isinstance(file, str):
        return io.BufferedReader(_Exported(program, file), _CHUNK)
    copy = tempfile.NamedTemporaryFile(suffix=".journal")  # noqa: SIM115  (closed with the entries)
    with file:
        shutil.copyfileobj(file, copy, _CHUNK)
    copy.flush()
    return io.BufferedReader(_Exported(program, copy.name, copy), _CHUNK)


class _Exported(Forward):
    """What journalctl writes, and an OSError with what it says if it fails."""

    def __init__(self, program: str, path: str, copy: IO[bytes] | None = None) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the entries; a pipe that nobody empties would stop journalctl)
        command = [program, "--file", path, "--output", "export", "--output-fields", ",".join(sorted(FIELDS)), "--no-pager", "--quiet"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._said)
        self._copy = copy
        super().__init__()

    def take(self, size: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read1(size)  # type: ignore[attr-defined]
        if not data and self._process.wait():
            self._said.seek(0)
            said = self._said.read(_MOST_SAID).decode("utf-8", "replace").strip()
            raise OSError(f"journalctl says: {said or f'exit status {self._process.returncode}'}")
        return data

    def close(self) -> None:
        if not self.closed:
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process.terminate()
            self._process.wait()
            self._said.close()
            if self._copy is not None:
                self._copy.close()
        super().close()

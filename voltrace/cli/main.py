"""``voltrace COMMAND …``: finds the command's module, runs it, and turns errors into one line and an exit status."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from importlib import import_module
from io import TextIOWrapper

from .. import __version__
from ..collector import without_collector
from ..errors import UsageError, VoltraceError

COMMANDS = {
    "trace": "one timeline a request: where it went, how long it took, how it ended",
    "check": "hold the logs against the lifecycle; exit status 1 if a request left it",
    "report": "everything in one HTML file that can be mailed",
    "stats": "times of every flow, task and hand-off",
    "simulate": "simulate a cloud and write the logs that a real one would write",
    "model": "print the lifecycle that everything obeys",
    "explain": "the help page of an outcome, cause, deviation or diagnostic",
}

_USAGE = "usage: voltrace COMMAND [OPTION …] [PATH …]"


def _help() -> str:
    rows = "\n".join(f"  {name:<10} {text}" for name, text in COMMANDS.items())
    return f"""{_USAGE}

What happened to a Cinder volume-create request, from the logs that are on disk.

{rows}

`voltrace COMMAND --help` explains each with an example. `voltrace --version` prints the version, and whether the compiled kernels are in use."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 deviations found, 2 could not run, 130 interrupted."""
    # numpy starts a thread a core for linear algebra, which nothing here does; their start costs as much as all other imports.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    argv = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Logs and file names may hold what the terminal's encoding, or any, cannot say; JSON reads such an escape, too.
            stream.reconfigure(errors="backslashreplace")
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if argv else 2
    if argv[0] in ("-V", "--version"):
        from ..kernel import in_use

        print(f"voltrace {__version__} ({in_use()})")
        return 0
    if argv[0] not in COMMANDS:
        print(f"voltrace: no command '{argv[0]}'; there are {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    with without_collector():  # a command makes many values and hardly a cycle
        return _command(argv)


def _command(argv: list[str]) -> int:
    command = import_module(f".{argv[0]}", __package__)
    parser = _Parser(
        prog=f"voltrace {argv[0]}",
        description=COMMANDS[argv[0]][:1].upper() + COMMANDS[argv[0]][1:] + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    try:
        command.configure(parser)
        return _run(command, parser.parse_args(argv[1:]))
    except VoltraceError as error:
        print(f"voltrace {argv[0]}: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print(f"voltrace {argv[0]}: interrupted", file=sys.stderr)
        return 130


def enter() -> None:
    """The console's `voltrace`. The process ends with its command: nothing is ever searched for cycles, nor at exit."""
    gc.disable()
    status = main()
    gc.freeze()
    sys.exit(status)


def _run(command, args: argparse.Namespace) -> int:
    try:
        status = command.run(args)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader of our output has gone: say nothing, and keep the interpreter from trying to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class _Parser(argparse.ArgumentParser):
    """argparse with errors on one line that say what would be right."""

    def error(self, message: str):
        raise UsageError(f"{message} (see `{self.prog} --help`)")

"""What can go wrong before an answer exists, each with the exit status that the command line ends with."""


class VoltraceError(Exception):
    """Base of everything voltrace raises on purpose. The message is one line that says what to do next."""

    exit_status = 2


class UsageError(VoltraceError):
    """An option, a name or a path that makes no sense; the message names what would."""


class SourceError(VoltraceError):
    """No source could be read as a log."""

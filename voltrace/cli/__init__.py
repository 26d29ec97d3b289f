"""The command line: one thin module a command, each with ``configure(parser)`` and ``run(args) -> exit status``."""

"""``python -m voltrace.cli``: the same as the ``voltrace`` command."""

from .main import enter

if __name__ == "__main__":
    enter()

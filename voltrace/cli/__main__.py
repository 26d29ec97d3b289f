"""``python -m voltrace.cli``: the same as the ``voltrace`` command."""

import sys

from .main import main

if __name__ == "__main__":
    sys.exit(main())

"""The command ``sfconnect``. Needs the extra ``cli``; ``--help`` imports no client."""

from __future__ import annotations

import signal
import sys

__all__ = ["main"]

_INTERRUPTED = 130
_NEEDED = frozenset({"click", "rich"})


def main() -> int:
    """Run the command line of this process; returns its exit code."""
    try:
        from sfconnect.cli.app import run  # its libraries are an extra

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        print("Error: Interrupted.", file=sys.stderr)
        code = _INTERRUPTED
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        print(
            f"sfconnect: the command line needs {error.name}: pip install 'sfconnect[cli]'",
            file=sys.stderr,
        )
        return 2
    # What is left is Python's own end; Ctrl-C would only draw a traceback into it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return code

"""The command ``sfconnect``. Needs the extra ``cli``; ``--help`` imports no client."""

from __future__ import annotations

import sys

__all__ = ["main"]

_NEEDED = frozenset({"click", "rich"})


def main() -> int:
    """Run the command line of this process; returns its exit code."""
    try:
        from sfconnect.cli.app import run  # its libraries are an extra
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        print(
            f"sfconnect: the command line needs {error.name}: pip install 'sfconnect[cli]'",
            file=sys.stderr,
        )
        return 2
    return run(sys.argv[1:])

"""``python -m sfconnect_auth_template NAME DEST``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sfconnect import ConfigurationError
from sfconnect_auth_template.names import Names
from sfconnect_auth_template.rendering import render

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEXT = """\
Wrote {count} files of {distribution}. Next:

  cd {destination}
  python -m pip install -e ".[testing]"
  python -m pytest
  sfconnect auth list
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Render the project; 2 where the name or the folder will not do."""
    asked = _parser().parse_args(arguments)
    try:
        names = Names.of(asked.name)
        written = render(names, asked.destination)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    facts = {"distribution": names.distribution, "destination": asked.destination}
    sys.stdout.write(_NEXT.format(count=len(written), **facts))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sfconnect_auth_template",
        description="Start an auth plugin for sfconnect.",
    )
    parser.add_argument("name", metavar="NAME", help="name of the strategy, such as acme-vault")
    parser.add_argument("destination", metavar="DEST", type=Path, help="folder to make")
    return parser


if __name__ == "__main__":
    sys.exit(main())

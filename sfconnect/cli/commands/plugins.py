"""``sfconnect plugins``."""

from __future__ import annotations

from sfconnect.cli.app import LazyGroup

command = LazyGroup(
    "plugins",
    summaries={"list": "Show what plugins are installed; with --check, whether they work."},
    prefix="plugins_",
    help="Show what plugins are installed.",
)

"""``sfconnect auth``."""

from __future__ import annotations

from sfconnect.cli.app import LazyGroup

command = LazyGroup(
    "auth",
    summaries={
        "list": "Show the logins there are, and their options.",
        "token": "Log in and print the access token.",
    },
    prefix="auth_",
    help="Show logins, get a token.",
    no_args_is_help=True,
)

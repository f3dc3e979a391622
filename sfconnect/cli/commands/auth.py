"""``sfconnect auth``."""

from __future__ import annotations

from sfconnect.cli.app import LazyGroup

command = LazyGroup(
    "auth",
    summaries={
        "list": "Show the logins there are, and their options.",
        "explain": "Say what a login is for, and how to set it up.",
        "doctor": "Find out why a login does not work, and how to mend it.",
        "keygen": "Make a key and a certificate, and tell how to register them.",
        "token": "Log in and print the access token.",
        "revoke": "End the session of the login, and forget its token.",
    },
    prefix="auth_",
    help="Explain logins, check them, get a token.",
)

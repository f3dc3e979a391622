"""Close the doors to files, networks and programs, for checks that must do without."""

from __future__ import annotations

import io
import os
import socket
import subprocess
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pytest

_DOORS: Final[tuple[tuple[Any, str], ...]] = (
    (io, "open"),
    (os, "open"),
    (socket.socket, "connect"),
    (socket, "getaddrinfo"),
    (subprocess, "Popen"),
)


def close_doors(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Let whoever opens one fail with a sentence about ``what``."""

    def refuse(*_arguments: object, **_options: object) -> None:
        message = f"{what} must do no I/O"
        raise AssertionError(message)

    for owner, name in _DOORS:
        monkeypatch.setattr(owner, name, refuse)

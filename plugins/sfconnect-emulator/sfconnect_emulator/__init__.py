"""A Salesforce org on loopback: OAuth, REST and SOQL over real sockets."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sfconnect_emulator.emulator import Announcement, Emulator
    from sfconnect_emulator.inprocess import InProcess

__all__ = ["Announcement", "Emulator", "InProcess"]


_HOMES = {
    "Announcement": "sfconnect_emulator.emulator",
    "Emulator": "sfconnect_emulator.emulator",
    "InProcess": "sfconnect_emulator.inprocess",
}


def __getattr__(name: str) -> object:
    # The pytest plugin is loaded in every test run, also where no org is wanted.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

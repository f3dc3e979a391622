"""The private key in a file for as long as an org runs, and for no longer."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_PREFIX = "sfconnect-emulator-key-"
_NAME = "private_key.pem"


class KeyFile:
    """The private key in a file that only its owner can read.

    Its folder is locked while it is there, so that others can tell it from one that a killed
    process has left: the system lets go of the lock whatever ends the process.
    """

    def __init__(self) -> None:
        # The name is known before anything exists, so that remove() is right at every moment.
        self._folder = Path(tempfile.gettempdir()) / f"{_PREFIX}{secrets.token_hex(8)}"
        self._lock: int | None = None
        self.path = self._folder / _NAME

    def write(self, private_key: str) -> None:
        """Make the file and its folder."""
        self._folder.mkdir(mode=0o700)
        self._lock = _locked(self._folder)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(private_key)

    def remove(self) -> None:
        """Remove the file and its folder."""
        shutil.rmtree(self._folder, ignore_errors=True)
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def sweep() -> None:
    """Remove the folders of this user's orgs whose processes were killed."""
    # A folder without its file may be about to be locked; there is no secret in it yet.
    for file in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_NAME}"):
        lock = _locked(file.parent)
        if lock is not None:
            shutil.rmtree(file.parent, ignore_errors=True)
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """Lock a folder of ours; None when it is another's, or locked by someone who is alive."""
    if sys.platform == "win32":
        return None
    descriptor = None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        if os.fstat(descriptor).st_uid == os.getuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
    except OSError:
        pass  # somebody holds it, or has removed it meanwhile
    if descriptor is not None:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    return None

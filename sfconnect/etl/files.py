"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from secrets import token_hex
from typing import IO, Final

from sfconnect.errors import ConfigurationError

_PROBE: Final = b"\0" * 65536


class PartFile:
    """A file that appears under its name only when :meth:`commit` says that it is whole.

    Until then it has a temporary name in the same folder, ``.<name>.<random>.part``, so that the
    last step is a rename. A file of the same name is replaced, and read whole by whoever has it
    open. Blocking: meant for worker threads.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part: Path | None = None
        self._file: IO[bytes] | None = None

    def open(self) -> IO[bytes]:
        """Create the temporary file, and its folder where that is missing."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f".{self.path.name}.{token_hex(4)}.part")
        self._file = part.open("xb")
        self._part = part
        return self._file

    def commit(self) -> int:
        """Bring the content to the disk, then give the file its name; return its size in bytes."""
        if self._file is None or self._part is None:
            raise ValueError("the file is not open")
        self._file.flush()
        os.fsync(self._file.fileno())
        size = self._file.tell()
        self._file.close()
        self._part.replace(self.path)
        self._part = self._file = None
        _sync_folder(self.path.parent)
        return size

    def abort(self) -> None:
        """Remove the temporary file. Does nothing after a commit, or when called again."""
        part, file, self._part, self._file = self._part, self._file, None, None
        try:
            if file is not None:
                _close_quietly(file)
        finally:
            if part is not None:
                part.unlink(missing_ok=True)


def _close_quietly(file: IO[bytes]) -> None:
    """Close a file whose content nobody wants: what cannot be flushed does not matter."""
    try:
        file.close()
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}:
            raise


def _sync_folder(folder: Path) -> None:
    """Make the new name durable; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_destination(folder: Path) -> None:
    """Prove that files can be written into a folder, before anything is asked of the org.

    A folder that does not exist yet is not created; its nearest parent is tried.

    Raises:
        ConfigurationError: It is not a folder, may not be written to, or its disk is full.
    """
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise ConfigurationError(f"{existing} is not a folder.")
    probe = PartFile(existing / "sfconnect-probe")
    try:
        file = probe.open()
        file.write(_PROBE)
        file.flush()
    except OSError as error:
        raise ConfigurationError(f"Cannot write to {folder}: {error.strerror}.") from error
    finally:
        probe.abort()

"""Lock files: who holds one keeps out all other processes of the user.

The work is done by `filelock`: the rules for Windows, network drives and files that vanish are
many, and it has no dependencies of its own.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from sfconnect.errors import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator


def default_folder() -> Path:
    """A folder of the user's own that all of his processes agree on.

    Not ``XDG_RUNTIME_DIR``: a job that cron starts has none, and would lock somewhere else than
    the same user's shell.
    """
    if local := os.environ.get("LOCALAPPDATA"):
        return Path(local) / "sfconnect" / "locks"
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "sfconnect" / "locks"


class LockFile:
    """One lock; several objects for one path exclude each other also within a process."""

    __slots__ = ("_lock", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        # Acquired in a worker thread and freed in the loop's: a lock must not belong to a thread.
        self._lock = FileLock(path, thread_local=False)

    def try_acquire(self, timeout_s: float = 0.0) -> bool:
        """Take the lock if it is free, or becomes free in time.

        Raises:
            TokenStoreError: The file cannot be made.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire(timeout=timeout_s)
        except Timeout:
            return False
        except (OSError, NotImplementedError) as error:
            problem = getattr(error, "strerror", None) or type(error).__name__
            message = f"The lock file {self.path} cannot be made: {problem}."
            hint = "Set keyring_lock_dir to a folder of your own on a local disk."
            raise TokenStoreError(message, hint=hint) from error
        return True

    def release(self) -> None:
        """Free the lock; one that is not held is no error."""
        self._lock.release()

    @contextmanager
    def held(self, timeout_s: float) -> Iterator[None]:
        """Hold the lock for a moment; this blocks.

        Raises:
            TokenStoreError: It did not become free in time.
        """
        if not self.try_acquire(timeout_s):
            message = f"Another process has been using the keyring for {timeout_s:g} s."
            raise TokenStoreError(message, hint="The keyring may be asking its user for leave.")
        try:
            yield
        finally:
            self.release()

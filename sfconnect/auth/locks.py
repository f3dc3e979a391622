"""Lock files: one process of a user at a time; the system frees the lock of one that dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from weakref import WeakSet

from anyio import to_thread

from sfconnect.errors import TokenStoreError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

_T = TypeVar("_T")

_FIRST_PAUSE_S: Final = 0.01
_LONGEST_PAUSE_S: Final = 0.5
_LOCKED_BYTE: Final = 1 << 30
"""Windows locks bytes, and keeps others from reading them: not those that name the holder."""


def state_folder(name: str) -> Path:
    """A folder of the user's own that all of his processes agree on.

    Below ``%LOCALAPPDATA%`` on Windows, elsewhere ``$XDG_STATE_HOME`` or ``~/.local/state``. Not
    ``XDG_RUNTIME_DIR``: a job that cron starts has none, and would look somewhere else than the
    same user's shell.

    Raises:
        TokenStoreError: The user has no home.
    """
    if base := os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_STATE_HOME"):
        return Path(base) / "sfconnect" / name
    try:
        return Path.home() / ".local" / "state" / "sfconnect" / name
    except RuntimeError as error:
        message = "There is no folder for tokens and locks, because this user has no home."
        hint = "Set XDG_STATE_HOME, or the store's own folder."
        raise TokenStoreError(message, hint=hint, docs_key="store-unusable") from error


class FileLock:
    """A lock on a file. Several objects for one path exclude each other within a process too.

    The file stays when the lock is free: removing it could give the lock to two at once. A forked
    child does not have the lock of its parent. On network drives it is as good as their locks are.

    Args:
        path: The file.
        setting: What errors name as the place to choose another folder.
    """

    __slots__ = ("__weakref__", "_descriptor", "_setting", "path")

    def __init__(self, path: Path, *, setting: str = "the store's folder") -> None:
        self.path = path
        self._setting = setting
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock if it is free; the file and its folder are made where they are missing.

        Raises:
            TokenStoreError: The file cannot be made.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._open_and_lock()
        except OSError as error:
            problem = error.strerror or type(error).__name__
            message = f"The lock file {self.path} cannot be used: {problem}."
            hint = f"Set {self._setting} to one of your own on a local disk."
            raise TokenStoreError(message, hint=hint, docs_key="store-unusable") from error

    def _open_and_lock(self) -> bool:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        taken = False
        try:
            taken = _lock(descriptor) and self._is_still_the_file(descriptor)
        finally:
            if not taken:
                os.close(descriptor)
        if taken:
            _write_holder(descriptor)
            self._descriptor = descriptor
            _HELD.add(self)
        return taken

    def release(self) -> None:
        """Free the lock; one that is not held is no error."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            _HELD.discard(self)
            _unlock(descriptor)
            os.close(descriptor)

    def holder(self) -> int | None:
        """The id of the process that has taken the lock last, as far as can be told."""
        try:
            return int(self.path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    @asynccontextmanager
    async def hold(self, timeout_s: float) -> AsyncIterator[None]:
        """Hold the lock; others of this event loop go on while this waits for it.

        Raises:
            TokenStoreError: It did not become free in time; the error names who has it.
        """
        try:
            await self._acquire(timeout_s)
            yield
        finally:
            self.release()

    @contextmanager
    def hold_blocking(self, timeout_s: float) -> Iterator[None]:
        """Hold the lock for a moment, in a worker thread.

        Raises:
            TokenStoreError: It did not become free in time; the error names who has it.
        """
        deadline, pauses = time.monotonic() + timeout_s, _pauses()
        while not self.try_acquire():
            if time.monotonic() >= deadline:
                raise self._is_taken(timeout_s)
            time.sleep(next(pauses))
        try:
            yield
        finally:
            self.release()

    async def _acquire(self, timeout_s: float) -> None:
        pauses = _pauses()
        try:
            async with asyncio.timeout(timeout_s):
                # Nothing tells this process that another has freed a lock.
                while not await run_to_its_end(self.try_acquire):  # noqa: ASYNC110
                    await asyncio.sleep(next(pauses))
        except TimeoutError:
            raise await run_to_its_end(partial(self._is_taken, timeout_s)) from None

    def _is_taken(self, timeout_s: float) -> TokenStoreError:
        holder = self.holder()
        who = "Another process" if holder is None else f"Process {holder}"
        message = f"{who} has held {self.path} for more than {timeout_s:g} s."
        hint = "See whether it hangs; the lock is free as soon as it ends."
        return TokenStoreError(message, hint=hint, docs_key="store-locked")

    def _is_still_the_file(self, descriptor: int) -> bool:
        """Whether somebody has removed the file meanwhile: then others lock another one."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except OSError:
            return False

    def _leave_to_parent(self) -> None:
        """Close without unlocking: the parent goes on to hold the lock."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


async def run_to_its_end(work: Callable[[], _T]) -> _T:
    """Do work in a thread; a caller who is cancelled hears of it when the work is done."""
    task = asyncio.ensure_future(to_thread.run_sync(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # looked at, so that the loop does not complain of it
        raise


def _pauses() -> Iterator[float]:
    pause_s = _FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)


def _write_holder(descriptor: int) -> None:
    # For people only: a full disk must not keep anybody from logging in.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))


if sys.platform == "win32":

    def _lock(descriptor: int) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:

    def _lock(descriptor: int) -> bool:
        # Not POSIX record locks: those of a process are gone as soon as it closes any descriptor
        # of the file, and do not exclude its own threads.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


_HELD: Final[WeakSet[FileLock]] = WeakSet()


def _forget_in_child() -> None:
    """A child's copy of the descriptor would keep the lock when its parent dies."""
    for lock in list(_HELD):
        lock._leave_to_parent()  # noqa: SLF001  # of this module
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)

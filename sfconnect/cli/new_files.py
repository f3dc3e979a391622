"""Files that are new: whole under their names or not there, and never in the place of others."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Final

from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PRIVATE: Final = 0o600
PUBLIC: Final = 0o644
_UNNAMED: Final = getattr(os, "O_TMPFILE", 0)
"""Linux makes files without a name, which are gone when the process is, however it ends."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be made."""

    path: Path
    content: bytes = field(repr=False)
    mode: int = PUBLIC


def check_free(paths: Sequence[Path]) -> None:
    """Refuse what :func:`write_new` would refuse, before any work is done.

    Raises:
        ConfigurationError: A file of that name is there, or its folder is not.
    """
    for path in paths:
        if path.is_symlink() or path.exists():
            raise _exists(path)
        if not path.parent.is_dir():
            message = f"There is no folder {path.parent}."
            raise ConfigurationError(message, hint=f"Make it: mkdir -p {path.parent}")
    if len(set(paths)) != len(paths):
        raise ConfigurationError(f"{paths[0]} cannot be two files.")


def write_new(files: Sequence[NewFile]) -> None:
    """Write all files, or none of them; they get their names when all are on the disk.

    The names are given in the order of the files, so that what a power cut at that very moment
    leaves are the first ones.

    Raises:
        ConfigurationError: A file of that name is there, or cannot be made.
    """
    named: list[Path] = []
    try:
        with ExitStack() as stack:
            written = [(file.path, stack.enter_context(_written(file))) for file in files]
            for path, source in written:
                _link(source, path)
                named.append(path)
    except BaseException as error:
        for path in named:
            path.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise _exists(Path(error.filename2 or error.filename)) from error
        if isinstance(error, OSError):
            raise _unwritable(files, error) from error
        raise
    for folder in {file.path.parent for file in files}:
        _sync(folder)


@contextmanager
def _written(file: NewFile) -> Iterator[str]:
    """Write a file that has no name yet, or a temporary one; give a path that it can be linked by.

    Its mode is there before its content, and nobody but its owner can open it meanwhile.
    """
    descriptor, source, temporary = _opened(file.path.parent)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, file.mode)
        with open(descriptor, "wb", closefd=False) as stream:
            stream.write(file.content)
        os.fsync(descriptor)
        yield source
    finally:
        os.close(descriptor)
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _opened(folder: Path) -> tuple[int, str, Path | None]:
    if _UNNAMED:
        with suppress(OSError):  # not every file system has them
            descriptor = os.open(folder, _UNNAMED | os.O_WRONLY, PRIVATE)
            return descriptor, f"/proc/self/fd/{descriptor}", None
    temporary = folder / f".sfconnect.{token_hex(8)}.part"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    return descriptor, str(temporary), temporary


def _link(source: str, path: Path) -> None:
    """Give a file its name; other than a rename, a link replaces nothing."""
    if not source.startswith("/proc/"):
        os.link(source, path)
        return
    # With a folder named, Python asks the system to follow the link that /proc shows.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.link(source, path.name, dst_dir_fd=folder, follow_symlinks=True)
    except FileExistsError:
        raise FileExistsError(None, None, str(path)) from None
    finally:
        os.close(folder)


def _sync(folder: Path) -> None:
    if os.name != "nt":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _exists(path: Path) -> ConfigurationError:
    message = f"{path} is there already, and is not overwritten."
    hint = "Move it away, or name other files: --key-file and --certificate-file."
    return ConfigurationError(message, hint=hint)


def _unwritable(files: Sequence[NewFile], error: OSError) -> ConfigurationError:
    names = " and ".join(str(file.path) for file in files)
    reason = error.strerror or type(error).__name__
    return ConfigurationError(f"{names} cannot be written: {reason}. Nothing was left behind.")

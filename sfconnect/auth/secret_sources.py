"""Read a secret from the file, the command or the reference that stands in for it."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sfconnect._types import Secret
from sfconnect.auth.secret_references import is_reference, read_reference
from sfconnect.config import Form, Value, resolve_path
from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMAND_TIMEOUT_S: Final = 30.0


class SourcedSecret(Secret):
    """A secret that knows where it came from, since it may be changed there."""

    __slots__ = ("_read",)

    def __init__(self, text: str, read: Callable[[], str]) -> None:
        super().__init__(text)
        self._read = read

    def read_again(self) -> SourcedSecret:
        """Read what is there now; this may block.

        Raises:
            ConfigurationError: It cannot be read.
        """
        return SourcedSecret(self._read(), self._read)


def read_secret(option: str, value: Value, *, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
    """Read the text that a file holds or a command prints, without one trailing newline.

    A plain value is a reference, such as ``keyring://service/username``.

    Raises:
        ConfigurationError: It cannot be read or is empty. The error quotes neither content nor
            output, nor the command's arguments.
    """
    if value.form is Form.PLAIN:
        return _read_reference(option, value)
    if value.form is Form.FILE:
        content = _read_file(option, value)
    else:
        content = _run_command(option, value, timeout_s)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is None:  # not chained: the decoder's error quotes the bytes
        raise _unusable(option, value, "what it gives is not UTF-8 text")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise _unusable(option, value, "what it gives is empty")
    return text


def _read_reference(option: str, value: Value) -> str:
    if not is_reference(value.raw):
        raise _unusable(option, value, "it is no reference")
    try:
        return read_reference(value.raw)
    except ConfigurationError as error:
        message = f"Option {option} cannot be read from {value.origin}: {error.message}"
        raise type(error)(message, hint=error.hint) from error


def _read_file(option: str, value: Value) -> bytes:
    if not isinstance(value.raw, str | Path):
        raise _unusable(option, value, "it must be a path")
    path = resolve_path(Path(value.raw), value.base)
    try:
        return path.read_bytes()
    except OSError as error:
        problem = f"{path} cannot be read: {error.strerror or type(error).__name__}"
        raise _unusable(option, value, problem) from error


def _run_command(option: str, value: Value, timeout_s: float) -> bytes:
    words = _words(option, value)
    try:
        done = subprocess.run(  # noqa: S603  # no shell; who writes the profile chooses the command
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            cwd=value.base,
            check=False,
        )
    except OSError as error:
        problem = f"{words[0]} cannot be run: {error.strerror or type(error).__name__}"
    except subprocess.TimeoutExpired:  # it keeps the output so far
        problem = f"{words[0]} did not end within {timeout_s:g} s"
    else:
        if done.returncode == 0:
            return done.stdout
        problem = f"{words[0]} ended with code {done.returncode}; its output is not shown"
    raise _unusable(option, value, problem)


def _words(option: str, value: Value) -> Sequence[str]:
    """Split a command as a shell would; an array in TOML is split already."""
    words: object = value.raw
    if isinstance(words, str):
        try:
            words = shlex.split(words, posix=os.name != "nt")
        except ValueError:
            words = None
    if isinstance(words, list | tuple) and words and all(isinstance(word, str) for word in words):
        return words
    raise _unusable(option, value, "it must be a command line, with its quotes closed")


def _unusable(option: str, value: Value, problem: str) -> ConfigurationError:
    message = f"Option {option} cannot be read from {value.origin}: {problem}."
    return ConfigurationError(message)

"""Tokens and assertions that others make: given, in a file, printed by a command, or by a callback.

All but the first are asked anew for each login, since what they hold lives for minutes: platforms
replace the file of a workload's identity over and over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from anyio import to_thread

from sfconnect._types import Secret
from sfconnect.auth.options import as_secret
from sfconnect.auth.process import run, split_command
from sfconnect.config import resolve_path
from sfconnect.errors import (
    AuthConfigurationError,
    AuthError,
    ConfigurationError,
    CredentialUnavailableError,
    PluginError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Source: TypeAlias = Callable[[], Awaitable[Secret | str]]
"""A coroutine function without arguments that gives the text."""
COMMAND_TIMEOUT_S: Final = 60.0
_KEY: Final = "supply"


@dataclass(frozen=True, slots=True)
class Supply:
    """Where one text comes from; at most one of the places is set.

    ``name`` is that of the strategy's option; the others end in ``_file``, ``_command`` and
    ``_source``.
    """

    name: str
    text: Secret | str | None = field(default=None, repr=False)
    file: Path | str | None = None
    command: str | Sequence[str] | None = None
    source: Source | None = None

    def check(self, *, required: bool = True) -> None:
        """Refuse none or several places; call it from ``__post_init__``.

        Raises:
            ConfigurationError: There are, or the command is none.
        """
        given = [name for name, value in self._places() if value is not None]
        if len(given) > 1 or (required and not given):
            names = ", ".join(name for name, _ in self._places())
            what = f"{' and '.join(given)} are given" if given else "none is given"
            # A callback comes from code only, so it is meant.
            unused = tuple(given[:-1]) if self.source is not None else ()
            raise ConfigurationError(f"One of {names} is needed, and {what}.", unused=unused)
        if self.command is not None:
            split_command(self.command, f"{self.name}_command")

    async def read(self) -> Secret | None:
        """Give the text without spaces around it; None if no place is set.

        Raises:
            CredentialUnavailableError: The file or the command is not there.
            AuthError: It cannot be read, failed, or gave nothing.
            PluginError: The callback gave no text.
        """
        if self.file is not None:
            return await to_thread.run_sync(partial(_read_file, self.name, Path(self.file)))
        if self.command is not None:
            words = split_command(self.command, f"{self.name}_command")
            return await _run_command(self.name, words)
        if self.source is not None:
            return _of_callback(self.name, await self.source())
        return None if self.text is None else as_secret(self.text)

    def _places(self) -> tuple[tuple[str, object], ...]:
        return (
            (self.name, self.text),
            (f"{self.name}_file", self.file),
            (f"{self.name}_command", self.command),
            (f"{self.name}_source", self.source),
        )


def _read_file(name: str, path: Path) -> Secret:
    place = f"The file {path} for {name}"
    problem = "is no UTF-8 text."
    try:
        return _stripped(resolve_path(path, None).read_bytes().decode("utf-8"), place)
    except FileNotFoundError as error:
        message = f"{place} is not there."
        hint = "Check the path, and that the platform mounts it."
        raise CredentialUnavailableError(message, hint=hint, docs_key=_KEY) from error
    except OSError as error:
        problem = f"cannot be read: {error.strerror or type(error).__name__}."
    except UnicodeDecodeError:  # not chained: it quotes the bytes
        pass
    raise AuthConfigurationError(f"{place} {problem}", docs_key=_KEY)


async def _run_command(name: str, words: Sequence[str]) -> Secret:
    answer = await run(words, COMMAND_TIMEOUT_S)
    place = f"The command {words[0]} for {name}"
    if answer.code != 0:
        hint = "Run it by hand to see what it says; its output is not shown here."
        raise AuthError(f"{place} ended with code {answer.code}.", hint=hint, docs_key=_KEY)
    return _stripped(answer.output.decode("utf-8", "replace"), place)


def _of_callback(name: str, given: object) -> Secret:
    if isinstance(given, Secret | str):
        return _stripped(as_secret(given).reveal(), f"{name}_source")
    message = f"{name}_source gave {type(given).__name__}, which is no text."
    raise PluginError(message, hint="It gives a Secret or a text.")


def _stripped(text: str, place: str) -> Secret:
    if text := text.strip():
        return Secret(text)
    raise AuthError(f"{place} gave nothing.", docs_key=_KEY)

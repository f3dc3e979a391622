"""Take credentials from a command that prints them: for sources that speak no Python.

The command prints one JSON object, whose members are::

    {"version": 1, "access_token": "…", "instance_url": "https://…",
     "expires_at": 1750000000, "token_type": "Bearer"}

The last two may be left out. ``expires_at`` is in seconds since the epoch, or a date and time with
its zone (RFC 3339). Further members are kept as ``extra``, secrets among them left out.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec
from anyio import to_thread

from sfconnect._types import Secret
from sfconnect.auth.base import AuthContext, Credentials
from sfconnect.auth.options import option
from sfconnect.auth.urls import split_endpoint
from sfconnect.errors import AuthError, ConfigurationError, CredentialUnavailableError
from sfconnect.instrumentation import redact
from sfconnect.messages import JSON_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONTRACT_VERSION: Final = 1
MAX_BYTES: Final = 1 << 20
"""More than this is no answer: a command that prints without end must not fill the memory."""
_MEMBERS: Final = frozenset(
    {"version", "access_token", "instance_url", "expires_at", "token_type", "refresh_token"}
)


@dataclass(frozen=True, slots=True)
class ProcessCredentials:
    """Use the token that a command prints as JSON; it is run again when a token has died."""

    command: str | tuple[str, ...] = option(
        help="Command line, or a list of its words. No shell runs it.",
        example="vault-login --org acme",
    )
    timeout_s: float = option(help="Seconds that the command may take.", default=60.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "command", split_command(self.command))
        if not self.timeout_s > 0:
            message = f"timeout_s must be more than 0, not {self.timeout_s:g}."
            raise ConfigurationError(message)

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Run the command, and read what it prints on stdout.

        Its stderr is thrown away, since nobody knows what it holds.

        Raises:
            CredentialUnavailableError: The command is not there or cannot be run.
            AuthError: It failed, took too long, or printed something else than credentials.
        """
        words = tuple(self.command)
        answer = await run(words, self.timeout_s)
        if answer.code != 0:
            message = f"The command {words[0]} ended with code {answer.code}."
            hint = "Run it by hand to see what it says; its output is not shown here."
            raise AuthError(message, hint=hint, docs_key="process-failed")
        return read_credentials(answer.output, words[0], now=context.clock.time())


def split_command(command: str | Sequence[str], option: str = "command") -> tuple[str, ...]:
    """Split a command as a shell would; a list is split already.

    Raises:
        ConfigurationError: It is no command; the error names the option.
    """
    try:
        posix = os.name != "nt"
        words = shlex.split(command, posix=posix) if isinstance(command, str) else tuple(command)
    except ValueError:  # not chained: it may quote an argument
        words = ()
    if words and all(isinstance(word, str) for word in words) and words[0].strip():
        return tuple(words)
    message = f"{option} must be a command line, with its quotes closed, or a list of words."
    raise ConfigurationError(message)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run of the command gave."""

    code: int
    output: bytes = field(repr=False)


async def run(words: Sequence[str], timeout_s: float) -> Answer:
    """Run a command and read its stdout.

    However this ends, the command and the processes that it started have ended too, except for
    what it leaves in the background on purpose.

    Raises:
        CredentialUnavailableError: It is not there or cannot be run.
        AuthError: It did not end in time, or printed far too much.
    """
    process = await _start(words)
    ended = False
    try:
        async with asyncio.timeout(timeout_s):
            output = await _output(process, words[0])
            code = await process.wait()
        ended = True
    except TimeoutError:
        message = f"The command {words[0]} did not end within {timeout_s:g} s."
        hint = "Run it by hand to see what it waits for, or set a longer timeout_s."
        raise AuthError(message, hint=hint, docs_key="process-timeout") from None
    finally:
        if not ended:
            await _kill(process)
    return Answer(code, output)


async def _start(words: Sequence[str]) -> Process:
    path = await to_thread.run_sync(_find, words[0])
    if path is None:
        message = f"The command {words[0]} is not there."
        hint = "Install it, or name it with its path."
        raise CredentialUnavailableError(message, hint=hint, docs_key="process-missing")
    try:
        return await asyncio.create_subprocess_exec(
            path,
            *words[1:],
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=DEVNULL,
            # A script starts further processes; only as a group they can be ended together.
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or type(error).__name__
    message = f"The command {words[0]} cannot be run: {problem}."
    raise CredentialUnavailableError(message, docs_key="process-missing")


def _find(command: str) -> str | None:
    # Path for a home folder only: it would turn ./login into login, which is looked up elsewhere.
    if command.startswith("~"):
        with suppress(RuntimeError):  # nobody's home
            command = str(Path(command).expanduser())
    return shutil.which(command)


async def _output(process: Process, command: str) -> bytes:
    stdout, output = process.stdout, bytearray()
    while stdout is not None and (piece := await stdout.read(1 << 16)):
        output += piece
        if len(output) > MAX_BYTES:
            message = f"The command {command} printed more than {MAX_BYTES:,} bytes."
            raise _unusable(message)
    return bytes(output)


async def _kill(process: Process) -> None:
    """End the command, and whoever holds its output open."""
    if hasattr(os, "killpg"):
        _kill_group(process.pid)
    elif process.returncode is None:
        process.kill()
    await process.wait()


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended by itself in the meantime


def read_credentials(output: bytes, command: str, *, now: float) -> Credentials:
    """Read the contract; errors name the member that is wrong and quote nothing.

    Raises:
        AuthError: It is not met, or the token has expired already.
    """
    members = _object(output)
    if members is None:
        size = len(output)
        raise _unusable(f"The command {command} printed {size:,} bytes that are no JSON object.")
    if members.get("version") != CONTRACT_VERSION or members["version"] is True:
        raise _unusable(f'The answer of {command} lacks "version": {CONTRACT_VERSION}.')
    expires_at = _expiry(members.get("expires_at"), command)
    if expires_at is not None and expires_at <= now:
        message = f"The command {command} printed a token that has expired {now - expires_at:.0f} s"
        hint = "Let it give a fresh token; if the token is fresh, compare the clocks."
        raise AuthError(f"{message} ago.", hint=hint, docs_key="process-expired")
    return Credentials(
        Secret(_text(members, "access_token", command)),
        _base_url(_text(members, "instance_url", command), command),
        token_type=_text(members, "token_type", command, default="Bearer"),
        issued_at=now,
        expires_at=expires_at,
        extra=_extra(members),
    )


def _object(output: bytes) -> Mapping[str, Any] | None:
    try:
        decoded = msgspec.json.decode(output)
    except JSON_ERRORS:
        return None
    return decoded if isinstance(decoded, dict) else None


def _text(members: Mapping[str, Any], name: str, command: str, default: str = "") -> str:
    value = members.get(name, default)
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise _unusable(f"The answer of {command} has no text as {name!r}.")


def _base_url(url: str, command: str) -> str:
    try:
        split_endpoint(url, "instance_url")
    except ConfigurationError as error:
        raise _unusable(f"The answer of {command} cannot be used: {error.message}") from error
    return url.rstrip("/")


def _expiry(value: object, command: str) -> float | None:
    """Seconds since the epoch; dates need their zone, or they would mean another time here."""
    if value is None:
        return None
    if isinstance(value, str):
        value = _date(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return float(value)
    problem = f"The answer of {command} has an expires_at that is neither seconds since the epoch"
    raise _unusable(f"{problem} nor a date and time with its zone.")


def _date(text: str) -> float | None:
    try:
        date = datetime.fromisoformat(text.strip())
        return date.timestamp() if date.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _extra(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """The members without a place of their own, unless they are secrets."""
    others = {name: value for name, value in members.items() if name not in _MEMBERS}
    return MappingProxyType({n: v for n, v in others.items() if redact(v, key=n) == v})


def _unusable(message: str) -> AuthError:
    hint = 'It has to print {"version": 1, "access_token": "…", "instance_url": "https://…"}.'
    return AuthError(message, hint=hint, docs_key="process-answer")

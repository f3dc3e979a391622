"""Find ``sfconnect.toml`` and read one profile of it.

.. code-block:: toml

    [profiles.prod]
    auth = "client-credentials"
    login_url = "https://acme.my.salesforce.com"
    client_id = "3MVG9…"
    client_secret_file = "secrets/prod"     # relative to this file
    max_connections = 50

A profile can name a command to run (``client_secret_command``), so a profile file is as much to be
trusted as a makefile. A file in the current folder or above it that belongs to another user is
refused, lest a planted ``/tmp/sfconnect.toml`` is obeyed.
"""

from __future__ import annotations

import os
import stat
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sfconnect.config.spelling import nearest
from sfconnect.config.values import resolve_path
from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

FILE_NAME: Final = "sfconnect.toml"
CONFIG_VARIABLE: Final = "SFCONNECT_CONFIG"
_TABLE: Final = "profiles"
# The modes of Windows say nothing about who may read.
_READ_BY_OTHERS: Final = 0 if os.name == "nt" else stat.S_IRGRP | stat.S_IROTH


class ConfigurationWarning(UserWarning):
    """A configuration works, and is unsafe or perhaps not what was meant."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A named set of options. ``values`` may hold secrets, so the repr leaves it out."""

    name: str
    path: Path
    values: Mapping[str, object] = field(repr=False)

    @property
    def origin(self) -> str:
        """Where it is, in words."""
        return f"profile {self.name!r} in {self.path}"


def load_profile(name: str, *, environ: Mapping[str, str], cwd: Path) -> Profile:
    """Read a profile from the first file that has it.

    The files are the one that ``SFCONNECT_CONFIG`` names and no other, or else the first
    ``sfconnect.toml`` in the current folder or above it, then the user's own.

    Raises:
        ConfigurationError: No file has the profile, or a file cannot be read.
    """
    seen: dict[Path, Mapping[str, Any]] = {}
    for path in profile_files(environ=environ, cwd=cwd):
        seen[path] = read_profiles(path)
        if name in seen[path]:
            return Profile(name, path, MappingProxyType(seen[path][name]))
    raise _unknown_profile(name, seen)


def profile_files(*, environ: Mapping[str, str], cwd: Path) -> Iterator[Path]:
    """Give the profile files that there are, those to be asked first before the others.

    Raises:
        ConfigurationError: ``SFCONNECT_CONFIG`` names no file, or the file in or above the
            current folder belongs to somebody else.
    """
    if chosen := environ.get(CONFIG_VARIABLE):
        yield _existing(resolve_path(Path(chosen), cwd))
        return
    project = next((found for found in _upwards(cwd) if found.is_file()), None)
    if project:
        refuse_foreign(project, trusted_owners(cwd))
        yield project
    own = user_config_file(environ)
    if own and own != project and own.is_file():
        yield own


def user_config_file(environ: Mapping[str, str], *, platform: str = sys.platform) -> Path | None:
    """Where the user's own profile file belongs; None if the environment names no home.

    ``%APPDATA%`` on Windows, elsewhere ``$XDG_CONFIG_HOME``, else ``~/.config``.
    """
    if platform == "win32":
        folder = environ.get("APPDATA")
    elif not (folder := environ.get("XDG_CONFIG_HOME")) and (home := environ.get("HOME")):
        folder = str(Path(home, ".config"))
    return Path(folder, "sfconnect", FILE_NAME) if folder else None


def trusted_owners(folder: Path) -> frozenset[int]:
    """Whose files are obeyed without being named: this user's, root's, the folder's owner's.

    The last is for containers, where a mounted project keeps the owner that it has outside.
    """
    own = {os.geteuid()} if hasattr(os, "geteuid") else set()
    return frozenset({0, folder.stat().st_uid, *own})


def refuse_foreign(path: Path, trusted: Collection[int]) -> None:
    """Refuse a file of anybody else. Windows gives every file to user 0.

    Raises:
        ConfigurationError: The file belongs to another user.
    """
    if path.stat().st_uid not in trusted:
        message = f"{path} belongs to another user, so it is not read."
        raise ConfigurationError(message, hint=f"If you trust it, set {CONFIG_VARIABLE}={path}.")


def read_profiles(path: Path) -> Mapping[str, Any]:
    """Read a whole profile file: its profiles by name.

    Raises:
        ConfigurationError: The file cannot be read, is not TOML, or holds anything else.
    """
    document = _parse(path, _read(path))
    for key in document:
        if key != _TABLE:
            message = f"{path} has an unknown key {key!r}."
            raise ConfigurationError(message, hint=f"A profile is a table: [{_TABLE}.NAME].")
    profiles = document.get(_TABLE, {})
    if not isinstance(profiles, dict) or not all(isinstance(p, dict) for p in profiles.values()):
        message = f"{path} has something else than tables under {_TABLE!r}."
        raise ConfigurationError(message, hint=f"A profile is a table: [{_TABLE}.NAME].")
    return profiles


def warn_if_others_can_read(profile: Profile, option: str) -> None:
    """Warn if a secret stands in a file that other users of the machine may read."""
    if not profile.path.stat().st_mode & _READ_BY_OTHERS:
        return
    message = (
        f"{profile.path} holds the secret option {option!r}, and other users may read it. "
        f"Use {option}_file or {option}_command, or run: chmod 600 {profile.path}"
    )
    warnings.warn(message, ConfigurationWarning, stacklevel=2)


def _upwards(folder: Path) -> Iterator[Path]:
    folder = folder.absolute()
    return (parent / FILE_NAME for parent in (folder, *folder.parents))


def _existing(path: Path) -> Path:
    if not path.is_file():
        message = f"{CONFIG_VARIABLE} names {path}, which is not a file."
        raise ConfigurationError(message)
    return path


def _read(path: Path) -> str:
    problem = "it is not UTF-8 text"
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except UnicodeDecodeError:  # it quotes the bytes, so it is not chained
        pass
    message = f"{path} cannot be read: {problem}."
    raise ConfigurationError(message)


def _parse(path: Path, text: str) -> dict[str, Any]:
    import tomllib  # a program that uses no profile does not pay for it

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = str(error)
    # Not chained: the parser's error keeps the whole document, secrets and all.
    message = f"{path} is not valid TOML: {problem}."
    raise ConfigurationError(message)


def _unknown_profile(name: str, seen: Mapping[Path, Mapping[str, Any]]) -> ConfigurationError:
    if not seen:
        message = f"There is no profile {name!r}: no {FILE_NAME} was found."
        hint = (
            f"Put {FILE_NAME} into the project's folder or the user's config folder, "
            f"or name a file by {CONFIG_VARIABLE}."
        )
        return ConfigurationError(message, hint=hint)
    files = " or ".join(str(path) for path in seen)
    names = {profile for profiles in seen.values() for profile in profiles}
    match = nearest(name, names)
    question = f"Did you mean {match!r}? " if match else ""
    message = f"There is no profile {name!r} in {files}."
    hint = f"{question}There are: {', '.join(sorted(names)) or 'none'}."
    return ConfigurationError(message, hint=hint)

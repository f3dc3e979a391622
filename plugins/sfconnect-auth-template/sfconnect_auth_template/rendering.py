"""Copy the project of this package to a folder, with the names filled in."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

from sfconnect import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from sfconnect_auth_template.names import Names

_SUFFIX: Final = ".in"
"""Keeps linters, test runners and build tools from taking the template for a project."""


def render(names: Names, destination: Path) -> list[Path]:
    """Write the project, and return its files.

    Raises:
        ConfigurationError: The folder has something in it already, or cannot be written.
    """
    if destination.exists() and not _is_empty(destination):
        message = f"{destination} is there already, and not an empty folder."
        raise ConfigurationError(message, hint="Name a new folder; nothing was written.")
    values = {
        "@name@": names.name,
        "@distribution@": names.distribution,
        "@module@": names.module,
        "@Class@": names.class_name,
        "MODULE": names.module,
    }
    try:
        return [
            _write(destination / _filled(path, values), _filled(text, values))
            for path, text in sorted(_templates(files(__package__) / "project"))
        ]
    except OSError as error:
        message = f"{destination} cannot be written: {error.strerror}."
        raise ConfigurationError(message) from error


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _templates(folder: Traversable, inside: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of each file of the template."""
    for entry in folder.iterdir():
        path = f"{inside}{entry.name}"
        if entry.is_dir():
            yield from _templates(entry, f"{path}/")
        elif path.endswith(_SUFFIX):
            yield path.removesuffix(_SUFFIX), entry.read_text(encoding="utf-8")


def _filled(text: str, values: dict[str, str]) -> str:
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path

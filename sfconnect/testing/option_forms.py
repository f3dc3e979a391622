"""A strategy's options as arguments, variables and profiles write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from sfconnect._types import Secret
from sfconnect.auth.options import build, options_of
from sfconnect.auth.registry import Registry
from sfconnect.config import Value

if TYPE_CHECKING:
    from sfconnect.auth.base import AuthStrategy

NAME: Final = "strategy-under-test"


def option_values(strategy: AuthStrategy) -> dict[str, Any]:
    """The values of all options, by name."""
    return {spec.name: getattr(strategy, spec.name) for spec in options_of(type(strategy))}


def registry_of(strategy: AuthStrategy) -> Registry[AuthStrategy]:
    """A registry that knows the class of the strategy under a name, and nothing else."""
    registry: Registry[AuthStrategy] = Registry("tests", ("authenticate",), discover=lambda _: ())
    registry.register(NAME, type(strategy))
    return registry


def written_options(strategy: AuthStrategy) -> dict[str, Any]:
    """The options that differ from their defaults, as plain values that a file can hold."""
    written: dict[str, Any] = {}
    for spec in options_of(type(strategy)):
        value = getattr(strategy, spec.name)
        value = value.reveal() if isinstance(value, Secret) else value
        if value in (None, spec.default):
            continue
        items = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(item, str | int | float | Path) for item in items):
            pytest.skip(f"option {spec.name} takes objects, which only code can give")
        written[spec.name] = value
    return written


def as_variable(name: str, value: object) -> str:
    """A value as an environment variable holds it."""
    if isinstance(value, tuple):
        pytest.skip(f"option {name} is a list, which a variable may write in ways of its own")
    return str(value)


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else can read."""
    path.touch(0o600)
    path.write_text(text, encoding="utf-8")


def as_toml(value: object) -> str:
    """A value as a profile holds it."""
    if isinstance(value, tuple):
        return f"[{', '.join(as_toml(item) for item in value)}]"
    is_plain = isinstance(value, bool | int | float)
    return json.dumps(value if is_plain else str(value), ensure_ascii=False)


def rebuilt(strategy: AuthStrategy) -> AuthStrategy:
    """Make the strategy again from its options as a profile would write them."""
    written = {
        name: Value(value.reveal() if isinstance(value, Secret) else value, "a test")
        for name, value in option_values(strategy).items()
        if value is not None
    }
    return build(type(strategy), written)

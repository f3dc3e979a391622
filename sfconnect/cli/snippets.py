"""Ready pieces of configuration: a login as a profile of sfconnect.toml, and as variables."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Final

from sfconnect._types import UNSET
from sfconnect.auth.options import variables_of
from sfconnect.auth.resolve import AUTH_VARIABLE
from sfconnect.config import FILE_NAME, convert

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sfconnect.auth.options import OptionSpec

PROFILE: Final = "prod"
_ONLY_IN_CODE: Final = "which only code can give"
"""How `config.expected` ends where it can name nothing that could be written."""
_PLACEHOLDERS: Final = ("…", "1", "true")
_KNOWN: Final = {
    "client_id": "3MVG9…",
    "username": "ada@example.com",
    "instance_url": "https://acme.my.salesforce.com",
    "base_url": "https://api.example.com",
}


def profile_snippet(auth: str, values: Mapping[str, str]) -> str:
    """Write a profile; values as :func:`values_of` gives them."""
    lines = [f"# {FILE_NAME}", f"[profiles.{PROFILE}]", f"auth = {_toml(auth)}"]
    return "\n".join([*lines, *(f"{name} = {_toml(value)}" for name, value in values.items())])


def environment_snippet(auth: str, values: Mapping[str, str]) -> str:
    """Write the same for a shell."""
    named = {AUTH_VARIABLE: auth} | {variables_of(name): value for name, value in values.items()}
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in named.items())


def values_of(specs: Sequence[OptionSpec], example: Mapping[str, str]) -> dict[str, str] | None:
    """Choose the options that a ready configuration has, with values to be replaced.

    These are the required ones and those of the example. Secrets stand in files.

    Returns:
        The values by key; None where only code can give what is required.
    """
    chosen = [spec for spec in specs if spec.required or spec.name in example]
    if not all(map(can_be_written, chosen)):
        return None
    own = {spec.name for spec in specs}
    # A login that builds on another has that one's options beside its own.
    others = {name: value for name, value in example.items() if name not in own}
    return dict(_value(spec, example.get(spec.name)) for spec in chosen) | others


def can_be_written(spec: OptionSpec) -> bool:
    """Whether environment and profiles can give the option, or only code can."""
    return not spec.wanted.endswith(_ONLY_IN_CODE)


def _value(spec: OptionSpec, example: str | None) -> tuple[str, str]:
    if example:
        return spec.name, example
    if spec.secret:
        return f"{spec.name}_file", f"secrets/{spec.name}"
    return spec.name, spec.example or _KNOWN.get(spec.name) or next(
        _fitting(spec), _PLACEHOLDERS[0]
    )


def _fitting(spec: OptionSpec) -> Iterator[str]:
    texts = [str(choice) for choice in spec.choices] or _PLACEHOLDERS
    return (text for text in texts if convert(spec.type, text) is not UNSET)


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a string of JSON is one of TOML

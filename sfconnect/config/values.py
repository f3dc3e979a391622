"""Turn what somebody wrote, as text or in TOML, into the type that an option is annotated with."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from os import PathLike
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin

from sfconnect._types import UNSET, Secret

if TYPE_CHECKING:
    from collections.abc import Callable


class Form(Enum):
    """How a value stands in for an option."""

    PLAIN = "plain"
    """It is the value itself."""
    FILE = "file"
    """It is the path of a file that holds the value."""
    COMMAND = "command"
    """It is a command that prints the value."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value as somebody gave it, and where.

    The repr leaves the value out, since only its option knows whether it is a secret.
    ``origin`` reads like "environment variable SFCONNECT_CLIENT_ID". ``base`` is the folder that
    a relative path starts from; None leaves it relative to the current folder. ``shared`` says
    that it comes from the environment, where it may be meant for another login.
    """

    raw: object = field(repr=False)
    origin: str
    base: Path | None = None
    form: Form = Form.PLAIN
    shared: bool = False


def convert(annotation: Any, raw: object, base: Path | None = None) -> object:
    """Return the value as the annotation wants it, or ``UNSET`` if it does not fit.

    It raises nothing, so that no error, not even one's context, can quote a secret. The members
    of a union are tried in their order; the text ``none`` is None where nothing else fits.
    """
    origin = get_origin(annotation)
    if origin in {Union, UnionType}:
        return _to_member(get_args(annotation), raw, base)
    if origin is Literal:
        return pick(get_args(annotation), raw)
    if origin is tuple and get_args(annotation)[1:] == (...,):
        return _to_tuple(get_args(annotation)[0], raw, base)
    converter = _CONVERTERS.get(annotation)
    return converter(raw, base) if converter else _as_given(origin or annotation, raw)


def pick(choices: tuple[object, ...], raw: object) -> object:
    """Return the choice that is this value, or is written like this text; else ``UNSET``."""
    for choice in choices:
        if type(raw) is type(choice) and raw == choice:
            return choice
    written = {str(choice): choice for choice in choices}
    return written.get(raw, UNSET) if isinstance(raw, str) else UNSET


def expected(annotation: Any) -> str:
    """Say in words what the annotation wants, for help texts and errors."""
    if annotation in _WORDS:
        return _WORDS[annotation]
    origin, members = get_origin(annotation), get_args(annotation)
    if origin in {Union, UnionType}:
        named = [member for member in members if member is not NoneType]
        written = [member for member in named if _can_be_written(member)]
        return " or ".join(dict.fromkeys(expected(member) for member in written or named))
    if origin is Literal:
        return one_of(members)
    if origin is tuple and members[1:] == (...,):
        return f"a list of {expected(members[0]).removeprefix('a ')}"
    name = getattr(annotation, "__name__", str(annotation))
    return f"an object of type {name}, which only code can give"


def one_of(choices: tuple[object, ...]) -> str:
    """Name the choices, as part of a sentence."""
    return "one of " + ", ".join(repr(choice) for choice in choices)


def resolve_path(path: Path, base: Path | None) -> Path:
    """Replace a leading ``~`` by the home folder, and put a relative path under ``base``.

    Where there is no home folder, as for a container's user without a name, ``~`` stays.
    """
    if path.parts[:1] == ("~",):
        with suppress(RuntimeError):
            path = path.expanduser()
    return base / path if base else path


def _can_be_written(annotation: Any) -> bool:
    return annotation in _WORDS or get_origin(annotation) in {Literal, tuple}


def _to_member(members: tuple[Any, ...], raw: object, base: Path | None) -> object:
    for member in members:
        if member is NoneType:
            continue
        if (value := convert(member, raw, base)) is not UNSET:
            return value
    is_none = raw is None or (isinstance(raw, str) and raw.strip().lower() == "none")
    return None if is_none and NoneType in members else UNSET


def _to_tuple(member: Any, raw: object, base: Path | None) -> object:
    if isinstance(raw, str):
        raw = [part for item in raw.split(",") if (part := item.strip())]
    if not isinstance(raw, list | tuple):
        return UNSET
    items = tuple(convert(member, item, base) for item in raw)
    return UNSET if UNSET in items else items


def _to_str(raw: object, _base: Path | None) -> object:
    return raw if isinstance(raw, str) else UNSET


def _to_secret(raw: object, _base: Path | None) -> object:
    if isinstance(raw, Secret):
        return raw
    return Secret(raw) if isinstance(raw, str) else UNSET


def _to_path(raw: object, base: Path | None) -> object:
    if not isinstance(raw, str | PathLike) or not str(raw):
        return UNSET
    return resolve_path(Path(raw), base)


_TRUTH: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def _to_bool(raw: object, _base: Path | None) -> object:
    if isinstance(raw, str):
        return _TRUTH.get(raw.strip().lower(), UNSET)
    return raw if isinstance(raw, bool) else UNSET


_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,4000}\s*")  # int() itself refuses more than 4,300 digits


def _to_int(raw: object, _base: Path | None) -> object:
    if isinstance(raw, str):
        return int(raw) if _INTEGER.fullmatch(raw) else UNSET
    return raw if isinstance(raw, int) and not isinstance(raw, bool) else UNSET


def _to_float(raw: object, _base: Path | None) -> object:
    if not isinstance(raw, str | int | float) or isinstance(raw, bool):
        return UNSET
    try:
        number = float(raw)
    except (ValueError, OverflowError):
        return UNSET
    return number if math.isfinite(number) else UNSET


_CONVERTERS: Final[dict[Any, Callable[[object, Path | None], object]]] = {
    str: _to_str,
    Secret: _to_secret,
    Path: _to_path,
    bool: _to_bool,
    int: _to_int,
    float: _to_float,
}
_WORDS: Final[dict[Any, str]] = {
    str: "text",
    Secret: "text",
    Path: "a path",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


def _as_given(annotation: Any, raw: object) -> object:
    """Take an object as it is; it has to be one, where its class can be asked."""
    if annotation in {Any, object}:
        return raw
    if isinstance(annotation, type) and not getattr(annotation, "_is_protocol", False):
        return raw if isinstance(raw, annotation) else UNSET
    # A protocol cannot be asked in general, but a text is never what it wants.
    return UNSET if raw is None or isinstance(raw, str) else raw

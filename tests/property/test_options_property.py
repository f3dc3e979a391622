"""Whatever an option's value is, it is the same by argument, environment and profile."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect._types import UNSET, Secret
from sfconnect.auth import AuthContext, AuthStrategy, Credentials, Registry, option, resolve
from sfconnect.config import convert
from sfconnect.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Typed:
    """One option of each type that has a form as text."""

    text: str = option(help="x", default="")
    whole: int = option(help="x", default=0)
    number: float = option(help="x", default=0.0)
    truth: bool = option(help="x", default=False)
    path: Path = option(help="x", default=Path())
    words: tuple[str, ...] = option(help="x", default=())
    maybe: int | None = option(help="x", default=None)
    secret: Secret | None = option(help="x", default=None, secret=True)

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


# No surrogates: neither TOML nor a UTF-8 environment can hold them. No NUL in the environment.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
WORDS = st.lists(
    TEXT.map(str.strip).filter(lambda word: word != "" and "," not in word), min_size=1
)
PATHS = TEXT.filter(lambda text: not text.startswith("~")).map(Path)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "whole": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "truth": st.booleans(),
    "path": PATHS,
    "words": WORDS.map(tuple),
    "maybe": st.integers(-(2**63), 2**63 - 1),
    "secret": TEXT.map(Secret),
}


@pytest.fixture(scope="module")
def registry() -> Registry[AuthStrategy]:
    made: Registry[AuthStrategy] = Registry(
        "sfconnect.auth", ("authenticate",), discover=lambda _group: ()
    )
    made.register("typed", Typed)
    return made


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def as_text(value: object) -> str:
    """Write a value as a person would write it into an environment variable."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)


def as_toml(value: object) -> str:
    """Write a value in TOML's own types; text is JSON's, but for DEL."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(as_toml, value))}]"
    return json.dumps(as_text(value), ensure_ascii=False).replace("\x7f", "\\u007F")


@given(values=st.fixed_dictionaries({}, optional=FIELDS))
def test_argument_environment_and_profile_give_the_same_strategy(
    registry: Registry[AuthStrategy], folder: Path, values: dict[str, Any]
) -> None:
    file = folder / "sfconnect.toml"
    file.touch(mode=0o600)
    lines = ["[profiles.p]", 'auth = "typed"', *(f"{k} = {as_toml(v)}" for k, v in values.items())]
    file.write_bytes("\n".join(lines).encode())
    environ = {f"SFCONNECT_{name.upper()}": as_text(value) for name, value in values.items()}

    by_argument = resolve("typed", options=values, environ={}, cwd=folder, registry=registry)
    by_variable = resolve("typed", environ=environ, cwd=folder, registry=registry)
    by_profile = resolve(profile="p", environ={}, cwd=folder, registry=registry)

    wanted = values | ({"path": folder / values["path"]} if "path" in values else {})
    assert by_argument.strategy == Typed(**wanted)
    assert by_variable.strategy == by_argument.strategy
    assert by_profile.strategy == by_argument.strategy


RAW = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)
ANNOTATIONS: Sequence[Any] = (
    str,
    int,
    float,
    bool,
    Path,
    Secret,
    tuple[int, ...],
    int | None,
    Secret | str | bytes | None,
)


@given(annotation=st.sampled_from(ANNOTATIONS), raw=RAW)
def test_converting_never_raises_and_converts_its_own_result_to_itself(
    annotation: Any, raw: object
) -> None:
    result = convert(annotation, raw)

    assert result is UNSET or convert(annotation, result) == result


@given(raw=RAW, canary=st.text("abcdef", min_size=12, max_size=12))
def test_an_error_about_a_secret_never_holds_it(
    registry: Registry[AuthStrategy], folder: Path, raw: object, canary: str
) -> None:
    hidden = {"secret": [canary, raw]}

    with pytest.raises(ConfigurationError) as caught:
        resolve("typed", options=hidden, environ={}, cwd=folder, registry=registry)

    assert canary not in f"{caught.value} {caught.value!r} {caught.value.__context__!r}"

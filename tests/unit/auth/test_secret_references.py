"""Secrets that arguments, variables and profiles name by a scheme; a plugin reads them."""

from __future__ import annotations

import subprocess
import sys
import traceback
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from anyio import to_thread

from sfconnect._types import Secret
from sfconnect.auth import (
    SECRETS,
    AuthContext,
    AuthStrategy,
    Credentials,
    Registry,
    coerce_secrets,
    option,
    resolve,
)
from sfconnect.auth.rereading import read_again
from sfconnect.auth.secret_references import is_reference
from sfconnect.config import ConfigurationWarning
from sfconnect.errors import ConfigurationError, PluginError

CANARY = "hunter2-canary"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Reads what lies on a shelf."""

    plugin_api: ClassVar[int] = 1

    def resolve(self, reference: str) -> Secret:
        if reference == "shelf://top/box":
            return Secret(CANARY)
        message = f"There is nothing at {reference}."
        raise ConfigurationError(message, hint="Put it there.")


@dataclass(frozen=True, slots=True)
class Careless:
    """Does not keep to the contract."""

    plugin_api: ClassVar[int] = 1

    def resolve(self, reference: str) -> Any:
        kind = reference.removeprefix("careless://")
        if kind == "raises":
            raise RuntimeError(CANARY)
        return {"text": CANARY, "none": None, "empty": Secret("")}[kind]


@dataclass(frozen=True, slots=True)
class Login:
    """Log in by a secret."""

    password: Secret | str = option(help="Secret.", secret=True, aliases=("pin",))
    place: str = option(help="No secret.", default="")

    def __post_init__(self) -> None:
        coerce_secrets(self)

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


@pytest.fixture(scope="module", autouse=True)
def _resolvers() -> None:
    SECRETS.register("shelf", Shelf)
    SECRETS.register("careless", Careless)


@pytest.fixture
def registry() -> Registry[AuthStrategy]:
    made: Registry[AuthStrategy] = Registry("sfconnect.auth", (), discover=lambda _group: ())
    made.register("login", Login)
    return made


@pytest.fixture
def made(tmp_path: Path, registry: Registry[AuthStrategy]):
    def make(text: str, *, place: str, name: str = "password") -> Login:
        options, environ, profile = {}, {}, None
        if place == "argument":
            options = {name: text}
        elif place == "environment":
            environ = {f"SFCONNECT_{name.upper()}": text}
        else:
            profile = "p"
            path = tmp_path / "sfconnect.toml"
            path.write_text(f'[profiles.p]\nauth = "login"\n{name} = "{text}"')
        strategy = resolve(
            None if profile else "login",
            profile=profile,
            options=options,
            environ=environ,
            cwd=tmp_path,
            registry=registry,
        ).strategy
        assert isinstance(strategy, Login)
        return strategy

    return make


PLACES = ["argument", "environment", "profile"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["password", "pin"])
def test_a_reference_is_read_wherever_it_stands(made, place: str, name: str) -> None:
    assert made("shelf://top/box", place=place, name=name).password == Secret(CANARY)


@pytest.mark.parametrize("place", PLACES)
async def test_what_was_changed_there_is_found_when_it_is_read_again(
    monkeypatch: pytest.MonkeyPatch, made, place: str
) -> None:
    old = await to_thread.run_sync(partial(made, "shelf://top/box", place=place))
    assert await read_again(old) is None

    monkeypatch.setattr(Shelf, "resolve", lambda self, reference: Secret("changed"))

    found = await read_again(old)
    assert found is not None
    assert found.strategy == Login(Secret("changed"))


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_that_is_not_there_is_told_with_option_and_place(made, place: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        made("shelf://top/gone", place=place)

    assert caught.value.message.startswith("Option password cannot be read from ")
    assert f"{place} " in caught.value.message
    assert caught.value.message.endswith("There is nothing at shelf://top/gone.")
    assert caught.value.hint == "Put it there."


@pytest.mark.filterwarnings("ignore::sfconnect.config.ConfigurationWarning")
@pytest.mark.parametrize("text", ["force://id::5Aep@acme.example.com", "a://b", "shelf:/top", "x"])
@pytest.mark.parametrize("place", PLACES)
def test_a_text_with_another_scheme_is_the_secret(made, place: str, text: str) -> None:
    assert made(text, place=place).password == Secret(text)


def test_only_secrets_are_references(tmp_path: Path, registry: Registry[AuthStrategy]) -> None:
    options = {"password": CANARY, "place": "shelf://top/box"}

    strategy = resolve("login", options=options, environ={}, cwd=tmp_path, registry=registry)

    assert strategy.strategy == Login(CANARY, "shelf://top/box")


def test_a_secret_object_is_the_secret_itself(tmp_path, registry) -> None:
    options = {"password": Secret("shelf://top/box")}

    made = resolve("login", options=options, environ={}, cwd=tmp_path, registry=registry).strategy

    assert made == Login("shelf://top/box")


def test_what_a_file_holds_is_the_secret_itself(tmp_path, registry) -> None:
    (tmp_path / "s").write_text("shelf://top/box")

    made = resolve(
        "login", options={"password_file": "s"}, environ={}, cwd=tmp_path, registry=registry
    )

    assert made.strategy == Login("shelf://top/box")


@pytest.mark.parametrize(
    ("end", "problem"),
    [
        ("raises", "raised RuntimeError"),
        ("text", "gave no Secret"),
        ("none", "gave no Secret"),
        ("empty", "or an empty one"),
    ],
)
def test_a_careless_plugin_is_named_and_leaks_nothing(made, end: str, problem: str) -> None:
    with pytest.raises(PluginError, match=problem) as caught:
        made(f"careless://{end}", place="argument")

    assert "careless://" in str(caught.value)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.skipif(sys.platform == "win32", reason="modes say nothing there")
def test_a_reference_in_a_file_that_others_read_is_no_reason_to_warn(made) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made("shelf://top/box", place="profile")

    with pytest.warns(ConfigurationWarning, match="other users may read it"):
        made(CANARY, place="profile")


def test_a_strategy_that_is_made_in_code_says_where_references_are_read() -> None:
    with pytest.raises(ConfigurationError, match="holds a reference") as caught:
        Login("keyring://acme/ada")

    assert "connect(" in str(caught.value)


@pytest.mark.parametrize("value", [None, 3, b"shelf://x", Secret("shelf://x"), "", "://", "Shelf"])
def test_only_texts_with_a_scheme_are_references(value: object) -> None:
    assert not is_reference(value)


def test_a_known_scheme_without_its_plugin_names_what_to_install() -> None:
    program = (
        "from sfconnect.auth import SECRETS, resolve\n"
        "SECRETS._discover = lambda group: ()\n"
        "try:\n"
        "    resolve('api-key', options={'key': 'keyring://a/b', 'base_url': 'https://x'})\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )

    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == (
        "PluginError Option key cannot be read from argument key: Nothing that is installed reads "
        "keyring:// references. Hint: Install it: pip install sfconnect-auth-keyring"
    ), done.stderr

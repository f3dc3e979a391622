"""Logins that build on another: the base is named, and its options stand beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sfconnect._types import Secret
from sfconnect.auth import (
    AuthContext,
    AuthStrategy,
    Credentials,
    Registry,
    Resolved,
    coerce_secrets,
    option,
    options_of,
    resolve,
)
from sfconnect.config import ConfigurationWarning
from sfconnect.errors import ConfigurationError, PluginError


@dataclass(frozen=True, slots=True)
class Plain:
    """A login that stands alone."""

    client_id: str = option(help="Who.")
    secret: Secret | str = option(help="Secret.", secret=True)
    region: str = option(help="Where.", default="eu")

    def __post_init__(self) -> None:
        coerce_secrets(self)

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Derived:
    """A login that builds on another."""

    base: AuthStrategy = option(help="Login.")
    space: str | None = option(help="Space.", default=None)
    region: str = option(help="Where, again.", default="eu")

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Perhaps:
    """A login that may build on another."""

    base: AuthStrategy | None = option(help="Login.", default=None)

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


@pytest.fixture(scope="module")
def registry() -> Registry[AuthStrategy]:
    made: Registry[AuthStrategy] = Registry("sfconnect.auth", (), discover=lambda _group: ())
    for name, cls in {"plain": Plain, "derived": Derived, "perhaps": Perhaps}.items():
        made.register(name, cls)
    return made


@pytest.fixture
def resolved(tmp_path: Path, registry: Registry[AuthStrategy]):
    def make(
        auth: str | None = None,
        *,
        profile: str = "",
        environ: Mapping[str, str] | None = None,
        **options: object,
    ) -> Resolved:
        path = tmp_path / "sfconnect.toml"
        path.touch(0o600)
        path.write_text(f"[profiles.p]\n{profile}")
        return resolve(
            auth,
            profile="p" if profile else None,
            options=options,
            environ=environ or {},
            cwd=tmp_path,
            registry=registry,
        )

    return make


PROFILE = """
auth = "derived"
base = "plain"
space = "lab"
client_id = "app"
secret = "s3cr3t"
"""
WANTED = Derived(Plain("app", "s3cr3t"), "lab")


def test_one_profile_holds_both(resolved) -> None:
    made = resolved(profile=PROFILE)

    assert made.strategy == WANTED
    assert set(made.origins) == {"base", "space", "client_id", "secret"}


def test_arguments_may_be_of_both(resolved) -> None:
    made = resolved("derived", base="plain", space="lab", client_id="app", secret="s3cr3t")

    assert made.strategy == WANTED


def test_the_environment_may_be_of_both(resolved) -> None:
    texts = {"base": "plain", "space": "lab", "client_id": "app", "secret": "s3cr3t"}
    environ = {f"SFCONNECT_{name.upper()}": text for name, text in texts.items()}

    assert resolved("derived", environ=environ).strategy == WANTED


def test_places_are_asked_in_their_order_for_the_base_too(resolved) -> None:
    made = resolved(profile=PROFILE, client_id="other", environ={"SFCONNECT_SECRET": "newer"})

    assert made.strategy == Derived(Plain("other", "newer"), "lab")


def test_files_and_commands_stand_for_secrets_of_the_base(resolved, tmp_path) -> None:
    (tmp_path / "s").write_text("s3cr3t\n")

    made = resolved(profile=PROFILE.replace('secret = "s3cr3t"', 'secret_file = "s"'))

    assert made.strategy == WANTED


def test_an_option_that_both_have_goes_to_both(resolved) -> None:
    made = resolved(profile=PROFILE + 'region = "us"')

    assert made.strategy == Derived(Plain("app", "s3cr3t", "us"), "lab", "us")


def test_a_base_may_be_an_object(resolved) -> None:
    assert resolved("derived", base=Plain("app", "x")).strategy == Derived(Plain("app", "x"))


def test_beside_an_object_there_are_no_options_of_a_base(resolved) -> None:
    with pytest.raises(ConfigurationError, match="'derived' has no option 'client_id'"):
        resolved("derived", base=Plain("app", "x"), client_id="app")


def test_a_base_that_may_be_left_out_is(resolved) -> None:
    assert resolved("perhaps").strategy == Perhaps(None)
    with pytest.raises(ConfigurationError, match="has no option 'client_id'"):
        resolved("perhaps", client_id="app")


@pytest.mark.parametrize(
    ("options", "kind", "problem"),
    [
        ({}, ConfigurationError, "'derived' lacks what it needs: base"),
        ({"base": "plane"}, PluginError, r"no plugin 'plane'.*'plain'"),
        ({"base": "plain"}, ConfigurationError, "'plain' lacks what it needs: client_id, secret"),
        ({"base": "derived"}, ConfigurationError, r"'derived' builds on a login .*argument base"),
        ({"base": "perhaps"}, ConfigurationError, "'perhaps' builds on a login"),
        ({"base": "plain", "clientid": "x"}, ConfigurationError, "'client_id'"),
        ({"base": 7}, ConfigurationError, "must be a login, or the name of one"),
        ({"base": ""}, PluginError, "no plugin ''"),
    ],
    ids=["none", "slip", "no options", "itself", "another that builds", "typo", "number", "empty"],
)
def test_what_is_wrong_is_told(resolved, options: Any, kind: type[Exception], problem: str) -> None:
    with pytest.raises(kind, match=problem) as caught:
        resolved("derived", **options)

    assert type(caught.value) is kind


def test_an_open_file_with_a_secret_of_the_base_is_warned_of(resolved, tmp_path) -> None:
    resolved(profile=PROFILE)
    (tmp_path / "sfconnect.toml").chmod(0o644)

    with pytest.warns(ConfigurationWarning, match="secret option 'secret'"):
        resolved(profile=PROFILE)


def test_a_slip_of_a_variable_of_the_base_is_warned_of(resolved) -> None:
    environ = {"SFCONNECT_REGIN": "us"}

    with pytest.warns(ConfigurationWarning, match="did you mean SFCONNECT_REGION"):
        resolved(profile=PROFILE, environ=environ)


def test_listings_say_what_such_an_option_takes() -> None:
    spec = options_of(Derived)[0]

    assert spec.takes_login
    assert spec.wanted == "a login, or the name of one whose options stand beside it"
    assert not any(one.takes_login for one in options_of(Plain))

"""The environment is everybody's: what is there for another login must not stop this one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sfconnect._types import Secret
from sfconnect.auth import AuthContext, AuthStrategy, Credentials, Resolved, coerce_secrets, option
from sfconnect.auth.options import build
from sfconnect.auth.registry import Registry
from sfconnect.auth.resolve import resolve
from sfconnect.config import Value
from sfconnect.errors import ConfigurationError

SITE = {"login_url": "https://acme.my.salesforce.com", "client_id": "3MVG9"}
TOKENS = {"token_url": "https://id.example.com/token", "client_id": "app"}
OF_OTHERS = {
    "SFCONNECT_PRIVATE_KEY_FILE": "/keys/of-another-login",
    "SFCONNECT_PASSPHRASE": "open sesame",
    "SFCONNECT_CLIENT_SECRET": "of another app",
    "SFCONNECT_CLIENT_SECRET_NEXT": "of that app too",
    "SFCONNECT_SUBJECT_TOKEN_FILE": "/tokens/of-another",
    "SFCONNECT_ACTOR_TOKEN_FILE": "/tokens/of-an-actor",
    "SFCONNECT_ASSERTION_FILE": "/assertions/of-another",
    "SFCONNECT_USERNAME": "ada@example.com",
    "SFCONNECT_PASSWORD": "of-ada",
    "SFCONNECT_REFRESH_TOKEN": "of-ada-as-well",
    "SFCONNECT_SUBDOMAIN": "mc1",
    "SFCONNECT_SHORT_CODE": "kv7kzm78",
    "SFCONNECT_ORGANIZATION": "f_ecom_zzrf_001",
    "SFCONNECT_CHANNEL_ID": "RefArch",
    "SFCONNECT_ACCOUNT_ID": "100",
    "SFCONNECT_KEY": "abc",
    "SFCONNECT_KEY_ID": "1",
}


async def supply() -> str:
    return "token"


class HeldElsewhere:
    """A signer; it signs nothing here."""

    algorithm, key_id = "RS256", None

    async def sign(self, data: bytes) -> bytes:
        raise NotImplementedError


SIGNER = HeldElsewhere()
VARIANTS: list[tuple[str, dict[str, Any], set[str]]] = [
    # The login, what is given for it, and what of the others' variables it really uses.
    ("client-credentials", {**SITE, "client_secret": "s"}, {"client_secret_next"}),
    (
        "client-credentials",
        {**SITE, "client_auth": "private_key_jwt", "private_key_file": "k"},
        {"passphrase"},
    ),
    ("client-credentials", {**SITE, "client_auth": "private_key_jwt", "signer": SIGNER}, set()),
    ("jwt-bearer", {**SITE, "username": "u@x.org", "private_key_file": "k"}, {"passphrase"}),
    ("jwt-bearer", {**SITE, "username": "u@x.org", "signer": SIGNER}, set()),
    ("token-exchange", {**SITE, "subject_token_source": supply, "subject": "u"}, set()),
    (
        "saml-bearer",
        {"login_url": SITE["login_url"], "assertion_source": supply, "username": "u@x.org"},
        set(),
    ),
    ("oauth2-client-credentials", {**TOKENS, "client_secret": "s"}, set()),
    (
        "oauth2-client-credentials",
        {**TOKENS, "client_auth": "private_key_jwt", "signer": SIGNER},
        {"key_id"},
    ),
    (
        "oauth2-client-credentials",
        {"provider": "mce", "client_id": "a", "client_secret": "s", "subdomain": "t"},
        {"account_id"},
    ),
    ("oauth2-refresh-token", {**TOKENS, "refresh_token": "r"}, {"client_secret"}),
    ("oauth2-jwt-bearer", {**TOKENS, "signer": SIGNER}, {"client_secret", "key_id"}),
    (
        "oauth2-authorization-code",
        {**TOKENS, "authorization_url": "https://id.example.com/a"},
        set(),
    ),
]


@pytest.mark.parametrize(("name", "given", "used"), VARIANTS)
def test_no_variable_of_another_login_stops_a_login(
    name: str, given: dict[str, Any], used: set[str], tmp_path: Path
) -> None:
    made = resolve(name, options=given, environ=OF_OTHERS, cwd=tmp_path)

    assert used <= _from_variables(made)
    assert not _from_variables(made) & {"private_key_file", "subject_token_file", "assertion_file"}
    for option_name in ("private_key_file", "subject_token_file", "assertion_file", "short_code"):
        assert getattr(made.strategy, option_name, None) == _as_given(given, option_name, tmp_path)


@pytest.mark.parametrize("form", ["argument", "profile"])
@pytest.mark.parametrize("unused", ["private_key_file", "passphrase"])
def test_an_option_without_use_is_an_error_where_it_is_meant(
    form: str, unused: str, tmp_path: Path
) -> None:
    options: dict[str, Any] = {**SITE, "client_secret": "s"}
    profile = None
    if form == "argument":
        options[unused] = "mine"
    else:
        text = f'[profiles.p]\nauth = "client-credentials"\n{unused} = "mine"\n'
        (tmp_path / "sfconnect.toml").write_text(text)
        (tmp_path / "sfconnect.toml").chmod(0o600)
        profile = "p"

    with pytest.raises(ConfigurationError, match=f"{unused} is not used"):
        resolve("client-credentials", profile=profile, options=options, environ={}, cwd=tmp_path)


def test_what_a_variable_without_use_stands_for_is_not_read(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    command = f"{sys.executable} -c \"open(r'{trace}', 'w')\""
    environ = {
        "SFCONNECT_CLIENT_SECRET_FILE": str(tmp_path / "nothing-here"),
        "SFCONNECT_PASSPHRASE_COMMAND": command,
    }
    given = {**SITE, "client_auth": "private_key_jwt", "signer": SIGNER}

    made = resolve("client-credentials", options=given, environ=environ, cwd=tmp_path)

    assert getattr(made.strategy, "client_secret", "") is None
    assert not trace.exists()


def test_what_a_variable_with_use_stands_for_is_still_missed(tmp_path: Path) -> None:
    environ = {"SFCONNECT_CLIENT_SECRET_FILE": str(tmp_path / "nothing-here")}

    with pytest.raises(ConfigurationError, match=r"client_secret cannot be read.*nothing-here"):
        resolve("client-credentials", options=SITE, environ=environ, cwd=tmp_path)


def test_a_method_of_another_login_gives_way_to_a_secret_that_is_meant(tmp_path: Path) -> None:
    environ = {
        "SFCONNECT_CLIENT_AUTH": "private_key_jwt",
        "SFCONNECT_PRIVATE_KEY_FILE": "/keys/of-another-login",
    }

    made = resolve(
        "client-credentials",
        options={**SITE, "client_secret": "mine"},
        environ=environ,
        cwd=tmp_path,
    )

    assert getattr(made.strategy, "client_auth", "") == "body"
    assert getattr(made.strategy, "client_secret", "") == Secret("mine")
    assert set(made.origins) == {"login_url", "client_id", "client_secret"}


def test_the_environment_alone_may_choose_between_key_and_secret(tmp_path: Path) -> None:
    environ = {
        **OF_OTHERS,
        "SFCONNECT_LOGIN_URL": SITE["login_url"],
        "SFCONNECT_CLIENT_ID": "3MVG9",
        "SFCONNECT_CLIENT_AUTH": "private_key_jwt",
    }

    made = resolve("client-credentials", environ=environ, cwd=tmp_path)

    assert getattr(made.strategy, "client_secret", "") is None
    assert getattr(made.strategy, "private_key_file", "") == Path("/keys/of-another-login")


def test_a_base_login_is_not_stopped_either(tmp_path: Path) -> None:
    options = {**SITE, "client_secret": "s", "base": "client-credentials"}

    made = resolve("data360", options=options, environ=OF_OTHERS, cwd=tmp_path)

    assert getattr(made.strategy, "base").client_secret == Secret("s")  # noqa: B009  # a protocol
    assert "private_key_file" not in made.origins
    assert made.origins["client_secret_next"] == "environment variable SFCONNECT_CLIENT_SECRET_NEXT"


def test_a_certificate_and_its_file_stand_for_one_option(tmp_path: Path) -> None:
    given = {**SITE, "username": "u@x.org", "signer": SIGNER, "certificate_file": "mine.crt"}
    environ = {"SFCONNECT_CERTIFICATE": "of another login"}

    made = resolve("jwt-bearer", options=given, environ=environ, cwd=tmp_path)

    assert getattr(made.strategy, "certificate", "") is None
    assert getattr(made.strategy, "certificate_file", "") == tmp_path / "mine.crt"
    with pytest.raises(ConfigurationError, match="certificate is given twice"):
        resolve("jwt-bearer", options={**given, "certificate": "x"}, environ={}, cwd=tmp_path)


@dataclass(frozen=True, slots=True)
class Picky:
    """Wants to see its secret before it says what it has no use for."""

    pin: Secret | str = option(help="Four digits.", secret=True)
    spare: str | None = option(help="Never used.", default=None)

    def __post_init__(self) -> None:
        coerce_secrets(self)
        if isinstance(self.pin, Secret) and not self.pin.reveal().isdecimal():
            raise ValueError("pin is no number")
        if self.spare is not None:
            raise ConfigurationError("spare is not used.", unused=("spare",))

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


@pytest.mark.parametrize("content", ["1234", "abcd"])
def test_a_login_that_looks_at_its_secret_sees_the_real_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "pin").write_text(content)
    registry: Registry[AuthStrategy] = Registry(
        "sfconnect.auth", ("authenticate",), discover=lambda _group: ()
    )
    registry.register("picky", Picky)
    environ = {"SFCONNECT_PIN_FILE": "pin", "SFCONNECT_SPARE": "x"}

    if content == "1234":
        made = resolve("picky", environ=environ, cwd=tmp_path, registry=registry)
        assert made.strategy == Picky("1234")
        assert set(made.origins) == {"pin"}
    else:
        with pytest.raises(ConfigurationError, match="do not fit together: pin is no number"):
            resolve("picky", environ=environ, cwd=tmp_path, registry=registry)


def test_a_value_that_is_meant_is_never_left_out() -> None:
    with pytest.raises(ConfigurationError, match="spare is not used"):
        build(Picky, {"pin": Value("1234", "a test"), "spare": Value("x", "a test")})


def _from_variables(made: Resolved) -> set[str]:
    return {name for name, origin in made.origins.items() if origin.startswith("environment")}


def _as_given(given: dict[str, Any], name: str, folder: Path) -> object:
    return folder / given[name] if name in given else None

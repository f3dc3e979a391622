"""A program that looks for its login: its folder, profiles, environment, and strategies."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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
    resolve,
)
from sfconnect.errors import ConfigurationError

CANARY = "hunter2-canary"


@dataclass(frozen=True, slots=True)
class Client:
    """Log in as an app."""

    login_url: str = option(help="Where.")
    client_id: str = option(help="Who.")
    client_secret: Secret | str = option(help="Secret.", secret=True, aliases=("app_secret",))
    client_auth: Literal["body", "basic"] = option(help="How.", default="body")
    audience: str | None = option(help="For whom.", default=None, env="AUDIENCE", aliases=("aud",))

    def __post_init__(self) -> None:
        coerce_secrets(self)

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Key:
    """Log in with a key, as text or as a file that the strategy reads itself."""

    private_key: Secret | str | None = option(help="Key.", secret=True, default=None)
    private_key_file: Path | None = option(help="Its file.", default=None)

    def __post_init__(self) -> None:
        coerce_secrets(self)

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Generic:
    """Has an option that is a setting too."""

    base_url: str | None = option(help="The API.", default=None)

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Common:
    """Has a secret under a name that platforms and other tools set too."""

    token: Secret | str = option(help="Token.", secret=True, env="TOOL_TOKEN")

    def __post_init__(self) -> None:
        coerce_secrets(self)

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


class Situation:
    """A program's surroundings: folder, profile file, environment."""

    def __init__(self, folder: Path, registry: Registry[AuthStrategy]) -> None:
        self.folder = folder
        self.registry = registry
        self.environ: dict[str, str] = {}

    @property
    def file(self) -> Path:
        return self.folder / "sfconnect.toml"

    def profile(self, text: str, name: str = "prod") -> None:
        self.file.touch(mode=0o600)
        with self.file.open("a") as file:
            file.write(f"[profiles.{name}]\n{text}\n")

    def variables(self, **variables: str) -> None:
        self.environ |= {f"SFCONNECT_{name.upper()}": text for name, text in variables.items()}

    def resolve(self, auth: Any = None, profile: str | None = None, **options: object) -> Resolved:
        return resolve(
            auth,
            profile=profile,
            options=options,
            environ=self.environ,
            cwd=self.folder,
            registry=self.registry,
        )

    def refusal(
        self, auth: Any = None, profile: str | None = None, **options: object
    ) -> ConfigurationError:
        with pytest.raises(ConfigurationError) as caught:
            self.resolve(auth, profile, **options)
        assert CANARY not in "".join(traceback.format_exception(caught.value))
        return caught.value


FULL: Mapping[str, str] = {"login_url": "https://x", "client_id": "id", "client_secret": CANARY}
CLIENT = Client("https://x", "id", CANARY)
PROFILE = f"""
auth = "client-credentials"
login_url = "https://x"
client_id = "id"
client_secret = "{CANARY}"
"""

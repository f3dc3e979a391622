"""Options that name their secret in the keyring."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked

from sfconnect import ClientCredentials, ConfigurationError, Secret
from sfconnect.auth import SECRETS, resolve
from sfconnect_auth_keyring import KeyringSecrets

CANARY = "hunter2-canary"


@pytest.mark.parametrize(
    ("reference", "service", "username"),
    [
        ("keyring://acme/client-secret", "acme", "client-secret"),
        ("keyring://acme/ada@example.com", "acme", "ada@example.com"),
        ("keyring://acme/team/app", "acme", "team/app"),
        ("keyring://acme%2Fprod/a%20b", "acme/prod", "a b"),
        ("keyring://Acme:8080/x?y#z", "Acme:8080", "x?y#z"),
        ("keyring://[acme]/ä", "[acme]", "ä"),
    ],
)
def test_a_reference_names_service_and_user(backend, reference, service, username) -> None:
    backend.set_password(service, username, CANARY)

    assert KeyringSecrets().resolve(reference) == Secret(CANARY)


@pytest.mark.parametrize("reference", ["keyring://", "keyring://acme", "keyring:///x"])
def test_a_reference_without_its_parts_is_refused(backend, reference: str) -> None:
    with pytest.raises(ConfigurationError, match="Write keyring://SERVICE/USERNAME"):
        KeyringSecrets().resolve(reference)


def test_a_missing_entry_is_told_with_the_command_that_makes_it(backend) -> None:
    with pytest.raises(ConfigurationError) as caught:
        KeyringSecrets().resolve("keyring://acme/client secret")

    assert caught.value.message == (
        "The keyring has no entry of 'client secret' for the service 'acme'."
    )
    assert caught.value.hint == "Make it: python -m keyring set acme 'client secret'"


class Raising(NoKeyring):
    """A backend that fails, and quotes what it holds."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_password(self, *_arguments: object, **_options: object) -> str | None:
        raise self.error


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (NoKeyring(), "There is no keyring on this machine"),
        (Raising(KeyringLocked(CANARY)), "The keyring is locked"),
        (Raising(RuntimeError(CANARY)), r"cannot be read: builtins\.RuntimeError"),
    ],
    ids=["none", "locked", "broken"],
)
def test_a_keyring_that_cannot_be_read_is_a_wrong_configuration(backend, made, problem) -> None:
    keyring.set_keyring(made)

    with pytest.raises(ConfigurationError, match=problem) as caught:
        KeyringSecrets().resolve("keyring://acme/x")

    assert CANARY not in str(caught.value)


REFERENCE = "keyring://acme/secret"
PROFILE = f"""
[profiles.p]
auth = "client-credentials"
client_secret = "{REFERENCE}"
"""


@pytest.mark.parametrize(
    "places",
    [
        {"auth": "client-credentials", "options": {"client_secret": REFERENCE}},
        {"auth": "client-credentials", "environ": {"SFCONNECT_CLIENT_SECRET": REFERENCE}},
        {"profile": "p"},
    ],
    ids=["argument", "environment", "profile"],
)
def test_any_secret_option_may_be_in_the_keyring(backend, tmp_path: Path, places) -> None:
    backend.set_password("acme", "secret", CANARY)
    (tmp_path / "sfconnect.toml").write_text(PROFILE)
    others = {"login_url": "https://acme.my.salesforce.com", "client_id": "an-id"}
    places = {"environ": {}, **places, "options": {**others, **places.get("options", {})}}

    made = resolve(cwd=tmp_path, **places).strategy

    assert isinstance(made, ClientCredentials)
    assert made.client_secret == Secret(CANARY)


def test_its_scheme_is_an_entry_point() -> None:
    assert SECRETS.load("keyring") is KeyringSecrets


def test_what_the_keyrings_own_command_writes_is_read(tmp_path: Path) -> None:
    """As its users do it: in processes of their own, with a keyring in a file."""
    environ = {
        **os.environ,
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
        "XDG_DATA_HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "SFCONNECT_KEY": "keyring://acme/api key",
    }
    python = shlex.quote(sys.executable)
    subprocess.run(
        ["/bin/sh", "-c", f"echo {CANARY} | {python} -m keyring set acme 'api key'"],
        env=environ,
        check=True,
    )
    program = (
        "from sfconnect.auth import resolve\n"
        "made = resolve('api-key', options={'base_url': 'https://x'}).strategy\n"
        "print(made.key.reveal())"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, check=True, capture_output=True, text=True
    )

    assert done.stdout.strip() == CANARY

"""Which token store a connection uses, and where the store's own options come from."""

from __future__ import annotations

import base64
import warnings
from pathlib import Path

import pytest

from sfconnect import Connector, RefreshToken, Salesforce
from sfconnect.auth import FileStore, MemoryStore, resolve
from sfconnect.auth.store import identity_key
from sfconnect.config import ConfigurationWarning
from sfconnect.errors import ConfigurationError, PluginError
from sfconnect.testing import ScriptedStrategy

KEY = base64.b64encode(bytes(range(32))).decode()
LOGIN = RefreshToken("https://acme.my.salesforce.com", "app", "5Aep-canary")
PROFILE = """
[profiles.prod]
auth = "refresh-token"
login_url = "https://acme.my.salesforce.com"
client_id = "app"
refresh_token = "5Aep-canary"
"""


@pytest.fixture
def profile(tmp_path: Path):
    """Write a profile with some more lines."""
    file = tmp_path / "sfconnect.toml"
    file.touch(mode=0o600)
    return lambda *lines: file.write_text("\n".join([PROFILE, *lines]))


@pytest.fixture
def resolved(tmp_path: Path):
    """Resolve in a folder of the test's own, with no other environment than what is given."""

    def run(auth=None, profile=None, environ=None, **options):
        return resolve(auth, profile=profile, options=options, environ=environ or {}, cwd=tmp_path)

    return run


def test_without_a_setting_tokens_are_kept_nowhere(resolved, profile):
    profile()

    assert resolved(LOGIN).store is None
    assert resolved(profile="prod").store is None


def test_a_profile_names_the_store_and_its_options(resolved, profile, tmp_path):
    profile('token_store = "file"', 'file_store_dir = "tokens"', "file_store_lock_timeout_s = 5")

    made = resolved(profile="prod")

    # A path in a profile begins at its file.
    assert made.store == FileStore(tmp_path / "tokens", file_store_lock_timeout_s=5)
    assert made.settings.token_store == "file"
    assert made.origins["file_store_dir"] == f"file_store_dir of profile 'prod' in {tmp_path}/" + (
        "sfconnect.toml"
    )


def test_the_environment_names_the_store_and_its_options(resolved, tmp_path):
    environ = {"SFCONNECT_TOKEN_STORE": "file", "SFCONNECT_FILE_STORE_KEY": KEY}

    assert resolved(LOGIN, environ=environ).store == FileStore(None, KEY)
    assert resolved("access-token", environ=environ, instance_url="https://a.my.salesforce.com",
                    access_token="t").store == FileStore(None, KEY)  # fmt: skip


def test_arguments_name_the_store_and_its_options(resolved, tmp_path):
    store = resolved(LOGIN, token_store="file", file_store_dir=tmp_path).store

    assert store == FileStore(tmp_path)


def test_an_argument_wins_over_the_environment_and_that_over_the_profile(resolved, profile):
    profile('token_store = "file"', 'file_store_dir = "/of/profile"')
    environ = {"SFCONNECT_FILE_STORE_DIR": "/of/environment"}

    dirs = [
        resolved(profile="prod").store.file_store_dir,
        resolved(profile="prod", environ=environ).store.file_store_dir,
        resolved(profile="prod", environ=environ, file_store_dir="/of/arg").store.file_store_dir,
    ]  # fmt: skip

    assert dirs == [Path("/of/profile"), Path("/of/environment"), Path("/of/arg")]


def test_another_store_may_stand_in_for_that_of_a_profile(resolved, profile):
    """Its options stay in the profile, and mean nothing to the other."""
    profile('token_store = "file"', 'file_store_dir = "/of/profile"')

    store = resolved(profile="prod", environ={"SFCONNECT_TOKEN_STORE": "memory"}).store

    assert isinstance(store, MemoryStore)


def test_a_store_of_a_profile_may_be_turned_off(resolved, profile):
    profile('token_store = "file"', 'file_store_dir = "/of/profile"')

    assert resolved(profile="prod", token_store="none").store is None
    assert resolved(profile="prod", environ={"SFCONNECT_TOKEN_STORE": "none"}).store is None


def test_connections_that_name_the_memory_share_one(resolved):
    one, two = (resolved(LOGIN, token_store="memory").store for _ in range(2))

    assert one is two


def test_a_key_may_come_from_a_file(resolved, profile, tmp_path):
    (tmp_path / "key").write_text(KEY)
    profile('token_store = "file"', 'file_store_key_file = "key"')

    assert resolved(profile="prod").store == FileStore(None, KEY)


def test_a_key_in_a_profile_that_others_may_read_brings_a_warning(resolved, profile, tmp_path):
    profile('token_store = "file"', f'file_store_key = "{KEY}"')
    (tmp_path / "sfconnect.toml").chmod(0o644)

    with pytest.warns(ConfigurationWarning) as caught:
        resolved(profile="prod")

    assert any("file_store_key" in str(one.message) for one in caught)


def test_an_unknown_store_is_named_with_the_nearest(resolved):
    with pytest.raises(PluginError, match="'fiel'") as caught:
        resolved(LOGIN, token_store="fiel")

    assert "argument token_store" in caught.value.message
    assert "Did you mean 'file'?" in (caught.value.hint or "")


@pytest.mark.parametrize("where", ["argument", "profile"])
def test_a_slip_in_a_stores_option_is_named_with_the_nearest(resolved, profile, where):
    options = {}
    if where == "argument":
        profile('token_store = "file"')
        options = {"file_store_dirr": "x"}
    else:
        profile('token_store = "file"', 'file_store_dirr = "x"')

    with pytest.raises(ConfigurationError, match="file_store_dirr") as caught:
        resolved(profile="prod", **options)

    assert "file_store_dir" in (caught.value.hint or "")


def test_a_slip_in_a_variable_brings_a_warning(resolved, profile):
    profile('token_store = "file"')

    with pytest.warns(ConfigurationWarning, match="did you mean SFCONNECT_FILE_STORE_DIR"):
        resolved(profile="prod", environ={"SFCONNECT_FILE_STORE_DIRR": "x"})


def test_options_of_a_store_that_is_not_used_are_no_options(resolved, profile):
    profile('file_store_dir = "x"')

    with pytest.raises(ConfigurationError, match="file_store_dir"):
        resolved(profile="prod")


def test_left_over_variables_of_a_store_choose_none(resolved):
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        assert resolved(LOGIN, environ={"SFCONNECT_FILE_STORE_DIR": "x"}).store is None


def test_a_value_that_a_store_refuses_is_told_when_the_connection_is_made(resolved):
    with pytest.raises(ConfigurationError, match="file_store_key is no key"):
        resolved(LOGIN, token_store="file", file_store_key="short")


async def test_a_store_that_is_given_wins_over_one_that_is_named(fake_transport):
    given = MemoryStore()
    async with Connector.connect(
        ScriptedStrategy(), store=given, token_store="memory",
        base_url="https://org.example.com", transport=fake_transport(None),
    ) as api:  # fmt: skip
        await api.credentials()

        assert await given.get(api._opened().manager.identity) is not None


async def test_connections_of_one_program_share_a_login_by_the_setting(fake_transport):
    strategy = ScriptedStrategy()

    async def token_of_a_connection():
        async with Connector.connect(
            strategy, token_store="memory", base_url="https://org.example.com",
            transport=fake_transport(None),
        ) as api:  # fmt: skip
            return await api.credentials()

    tokens = [await token_of_a_connection() for _ in range(3)]

    assert strategy.started == 1
    assert tokens[0] == tokens[2]
    store = resolve(LOGIN, options={"token_store": "memory"}, environ={}).store
    assert store is not None
    await store.delete(identity_key(strategy))


async def test_revoking_on_close_is_refused_beside_a_store_of_a_profile(
    profile, tmp_path, monkeypatch
):
    profile('token_store = "memory"')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SFCONNECT_CONFIG", raising=False)

    with pytest.raises(ConfigurationError, match="revoke_on_close"):
        await Salesforce.connect(profile="prod", revoke_on_close=True).open()

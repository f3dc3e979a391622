"""What the store keeps, what it makes of a keyring's errors, and who waits for whom."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.backends.null import Keyring as NullKeyring
from keyring.errors import InitError, KeyringLocked

from sfconnect import ConfigurationError, Secret
from sfconnect.auth import TOKEN_STORES, Credentials, FileLock, StoredToken, options_of
from sfconnect.errors import TokenStoreError
from sfconnect_auth_keyring import KeyringStore

KEY = "0123456789abcdef0123456789abcdef"
SHORT = Credentials(Secret("canary-token"), "https://acme.my.salesforce.com")
LONG = Credentials(Secret("canary" * 1_000), "https://acme.my.salesforce.com")


def entries(backend: KeyringBackend) -> list[str]:
    """Names of what the keyring has under the service, however it spells them."""
    text = Path(vars(backend)["file_path"]).read_text()
    return [line.split(" = ")[0] for line in text.splitlines() if " = " in line]


async def test_a_record_is_json_with_a_version(store, backend) -> None:
    await store.compare_and_swap(KEY, None, SHORT)

    document = json.loads(keyring.get_password("sfconnect", KEY) or "")
    assert document["version"] == 1
    assert document["generation"] == 1
    assert document["credentials"]["access_token"] == "canary-token"


async def test_a_long_record_lies_in_parts_that_leave_with_it(store, backend) -> None:
    await store.compare_and_swap(KEY, None, LONG)
    assert len(entries(backend)) == 7

    await store.compare_and_swap(KEY, 1, SHORT)
    assert len(entries(backend)) == 1

    await store.compare_and_swap(KEY, 2, LONG)
    await store.delete(KEY)
    assert entries(backend) == []


async def test_a_writer_that_is_killed_between_parts_leaves_the_old_record(
    store, backend, monkeypatch
) -> None:
    await store.compare_and_swap(KEY, None, LONG)
    set_password, count = backend.set_password, 0

    def die_at_the_third(*arguments: str) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise SystemError
        set_password(*arguments)

    monkeypatch.setattr(backend, "set_password", die_at_the_third)
    with pytest.raises(TokenStoreError):
        await store.compare_and_swap(KEY, 1, LONG)

    assert await store.get(KEY) == StoredToken(LONG, 1)


async def test_services_do_not_see_each_other(store, locks) -> None:
    await store.compare_and_swap(KEY, None, SHORT)

    assert await KeyringStore("other", keyring_lock_dir=locks).get(KEY) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "{}",
        '{"version":1}',
        '{"version":null}',
        '{"version":1,"generation":1,"credentials":{}}',
        '{"version":1,"parts":1,"generation":"x","digest":""}',
        '{"version":1,"parts":1,"generation":1,"digest":"0"}',
    ],
)
async def test_a_damaged_record_is_named_and_can_be_removed(store, text) -> None:
    keyring.set_password("sfconnect", KEY, text)

    with pytest.raises(TokenStoreError, match="is damaged") as caught:
        await store.get(KEY)

    assert caught.value.docs_key == "keyring-damaged"
    assert f"keyring del sfconnect {KEY}" in (caught.value.hint or "")
    await store.delete(KEY)
    assert await store.get(KEY) is None


@pytest.mark.parametrize("member", ["access_token", "instance_url", "refresh_token"])
async def test_a_member_of_the_wrong_kind_is_damage(store, member) -> None:
    await store.compare_and_swap(KEY, None, SHORT)
    document = json.loads(keyring.get_password("sfconnect", KEY) or "")
    document["credentials"][member] = 7
    keyring.set_password("sfconnect", KEY, json.dumps(document))

    with pytest.raises(TokenStoreError, match="is damaged") as caught:
        await store.get(KEY)

    assert "canary" not in f"{caught.value!r}{caught.value.__context__!r}"


async def test_a_part_that_is_gone_or_an_index_of_an_index_is_damage(store) -> None:
    await store.compare_and_swap(KEY, None, LONG)
    keyring.delete_password("sfconnect", f"{KEY}.1.2")

    with pytest.raises(TokenStoreError, match="is damaged"):
        await store.get(KEY)

    import hashlib

    inner = '{"version":1,"parts":1,"generation":1,"digest":""}'
    digest = hashlib.sha256(inner.encode()).hexdigest()
    outer = {"version": 1, "parts": 1, "generation": 1, "digest": digest}
    keyring.set_password("sfconnect", KEY, json.dumps(outer))
    keyring.set_password("sfconnect", f"{KEY}.1.0", inner)
    with pytest.raises(TokenStoreError, match="is damaged"):
        await store.get(KEY)


async def test_a_record_of_a_newer_version_is_left_alone(store) -> None:
    keyring.set_password("sfconnect", KEY, '{"version":2,"unheard":"of"}')

    for work in (store.get(KEY), store.compare_and_swap(KEY, None, SHORT)):
        with pytest.raises(TokenStoreError, match="version 2, not 1") as caught:
            await work
        assert caught.value.docs_key == "keyring-newer"


@pytest.mark.parametrize("value", [object(), float("nan"), {1j: 1}])
async def test_what_has_no_json_form_is_not_kept(store, value) -> None:
    odd = Credentials(Secret("canary"), "https://acme.my.salesforce.com", extra={"odd": value})

    with pytest.raises(TokenStoreError, match="no JSON form") as caught:
        await store.compare_and_swap(KEY, None, odd)

    assert "canary" not in str(caught.value)
    assert await store.get(KEY) is None


class Raising(KeyringBackend):
    """Fails in a way of its own."""

    priority = 1.0

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self.error

    set_password = delete_password = get_password  # type: ignore[assignment] # all fail alike


@pytest.mark.parametrize(
    ("made", "key"),
    [
        (NoKeyring, "keyring-missing"),
        (lambda: Raising(KeyringLocked("canary")), "keyring-locked"),
        (lambda: Raising(InitError("canary")), "keyring-failed"),
        (lambda: Raising(OSError(5, "canary")), "keyring-failed"),
        (lambda: Raising(ValueError("canary")), "keyring-failed"),
    ],
    ids=["none", "locked", "init", "os", "own"],
)
async def test_errors_of_a_keyring_are_typed_and_quote_nothing(
    store, made: Callable[[], KeyringBackend], key: str
) -> None:
    keyring.set_keyring(made())

    for work in (store.get(KEY), store.compare_and_swap(KEY, None, SHORT), store.delete(KEY)):
        with pytest.raises(TokenStoreError) as caught:
            await work
        assert caught.value.docs_key == key
        assert caught.value.hint
        assert "canary" not in str(caught.value)


async def test_a_keyring_that_forgets_silently_is_found_out(store) -> None:
    keyring.set_keyring(NullKeyring())

    with pytest.raises(TokenStoreError, match="did not keep") as caught:
        await store.compare_and_swap(KEY, None, SHORT)

    assert caught.value.docs_key == "keyring-forgets"


async def test_a_lock_that_is_held_too_long_is_an_error(locks, store) -> None:
    impatient = KeyringStore(keyring_lock_dir=locks, keyring_lock_timeout_s=0.1)

    async with store.lock(KEY):
        with pytest.raises(TokenStoreError, match=r"has held .*\.lock for more than 0\.1 s"):
            async with impatient.lock(KEY):
                raise AssertionError("it is held")


async def test_a_keyring_that_is_in_use_too_long_is_an_error(locks, backend) -> None:
    impatient = KeyringStore(keyring_lock_dir=locks, keyring_lock_timeout_s=0.1)
    guard = FileLock(locks / "keyring.lock")
    assert await asyncio.to_thread(guard.try_acquire)

    with pytest.raises(TokenStoreError, match=r"keyring\.lock for more than 0\.1 s"):
        await impatient.get(KEY)

    guard.release()
    assert await impatient.get(KEY) is None


async def test_a_reader_that_is_cancelled_does_not_wait_for_the_keyring(store, backend) -> None:
    """It may be asking its user for leave, who is at lunch."""
    asked, answered = threading.Event(), threading.Event()

    class Asking(Raising):
        def get_password(self, service: str, username: str) -> str | None:
            asked.set()
            answered.wait(10)
            return None

    keyring.set_keyring(Asking(OSError()))
    reader = asyncio.create_task(store.get(KEY))
    await asyncio.to_thread(asked.wait, 5)

    reader.cancel()
    async with asyncio.timeout(2):
        await asyncio.wait({reader})

    assert reader.cancelled()
    answered.set()


async def test_a_write_that_fails_after_its_caller_left_disturbs_nobody(store, backend) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Failing(Raising):
        def get_password(self, service: str, username: str) -> str | None:
            begun.set()
            go_on.wait(10)
            raise self.error

    keyring.set_keyring(Failing(OSError("disk full")))
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, facts: complaints.append(facts))
    writer = asyncio.create_task(store.compare_and_swap(KEY, None, SHORT))
    await asyncio.to_thread(begun.wait, 5)

    writer.cancel()
    go_on.set()
    await asyncio.wait({writer})

    assert writer.cancelled()
    assert complaints == []


async def test_a_folder_that_cannot_be_made_is_told(tmp_path, backend) -> None:
    (tmp_path / "file").write_text("")
    store = KeyringStore(keyring_lock_dir=tmp_path / "file" / "locks")

    with pytest.raises(TokenStoreError, match="Not a directory") as caught:
        await store.get(KEY)

    assert "keyring_lock_dir" in (caught.value.hint or "")


async def test_lock_files_are_for_their_user_alone(store, locks) -> None:
    async with store.lock(KEY):
        assert locks.stat().st_mode & 0o077 == 0


async def test_without_an_option_the_folder_is_the_users(backend, monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))

    async with KeyringStore().lock(KEY):
        assert (tmp_path / "home" / "sfconnect" / "locks").is_dir()


@pytest.mark.parametrize(
    "options", [{"keyring_service": " "}, {"keyring_lock_timeout_s": 0.0}], ids=str
)
def test_options_that_cannot_work_are_refused(options) -> None:
    with pytest.raises(ConfigurationError):
        KeyringStore(**options)


def test_it_is_found_by_its_name() -> None:
    assert TOKEN_STORES.load("keyring") is KeyringStore


def test_it_has_no_secrets_of_its_own() -> None:
    assert [spec.name for spec in options_of(KeyringStore) if spec.secret] == []

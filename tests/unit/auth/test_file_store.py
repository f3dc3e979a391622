"""Tokens in files: private, whole after a crash, encrypted if asked for, with clear errors."""

from __future__ import annotations

import asyncio
import base64
import errno
import json
import os
import signal
import stat
import subprocess
import sys
import traceback
from dataclasses import replace
from pathlib import Path

import pytest

from sfconnect._types import Secret
from sfconnect.auth import TOKEN_STORES, build, options_of
from sfconnect.auth.base import Credentials, StoredToken
from sfconnect.auth.file_store import FileStore
from sfconnect.config import Form, Value
from sfconnect.errors import ConfigurationError, TokenStoreError

KEY = "0123456789abcdef0123456789abcdef"
CREDENTIALS = Credentials(
    Secret("canary-token"), "https://acme.my.salesforce.com", refresh_token=Secret("canary-refresh")
)
NEWER = replace(CREDENTIALS, access_token=Secret("canary-newer"))
SECRET_KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(32)).decode()
NO_MODES = pytest.mark.skipif(os.name == "nt", reason="modes of Windows say nothing about others")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tokens"


@pytest.fixture
def store(folder) -> FileStore:
    return FileStore(folder)


def run(work):
    """Use the store from a loop of its own, so that the test itself may look into files."""
    return asyncio.run(work)


def written(store: FileStore, *credentials: Credentials) -> Path:
    """The file of a record that was written some times."""
    for number, one in enumerate(credentials or (CREDENTIALS,)):
        assert run(store.compare_and_swap(KEY, number or None, one)) is not None
    assert store.file_store_dir is not None
    return store.file_store_dir / f"{KEY}.json"


def refused(work) -> TokenStoreError:
    with pytest.raises(TokenStoreError) as caught:
        run(work)
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    return caught.value


def test_it_is_found_by_its_name():
    assert TOKEN_STORES.load("file") is FileStore


def test_a_record_is_json_with_a_version(store):
    document = json.loads(written(store).read_bytes())

    assert (document["version"], document["generation"]) == (1, 1)
    assert document["credentials"]["access_token"] == "canary-token"


@NO_MODES
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_and_folders_are_the_users_own_whatever_the_umask(store, folder, umask):
    before = os.umask(umask)
    try:
        written(store)
    finally:
        os.umask(before)

    async def locked():
        async with store.lock(KEY):
            pass

    run(locked())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        f"{KEY}.json": 0o600,
        f"{KEY}.guard": 0o600,
        f"{KEY}.lock": 0o600,
    }


@NO_MODES
@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
@pytest.mark.parametrize("action", ["get", "swap", "delete", "lock"])
def test_a_folder_that_others_may_use_is_refused(store, folder, mode, action):
    async def lock():
        async with store.lock(KEY):
            pass

    actions = {
        "get": lambda: store.get(KEY),
        "swap": lambda: store.compare_and_swap(KEY, None, CREDENTIALS),
        "delete": lambda: store.delete(KEY),
        "lock": lock,
    }
    folder.mkdir(parents=True)
    folder.chmod(mode)

    error = refused(actions[action]())

    assert f"mode {mode:o}" in error.message
    assert f"chmod 700 {folder}" in (error.hint or "")
    assert error.docs_key == "store-open"
    assert list(folder.iterdir()) == []


@NO_MODES
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620])
def test_a_file_that_others_may_use_is_refused_and_works_when_it_is_mended(store, mode):
    path = written(store)
    path.chmod(mode)

    error = refused(store.get(KEY))

    assert f"chmod 600 {path}" in (error.hint or "")
    assert refused(store.compare_and_swap(KEY, 1, NEWER)).docs_key == "store-open"
    path.chmod(0o600)
    assert run(store.get(KEY)) == StoredToken(CREDENTIALS, 1)


@NO_MODES
def test_a_folder_of_somebody_else_is_refused(store, folder, monkeypatch):
    written(store)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)

    error = refused(store.get(KEY))

    assert "belongs to another user" in error.message
    assert error.docs_key == "store-open"


def test_a_write_is_on_the_disk_before_anybody_hears_of_it(store, folder, monkeypatch):
    """The file before it gets its name, and its name before the answer."""
    written(store)
    steps = []
    fsync, rename = os.fsync, Path.replace

    def note_sync(descriptor):
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def note_rename(self, target):
        steps.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_rename)
    run(store.compare_and_swap(KEY, 1, NEWER))

    assert steps == ["file", "rename", "folder"]


FAULTS = ["open", "fsync", "rename"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_write_that_fails_leaves_the_old_record_and_nothing_else(
    store, folder, monkeypatch, fault
):
    path = written(store)
    before = sorted(folder.iterdir())

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    def full_disk(name, *arguments):
        if ".json." in str(name):
            full()
        return open_it(name, *arguments)

    open_it = os.open
    with monkeypatch.context() as patched:
        if fault == "open":
            patched.setattr(os, "open", full_disk)
        else:
            patched.setattr(*{"fsync": (os, "fsync"), "rename": (Path, "replace")}[fault], full)
        error = refused(store.compare_and_swap(KEY, 1, NEWER))

    assert error.message == f"{path} cannot be written: No space left on device."
    assert error.docs_key == "store-unusable"
    assert run(store.get(KEY)) == StoredToken(CREDENTIALS, 1)
    assert sorted(folder.iterdir()) == before


KILLED = """
import asyncio, os, sys
from pathlib import Path
from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.auth.file_store import FileStore

def die(*arguments):
    os.kill(os.getpid(), 9)

setattr({"fsync": os, "replace": Path}[sys.argv[2]], sys.argv[2], die)
store = FileStore(Path(sys.argv[1]))
asyncio.run(store.compare_and_swap(sys.argv[3], 1, Credentials(Secret("lost"), "https://org")))
"""


@pytest.mark.parametrize("point", ["fsync", "replace"])
def test_a_writer_that_is_killed_leaves_the_old_record_and_no_secret_for_long(store, folder, point):
    path = written(store)

    died = subprocess.run([sys.executable, "-c", KILLED, folder, point, KEY], check=False)

    assert died.returncode == -signal.SIGKILL
    assert run(store.get(KEY)) == StoredToken(CREDENTIALS, 1)
    assert len(list(folder.glob(".*"))) == 1
    run(store.compare_and_swap(KEY, 1, NEWER))
    assert sorted(folder.glob("*.json")) == [path]
    assert list(folder.glob(".*")) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "7",
        "{}",
        '{"version":1}',
        '{"version":1,"generation":1,"credentials":{"access_token":"canary"}}',
        '{"version":1,"sealed":{"cipher":"canary"}}',
        "canary",
        '{"version":' * 100_000,
        '{"sealed":' * 100_000,
    ],
    ids=lambda text: text[:40],
)
def test_a_damaged_file_is_named_and_can_be_removed(store, text):
    path = written(store)
    path.write_text(text)

    error = refused(store.get(KEY))

    assert error.message == f"The token file {path} is damaged."
    assert str(path) in (error.hint or "")
    assert error.docs_key == "store-damaged"
    assert refused(store.compare_and_swap(KEY, 1, NEWER)).docs_key == "store-damaged"
    run(store.delete(KEY))
    assert run(store.get(KEY)) is None


@pytest.mark.parametrize("version", [0, 2, 99])
def test_a_file_of_another_version_is_not_guessed_at(store, version):
    path = written(store)
    path.write_text(json.dumps({"version": version, "anything": "canary"}))

    error = refused(store.get(KEY))

    assert f"has version {version}, and this sfconnect reads 1" in error.message
    assert error.docs_key == "store-version"


def test_credentials_that_json_cannot_keep_are_an_error(store):
    strange = replace(CREDENTIALS, extra={"member": object()})

    error = refused(store.compare_and_swap(KEY, None, strange))

    assert error.docs_key == "store-no-json"


@pytest.mark.parametrize("key", ["", "../escape", "a/b", ".hidden", "a\\b", "x" * 200, "naïve"])
def test_a_key_cannot_name_a_file_elsewhere(store, key):
    with pytest.raises(ConfigurationError, match="The key of a token"):
        run(store.get(key))


def test_a_folder_that_cannot_be_made_is_named(folder):
    folder.parent.mkdir()
    folder.write_text("a file")

    error = refused(FileStore(folder / "below").get(KEY))

    assert error.docs_key == "store-unusable"
    assert str(folder) in error.message


def test_what_is_no_file_can_be_neither_read_nor_removed(store, folder):
    folder.mkdir(mode=0o700, parents=True)
    (folder / f"{KEY}.json").mkdir(mode=0o700)

    errors = [refused(store.get(KEY)), refused(store.delete(KEY))]

    assert "cannot be read" in errors[0].message
    assert "cannot be removed" in errors[1].message


def test_left_out_the_folder_is_in_the_users_state(monkeypatch, tmp_path):
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    run(FileStore().compare_and_swap(KEY, None, CREDENTIALS))

    assert (tmp_path / "sfconnect" / "tokens" / f"{KEY}.json").exists()


# Encryption


def test_an_encrypted_file_tells_no_token_and_no_host(folder):
    path = written(FileStore(folder, SECRET_KEY))

    data = path.read_bytes()
    assert b"canary" not in data
    assert b"salesforce" not in data
    assert json.loads(data)["sealed"]["cipher"] == "AES-256-GCM"


def test_a_wrong_key_reads_nothing_and_writes_nothing(folder):
    right, wrong = FileStore(folder, SECRET_KEY), FileStore(folder, OTHER_KEY)
    path = written(right)
    before = path.read_bytes()

    errors = [refused(wrong.get(KEY)), refused(wrong.compare_and_swap(KEY, 1, NEWER))]

    assert {error.docs_key for error in errors} == {"store-key"}
    assert "is encrypted with the key" in errors[0].message
    assert SECRET_KEY not in str(errors[0])
    assert path.read_bytes() == before


def test_no_key_does_not_turn_an_encrypted_record_into_a_plain_one(folder):
    path = written(FileStore(folder, SECRET_KEY))
    before = path.read_bytes()

    error = refused(FileStore(folder).compare_and_swap(KEY, 1, NEWER))

    assert "is encrypted, and file_store_key is not set" in error.message
    assert path.read_bytes() == before


def test_a_plain_record_is_not_taken_where_encryption_is_asked_for(folder):
    """Else somebody who can write the file could put another session there."""
    written(FileStore(folder))

    error = refused(FileStore(folder, SECRET_KEY).get(KEY))

    assert "is not encrypted, and file_store_key is set" in error.message


def test_the_file_of_one_login_is_no_other_logins(folder):
    path = written(FileStore(folder, SECRET_KEY))
    path.rename(folder / "another.json")

    assert refused(FileStore(folder, SECRET_KEY).get("another")).docs_key == "store-damaged"


@pytest.mark.parametrize(
    ("key", "problem"), [("canary!", "it is not Base64"), ("AAAA", "it has 3 bytes")]
)
def test_what_is_no_key_is_refused_when_the_store_is_made(folder, key, problem):
    with pytest.raises(ConfigurationError, match=problem) as caught:
        FileStore(folder, key)

    assert "openssl rand -base64 32" in (caught.value.hint or "")
    assert "canary" not in str(caught.value)


def test_the_key_may_come_from_a_file_as_any_secret(folder, tmp_path):
    key_file = tmp_path / "key"
    key_file.write_text(SECRET_KEY + "\n")
    values = {
        "file_store_dir": Value(str(folder), "profile"),
        "file_store_key": Value(str(key_file), "profile", form=Form.FILE),
    }

    assert build(FileStore, values) == FileStore(folder, SECRET_KEY)


def test_the_key_is_shown_nowhere(folder):
    store = FileStore(folder, SECRET_KEY)

    assert SECRET_KEY not in f"{store}{store!r}"
    assert [spec.name for spec in options_of(FileStore) if spec.secret] == ["file_store_key"]


# Locks


async def test_the_lock_of_a_login_does_not_hinder_others_from_reading(store):
    async with store.lock(KEY), asyncio.timeout(5):
        assert await store.get(KEY) is None


async def test_a_lock_that_is_not_freed_in_time_names_the_process(folder):
    patient, hasty = FileStore(folder), FileStore(folder, file_store_lock_timeout_s=0.02)

    async with patient.lock(KEY):
        with pytest.raises(TokenStoreError, match=f"Process {os.getpid()} has held"):
            async with hasty.lock(KEY):
                raise AssertionError("two have it")


@pytest.mark.parametrize("limit_s", [0, -1])
def test_a_wait_of_nothing_is_refused(folder, limit_s):
    with pytest.raises(ConfigurationError, match="more than 0"):
        FileStore(folder, file_store_lock_timeout_s=limit_s)

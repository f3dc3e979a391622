"""Lock files: one holder at a time, among objects, loops, processes and forked children."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sfconnect.auth import locks
from sfconnect.auth.locks import FileLock, run_to_its_end, state_folder
from sfconnect.errors import TokenStoreError

HOLD = """
import sys
from pathlib import Path
from sfconnect.auth.locks import FileLock

lock = FileLock(Path(sys.argv[1]))
assert lock.try_acquire()
print("holds", flush=True)
sys.stdin.read()
"""
FORK = """
import os, sys
from pathlib import Path
from sfconnect.auth.locks import FileLock

lock = FileLock(Path(sys.argv[1]))
assert lock.try_acquire()
if os.fork() == 0:
    lock.release()
    if sys.argv[2] == "try":
        print("taken again" if FileLock(lock.path).try_acquire() else "refused", flush=True)
    sys.stdin.read()
    os._exit(0)
if sys.argv[2] == "die":
    print("dies", flush=True)
    os.kill(os.getpid(), 9)
os.wait()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "a.lock"


@pytest.fixture
def start(path):
    """Run a program in a process of its own; it ends when the test does."""
    started: list[subprocess.Popen[str]] = []

    def run(program: str, *arguments: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(path), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    yield run
    for process in started:
        process.communicate()


def test_one_of_two_gets_it_and_the_other_when_it_is_free(path):
    one, two = FileLock(path), FileLock(path)

    assert one.try_acquire()
    assert not two.try_acquire()
    assert not one.try_acquire()
    one.release()

    assert two.try_acquire()
    two.release()
    two.release()


def test_the_file_and_its_folder_are_the_users_own(path):
    with FileLock(path).hold_blocking(1):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_file_stays_where_the_lock_was(path):
    """Removing it could give the lock to two: one waits for the file that is gone."""
    with FileLock(path).hold_blocking(1):
        pass

    assert path.exists()


def test_a_lock_on_a_file_that_was_removed_is_none(path, monkeypatch):
    """Others would lock the new file, and both would think that they are alone."""
    lock_it = locks._lock

    def and_somebody_cleans_up(descriptor):
        path.unlink()
        return lock_it(descriptor)

    monkeypatch.setattr(locks, "_lock", and_somebody_cleans_up)
    assert not FileLock(path).try_acquire()
    monkeypatch.undo()

    with FileLock(path).hold_blocking(1):
        assert not FileLock(path).try_acquire()


def test_another_process_is_kept_out_and_named(path, start):
    process, said = start(HOLD)
    assert said == "holds"

    with pytest.raises(TokenStoreError) as caught, FileLock(path).hold_blocking(0.05):
        pass

    assert f"Process {process.pid} has held {path}" in caught.value.message
    assert caught.value.docs_key == "store-locked"


def test_the_lock_of_a_process_that_is_killed_is_free(path, start):
    process, _ = start(HOLD)
    assert not FileLock(path).try_acquire()

    process.send_signal(signal.SIGKILL)
    process.wait(5)

    with FileLock(path).hold_blocking(1):
        assert FileLock(path).holder() == os.getpid()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_not_the_lock_of_its_parent(path, start):
    process, said = start(FORK, "try")

    assert said == "refused", "the parent still has it"
    assert not FileLock(path).try_acquire()
    process.communicate()
    with FileLock(path).hold_blocking(1):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_does_not_keep_the_lock_of_a_parent_that_was_killed(path, start):
    process, _ = start(FORK, "die")
    process.wait(5)

    with FileLock(path).hold_blocking(1):
        pass


async def test_waiting_blocks_nobody_else_and_ends_when_the_lock_is_free(path):
    one, two = FileLock(path), FileLock(path)
    order = []

    async def second():
        async with two.hold(5):
            order.append("second")

    async with one.hold(5):
        waiter = asyncio.create_task(second())
        for _ in range(10):
            await asyncio.sleep(0.001)
        order.append("first")
    await waiter

    assert order == ["first", "second"]


async def test_a_wait_that_takes_too_long_names_this_process(path):
    async with FileLock(path).hold(5):
        with pytest.raises(TokenStoreError, match=f"Process {os.getpid()} has held"):
            async with FileLock(path).hold(0.02):
                raise AssertionError("two have it")


async def test_a_waiter_that_is_cancelled_leaves_no_lock_behind(path):
    async with FileLock(path).hold(5):
        waiter = asyncio.create_task(_hold(FileLock(path)))
        await asyncio.sleep(0.01)
        waiter.cancel()
        await asyncio.wait({waiter})

    async with FileLock(path).hold(0.05):
        assert waiter.cancelled()


async def _hold(lock: FileLock) -> None:
    async with lock.hold(60):
        raise AssertionError("it was not free")


@pytest.mark.parametrize("content", [b"", b"someone", b"\xff"])
def test_a_holder_that_is_not_known_is_just_another_process(path, content, monkeypatch):
    monkeypatch.setattr(locks, "_write_holder", lambda descriptor: None)
    lock = FileLock(path)
    assert lock.try_acquire()
    path.write_bytes(content)

    with pytest.raises(TokenStoreError, match="Another process has held"):
        FileLock(path).hold_blocking(0.01).__enter__()

    lock.release()


def test_a_full_disk_does_not_keep_anybody_from_locking(path, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)

    with FileLock(path).hold_blocking(1):
        assert FileLock(path).holder() is None


def test_a_folder_that_cannot_be_made_is_named(path):
    path.parent.parent.mkdir(exist_ok=True)
    path.parent.write_text("a file, not a folder")

    with pytest.raises(TokenStoreError, match="cannot be used") as caught:
        FileLock(path).try_acquire()

    assert str(path) in caught.value.message
    assert caught.value.docs_key == "store-unusable"


def test_a_drive_without_locks_is_an_error_and_leaves_no_descriptor(path, monkeypatch):
    opened = []
    open_it, close_it = os.open, os.close

    def note(*arguments):
        opened.append(open_it(*arguments))
        return opened[-1]

    def unsupported(_descriptor):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_lock", unsupported)
    monkeypatch.setattr(os, "open", note)
    with pytest.raises(TokenStoreError, match="No locks available"):
        FileLock(path).try_acquire()

    (descriptor,) = opened
    with pytest.raises(OSError, match="Bad file descriptor"):
        close_it(descriptor)


async def test_work_in_a_thread_is_finished_before_its_caller_hears_of_a_cancellation():
    begun, goes_on = threading.Event(), threading.Event()
    ended = []

    def work():
        begun.set()
        goes_on.wait(5)
        ended.append(True)

    task = asyncio.create_task(run_to_its_end(work))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    await asyncio.sleep(0.01)
    assert not task.done()
    goes_on.set()
    await asyncio.wait({task})

    assert task.cancelled()
    assert ended == [True]


async def test_work_that_fails_after_its_caller_left_is_no_complaint(caplog):
    begun, goes_on = threading.Event(), threading.Event()

    def work():
        begun.set()
        goes_on.wait(5)
        raise OSError

    task = asyncio.create_task(run_to_its_end(work))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    await asyncio.sleep(0)
    goes_on.set()
    await asyncio.wait({task})

    assert task.cancelled()
    assert caplog.records == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"XDG_STATE_HOME": "/state", "HOME": "/home/ada"}, "/state/sfconnect/tokens"),
        ({"HOME": "/home/ada"}, "/home/ada/.local/state/sfconnect/tokens"),
        ({"LOCALAPPDATA": "/local", "HOME": "/home/ada"}, "/local/sfconnect/tokens"),
    ],
)
def test_the_folder_is_below_the_users_state(monkeypatch, variables, expected):
    for name in ("LOCALAPPDATA", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert state_folder("tokens") == Path(expected)


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    for name in ("LOCALAPPDATA", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)

    with pytest.raises(TokenStoreError, match="no home"):
        state_folder("tokens")

"""Nothing stays behind in the folder for temporary files, whatever ends an org and whenever."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sfconnect_emulator import start
from sfconnect_emulator.emulator import Emulator
from sfconnect_emulator.inprocess import InProcess
from sfconnect_emulator.key_file import KeyFile, sweep
from sfconnect_emulator.serving import serve

COMMAND = [sys.executable, "-m", "sfconnect_emulator", "serve"]
BOTH = [signal.SIGINT, signal.SIGTERM]
Server = subprocess.Popen[bytes]


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[Server]:
    """A server that keeps its temporary files in a folder of the test's own."""
    environ = {**os.environ, "TMPDIR": str(folder)}
    command = [*COMMAND, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) as process:
        try:
            yield process
        finally:
            process.kill()


def announced(process: Server) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def wait_until_caught(process: Server, number: int) -> None:
    """Wait until a signal would reach a handler of the server's; the test's time-out ends it."""
    status = Path(f"/proc/{process.pid}/status")
    while True:
        line = next(one for one in status.read_text().splitlines() if one.startswith("SigCgt"))
        if int(line.split()[1], 16) >> (number - 1) & 1:
            return
        signal.sigtimedwait([], 0.001)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks /proc about handlers")
class TestSignals:
    @pytest.mark.parametrize("number", BOTH)
    def test_end_the_start_with_code_0_before_the_modules_are_loaded(
        self, tmp_path: Path, number: int
    ) -> None:
        with started(tmp_path) as process:
            # The interpreter has a handler for SIGINT of its own, before it knows this program.
            wait_until_caught(process, signal.SIGTERM)
            process.send_signal(number)

            assert process.wait(10) == 0
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("delay_s", [0.0, 0.15, 0.3, 0.6, 1.0])
    def test_leave_nothing_at_any_moment_of_the_start(self, tmp_path: Path, delay_s: float) -> None:
        with started(tmp_path) as process:
            wait_until_caught(process, signal.SIGTERM)
            signal.sigtimedwait([], delay_s)
            process.send_signal(signal.SIGTERM)

            assert process.wait(10) == 0
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("number", BOTH)
    def test_may_come_twice_while_rows_are_made(self, tmp_path: Path, number: int) -> None:
        temporary, file = tmp_path / "tmp", tmp_path / "org.db"
        temporary.mkdir()
        arguments = ("--rows", "Account=5000000", "--data-file", str(file))

        with started(temporary, *arguments) as process:
            while not (tmp_path / "org.db-wal").exists():
                signal.sigtimedwait([], 0.02)
            process.send_signal(number)
            process.send_signal(number)

            assert process.wait(10) == 0
        assert list(tmp_path.iterdir()) == [temporary]
        assert list(temporary.iterdir()) == []


class TestKilledOrgs:
    def test_are_swept_by_the_next_and_living_ones_are_left_alone(self, tmp_path: Path) -> None:
        with started(tmp_path) as killed:
            announced(killed)
            killed.kill()
        (left,) = tmp_path.iterdir()

        with started(tmp_path) as living:
            announced(living)
            (kept,) = tmp_path.iterdir()
            with started(tmp_path) as third:
                announced(third)
                there = set(tmp_path.iterdir())
                third.terminate()
                third.wait(10)
            living.terminate()
            assert living.wait(10) == 0

        assert left != kept
        assert kept in there
        assert len(there) == 2
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


class TestSweep:
    def test_takes_what_nobody_holds(self, temporary: Path) -> None:
        folder = temporary / "sfconnect-emulator-key-0"
        folder.mkdir()
        (folder / "private_key.pem").touch()

        sweep()

        assert list(temporary.iterdir()) == []

    def test_leaves_what_is_held(self, temporary: Path) -> None:
        held = KeyFile()
        held.write("key")

        sweep()
        still_there = held.path.read_text()
        held.remove()

        assert still_there == "key"
        assert list(temporary.iterdir()) == []

    def test_leaves_what_is_none_of_its_business(self, temporary: Path) -> None:
        elsewhere = temporary / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "private_key.pem").touch()
        (temporary / "sfconnect-emulator-key-1").symlink_to(elsewhere)
        (temporary / "sfconnect-emulator-key-2").touch()
        (temporary / "sfconnect-emulator-key-3").mkdir()
        (temporary / "sfconnect-emulator-old").mkdir()
        (temporary / "sfconnect-emulator-old" / "private_key.pem").touch()
        before = sorted(temporary.rglob("*"))

        sweep()

        assert sorted(temporary.rglob("*")) == before

    def test_leaves_what_belongs_to_others(
        self, temporary: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = temporary / "sfconnect-emulator-key-0"
        folder.mkdir()
        (folder / "private_key.pem").touch()
        monkeypatch.setattr(os, "getuid", lambda: -1)

        sweep()

        assert folder.exists()


class TestInProcess:
    def test_a_file_that_cannot_be_written_leaves_no_org_open(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
        org = InProcess()

        with pytest.raises(FileNotFoundError), org:
            pass

        with pytest.raises(RuntimeError, match="only inside"):
            _ = org.engine

    def test_rows_that_cannot_be_made_leave_no_half_file(self, temporary: Path) -> None:
        org = InProcess(data_file=temporary / "org.db", rows={"Nope": 1})

        with pytest.raises(ValueError, match="Nope"), org:
            pass

        assert list(temporary.iterdir()) == []

    async def test_a_port_that_is_taken_leaves_nothing(self, temporary: Path) -> None:
        async with Emulator() as first:
            port = int(first.login_url.rpartition(":")[2])

            with pytest.raises(OSError, match="address already in use"):
                await Emulator(port=port).__aenter__()

            assert names(temporary) == [first.private_key_file.parent.name]
        assert names(temporary) == []


@pytest.fixture
def handlers() -> Iterator[None]:
    """What this process does at a signal is the same afterwards."""
    before = {number: signal.getsignal(number) for number in BOTH}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Failing:
    """An org that cannot be opened, with a signal before it fails or without."""

    def __init__(self, number: int | None) -> None:
        self.number = number

    async def __aenter__(self) -> None:
        if self.number is not None:
            with contextlib.suppress(SystemExit):
                signal.raise_signal(self.number)
        raise sqlite3.OperationalError("user-defined function raised exception")

    async def __aexit__(self, *error: object) -> None:
        raise AssertionError("never entered")


@pytest.mark.usefixtures("handlers")
class TestServe:
    @pytest.mark.parametrize("number", BOTH)
    def test_obeys_a_signal_also_where_sqlite_makes_another_error_of_it(self, number: int) -> None:
        with pytest.raises(SystemExit) as ended:
            asyncio.run(serve(Failing(number)))  # type: ignore[arg-type] # all that is asked of one

        assert ended.value.code == 0

    def test_tells_of_errors_that_no_signal_has_made(self) -> None:
        with pytest.raises(sqlite3.OperationalError):
            asyncio.run(serve(Failing(None)))  # type: ignore[arg-type] # all that is asked of one


@pytest.mark.usefixtures("handlers")
class TestStart:
    def test_catches_signals_before_it_serves(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        codes: list[int] = []
        monkeypatch.setattr(os, "_exit", codes.append)
        monkeypatch.setattr(sys, "argv", ["sfconnect-emulator", "serve", "--help"])

        with pytest.raises(SystemExit):
            start.main()
        for number in BOTH:
            signal.raise_signal(number)

        assert codes == [0, 0]
        assert "--until-stdin-closes" in capsys.readouterr().out

    def test_leaves_them_to_other_commands(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = [signal.getsignal(number) for number in BOTH]
        monkeypatch.setattr(sys, "argv", ["sfconnect-emulator", "subject-token", "/none/there"])

        assert start.main() == 1
        assert [signal.getsignal(number) for number in BOTH] == before

"""New files: all of them whole, or none; and nothing that was there is touched."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sfconnect.cli import new_files
from sfconnect.cli.new_files import PRIVATE, NewFile, check_free, write_new
from sfconnect.errors import ConfigurationError


@pytest.fixture(params=[True, False], ids=["files without a name", "temporary names"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to write: that of Linux, and that of all others."""
    if not request.param:
        monkeypatch.setattr(new_files, "_UNNAMED", 0)


def pair(folder: Path) -> list[NewFile]:
    return [
        NewFile(folder / "server.crt", b"certificate"),
        NewFile(folder / "server.key", b"key", PRIVATE),
    ]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.usefixtures("_way")
def test_files_are_written_with_their_modes(tmp_path: Path) -> None:
    previous = os.umask(0o077)
    try:
        write_new(pair(tmp_path))
    finally:
        os.umask(previous)

    assert names(tmp_path) == ["server.crt", "server.key"]
    assert (tmp_path / "server.key").read_bytes() == b"key"
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in names(tmp_path)]
    assert modes == [0o644, 0o600]


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("there", ["server.crt", "server.key"])
def test_a_file_that_is_there_stays_and_the_other_is_not_made(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")

    with pytest.raises(ConfigurationError, match=f"{there} is there already") as caught:
        write_new(pair(tmp_path))

    assert "--key-file" in (caught.value.hint or "")
    assert names(tmp_path) == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_names_are_checked_before_any_work(tmp_path: Path) -> None:
    taken, dangling = tmp_path / "taken", tmp_path / "dangling"
    taken.write_text("mine")
    dangling.symlink_to(tmp_path / "nowhere")
    free = tmp_path / "free"

    check_free([free, tmp_path / "other"])

    for path in (taken, dangling):
        with pytest.raises(ConfigurationError, match=f"{path.name} is there already"):
            check_free([free, path])
    with pytest.raises(ConfigurationError, match="There is no folder") as caught:
        check_free([tmp_path / "none" / "file"])
    assert caught.value.hint == f"Make it: mkdir -p {tmp_path / 'none'}"
    with pytest.raises(ConfigurationError, match="cannot be two files"):
        check_free([free, free])


def test_a_folder_that_is_gone_is_named_with_its_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        write_new(pair(tmp_path / "gone"))

    assert "server.crt and " in caught.value.message
    assert "No such file or directory. Nothing was left behind." in caught.value.message


WRITER = """
import os, sys
from pathlib import Path
from sfconnect.cli import new_files
if sys.argv[2] == "named":
    new_files._UNNAMED = 0
folder = Path(sys.argv[1])
files = [
    new_files.NewFile(folder / "server.crt", b"c" * 50),
    new_files.NewFile(folder / "server.key", b"k" * 5000, 0o600),
]
"""


def writer(folder: Path, way: str, last: str, limit: int | None = None) -> int:
    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit or 0, limit or 0))

    done = subprocess.run(
        [sys.executable, "-c", WRITER + last, str(folder), way],
        preexec_fn=limited if limit else None,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
    )
    return done.returncode


@pytest.mark.parametrize("way", ["unnamed", "named"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, way: str) -> None:
    last = """
try:
    new_files.write_new(files)
except new_files.ConfigurationError as error:
    sys.exit(17 if "File too large" in error.message else 18)
"""
    assert writer(tmp_path, way, last, limit=1000) == 17
    assert names(tmp_path) == []


def test_a_process_that_is_killed_before_the_names_are_given_leaves_nothing(
    tmp_path: Path,
) -> None:
    last = """
new_files._link = lambda source, path: os.kill(os.getpid(), 9)
new_files.write_new(files)
"""
    assert writer(tmp_path, "unnamed", last) == -signal.SIGKILL
    assert names(tmp_path) == []


def test_ctrl_c_between_the_names_takes_the_first_one_back(tmp_path: Path) -> None:
    last = """
link = new_files._link
def interrupted(source, path):
    if path.name == "server.key":
        raise KeyboardInterrupt
    link(source, path)
new_files._link = interrupted
new_files.write_new(files)
"""
    assert writer(tmp_path, "named", last) != 0
    assert names(tmp_path) == []


def test_a_file_system_without_nameless_files_gets_temporary_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A flag that no file system takes for a folder that is opened to be written.
    monkeypatch.setattr(new_files, "_UNNAMED", os.O_EXCL | os.O_DIRECTORY)

    write_new(pair(tmp_path))

    assert names(tmp_path) == ["server.crt", "server.key"]

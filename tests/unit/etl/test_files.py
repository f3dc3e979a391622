"""Files appear whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sfconnect.errors import ConfigurationError
from sfconnect.etl.files import PartFile, check_destination


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_name_appears_with_the_commit(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "a.csv")
    part.open().write(b"content")

    assert "a.csv" not in names(tmp_path)
    assert part.commit() == 7
    assert names(tmp_path) == ["a.csv"]
    assert (tmp_path / "a.csv").read_bytes() == b"content"


def test_an_abort_leaves_nothing(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "a.csv")
    part.open().write(b"content")

    part.abort()
    part.abort()

    assert names(tmp_path) == []


def test_an_abort_keeps_the_file_from_before(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("old")
    part = PartFile(tmp_path / "a.csv")
    part.open().write(b"new")

    part.abort()

    assert (tmp_path / "a.csv").read_text() == "old"


def test_a_commit_replaces_the_file_from_before(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("old")
    part = PartFile(tmp_path / "a.csv")
    part.open().write(b"new")

    part.commit()
    part.abort()

    assert (tmp_path / "a.csv").read_text() == "new"
    assert names(tmp_path) == ["a.csv"]


def test_the_folder_is_made_when_the_file_is(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "deep" / "er" / "a.csv")
    part.open()

    part.commit()

    assert (tmp_path / "deep" / "er" / "a.csv").exists()


def test_a_file_can_be_written_again_after_an_abort(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "a.csv")
    part.open().write(b"first")
    part.abort()
    part.open().write(b"second")

    part.commit()

    assert (tmp_path / "a.csv").read_bytes() == b"second"


def test_only_an_open_file_can_be_committed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not open"):
        PartFile(tmp_path / "a.csv").commit()


def test_the_file_gets_the_usual_rights(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    part = PartFile(tmp_path / "a.csv")
    part.open()
    part.commit()

    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


def test_an_abort_after_a_full_disk_removes_what_was_begun(tmp_path: Path) -> None:
    """``/dev/full`` refuses when the buffer is flushed, which is also when a file is closed."""
    part = PartFile(tmp_path / "a.csv")
    part.open()
    full = Path("/dev/full").open("wb")  # noqa: SIM115  # closed by the abort
    full.write(b"x")
    opened, part._file = part._file, full
    assert opened is not None
    opened.close()

    part.abort()

    assert names(tmp_path) == []
    assert full.closed


def test_a_good_destination_is_left_as_it_was(tmp_path: Path) -> None:
    check_destination(tmp_path)
    check_destination(tmp_path / "not" / "there" / "yet")

    assert names(tmp_path) == []


def test_a_file_is_no_destination(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="is not a folder"):
        check_destination(tmp_path / "file" / "below")


def test_a_folder_that_takes_no_file_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Cannot write to /proc"):
        check_destination(Path("/proc/sfconnect"))


def test_an_abort_bears_that_somebody_has_removed_the_file(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "a.csv")
    part.open()
    for path in tmp_path.iterdir():
        path.unlink()

    part.abort()

    assert names(tmp_path) == []


def test_an_abort_hides_no_error_but_that_of_a_disk_and_removes_the_file(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "a.csv")
    os.close(part.open().fileno())

    with pytest.raises(OSError, match="Bad file descriptor"):
        part.abort()

    assert names(tmp_path) == []

"""Tokens that others make: from each place, read anew, and what is said where there is none."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from sfconnect._types import Secret
from sfconnect.auth.supplied import Supply
from sfconnect.errors import (
    AuthConfigurationError,
    AuthError,
    ConfigurationError,
    CredentialUnavailableError,
    PluginError,
)

CANARY = "hunter2-canary"


def printing(text: str, code: int = 0) -> str:
    program = f"import sys; print({text!r}); print({text!r}, file=sys.stderr); sys.exit({code})"
    return shlex.join([sys.executable, "-SEc", program])


async def given(value: Any) -> Any:
    return value


async def test_each_place_gives_the_text_without_spaces_around_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"\n {CANARY}\n")
    supplies = [
        Supply("t", text=CANARY),
        Supply("t", text=Secret(CANARY)),
        Supply("t", file=path),
        Supply("t", file=str(path)),
        Supply("t", command=printing(f" {CANARY} ")),
        Supply("t", command=tuple(shlex.split(printing(CANARY)))),
        Supply("t", source=lambda: given(f"{CANARY}\n")),
        Supply("t", source=lambda: given(Secret(CANARY))),
    ]

    for supply in supplies:
        supply.check()
        assert await supply.read() == Secret(CANARY)


async def test_a_file_is_read_each_time(tmp_path: Path) -> None:
    path = tmp_path / "token"
    supply = Supply("t", file=path)
    path.write_text("first")
    before = await supply.read()

    path.with_suffix(".new").write_text("second")
    path.with_suffix(".new").replace(path)

    assert (before, await supply.read()) == (Secret("first"), Secret("second"))


async def test_a_file_may_be_under_the_home_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "token").write_text(CANARY)

    assert await Supply("t", file="~/token").read() == Secret(CANARY)


async def test_an_optional_text_may_be_nowhere() -> None:
    supply = Supply("t")

    supply.check(required=False)
    assert await supply.read() is None


@pytest.mark.parametrize(
    ("places", "problem"),
    [
        ({}, "none is given"),
        ({"text": CANARY, "file": "x"}, "t and t_file are given"),
        ({"command": "x", "source": given}, "t_command and t_source are given"),
    ],
)
def test_exactly_one_place_is_needed(places: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Supply("t", **places).check()

    assert caught.value.message == (
        f"One of t, t_file, t_command, t_source is needed, and {problem}."
    )


@pytest.mark.parametrize("command", ["", "echo 'open", (), ("",)])
def test_a_command_that_is_none_is_told_by_its_option(command: Any) -> None:
    with pytest.raises(ConfigurationError, match="t_command must be a command line"):
        Supply("t", command=command).check()


async def failure(supply: Supply) -> Any:
    with pytest.raises(Exception, match=r"\.") as caught:
        await supply.read()
    assert CANARY not in str(caught.value)
    return caught.value


async def test_a_file_that_is_not_there_is_unavailable_so_that_a_chain_goes_on(tmp_path) -> None:
    error = await failure(Supply("t", file=tmp_path / "gone"))

    assert type(error) is CredentialUnavailableError
    assert f"The file {tmp_path / 'gone'} for t is not there" in str(error)


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    error = await failure(Supply("t", file=tmp_path))

    assert type(error) is AuthConfigurationError
    assert "cannot be read: Is a directory" in str(error)


async def test_bytes_that_are_no_text_are_quoted_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"\xff" + CANARY.encode())

    error = await failure(Supply("t", file=path))

    assert "is no UTF-8 text" in str(error)
    assert error.__context__ is None


async def test_an_empty_file_may_be_full_in_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(" \n")

    error = await failure(Supply("t", file=path))

    assert type(error) is AuthError
    assert not error.hopeless


async def test_a_command_that_fails_shows_none_of_its_output() -> None:
    error = await failure(Supply("t", command=printing(CANARY, 3)))

    assert type(error) is AuthError
    assert "for t ended with code 3" in str(error)


async def test_a_command_that_is_not_there_is_unavailable() -> None:
    error = await failure(Supply("t", command="no-such-command-here"))

    assert type(error) is CredentialUnavailableError


async def test_a_silent_command_gives_nothing() -> None:
    assert "gave nothing" in str(await failure(Supply("t", command=printing(""))))


@pytest.mark.parametrize(
    ("value", "kind"), [(None, PluginError), (b"x", PluginError), ("", AuthError)]
)
async def test_a_callback_gives_text(value: Any, kind: type[Exception]) -> None:
    assert type(await failure(Supply("t", source=lambda: given(value)))) is kind


def test_its_text_is_in_no_repr() -> None:
    assert CANARY not in repr(Supply("t", text=CANARY))

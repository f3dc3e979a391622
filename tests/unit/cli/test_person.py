"""The person at the terminal: a page, a browser, and a line that is typed."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
import webbrowser
from collections.abc import Iterator

import pytest

from sfconnect.cli.person import Screen, ask, can_ask, tell

URL = "https://acme.my.salesforce.com/services/oauth2/authorize?state=x"


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal as standard input; what is written to it is typed."""
    master, slave = pty.openpty()
    with os.fdopen(slave) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield master
    os.close(master)


async def test_a_typed_line_is_the_answer(keyboard, capfd):
    assert can_ask()
    question = asyncio.ensure_future(ask("Paste: "))
    await asyncio.sleep(0.01)
    assert not question.done()

    os.write(keyboard, b"  an address \n")

    assert await question == "an address"
    assert capfd.readouterr() == ("", "Paste: ")


async def test_a_question_that_is_cancelled_takes_no_later_line(keyboard):
    cancelled = asyncio.ensure_future(ask("One: "))
    await asyncio.sleep(0.01)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)

    os.write(keyboard, b"for the second\n")

    assert await ask("Two: ") == "for the second"


async def test_who_ends_the_input_is_not_asked_again(keyboard):
    question = asyncio.ensure_future(ask("Paste: "))
    await asyncio.sleep(0.01)

    os.write(keyboard, b"\x04")
    await asyncio.sleep(0.05)

    assert not question.done()
    question.cancel()
    await asyncio.gather(question, return_exceptions=True)


def test_a_program_without_a_terminal_has_nobody_to_ask(monkeypatch, tmp_path):
    with (tmp_path / "in").open("w+") as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert not can_ask()
    monkeypatch.setattr(sys, "stdin", None)
    assert not can_ask()


class Window(webbrowser.BaseBrowser):
    """A browser that notes what it was to open."""

    def __init__(self) -> None:
        super().__init__("window")
        self.opened: list[str] = []

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        self.opened.append(url)
        return True


async def test_a_browser_is_opened_and_the_address_printed(monkeypatch, capfd):
    window = Window()
    monkeypatch.setattr(webbrowser, "get", lambda: window)

    assert await Screen().show(URL) is True

    assert window.opened == [URL]
    out, err = capfd.readouterr()
    assert out == ""
    assert URL in err


class Slow(Window):
    """A browser that comes back when it is closed, as one for BROWSER does."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        super().__init__()
        self._capfd = capfd
        self.seen = ""

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        self.seen = self._capfd.readouterr().err
        return super().open(url)


async def test_the_address_is_there_before_a_browser_that_holds_everything_up(monkeypatch, capfd):
    slow = Slow(capfd)
    monkeypatch.setattr(webbrowser, "get", lambda: slow)

    await Screen().show(URL)

    assert URL in slow.seen


async def test_what_is_told_waits_for_no_answer(capfd):
    telling = asyncio.ensure_future(tell("Enter the code ABCD."))
    await asyncio.sleep(0)

    assert capfd.readouterr().err == "Enter the code ABCD.\n"
    assert not telling.done()
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)


async def test_no_browser_is_opened_for_whoever_wants_none(monkeypatch, capfd):
    window = Window()
    monkeypatch.setattr(webbrowser, "get", lambda: window)

    assert await Screen(opens=False).show(URL) is False

    assert window.opened == []
    assert URL in capfd.readouterr().err


def no_browser() -> webbrowser.BaseBrowser:
    raise webbrowser.Error("could not locate runnable browser")


@pytest.mark.parametrize("get", [no_browser, lambda: webbrowser.GenericBrowser("w3m")])
async def test_a_machine_without_windows_opens_nothing_and_says_so(monkeypatch, capfd, get):
    monkeypatch.delenv("BROWSER", raising=False)
    monkeypatch.setattr(webbrowser, "get", get)

    assert await Screen().show(URL) is False

    assert "No browser could be opened." in capfd.readouterr().err

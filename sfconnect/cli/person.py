"""The person at the terminal, for logins that need one: a browser, and a line of text."""

from __future__ import annotations

import asyncio
import os
import sys
import webbrowser

import click


def can_ask() -> bool:
    """Whether somebody could type an answer."""
    return sys.stdin is not None and sys.stdin.isatty()


async def ask(text: str) -> str:
    """Ask on the terminal; a question that is cancelled reads nothing any more."""
    click.echo(text, err=True, nl=False)
    line = await _line()
    if not line:  # Ctrl-D: there is nobody to ask again
        await asyncio.Event().wait()
    return line.strip()


async def tell(text: str) -> str:
    """Show something to whoever reads stderr, a log perhaps; an answer never comes."""
    click.echo(text, err=True)
    await asyncio.Event().wait()
    raise AssertionError  # nobody sets it


async def _line() -> str:
    if sys.platform == "win32":  # whose event loop cannot watch a console
        return await asyncio.to_thread(sys.stdin.readline)
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sys.stdin, _note, readable)
    try:
        await readable
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()  # a terminal gives whole lines, so this does not wait


def _note(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)


class Screen:
    """Shows a login page to the person, in a browser if there is one.

    Args:
        opens: Whether a browser is wanted.
    """

    def __init__(self, *, opens: bool = True) -> None:
        self._opens = opens

    async def show(self, url: str) -> bool:
        """Open the page; the address is printed before, as a browser may hold this up or fail."""
        what = "The browser opens this page" if self._opens else "Open this page in a browser"
        click.echo(f"{what}:\n\n{url}\n", err=True)
        opened = self._opens and await asyncio.to_thread(_open, url)
        if self._opens and not opened:
            click.echo(
                "No browser could be opened. Open this page in a browser yourself.", err=True
            )
        return opened


def _open(url: str) -> bool:
    """Open a browser with windows of its own; one for terminals would take this one over."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    for_terminals = type(browser) is webbrowser.GenericBrowser and "BROWSER" not in os.environ
    return not for_terminals and browser.open(url)

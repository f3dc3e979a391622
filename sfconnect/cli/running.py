"""Run the asynchronous part of a command, on a connection made from the common options."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from sfconnect.cli.common import Common
from sfconnect.cli.failures import Interrupted, Terminated, one_line
from sfconnect.cli.logs import start_logging
from sfconnect.instrumentation import Event, EventHook, RetryScheduled, StructlogHook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sfconnect.auth.resolve import Resolved
    from sfconnect.connector import Connector
    from sfconnect.salesforce.client import Salesforce

T = TypeVar("T")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_PATIENCE_S: Final = 1.0
_LONG_WAIT_MS: Final = 1000.0
_TELLING_LEVELS: Final = frozenset({"debug", "info", "warning"})
"""At these the log itself tells of retries."""


def connect(common: Common, *, hooks: Iterable[EventHook] = ()) -> Salesforce:
    """Describe the connection that the options name; it is made with ``async with``."""
    from sfconnect.salesforce.client import Salesforce  # not for --help

    listening = [*hooks, *own_hooks(common)]
    options = _options(common)
    return Salesforce.connect(common.auth, profile=common.profile, hooks=listening, **options)


async def find_login(common: Common, **more: Any) -> Resolved:
    """Find the login that the options name, for commands that look at it before they connect.

    Raises:
        ConfigurationError: Nothing says how to log in, or something says it wrongly.
    """
    from sfconnect.auth.resolve import resolve  # not for --help

    options = {**_options(common), **more}
    # In a thread: profiles are files, and a secret may come from a command.
    return await asyncio.to_thread(resolve, common.auth, profile=common.profile, options=options)


def connect_by(common: Common, login: Resolved, **facts: Any) -> Salesforce:
    """Describe a connection by a login that was found before."""
    from sfconnect.salesforce.client import Salesforce  # not for --help

    return Salesforce(lambda: login, hooks=own_hooks(common), **facts)


def connector_by(common: Common, login: Resolved, **facts: Any) -> Connector:
    """Describe a connection by a login to whatever API; to Salesforce unless it is another's."""
    from sfconnect.auth.oauth2 import ProviderOptions  # not for --help
    from sfconnect.connector import Connector

    if isinstance(login.strategy, ProviderOptions):
        return Connector(lambda: login, hooks=own_hooks(common), **facts)
    return connect_by(common, login, **facts)


def connect_to_any_by(common: Common, login: Resolved) -> Connector:
    """Describe a connection to the API whose base URL is known; to Salesforce if none is."""
    from sfconnect.auth.oauth2 import ProviderOptions  # not for --help
    from sfconnect.connector import Connector

    strategy = login.strategy
    names_api = isinstance(strategy, ProviderOptions) and strategy.names_base_url
    if names_api or login.settings.base_url is not None:
        return Connector(lambda: login, hooks=own_hooks(common))
    return connect_by(common, login)


async def connect_to_any(common: Common) -> Connector:
    """Find the login that the options name, and describe a connection to its API.

    Raises:
        ConfigurationError: Nothing says how to log in, or something says it wrongly.
    """
    return connect_to_any_by(common, await find_login(common))


def _options(common: Common) -> dict[str, Any]:
    return {"login_url": common.login_url} if common.login_url else {}


def own_hooks(common: Common) -> list[EventHook]:
    """What listens to a connection of a command."""
    if common.log_level in _TELLING_LEVELS:
        return [StructlogHook()]
    return [RetryTeller(each=sys.stderr.isatty(), as_json=bool(common.log_json))]


class RetryTeller:
    """Say on stderr why nothing seems to happen.

    A person on a terminal is told of each retry. Elsewhere a cause is told once, when the wait
    for it is long: what reads a pipe, or a log, wants to know of trouble and not to drown in it.
    """

    def __init__(self, *, each: bool, as_json: bool = False) -> None:
        self._each = each and not as_json
        self._as_json = as_json
        self._told: set[str] = set()

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        if not isinstance(event, RetryScheduled):
            return
        is_known = event.reason in self._told
        if self._each or (event.wait_ms >= _LONG_WAIT_MS and not is_known):
            self._told.add(event.reason)
            self._say(event, short=is_known)

    def _say(self, event: RetryScheduled, *, short: bool) -> None:
        what = event.reason if short or not event.message else one_line(event.message)
        again = f"trying again in {event.wait_ms / 1000:.1f} s (attempt {event.attempt + 1})"
        text = f"{what.removesuffix('.')}; {again}"
        if self._as_json:
            line = {"event": event.name, "level": "warning", "message": text}
            print(json.dumps(line), file=sys.stderr)
        else:
            click.secho(text, dim=True, err=True)


def run_async(common: Common, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end.

    Ctrl-C and SIGTERM cancel it, so that it can put things in order, and then end the command.
    Whoever presses Ctrl-C again while it does so, does not wait for that.

    Raises:
        Interrupted: Ctrl-C.
        Terminated: SIGTERM.
    """
    start_logging(common)
    asked_to_end: list[int] = []

    async def supervised() -> T:
        with _signals_cancel(asked_to_end):
            return await main()

    try:
        return asyncio.run(supervised())
    except KeyboardInterrupt:
        raise Interrupted from None
    except asyncio.CancelledError:
        if not asked_to_end:
            raise
        raise (Interrupted if asked_to_end[0] == signal.SIGINT else Terminated) from None


@contextmanager
def _signals_cancel(asked: list[int]) -> Iterator[None]:
    """Cancel the task at the first signal.

    asyncio would raise KeyboardInterrupt at the second Ctrl-C, in the middle of whatever runs,
    and many people press twice.
    """
    task = asyncio.current_task()
    if sys.platform == "win32" or task is None:
        yield
        return
    loop = asyncio.get_running_loop()
    since = 0.0

    def stop(number: int) -> None:
        nonlocal since
        if not asked:
            since = loop.time()
            task.cancel()
        elif number == signal.SIGINT and loop.time() - since > _PATIENCE_S:
            raise KeyboardInterrupt
        asked.append(number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        if asked:
            # The command is ending; one more would only draw a traceback into that.
            signal.signal(signal.SIGINT, signal.SIG_IGN)

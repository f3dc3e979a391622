"""The command ``sfconnect-emulator``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sfconnect_emulator.data.seed import ORDER
from sfconnect_emulator.emulator import Emulator
from sfconnect_emulator.faults import FaultFileError, Rule, load_rules
from sfconnect_emulator.http.server import check_loopback
from sfconnect_emulator.players import PlayError, decide, saml_assertion, subject_token
from sfconnect_emulator.serving import serve

_EXIT_FAILED = 1
_LAST_PORT = 65535
_DESCRIPTION = """\
Run a Salesforce org on loopback. When it answers, one line of JSON on stdout tells where it is
and how to log in; everything else goes to stderr. SIGINT and SIGTERM stop it."""
_ALLOW = """\
Do what a person would do in a browser: log in at a page of a running org as its announced user,
allow the app or the device, and go where that leads. As a browser:
BROWSER='sfconnect-emulator allow %%s' sfconnect login"""
_IDENTITY_PROVIDER = """\
Print a token of the identity provider that every org trusts, about the announced user, for the
token exchange flow. It is signed by the key of private_key_file and lives for five minutes."""
_SAML_ISSUER = """\
Print a SAML 2.0 assertion about the announced user of a running org, for the SAML bearer flow. It
is signed by the key of the announced app and good for one login, within five minutes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 done, 1 failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        options.run(options)
    except (OSError, ValueError, PlayError, sqlite3.Error) as error:
        sys.stderr.write(f"sfconnect-emulator: {error}\n")
        return _EXIT_FAILED
    return 0


def _serve(options: argparse.Namespace) -> None:
    asyncio.run(serve(_emulator(options), until_stdin_closes=options.until_stdin_closes))


def _allow(options: argparse.Namespace) -> None:
    decide(options.url, allow=not options.deny, wait_s=options.wait_s)


def _print_subject_token(options: argparse.Namespace) -> None:
    sys.stdout.write(subject_token(options.file, now=time.time()) + "\n")


def _emulator(options: argparse.Namespace) -> Emulator:
    return Emulator(
        host=options.host,
        port=options.port,
        seed=options.seed,
        rows=dict(options.rows),
        data_file=options.data_file,
        latency_ms=options.latency_ms,
        token_ttl=options.token_ttl,
        faults=options.faults,
        request_log=options.request_log,
        bulk_page_rows=options.bulk_page_rows,
        bulk_seconds=options.bulk_seconds,
    )


def _print_saml_assertion(options: argparse.Namespace) -> None:
    sys.stdout.write(saml_assertion(options.file) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sfconnect-emulator", description=_DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serving = commands.add_parser("serve", help="run an org", description=_DESCRIPTION)
    serving.set_defaults(run=_serve)
    _add_place(serving)
    _add_data(serving)
    _add_behaviour(serving)
    _add_players(commands)
    return parser


def _add_players(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    allowing = commands.add_parser("allow", help="play the person at a browser", description=_ALLOW)
    allowing.set_defaults(run=_allow)
    allowing.add_argument("url", metavar="URL", help="page that a browser would be opened at")
    allowing.add_argument("--deny", action="store_true", help="press the other button")
    allowing.add_argument(
        "--wait-s",
        type=_not_negative,
        default=30,
        metavar="SECONDS",
        help="how long to wait for a device (default: 30)",
    )
    providers = (
        ("subject-token", _IDENTITY_PROVIDER, _print_subject_token),
        ("saml-assertion", _SAML_ISSUER, _print_saml_assertion),
    )
    for name, description, run in providers:
        telling = commands.add_parser(
            name, help="play an identity provider", description=description
        )
        telling.set_defaults(run=run)
        telling.add_argument(
            "file", type=Path, metavar="FILE", help="file with the line that serve printed"
        )


def _add_place(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("place")
    group.add_argument(
        "--host", type=_loopback, default="127.0.0.1", help="loopback address to listen on"
    )
    group.add_argument(
        "--port", type=_port, default=0, help="port to listen on; 0 takes a free one (default)"
    )
    group.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="stop also when stdin ends, so that no server outlives its parent",
    )


def _add_data(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    group.add_argument("--seed", type=int, default=7, help="same seed, same data (default: 7)")
    group.add_argument(
        "--rows",
        type=_rows,
        action="append",
        default=[],
        metavar="OBJECT=COUNT",
        help="how many rows of an object to make; may be given for several objects",
    )
    group.add_argument(
        "--data-file", type=Path, metavar="FILE", help="keep the rows in this file, not in memory"
    )


def _add_behaviour(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("behaviour")
    group.add_argument(
        "--latency-ms", type=_not_negative, default=0, help="time every answer waits (default: 0)"
    )
    group.add_argument(
        "--token-ttl",
        type=_positive,
        default=7200,
        metavar="SECONDS",
        help="how long an access token lives after its last use (default: 7200)",
    )
    group.add_argument(
        "--faults", type=_faults, default=(), metavar="FILE", help="JSON list of fault rules"
    )
    group.add_argument(
        "--request-log", type=Path, metavar="FILE", help="append one JSON line per request"
    )
    for option, kind, default in (
        ("--bulk-page-rows", _count, 50_000),
        ("--bulk-seconds", _not_negative, 0),
    ):
        group.add_argument(
            option,
            type=kind,
            default=default,
            help=f"accepted, without effect: there is no Bulk API yet (default: {default})",
        )


def _loopback(text: str) -> str:
    try:
        return check_loopback(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= _LAST_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"'{text}' is not a port")


def _rows(text: str) -> tuple[str, int]:
    name, equals, count = text.partition("=")
    if not equals or not count.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not OBJECT=COUNT")
    found = next((one for one in ORDER if one.lower() == name.lower()), None)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"rows of '{name}' cannot be made; of these they can: {', '.join(sorted(ORDER))}"
        )
    return found, int(count)


def _not_negative(text: str) -> float:
    return _number(text, allow_zero=True)


def _positive(text: str) -> float:
    return _number(text, allow_zero=False)


def _count(text: str) -> int:
    if text.isdecimal() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 on")


def _number(text: str, *, allow_zero: bool) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"'{text}' is not a finite number")
    if number > 0 or (allow_zero and number == 0):
        return number
    raise argparse.ArgumentTypeError(f"{text} is too small")


def _faults(text: str) -> tuple[Rule, ...]:
    try:
        return load_rules(Path(text))
    except FaultFileError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from None

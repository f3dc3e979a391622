"""``sfconnect auth keygen``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfconnect.cli.common import Common, common_options

if TYPE_CHECKING:
    from sfconnect._types import Secret

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("keygen")
@click.option("--key-file", type=_FILE, default="server.key", help="Where the key goes.")
@click.option(
    "--certificate-file", type=_FILE, default="server.crt", help="Where the certificate goes."
)
@click.option(
    "--bits",
    type=click.Choice(["2048", "3072", "4096"]),
    default="2048",
    show_default=True,
    help="Size of the key.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=365,
    show_default=True,
    help="How long the certificate is good.",
)
@click.option(
    "--common-name",
    metavar="NAME",
    default="sfconnect",
    show_default=True,
    help="Name on the certificate.",
)
@click.option(
    "--encrypt",
    is_flag=True,
    help="Encrypt the key by SFCONNECT_PASSPHRASE, or one that is asked for.",
)
@click.option("--passphrase-file", type=_FILE, help="Encrypt it by what a file holds.")
@click.option(
    "--passphrase-command", metavar="COMMAND", help="Encrypt it by what a command prints."
)
@common_options
@click.pass_obj
def command(
    common: Common,
    *,
    key_file: Path,
    certificate_file: Path,
    bits: str,
    days: int,
    common_name: str,
    encrypt: bool,
    passphrase_file: Path | None,
    passphrase_command: str | None,
) -> None:
    """Make a private key and its certificate, and tell how an app gets to know them.

    The key stays on this machine, readable by you alone; the certificate is uploaded to the app.
    Files that are there are never overwritten. --json tells the same to machines.
    """
    from sfconnect.auth.key_pairs import make_key_pair  # not for --help
    from sfconnect.cli.key_report import KeyReport, known, text_of
    from sfconnect.cli.new_files import PRIVATE, NewFile, check_free, write_new
    from sfconnect.cli.output import print_json
    from sfconnect.cli.paragraphs import text_width
    from sfconnect.clock import SYSTEM_CLOCK

    certificate_file, key_file = certificate_file.absolute(), key_file.absolute()
    check_free([certificate_file, key_file])
    given = {"passphrase_file": passphrase_file, "passphrase_command": passphrase_command}
    passphrase = _passphrase({name: text for name, text in given.items() if text}, ask=encrypt)
    pair = make_key_pair(
        bits=int(bits),
        days=days,
        common_name=common_name,
        now=SYSTEM_CLOCK.time(),
        passphrase=passphrase,
    )
    # In this order: of the two, only a key could harm where it is left alone.
    write_new(
        [
            NewFile(certificate_file, pair.certificate_pem.encode()),
            NewFile(key_file, pair.private_pem.reveal().encode(), PRIVATE),
        ]
    )
    report = KeyReport(pair, key_file, certificate_file, int(bits), passphrase is not None)
    if common.json:
        print_json(known(report))
        return
    click.echo(text_of(report, width=text_width()), nl=False)


def _passphrase(arguments: dict[str, Any], *, ask: bool) -> Secret | None:
    """Take the passphrase from where a login would take it, or ask the person; None: no wish.

    Raises:
        ConfigurationError: It cannot be read, or nobody is there to be asked.
    """
    from sfconnect._types import Secret  # not for --help
    from sfconnect.cli.passphrases import given_passphrase
    from sfconnect.errors import ConfigurationError

    if not ask and not arguments:
        return None
    found = given_passphrase(arguments)
    if found is not None:
        return found
    if not sys.stdin.isatty():
        message = "There is no passphrase to encrypt the key by."
        hint = "Set SFCONNECT_PASSPHRASE, or give --passphrase-file or --passphrase-command."
        raise ConfigurationError(message, hint=hint)
    text = click.prompt("Passphrase", hide_input=True, confirmation_prompt="Once more", err=True)
    return Secret(text)

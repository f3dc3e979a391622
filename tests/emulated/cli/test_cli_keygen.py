"""The command that makes keys: what it makes logs in, and it harms nothing that is there."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sfconnect_emulator.emulator import Announcement
from sfconnect_emulator.process import launch
from tests.emulated.cli.conftest import Command


@pytest.fixture(scope="module")
def own_org() -> Iterator[Announcement]:
    """An org whose app gets other certificates."""
    with launch() as server:
        yield server.announcement


def upload(org: Announcement, certificate: Path) -> None:
    """Put a certificate into the app's settings."""
    request = urllib.request.Request(
        f"{org.control_url}/apps/{org.client_id}",
        json.dumps({"certificate": certificate.read_text()}).encode(),
        method="PATCH",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def open_key(path: Path, passphrase: bytes) -> None:
    """Fail unless the passphrase opens the key."""
    load_pem_private_key(path.read_bytes(), passphrase)


@pytest.mark.parametrize("passphrase", [None, "s3same öffne dich"])
def test_a_pair_that_was_made_logs_in(
    command: Command, own_org: Announcement, tmp_path: Path, passphrase: str | None
) -> None:
    secrets = {"SFCONNECT_PASSPHRASE": passphrase}
    made = command("auth", "keygen", *(["--encrypt"] if passphrase else []), **secrets)
    assert (made.code, made.err) == (0, "")
    upload(own_org, tmp_path / "server.crt")

    who = command(
        *("whoami", "--json"),
        SFCONNECT_AUTH="jwt-bearer",
        SFCONNECT_LOGIN_URL=own_org.login_url,
        SFCONNECT_CLIENT_ID=own_org.client_id,
        SFCONNECT_CLIENT_SECRET=None,
        SFCONNECT_USERNAME=own_org.username,
        SFCONNECT_PRIVATE_KEY_FILE="server.key",
        SFCONNECT_CERTIFICATE_FILE="server.crt",
        **secrets,
    )

    assert (who.code, who.err) == (0, "")
    assert json.loads(who.out)["username"] == own_org.username


def test_what_is_printed_is_true_and_the_key_is_not_printed(here: Command, tmp_path: Path) -> None:
    done = here("auth", "keygen", "--days", "30", "--bits", "3072", "--common-name", "etl")

    certificate = x509.load_pem_x509_certificate((tmp_path / "server.crt").read_bytes())
    key = load_pem_private_key((tmp_path / "server.key").read_bytes(), None)
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string() == "CN=etl"
    words = "".join(done.out.split())
    assert certificate.fingerprint(SHA256()).hex(":").upper() in words
    assert f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC" in done.out
    assert "RSA 3072, mode 0600" in " ".join(done.out.split())
    assert (tmp_path / "server.key").stat().st_mode & 0o777 == 0o600
    body = (tmp_path / "server.key").read_text().splitlines()[1]
    assert body not in done.out
    assert "PRIVATE KEY" not in done.out
    for step in ("External Client App", "(api)", "refresh_token", "server.crt; not the key"):
        assert step in " ".join(done.out.split())
    for step in ("Admin approved users are pre-authorized", "permission set", "auth doctor"):
        assert step in " ".join(done.out.split())
    assert all(len(line) <= 100 for line in done.out.splitlines() if str(tmp_path) not in line)


def test_machines_are_told_the_same(here: Command, tmp_path: Path) -> None:
    done = here("auth", "keygen", "--json", "--key-file", "a.pem", "--certificate-file", "b.pem")

    known = json.loads(done.out)
    assert list(known) == [
        *("key_file", "certificate_file", "bits", "encrypted", "sha256", "sha1", "expires_at"),
        *("steps", "profile", "environment", "check"),
    ]
    assert (known["key_file"], known["bits"], known["encrypted"]) == (
        str(tmp_path / "a.pem"),
        2048,
        False,
    )
    assert f'private_key_file = "{tmp_path / "a.pem"}"' in known["profile"]
    assert known["check"] == "sfconnect auth doctor --profile prod --login"
    assert "PRIVATE KEY" not in done.out


@pytest.mark.parametrize("there", ["server.key", "server.crt"])
def test_a_file_that_is_there_is_named_and_kept(here: Command, tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")

    done = here("auth", "keygen")

    assert (done.code, done.out) == (2, "")
    assert f"{tmp_path / there} is there already, and is not overwritten." in done.error
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_a_passphrase_comes_from_a_file_or_a_command_and_not_from_two(
    here: Command, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("of a file\n")
    prints = f"{sys.executable} -c \"print('of a command')\""

    by_file = here("auth", "keygen", "--passphrase-file", "secret")
    by_command = here(
        *("auth", "keygen", "--key-file", "2.key", "--certificate-file", "2.crt"),
        *("--passphrase-command", prints),
    )
    by_both = here(
        *("auth", "keygen", "--key-file", "3.key", "--certificate-file", "3.crt"),
        *("--passphrase-command", prints, "--passphrase-file", "secret"),
    )

    open_key(tmp_path / "server.key", b"of a file")
    open_key(tmp_path / "2.key", b"of a command")
    assert "give the login its passphrase too" in by_command.out
    assert "of a file" not in by_file.out
    assert by_both.code == 2
    assert "is given twice" in by_both.error
    assert not (tmp_path / "3.key").exists()


def test_nobody_to_ask_for_a_passphrase_is_an_error_and_makes_nothing(
    command: Command, tmp_path: Path
) -> None:
    done = command("auth", "keygen", "--encrypt")

    assert done.code == 2
    assert "Set SFCONNECT_PASSPHRASE, or give --passphrase-file" in done.error
    assert list(tmp_path.iterdir()) == []


def test_a_person_is_asked_twice_and_sees_nothing_of_what_is_typed(
    environ: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "sfconnect.cli", "auth", "keygen", "--encrypt", "--json"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        *(command,), stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, cwd=tmp_path, env=environ
    ) as process:
        os.close(theirs)
        shown = b""
        for question in (b"Passphrase: ", b"Once more: "):
            while not shown.endswith(question):
                shown += os.read(ours, 1000)
            os.write(ours, b"typed by hand\n")
        assert process.stdout is not None
        known = json.loads(process.stdout.read())
    os.close(ours)

    assert (process.returncode, known["encrypted"]) == (0, True)
    assert b"typed" not in shown
    open_key(tmp_path / "server.key", b"typed by hand")

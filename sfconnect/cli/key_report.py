"""What `auth keygen` tells of a pair that it made: its facts, and how an app gets to know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sfconnect.auth.options import options_of
from sfconnect.cli.explained import explanation_of
from sfconnect.cli.paragraphs import INDENT, broken_fingerprint, items, paragraph, verbatim, wrapped
from sfconnect.cli.snippets import PROFILE, environment_snippet, profile_snippet, values_of
from sfconnect.salesforce.auth import JwtBearer

if TYPE_CHECKING:
    from pathlib import Path

    from sfconnect.auth.key_pairs import KeyPair

LOGIN: Final = "jwt-bearer"
_MADE_HERE: Final = 1
"""How many of the login's steps are about making the pair."""
_LABEL: Final = 13
_SECRET: Final = "it is the secret, so keep it here"
_NOTE: Final = (
    "The key is encrypted: give the login its passphrase too, as SFCONNECT_PASSPHRASE or by "
    "passphrase_file or passphrase_command in the profile."
)


@dataclass(frozen=True, slots=True)
class KeyReport:
    """A pair, where it is, and how it was made."""

    pair: KeyPair
    key_file: Path
    certificate_file: Path
    bits: int
    encrypted: bool

    @property
    def steps(self) -> list[str]:
        """What remains to be done, from registering the certificate to trying the login."""
        explanation = explanation_of(LOGIN)
        steps = explanation.setup[_MADE_HERE:] if explanation else ()
        return [step.replace("server.crt", str(self.certificate_file)) for step in steps]

    @property
    def snippets(self) -> tuple[str, str]:
        """A profile that logs in with the pair, and the same as variables."""
        files = {
            "private_key_file": str(self.key_file),
            "certificate_file": str(self.certificate_file),
        }
        values = values_of(options_of(JwtBearer), files) or files
        return profile_snippet(LOGIN, values), environment_snippet(LOGIN, values)

    @property
    def check(self) -> str:
        """The command that tries the login."""
        return f"sfconnect auth doctor --profile {PROFILE} --login"


def known(report: KeyReport) -> dict[str, Any]:
    """Everything but the key, for machines."""
    pair, (profile, environment) = report.pair, report.snippets
    return {
        "key_file": str(report.key_file),
        "certificate_file": str(report.certificate_file),
        "bits": report.bits,
        "encrypted": report.encrypted,
        "sha256": pair.sha256,
        "sha1": pair.sha1,
        "expires_at": f"{pair.expires:%Y-%m-%dT%H:%M:%SZ}",
        "steps": report.steps,
        "profile": profile,
        "environment": environment,
        "check": report.check,
    }


def text_of(report: KeyReport, *, width: int) -> str:
    """Write it for people."""
    pair, (profile, environment) = report.pair, report.snippets
    secrecy = "encrypted, " if report.encrypted else ""
    facts = {
        "Key": f"{report.key_file} (RSA {report.bits}, {secrecy}mode 0600; {_SECRET})",
        "Certificate": f"{report.certificate_file} (this goes to the app)",
        "Expires": f"{pair.expires:%Y-%m-%d %H:%M} UTC; upload a new one before",
        "SHA-256": broken_fingerprint(pair.sha256, width - _LABEL),
        "SHA-1": broken_fingerprint(pair.sha1, width - _LABEL),
    }
    lines = [_fact(name, text, width) for name, text in facts.items()]
    sections = {
        "Register it": items(((f"{n}.", step) for n, step in enumerate(report.steps, 1)), width),
        "Note": paragraph(_NOTE if report.encrypted else "", width),
        "As a profile": verbatim(profile),
        "As variables": verbatim(environment),
        "Check it": INDENT + report.check,
    }
    written = [f"{title}\n{body}" for title, body in sections.items() if body.strip()]
    return "\n\n".join(["\n".join(lines), *written]) + "\n"


def _fact(name: str, text: str, width: int) -> str:
    return wrapped(text, width, first=f"{name:<{_LABEL}}", rest=" " * _LABEL)

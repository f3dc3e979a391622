"""TLS settings: whom to trust, and which certificate to show."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from sfconnect._types import Secret


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom to trust and who to be.

    Without ``ca_file`` the machine's own trust store counts; with it, that file alone.
    """

    ca_file: Path | str | None = None
    client_cert_file: Path | str | None = None
    client_key_file: Path | str | None = None
    client_key_password: Secret | None = field(default=None, repr=False)

    def context(self) -> ssl.SSLContext:
        """Build the context; reads files, so call it in a worker thread.

        Raises:
            ConfigurationError: A file is missing, is not PEM, or needs another password.
        """
        context = self._trusting()
        if self.client_cert_file is not None:
            self._load_client_certificate(context)
        return context

    def _trusting(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            message = f"The CA file {str(self.ca_file)!r} cannot be used: {_reason(error)}."
            hint = "Give a readable file with one or more PEM certificates."
            raise ConfigurationError(message, hint=hint) from error

    def _load_client_certificate(self, context: ssl.SSLContext) -> None:
        # Never let OpenSSL ask for a password on the terminal: an empty one fails at once.
        password = self.client_key_password.reveal() if self.client_key_password else ""
        try:
            context.load_cert_chain(
                str(self.client_cert_file),
                str(self.client_key_file) if self.client_key_file else None,
                password=lambda: password,
            )
        except (OSError, ssl.SSLError) as error:
            message = (
                f"The client certificate {str(self.client_cert_file)!r} cannot be used: "
                f"{_reason(error)}."
            )
            hint = "Certificate and key must be PEM, belong together, and fit the password."
            raise ConfigurationError(message, hint=hint) from error


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "not valid PEM"
    return error.strerror or type(error).__name__

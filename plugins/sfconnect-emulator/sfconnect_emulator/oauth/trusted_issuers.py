"""Identity providers whose tokens the org takes in exchange for its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

DEFAULT_HANDLER = "EmulatedTokenHandler"
DEFAULT_ISSUER = "https://idp.example.com"


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """One provider, with what an Apex handler for it would know.

    ``handler`` is the developer name that clients may ask for. ``key`` is a certificate or public
    key, PEM. Tokens have to be meant for ``audience`` unless that is None; ``user_claim`` is the
    claim that holds the login name.
    """

    handler: str
    issuer: str
    key: str = field(repr=False)
    audience: str | None = None
    user_claim: str = "sub"


class TrustedIssuers:
    """The handlers of one org, by name in any case of letters; the first is the default."""

    def __init__(self, issuers: Iterable[TrustedIssuer] = ()) -> None:
        self._first = tuple(issuers)
        self._issuers: dict[str, TrustedIssuer] = {}
        self.reset()

    def __iter__(self) -> Iterator[TrustedIssuer]:
        return iter(self._issuers.values())

    def reset(self) -> None:
        """Trust those of the beginning again, and nobody else."""
        self._issuers = {issuer.handler.lower(): issuer for issuer in self._first}

    def add(self, issuer: TrustedIssuer) -> None:
        """Trust a provider, or change what is known of it."""
        self._issuers[issuer.handler.lower()] = issuer

    def remove(self, handler: str) -> None:
        """Trust a provider no longer.

        Raises:
            KeyError: no handler has this name.
        """
        del self._issuers[handler.lower()]

    def get(self, handler: str | None) -> TrustedIssuer | None:
        """The handler with this name, or the default one."""
        if handler is None:
            return next(iter(self), None)
        return self._issuers.get(handler.lower())

"""How to connect, apart from logging in: every setting with its default, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from sfconnect._types import UNSET
from sfconnect.config.values import Value, convert, expected
from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping


def _about(text: str, *, minimum: float | None = None) -> dict[str, object]:
    return {"help": text, "minimum": minimum}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a connection needs beside credentials; times are seconds, None is no limit.

    Each may be given as an argument of ``connect``, as ``SFCONNECT_<NAME>``, or in a profile.
    """

    base_url: str | None = field(
        default=None, metadata=_about("Base URL of an API that is not Salesforce.")
    )
    api_version: str | None = field(
        default=None, metadata=_about("API version, such as 62.0; none: the client's own.")
    )
    connect_timeout_s: float | None = field(
        default=10.0, metadata=_about("Limit to make a connection.", minimum=0)
    )
    read_timeout_s: float | None = field(
        default=130.0, metadata=_about("Limit between two pieces of an answer.", minimum=0)
    )
    total_timeout_s: float | None = field(
        default=600.0, metadata=_about("Limit of one attempt.", minimum=0)
    )
    call_timeout_s: float | None = field(
        default=None, metadata=_about("Limit of a whole call, retries and waits too.", minimum=0)
    )
    max_connections: int = field(
        default=100, metadata=_about("Connections that are open at once.", minimum=1)
    )
    max_waiting: int | None = field(
        default=10_000, metadata=_about("Calls that may wait for a connection.", minimum=0)
    )
    wait_s: float | None = field(
        default=60.0, metadata=_about("Limit to wait for a connection.", minimum=0)
    )
    idle_s: float = field(
        default=30.0, metadata=_about("Unused connections are closed after this.", minimum=0)
    )
    max_attempts: int = field(
        default=5, metadata=_about("Attempts of one call, the first included.", minimum=1)
    )
    circuit_breaker: bool = field(
        default=True,
        metadata=_about("Stop sending to a server that is away, but for probes."),
    )
    token_store: str | None = field(
        default=None,
        metadata=_about("Where tokens are kept for other processes: the name of a token store."),
    )
    limiter: str | None = field(
        default=None,
        metadata=_about("What bounds the calls in flight beyond this process: a limiter's name."),
    )
    max_per_second: float | None = field(
        default=None, metadata=_about("Requests sent in a second, evenly spaced.", minimum=1e-3)
    )
    quota_share_percent: float | None = field(
        default=None,
        metadata=_about("Of the daily requests, what this share may use.", minimum=0.001),
    )
    quota_share_name: str = field(
        default="default",
        metadata=_about("Connections with one name use the share together."),
    )
    quota_reserve_percent: float = field(
        default=0.0, metadata=_about("Of the daily requests, what is left to others.", minimum=0)
    )
    quota_wait: bool = field(
        default=False, metadata=_about("Wait for room in the quota, instead of an error.")
    )
    revoke_on_close: bool = field(
        default=False, metadata=_about("End the session on the server when the connection closes.")
    )
    token_lifetime_s: float | None = field(
        default=None,
        metadata=_about("Life of tokens whose server tells none; none: until refused.", minimum=1),
    )
    login_warning_per_hour: int | None = field(
        default=60, metadata=_about("Logins of one identity that an event warns of.", minimum=1)
    )
    login_limit_per_hour: int | None = field(
        default=600, metadata=_about("Logins of one identity; more are not sent.", minimum=1)
    )
    ca_file: Path | None = field(
        default=None, metadata=_about("Certificates to trust, instead of the system's, as PEM.")
    )
    client_cert_file: Path | None = field(
        default=None, metadata=_about("Certificate for mutual TLS, as PEM.")
    )
    client_key_file: Path | None = field(
        default=None, metadata=_about("Key of that certificate, as PEM.")
    )

    @classmethod
    def from_values(cls, values: Mapping[str, Value]) -> Settings:
        """Build from what was given; what was not has its default.

        Raises:
            ConfigurationError: A value does not fit; the error says where it came from.
        """
        return cls(**{name: _checked(name, value) for name, value in values.items()})


@cache
def setting_names() -> tuple[str, ...]:
    """The names of all settings."""
    return tuple(item.name for item in fields(Settings))


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Settings)


@cache
def _minimums() -> dict[str, float | None]:
    return {item.name: item.metadata["minimum"] for item in fields(Settings)}


def _checked(name: str, value: Value) -> Any:
    annotation = _hints()[name]
    result = convert(annotation, value.raw, value.base)
    if result is UNSET:
        message = f"Setting {name} ({value.origin}) must be {expected(annotation)}."
        raise ConfigurationError(message, hint=_quotes_hint(annotation, value.raw))
    if isinstance(result, float) and not isfinite(result):
        message = f"Setting {name} ({value.origin}) must be a finite number, not {result}."
        raise ConfigurationError(message, hint="Where there may be no limit, give none.")
    minimum = _minimums()[name]
    if minimum is not None and isinstance(result, int | float) and result < minimum:
        message = f"Setting {name} ({value.origin}) must be at least {minimum}, not {result}."
        raise ConfigurationError(message)
    return result


def _quotes_hint(annotation: Any, raw: object) -> str | None:
    """A version written as a number is the usual slip in TOML."""
    is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
    if is_number and convert(annotation, str(raw)) is not UNSET:
        return f'Put it in quotes: "{raw}".'
    return None

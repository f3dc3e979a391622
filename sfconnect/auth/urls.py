"""Which URLs a secret may be sent to."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?|[0-9a-f:.]*:[0-9a-f:.]*")


def is_loopback(host: str) -> bool:
    """Whether a host name or literal address is this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def split_endpoint(url: str, option: str) -> SplitResult:
    """Take apart an absolute URL that may get a secret.

    Raises:
        ConfigurationError: It is no URL with a host; or is not https, and not on this machine;
            or brings a user, a query or a fragment.
    """
    parts = _split(url.strip())
    if parts is None:
        message = f"{option} is not a URL with https and a host."
        raise ConfigurationError(message, hint="Write it like https://login.example.com/token.")
    host = parts.hostname or ""
    if parts.scheme == "http" and not is_loopback(host):
        message = f"{option} {shown(url)!r} is plain http, and a secret would travel readably."
        raise ConfigurationError(message, hint="Use https; plain http is for loopback only.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        message = f"{option} must not hold a user, a query or a fragment."
        raise ConfigurationError(message, hint="Secrets have options of their own.")
    return parts


def _split(url: str) -> SplitResult | None:
    """Take a URL apart if all parsers would do so alike; they differ over backslashes, say."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:  # its text may quote a password
        return None
    is_plain = _HOST.fullmatch(host) and parts.netloc[-1] != ":"
    return parts if is_plain and parts.scheme in {"https", "http"} else None


def shown(url: str) -> str:
    """What of a URL may be shown: neither a user part nor a query."""
    front, _, rest = url.partition("?")[0].partition("#")[0].rpartition("@")
    scheme = front.partition("://")[0] + "://" if "://" in front else ""
    return (scheme + rest)[:200]

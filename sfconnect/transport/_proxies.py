"""Which proxy the environment names for a host, looked up once per host."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from sfconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable


class EnvironmentProxies:
    """Answer ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` from a cache.

    aiohttp's own look-up reads the environment for each request, which costs more than the
    request itself. What goes to this machine goes there directly, whatever the variables say: it
    may be plain http with a token on it.
    """

    __slots__ = ("_by_origin", "_bypass", "_read")

    def __init__(
        self,
        read: Callable[[], dict[str, str]] = getproxies,
        bypass: Callable[[str], object] = proxy_bypass,
    ) -> None:
        self._read = read
        self._bypass = bypass
        self._by_origin: dict[str, str | None] = {}

    def for_url(self, url: str) -> str | None:
        """Return the proxy's URL, or None to connect directly.

        Raises:
            ConfigurationError: The variable's value is no address of an HTTP proxy.
        """
        origin = url[: url.find("/", 8)] if url.find("/", 8) > 0 else url
        try:
            return self._by_origin[origin]
        except KeyError:
            return self._by_origin.setdefault(origin, self._look_up(origin))

    def _look_up(self, origin: str) -> str | None:
        parts = urlsplit(origin)
        host = parts.hostname or ""
        # NO_PROXY may name a host, or a host with its port.
        if _is_loopback(host) or self._bypass(host) or self._bypass(f"{host}:{parts.port}"):
            return None
        proxies = self._read()
        proxy = proxies.get(parts.scheme) or proxies.get("all")
        return _checked(proxy) if proxy else None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _checked(proxy: str) -> str:
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        # Not shown: it may hold a password.
        message = "The proxy that the environment names is not the address of an HTTP proxy."
        hint = "Write HTTPS_PROXY like http://proxy.example.com:3128, or add the host to NO_PROXY."
        raise ConfigurationError(message, hint=hint)
    return url

"""Where to log in, and where a token may go."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from sfconnect import AccessToken
from sfconnect.errors import HostNotAllowedError

_SALESFORCE: Final = (
    ".salesforce.com",
    ".force.com",
    ".cloudforce.com",
    ".site.com",
    ".salesforce.mil",
    ".crmforce.mil",
    ".sfcrmproducts.cn",
)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_AUTHORITY: Final = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
_API_POD: Final = re.compile(r"([a-z]{2,4}\d{1,4})-api\.salesforce\.com")


def login_base(url: str) -> str:
    """Bring a login URL, as people copy it, to the form ``https://host[:port][/site]``.

    Raises:
        ConfigurationError: It is no URL of a login host, or plain http on another machine.
    """
    # The rules are the core's; a strategy of its own is the public way to them.
    return AccessToken(instance_url=url, access_token="unused").instance_url


def host_of(url: str) -> str:
    """Host name of a URL, lower case; empty if it has none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def api_base(url: str, login_url: str) -> str:
    """Return scheme and host of an API address that a login named, if a token may go there.

    Raises:
        HostNotAllowedError: It is neither Salesforce's nor the login host; or plain http or this
            machine, where the login was not.
    """
    host, login_host = host_of(url), host_of(login_url)
    parts = urlsplit(url) if host else urlsplit("")
    local = host in _LOOPBACK and login_host in _LOOPBACK
    known = host == login_host or host.endswith(_SALESFORCE)
    # The whole authority, so that no two parsers can read different hosts in it.
    if _AUTHORITY.fullmatch(parts.netloc.lower()):
        if local and parts.scheme in {"http", "https"}:
            return f"{parts.scheme}://{parts.netloc}"
        if known and host not in _LOOPBACK and parts.scheme == "https":
            # Old instances have a name of their own for SOAP; all of them serve REST on the other.
            return "https://" + _API_POD.sub(r"\1.salesforce.com", parts.netloc.lower())
    message = f"The login at {login_host} named {host[:200]!r} as the API's address."
    hint = "Tokens go to Salesforce's hosts only, or to the host of login_url."
    raise HostNotAllowedError(message, hint=hint)

"""Salesforce's host names: which one to log in at, and which may get a token."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sfconnect.auth.urls import is_loopback, shown, split_endpoint
from sfconnect.errors import ConfigurationError, HostNotAllowedError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

PRODUCTION_AUDIENCE: Final = "https://login.salesforce.com"
SANDBOX_AUDIENCE: Final = "https://test.salesforce.com"
_PRE_RELEASE_AUDIENCE: Final = "https://gs1.salesforce.com"

_ORG_SUFFIXES: Final = (
    ".salesforce.com",
    ".force.com",
    ".cloudforce.com",
    ".salesforceliveagent.com",
    ".site.com",
    ".salesforce.mil",
    ".crmforce.mil",
    ".sfcrmproducts.cn",
)
# Lightning's own hosts under force.com have been brought to their My Domain before.
_SITE_SUFFIXES: Final = (".site.com", ".force.com")
_SHARED_HOSTS: Final = frozenset({"login.salesforce.com", "test.salesforce.com"})
# Pods such as na139 and cs42; gs0 and gs1 are Salesforce's own pre-release logins.
_INSTANCED: Final = re.compile(r"(?!gs\d)[a-z]{2,4}\d{1,4}\.(?:my\.)?salesforce\.com")
_SANDBOX: Final = re.compile(r"\.(?:sandbox|scratch)\.my\.|^test\.|^cs\d+\.")
_FOR_DEVELOPERS: Final = re.compile(r"-dev-ed\.|\.(?:develop|trailblaze|scratch|demo|free)\.my\.")
_SANDBOX_NAME: Final = re.compile(r"[a-z0-9-]+--([a-z0-9]+)\.sandbox\.my\.")
# Hosts of the user interface, and the My Domain that they belong to.
_INTERFACES: Final = (
    (re.compile(r"\.lightning\.force\.com$"), ".my.salesforce.com"),
    (re.compile(r"\.my\.salesforce-setup\.com$"), ".my.salesforce.com"),
)
# First segments of paths that people copy from the browser; a site's own path is none of them.
_PAGES: Final = frozenset(
    {"services", "lightning", "setup", "secur", "home", "one", "apex", "_ui", "visualforce"}
)


def login_base(url: str) -> str:
    """Bring a login URL, as people copy it, to the form ``https://host[:port][/site]``.

    A bare host, a trailing slash, a token endpoint, and pages of Lightning or Setup are taken
    for the My Domain host that they belong to. Only Experience Cloud sites keep a path.

    Raises:
        ConfigurationError: It has no host, is plain http on another machine, or names an
            instance (``na139``), which Salesforce is cutting off.
    """
    text = url.strip()
    parts = split_endpoint(_bare(text if "://" in text else f"https://{text}"), "login_url")
    host = _my_domain(parts.hostname or "")
    if _INSTANCED.fullmatch(host):
        message = f"login_url names the instance {host}, where an org does not stay."
        hint = "Use the My Domain address that Setup → My Domain shows."
        raise ConfigurationError(message, hint=hint)
    return f"{_origin(parts, host)}{_site_path(host, parts.path)}"


def _bare(url: str) -> str:
    """Drop query and fragment: pages copied from a browser often have them."""
    return url.partition("#")[0].partition("?")[0]


def _my_domain(host: str) -> str:
    host = host.lower().rstrip(".")
    for pattern, replacement in _INTERFACES:
        host = pattern.sub(replacement, host)
    return host


def _origin(parts: SplitResult, host: str) -> str:
    default = {"https": 443, "http": 80}[parts.scheme]
    name = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, default} else f":{parts.port}"
    return f"{parts.scheme}://{name}{port}"


def _site_path(host: str, path: str) -> str:
    if host.endswith((".my.salesforce.com", ".salesforce.mil", ".sfcrmproducts.cn")):
        return ""
    if host in _SHARED_HOSTS or is_loopback(host):
        return ""
    segments: list[str] = []
    for segment in filter(None, map(str.strip, path.split("/"))):
        if segment.lower() in _PAGES:
            break
        segments.append(segment)
    return "".join(f"/{segment}" for segment in segments)


def host_of(url: str) -> str:
    """Host name of a normalised URL, lower case, without port."""
    return split_endpoint(url, "URL").hostname or ""


def is_shared_login(url: str) -> bool:
    """Whether a login URL is one that all orgs share, so that it does not name an org."""
    return host_of(url) in _SHARED_HOSTS


def derive_audience(login_url: str) -> str:
    """Derive the audience of a signed assertion from a normalised login URL.

    My Domain is no audience of its own: some orgs accept it and some do not. A site is, on
    Salesforce's hosts as on a domain of its owner.
    """
    host = host_of(login_url)
    if host.endswith(_SITE_SUFFIXES) or not (is_org_host(host) or is_loopback(host)):
        return login_url
    if host == "gs1.salesforce.com" or ".gs1." in host:
        return _PRE_RELEASE_AUDIENCE
    return SANDBOX_AUDIENCE if _SANDBOX.search(host) else PRODUCTION_AUDIENCE


def sandbox_name(login_url: str) -> str:
    """The name of the sandbox whose My Domain or site this is; empty for other hosts."""
    found = _SANDBOX_NAME.match(host_of(login_url))
    return found[1] if found else ""


def other_audience(audience: str) -> str:
    """The audience to try when one is refused."""
    return PRODUCTION_AUDIENCE if audience == SANDBOX_AUDIENCE else SANDBOX_AUDIENCE


def is_for_developers(host: str) -> bool:
    """Whether a host shows that its org is a Developer Edition, scratch, demo or trial org.

    My Domain names of such orgs tell; a trial that has become an org like any other does not.
    """
    return _FOR_DEVELOPERS.search(host.lower()) is not None


def is_org_host(host: str) -> bool:
    """Whether a host name is Salesforce's own, so that an org may live there."""
    return host.lower().rstrip(".").endswith(_ORG_SUFFIXES)


def verify_instance_url(instance_url: str, login_url: str) -> str:
    """Return the API's base URL that a login named, if a token may be sent there.

    Raises:
        HostNotAllowedError: It is neither Salesforce's nor the login host itself; or plain http
            or this machine, where the login was not.
    """
    text = instance_url.strip().rstrip("/")
    try:
        parts = split_endpoint(text if "://" in text else f"https://{text}", "instance_url")
    except ConfigurationError as error:
        message = f"The login named an API address that is not safe to use: {error.message}"
        raise HostNotAllowedError(message) from error
    host, login_host = (parts.hostname or "").lower(), host_of(login_url)
    # A name that is allowed over the network must not lead to this machine, nor to plain http.
    local = is_loopback(host) and is_loopback(login_host)
    if local or (parts.scheme == "https" and (host == login_host or is_org_host(host))):
        return f"{_origin(parts, host)}{parts.path}"
    message = f"The login at {login_host} named {shown(text)!r} as the API's address."
    hint = "Tokens go to Salesforce's hosts only, or to the host of login_url."
    raise HostNotAllowedError(message, hint=hint)

"""What a request must be before it goes out: its address the API's own, its headers whole."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urldefrag, urljoin

from sfconnect.errors import ConfigurationError, HostNotAllowedError
from sfconnect.messages import Request, Response, query_string

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect.auth.base import Credentials
    from sfconnect.messages import StreamedResponse
    from sfconnect.service import Service

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_URL_CHARACTERS = "!$%&'()*+,-./:;=?@_~[]"
# Printable ASCII without space, quotes, angle brackets, backslash, caret, backtick, braces, bar
# and fragment: what may stand in a request line without being encoded (RFC 3986 §2, §3.3, §3.4).
_ENCODED_PATH = re.compile(r"(?:/|https?://)[!$%&'()*+,\-./0-9:;=?@A-Z_a-z~\[\]]*")


def absolute_url(service: Service, request: Request, base: str, credentials: Credentials) -> str:
    """Join a request's address to the base URL, with its parameters.

    Raises:
        ConfigurationError: The path is not percent-encoded.
        HostNotAllowedError: It is an absolute URL, and not the API's own.
    """
    path = request.path
    if _ENCODED_PATH.fullmatch(path) is None:
        message = f"The path of this {request.method} request is not percent-encoded."
        hint = "Begin it with '/', encode values with path_segment(), and use params=…"
        raise ConfigurationError(message, hint=hint)
    # Joined by plain concatenation: behind a base that ends in its host, a path that begins
    # with "/" cannot change the host, whatever else it holds.
    if path[0] == "/":
        path = base + path
    else:
        check_owned(service, path, credentials)
    if not request.params:
        return path
    mark = "&" if "?" in path else "?"
    return f"{path}{mark}{query_string(request.params)}"


def check_owned(service: Service, url: str, credentials: Credentials) -> None:
    """Refuse an absolute URL that is not the API's own, or brings a user part."""
    host = url.partition("://")[2].partition("/")[0].partition("?")[0]
    try:
        owned = "@" not in host and service.owns(url, credentials)
    except ValueError:  # no host or port can be read from it
        owned = False
    if not owned:
        shown = host.rpartition("@")[2]
        message = (
            f"A request with {service.name}'s token was about to go to {shown!r}; it was not sent."
        )
        raise HostNotAllowedError(message, hint="Tokens go to the API's own host only.")


def redirect_target(
    service: Service,
    request: Request,
    answer: Response | StreamedResponse,
    credentials: Credentials,
) -> Request | None:
    """Where a read is sent on to; None if the answer stands."""
    if answer.status not in REDIRECTS or request.method not in {"GET", "HEAD"}:
        return None
    location = answer.headers.get("Location")
    if location is None:
        return None
    here = absolute_url(service, request, service.base_url(credentials), credentials)
    try:
        target = urldefrag(urljoin(here, location)).url
    except ValueError:  # not a URL
        return None
    # Servers write spaces and letters of other alphabets there as they are.
    target = quote(target, safe=_URL_CHARACTERS)
    check_owned(service, target, credentials)
    return replace(request, path=target, params=None)


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse what would end a header early, so that a value cannot become a header or a body."""
    for name, value in headers.items():
        if _HEADER_NAME.fullmatch(name) is None or _CONTROL.search(value) is not None:
            shown = name if _HEADER_NAME.fullmatch(name) else "(its name is not one)"
            message = f"The header {shown} holds characters that no header may hold."
            raise ConfigurationError(message, hint="Encode the value; a line break is never one.")


_LOOP_HINT = (
    "Open one connection for each event loop and process: in each thread that runs a loop of its "
    "own, after os.fork(), and again for each asyncio.run()."
)


def another_loop() -> ConfigurationError:
    """Make the error of a call on another loop than its connection's, which would wait for ever."""
    message = "The connection was opened on another event loop, or before the process was forked."
    return ConfigurationError(message, hint=_LOOP_HINT)

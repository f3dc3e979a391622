"""Read ``WWW-Authenticate``: what an API, or a token endpoint, says is wrong with a login."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sfconnect.messages import Response

_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # RFC 9110 §5.6.2
_GAP: Final = re.compile(r"[ \t,]*")
_PARAMETER: Final = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))')
_SCHEME: Final = re.compile(rf"({_TOKEN})(?=[ \t,]|$)")
_TOKEN68: Final = re.compile(r"[ \t]+[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)")
_BEARERS: Final = frozenset({"bearer", "dpop"})


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge; scheme and the names of parameters are in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def challenges_of(response: Response) -> tuple[Challenge, ...]:
    """All challenges of an answer, which may come in several headers or in one."""
    headers = response.headers
    # Only multi-value headers have it; a plain mapping holds one.
    values: Iterable[str] = (
        headers.getall("WWW-Authenticate", ())
        if hasattr(headers, "getall")
        else filter(None, [headers.get("WWW-Authenticate")])
    )
    return tuple(challenge for value in values for challenge in parse_challenges(value))


def parse_challenges(value: str) -> tuple[Challenge, ...]:
    """Take a header apart (RFC 9110 §11.6.1); what is not understood is passed over."""
    found: list[tuple[str, dict[str, str]]] = []
    for scheme, name, text in _pieces(value):
        if scheme:
            found.append((scheme.lower(), {}))
        elif found:
            found[-1][1].setdefault(name.lower(), text)
    return tuple(Challenge(scheme, parameters) for scheme, parameters in found)


def _pieces(value: str) -> Iterator[tuple[str, str, str]]:
    """Give ``(scheme, "", "")`` or ``("", name, text)``, in their order."""
    position = 0
    while (position := _after(_GAP, value, position)) < len(value):
        if parameter := _PARAMETER.match(value, position):
            position = parameter.end()
            name, quoted, plain = parameter.groups()
            yield "", name, re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
        elif scheme := _SCHEME.match(value, position):
            yield scheme[1], "", ""
            position = _after(_TOKEN68, value, scheme.end())
        else:
            position += 1


def _after(pattern: re.Pattern[str], value: str, position: int) -> int:
    found = pattern.match(value, position)
    return found.end() if found else position


def bearer_error(response: Response) -> str | None:
    """The error of a Bearer challenge (RFC 6750 §3), such as ``invalid_token``; None if none."""
    for challenge in challenges_of(response):
        if challenge.scheme in _BEARERS and (error := challenge.parameters.get("error")):
            return error.lower()
    return None

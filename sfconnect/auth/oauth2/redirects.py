"""The redirect that ends a login in a browser: a code or an error. Pure, without I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from secrets import compare_digest
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote

from sfconnect._types import Secret
from sfconnect.auth.oauth2.wire import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

# Padding is the only place where a code has an equals sign; elsewhere it is a part of an address.
_BARE: Final = re.compile(r"[A-Za-z0-9._~!*%+-]+=*")
_MEMBERS: Final = ("code", "state", "iss", "error", "error_description")
_MEMBERS_MAX: Final = 50
_TEXT_MAX: Final = 5000
_FOUND: Final = 302
"""The server refused by a redirect; that it was this one of the five, the browser does not tell."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """What came back: a code, or an error in its place."""

    code: Secret | None = None
    state: str = field(default="", repr=False)
    issuer: str | None = None
    """Who says that it answered (RFC 9207), where it does."""
    error: str = ""
    description: str = ""
    is_bare: bool = False
    """Whether a person gave the code alone, without the state that came with it."""

    def is_of(self, state: str) -> bool:
        """Whether it ends the login that this state was drawn for, and no other.

        A bare code has no state; that it belongs to this login is then PKCE's to prove.
        """
        if self.is_bare:
            return True
        return compare_digest(_bytes(self.state), _bytes(state))

    @property
    def refusal(self) -> Refusal:
        """The error, in the form that rules explain."""
        return Refusal(_FOUND, "oauth", self.error, self.description)


def read_redirect(query: str) -> Redirect | None:
    """Read the query of a redirect; None if it holds neither a code nor an error.

    A member that comes twice makes it none: the server would not do that (RFC 6749 §3.1), and
    two readers could take two different ones.
    """
    members = _members(query)
    if members is None or not (members.get("code") or members.get("error")):
        return None
    code, error = members.get("code", ""), members.get("error", "")
    return Redirect(
        code=Secret(code) if code and not error else None,
        state=members.get("state", ""),
        issuer=members.get("iss"),
        error=error[:_TEXT_MAX],
        description=members.get("error_description", "")[:_TEXT_MAX],
    )


def _members(query: str) -> Mapping[str, str] | None:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MEMBERS_MAX)
    except ValueError:
        return None
    known = [pair for pair in pairs if pair[0] in _MEMBERS]
    members = dict(known)
    return members if len(members) == len(known) else None


def read_pasted(text: str) -> Redirect | None:
    """Read what a person copied: the whole address, its query, or the code alone.

    The code is taken as the address bar shows it, so percent-encoded.
    """
    text = text.strip().strip("\"'<>").strip()
    query = text.partition("#")[0].rpartition("?")[2]
    if (redirect := read_redirect(query)) is not None:
        return redirect
    return Redirect(Secret(unquote(text)), is_bare=True) if _BARE.fullmatch(text) else None


def _bytes(text: str) -> bytes:
    # A terminal can give halves of characters, which are no reason to fail here.
    return text.encode("utf-8", "surrogatepass")

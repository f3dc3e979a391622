"""What a SAML assertion says, as far as a login depends on it, and what is wrong with it.

Signatures are left to Salesforce. The rest is looked at here, since the server's refusal names no
detail, and each one would count as a failed login of the user.
"""

from __future__ import annotations

import base64
import binascii
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sfconnect.errors import AuthConfigurationError, ClockSkewError, ReauthorizationRequired

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sfconnect._types import Secret

MAX_CHARACTERS: Final = 1 << 20
_SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
_NAMES: Final = {"s": _SAML, "ds": "http://www.w3.org/2000/09/xmldsig#"}
_BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_DECLARED: Final = re.compile(r"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)")
_DTD: Final = re.compile(r"<!(?:DOCTYPE|ENTITY)")
_OTHER_ROOTS: Final = {
    "{urn:oasis:names:tc:SAML:2.0:protocol}Response": (
        "a SAML Response; the flow takes the Assertion inside it, which has to be signed itself"
    ),
    f"{{{_SAML}}}EncryptedAssertion": "encrypted, and Salesforce has no key to it",
    "{urn:oasis:names:tc:SAML:1.0:assertion}Assertion": "of SAML 1.1, and 2.0 is needed",
}
_KEY: Final = "saml-assertion"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Where a bearer may present the assertion, and until when."""

    recipient: str
    ends_at: float | None


@dataclass(frozen=True, slots=True)
class SamlAssertion:
    """The parts of an assertion that a login depends on; times are seconds since the epoch."""

    xml: bytes = field(repr=False)
    issuer: str
    name_id: str
    audiences: tuple[str, ...]
    confirmations: tuple[Confirmation, ...]
    begins_at: float | None
    ends_at: float | None

    @property
    def encoded(self) -> str:
        """The document as the form wants it (RFC 7522 §2.1): base64url, without padding."""
        return base64.urlsafe_b64encode(self.xml).rstrip(b"=").decode("ascii")

    def check_time(self, now: float) -> None:
        """Refuse an assertion out of its time.

        Raises:
            ReauthorizationRequired: It has ended, or tells no end.
            ClockSkewError: It has not begun.
        """
        if self.begins_at is not None and now < self.begins_at:
            message = f"The SAML assertion is valid from {_shown(self.begins_at)} on, and by this "
            message += f"machine's clock it is {_shown(now)}."
            hint = "Set the clocks of this machine and of the identity provider by NTP."
            raise ClockSkewError(message, hint=hint, docs_key="saml-not-yet-valid")
        ends = (self.ends_at, *_latest(one.ends_at for one in self.confirmations))
        end = min((one for one in ends if one is not None), default=None)
        if end is None:
            raise _wrong("tells no end of its validity (NotOnOrAfter)")
        if now >= end:
            message = f"The SAML assertion has ended on {_shown(end)}; it is {_shown(now)} now."
            hint = "Let the identity provider make a new one; if it is new, compare the clocks."
            raise ReauthorizationRequired(message, hint=hint, docs_key="saml-expired")

    def check_audience(self, allowed: Sequence[str]) -> None:
        """Refuse an assertion that is for somebody else.

        Raises:
            AuthConfigurationError: It names another audience, or none.
        """
        wanted = {_plain(one) for one in allowed}
        if not any(_plain(one) in wanted for one in self.audiences):
            found = ", ".join(self.audiences) or "nobody"
            raise _wrong(
                f"is for the audience {found}, not for {allowed[0]}",
                "Set the audience at the identity provider, or audience here if it is right.",
            )

    def check_recipient(self, allowed: Sequence[str]) -> None:
        """Refuse an assertion that may not be presented at the token endpoint.

        Raises:
            AuthConfigurationError: It names another place, or none.
        """
        wanted = {_place(one) for one in allowed}
        if not any(_place(one.recipient) in wanted for one in self.confirmations):
            found = ", ".join(one.recipient for one in self.confirmations) or "no bearer at all"
            raise _wrong(
                f"names as recipient {found}, not {allowed[0]}",
                "Set the Recipient of its bearer confirmation at the identity provider.",
            )

    def check_name(self, username: str | None) -> None:
        """Refuse an assertion about another user than was meant.

        Raises:
            AuthConfigurationError: It names another user.
        """
        if username is not None and username != self.name_id:
            raise _wrong(f"is about {self.name_id}, not about {username}")


def read_assertion(given: Secret) -> SamlAssertion:
    """Read an assertion: XML as text, or that in base64 or base64url.

    Raises:
        AuthConfigurationError: It is none, or lacks what every login needs.
    """
    text = _as_xml(given.reveal())
    root = _parsed(text)
    if root.tag != f"{{{_SAML}}}Assertion":
        raise _wrong(f"is {_OTHER_ROOTS.get(root.tag, 'another document than an Assertion')}")
    if root.find("ds:Signature", _NAMES) is None:
        raise _wrong("is not signed", "Let the identity provider sign the assertion itself.")
    conditions = root.find("s:Conditions", _NAMES)
    return SamlAssertion(
        text.encode(),
        issuer=_needed(root, "s:Issuer"),
        name_id=_needed(root, "s:Subject/s:NameID"),
        audiences=_texts(root, "s:Conditions/s:AudienceRestriction/s:Audience"),
        confirmations=tuple(_confirmations(root)),
        begins_at=_time(conditions, "NotBefore"),
        ends_at=_time(conditions, "NotOnOrAfter"),
    )


def _as_xml(text: str) -> str:
    text = text.strip().lstrip("\ufeff")
    if text.startswith("<"):
        return text
    packed = "".join(text.split()).rstrip("=").replace("+", "-").replace("/", "_")
    try:
        decoded = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-8")
    except (binascii.Error, ValueError):
        decoded = ""
    if decoded.lstrip("\ufeff \t\r\n").startswith("<"):
        return decoded.strip().lstrip("\ufeff")
    raise _wrong("is neither XML nor XML in base64")


def _parsed(text: str) -> ET.Element:
    """Parse a document that can neither name entities of its own nor hide them in an encoding."""
    if len(text) > MAX_CHARACTERS:
        raise _wrong(f"has {len(text):,} characters, which no assertion has")
    declared = _DECLARED.match(text)
    if declared is not None and declared[1].lower() not in {"utf-8", "us-ascii"}:
        raise _wrong("declares another encoding than UTF-8")
    if _DTD.search(text):
        raise _wrong("has a document type, which no assertion has")
    try:
        return ET.fromstring(text.encode())  # noqa: S314  # without a DTD nothing is expanded
    except (ET.ParseError, ValueError):
        pass  # not chained: the parser's error may quote the document
    raise _wrong("is no well-formed XML")


def _needed(root: ET.Element, path: str) -> str:
    if text := (root.findtext(path, "", _NAMES) or "").strip():
        return text
    raise _wrong(f"has no {path.rpartition(':')[2]}")


def _texts(root: ET.Element, path: str) -> tuple[str, ...]:
    found = ((element.text or "").strip() for element in root.iterfind(path, _NAMES))
    return tuple(text for text in found if text)


def _confirmations(root: ET.Element) -> Iterable[Confirmation]:
    for element in root.iterfind("s:Subject/s:SubjectConfirmation", _NAMES):
        data = element.find("s:SubjectConfirmationData", _NAMES)
        if element.get("Method") == _BEARER and data is not None and data.get("Recipient"):
            yield Confirmation(data.get("Recipient", ""), _time(data, "NotOnOrAfter"))


def _time(element: ET.Element | None, name: str) -> float | None:
    """A time of XML Schema; SAML writes it in UTC, also where it does not say so."""
    text = None if element is None else element.get(name)
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text.strip())
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        pass
    raise _wrong(f"has a {name} that is no time")


def _latest(times: Iterable[float | None]) -> tuple[float, ...]:
    """The end of the confirmation that holds longest; any one of them is enough."""
    known = list(times)
    ends = [one for one in known if one is not None]
    return (max(ends),) if ends and len(ends) == len(known) else ()


def _plain(audience: str) -> str:
    return audience.strip().rstrip("/").lower()


def _place(url: str) -> tuple[str, str]:
    """Host and path of a URL; two empty texts where it is none."""
    try:
        parts = urlsplit(url.strip())
        return parts.netloc.lower(), parts.path.rstrip("/")
    except ValueError:
        return "", ""


def _shown(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _wrong(problem: str, hint: str | None = None) -> AuthConfigurationError:
    return AuthConfigurationError(f"The SAML assertion {problem}.", hint=hint, docs_key=_KEY)

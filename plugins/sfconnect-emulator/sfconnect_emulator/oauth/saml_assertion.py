"""Verification of a SAML 2.0 bearer assertion (RFC 7522): what it says, and whether to believe it.

Signed documents are attacked by moving the signed part aside and putting another in its place. So
the document has to have the one shape that assertions have, and after the signature was verified
only the bytes that it covers are read.
"""

from __future__ import annotations

import base64
import binascii
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sfconnect_emulator.oauth import plain_xml
from sfconnect_emulator.oauth.apps import AppRegistry, ConnectedApp
from sfconnect_emulator.oauth.errors import OAuthError, invalid_grant, unknown_client
from sfconnect_emulator.oauth.replays import CLOCK_BUFFER_S
from sfconnect_emulator.oauth.xml_signature import signed_part

_SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_ID_NAMES = ("ID", "Id", "id", "{http://www.w3.org/XML/1998/namespace}id")
_CONDITIONS = frozenset(
    f"{_SAML}{name}" for name in ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")
)


@dataclass(frozen=True, slots=True)
class SamlAssertion:
    """What passed: which app speaks, for whom, until when, and the id that is good for once."""

    app: ConnectedApp
    username: str
    expires_at: float
    assertion_id: str


@dataclass(frozen=True, slots=True)
class Destination:
    """Under which names the org is meant: as an audience, and as the place to present it."""

    audiences: Collection[str]
    recipients: Collection[str]


def verify_saml(
    encoded: str, apps: AppRegistry, destination: Destination, now: float
) -> SamlAssertion:
    """Check shape, signature, issuer, audience, recipient, times and subject of an assertion.

    The signature is judged before everything but the issuer, which names the key.

    Raises:
        OAuthError: with the platform's words for the first thing that is wrong.
    """
    document, shown = _document(encoded)
    app = apps.get(_text(shown, "Issuer"))
    if app is None:
        raise unknown_client()
    root = _believed(document, shown, app)
    conditions = _one(root, "Conditions")
    _check_audience(conditions, destination.audiences)
    confirmation = _confirmation_end(root, destination.recipients, now)
    expires_at = _end(conditions, confirmation, app, now)
    username = _text(_one(root, "Subject"), "NameID")
    if not username:
        raise _invalid()
    return SamlAssertion(app, username, expires_at, root.get("ID", ""))


def _document(encoded: str) -> tuple[bytes, ET.Element]:
    """The document and what it shows; nothing of it is verified yet."""
    packed = encoded.rstrip("=").replace("+", "-").replace("/", "_").encode()
    try:
        document = base64.b64decode(packed + b"=" * (-len(packed) % 4), b"-_", validate=True)
        shown = plain_xml.parse(document)
    except (binascii.Error, ValueError):
        raise _invalid() from None
    if not _has_the_shape(shown):
        raise _invalid()
    return document, shown


def _has_the_shape(root: ET.Element) -> bool:
    """Whether there is one assertion, which holds one signature, and no id stands twice."""
    every = list(root.iter())
    ids = [one.attrib[name] for one in every for name in _ID_NAMES if name in one.attrib]
    assertions = [element for element in every if element.tag == f"{_SAML}Assertion"]
    signatures = [element for element in every if element.tag == _SIGNATURE]
    return (
        assertions == [root]
        and signatures == root.findall(_SIGNATURE)
        and len(signatures) == 1
        and len(ids) == len(set(ids))
        and bool(root.get("ID"))
        and root.get("Version") == "2.0"
    )


def _believed(document: bytes, shown: ET.Element, app: ConnectedApp) -> ET.Element:
    """The signed assertion, read from the bytes that the signature covers."""
    if app.certificate is None:
        raise _invalid()
    try:
        root = plain_xml.parse(signed_part(document, app.certificate))
    except ValueError:
        raise _invalid() from None
    if root.tag != shown.tag or root.get("ID") != shown.get("ID"):
        raise _invalid()
    return root


def _check_audience(conditions: ET.Element, accepted: Collection[str]) -> None:
    """Every restriction has to name the org; conditions that nobody understands are not met."""
    if any(condition.tag not in _CONDITIONS for condition in conditions):
        raise _invalid()
    restrictions = conditions.findall(f"{_SAML}AudienceRestriction")
    named = [
        {(audience.text or "").strip().rstrip("/") for audience in one.iterfind(f"{_SAML}Audience")}
        for one in restrictions
    ]
    if not named or any(names.isdisjoint(accepted) for names in named):
        raise _not_for_us()


def _confirmation_end(root: ET.Element, recipients: Collection[str], now: float) -> float | None:
    """Until when a bearer may present the assertion here; None when nothing bounds that."""
    bearers = [
        data
        for data in _bearers(_one(root, "Subject"))
        if data.get("Recipient", "").rstrip("/") in recipients
    ]
    if not bearers:
        raise _not_for_us()
    begun = [data for data in bearers if _has_begun(data, now)]
    if not begun:
        raise _invalid()
    ends = [_time(data, "NotOnOrAfter") for data in begun]
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None


def _bearers(subject: ET.Element) -> Iterator[ET.Element]:
    for confirmation in subject.iterfind(f"{_SAML}SubjectConfirmation"):
        data = confirmation.find(f"{_SAML}SubjectConfirmationData")
        if confirmation.get("Method") == _BEARER and data is not None:
            yield data


def _end(
    conditions: ET.Element, confirmation: float | None, app: ConnectedApp, now: float
) -> float:
    if not _has_begun(conditions, now):
        raise _invalid()
    ends = (_time(conditions, "NotOnOrAfter"), confirmation)
    expires_at = min((end for end in ends if end is not None), default=None)
    if expires_at is None:
        raise _invalid()
    if expires_at + CLOCK_BUFFER_S <= now:
        raise invalid_grant("assertion expired")
    if app.max_assertion_s is not None and expires_at > now + app.max_assertion_s + CLOCK_BUFFER_S:
        raise _invalid()
    return expires_at


def _has_begun(element: ET.Element, now: float) -> bool:
    begins_at = _time(element, "NotBefore")
    return begins_at is None or begins_at <= now + CLOCK_BUFFER_S


def _time(element: ET.Element, name: str) -> float | None:
    """A time of XML Schema, which SAML writes in UTC also where it does not say so."""
    text = element.get(name)
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text.strip())
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise _invalid() from None


def _one(parent: ET.Element, name: str) -> ET.Element:
    found = parent.findall(f"{_SAML}{name}")
    if len(found) != 1:
        raise _invalid()
    return found[0]


def _text(parent: ET.Element, name: str) -> str:
    return (_one(parent, name).text or "").strip()


def _invalid() -> OAuthError:
    return invalid_grant("invalid assertion")


def _not_for_us() -> OAuthError:
    return invalid_grant("Audience validation failed")

"""The way to the login server: its name, a connection, and TLS."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from anyio import to_thread
from cryptography import x509

from sfconnect.cli.doctor.checks import Finding, failed, passed, skipped, warned
from sfconnect.connector import tls_of
from sfconnect.errors import ConnectError
from sfconnect.transport import Tls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sfconnect.cli.doctor.case import Case, Target

_CONNECT_S: Final = 10.0
_SOON: Final = timedelta(days=7)
_EXPIRED: Final = 10
_NOT_YET: Final = 9
_OTHER_NAMES: Final = frozenset({62, 64})
"""Codes of OpenSSL's verification (X509_V_ERR_…): another host name, another address."""
_NO_ADDRESS: Final = "the login names no address to look for"
_CA: Final = (
    "If that is a proxy of your organisation that opens TLS, or a CA of its own, save the CA's "
    "certificate as PEM, and set ca_file (SFCONNECT_CA_FILE) to it."
)


def _hop(case: Case, target: Target) -> tuple[Target, str]:
    """Where the first connection goes, and what that is in words."""
    return (target, "the host") if case.proxy is None else (case.proxy, "the proxy")


async def dns(case: Case) -> Finding:
    """Look up the name of the host, or of the proxy that is to be asked in its stead."""
    if case.target is None:
        return skipped(_NO_ADDRESS)
    where, what = _hop(case, case.target)
    if _is_address(where.host):
        return passed(f"{where.host} is an address, not a name")
    try:
        async with asyncio.timeout(_CONNECT_S):
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(where.host, where.port, type=0)
    except (OSError, UnicodeError) as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else _reason(error)
        return failed(
            f"The name of {what} {where.host} cannot be resolved: {reason}.", _name_fix(case)
        )
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    return passed(
        f"{where.host} is {addresses[0]}{more}"
        if case.proxy is None
        else f"{what} {where.host} is {addresses[0]}{more}"
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _name_fix(case: Case) -> str:
    if case.proxy is not None:
        return "Check HTTPS_PROXY, or add the login's host to NO_PROXY."
    option = case.target.option if case.target else "the address"
    if case.is_salesforce:
        return (
            f"Check {option}: it is the org's My Domain as Setup → My Domain shows it. A new org's "
            "name can take minutes to appear. Behind a proxy, set HTTPS_PROXY."
        )
    return f"Check {option}. Behind a proxy, set HTTPS_PROXY."


async def tcp(case: Case) -> Finding:
    """Connect, through the proxy if there is one."""
    if case.target is None:
        return skipped(_NO_ADDRESS)
    where, what = _hop(case, case.target)
    try:
        async with _connection(case, case.target, None):
            pass
    except TimeoutError:
        reason = f"no answer within {_CONNECT_S:.0f} s"
    except OSError as error:
        reason = _reason(error)
    else:
        via = f" through the proxy {where.place}" if case.proxy else ""
        return passed(f"{case.target.place} takes connections{via}")
    if case.proxy is not None:
        fix = "Check HTTPS_PROXY, or add the login's host to NO_PROXY."
    else:
        fix = (
            f"Check host and port of {where.option}, and that a firewall lets this machine out. "
            "Behind a proxy, set HTTPS_PROXY."
        )
    return failed(f"No connection to {what} {where.place}: {reason}.", fix)


async def tls(case: Case) -> Finding:
    """Shake hands, and look at the certificate."""
    target = case.target
    if target is None:
        return skipped(_NO_ADDRESS)
    if target.scheme == "http":
        return skipped("plain http, which is for this machine only")
    settings = case.resolved.settings
    context = await to_thread.run_sync((tls_of(settings) or Tls()).context)
    try:
        async with _connection(case, target, context) as writer:
            certificate = _certificate(writer)
    except ssl.SSLCertVerificationError as error:
        return await _refused(case, target, error)
    except OSError as error:
        slow = isinstance(error, TimeoutError)
        reason = "it does not finish the handshake" if slow else _reason(error)
        return failed(f"TLS with {target.place} fails: {reason}.", _cut(target))
    return _trusted(case, target, certificate)


def _trusted(case: Case, target: Target, certificate: x509.Certificate) -> Finding:
    ends = certificate.not_valid_after_utc
    if ends - datetime.fromtimestamp(case.clock.time(), UTC) < _SOON:
        message = f"the certificate of {target.host} expires on {ends:%Y-%m-%d %H:%M} UTC"
        return warned(message, "Whoever runs that host has to renew it in time.")
    return passed(f"trusted, and good until {ends:%Y-%m-%d}; issued by {_name(certificate.issuer)}")


def _cut(target: Target) -> str:
    return (
        f"Check that {target.option} names a port that speaks TLS, and that no proxy or firewall "
        "cuts the connection. A server that wants a client certificate gets client_cert_file."
    )


async def _refused(case: Case, target: Target, error: ssl.SSLCertVerificationError) -> Finding:
    """Look at a certificate that is not trusted, to say what is wrong with it; nothing is sent."""
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    async with _connection(case, target, unchecked) as writer:
        certificate = _certificate(writer)
    if error.verify_code in {_EXPIRED, _NOT_YET}:
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        message = (
            f"The certificate of {target.host} is good from {first:%Y-%m-%d} to {last:%Y-%m-%d}."
        )
        fix = "Check this machine's clock. If it is right, whoever runs that host has to renew it."
        return failed(message, fix)
    if error.verify_code in _OTHER_NAMES:
        names = ", ".join(_names(certificate)) or "no host"
        message = f"The certificate is for {names}, and not for {target.host}."
        fix = (
            f"Check {target.option}: the host that answers is another one, or a proxy answers in "
            "its place."
        )
        return failed(message, fix)
    issuer = _name(certificate.issuer)
    message = f"The certificate of {target.host} is not trusted: it is issued by {issuer}."
    ca_file = case.resolved.settings.ca_file
    if ca_file is not None:
        return failed(
            message, f"ca_file is {ca_file}, and does not hold that issuer: add it there."
        )
    return failed(message, _CA)


def _certificate(writer: asyncio.StreamWriter) -> x509.Certificate:
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(shown)


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in found][:5]


def _name(name: x509.Name) -> str:
    for kind in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME):
        if found := name.get_attributes_for_oid(kind):
            return f"'{found[0].value!s}'"
    return "somebody without a name"


@asynccontextmanager
async def _connection(
    case: Case, target: Target, context: ssl.SSLContext | None
) -> AsyncIterator[asyncio.StreamWriter]:
    """Connect to the target as the pool would; with a context, shake hands too."""
    where, _ = _hop(case, target)
    own_tls = None
    if case.proxy is not None and where.scheme == "https":
        own_tls = await to_thread.run_sync(ssl.create_default_context)
    async with asyncio.timeout(_CONNECT_S):
        reader, writer = await asyncio.open_connection(where.host, where.port, ssl=own_tls)
    try:
        async with asyncio.timeout(_CONNECT_S):
            if case.proxy is not None and target.scheme == "https":
                await _tunnel(reader, writer, target, case.proxy_user)
            if context is not None:
                await writer.start_tls(context, server_hostname=target.host)
        yield writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target, user: str | None
) -> None:
    """Ask the proxy for a way through (RFC 9110 §9.3.6)."""
    lines = [f"CONNECT {target.place} HTTP/1.1", f"Host: {target.place}"]
    if user:
        proof = base64.b64encode(unquote(user).encode()).decode("ascii")
        lines.append(f"Proxy-Authorization: Basic {proof}")
    writer.write("\r\n".join([*lines, "", ""]).encode("ascii"))
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        head = b""
    status = head.split(maxsplit=2)[1:2]
    if status != [b"200"]:
        shown = status[0].decode("ascii", "replace") if status else "unknown"
        raise ConnectError(
            f"The proxy does not let this machine through to {target.place} (status {shown}).",
            hint="Check that it may be reached by the proxy, and, for status 407, that HTTPS_PROXY "
            "has user and password; or add the host to NO_PROXY.",
        )


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "handshake failed").lower().replace("_", " ")
    number = getattr(error, "errno", None)
    # Numbers of look-ups are negative, and asyncio writes a text of its own over the system's.
    if isinstance(number, int) and number > 0:
        return os.strerror(number).lower()
    return (getattr(error, "strerror", None) or "no address of it answers").lower()

"""Audiences, the old claim, the app's certificate, and the one other audience that may be tried."""

from __future__ import annotations

import datetime as dt
import email.utils
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import RSAKey

from sfconnect.auth.base import AuthContext
from sfconnect.auth.signing import LocalSigner
from sfconnect.errors import (
    AppAccessDenied,
    AuthConfigurationError,
    AuthError,
    ConfigurationError,
)
from sfconnect.messages import Request, Response
from sfconnect.salesforce.auth import JwtBearer
from sfconnect.testing import FakeClock, ScriptedSender, answer
from sfconnect.testing.senders import text_of

ACME = "https://acme.my.salesforce.com"
LOGIN = "https://login.salesforce.com"
TEST = "https://test.salesforce.com"
NOW = 1_800_000_000.0
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
JWT = JwtBearer(ACME, "3MVG9app", "ada@example.com", private_key=PEM)
TRYING = replace(JWT, try_other_audience=True)
TOKEN = answer({"access_token": "00Dxx!abc", "instance_url": ACME})


def refusal(description: str, error: str = "invalid_grant", drift_s: float = 0.0) -> Response:
    body = {"error": error, "error_description": description}
    date = email.utils.formatdate(NOW + drift_s, usegmt=True)
    return answer(body, status=400, headers={"Date": date})


WRONG_AUDIENCE = refusal("audience is invalid")


def certificate(
    key: rsa.RSAPrivateKey = KEY, *, begins_s: float = -3600.0, ends_s: float = 3600.0
) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(dt.datetime.fromtimestamp(NOW + begins_s, dt.UTC))
    builder = builder.not_valid_after(dt.datetime.fromtimestamp(NOW + ends_s, dt.UTC))
    made = builder.public_key(key.public_key()).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode()


def context(sender: ScriptedSender) -> AuthContext:
    async def no_child(strategy):
        raise AssertionError(strategy)

    log = structlog.get_logger()
    return AuthContext(send=sender, child=no_child, log=log, clock=FakeClock(wall=NOW))


def claims_of(request: Request) -> dict[str, Any]:
    assertion = dict(parse_qsl(text_of(request)))["assertion"]
    return dict(jwt.decode(assertion, RSAKey.import_key(PEM), algorithms=["RS256"]).claims)


def audiences(sender: ScriptedSender) -> list[str]:
    return [claims_of(request)["aud"] for request in sender.requests]


async def failure(strategy: JwtBearer, sender: ScriptedSender) -> AuthError:
    with pytest.raises(AuthError) as caught:
        await strategy.authenticate(context(sender))
    return caught.value


@pytest.mark.parametrize(
    ("login_url", "token_url", "audience"),
    [
        (LOGIN, LOGIN, LOGIN),
        ("acme.my.salesforce.com", ACME, LOGIN),
        ("acme-dev-ed.develop.my.salesforce.com",) * 2 + (LOGIN,),
        (TEST, TEST, TEST),
        ("acme--uat.sandbox.my.salesforce.com",) * 2 + (TEST,),
        ("acme-dev.scratch.my.salesforce.com",) * 2 + (TEST,),
        ("acme.my.salesforce.mil", "https://acme.my.salesforce.mil", LOGIN),
        ("acme--uat.sandbox.my.salesforce.mil",) * 2 + (TEST,),
        ("acme.my.site.com/portal/s", "acme.my.site.com/portal/s", "acme.my.site.com/portal/s"),
        ("acme--uat.sandbox.my.site.com/portal",) * 3,
        ("acme.secure.force.com/portal",) * 3,
        ("members.acme.example/portal",) * 3,
    ],
    ids=[
        "production",
        "My Domain",
        "developer edition",
        "sandbox",
        "sandbox's My Domain",
        "scratch org",
        "GovCloud",
        "GovCloud sandbox",
        "Experience Cloud",
        "Experience Cloud of a sandbox",
        "older site",
        "site on its own domain",
    ],
)
async def test_each_kind_of_org_has_its_audience(login_url, token_url, audience):
    sender = ScriptedSender(answer({"access_token": "t", "instance_url": ACME}))

    await replace(JWT, login_url=login_url).authenticate(context(sender))

    whole = (f"https://{one.removeprefix('https://')}" for one in (token_url, audience))
    assert [sender.last.path, *audiences(sender)] == [
        f"{next(whole)}/services/oauth2/token",
        next(whole),
    ]


async def test_a_given_audience_is_the_one_that_counts():
    sender = ScriptedSender(TOKEN)

    await replace(JWT, audience="https://gs1.salesforce.com").authenticate(context(sender))

    assert audiences(sender) == ["https://gs1.salesforce.com"]


@pytest.mark.parametrize(("claim", "other"), [("sub", "prn"), ("prn", "sub")])
async def test_one_claim_names_the_user(claim, other):
    sender = ScriptedSender(TOKEN)

    await replace(JWT, user_claim=claim).authenticate(context(sender))

    claims = claims_of(sender.last)
    assert claims[claim] == "ada@example.com"
    assert other not in claims


@pytest.mark.parametrize(
    "options",
    [{"user_claim": "user"}, {"certificate": "x", "certificate_file": "server.crt"}],
    ids=["claim", "two certificates"],
)
def test_options_that_cannot_be_meant_are_refused(options: Any):
    with pytest.raises(ConfigurationError):
        replace(JWT, **options)


async def test_a_refused_audience_is_not_tried_again_unless_it_was_asked_for():
    sender = ScriptedSender(WRONG_AUDIENCE)

    error = await failure(JWT, sender)

    assert audiences(sender) == [LOGIN]
    assert f"was for {LOGIN}; set audience={TEST}" in str(error)


@pytest.mark.parametrize(("login_url", "both"), [(LOGIN, [LOGIN, TEST]), (TEST, [TEST, LOGIN])])
async def test_the_other_audience_is_tried_once(login_url, both):
    sender = ScriptedSender(WRONG_AUDIENCE, TOKEN)

    with structlog.testing.capture_logs() as logs:
        await replace(TRYING, login_url=login_url).authenticate(context(sender))

    assert audiences(sender) == both
    assert logs == [{"event": "auth.other_audience", "audience": both[1], "log_level": "warning"}]


async def test_two_refused_audiences_are_told_as_one_error():
    sender = ScriptedSender(WRONG_AUDIENCE, WRONG_AUDIENCE)

    error = await failure(TRYING, sender)

    assert audiences(sender) == [LOGIN, TEST]
    assert type(error) is AuthConfigurationError
    assert f"audience {LOGIN}" in error.message
    assert "refused as well" in str(error)


async def test_another_refusal_of_the_other_audience_is_the_one_that_counts():
    sender = ScriptedSender(WRONG_AUDIENCE, refusal("user hasn't approved this consumer"))

    error = await failure(TRYING, sender)

    assert type(error) is AppAccessDenied
    assert TEST in error.message


@pytest.mark.parametrize("description", ["user hasn't approved this consumer", "invalid assertion"])
async def test_other_refusals_try_no_other_audience(description):
    sender = ScriptedSender(refusal(description))

    await failure(TRYING, sender)

    assert audiences(sender) == [LOGIN]


async def test_the_audience_of_a_site_has_no_other():
    sender = ScriptedSender(WRONG_AUDIENCE)

    await failure(replace(TRYING, login_url="acme.my.site.com"), sender)

    assert audiences(sender) == ["https://acme.my.site.com"]


async def test_a_wrong_clock_and_a_wrong_audience_are_four_requests_at_most():
    late = refusal("assertion expired", drift_s=600.0)
    sender = ScriptedSender(late, WRONG_AUDIENCE, late, late)

    await failure(TRYING, sender)

    assert audiences(sender) == [LOGIN, LOGIN, TEST, TEST]


@pytest.mark.parametrize("key", [{"private_key": PEM}, {"signer": LocalSigner(KEY)}])
@pytest.mark.parametrize("as_file", [True, False])
async def test_a_key_of_the_certificate_logs_in(tmp_path, key, as_file):
    path = tmp_path / "server.crt"
    path.write_text(certificate())
    given = {"certificate_file": path} if as_file else {"certificate": certificate()}
    sender = ScriptedSender(TOKEN)

    await JwtBearer(ACME, "app", "ada@example.com", **key, **given).authenticate(context(sender))

    assert len(sender.requests) == 1


async def test_a_key_of_another_certificate_is_told_before_anything_is_sent():
    other = rsa.generate_private_key(65537, 2048)
    sender = ScriptedSender()

    error = await failure(replace(JWT, certificate=certificate(other)), sender)

    assert type(error) is AuthConfigurationError
    assert error.hopeless
    assert error.docs_key == "key-not-of-certificate"
    assert sender.requests == []


@pytest.mark.parametrize(
    ("times", "problem"),
    [
        ({"ends_s": -60.0}, "has expired on 2027-01-15 07:59 UTC"),
        ({"begins_s": 60.0}, "is not valid before 2027-01-15 08:01 UTC"),
    ],
)
async def test_a_certificate_out_of_its_time_is_warned_of_and_tried(times, problem):
    strategy = replace(JWT, certificate=certificate(**times))

    with structlog.testing.capture_logs() as logs:
        await strategy.authenticate(context(ScriptedSender(TOKEN)))

    (log,) = logs
    assert log["event"] == "auth.certificate_out_of_date"
    assert log["problem"] == problem
    assert log["sha256"].count(":") == 31


async def test_a_certificate_in_its_time_is_no_matter_to_log():
    with structlog.testing.capture_logs() as logs:
        await replace(JWT, certificate=certificate()).authenticate(context(ScriptedSender(TOKEN)))

    assert logs == []

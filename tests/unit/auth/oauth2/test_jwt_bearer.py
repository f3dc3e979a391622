"""The JWT bearer grant: the assertion's claims, its company, and what a refusal means."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import RSAKey

from sfconnect.auth.base import AuthContext
from sfconnect.auth.oauth2 import OAuth2JwtBearer
from sfconnect.auth.signing import LocalSigner
from sfconnect.errors import ConfigurationError, InvalidCredentialsError
from sfconnect.messages import Request
from sfconnect.testing import FakeClock, ScriptedSender, answer
from tests.unit.auth.oauth2.people import form_of

URL = "https://oauth2.example.com/token"
ACCOUNT = "robot@project.iam.example.com"
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
TOKEN = answer({"access_token": "t", "expires_in": 3599})
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
NOW = 1_700_000_000


def login(**options: Any) -> OAuth2JwtBearer:
    given = {"token_url": URL, "client_id": ACCOUNT, "private_key": PEM, **options}
    return OAuth2JwtBearer(**given)


def context_of(*script: Any) -> tuple[AuthContext, ScriptedSender]:
    async def no_child(strategy):
        raise AssertionError(strategy)

    sender = ScriptedSender(*script)
    clock = FakeClock(wall=NOW + 0.9)
    return (
        AuthContext(send=sender, child=no_child, log=structlog.get_logger(), clock=clock),
        sender,
    )


async def sent_by(strategy: OAuth2JwtBearer) -> tuple[dict[str, str], Any]:
    """The form without the assertion, and the assertion after its signature was proven."""
    context, sender = context_of(TOKEN)
    await strategy.authenticate(context)
    form = form_of(sender.last)
    key = RSAKey.import_key(PEM)
    return form, jwt.decode(form.pop("assertion"), key, algorithms=["RS256"])


async def test_a_service_account_sends_the_assertion_alone():
    form, token = await sent_by(login(scope="a b", scope_in="claim", key_id="k1"))

    assert form == {"grant_type": GRANT}
    assert token.header == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert token.claims.pop("jti")
    assert token.claims == {
        "iss": ACCOUNT,
        "aud": URL,
        "iat": NOW,
        "exp": NOW + 300,
        "scope": "a b",
    }


async def test_scopes_may_go_beside_the_assertion():
    form, token = await sent_by(login(scope="a b"))

    assert form == {"grant_type": GRANT, "scope": "a b"}
    assert "scope" not in token.claims


async def test_every_claim_can_be_given():
    form, token = await sent_by(
        login(
            subject="ada@example.com",
            assertion_issuer="issuer-1",
            audience="https://login.example.com",
            assertion_lifetime_s=60,
            claims={"tenant": 7, "roles": ["a"]},
            private_key=None,
            signer=LocalSigner(KEY, key_id="k9"),
        )
    )

    assert form == {"grant_type": GRANT}
    assert token.header["kid"] == "k9"
    assert token.claims.pop("jti")
    assert token.claims == {
        "iss": "issuer-1",
        "sub": "ada@example.com",
        "aud": "https://login.example.com",
        "iat": NOW,
        "exp": NOW + 60,
        "tenant": 7,
        "roles": ["a"],
    }


async def test_claims_may_be_written_in_a_variable():
    _, token = await sent_by(login(claims=("tenant=acme", "x=a=b")))

    assert (token.claims["tenant"], token.claims["x"]) == ("acme", "a=b")


async def test_an_app_may_have_a_proof_of_its_own_beside_the_grant():
    form, _ = await sent_by(login(client_secret="s3cr3t", client_auth="body"))
    named, _ = await sent_by(login(client_auth="none"))
    doubly, _ = await sent_by(login(client_auth="private_key_jwt"))

    assert form == {"grant_type": GRANT, "client_id": ACCOUNT, "client_secret": "s3cr3t"}
    assert named == {"grant_type": GRANT, "client_id": ACCOUNT}
    proof = jwt.decode(
        doubly["client_assertion"], RSAKey.import_key(PEM), algorithms=["RS256"]
    ).claims
    assert proof["iss"] == proof["sub"] == ACCOUNT


async def test_a_refusal_names_what_to_compare_and_not_the_assertion():
    sent: list[str] = []

    async def refuse(request: Request) -> Any:
        sent.append(form_of(request)["assertion"])
        headers = {"Date": "Tue, 14 Nov 2023 22:15:20 GMT"}
        body = {"error": "invalid_grant", "error_description": f"bad {sent[0]}"}
        return answer(body, status=400, headers=headers)

    context, _ = context_of()
    context = AuthContext(send=refuse, child=context.child, log=context.log, clock=context.clock)

    with pytest.raises(InvalidCredentialsError, match=r"differs by 119 s") as caught:
        await login(subject="ada@example.com").authenticate(context)

    assert URL in str(caught.value)
    assert sent[0] not in str(caught.value)
    assert sent[0].rpartition(".")[2] not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"private_key": None}, "oauth2-jwt-bearer needs exactly one of private_key"),
        ({"private_key_file": "k"}, "exactly one of private_key"),
        ({"assertion_lifetime_s": 0}, "assertion_lifetime_s must be from 1 to 3600, not 0"),
        ({"assertion_lifetime_s": 3601}, "must be from 1 to 3600"),
        ({"scope_in": "header"}, "scope_in must be 'parameter' or 'claim', not 'header'"),
        ({"claims": {"exp": 9}}, "claims must not hold exp"),
        ({"claims": ("tenant",)}, "claims must be a list of name=value"),
        ({"claims": ("=x",)}, "claims must be a list of name=value"),
        ({"client_auth": "none", "client_secret": "s"}, "client_secret is not used"),
        ({"token_url": None}, "neither token_url nor issuer"),
    ],
)
def test_options_that_cannot_work_are_refused_at_once(options, problem):
    with pytest.raises(ConfigurationError, match=problem):
        login(**options)

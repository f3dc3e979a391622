from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from sfconnect import AccessToken, Call, Request, Response, Salesforce
from sfconnect.errors import AccessDeniedError, ConfigurationError, PoolError, ResponseError
from sfconnect.messages import StreamedResponse
from sfconnect.salesforce.service import DEFAULT_API_VERSION
from tests.unit.salesforce.canned import page, response

TOKEN = "00D000000000001!canary"
ORG = "https://acme.my.salesforce.com"
AUTH = AccessToken(instance_url=ORG, access_token=TOKEN)


class CannedTransport:
    """Answers every request with the next answer, at the door where the socket would be."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.closed = False

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answers.pop(0)

    def stream(self, request: Request) -> AbstractAsyncContextManager[StreamedResponse]:
        raise AssertionError(f"nothing streams here: {request}")

    async def aclose(self) -> None:
        self.closed = True


def connect(*answers: Response, **options: Any) -> tuple[Salesforce, CannedTransport]:
    transport = CannedTransport(*answers)
    return Salesforce.connect(AUTH, transport=transport, **options), transport


async def test_requests_go_to_the_org_with_its_token_and_the_clients_name() -> None:
    made, transport = connect(response({"Id": "1"}))

    async with made as sf:
        await sf.sobject("Account").retrieve("001000000000001AAA")

    (request,) = transport.requests
    assert request.path == f"{ORG}/services/data/v68.0/sobjects/Account/001000000000001AAA"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Sforce-Call-Options"] == "client=sfconnect"
    assert not transport.closed


def test_the_default_version_is_pinned_in_one_place() -> None:
    sf, _ = connect()

    assert sf.api_version == DEFAULT_API_VERSION == "68.0"


@pytest.mark.parametrize("version", ["59.0", "59", "v59.0"])
async def test_the_version_can_be_chosen_for_a_connection(version: str) -> None:
    made, transport = connect(response({}), api_version=version)

    async with made as sf:
        await sf.limits()
        assert sf.api_version == "59.0"

    assert transport.requests[0].path == f"{ORG}/services/data/v59.0/limits"


@pytest.mark.parametrize("version", ["latest", "59.1", "6", "40.0", "../x"])
async def test_a_version_that_cannot_be_is_refused_when_connecting(version: str) -> None:
    made, transport = connect(api_version=version)

    with pytest.raises(ConfigurationError, match="version"):
        await made.open()

    assert not transport.requests


async def test_a_base_url_is_refused_since_the_login_gives_it() -> None:
    made, _ = connect(base_url=ORG)

    with pytest.raises(ConfigurationError, match="base_url has no meaning"):
        await made.open()


async def test_the_resources_of_an_org_have_their_paths() -> None:
    made, transport = connect(
        response({}), response([]), response({"sobjects": []}), page([]), page([])
    )

    async with made as sf:
        await sf.limits()
        await sf.versions()
        await sf.describe_global()
        await sf.query("SELECT Id FROM Account").all()
        await sf.query_all("SELECT Id FROM Account").all()

    base = f"{ORG}/services/data"
    assert [request.path for request in transport.requests] == [
        f"{base}/v68.0/limits",
        f"{base}/",
        f"{base}/v68.0/sobjects",
        f"{base}/v68.0/query?q=SELECT%20Id%20FROM%20Account",
        f"{base}/v68.0/queryAll?q=SELECT%20Id%20FROM%20Account",
    ]


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("limits", "/services/data/v68.0/limits"),
        ("/services/data/v60.0/limits", "/services/data/v60.0/limits"),
        (f"{ORG}/services/apexrest/x", "/services/apexrest/x"),
    ],
)
async def test_any_resource_can_be_requested(path: str, sent: str) -> None:
    made, transport = connect(response({"a": 1}))

    async with made as sf:
        call = sf.request("get", path)
        assert isinstance(call, Call)
        assert await call == {"a": 1}

    assert transport.requests[0].path == ORG + sent
    assert transport.requests[0].method == "GET"


async def test_an_empty_answer_of_any_resource_is_none() -> None:
    made, _ = connect(response(status=204))

    async with made as sf:
        assert await sf.request("DELETE", "/services/data/v68.0/sobjects/Account/1") is None


async def test_a_call_made_before_the_connection_is_open_can_be_sent_after() -> None:
    made, _ = connect(response({"Id": "1"}))
    call = made.sobject("Account").retrieve("1")

    with pytest.raises(PoolError, match="not open"):
        await call
    async with made:
        assert await call == {"Id": "1"}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder and an environment that configure nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SFCONNECT_CONFIG", str(tmp_path / "none.toml"))
    monkeypatch.delenv("SFCONNECT_PROFILE", raising=False)
    monkeypatch.delenv("SFCONNECT_AUTH", raising=False)
    return tmp_path


async def url_asked_by(sf: Salesforce, transport: CannedTransport) -> str:
    async with sf:
        await sf.limits()
    return transport.requests[0].path


async def test_a_strategy_by_name_takes_its_options_from_the_environment(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "none.toml").write_text("")
    monkeypatch.setenv("SFCONNECT_INSTANCE_URL", ORG)
    monkeypatch.setenv("SFCONNECT_ACCESS_TOKEN", TOKEN)
    transport = CannedTransport(response({}))

    url = await url_asked_by(Salesforce.connect("access-token", transport=transport), transport)

    assert url.startswith(ORG)


async def test_a_profile_says_everything(elsewhere: Path) -> None:
    (elsewhere / "none.toml").write_text(
        f'[profiles.prod]\nauth = "access-token"\ninstance_url = "{ORG}"\n'
        f'access_token = "{TOKEN}"\napi_version = "60.0"\n'
    )
    (elsewhere / "none.toml").chmod(0o600)
    transport = CannedTransport(response({}))

    url = await url_asked_by(Salesforce.connect(profile="prod", transport=transport), transport)

    assert url == f"{ORG}/services/data/v60.0/limits"


async def test_the_environment_names_the_profile_where_nothing_else_does(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "none.toml").write_text(
        f'[profiles.prod]\nauth = "access-token"\ninstance_url = "{ORG}"\n'
    )
    monkeypatch.setenv("SFCONNECT_PROFILE", "prod")
    monkeypatch.setenv("SFCONNECT_ACCESS_TOKEN", TOKEN)
    transport = CannedTransport(response({}))

    assert (await url_asked_by(Salesforce.connect(transport=transport), transport)).startswith(ORG)


async def test_nothing_configured_says_the_ways_to_configure(elsewhere: Path) -> None:
    (elsewhere / "none.toml").write_text("")

    with pytest.raises(ConfigurationError, match="SFCONNECT_AUTH"):
        await Salesforce.connect().open()


async def test_an_unknown_option_is_refused_with_the_nearest_name(elsewhere: Path) -> None:
    (elsewhere / "none.toml").write_text("")

    with pytest.raises(ConfigurationError, match="instance_url"):
        await Salesforce.connect("access-token", instanc_url=ORG, access_token=TOKEN).open()


CLAIMS = {
    "user_id": "005000000000001AAA",
    "organization_id": "00D000000000001EAA",
    "preferred_username": "ada@example.com.uat",
    "name": "Ada",
    "user_type": "STANDARD",
    "active": True,
}
NO_PROFILE = response([{"errorCode": "INVALID_FIELD", "message": "No such column"}], status=400)


def user_row(**more: object) -> Response:
    return page([{"Username": "ada@example.com", "Name": "Ada L", "UserType": "Standard", **more}])


async def test_whoami_puts_user_profile_and_org_together() -> None:
    profile = {"Name": "Minimum Access", "UserLicense": {"Name": "Salesforce Integration"}}
    organization = {"Name": "Acme", "OrganizationType": "Unlimited Edition", "IsSandbox": True}
    made, transport = connect(
        response(CLAIMS), user_row(Profile=profile), page([organization]), api_version="62.0"
    )

    async with made as sf:
        who = await sf.whoami()

    assert (who.username, who.name, who.user_type) == ("ada@example.com", "Ada L", "Standard")
    assert (who.profile, who.user_license) == ("Minimum Access", "Salesforce Integration")
    assert (who.org_name, who.org_type, who.is_sandbox) == ("Acme", "Unlimited Edition", True)
    assert (who.instance_url, who.api_version) == (ORG, "62.0")
    paths = [request.path.removeprefix(ORG).partition("?")[0] for request in transport.requests]
    assert paths == ["/services/oauth2/userinfo", *["/services/data/v62.0/query"] * 2]


async def test_whoami_of_a_user_who_may_not_read_profiles_lacks_them() -> None:
    made, _ = connect(response(CLAIMS), NO_PROFILE, user_row(), NO_PROFILE)

    async with made as sf:
        who = await sf.whoami()

    assert (who.username, who.profile, who.org_name) == ("ada@example.com", None, None)
    assert who.org_id == CLAIMS["organization_id"]


async def test_whoami_of_a_user_who_may_read_no_user_is_what_the_login_server_tells() -> None:
    made, _ = connect(response(CLAIMS), page([]), page([]))

    async with made as sf:
        who = await sf.whoami()

    assert (who.username, who.name, who.user_type) == ("ada@example.com.uat", "Ada", "STANDARD")


async def test_whoami_without_the_right_to_call_the_api_is_one_error() -> None:
    refusal = "This session is not valid for use with the REST API"
    body = [{"errorCode": "INVALID_SESSION_ID", "message": refusal}]
    made, _ = connect(response(CLAIMS), response(body, status=401))

    async with made as sf:
        with pytest.raises(AccessDeniedError) as caught:
            await sf.whoami()

    assert "scope 'api'" in str(caught.value.hint)


async def test_a_token_that_may_not_read_its_identity_names_the_scope() -> None:
    made, _ = connect(response(b"Missing_Scope", status=403, content_type="text/plain"))

    async with made as sf:
        with pytest.raises(AccessDeniedError) as caught:
            await sf.identity()

    assert "identity URL service (id)" in str(caught.value.hint)


@pytest.mark.parametrize("claims", [{}, {"user_id": "005"}, {"user_id": 5, "organization_id": ""}])
async def test_an_identity_without_a_user_or_an_org_is_none(claims: dict[str, object]) -> None:
    made, _ = connect(response(claims))

    async with made as sf:
        with pytest.raises(ResponseError):
            await sf.identity()

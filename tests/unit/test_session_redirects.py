"""A session's redirects: reads follow them on their own host, nothing else does."""

from __future__ import annotations

import pytest

from sfconnect.errors import ApiError, HostNotAllowedError
from sfconnect.messages import Request, Response
from tests.unit.small_api import BASE, GET, answer


async def test_a_read_follows_redirects_on_its_own_host(world, scripted):
    made = world(
        scripted(
            answer(302, Location="/other/place?x=1"),
            answer(307, Location="next"),
            answer(301, Location=BASE + "/end"),
            answer(),
        )
    )

    response = await made.session.execute(Request("GET", "/rows", params={"a": 1}))

    assert response.status == 200
    assert made.transport.paths == ["/rows?a=1", "/other/place?x=1", "/other/next", "/end"]


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/a b/é", "/a%20b/%C3%A9"),
        ("/a%20b", "/a%20b"),
        ("/x#part", "/x"),
        ("?page=2", "/rows?page=2"),
        ("https://ORG.example.com:443/x", "https://ORG.example.com:443/x"),
    ],
)
async def test_a_location_is_brought_into_form(world, scripted, location, path):
    made = world(scripted(answer(302, Location=location), answer()))

    await made.session.execute(GET)

    assert made.transport.paths[1] == path


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/?q=canary",
        "//evil.example/x",
        "http://org.example.com/x",
        "https://user:canary@org.example.com/",
    ],
)
async def test_no_redirect_takes_the_token_to_another_host(world, scripted, location):
    made = world(scripted(answer(302, Location=location), answer()))

    with pytest.raises((HostNotAllowedError, ApiError)) as caught:
        await made.session.execute(GET)

    assert "canary" not in str(caught.value)
    assert {request.path.split("/")[2] for request in made.transport.requests} == {
        "org.example.com"
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirected_write_is_an_error_that_says_so(world, scripted, method, status):
    made = world(scripted(answer(status, Location="/elsewhere"), answer()))

    with pytest.raises(ApiError, match="writes never") as caught:
        await made.session.execute(Request(method, "/rows", content=b"{}"))

    assert caught.value.status == status
    assert caught.value.retry_safe is False
    assert len(made.transport.requests) == 1


async def test_redirects_in_a_circle_end(world, scripted):
    made = world(scripted(*[answer(302, Location="/rows")] * 10))

    with pytest.raises(ApiError, match="five times"):
        await made.session.execute(GET)

    assert len(made.transport.requests) == 6


@pytest.mark.parametrize("headers", [{}, {"Location": "https://[broken"}])
async def test_a_redirect_to_nowhere_is_an_error(world, scripted, headers):
    made = world(scripted(Response(302, headers, b"")))

    with pytest.raises(ApiError) as caught:
        await made.session.execute(GET)

    assert caught.value.status == 302


@pytest.mark.parametrize("status", [300, 304])
async def test_other_answers_of_the_third_class_are_the_services_to_read(world, scripted, status):
    made = world(scripted(answer(status, Location="/x")))

    with pytest.raises(ApiError) as caught:
        await made.session.execute(GET)

    assert (caught.value.status, caught.value.hint) == (status, None)


async def test_a_token_that_died_is_replaced_before_a_redirect_is_followed(world, scripted):
    made = world(scripted(401, answer(302, Location="/end"), answer()))

    await made.session.execute(GET)

    assert made.transport.tokens == ["token-1", "token-2", "token-2"]

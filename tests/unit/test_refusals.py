"""What a refusal means: a dead token or not, and the error that the caller gets."""

from __future__ import annotations

import pytest

from sfconnect._types import Secret
from sfconnect.auth.base import Credentials
from sfconnect.errors import AccessDeniedError, ApiError, QuotaExceededError, SfConnectError
from sfconnect.messages import Request, Response
from sfconnect.refusals import SPENT_BODY_HINT, Refusals
from sfconnect.service import HttpService
from sfconnect.testing import FakeClock

CREDENTIALS = Credentials(Secret("t"), "https://api.example.com")
REQUEST = Request("GET", "/x")
DEAD = Response(401, {}, b"")


class Explaining(HttpService):
    """Knows why some answers are 401 although the token lives."""

    def explain_refusal(
        self, request: Request, response: Response, credentials: Credentials
    ) -> SfConnectError | None:
        return AccessDeniedError("Not for opaque tokens.") if response.content else None


class Counting(HttpService):
    """Says of every refusal that the day's calls are spent."""

    def decode_error(self, request: Request, response: Response) -> ApiError:
        error = QuotaExceededError("The day's calls are spent.")
        error.window_s = 60.0 if response.content else None
        return error


def test_another_login_may_help_where_the_token_is_dead():
    refusals = Refusals(HttpService("https://api.example.com"), FakeClock())

    assert refusals.new_login_may_help(REQUEST, DEAD, CREDENTIALS)
    assert not refusals.new_login_may_help(REQUEST, Response(403, {}, b""), CREDENTIALS)


def test_no_login_helps_where_the_service_knows_another_reason():
    refusals = Refusals(Explaining("https://api.example.com"), FakeClock())
    explained = Response(401, {}, b"opaque")

    assert refusals.new_login_may_help(REQUEST, DEAD, CREDENTIALS)
    assert not refusals.new_login_may_help(REQUEST, explained, CREDENTIALS)
    error = refusals.error(REQUEST, explained, CREDENTIALS, SPENT_BODY_HINT)
    assert str(error).startswith("Not for opaque tokens.")


def test_a_hint_of_the_caller_goes_before_the_services():
    refusals = Refusals(HttpService("https://api.example.com"), FakeClock())

    assert refusals.error(REQUEST, DEAD, CREDENTIALS, SPENT_BODY_HINT).hint == SPENT_BODY_HINT
    assert refusals.error(REQUEST, DEAD, CREDENTIALS).hint != SPENT_BODY_HINT


def test_a_redirect_that_stands_is_told_with_the_rule():
    refusals = Refusals(HttpService("https://api.example.com"), FakeClock())

    hint = refusals.error(REQUEST, Response(302, {}, b""), CREDENTIALS).hint

    assert hint is not None
    assert "writes never" in hint


@pytest.mark.parametrize(("content", "resets_in_s"), [(b"x", 60.0), (b"", None)])
def test_a_spent_quota_tells_when_it_is_full_again(content, resets_in_s):
    clock = FakeClock()
    refusals = Refusals(Counting("https://api.example.com"), clock)

    error = refusals.error(REQUEST, Response(403, {}, content), CREDENTIALS)

    assert isinstance(error, QuotaExceededError)
    assert error.resets_at == (None if resets_in_s is None else clock.time() + resets_in_s)

"""Errors: what they say, what facts they carry, and that they survive a pickle."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest

from sfconnect import errors
from sfconnect.errors import (
    ApiError,
    AuthError,
    ConnectError,
    ConnectionLostError,
    LoginRateLimited,
    OutcomeUnknownError,
    PoolError,
    QueryError,
    RequestTimeoutError,
    ResponseError,
    SfConnectError,
    ThrottledError,
    TransientAuthError,
)
from sfconnect.messages import Replay, Request, Timeout

EVERY = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, SfConnectError)
]

FACTS: dict[str, Any] = {
    "code": "SOME_CODE",
    "hint": "Do this.",
    "request_id": "req-1",
    "status": 503,
    "retry_safe": None,
    "retry_after": 2.5,
    "docs_key": "some-key",
    "fields": ("Name", "Ext__c"),
    "details": (("A", "one"), ("B", "two")),
    "line": 3,
    "column": 7,
    "matches": ("/a", "/b"),
    # Its values stay out of a pickle: see the errors of lost answers.
    "request": Request("POST", "/x", replay=Replay.UNSAFE, timeout=Timeout(1)).without_values(),
}


def parameters(cls: type) -> set[str]:
    """The keyword arguments that this class and those above it take."""
    found: set[str] = set()
    for base in cls.__mro__:
        if "__init__" in vars(base) and issubclass(base, SfConnectError):
            found |= set(inspect.signature(base).parameters)
    return found


def with_every_fact(cls: type[SfConnectError]) -> SfConnectError:
    taken = parameters(cls)
    return cls("It failed.", **{name: FACTS[name] for name in FACTS if name in taken})


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_comes_back_from_a_pickle_with_all_its_facts(cls, protocol):
    error = with_every_fact(cls)
    error.add_note("on page 2")
    given = {name for name in FACTS if name in parameters(cls)}

    twin = pickle.loads(pickle.dumps(error, protocol))

    assert type(twin) is cls
    assert {name: getattr(twin, name) for name in given} == {name: FACTS[name] for name in given}
    assert vars(twin) == vars(error)
    assert (str(twin), repr(twin), twin.args) == (str(error), repr(error), error.args)
    assert twin.request_sent == error.request_sent
    assert twin.throttled == error.throttled


def test_facts_that_were_changed_on_the_way_are_kept_by_a_copy():
    error: SfConnectError = ConnectError("No.")
    error.retry_after = 4.0
    error.request_sent = None

    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (twin.retry_after, twin.request_sent) == (4.0, None)


def test_a_subclass_of_somebody_else_survives_a_pickle():
    twin = pickle.loads(pickle.dumps(TheirError("x", quota=5)))

    assert (twin.message, twin.quota, type(twin)) == ("x", 5, TheirError)


class TheirError(ApiError):
    """An error of a third party, with an argument of its own."""

    def __init__(self, message: str, *, quota: int) -> None:
        super().__init__(message, status=400)
        self.quota = quota


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({}, "It failed."),
        ({"code": "BUSY"}, "BUSY: It failed."),
        ({"hint": "Wait."}, "It failed. Hint: Wait."),
        ({"request_id": "r1"}, "It failed. (request id r1)"),
        ({"status": 503}, "It failed."),
        (
            {"code": "BUSY", "hint": "Wait.", "request_id": "r1"},
            "BUSY: It failed. Hint: Wait. (request id r1)",
        ),
    ],
    ids=["plain", "code", "hint", "request id", "status", "all"],
)
def test_the_text_of_an_error_is_one_line_with_what_helps(facts, text):
    assert str(SfConnectError("It failed.", **facts)) == text


def test_a_code_that_the_message_names_is_not_said_twice():
    assert str(ApiError("BUSY now.", code="BUSY")) == "BUSY now."


@pytest.mark.parametrize(
    ("cls", "request_sent", "retry_safe", "throttled"),
    [
        (SfConnectError, False, False, False),
        (PoolError, False, False, False),
        (ConnectError, False, True, False),
        (ConnectionLostError, True, None, False),
        (RequestTimeoutError, True, None, False),
        (ResponseError, True, None, False),
        (AuthError, False, False, False),
        (TransientAuthError, False, True, False),
        (LoginRateLimited, False, False, True),
        (ApiError, True, False, False),
        (ThrottledError, True, False, True),
        (OutcomeUnknownError, True, None, False),
    ],
)
def test_each_class_brings_the_facts_that_its_name_promises(
    cls, request_sent, retry_safe, throttled
):
    error = cls("It failed.")

    assert (error.request_sent, error.retry_safe, error.throttled) == (
        request_sent,
        retry_safe,
        throttled,
    )


def test_the_facts_of_one_error_are_not_those_of_its_class():
    error = ThrottledError("Busy.", retry_safe=True, retry_after=3)

    assert (error.retry_safe, error.retry_after) == (True, 3)
    assert (ThrottledError.retry_safe, ThrottledError.retry_after) == (False, None)


def test_lists_in_errors_cannot_be_changed_afterwards():
    fields = ["Name"]
    error = QueryError("No.", fields=fields, line=1, column=2)

    fields.append("Other")

    assert error.fields == ("Name",)


def test_an_unknown_outcome_shows_neither_body_nor_parameters():
    request = Request("POST", "/x", params={"q": "canary"}, content=b"canary")
    error = OutcomeUnknownError("Perhaps.", request=request)

    assert "canary" not in f"{error} {error!r} {error.args} {error.request!r}"
    assert error.request is request

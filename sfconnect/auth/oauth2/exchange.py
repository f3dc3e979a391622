"""Send a token request and read its answer: the few lines with I/O that all grants share."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from sfconnect.auth.oauth2.refusals import LoginFacts, explain
from sfconnect.auth.oauth2.wire import AnswerMembers, Refusal, TokenAnswer, read_answer, server_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sfconnect.auth.base import AuthContext
    from sfconnect.auth.oauth2.refusals import Rule
    from sfconnect.clock import Clock
    from sfconnect.messages import Request, Response

_DEAD_TOKEN = frozenset({"invalid_token", "unsupported_token_type"})


async def exchange(
    context: AuthContext,
    request: Request,
    facts: LoginFacts,
    rules: Iterable[Rule] = (),
    names: AnswerMembers | None = None,
) -> TokenAnswer:
    """Send a token request; ``names`` say where the answer keeps what, if not as the standard.

    Raises:
        AuthError: The server refused; the first of the rules that matches says why.
        TransportError: No usable answer came.
    """
    response = await context.send(request)
    answer = read_answer(response, names or AnswerMembers())
    drift_s = clock_drift(response, context.clock)
    if isinstance(answer, Refusal):
        raise explain(answer, replace(facts, drift_s=drift_s), rules)
    return replace(answer, drift_s=drift_s)


def clock_drift(response: Response, clock: Clock) -> float | None:
    """How far the server's clock is ahead of ours, in seconds; None if it did not tell."""
    server = server_time(response)
    return None if server is None else server - clock.time()


async def revoke(
    context: AuthContext, request: Request, facts: LoginFacts, rules: Iterable[Rule] = ()
) -> None:
    """Send a revocation request; a token that is dead already is no error (RFC 7009 §2.2).

    Raises:
        AuthError: The server refused.
        TransportError: No usable answer came.
    """
    response = await context.send(request)
    if response.status < HTTPStatus.MULTIPLE_CHOICES:
        return
    answer = read_answer(response)
    if isinstance(answer, Refusal) and answer.error not in _DEAD_TOKEN:
        raise explain(answer, facts, rules)

"""Carry a call on after its first attempt failed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import tenacity

from sfconnect.clock import SYSTEM_CLOCK, Clock
from sfconnect.errors import FailedAttempt, OutcomeUnknownError, SfConnectError
from sfconnect.instrumentation import Emitter, RetryScheduled
from sfconnect.policy import RetryPolicy
from sfconnect.retry.budget import RetryBudget
from sfconnect.retry.verdict import Verdict, classify

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sfconnect.messages import Request

T = TypeVar("T")


class RetryExecutor:
    """Repeat a failed call as far as policy, budget and safety allow.

    The first attempt is made by the caller, without this class: a call that succeeds at once, as
    most do, pays nothing for retry. Each call that fails gets a tenacity controller of its own;
    a shared one would hand one call's error to another.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        budget: RetryBudget,
        *,
        clock: Clock = SYSTEM_CLOCK,
        emitter: Emitter | None = None,
    ) -> None:
        self.policy = policy
        self.budget = budget
        self.retries: dict[str, int] = {}
        """How many retries were made, by the reason: an error code or class name."""
        self._clock = clock
        self._emitter = emitter or Emitter()

    async def resume(
        self,
        request: Request,
        first: SfConnectError,
        attempt: Callable[[Request, int], Awaitable[T]],
    ) -> T:
        """Decide about the first attempt's error, and repeat while that is right.

        Raises:
            OutcomeUnknownError: The call may have had its effect and is not safe to repeat.
            SfConnectError: The last attempt's error, with all ``attempts``.
        """
        if not self._again(request, first, failures=1):
            raise _final(request, first)
        failed = [self._failed(1, first)]
        number = 0

        async def next_attempt() -> T:
            nonlocal number
            number += 1
            if number == 1:
                raise first
            try:
                return await attempt(request, number)
            except SfConnectError as error:
                failed.append(self._failed(number, error))
                raise

        controller = tenacity.AsyncRetrying(
            sleep=self._clock.sleep,
            retry=lambda state: self._retries(request, state),
            wait=lambda state: self.policy.wait_s(state.attempt_number, _error_of(state)),
            before_sleep=lambda state: self._announce(request, state),
        )
        try:
            return await controller(next_attempt)
        except SfConnectError as error:
            final = _final(request, error)
        if len(failed) > 1:
            final.attempts = tuple(failed)
        raise final

    def _failed(self, number: int, error: SfConnectError) -> FailedAttempt:
        return FailedAttempt(number, self._clock.time(), _reason(error), error.status)

    def _retries(self, request: Request, state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, SfConnectError):
            return False
        if state.attempt_number > 1 and not self._again(request, error, state.attempt_number):
            return False
        return self.budget.try_spend(throttled=error.throttled)

    def _again(self, request: Request, error: SfConnectError, failures: int) -> bool:
        retry = classify(request, error) is Verdict.RETRY
        return retry and self.policy.allows(failures, error)

    def _announce(self, request: Request, state: tenacity.RetryCallState) -> None:
        error = _error_of(state)
        reason = _reason(error)
        self.retries[reason] = self.retries.get(reason, 0) + 1
        if self._emitter.hooks:
            wait_ms = (state.next_action.sleep if state.next_action else 0.0) * 1000
            self._emitter.emit(
                RetryScheduled(
                    method=request.method,
                    path=request.place,
                    surface=request.surface,
                    reason=reason,
                    attempt=state.attempt_number,
                    wait_ms=wait_ms,
                )
            )


def _reason(error: SfConnectError) -> str:
    return error.code or type(error).__name__


def _error_of(state: tenacity.RetryCallState) -> SfConnectError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, SfConnectError)  # noqa: S101  # _retries let nothing else through
    return error


def _final(request: Request, error: SfConnectError) -> SfConnectError:
    if classify(request, error) is not Verdict.UNKNOWN:
        return error
    unknown = OutcomeUnknownError(
        f"{request.method} {request.place} may or may not have taken effect "
        f"({type(error).__name__}); it was not sent again.",
        code=error.code,
        status=error.status,
        request_id=error.request_id,
        hint="Look for what it would have written before you send it again; an upsert by "
        "external id can be repeated safely.",
        # A body that was a stream is used up, and could not be pickled with the error.
        request=replace(request, content=None) if request.has_one_shot_body else request,
    )
    unknown.__cause__ = error
    return unknown

"""Carry a call on after its first attempt failed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import tenacity

from sfconnect.clock import SYSTEM_CLOCK, Clock
from sfconnect.errors import (
    ApiError,
    FailedAttempt,
    OutcomeUnknownError,
    PoolClosed,
    SfConnectError,
)
from sfconnect.instrumentation import Emitter, RetryEnded, RetryScheduled
from sfconnect.policy import DidNotHappen, Happened
from sfconnect.retry.circuit import CIRCUIT_OPEN
from sfconnect.retry.deadline import SENT
from sfconnect.retry.outcome import final_error, reason_of, unknown_outcome
from sfconnect.retry.reconciling import answer_of, ask
from sfconnect.retry.verdict import Verdict, classify

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sfconnect.call import Sender
    from sfconnect.messages import Request
    from sfconnect.policy import Reconcile, RetryPolicy
    from sfconnect.retry.budget import RetryBudget
    from sfconnect.retry.deadline import Deadline

T = TypeVar("T")


class RetryExecutor:
    """Repeat a failed call as far as policy, budget, time limit and safety allow.

    The first attempt is made by the caller, without this class: a call that succeeds at once, as
    most do, pays nothing for retry. Each call that fails gets a tenacity controller of its own;
    a shared one would hand one call's error to another.

    Args:
        policy: For surfaces that have none of their own.
        budget: Shared by all calls.
        by_surface: Policies of surfaces; that of a request goes before them.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        budget: RetryBudget,
        *,
        by_surface: Mapping[str, RetryPolicy] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        emitter: Emitter | None = None,
    ) -> None:
        self.policy = policy
        self.by_surface = dict(by_surface or {})
        self.budget = budget
        self.clock = clock
        self.emitter = emitter or Emitter()
        self.retries: dict[str, int] = {}
        """How many retries were made, by the reason: an error code or class name."""

    def policy_of(self, request: Request) -> RetryPolicy:
        """The policy of a request: its own, else that of its surface, else the general one."""
        return request.retry or self.by_surface.get(request.surface, self.policy)

    async def resume(
        self,
        request: Request,
        first: SfConnectError,
        attempt: Callable[[Request, int], Awaitable[T]],
        *,
        began: float | None = None,
        deadline: Deadline | None = None,
        reconcile: Reconcile | None = None,
        sender: Sender | None = None,
    ) -> T:
        """Decide about the first attempt's error, and repeat while that is right.

        Args:
            request: What is sent.
            first: How its first attempt failed.
            attempt: Sends it once.
            began: When the first attempt began, by the clock's ``monotonic``.
            deadline: When the call has to have ended.
            reconcile: Asked what became of a write before that is called unknown.
            sender: What ``reconcile`` may send calls through.

        Raises:
            OutcomeUnknownError: The call may have had its effect and is not safe to repeat.
            SfConnectError: The last attempt's error, with all ``attempts``.
        """
        repeats = _Repeats(self, request, attempt, deadline)
        repeats.note(first, began)
        error = first
        while True:
            try:
                return await repeats.carry_on(error)
            except SfConnectError as last:
                error = last
            final = repeats.final(error)
            doubt = repeats.doubt(error, final)
            if doubt is None or reconcile is None or sender is None:
                raise final
            try:
                found = await ask(reconcile, doubt, sender, self.emitter)
            except asyncio.CancelledError as cancelled:
                cancelled.add_note(SENT)  # the doubt is as it was
                raise
            if isinstance(found, Happened):
                return cast("T", answer_of(found))  # a plain call's answer; streams have no hook
            if not isinstance(found, DidNotHappen) or doubt is not final:
                raise final
            repeats.clear(error)


class _Repeats(Generic[T]):
    """One call after its first failure: what failed so far, and whether it goes on."""

    def __init__(
        self,
        executor: RetryExecutor,
        request: Request,
        attempt: Callable[[Request, int], Awaitable[T]],
        deadline: Deadline | None,
    ) -> None:
        self._executor = executor
        self._clock = executor.clock
        self._policy = executor.policy_of(request)
        self._request = request
        self._attempt = attempt
        self._deadline = deadline
        self._failed: list[FailedAttempt] = [] if deadline is None else deadline.failed
        self._wait_s = 0.0
        self._gave_up: str | None = None
        self._message = ""
        self._was_sent = False
        self._cleared: SfConnectError | None = None

    async def carry_on(self, error: SfConnectError) -> T:
        """Repeat from this error on while that is right.

        Raises:
            SfConnectError: How the last attempt failed.
        """
        if not self._goes_on(error):
            raise error
        pending: SfConnectError | None = error

        async def next_attempt() -> T:
            nonlocal pending
            if pending is not None:
                first, pending = pending, None
                raise first
            return await self._send()

        controller = tenacity.AsyncRetrying(
            sleep=self._sleep,
            retry=self._retries,
            wait=lambda _: self._wait_s,
            before_sleep=self._announce,
        )
        return await controller(next_attempt)

    async def _sleep(self, seconds: float) -> None:
        try:
            await self._clock.sleep(seconds)
        except PoolClosed as closed:
            closed.attempts = tuple(self._failed)
            raise

    async def _send(self) -> T:
        began = self._clock.monotonic()
        try:
            return await self._attempt(self._request, len(self._failed) + 1)
        except SfConnectError as error:
            self.note(error, began)
            raise

    def note(self, error: SfConnectError, began: float | None) -> None:
        """Remember how an attempt failed."""
        self._was_sent = self._was_sent or error.request_sent is True
        now, at = self._clock.monotonic(), self._clock.time()
        self._failed.append(
            FailedAttempt(
                len(self._failed) + 1,
                at,
                reason_of(error),
                error.status,
                error.request_id,
                None if began is None else at - (now - began),
            )
        )

    def _retries(self, state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, SfConnectError):
            return False
        # About the first, which is handed in, carry_on has decided.
        return state.attempt_number == 1 or self._goes_on(error)

    def _goes_on(self, error: SfConnectError) -> bool:
        """Whether another attempt follows; if so, the wait before it is settled and paid for."""
        self._gave_up = None
        if classify(self._request, error) is not Verdict.RETRY:
            return False
        if self._policy.max_attempts == 1:
            return False  # which was asked for, and needs no explanation
        self._wait_s, self._message = self._policy.wait_s(len(self._failed), error), error.message
        self._gave_up = self._policy.refusal(len(self._failed), error) or self._too_late()
        if self._gave_up is None and not self._pays_for(error):
            self._gave_up = "the retry budget is used up, since too many calls fail"
        return self._gave_up is None

    def _pays_for(self, error: SfConnectError) -> bool:
        # What an open circuit refused was not sent, and to wait for a probe multiplies nothing.
        if error.code == CIRCUIT_OPEN:
            return True
        return self._executor.budget.try_spend(throttled=error.throttled)

    def _too_late(self) -> str | None:
        deadline = self._deadline
        if deadline is None or not deadline.excludes(self._wait_s):
            return None
        return (
            f"the next wait, of {self._wait_s:.1f} s, would end after the call's limit of "
            f"{deadline.limit_s:g} s"
        )

    def _announce(self, _: tenacity.RetryCallState) -> None:
        failed = self._failed[-1] = replace(self._failed[-1], wait_s=self._wait_s)
        retries, emitter = self._executor.retries, self._executor.emitter
        retries[failed.reason] = retries.get(failed.reason, 0) + 1
        if emitter.hooks:
            request = self._request
            emitter.emit(
                RetryScheduled(
                    method=request.method,
                    path=request.place,
                    surface=request.surface,
                    reason=failed.reason,
                    attempt=failed.number,
                    wait_ms=self._wait_s * 1000,
                    request_id=failed.request_id,
                    message=self._message,
                )
            )

    def final(self, error: SfConnectError) -> SfConnectError:
        """Make the error that comes out, and tell of it where repeating would have been right."""
        final = final_error(self._request, error, self._failed)
        final.gave_up = self._gave_up
        if self._was_sent and final.request_sent is not True:
            final.request_sent = True  # by an attempt before the last
        emitter = self._executor.emitter
        if self._gave_up is not None and emitter.hooks:
            request = self._request
            emitter.emit(
                RetryEnded(
                    method=request.method,
                    path=request.place,
                    surface=request.surface,
                    reason=reason_of(error),
                    attempts=len(self._failed),
                    why=self._gave_up,
                )
            )
        return final

    def doubt(self, error: SfConnectError, final: SfConnectError) -> OutcomeUnknownError | None:
        """What a hook could be asked about; None if there is no doubt.

        A write that was sent again, since nothing was found of it, and is refused then, may have
        met the effect of its first attempt: "there is such a record".
        """
        if isinstance(final, OutcomeUnknownError):
            return final
        resent = self._cleared is not None and self._cleared is not error
        if resent and isinstance(error, ApiError) and error.retry_safe is False:
            return unknown_outcome(self._request, error, self._failed)
        return None

    def clear(self, error: SfConnectError) -> None:
        """Take note that the attempt that failed so had no effect."""
        error.retry_safe = True
        self._cleared = error

"""What an API's refusal of a call means: whether another login may help, else which error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfconnect.errors import QuotaExceededError
from sfconnect.outgoing import REDIRECTS
from sfconnect.service import ExplainsRefusals

if TYPE_CHECKING:
    from sfconnect.auth.base import Credentials
    from sfconnect.clock import Clock
    from sfconnect.errors import SfConnectError
    from sfconnect.messages import Request, Response
    from sfconnect.service import Service

SPENT_BODY_HINT = "There is a new token now, but the body was a stream and is used up: call again."
_REDIRECT_HINT = "Reads are sent on within the API's own host, five times at most; writes never."


class Refusals:
    """Judge answers that do not mean success, as the API's service reads them."""

    def __init__(self, service: Service, clock: Clock) -> None:
        self._service = service
        self._explaining = service if isinstance(service, ExplainsRefusals) else None
        self._clock = clock

    def new_login_may_help(
        self, request: Request, answer: Response, credentials: Credentials
    ) -> bool:
        """Say whether the token is dead, and not something else that looks like it."""
        if not self._service.token_is_dead(answer):
            return False
        return self._explained(request, answer, credentials) is None

    def error(
        self, request: Request, answer: Response, credentials: Credentials, hint: str | None = None
    ) -> SfConnectError:
        """Give the error that a caller gets for a refusal."""
        if (explained := self._explained(request, answer, credentials)) is not None:
            return explained
        if hint is None and answer.status in REDIRECTS:
            hint = _REDIRECT_HINT
        error = self._service.decode_error(request, answer)
        error.hint = hint or error.hint
        if isinstance(error, QuotaExceededError) and error.window_s is not None:
            error.resets_at = self._clock.time() + error.window_s
        return error

    def _explained(
        self, request: Request, answer: Response, credentials: Credentials
    ) -> SfConnectError | None:
        if self._explaining is None:
            return None
        return self._explaining.explain_refusal(request, answer, credentials)

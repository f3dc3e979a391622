"""Devices that wait for their users: the codes of both, and what the users decided."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from sfconnect_emulator.clock import Clock

DEVICE_CODE_LIFE_S = 600
POLL_INTERVAL_S = 5.0
SLOWER_BY_S = 5.0
# Nothing that looks like something else, and no vowels that make words.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ23456789"
_USER_CODE_LENGTH = 8


@dataclass(slots=True)
class DeviceRequest:
    """One device that waits. ``allowed`` is None until its user has decided."""

    device_code: str = field(repr=False)
    user_code: str
    client_id: str
    scope: str
    expires_at: float
    interval_s: float
    clock: Clock = field(repr=False)
    polled_at: float | None = None
    user_id: str | None = None
    allowed: bool | None = None

    def is_expired(self) -> bool:
        """Whether the codes have ended; authlib asks by this name."""
        return self.clock.time() >= self.expires_at

    def get_user_code(self) -> str:
        """What the user enters; authlib asks by this name."""
        return self.user_code

    def polled_too_soon(self) -> bool:
        """Take note that the device asks, and tell whether it should have waited longer.

        From then on it has to wait longer still (RFC 8628 §3.5).
        """
        now, before = self.clock.time(), self.polled_at
        self.polled_at = now
        if before is None or now - before >= self.interval_s:
            return False
        self.interval_s += SLOWER_BY_S
        return True


class DeviceBook:
    """The waiting devices of one org, by either of their codes."""

    def __init__(self, clock: Clock) -> None:
        self.interval_s = POLL_INTERVAL_S
        self._clock = clock
        self._requests: dict[str, DeviceRequest] = {}

    def __iter__(self) -> Iterator[DeviceRequest]:
        return iter(self._requests.values())

    def reset(self) -> None:
        """Forget all devices, and let new ones ask as often as those of the beginning."""
        self.interval_s = POLL_INTERVAL_S
        self._requests.clear()

    def open(self, client_id: str, scope: str) -> DeviceRequest:
        """Let a device wait."""
        request = DeviceRequest(
            device_code=secrets.token_urlsafe(48),
            user_code="".join(secrets.choice(_LETTERS) for _ in range(_USER_CODE_LENGTH)),
            client_id=client_id,
            scope=scope,
            expires_at=self._clock.time() + DEVICE_CODE_LIFE_S,
            interval_s=self.interval_s,
            clock=self._clock,
        )
        self._requests[request.device_code] = request
        return request

    def by_device_code(self, device_code: str) -> DeviceRequest | None:
        """The request that a device asks about."""
        return self._requests.get(device_code)

    def by_user_code(self, user_code: str) -> DeviceRequest | None:
        """The undecided request whose code a user has entered, in any spelling."""
        wanted = "".join(user_code.split()).replace("-", "").upper()
        for request in self:
            open_still = request.allowed is None and not request.is_expired()
            if open_still and request.user_code == wanted:
                return request
        return None

    def close(self, request: DeviceRequest) -> None:
        """Forget a request: its device has what it wanted."""
        self._requests.pop(request.device_code, None)

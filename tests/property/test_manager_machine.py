"""The credential manager keeps its promises whatever happens, and the machine would notice if not.

The second is shown by faults that are planted, one at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from sfconnect.auth import login
from sfconnect.auth.held import NEVER, Held, Moment
from sfconnect.auth.login import Login
from sfconnect.auth.manager import CredentialManager
from sfconnect.auth.single_flight import Flight
from sfconnect.errors import SfConnectError
from tests.property.manager_machine import ManagerMachine

# Many steps at a time, and many more when a fault is being narrowed down.
pytestmark = pytest.mark.timeout(240)

TestManager = ManagerMachine.TestCase
TestManager.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

Patch = pytest.MonkeyPatch
MUTATIONS: list[Callable[[Patch], None]] = []


def mutation(plant: Callable[[Patch], None]) -> Callable[[Patch], None]:
    MUTATIONS.append(plant)
    return plant


@mutation
def every_caller_logs_in(patch: Patch) -> None:
    patch.setattr(CredentialManager, "_flight_under_way", lambda self: None)


@mutation
def any_report_causes_a_login(patch: Patch) -> None:
    def refuse(self: Any, rejected: Any) -> None:
        self._refused = rejected.access_token
        self._held = self._held and self._held.refused()

    patch.setattr(CredentialManager, "_refuse", refuse)


@mutation
def a_caller_that_leaves_takes_the_login_along(patch: Patch) -> None:
    async def wait(self: Any) -> Any:
        try:
            return await whole(self)
        except asyncio.CancelledError:
            self._task.cancel()
            raise

    whole = Flight.wait
    patch.setattr(Flight, "wait", wait)


@mutation
def a_failed_login_wakes_nobody(patch: Patch) -> None:
    def settle(self: Any, outcome: Any) -> None:
        if not isinstance(outcome, SfConnectError):
            whole(self, outcome)

    whole = Flight.settle
    patch.setattr(Flight, "settle", settle)


@mutation
def the_end_leaves_the_login_running(patch: Patch) -> None:
    async def cancel(self: Any) -> None:
        return

    patch.setattr(Flight, "cancel", cancel)


@mutation
def the_store_is_not_read_before_a_login(patch: Patch) -> None:
    async def adopt(self: Any) -> None:
        return

    patch.setattr(login._LoginOnce, "_adopt", adopt)


@mutation
def renewals_begin_with_what_the_manager_has(patch: Patch) -> None:
    patch.setattr(login, "_base", lambda record, known: known.held)


@mutation
def credentials_are_used_without_being_stored(patch: Patch) -> None:
    async def save(store: Any, key: Any, record: Any, credentials: Any) -> Login:
        return Login(credentials, record and record.generation)

    patch.setattr(login, "_save", save)


@mutation
def a_renewal_on_its_way_is_dropped_at_the_end(patch: Patch) -> None:
    async def unshielded(work: Any, *_rest: Any) -> Any:
        return await work

    patch.setattr(login, "_shielded", unshielded)


@mutation
def credentials_never_end(patch: Patch) -> None:
    def begin(_cls: Any, credentials: Any, *_clock: Any, **_times: Any) -> Held:
        return Held(credentials, NEVER, NEVER)

    patch.setattr(Held, "begin", classmethod(begin))


@mutation
def only_the_monotonic_clock_counts(patch: Patch) -> None:
    patch.setattr(Moment, "has_come", lambda self, clock: clock.monotonic() >= self.monotonic)


@mutation
def a_lost_answer_is_a_passing_fault_like_any_other(patch: Patch) -> None:
    patch.setattr(login, "_answer_was_lost", lambda error: False)
    patch.setattr(login, "_passes", lambda error: True)


@pytest.mark.parametrize("plant", MUTATIONS, ids=lambda plant: plant.__name__)
def test_the_machine_notices(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    found = settings(
        max_examples=1000,  # it ends with the first that fails
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    with pytest.raises((AssertionError, BaseExceptionGroup)):
        run_state_machine_as_test(ManagerMachine, settings=found)

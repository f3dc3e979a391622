"""Test kit: a clock under control, scripted logins and networks, conformance tests.

The conformance tests need pytest, so they are imported when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sfconnect.testing.clock import FakeClock
from sfconnect.testing.fault_proxy import FaultProxy
from sfconnect.testing.people import FakePerson
from sfconnect.testing.senders import ScriptedSender, answer
from sfconnect.testing.strategies import ScriptedStrategy
from sfconnect.testing.token_server import FakeTokenServer, ReceivedRequest, RotatingTokenServer

if TYPE_CHECKING:
    from sfconnect.testing.conformance import StrategyConformance, TokenEndpointConformance
    from sfconnect.testing.rotation import RotationConformance
    from sfconnect.testing.signers import SignerConformance
    from sfconnect.testing.stores import StoreConformance

__all__ = [
    "FakeClock",
    "FakePerson",
    "FakeTokenServer",
    "FaultProxy",
    "ReceivedRequest",
    "RotatingTokenServer",
    "RotationConformance",
    "ScriptedSender",
    "ScriptedStrategy",
    "SignerConformance",
    "StoreConformance",
    "StrategyConformance",
    "TokenEndpointConformance",
    "answer",
]

_HOMES = {
    "RotationConformance": "sfconnect.testing.rotation",
    "SignerConformance": "sfconnect.testing.signers",
    "StoreConformance": "sfconnect.testing.stores",
    "StrategyConformance": "sfconnect.testing.conformance",
    "TokenEndpointConformance": "sfconnect.testing.conformance",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(home), name)

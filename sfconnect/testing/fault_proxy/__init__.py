"""A proxy on loopback between a client and any HTTP server, that makes the network's trouble.

.. code-block:: python

    async with FaultProxy(server_url, faults=[ResetAfter(), None, CutBody(after=100)]) as proxy:
        ...  # talk to proxy.url instead of server_url

``faults`` says what happens to the first request, the second and so on; or it is a function that
is asked about each request. ``connections`` says the same of connections. What reached the server,
and how often, is in ``proxy.exchanges``; what became of connections, in ``proxy.connections``.
"""

from __future__ import annotations

from sfconnect.testing.fault_proxy.faults import (
    Connection,
    ConnectionFault,
    ConnectionPlan,
    CorruptGzip,
    CutBody,
    CutHandshake,
    Deaf,
    Drip,
    Duplicate,
    DuplicateConnection,
    Ending,
    Exchange,
    Fault,
    HalfOpen,
    IdleClose,
    Instead,
    Plan,
    Refuse,
    ResetAfter,
    ResetBefore,
    ResetMidway,
    Stall,
    Vanish,
    WrongCertificate,
)
from sfconnect.testing.fault_proxy.proxy import FaultProxy

__all__ = [
    "Connection",
    "ConnectionFault",
    "ConnectionPlan",
    "CorruptGzip",
    "CutBody",
    "CutHandshake",
    "Deaf",
    "Drip",
    "Duplicate",
    "DuplicateConnection",
    "Ending",
    "Exchange",
    "Fault",
    "FaultProxy",
    "HalfOpen",
    "IdleClose",
    "Instead",
    "Plan",
    "Refuse",
    "ResetAfter",
    "ResetBefore",
    "ResetMidway",
    "Stall",
    "Vanish",
    "WrongCertificate",
]

"""What a limiter is told by its connection, and what it can tell."""

from __future__ import annotations

from sfconnect.instrumentation import Emitter, Event, LimiterLost
from sfconnect.limits import LimiterContext


def test_a_loss_and_its_end_are_events():
    events: list[Event] = []
    context = LimiterContext("acme", emitter=Emitter([events.append]))

    context.tell_lost("redis", 3, "ConnectionError")
    context.tell_lost("redis", 25, None)

    assert events == [
        LimiterLost("redis", 3, "ConnectionError"),
        LimiterLost("redis", 25, None),
    ]


def test_where_nobody_listens_it_is_told_to_nobody():
    LimiterContext("acme").tell_lost("redis", 3, "ConnectionError")

"""Statistics print what there is to say, and no more."""

from __future__ import annotations

from sfconnect.limits import LaneStats, Quota, ShareStats
from sfconnect.retry.circuit import CircuitStats
from sfconnect.stats import SessionStats


def test_what_did_not_happen_is_not_printed():
    stats = SessionStats(3, 3, 1_234, {}, 1, {})

    assert str(stats) == "calls     3\nlogins    1\nreceived  1,234 bytes"


def test_everything_that_happened_is_printed():
    stats = SessionStats(
        calls=1_000,
        attempts=1_010,
        bytes_in=5,
        retries={"ServerError": 4, "UNABLE_TO_LOCK_ROW": 6},
        logins=2,
        quotas={"api-usage": Quota("api-usage", 10, 100)},
        circuits={"a.example": CircuitStats("a.example", "open", 1, 2, 3.0, 4.0, "503")},
        throttled=7,
        limit=20,
        in_flight=4,
        waiting=9,
        lanes={
            "interactive": LaneStats(3, 0, None),
            "batch": LaneStats(1, 9, 1),
            "idle": LaneStats(0, 0, 5),
        },
        share=ShareStats("nightly", 400, 6_000, 10, None),
        paced=2,
        retry_tokens=420.5,
        retry_capacity=500,
    )

    assert str(stats).splitlines() == [
        "calls     1,000, and 10 attempts more",
        "in flight 4 of 20, 9 waiting",
        "lane      interactive: 3, 0 waiting",
        "lane      batch: 1 of 1, 9 waiting",
        "paced     2 wait for their time",
        "retries   10 (ServerError 4, UNABLE_TO_LOCK_ROW 6)",
        "budget    420 of 500 tokens for retries left",
        "throttled 7",
        "logins    2",
        "received  5 bytes",
        "quota     api-usage: 10 of 100 (10%)",
        "share     nightly: 400 of 6,000, 5,600 left, 10% of the quota for others",
        "circuit   a.example: open",
    ]

"""How slow calls are: against their own lane, and beyond what chance explains."""

from __future__ import annotations

from math import log

import pytest

from sfconnect.limits.pace import Pace, Slowness


def window(pace: Pace, lane: str, *times_s: float) -> None:
    for elapsed_s in times_s:
        pace.note(lane, elapsed_s)


def test_slowness_is_told_against_the_fastest_window():
    pace = Pace()
    window(pace, "rest", *[0.2] * 10)
    first = pace.end_window()
    window(pace, "rest", *[0.1] * 10)
    pace.end_window()

    window(pace, "rest", *[0.3] * 10)

    assert first.above == 0
    assert pace.end_window().above == pytest.approx(log(3))


def test_a_lane_is_compared_with_itself_alone():
    pace = Pace()
    window(pace, "rest", *[0.1] * 10)
    pace.end_window()

    window(pace, "query", *[50.0] * 10)
    window(pace, "rest", *[0.1] * 10)

    assert pace.end_window().above == pytest.approx(0)


def test_too_few_calls_say_nothing_and_are_kept_for_the_next_window():
    pace = Pace()
    window(pace, "rest", *[0.1] * 9)

    assert pace.end_window() == Slowness()
    window(pace, "rest", 0.1)
    assert pace.end_window().count == 10


def test_one_call_of_minutes_among_many_is_no_slowness():
    pace = Pace()
    window(pace, "rest", *[0.05] * 100)
    pace.end_window()

    window(pace, "rest", *[0.05] * 99, 120.0)

    assert pace.end_window().proven == 0


def test_what_is_accepted_is_undisturbed_from_then_on():
    pace = Pace()
    window(pace, "rest", *[0.1] * 10)
    pace.end_window()
    window(pace, "rest", *[0.4] * 10)
    slow = pace.end_window()

    pace.accept()
    window(pace, "rest", *[0.4] * 10)

    assert slow.proven > 1
    assert pace.end_window().proven == pytest.approx(0)


def test_less_is_only_what_is_less_by_enough_and_not_by_chance():
    sure, unsure = Slowness(1.0, 0.0, 100), Slowness(1.0, 0.5, 10)

    assert Slowness(0.8, 0.0, 100).is_less_than(sure, by=0.1)
    assert not Slowness(0.8, 0.0, 100).is_less_than(sure, by=0.3)
    assert not Slowness(0.8, 0.0, 100).is_less_than(unsure, by=0.1)

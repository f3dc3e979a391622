"""What the comparison of limiters draws and tells."""

from __future__ import annotations

from benchmarks.adaptive import CAPACITIES, Run, Timed, plot, table
from sfconnect.errors import ThrottledError


def test_attempts_are_noted_by_how_they_ended() -> None:
    limiter = Timed(initial=4)
    limiter.run = Run("adaptive")
    for elapsed_s, error in ((0.1, None), (0.3, None), (0.01, ThrottledError("busy")), (0.0, None)):
        assert limiter.try_acquire("rest")
        limiter.release("rest", elapsed_s, error)

    run = limiter.run
    assert (run.done, run.refused, round(run.latency_ms)) == (2, 1, 200)


def test_a_table_says_how_much_of_what_was_possible_was_answered() -> None:
    made = table("queue", [Run("adaptive", done=640)], 1.0, "x.svg")

    possible = sum(CAPACITIES) * 10
    assert made.rows == [["adaptive", "640", f"{640 / possible:.0%}", "0", "0"]]


def test_a_plot_has_the_capacity_beside_every_limiter() -> None:
    runs = [Run("adaptive", [(1.0, 16.0)], [(1.0, 90.0)]), Run("fixed at 5")]

    limits, rates = plot("An org", runs, 2.0).panels

    assert [line.label for line in limits.lines] == ["capacity", "adaptive", "fixed at 5"]
    assert limits.lines[0].points[-1] == (8.0, 40.0)
    assert rates.lines[0].points[0] == (0.0, 200.0)

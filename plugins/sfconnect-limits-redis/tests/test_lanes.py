"""Rules of lanes as people write them, and what a process may use on its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect.errors import ConfigurationError
from sfconnect.limits import Lane
from sfconnect_limits_redis.lanes import OTHERS, local_caps, read_lanes


def test_rules_bound_lanes_and_keep_slots_for_them() -> None:
    rules = ["bulk<=5", " query >= 2 ", "bulk>=1", "rest.composite<=3"]

    assert read_lanes(rules, 25) == {
        "bulk": Lane(reserve=1, limit=5, surfaces=("extract",)),
        "query": Lane(reserve=2),
        "rest.composite": Lane(limit=3),
    }


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (["bulk=5"], "'bulk=5' is no rule"),
        (["bulk<=x"], "no rule"),
        (["<=5"], "no rule"),
        (["*<=5"], "no rule"),
        (["bulk<=5", "bulk<=6"], "two rules with <="),
        (["bulk<=0"], "cannot reserve 0 of at most 0"),
        (["bulk<=2", "bulk>=3"], "cannot reserve 3 of at most 2"),
        (["bulk>=15", "query>=10"], "keep 25 of 25 slots"),
        (["login>=2"], "logins, which take no slots of calls"),
    ],
)
def test_rules_that_cannot_be_are_refused(rules: list[str], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        read_lanes(rules, 25)


@pytest.mark.parametrize(
    ("holders", "limit", "caps"),
    [
        (4, None, {"query": 1, "bulk": 1, OTHERS: 4}),
        (1, None, {"query": 4, "bulk": 1, OTHERS: 20}),
        (0, None, {"query": 4, "bulk": 1, OTHERS: 20}),
        (100, None, {"query": 1, "bulk": 1, OTHERS: 1}),
        (4, 10, {"query": 1, "bulk": 1, OTHERS: 8}),
    ],
)
def test_on_its_own_a_process_has_its_part_and_each_lane_a_slot(
    holders: int, limit: int | None, caps: dict[str, int]
) -> None:
    lanes = {"query": Lane(reserve=4), "bulk": Lane(limit=5)}

    assert local_caps(25, lanes, holders=holders, limit=limit) == caps


@given(st.integers(1, 500), st.integers(1, 100))
def test_processes_on_their_own_do_not_exceed_the_budget_together(
    budget: int, holders: int
) -> None:
    (cap,) = local_caps(budget, {}, holders=holders).values()

    assert cap == 1 or cap * holders <= budget

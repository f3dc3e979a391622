"""What parsing costs, counted in calls, which do not depend on the machine."""

from __future__ import annotations

import sys
from types import FrameType

from sfconnect.soql import parse


def calls_to_parse(items: int) -> int:
    """Count the Python and C calls for a query with a list of so many ids."""
    ids = ", ".join(f"'001{number:015d}'" for number in range(items))
    soql = f"SELECT Id, Name FROM Account WHERE Id IN ({ids}) AND Name != 'x'"
    count = 0

    def counting(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        parse(soql)
    finally:
        sys.setprofile(before)
    return count


def test_a_long_list_costs_a_few_calls_per_item():
    assert calls_to_parse(2000) / 2000 < 25


def test_the_cost_grows_no_faster_than_the_list():
    assert calls_to_parse(4000) / calls_to_parse(1000) < 4.1

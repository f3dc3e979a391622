"""How much of a quota is left."""

from __future__ import annotations

import pytest

from sfconnect.limits import Quota, read_limits


@pytest.mark.parametrize(("used", "remaining"), [(0, 100), (40, 60), (100, 0), (130, 0)])
def test_what_remains_is_never_below_nothing(used, remaining):
    assert Quota("api-usage", used, 100).remaining == remaining


def test_a_quota_reads_well():
    assert str(Quota("api-usage", 1234, 5000)) == "api-usage: 1,234 of 5,000 (25%)"
    assert str(Quota("none", 0, 0)) == "none: 0 of 0"


def test_a_document_of_limits_gives_quotas_by_name_and_passes_over_what_is_none():
    document = {
        "DailyApiRequests": {"Max": 100, "Remaining": 60},
        "PermissionSets": {"Max": 5, "Remaining": 5, "CreateCustom": {"Max": 1, "Remaining": 1}},
        "Odd": {"Max": "many"},
        "Half": {"Max": 100},
        "TheOtherHalf": {"Remaining": 60},
        "Wordy": {"Max": "100", "Remaining": 60},
        "Odder": 3,
    }

    quotas = read_limits(document)

    assert quotas == {
        "DailyApiRequests": Quota("DailyApiRequests", 40, 100),
        "PermissionSets": Quota("PermissionSets", 0, 5),
    }

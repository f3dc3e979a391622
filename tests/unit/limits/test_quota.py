"""How much of a quota is left."""

from __future__ import annotations

import pytest

from sfconnect.limits import Quota


@pytest.mark.parametrize(("used", "remaining"), [(0, 100), (40, 60), (100, 0), (130, 0)])
def test_what_remains_is_never_below_nothing(used, remaining):
    assert Quota("api-usage", used, 100).remaining == remaining

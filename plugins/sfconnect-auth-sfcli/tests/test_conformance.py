"""The strategy passes the tests that every auth strategy should pass."""

from __future__ import annotations

import pytest

from sfconnect.testing import StrategyConformance
from sfconnect_auth_sfcli import SfCli


class TestSfCli(StrategyConformance):
    @pytest.fixture
    def strategy(self, cli):
        return SfCli("ada@example.com", command=cli.command)

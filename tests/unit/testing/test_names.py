"""What the test kit offers, and that it asks for pytest only where it must."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sfconnect import testing


@pytest.mark.parametrize("name", testing.__all__)
def test_every_name_can_be_imported(name):
    assert getattr(testing, name).__name__ == name


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        testing.Nothing  # noqa: B018


def test_the_kit_itself_needs_no_pytest():
    code = "import sys, sfconnect.testing; sys.exit('pytest' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

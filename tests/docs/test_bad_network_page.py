"""The examples of tests against a bad network are tests that pass, and can fail."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

from sfconnect.testing import fault_proxy
from sfconnect.testing.fault_proxy import ConnectionFault, Fault

PAGE = (Path(__file__).parents[2] / "docs/how-to/test-against-a-bad-network.md").read_text("utf-8")
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = FENCE.findall(PAGE)
TESTS = [2, 3, 5]
#: What each example relies on, and what would be wrong without it.
SPOILT = [
    ("[ResetAfter()]", "[]"),
    ('"expired"', '"other name"'),
    ("max_attempts=10", "max_attempts=1"),
]

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(("example", "tests"), [*zip(EXAMPLES, TESTS, strict=True)])
def test_the_examples_pass(pytester: pytest.Pytester, example: str, tests: int) -> None:
    run(pytester, example).assert_outcomes(passed=tests)


@pytest.mark.parametrize(("example", "change"), [*zip(EXAMPLES, SPOILT, strict=True)])
def test_the_examples_notice_trouble(
    pytester: pytest.Pytester, example: str, change: tuple[str, str]
) -> None:
    was, spoilt = change
    assert was in example

    outcomes = run(pytester, example.replace(was, spoilt)).parseoutcomes()

    assert outcomes["failed"] >= 1


def run(pytester: pytest.Pytester, example: str) -> pytest.RunResult:
    pytester.makepyfile(example)
    pytester.makeconftest("import pytest\n\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'")
    return pytester.runpytest_subprocess("-q", "-p", "no:randomly", "-p", "anyio")


def test_the_tables_leave_no_fault_out() -> None:
    rows = " ".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))

    kinds = [*get_args(Fault), *get_args(ConnectionFault)]

    assert sorted(re.findall(r"`(\w+)`", rows)) == sorted(kind.__name__ for kind in kinds)


def test_every_fault_can_be_imported_from_one_place() -> None:
    kinds = [*get_args(Fault), *get_args(ConnectionFault)]

    assert all(inspect.isclass(getattr(fault_proxy, kind.__name__)) for kind in kinds)

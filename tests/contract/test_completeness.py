"""No strategy that comes with sfconnect is without its conformance tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from sfconnect.auth.registry import STRATEGIES

HERE = Path(__file__).parent
OWN = [entry for entry in STRATEGIES.entries() if entry.built_in]


def made_by_conformance_tests() -> set[str]:
    """The classes that the `strategy` fixtures of conformance tests call."""
    made: set[str] = set()
    for path in HERE.glob("test_*strategies.py"):
        tree = ast.parse(path.read_text("utf-8"))
        called = {
            call.func.id
            for call in ast.walk(tree)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        }
        made |= called
    return made


def test_there_are_strategies_to_look_for() -> None:
    assert len(OWN) >= 18


@pytest.mark.parametrize("entry", OWN, ids=lambda entry: entry.name)
def test_a_strategy_has_conformance_tests(entry) -> None:
    assert entry.value.rpartition(":")[2] in made_by_conformance_tests()

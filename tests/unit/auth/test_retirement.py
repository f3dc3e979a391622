"""Whoever uses a way to log in that ends is told when: once, at the line that uses it."""

from __future__ import annotations

import linecache
import threading
import warnings
from dataclasses import dataclass

import pytest

from sfconnect.auth import Retirement, RetirementWarning, warn_of_retirement


def retirement(flow: str) -> Retirement:
    return Retirement(flow, "on 20 February 2027", "Log in otherwise.")


def test_the_text_has_what_ends_when_and_what_to_do() -> None:
    bare = retirement("The old flow")
    partly = Retirement("It", "soon", "Go.", already="Some have gone.")

    assert str(bare) == "The old flow ends on 20 February 2027. Log in otherwise."
    assert str(partly) == "It ends soon. Some have gone. Go."


def test_each_flow_is_told_of_once() -> None:
    first, second = retirement("The first flow"), retirement("The second flow")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            warn_of_retirement(first)
            warn_of_retirement(second)

    assert [str(one.message) for one in caught] == [str(first), str(second)]
    assert {one.category for one in caught} == {RetirementWarning}


def test_of_many_threads_one_tells() -> None:
    flow = retirement("The flow of threads")
    ready = threading.Barrier(8)

    def use() -> None:
        ready.wait(5)
        warn_of_retirement(flow)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=use) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(caught) == 1


def test_the_line_is_the_one_that_makes_the_strategy() -> None:
    flow = retirement("The flow of a dataclass")

    @dataclass(frozen=True, slots=True)
    class Old:
        def __post_init__(self) -> None:
            warn_of_retirement(flow)

    with pytest.warns(RetirementWarning) as caught:
        Old()

    assert linecache.getline(caught[0].filename, caught[0].lineno).strip() == "Old()"

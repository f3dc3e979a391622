"""The error tree: small, picklable, and drawn as it is."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections.abc import Iterator
from typing import Any

import pytest

from sfconnect import errors

FACTS: dict[str, Any] = {
    "code": "SOME_CODE",
    "hint": "Do this.",
    "request_id": "r-1",
    "status": 503,
}


def subclasses(cls: type[errors.SfConnectError]) -> Iterator[type[errors.SfConnectError]]:
    """The class and everything under it that this module defines."""
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from subclasses(child)


TREE = sorted(set(subclasses(errors.SfConnectError)), key=lambda cls: cls.__name__)


def example(cls: type[errors.SfConnectError]) -> errors.SfConnectError:
    """An error of this class with every fact that it knows of."""
    known = inspect.signature(cls).parameters
    own: dict[str, Any] = {
        "retry_after": 2.5,
        "line": 3,
        "column": 7,
        "matches": ("/a", "/b"),
        "fields": ("Name",),
    }
    return cls("It failed.", **FACTS, **{name: own[name] for name in own if name in known})


def through_pickle(error: errors.SfConnectError) -> object:
    """What another process would get."""
    return pickle.loads(pickle.dumps(error))


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize(
    "duplicate",
    [lambda error: pickle.loads(pickle.dumps(error)), copy.copy],
    ids=["pickle", "copy"],
)
def test_error_keeps_its_facts_when_copied(cls, duplicate) -> None:
    original = example(cls)

    twin = duplicate(original)

    assert type(twin) is cls
    assert vars(twin) == vars(original)
    assert twin.args == original.args
    assert str(twin) == str(original)


def test_tree_stays_small() -> None:
    assert len(TREE) <= 35


def test_every_error_of_the_module_is_in_the_tree() -> None:
    defined = {
        value
        for value in vars(errors).values()
        if isinstance(value, type)
        and issubclass(value, BaseException)
        and value.__module__ == errors.__name__
    }

    assert defined == set(TREE)


def test_docstring_draws_the_tree_as_it_is() -> None:
    drawn = re.findall(r"^ +((?:[│ ]   )*(?:[├└]── )?)(\w+)", errors.__doc__ or "", re.MULTILINE)
    depths = {name: len(indent) // 4 for indent, name in drawn if name[0].isupper()}

    real = {cls.__name__: cls.__mro__.index(errors.SfConnectError) for cls in TREE}

    assert depths == real

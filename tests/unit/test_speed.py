"""What the extra brings is used where it is installed, and nothing is missed where it is not."""

from __future__ import annotations

import asyncio
import sys
import zlib

import isal.isal_zlib
import pytest

from sfconnect import speed


@pytest.fixture(autouse=True)
def _asked_anew():
    speed.zlib_like.cache_clear()
    yield
    speed.zlib_like.cache_clear()


def test_isal_is_taken_if_it_is_there():
    assert speed.zlib_like() is isal.isal_zlib


def test_zlib_does_it_otherwise(monkeypatch):
    monkeypatch.setitem(sys.modules, "isal", None)

    assert speed.zlib_like() is zlib


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not made for it")
def test_the_loop_is_of_uvloop_if_it_is_there():
    with asyncio.Runner(loop_factory=speed.new_event_loop) as runner:
        assert type(runner.get_loop()).__module__ == "uvloop"


def test_the_loop_is_asyncios_otherwise(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)

    with asyncio.Runner(loop_factory=speed.new_event_loop) as runner:
        assert type(runner.get_loop()).__module__.startswith("asyncio.")

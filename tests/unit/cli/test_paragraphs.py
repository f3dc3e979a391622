"""Text within the width of a terminal."""

from __future__ import annotations

import sys

import pytest

from sfconnect.cli.paragraphs import broken_fingerprint, text_width, wrapped


@pytest.mark.parametrize(("columns", "width"), [("20", 40), ("72", 72), ("300", 100)])
def test_text_is_as_wide_as_the_terminal_within_bounds(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    assert text_width() == width


def test_elsewhere_it_is_as_wide_as_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)

    assert (text_width(), text_width(80)) == (100, 80)


def test_what_is_copied_is_not_broken() -> None:
    address = "https://acme.my.salesforce.com/setup-of-apps"

    assert address in wrapped(f"Open {address} once.", 20, first="", rest="  ").replace("\n", " ")


@pytest.mark.parametrize(("room", "lines"), [(100, 1), (95, 2), (60, 2), (30, 4), (12, 8), (1, 32)])
def test_a_fingerprint_breaks_between_bytes_in_equal_lines(room: int, lines: int) -> None:
    text = ":".join(["AB"] * 32)

    broken = broken_fingerprint(text, room)

    assert broken.replace(" ", "") == text
    assert [len(line) for line in broken.split(" ")][:-1] == [96 // lines] * (lines - 1)

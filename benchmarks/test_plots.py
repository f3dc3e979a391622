"""Plots are written again with each run, so what did not change must not change the files."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks.plots import Line, Panel, Plot

pytest.importorskip("matplotlib", reason="only nox -s bench and its like install it")

RATES = Panel("calls/s", [Line("ours", [(1, 20), (8, 150)]), Line("ideal", [(1, 20), (8, 160)])])
LIMIT = Panel("limit", [Line("limit", [(1, 4), (8, 2)], stepped=True)], log=True)


def test_one_plot_gives_the_same_bytes_each_time(tmp_path: Path) -> None:
    plot = Plot("Rates", "in flight", [RATES, LIMIT], log_base=2)

    plot.write(tmp_path / "first.svg")
    plot.write(tmp_path / "folder" / "second.svg")

    first = (tmp_path / "first.svg").read_bytes()
    assert first == (tmp_path / "folder" / "second.svg").read_bytes()
    assert b"Date" not in first
    assert not any(line.endswith(b" ") for line in first.splitlines())


def test_a_plot_names_its_axes_and_lines_as_text(tmp_path: Path) -> None:
    Plot("Rates", "in flight", [RATES, LIMIT], log_base=2).write(tmp_path / "plot.svg")

    root = ET.parse(tmp_path / "plot.svg").getroot()
    words = {"".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"Rates", "in flight", "calls/s", "ours", "ideal", "limit"} <= words

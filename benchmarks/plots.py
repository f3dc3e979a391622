"""Lines over a common axis, as SVG files that are the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PANEL_WIDTH: Final = 7.0
PANEL_HEIGHT: Final = 3.2

# Identifiers inside the file come from this instead of chance; text stays text, so that a file is
# small and the reader's own font shows it.
_SETTINGS: Final[Any] = {
    "svg.hashsalt": "sfconnect",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "lines.markersize": 3.5,
}
_METADATA: Final = {"Date": None, "Creator": None}


@dataclass(frozen=True, slots=True)
class Line:
    """Points that belong together.

    A stepped line keeps its value until the next point, as a limit does; others join the points.
    """

    label: str
    points: Sequence[tuple[float, float]]
    stepped: bool = False
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines that share a vertical axis, which is logarithmic if asked for."""

    y: str
    lines: Sequence[Line]
    log: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """Panels above one another over one horizontal axis.

    ``log_base`` makes that axis logarithmic, with a tick at each of the points' places.
    """

    title: str
    x: str
    panels: Sequence[Panel]
    log_base: int | None = None

    def write(self, path: Path) -> None:
        """Draw into an SVG file."""
        import matplotlib as mpl  # only who draws has it

        path.parent.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context(_SETTINGS):
            self._figure().savefig(path, format="svg", metadata=_METADATA)
        # matplotlib leaves spaces at the ends of lines, which no diff wants to see.
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("".join(f"{line.rstrip()}\n" for line in lines), encoding="utf-8")

    def _figure(self) -> Any:
        from matplotlib.figure import Figure

        size = (PANEL_WIDTH, PANEL_HEIGHT * len(self.panels))
        figure = Figure(figsize=size, layout="constrained")
        figure.suptitle(self.title)
        rows = figure.subplots(len(self.panels), 1, sharex=True, squeeze=False)
        for panel, (axes,) in zip(self.panels, rows, strict=True):
            _draw(axes, panel)
        if self.log_base is not None:
            _logarithmic(rows[-1][0], self.log_base, self._places())
        rows[-1][0].set_xlabel(self.x)
        return figure

    def _places(self) -> list[float]:
        return sorted({x for panel in self.panels for line in panel.lines for x, _ in line.points})


def _draw(axes: Any, panel: Panel) -> None:
    axes.set_ylabel(panel.y)
    for line in panel.lines:
        axes.plot(
            [x for x, _ in line.points],
            [y for _, y in line.points],
            label=line.label,
            marker=None if line.stepped else "o",
            drawstyle="steps-post" if line.stepped else "default",
            linestyle="--" if line.dashed else "-",
        )
    if panel.log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))


def _logarithmic(axes: Any, base: int, places: Sequence[float]) -> None:
    axes.set_xscale("log", base=base)
    axes.set_xticks(places, labels=[f"{place:g}" for place in places])
    axes.minorticks_off()

"""The shape of the source: short functions, small modules, few exceptions to the rules."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PACKAGES = [
    CHECKOUT / "sfconnect",
    *(path.parent for path in CHECKOUT.glob("plugins/*/sfconnect_*/__init__.py")),
]
MODULES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))


@dataclass(frozen=True, slots=True)
class Function:
    """A function and the lines of its body, without docstring and blank lines."""

    place: str
    lines: int


def functions(path: Path) -> Iterator[Function]:
    """Every function of a module, nested ones and methods included."""
    text = path.read_text(encoding="utf-8")
    rows = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            has_docstring = ast.get_docstring(node, clean=False) is not None
            body = node.body[1:] if has_docstring else node.body
            first = body[0].lineno if body else node.lineno
            last = node.end_lineno or node.lineno
            code = [row for row in rows[first - 1 : last] if row.strip()]
            place = f"{path.relative_to(CHECKOUT)}:{node.lineno} {node.name}"
            yield Function(place, len(code) if body else 0)


@pytest.fixture(scope="module", params=PACKAGES, ids=lambda path: path.name)
def lengths(request: pytest.FixtureRequest) -> list[int]:
    """The lengths of all functions of a distribution."""
    return [function.lines for path in request.param.rglob("*.py") for function in functions(path)]


def test_half_of_the_functions_have_at_most_8_lines(lengths: list[int]) -> None:
    assert statistics.median(lengths) <= 8


def test_nine_of_ten_functions_have_at_most_30_lines(lengths: list[int]) -> None:
    assert statistics.quantiles(lengths, n=10)[-1] <= 30


def test_no_function_has_more_than_60_lines() -> None:
    long = [each.place for path in MODULES for each in functions(path) if each.lines > 60]

    assert long == []


def test_no_module_has_more_than_600_lines() -> None:
    long = {
        str(path.relative_to(CHECKOUT)): count
        for path in MODULES
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 600
    }

    assert long == {}


def test_type_checking_is_silenced_at_most_3_times_in_1000_lines() -> None:
    texts = [path.read_text(encoding="utf-8") for path in MODULES]

    ignores = sum(text.count("# type: ignore") for text in texts)

    assert ignores <= 3 * sum(text.count("\n") for text in texts) / 1000


def test_every_silenced_check_names_its_code() -> None:
    named = re.compile(r"# (?:noqa: [A-Z]+\d+|type: ignore\[[\w, -]+\])")

    assert [
        place for place, line, _ in silenced("# noqa", "# type:") if not named.search(line)
    ] == []


def test_every_silenced_type_check_gives_a_reason_behind_it_or_above() -> None:
    reason_behind = re.compile(r"\] +[#-]+ ?\w")

    without = [
        place
        for place, line, above in silenced("# type: ignore")
        if not reason_behind.search(line) and not above.startswith("#")
    ]

    assert without == []


def silenced(*comments: str) -> Iterator[tuple[str, str, str]]:
    """Lines with such a comment: the place, the line, and the line above."""
    for path in MODULES:
        rows = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(rows, 1):
            if any(comment in line for comment in comments):
                yield f"{path.relative_to(CHECKOUT)}:{number}", line, rows[number - 2].strip()


@pytest.mark.parametrize("name", ["utils.py", "helpers.py", "misc.py"])
def test_no_module_is_named_after_nothing(name: str) -> None:
    assert [path for path in MODULES if path.name == name] == []

"""The project's tasks: `nox -s demo` runs the main job, a bare `nox` runs what CI runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.download_python = "never"
# nox turns this on by itself when CI is set; an interpreter that is not there is skipped, always.
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True
ROOT = Path(__file__).parent
WHEELHOUSE = ROOT / ".nox" / "wheels"
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PLUGINS = sorted(path.parent.relative_to(ROOT) for path in ROOT.glob("plugins/*/pyproject.toml"))

#: The part of lines and branches that tests take, in percent, at least: of the auth layer, of all.
LEAST_COVERAGE = {"auth/": 97, "salesforce/auth/": 97, "": 95}
# The tests run once on each interpreter: on nox's own, coverage is measured by the same run.
nox.options.sessions = [
    "lint", "imports", "typing", "docs", "counters", "plugins", "coverage",
    *(f"tests-{python}" for python in PYTHONS if python != THIS_PYTHON),
]  # fmt: skip

#: Traced code is slower, generated examples most of all: a busy machine is no hanging test.
TRACED = ["--timeout=120"]

#: Wheel files of this run by distribution; filled by the first session that needs them.
BUILT: dict[str, str] = {}


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main job: start an emulated org, extract it to Parquet through trouble, prove it."""
    install_wheels(session, extras="cli,arrow")
    session.run("sfconnect", "demo", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format, spelling and the project files."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")
    session.run("validate-pyproject", "pyproject.toml", *(f"{p}/pyproject.toml" for p in PLUGINS))


@nox.session
def imports(session: nox.Session) -> None:
    """Check who may import whom."""
    session.install(*group("imports"))
    # The linter reads source and imports nothing, so nothing but itself is installed.
    path = os.pathsep.join(str(ROOT / plugin) for plugin in PLUGINS)
    session.run("lint-imports", "--no-cache", env={"PYTHONPATH": path})


@nox.session
def typing(session: nox.Session) -> None:
    """Check types: core, tests and plugins under mypy, the public API under pyright too."""
    editable = [part for plugin in PLUGINS for part in ("-e", f"{plugin}")]
    session.install("-e", ".[all]", *editable, *group("typing", "test"), "nox")
    session.run("mypy", "sfconnect", "tests", "benchmarks", "noxfile.py")
    for plugin in PLUGINS:
        session.run("mypy", str(plugin), env={"MYPYPATH": str(plugin)})
    session.run("pyright", "tests/typing")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    session.install("-e", ".[all]", *group("docs"))
    session.run("sphinx-build", "-nWqE", "--no-color", "--keep-going", "docs", "docs/_build/html")


@nox.session
def counters(session: nox.Session) -> None:
    """Gate what can be counted: Python calls per request, own frames to the socket."""
    install_wheels(session, "bench")
    session.run("pytest", "benchmarks", env=isolated())


@nox.session
def bench(session: nox.Session) -> None:
    """Count, measure against bare aiohttp in the same run, and write benchmarks/report.md."""
    install_wheels(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs, env=isolated())
    session.run("python", "-m", "benchmarks.adaptive", *session.posargs, env=isolated())


@nox.session
def peers(session: nox.Session) -> None:
    """Measure other clients beside ours, and write their part of benchmarks/report.md."""
    install_wheels(session, "bench", "peers")
    # Its package would take the place of simple-salesforce's, so it has a folder of its own.
    folder = Path(session.create_tmp()) / "async-simple-salesforce"
    if not folder.exists():
        session.install("--no-deps", "--target", str(folder), "async-simple-salesforce>=1.12.9b0")
    env = {**isolated(), "BENCHMARKS_ASYNC_SIMPLE_SALESFORCE": str(folder)}
    session.run("python", "-m", "benchmarks.peers", *session.posargs, env=env)


@nox.session
def plugins(session: nox.Session) -> None:
    """Run each plugin's own tests against the wheels."""
    install_wheels(session, "test", plugins="[testing]")
    for plugin in PLUGINS:
        session.run("pytest", f"{plugin}/tests", *session.posargs, env=isolated())


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests against the built wheels, on every interpreter that is there."""
    install_wheels(session, "test", plugins="")
    session.run("pytest", *session.posargs, env=isolated())


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests as `tests` does, and gate the lines and branches of the core that they take."""
    install_wheels(session, "test", plugins="")
    # By the path of its script: -m would put the checkout before the wheels.
    pytest = str(Path(session.bin) / "pytest")
    session.run("coverage", "run", pytest, *TRACED, *session.posargs, env=isolated())
    for part, least in LEAST_COVERAGE.items():
        included = f"--include=*/sfconnect/{part}*"
        session.run("coverage", "report", included, f"--fail-under={least}")


def group(*names: str) -> list[str]:
    """Return the requirements of the named dependency groups of pyproject.toml."""
    return sorted(set(nox.project.dependency_groups(PYPROJECT, *names)))


def isolated() -> dict[str, str | None]:
    """Return variables that keep a developer's own settings out of a test run.

    `SFCONNECT_SAMPLES` passes through: it names a folder of samples, not a setting.
    """
    own = (name for name in os.environ if name.startswith("SFCONNECT_"))
    return dict.fromkeys(name for name in own if name != "SFCONNECT_SAMPLES")


def install_wheels(
    session: nox.Session, *groups: str, extras: str = "all", plugins: str | None = None
) -> None:
    """Install the wheels of the core and the emulator, with the given groups of test tools.

    All other plugins come too if ``plugins`` is the extra to install them with, which may be
    empty: some of the command's tests are about plugins that are really there. The second step
    matters when an environment is used again: pip keeps what it has when the version is the same,
    and the version of a working tree does not change with its content.
    """
    built = wheels(session)
    wanted = {"sfconnect": f"[{extras}]", "sfconnect-emulator": ""}
    if plugins is not None:
        wanted = {**dict.fromkeys(built, plugins), "sfconnect": f"[{extras}]"}
    session.install(*(built[name] + extra for name, extra in wanted.items()), *group(*groups))
    session.install("--force-reinstall", "--no-deps", *(built[name] for name in wanted))


def wheels(session: nox.Session) -> dict[str, str]:
    """Build the wheel of every distribution, once per run, and return the files by project."""
    if not BUILT:
        for old in WHEELHOUSE.glob("*.whl"):
            old.unlink()
        sources = [".", *(f"./{plugin}" for plugin in PLUGINS)]
        target = ("--wheel-dir", str(WHEELHOUSE))
        session.run("python", "-m", "pip", "wheel", "-q", "--no-deps", *target, *sources)
        for path in WHEELHOUSE.glob("*.whl"):
            BUILT[path.name.split("-")[0].replace("_", "-")] = str(path)
    return BUILT

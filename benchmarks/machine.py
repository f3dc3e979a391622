"""What was measured on, and whether it was quiet meanwhile."""

from __future__ import annotations

import os
import platform
import resource
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

PACKAGES: Final = (
    "aiohttp",
    "isal",
    "msgspec",
    "sfconnect",
    "uvloop",
    "aiosalesforce",
    "async-simple-salesforce",
    "httpx",
    "simple-salesforce",
)
BUSY_SHARE: Final = 0.05
"""Of the machine's time; what others take beyond it makes times unfit to be quoted."""


def _load() -> float | None:
    """Processes that ran or waited over the last minute; not every system counts them."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _busy_s() -> float | None:
    """Time that all cores have worked since the machine started, where the system is Linux."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, fields)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    """Time that this process and its children have worked, as far as those have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@dataclass(frozen=True, slots=True)
class Machine:
    """Watches how much of the machine's time others take while a part is measured."""

    started: float = field(default_factory=time.perf_counter)
    busy_s: float | None = field(default_factory=_busy_s)
    own_s: float = field(default_factory=_own_s)
    load: float | None = field(default_factory=_load)

    def others_share(self) -> float | None:
        """The share of all cores that others have used since; None where nobody counts that."""
        busy_s = _busy_s()
        if busy_s is None or self.busy_s is None:
            return None
        wall = (time.perf_counter() - self.started) * (os.cpu_count() or 1)
        others = (busy_s - self.busy_s) - (_own_s() - self.own_s)
        return max(others / wall, 0.0)

    def facts(self) -> list[str]:
        """Say what was measured on, and whether it was quiet."""
        share, load = self.others_share(), self.load
        lines = [
            f"- Date: {datetime.now(UTC):%Y-%m-%d}",
            f"- Machine: {_name()}",
            f"- Load average before: {'unknown' if load is None else f'{load:.1f}'}; taken by "
            f"other work meanwhile: {'unknown' if share is None else f'{share:.0%}'} of the cores",
            f"- Software: {_software()}",
        ]
        if (share or 0.0) > BUSY_SHARE:
            lines += ["", "**The machine was busy with other work: the times below are too long.**"]
        return lines


def _name() -> str:
    return f"{os.cpu_count()} cores, {_processor()}, {platform.system()} {platform.release()}"


def _processor() -> str:
    """The processor's name, where the system tells it in the Linux way."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _software() -> str:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    versions = {name: _version(name) for name in PACKAGES}
    return ", ".join([python, *(f"{name} {text}" for name, text in versions.items() if text)])


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None

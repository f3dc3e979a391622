"""Run the demo: two logins read three objects at once from an org that makes trouble."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from anyio import create_task_group
from anyio.to_thread import run_sync

from sfconnect.auth.base import AuthStrategy
from sfconnect.cli.demo import trouble
from sfconnect.cli.demo.org import Announcement, Stage, running_org
from sfconnect.cli.demo.proof import Content, content_of
from sfconnect.cli.extracting import Screen
from sfconnect.cli.output import listed
from sfconnect.etl import CallTally, ObjectReport, extract
from sfconnect.etl.files import check_destination
from sfconnect.instrumentation import Event, TokenReplaced
from sfconnect.salesforce.auth import ClientCredentials, JwtBearer
from sfconnect.salesforce.client import Salesforce
from sfconnect.stats import SessionStats
from sfconnect.transport import ConnectionPool


@dataclass(frozen=True, slots=True)
class Share:
    """The objects that one login reads."""

    login: str
    objects: tuple[str, ...]


SHARES = (
    Share("jwt-bearer", ("Account", "Contact")),
    Share("client-credentials", ("Opportunity",)),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to be so, and what was found."""

    name: str
    ok: bool
    found: str


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What happened."""

    objects: tuple[ObjectReport, ...]
    seconds: float
    calls: int
    attempts: int
    bytes_in: int
    retries: Mapping[str, int]
    logins: Mapping[str, tuple[str, ...]]
    """Why each login logged in, in order."""
    faults: Mapping[str, int]
    checks: tuple[Check, ...] = ()

    @property
    def rows(self) -> int:
        """Rows on disk."""
        return sum(one.rows for one in self.objects)

    @property
    def ok(self) -> bool:
        """Whether everything is proven."""
        return all(check.ok for check in self.checks)


@dataclass(slots=True)
class _Login:
    """One connection of the demo, and what it saw."""

    share: Share
    strategy: AuthStrategy
    tally: CallTally = field(default_factory=CallTally)
    reasons: list[str] = field(default_factory=list)
    reports: tuple[ObjectReport, ...] = ()
    stats: SessionStats | None = None

    def __call__(self, event: Event, /) -> None:
        if isinstance(event, TokenReplaced):
            self.reasons.append(event.reason)

    async def read(self, pool: ConnectionPool, folder: Path, screen: Screen) -> None:
        hooks = (self, self.tally)
        async with Salesforce.connect(self.strategy, transport=pool, hooks=hooks) as sf:
            report = await extract(
                sf,
                self.share.objects,
                folder,
                "parquet",
                on_progress=screen.show,
                tally=self.tally,
            )
            self.reports, self.stats = report.objects, sf.stats()


async def run_demo(
    folder: Path, rows: Mapping[str, int], screen: Screen, *, seed: int, latency_ms: int
) -> DemoReport:
    """Start the org, read it through its trouble, and prove what is on disk.

    Raises:
        ConfigurationError: The emulator or pyarrow is missing, or the folder cannot be written.
        SfConnectError: Reading failed in spite of all retries.
    """
    await run_sync(check_destination, folder)
    total = sum(rows.values())
    screen.say(f"Starting an org on loopback: {total:,} rows, {latency_ms} ms latency, seed {seed}")
    async with running_org(rows, seed=seed, latency_ms=latency_ms) as org, ConnectionPool() as pool:
        stage = Stage(pool, org.control_url)
        await stage.add_faults(trouble.rules())
        screen.say("Reading it with two logins at once, while it makes trouble")
        logins = _logins(org)
        started = time.monotonic()
        async with create_task_group() as group:
            for login in logins:
                group.start_soon(login.read, pool, folder, screen)
        seconds = time.monotonic() - started
        faults = (await stage.statistics())["faults"]
        screen.say("Comparing the files with the org")
        checks = [*_of_trouble(logins, faults), *await _of_content(stage, logins)]
    return _report(logins, seconds, faults, checks)


def _logins(org: Announcement) -> list[_Login]:
    strategies: dict[str, AuthStrategy] = {
        "jwt-bearer": JwtBearer(
            login_url=org.login_url,
            client_id=org.client_id,
            username=org.username,
            private_key_file=Path(org.private_key_file),
        ),
        "client-credentials": ClientCredentials(
            login_url=org.login_url, client_id=org.client_id, client_secret=org.client_secret
        ),
    }
    return [_Login(share, strategies[share.login]) for share in SHARES]


def _of_trouble(logins: Iterable[_Login], faults: Mapping[str, int]) -> Iterable[Check]:
    """Check that the org made all its trouble, and that it cost no login more than it had to.

    Each login logs in at the start, and once more for the revoked session.
    """
    yield Check("the org made its trouble", dict(faults) == trouble.planned(), listed(faults))
    for login in logins:
        needed = ["initial", "rejected"]
        found = ", ".join(login.reasons)
        name = f"{login.share.login} logged in no more than needed"
        yield Check(name, login.reasons == needed, found)


async def _of_content(stage: Stage, logins: Iterable[_Login]) -> list[Check]:
    checks = []
    for report in (one for login in logins for one in login.reports):
        content = await run_sync(content_of, report.path)
        rows, sha256 = await stage.content(report.object, content.columns)
        checks.append(_compared(report, content, rows, sha256))
    return checks


def _compared(report: ObjectReport, content: Content, rows: int, sha256: str) -> Check:
    same = content.rows == rows == report.rows and content.sha256 == sha256
    found = f"{content.rows:,} of {rows:,} rows, SHA-256 {content.sha256[:12]}…"
    if content.sha256 != sha256:
        found += f", and the org has {sha256[:12]}…"
    return Check(f"{report.path.name} is the org's {report.object}", same, found)


def _report(
    logins: Iterable[_Login], seconds: float, faults: Mapping[str, int], checks: Iterable[Check]
) -> DemoReport:
    logins = tuple(logins)
    stats = [login.stats for login in logins if login.stats is not None]
    retries: Counter[str] = Counter()
    for one in stats:
        retries.update(one.retries)
    return DemoReport(
        objects=tuple(one for login in logins for one in login.reports),
        seconds=seconds,
        calls=sum(one.calls for one in stats),
        attempts=sum(one.attempts for one in stats),
        bytes_in=sum(one.bytes_in for one in stats),
        retries=dict(retries),
        logins={login.share.login: tuple(login.reasons) for login in logins},
        faults=dict(faults),
        checks=tuple(checks),
    )

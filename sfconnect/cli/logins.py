"""The logins there are, and those that could be installed, with what is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sfconnect.auth.options import options_of
from sfconnect.auth.registry import APPLICATION, OWN_DISTRIBUTION, STRATEGIES, PluginReport
from sfconnect.cli.explained import HOMES, Explanation, explanation_of
from sfconnect.cli.failures import sentence
from sfconnect.cli.guide import Guide
from sfconnect.config import did_you_mean
from sfconnect.errors import PluginError

if TYPE_CHECKING:
    from sfconnect.auth.base import AuthStrategy
    from sfconnect.auth.options import OptionSpec
    from sfconnect.auth.registry import Registry


@dataclass(frozen=True, slots=True)
class Known:
    """One login: its name, where it is from, and whether it can be used here."""

    name: str
    origin: str
    """``built-in``, ``plugin``, ``application``, or ``not installed``."""
    distribution: str
    version: str
    summary: str
    options: tuple[OptionSpec, ...] = ()
    broken: str | None = None
    unavailable: str | None = None

    @property
    def home(self) -> str:
        """Where it is from, in words."""
        if self.origin == "built-in":
            return f"built in, {self.distribution} {self.version}"
        if self.origin == "not installed":
            return f"not installed, {self.distribution}"
        return f"{self.origin}, {self.distribution} {self.version}".rstrip()


def known_logins(registry: Registry[AuthStrategy] = STRATEGIES) -> list[Known]:
    """All logins by name: built in, of plugins, broken ones, and ours that are not installed."""
    installed = [_installed(report, registry) for report in registry.check()]
    names = {login.name for login in installed}
    missing = [_missing(name) for name in HOMES if name not in names]
    return sorted([*installed, *missing], key=lambda login: (login.name, login.distribution))


def _installed(report: PluginReport, registry: Registry[AuthStrategy]) -> Known:
    origin = {OWN_DISTRIBUTION: "built-in", APPLICATION: "application"}
    return Known(
        report.name,
        origin.get(report.distribution, "plugin"),
        report.distribution,
        report.version,
        report.summary,
        options_of(registry.load(_qualified(report))) if report.ok else (),
        broken=None if report.error is None else sentence(report.error),
        unavailable=report.unavailable,
    )


def _qualified(plugin: Any) -> str:
    return f"{plugin.distribution}:{plugin.name}"


def _missing(name: str) -> Known:
    explanation = explanation_of(name)
    return Known(
        name,
        "not installed",
        HOMES[name],
        "",
        explanation.purpose if explanation else "",
        unavailable=f"It is not installed. Run: pip install {HOMES[name]}",
    )


def guide_to(name: str, registry: Registry[AuthStrategy] = STRATEGIES) -> Guide:
    """Gather all that can be said of a login.

    Raises:
        PluginError: There is no such login, its plugin is broken, or two have the name.
    """
    logins = known_logins(registry)
    login = next((one for one in logins if name in {one.name, _qualified(one)}), None)
    if login is None:
        names = {one.name for one in logins}
        message = f"There is no login {name!r}."
        raise PluginError(message, hint=did_you_mean(name.rpartition(":")[2], names, kind="logins"))
    if login.origin == "not installed":
        return Guide(login.name, login.home, _explanation(login), (), login.unavailable)
    cls = registry.load(name)
    explanation = _explanation(login, cls.__doc__ or "")
    return Guide(login.name, login.home, explanation, login.options, login.unavailable)


def _explanation(login: Known, docstring: str = "") -> Explanation:
    """Ours where the login is ours: a plugin of others may use the name for another thing."""
    ours = login.distribution in {OWN_DISTRIBUTION, HOMES.get(login.name)}
    return (explanation_of(login.name) if ours else None) or _of_docstring(login, docstring)


def _of_docstring(login: Known, docstring: str) -> Explanation:
    """Make do with what the author wrote; a dataclass without a docstring has its signature."""
    if not login.summary:
        return Explanation("Its author has not said what it is for.")
    return Explanation(" ".join(docstring.strip().partition("\n\n")[0].split()))

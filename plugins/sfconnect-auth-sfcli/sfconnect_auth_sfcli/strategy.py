"""The strategy: ask the CLI which org it is logged in to, and for a token of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sfconnect import Secret
from sfconnect.auth import AuthContext, Credentials, option
from sfconnect.errors import ConfigurationError
from sfconnect_auth_sfcli.answers import Org, explain_unknown_command, read_org, read_token
from sfconnect_auth_sfcli.process import missing, run

_COMMAND = "sf"
_DISPLAY = ("org", "display")
_SHOW_TOKEN = ("org", "auth", "show-access-token", "--no-prompt")
_UNSAFE = frozenset("\"'&|<>^%!`$;()")
"""What cmd.exe would act upon: on Windows the CLI is a batch file, and that reads its arguments."""


@dataclass(frozen=True, slots=True)
class SfCli:
    """Use the login of the Salesforce CLI; whenever a token is refused, the CLI is asked again."""

    plugin_api: ClassVar[int] = 1

    target_org: str | None = option(
        help="Alias or username of the org; left out, the CLI's own default.",
        default=None,
        env="SF_TARGET_ORG",
        example="ada@example.com.uat",
    )
    command: str = option(help="Name or path of the CLI's executable.", default=_COMMAND)
    timeout_s: float = option(help="Seconds that one call of the CLI may take.", default=60.0)

    def __post_init__(self) -> None:
        if self.target_org is not None:
            _check_org(self.target_org)
        if not self.command.strip():
            raise ConfigurationError("command is empty.", hint="Leave it out, or name the CLI: sf.")
        if not self.timeout_s > 0:
            message = f"timeout_s must be more than 0, not {self.timeout_s:g}."
            raise ConfigurationError(message)

    @classmethod
    def availability(cls) -> str | None:
        """Tell that the CLI is not in ``PATH``; whether it is logged in, only a login can tell."""
        return missing(_COMMAND)

    async def authenticate(self, context: AuthContext) -> Credentials:
        """Ask for the org, and for a token of that very org.

        A CLI that still shows tokens in ``org display`` is asked once.

        Raises:
            CredentialUnavailableError: There is no CLI, or it is logged in to no such org.
            ReauthorizationRequired: Its login has ended.
            AuthConfigurationError: The CLI keeps the token to itself, or the org is gone.
        """
        org = await self._display()
        token = org.access_token or await self._show_token(org)
        facts = {"username": org.username, "org_id": org.org_id}
        return Credentials(
            token,
            org.instance_url,
            issued_at=context.clock.time(),
            extra={name: value for name, value in facts.items() if value},
        )

    async def _display(self) -> Org:
        chosen = () if self.target_org is None else ("--target-org", self.target_org)
        answer = await run(self.command, (*_DISPLAY, *chosen, "--json"), self.timeout_s)
        return read_org(answer, self.target_org)

    async def _show_token(self, org: Org) -> Secret:
        # By username: the default org may be another one by now, and a token must not go there.
        words = (*_SHOW_TOKEN, "--target-org", org.username, "--json")
        answer = await run(self.command, words, self.timeout_s)
        explain_unknown_command(answer)
        return read_token(answer, org.username)


def _check_org(name: str) -> None:
    is_word = name.isprintable() and not any(character.isspace() for character in name)
    if name and is_word and not name.startswith("-") and not _UNSAFE & set(name):
        return
    message = f"target_org {name!r} is neither an alias nor a username."
    raise ConfigurationError(message, hint="`sf org list` shows both.")

"""The strings behind the stage: what tests and demos may do to a running org."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from sfconnect_emulator.capacity import Capacity
from sfconnect_emulator.faults import Rule, rules_from
from sfconnect_emulator.instance import Instance
from sfconnect_emulator.ledger import Write
from sfconnect_emulator.limits import DAILY_API_REQUESTS
from sfconnect_emulator.oauth.apps import ConnectedApp
from sfconnect_emulator.oauth.devices import DeviceRequest
from sfconnect_emulator.oauth.errors import OAuthError
from sfconnect_emulator.oauth.org_policies import OrgPolicies
from sfconnect_emulator.oauth.people import Person
from sfconnect_emulator.oauth.trusted_issuers import TrustedIssuer
from sfconnect_emulator.saml_issuer import SamlDraft


class Control:
    """Every operation of the control API, callable directly."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def reset(self) -> None:
        """Undo everything that was done here, and start counting anew.

        Rows and tokens stay; the announced refresh token works again if it did not.
        """
        instance = self._instance
        instance.faults.clear()
        instance.clock.reset()
        instance.statistics.reset()
        instance.ledger.clear()
        instance.usage.reset()
        instance.usage.maximum = DAILY_API_REQUESTS
        instance.latency_ms = instance.settings.latency_ms
        instance.tokens.ttl_s = instance.settings.token_ttl_s
        instance.capacity = Capacity()
        instance.authorization.state.reset()
        instance.approve_first()

    def add_faults(self, rules: object) -> int:
        """Put rules behind those in force: ``Rule`` values, or what JSON gives for them.

        Returns how many rules there are now.

        Raises:
            FaultFileError: a rule that cannot be read.
        """
        return self._instance.faults.add(rules_from(rules))

    def clear_faults(self) -> None:
        """Drop all rules."""
        self._instance.faults.clear()

    def faults(self) -> tuple[Rule, ...]:
        """The rules in force."""
        return tuple(self._instance.faults.rules)

    def revoke_tokens(self, token: str | None = None, *, refresh_tokens: bool = False) -> int:
        """Revoke one token, or all access tokens, or all tokens; returns how many were alive."""
        admission = self._instance.authorization.state.admission
        if token is not None:
            return int(admission.revoke(token))
        if refresh_tokens:
            return admission.revoke_everything()
        return self._instance.tokens.revoke_sessions()

    def set_token_ttl(self, seconds: float) -> None:
        """Set how long an unused access token lives, also for tokens already issued."""
        self._instance.tokens.ttl_s = seconds

    def advance_clock(self, seconds: float) -> datetime:
        """Move the org's clock; negative values move it back."""
        return self._instance.clock.advance(seconds)

    def freeze_clock(self, at: datetime | None = None) -> datetime:
        """Stop the org's clock, at an instant or where it stands."""
        return self._instance.clock.freeze(at)

    def reset_clock(self) -> None:
        """Return to real time."""
        self._instance.clock.reset()

    def set_latency(self, milliseconds: float) -> None:
        """Set how long every answer waits before it is sent."""
        self._instance.latency_ms = milliseconds

    def set_capacity(self, capacity: Capacity) -> None:
        """Set how many requests are worked on at once, and what the others meet."""
        self._instance.capacity = capacity

    def set_daily_api_requests(self, maximum: int) -> None:
        """Set the daily quota of API requests; beyond it every call is refused with 403."""
        self._instance.usage.maximum = maximum

    def expire_locators(self) -> None:
        """Forget every open query locator, as happens after two days."""
        self._instance.queries.locators.expire_all()

    def apps(self) -> tuple[ConnectedApp, ...]:
        """The registered apps."""
        return tuple(self._instance.apps)

    def add_app(self, app: ConnectedApp) -> ConnectedApp:
        """Register an app."""
        return self._instance.apps.add(app)

    def change_app(self, client_id: str, changes: Mapping[str, object]) -> ConnectedApp:
        """Change policies of an app. Another secret ends all tokens of the app, as on the platform.

        Raises:
            KeyError: no such app.
            ValueError: an unknown policy or a value of the wrong kind.
        """
        before = {app.client_id: app.client_secret for app in self._instance.apps}
        app = self._instance.apps.change(client_id, changes)
        if app.client_secret != before[client_id]:
            self._instance.tokens.revoke_app(client_id)
        return app

    def authorize(self, url: str, *, username: str | None = None, allow: bool = True) -> str:
        """Log in and decide at an authorization URL, as a user without a browser.

        Returns where the browser would have gone: the app's callback with a code or an error.

        Raises:
            KeyError: no such user.
            ValueError: the org would have answered with a page of its own, which says this.
        """
        user = self._user(username)
        try:
            authorize = self._instance.authorization.authorize
            return authorize.decide(urlsplit(url).query, user, allow=allow)
        except OAuthError as error:
            raise ValueError(str(error)) from None

    def devices(self) -> tuple[DeviceRequest, ...]:
        """The devices that wait for their users, or for the time to ask again."""
        return tuple(self._instance.authorization.state.devices)

    def answer_device(
        self, user_code: str, *, username: str | None = None, allow: bool = True
    ) -> None:
        """Enter the code of a device and decide, as a user without a browser.

        Raises:
            KeyError: no such user, or no device waits under this code.
        """
        flow, user = self._instance.authorization.device_flow, self._user(username)
        found = flow.waiting(user_code)
        if found is None:
            raise KeyError(user_code)
        flow.decide(found[0], user, allow=allow)

    def set_device_interval(self, seconds: float) -> None:
        """Set how long devices have to wait between two questions, for codes issued from now on."""
        self._instance.authorization.state.devices.interval_s = seconds

    def saml_assertion(
        self,
        *,
        username: str | None = None,
        audience: str = "https://login.salesforce.com",
        valid_s: float = 300,
    ) -> str:
        """Sign an assertion about a user, as the identity provider of the first app would.

        Without ``username`` it is about the announced user, whether somebody has this name or not.
        """
        instance = self._instance
        now, app = instance.clock.time(), instance.registration
        return SamlDraft(
            issuer=app.client_id,
            name_id=username or instance.org.user.username,
            audience=audience,
            recipient=instance.authorization.state.token_url,
            begins_at=now,
            ends_at=now + valid_s,
        ).signed(app.keys.private_key)

    def trusted_issuers(self) -> tuple[TrustedIssuer, ...]:
        """The identity providers whose tokens can be exchanged; the first is the default."""
        return tuple(self._instance.authorization.state.issuers)

    def trust_issuer(self, issuer: TrustedIssuer) -> None:
        """Take the tokens of an identity provider in exchange, or change what is known of it."""
        self._instance.authorization.state.issuers.add(issuer)

    def distrust_issuer(self, handler: str) -> None:
        """Take the tokens of a provider no longer.

        Raises:
            KeyError: no handler has this name.
        """
        self._instance.authorization.state.issuers.remove(handler)

    def set_data360_token_life(self, seconds: int) -> None:
        """Set how long tokens for Data 360 live, for those issued from now on."""
        self._instance.authorization.state.data360_token_life_s = seconds

    def org_policies(self) -> OrgPolicies:
        """What the org as a whole lets apps and users do."""
        return self._instance.apps.org

    def change_org(self, changes: Mapping[str, object]) -> OrgPolicies:
        """Change policies of the org by name. The sessions of users who are frozen now end.

        Raises:
            ValueError: an unknown policy or a value of the wrong kind.
        """
        instance = self._instance
        org = instance.apps.org = instance.apps.org.changed(changes)
        for username in org.frozen_users:
            user = instance.directory.by_username(username)
            if user is not None:
                instance.tokens.revoke_user(user.user_id)
        return org

    def statistics(self) -> dict[str, object]:
        """Counts of requests, logins, rows and faults since the start or the last reset."""
        instance = self._instance
        return {
            **instance.statistics.snapshot(),
            "api_usage": instance.usage.used,
            "live_sessions": sum(1 for _ in instance.tokens.live()),
            "writes": instance.ledger.count,
        }

    def content_hash(self, object_name: str, fields: Sequence[str]) -> str:
        """Hash the live rows of an object, to prove an extract; see ``Store.content_hash``.

        Raises:
            ApiError: an unknown object or field.
        """
        return self._instance.store.content_hash(object_name, fields)

    def count(self, object_name: str) -> int:
        """Count the live rows of an object.

        Raises:
            ApiError: an unknown object.
        """
        return self._instance.store.count(object_name)

    def ledger(self) -> tuple[Write, ...]:
        """What the org really wrote, oldest first."""
        return self._instance.ledger.writes

    def _user(self, username: str | None) -> Person:
        """The user with this login name, or the one for whom clients act."""
        name = username or self._instance.org.user.username
        user = self._instance.directory.by_username(name)
        if user is None:
            raise KeyError(name)
        return user

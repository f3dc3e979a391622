"""The Salesforce client: every surface, on one connection."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sfconnect.connector import Connector
from sfconnect.errors import ConfigurationError, QueryError
from sfconnect.limits import read_limits
from sfconnect.salesforce.bulk_errors import SURFACE, is_bulk
from sfconnect.salesforce.hosts import host_of, is_shared_login
from sfconnect.salesforce.identity import (
    ORGANIZATION_SOQL,
    identity_call,
    user_soql,
    who_am_i,
)
from sfconnect.salesforce.query import Query
from sfconnect.salesforce.resources import decode_row
from sfconnect.salesforce.rest import (
    SObject,
    describe_global_call,
    limits_call,
    versions_call,
)
from sfconnect.salesforce.service import DEFAULT_API_VERSION, SalesforceService

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sfconnect._types import JsonValue
    from sfconnect.auth.resolve import Resolved
    from sfconnect.call import Call
    from sfconnect.limits import Quota
    from sfconnect.messages import ParamValue, Replay, Response
    from sfconnect.salesforce.identity import Identity, WhoAmI
    from sfconnect.salesforce.resources import Row
    from sfconnect.service import Service

_VERSION = re.compile(r"v?(\d{2,3})(?:\.0)?")
_OLDEST = 41


class Salesforce(Connector):
    """A connection to one org as one user.

    ``api_version`` is an option of :meth:`connect`, as is everything that the strategy takes.
    """

    _version = DEFAULT_API_VERSION

    def _service(self, resolved: Resolved) -> Service:
        settings = resolved.settings
        if settings.base_url is not None:
            message = "Salesforce takes its host from the login; base_url has no meaning here."
            hint = "Give login_url or instance_url; base_url is for Connector.connect."
            raise ConfigurationError(message, hint=hint)
        if settings.api_version is not None:
            self._version = _checked_version(settings.api_version)
        return SalesforceService(api_version=self._version)

    def _limit_scope(self, resolved: Resolved) -> str:
        """Name the org, as far as the login tells: its limits are for all of its users."""
        login = resolved.strategy
        for name in ("instance_url", "login_url"):
            url = getattr(login, name, None)
            if isinstance(url, str) and url and not is_shared_login(url):
                return host_of(url)
        return super()._limit_scope(resolved)

    @property
    def api_version(self) -> str:
        """The API version that this connection speaks, such as ``68.0``."""
        return self._version

    def sobject(self, name: str) -> SObject:
        """Name an object, to work on its records.

        Raises:
            ConfigurationError: It cannot be an API name.
        """
        return SObject(self, self._version, name)

    def query(
        self, soql: str, *, page_rows: int | None = None, ahead: int = 2, surface: str = "query"
    ) -> Query:
        """Describe a query; see :class:`sfconnect.salesforce.query.Query`."""
        return Query(self, self._version, soql, page_rows=page_rows, ahead=ahead, surface=surface)

    def query_all(self, soql: str, *, page_rows: int | None = None, ahead: int = 2) -> Query:
        """Describe a query that includes deleted and archived rows."""
        return Query(self, self._version, soql, deleted=True, page_rows=page_rows, ahead=ahead)

    def describe_global(self) -> Call[dict[str, Any]]:
        """List every object that the user may see."""
        return describe_global_call(self, self._version)

    def limits(self) -> Call[dict[str, Any]]:
        """Read the org's quotas: ``{name: {"Max", "Remaining"}}``; needs View Setup.

        Those of the Bulk APIs are in ``stats().quotas`` from then on.
        """
        return replace(limits_call(self, self._version), decode=self._noted)

    def quotas(self) -> Call[dict[str, Quota]]:
        """Read the org's quotas as values; needs View Setup, and counts as one request.

        What every answer tells by itself is in ``stats().quotas``.
        """
        return replace(self.limits(), decode=lambda response: read_limits(self._noted(response)))

    def _noted(self, response: Response) -> Row:
        row = decode_row(response)
        if self._session is not None and self._session.allocations is not None:
            self._session.allocations.read(response)
        return row

    def versions(self) -> Call[list[dict[str, Any]]]:
        """List the API versions that the org speaks."""
        return versions_call(self)

    def identity(self) -> Call[Identity]:
        """Ask who the user behind the token is."""
        return identity_call(self)

    async def whoami(self) -> WhoAmI:
        """Tell which user the calls run as, with what profile, and in which org.

        Three requests, one after the other, since the first names the user of the second. What
        the user may not read is None.

        Raises:
            AccessDeniedError: The token may not call the API.
        """
        identity = await self.identity()
        user = await self._own_row(identity.user_id)
        organization = await self._organization()
        credentials = await self.credentials()
        return who_am_i(
            identity,
            user,
            organization,
            instance_url=credentials.instance_url,
            api_version=self._version,
        )

    async def _own_row(self, user_id: str) -> Row | None:
        try:
            return await self.query(user_soql(user_id)).first()
        except QueryError:  # some users may not read profiles; their fields do not exist for them
            return await self.query(user_soql(user_id, with_profile=False)).first()

    async def _organization(self) -> Row | None:
        try:
            return await self.query(ORGANIZATION_SOQL).first()
        except QueryError:
            return None

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, ParamValue] | None = None,
        json: JsonValue | None = None,
        headers: Mapping[str, str] | None = None,
        replay: Replay | None = None,
        surface: str | None = None,
    ) -> Call[Any]:
        """Describe a call of any resource; see :meth:`Connector.request`.

        A path without a leading slash is below the connection's API version: ``limits`` is
        ``/services/data/v68.0/limits``. Those of the Bulk APIs have the surface ``bulk``.
        """
        if not path.startswith(("/", "https://", "http://")):
            path = f"/services/data/v{self._version}/{path}"
        return super().request(
            method,
            path,
            params=params,
            json=json,
            headers=headers,
            replay=replay,
            surface=surface,
        )

    def _surface_of(self, path: str) -> str:
        return SURFACE if is_bulk(path) else super()._surface_of(path)


def _checked_version(version: str) -> str:
    found = _VERSION.fullmatch(version.strip())
    if found is None:
        message = f"api_version {version!r} is not a version."
        raise ConfigurationError(message, hint=f"Write it like {DEFAULT_API_VERSION!r}.")
    if int(found[1]) < _OLDEST:
        message = f"API version {version} is older than {_OLDEST}.0, the oldest supported here."
        raise ConfigurationError(message, hint=f"Leave it out to use {DEFAULT_API_VERSION}.")
    return f"{found[1]}.0"

"""Quotas of an org: the API usage of the last 24 hours and the list that ``/limits`` gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sfconnect_emulator.clock import Clock

_HOUR_S = 3600
_WINDOW_HOURS = 24
DAILY_API_REQUESTS = 5_000_000

# Name -> maximum, in the alphabetical order that orgs answer in.
_MAXIMA: Mapping[str, int] = {
    "ActiveScratchOrgs": 40,
    "ConcurrentAsyncGetReportInstances": 200,
    "ConcurrentSyncReportRuns": 20,
    "DailyApiRequests": DAILY_API_REQUESTS,
    "DailyAsyncApexExecutions": 250_000,
    "DailyAsyncApexTests": 500,
    "DailyBulkApiBatches": 15_000,
    "DailyBulkV2QueryFileStorageMB": 976_562,
    "DailyBulkV2QueryJobs": 10_000,
    "DailyDeliveredPlatformEvents": 50_000,
    "DailyDurableGenericStreamingApiEvents": 200_000,
    "DailyDurableStreamingApiEvents": 200_000,
    "DailyFunctionsApiCallLimit": 235_000,
    "DailyGenericStreamingApiEvents": 10_000,
    "DailyScratchOrgs": 80,
    "DailyStandardVolumePlatformEvents": 25_000,
    "DailyStreamingApiEvents": 200_000,
    "DailyWorkflowEmails": 418_000,
    "DataStorageMB": 10_240,
    "DurableStreamingApiConcurrentClients": 1_000,
    "FileStorageMB": 10_240,
    "HourlyAsyncReportRuns": 1_200,
    "HourlyDashboardRefreshes": 200,
    "HourlyDashboardResults": 5_000,
    "HourlyDashboardStatuses": 999_999_999,
    "HourlyLongTermIdMapping": 100_000,
    "HourlyManagedContentPublicRequests": 50_000,
    "HourlyODataCallout": 20_000,
    "HourlyPublishedPlatformEvents": 250_000,
    "HourlyPublishedStandardVolumePlatformEvents": 1_000,
    "HourlyShortTermIdMapping": 100_000,
    "HourlySyncReportRuns": 500,
    "HourlyTimeBasedWorkflow": 1_000,
    "MassEmail": 5_000,
    "MonthlyPlatformEventsUsageEntitlement": 0,
    "Package2VersionCreates": 6,
    "Package2VersionCreatesWithoutValidation": 500,
    "PermissionSets": 1_500,
    "PublishCallbackUsageInApex": 630_720,
    "SingleEmail": 5_000,
    "StreamingApiConcurrentClients": 2_000,
}
# Before v49 the batches of Bulk API went by another name.
_RENAMED_BEFORE_49 = {"DailyBulkApiBatches": "DailyBulkApiRequests"}
_RENAMED_IN = 49


@dataclass(slots=True)
class ApiUsage:
    """Requests of the last 24 hours, counted by the hour, against a daily maximum."""

    clock: Clock
    maximum: int = DAILY_API_REQUESTS
    _hours: dict[int, int] = field(default_factory=dict)
    _used: int = 0
    _hour: int = -1

    def count(self) -> bool:
        """Count one request; False, and no count, when the day's quota is used up."""
        self._roll()
        if self._used >= self.maximum:
            return False
        self._hours[self._hour] = self._hours.get(self._hour, 0) + 1
        self._used += 1
        return True

    @property
    def used(self) -> int:
        """Requests counted in the window."""
        self._roll()
        return self._used

    def reset(self) -> None:
        """Start from zero."""
        self._hours.clear()
        self._used = 0

    def header(self) -> str:
        """The value of ``Sforce-Limit-Info``."""
        return f"api-usage={self._used}/{self.maximum}"

    def _roll(self) -> None:
        hour = int(self.clock.time() // _HOUR_S)
        if hour == self._hour:
            return
        self._hour = hour
        kept = {at: n for at, n in self._hours.items() if hour - _WINDOW_HOURS < at <= hour}
        self._hours = kept
        self._used = sum(kept.values())


def limits_document(usage: ApiUsage, version: int) -> dict[str, object]:
    """The answer of ``/limits``: API requests as they are, every other quota untouched."""
    document: dict[str, object] = {}
    for name, maximum in _MAXIMA.items():
        shown = _RENAMED_BEFORE_49.get(name, name) if version < _RENAMED_IN else name
        document[shown] = {"Max": maximum, "Remaining": maximum}
    remaining = max(0, usage.maximum - usage.used)
    document["DailyApiRequests"] = {"Max": usage.maximum, "Remaining": remaining}
    document["PermissionSets"] = {
        "Max": 1_500,
        "Remaining": 1_499,
        "CreateCustom": {"Max": 1_000, "Remaining": 999},
    }
    return document

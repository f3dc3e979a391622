"""Events as OpenTelemetry spans and metrics; needs the extra ``otel``.

.. code-block:: python

    from sfconnect.otel import OtelHook

    async with Salesforce.connect(auth, hooks=[OtelHook()]) as sf:
        ...

Names follow the semantic conventions for HTTP clients (version 1.27 and later). Prometheus is
served by OpenTelemetry's own exporter.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from sfconnect._version import VERSION
from sfconnect.errors import ConfigurationError
from sfconnect.instrumentation import (
    JOB_ENDS,
    CircuitOpened,
    Event,
    HedgeSent,
    JobAdvanced,
    LimitChanged,
    LoginRateHigh,
    QuotaSeen,
    RequestFinished,
    RetryScheduled,
    TokenFailed,
    TokenReplaced,
)

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter, MeterProvider
    from opentelemetry.trace import Tracer, TracerProvider

    AttributeMap = dict[str, str | int]

_SCOPE: Final = "sfconnect"
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Bounds that the conventions advise for ``http.client.request.duration``."""
_FIRST_ERROR: Final = 400
_USUAL_PORTS: Final = {"https": 443, "http": 80}
_USER: Final = re.compile(r"(?<=://)[^/]*@")
_METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
)
"""Those that the conventions know; another one is told as ``_OTHER``, so that values stay few."""


class OtelHook:
    """Tell OpenTelemetry of requests, retries, logins, limits, quotas and long work.

    Each attempt of a call is a span of kind CLIENT below the span that is current where the call
    was made; ``url.full`` is its address without query and user part, and no body is told. Without
    providers, the global ones are used, which do nothing unless the application has set them up.

    Metrics: ``http.client.request.duration`` in seconds; the counters ``sfconnect.retries``,
    ``sfconnect.circuit.opened``, ``sfconnect.hedges``, ``sfconnect.logins``,
    ``sfconnect.login.failures``, ``sfconnect.login.rate_high`` and ``sfconnect.jobs``; the gauges
    ``sfconnect.limit``, ``sfconnect.quota.used``, ``sfconnect.quota.maximum``,
    ``sfconnect.job.done`` and ``sfconnect.job.total``.

    Raises:
        ConfigurationError: The extra is not installed.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        try:
            from opentelemetry import metrics, trace
        except ImportError as error:
            message = "OpenTelemetry is not installed."
            raise ConfigurationError(message, hint="pip install 'sfconnect[otel]'") from error
        self._tracer = trace.get_tracer(_SCOPE, VERSION, tracer_provider)
        self._meters = _Meters(metrics.get_meter(_SCOPE, VERSION, meter_provider))

    def __call__(self, event: Event, /) -> None:
        """Take one event; those without a meaning here are passed over."""
        match event:
            case RequestFinished():
                attributes = _attributes(event)
                self._meters.duration.record(event.elapsed_ms / 1000, attributes)
                _record_span(self._tracer, event, attributes)
            case RetryScheduled():
                self._meters.retries.add(1, {"reason": event.reason, "surface": event.surface})
            case CircuitOpened():
                self._meters.circuits.add(1, _server(f"https://{event.server}"))
            case HedgeSent():
                self._meters.hedges.add(1, {"surface": event.surface})
            case TokenReplaced() | TokenFailed() | LoginRateHigh():
                self._meters.note_login(event)
            case LimitChanged():
                self._meters.limit.set(event.limit, {"lane": event.lane})
            case QuotaSeen():
                self._meters.quota_used.set(event.used, {"quota": event.quota})
                self._meters.quota_maximum.set(event.maximum, {"quota": event.quota})
            case JobAdvanced():
                self._meters.note_job(event)


class _Meters:
    """The instruments, each made once."""

    def __init__(self, meter: Meter) -> None:
        self.duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.retries = meter.create_counter(
            "sfconnect.retries", unit="{retry}", description="Attempts that were repeated."
        )
        self.circuits = meter.create_counter(
            "sfconnect.circuit.opened",
            unit="{event}",
            description="Times that a server was found to be away, or still to be.",
        )
        self.hedges = meter.create_counter(
            "sfconnect.hedges", unit="{request}", description="Late reads asked for twice."
        )
        self.logins = meter.create_counter(
            "sfconnect.logins", unit="{login}", description="Logins that gave new credentials."
        )
        self.login_failures = meter.create_counter(
            "sfconnect.login.failures", unit="{login}", description="Logins that failed."
        )
        self.login_rate_high = meter.create_counter(
            "sfconnect.login.rate_high",
            unit="{event}",
            description="Times that logins were remarkably many, or stopped for that.",
        )
        self.limit = meter.create_gauge(
            "sfconnect.limit", unit="{call}", description="Calls that may be in flight."
        )
        self.quota_used = meter.create_gauge(
            "sfconnect.quota.used", unit="{request}", description="Used of a quota."
        )
        self.quota_maximum = meter.create_gauge(
            "sfconnect.quota.maximum", unit="{request}", description="Allowed by a quota."
        )
        self.job_done = meter.create_gauge(
            "sfconnect.job.done", unit="{row}", description="Rows that long work has done."
        )
        self.job_total = meter.create_gauge(
            "sfconnect.job.total", unit="{row}", description="Rows that long work has to do."
        )
        self.jobs = meter.create_counter(
            "sfconnect.jobs", unit="{job}", description="Long work that ended, by how."
        )

    def note_login(self, event: TokenReplaced | TokenFailed | LoginRateHigh) -> None:
        """Count a login, by how it went."""
        strategy: AttributeMap = {"strategy": event.strategy}
        match event:
            case TokenReplaced():
                self.logins.add(1, {**strategy, "reason": event.reason})
            case TokenFailed():
                self.login_failures.add(1, {**strategy, "error.type": event.error})
            case LoginRateHigh():
                self.login_rate_high.add(1, {**strategy, "stopped": event.stopped})

    def note_job(self, event: JobAdvanced) -> None:
        """Set how far long work is, and count it when it ends."""
        self.job_done.set(event.done, {"job": event.job})
        if event.total is not None:
            self.job_total.set(event.total, {"job": event.job})
        if event.state in JOB_ENDS:
            self.jobs.add(1, {"job": event.job, "state": event.state})


def _attributes(event: RequestFinished) -> AttributeMap:
    """What the conventions want on the duration, with few values each."""
    attributes: AttributeMap = {
        "http.request.method": event.method if event.method in _METHODS else "_OTHER",
        "sfconnect.surface": event.surface,
        **_server(event.base_url),
    }
    if event.status is not None:
        attributes["http.response.status_code"] = event.status
    if event.error is not None:
        attributes["error.type"] = event.error
    elif event.status is not None and event.status >= _FIRST_ERROR:
        attributes["error.type"] = str(event.status)
    return attributes


@lru_cache(maxsize=128)  # of many events of few servers
def _server(base_url: str) -> AttributeMap:
    """Host and port; an IPv6 host without its brackets, a usual port filled in."""
    parts = urlsplit(base_url)
    port = parts.port or _USUAL_PORTS.get(parts.scheme)
    attributes: AttributeMap = {"server.address": parts.hostname or ""}
    return attributes if port is None else {**attributes, "server.port": port}


def _shown(event: RequestFinished) -> str:
    """The address without what may hold a value: the query, and who asks."""
    is_whole = event.path.startswith(("https://", "http://"))
    url = event.path if is_whole else event.base_url + event.path
    return _USER.sub("", url.partition("?")[0], count=1)


def _record_span(tracer: Tracer, event: RequestFinished, attributes: AttributeMap) -> None:
    from opentelemetry.trace import SpanKind, Status, StatusCode

    end = time.time_ns()
    more: dict[str, Any] = {**attributes, "url.full": _shown(event)}
    if event.method not in _METHODS:
        more["http.request.method_original"] = event.method
    if event.attempt > 1:
        more["http.request.resend_count"] = event.attempt - 1
    if event.request_id is not None:
        more["sfconnect.request_id"] = event.request_id
    span = tracer.start_span(
        event.method if event.method in _METHODS else "HTTP",
        kind=SpanKind.CLIENT,
        attributes=more,
        start_time=end - int(event.elapsed_ms * 1_000_000),
    )
    if "error.type" in attributes:
        span.set_status(Status(StatusCode.ERROR))
    span.end(end)

"""Events as spans and metrics, read back from the SDK's in-memory exporters."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from sfconnect import Connector
from sfconnect.auth import ApiKey
from sfconnect.errors import ConfigurationError, SfConnectError
from sfconnect.instrumentation import (
    CircuitClosed,
    CircuitOpened,
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
from sfconnect.otel import OtelHook
from sfconnect.testing import FakeTokenServer, answer

DURATION = "http.client.request.duration"


class Telemetry:
    """A hook with all that it exports."""

    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        self.traces = TracerProvider(shutdown_on_exit=False)
        self.traces.add_span_processor(SimpleSpanProcessor(self.spans))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.hook = OtelHook(tracer_provider=self.traces, meter_provider=self.meters)

    def points(self, name: str) -> list[Any]:
        """The data points of one metric."""
        data = self.reader.get_metrics_data()
        scopes = data.resource_metrics[0].scope_metrics if data else []
        metrics = {metric.name: metric for scope in scopes for metric in scope.metrics}
        return list(metrics[name].data.data_points) if name in metrics else []

    def only_span(self) -> ReadableSpan:
        (span,) = self.spans.get_finished_spans()
        return span


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    made = Telemetry()
    yield made
    made.traces.shutdown()
    made.meters.shutdown()


def finished(**changes: Any) -> RequestFinished:
    facts: dict[str, Any] = {
        "method": "GET",
        "path": "/services/data/v68.0/limits",
        "surface": "rest",
        "status": 200,
        "error": None,
        "elapsed_ms": 120.0,
        "attempt": 1,
        "request_id": "req-1",
        "base_url": "https://acme.my.salesforce.com",
    }
    return RequestFinished(**{**facts, **changes})


def test_an_attempt_is_a_client_span(telemetry: Telemetry) -> None:
    telemetry.hook(finished())

    span = telemetry.only_span()
    assert (span.name, span.kind) == ("GET", SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "acme.my.salesforce.com",
        "server.port": 443,
        "sfconnect.request_id": "req-1",
        "sfconnect.surface": "rest",
        "url.full": "https://acme.my.salesforce.com/services/data/v68.0/limits",
    }
    assert span.status.status_code is StatusCode.UNSET
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - span.start_time == 120_000_000


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"status": 503}, "503"),
        ({"status": None, "error": "ConnectError", "request_id": None}, "ConnectError"),
    ],
)
def test_a_failed_attempt_is_an_error_with_its_type(
    telemetry: Telemetry, changes: dict[str, Any], kind: str
) -> None:
    telemetry.hook(finished(attempt=3, base_url="https://127.0.0.1:8443", **changes))

    span = telemetry.only_span()
    attributes = dict(span.attributes or {})
    assert attributes["error.type"] == kind
    assert attributes["http.request.resend_count"] == 2
    assert (attributes["server.address"], attributes["server.port"]) == ("127.0.0.1", 8443)
    assert span.status.status_code is StatusCode.ERROR


API = "https://api.example.com"


@pytest.mark.parametrize(
    ("base_url", "path", "full", "server"),
    [
        (f"{API}/v2", "/rows", f"{API}/v2/rows", ("api.example.com", 443)),
        ("http://localhost", "/rows", "http://localhost/rows", ("localhost", 80)),
        ("http://[::1]:8080", "/rows", "http://[::1]:8080/rows", ("::1", 8080)),
        ("https://[2001:db8::1]", "/x", "https://[2001:db8::1]/x", ("2001:db8::1", 443)),
        (API, f"{API}/moved?q=canary", f"{API}/moved", ("api.example.com", 443)),
        ("https://canary:b@api.example.com", "/a@b", f"{API}/a@b", ("api.example.com", 443)),
        (API, "https://canary@c@api.example.com/x", f"{API}/x", ("api.example.com", 443)),
    ],
)
def test_a_span_names_the_whole_address_and_the_server(
    telemetry: Telemetry, base_url: str, path: str, full: str, server: tuple[str, int]
) -> None:
    telemetry.hook(finished(base_url=base_url, path=path))

    attributes = dict(telemetry.only_span().attributes or {})
    assert attributes["url.full"] == full
    (point,) = telemetry.points(DURATION)
    for told in (attributes, point.attributes):
        assert (told["server.address"], told["server.port"]) == server
        assert "canary" not in str(told)


def test_a_method_that_is_not_known_is_told_as_another(telemetry: Telemetry) -> None:
    telemetry.hook(finished(method="REPORT"))

    span = telemetry.only_span()
    attributes = dict(span.attributes or {})
    assert span.name == "HTTP"
    assert attributes["http.request.method"] == "_OTHER"
    assert attributes["http.request.method_original"] == "REPORT"
    (point,) = telemetry.points(DURATION)
    assert point.attributes["http.request.method"] == "_OTHER"
    assert "http.request.method_original" not in point.attributes


def test_a_span_belongs_to_what_the_application_is_doing(telemetry: Telemetry) -> None:
    with telemetry.traces.get_tracer("app").start_as_current_span("nightly job") as job:
        telemetry.hook(finished())

    spans = {span.name: span for span in telemetry.spans.get_finished_spans()}
    parent = spans["GET"].parent
    assert parent is not None
    assert parent.span_id == job.get_span_context().span_id


def test_durations_are_in_seconds_and_told_apart_by_few_values(telemetry: Telemetry) -> None:
    telemetry.hook(finished())
    telemetry.hook(finished(elapsed_ms=480.0, request_id="req-2", path="/other"))
    telemetry.hook(finished(status=404))

    points = {
        point.attributes["http.response.status_code"]: point for point in telemetry.points(DURATION)
    }

    assert (points[200].count, points[200].sum) == (2, pytest.approx(0.6))
    assert points[404].attributes["error.type"] == "404"
    assert "url.full" not in points[200].attributes
    assert points[200].explicit_bounds[0] == 0.005


@pytest.mark.parametrize(
    ("event", "metric", "value", "attributes"),
    [
        (
            RetryScheduled("GET", "/x", "rest", "503", 1, 10.0),
            "sfconnect.retries",
            1,
            {"reason": "503", "surface": "rest"},
        ),
        (
            CircuitOpened("org.example.com", "status 503", 10, 1000.0),
            "sfconnect.circuit.opened",
            1,
            {"server.address": "org.example.com", "server.port": 443},
        ),
        (
            CircuitOpened("[::1]:8080", "status 503", 10, 1000.0),
            "sfconnect.circuit.opened",
            1,
            {"server.address": "::1", "server.port": 8080},
        ),
        (HedgeSent("GET", "/x", "query", 40.0), "sfconnect.hedges", 1, {"surface": "query"}),
        (
            TokenReplaced("JwtBearer", "abc", "expired", 1.0),
            "sfconnect.logins",
            1,
            {"strategy": "JwtBearer", "reason": "expired"},
        ),
        (
            TokenFailed("JwtBearer", "abc", "initial", "InvalidCredentialsError", "invalid_grant"),
            "sfconnect.login.failures",
            1,
            {"strategy": "JwtBearer", "error.type": "InvalidCredentialsError"},
        ),
        (
            LoginRateHigh("JwtBearer", "abc", 600, stopped=True),
            "sfconnect.login.rate_high",
            1,
            {"strategy": "JwtBearer", "stopped": True},
        ),
        (LimitChanged("all", 42, "room"), "sfconnect.limit", 42, {"lane": "all"}),
        (QuotaSeen("api", 7, 15000), "sfconnect.quota.used", 7, {"quota": "api"}),
        (QuotaSeen("api", 7, 15000), "sfconnect.quota.maximum", 15000, {"quota": "api"}),
        (JobAdvanced("extract A", "advanced", 4, 9), "sfconnect.job.done", 4, {"job": "extract A"}),
        (JobAdvanced("extract A", "started", 0, 9), "sfconnect.job.total", 9, {"job": "extract A"}),
        (
            JobAdvanced("extract A", "failed", 4, None, "QUERY_TIMEOUT"),
            "sfconnect.jobs",
            1,
            {"job": "extract A", "state": "failed"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_events_are_counters_and_gauges(
    telemetry: Telemetry, event: Any, metric: str, value: int, attributes: dict[str, object]
) -> None:
    telemetry.hook(event)

    (point,) = telemetry.points(metric)
    assert (point.value, dict(point.attributes)) == (value, attributes)


def test_events_without_a_meaning_here_are_passed_over(telemetry: Telemetry) -> None:
    telemetry.hook(CircuitClosed("org.example.com", 1.0))

    assert telemetry.spans.get_finished_spans() == ()


async def test_a_connection_tells_of_its_calls(telemetry: Telemetry) -> None:
    async with FakeTokenServer() as server:
        server.script(answer({}, status=503), answer({"a": 1}), answer({}, status=404))
        api = Connector.connect(
            ApiKey("k", server.url), base_url=server.url, hooks=[telemetry.hook]
        )
        async with api:
            assert await api.get("/a", params={"name": "canary"}) == {"a": 1}
            with pytest.raises(SfConnectError):
                await api.get("/b")

    spans = telemetry.spans.get_finished_spans()
    facts = [dict(span.attributes or {}) for span in spans]
    assert [fact["http.response.status_code"] for fact in facts] == [503, 200, 404]
    assert [fact["url.full"] for fact in facts] == [
        f"{server.url}/a", f"{server.url}/a", f"{server.url}/b"
    ]  # fmt: skip
    assert {f"http://127.0.0.1:{fact['server.port']}" for fact in facts} == {server.url}
    assert "canary" not in str(facts)
    assert telemetry.points("sfconnect.retries")[0].value == 1


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    with pytest.raises(ConfigurationError, match="OpenTelemetry is not installed") as caught:
        OtelHook()

    assert caught.value.hint == "pip install 'sfconnect[otel]'"


def test_importing_the_module_imports_no_opentelemetry() -> None:
    code = "import sys, sfconnect.otel; assert 'opentelemetry' not in sys.modules"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

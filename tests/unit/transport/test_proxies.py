"""Which proxy the environment names for a URL."""

from __future__ import annotations

import pytest

from sfconnect.errors import ConfigurationError
from sfconnect.transport._proxies import EnvironmentProxies

CORP = "http://proxy.corp.example:3128"


def proxies(bypassed: str = "", **by_scheme: str) -> EnvironmentProxies:
    return EnvironmentProxies(lambda: by_scheme, lambda host: host in bypassed.split())


@pytest.mark.parametrize(
    ("by_scheme", "url", "proxy"),
    [
        ({"https": CORP}, "https://api.example.com/x?y=/z", CORP),
        ({"https": CORP}, "http://api.example.com/x", None),
        ({"http": CORP}, "http://api.example.com", CORP),
        ({"all": CORP}, "https://api.example.com/", CORP),
        ({"https": CORP, "all": "http://other:1"}, "https://api.example.com/", CORP),
        ({}, "https://api.example.com/", None),
        ({"https": "proxy.corp.example:3128"}, "https://api.example.com/", CORP),
        ({"https": "https://secure.corp.example"}, "https://a.b/", "https://secure.corp.example"),
    ],
)
def test_the_scheme_of_the_url_chooses_the_proxy(by_scheme, url, proxy):
    assert proxies(**by_scheme).for_url(url) == proxy


@pytest.mark.parametrize("bypassed", ["api.example.com", "api.example.com:8443"])
def test_a_host_may_be_left_out_with_or_without_its_port(bypassed):
    found = proxies(bypassed, https=CORP)

    assert found.for_url("https://api.example.com:8443/x") is None
    assert found.for_url("https://other.example.com:8443/x") == CORP


@pytest.mark.parametrize(
    "host", ["localhost", "sub.localhost", "127.0.0.1", "127.8.8.8", "[::1]", "LOCALHOST"]
)
def test_this_machine_is_reached_directly(host):
    assert proxies(http=CORP, all=CORP).for_url(f"http://{host}:8080/x") is None


@pytest.mark.parametrize("host", ["localhost.example.com", "128.0.0.1", "[fe80::1]"])
def test_names_that_resemble_this_machine_are_not_it(host):
    assert proxies(http=CORP).for_url(f"http://{host}/x") == CORP


def test_the_environment_is_read_once_for_each_host():
    reads = []

    def read() -> dict[str, str]:
        reads.append(1)
        return {"https": CORP}

    found = EnvironmentProxies(read, lambda host: False)

    for path in range(5):
        found.for_url(f"https://a.example.com/{path}")
        found.for_url(f"https://b.example.com/{path}")
    assert len(reads) == 2


@pytest.mark.parametrize(
    "value",
    [
        "socks5://user:canary@proxy:1080",
        "http://",
        "http://user:canary@",
        "http://proxy:port",
        "::",
    ],
)
def test_a_value_that_is_no_http_proxy_is_refused_without_showing_it(value):
    with pytest.raises(ConfigurationError) as caught:
        proxies(https=value).for_url("https://api.example.com/")

    assert "canary" not in str(caught.value)

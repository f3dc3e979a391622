"""Which URLs a secret may be sent to."""

from __future__ import annotations

import pytest

from sfconnect.auth.urls import is_loopback, shown, split_endpoint
from sfconnect.errors import ConfigurationError

LOOPBACK = ["localhost", "api.localhost", "127.0.0.1", "127.8.8.8", "::1"]
ELSEWHERE = ["localhost.example.com", "127.0.0.1.example.com", "example.com", "10.0.0.1", "::2", ""]


@pytest.mark.parametrize("host", LOOPBACK)
def test_this_machine_is_recognised(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_other_machines_are_not_this_one(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "url",
    [
        "https://auth.example.com/token",
        "  https://auth.example.com:8443 ",
        "http://127.0.0.1:8080/token",
        "http://[::1]:8080",
    ],
)
def test_https_and_loopback_may_get_a_secret(url):
    assert split_endpoint(url, "token_url").hostname


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("auth.example.com/token", "is not a URL"),
        ("//auth.example.com", "is not a URL"),
        ("file:///etc/passwd", "is not a URL"),
        ("https://", "is not a URL"),
        ("https://a b.example.com", "is not a URL"),
        ("https://evil.example\\.example.com", "is not a URL"),
        ("https://auth.example.com:", "is not a URL"),
        ("https://auth.example.com:99999", "is not a URL"),
        ("https://user:hunter2", "is not a URL"),
        ("https://exämple.com", "is not a URL"),
        ("http://auth.example.com", "plain http"),
        ("https://user:hunter2@auth.example.com", "must not hold a user"),
        ("https://auth.example.com?secret=hunter2", "must not hold a user"),
        ("https://auth.example.com#hunter2", "must not hold a user"),
    ],
)
def test_anything_else_is_refused_without_repeating_secrets(url, problem):
    with pytest.raises(ConfigurationError, match=f"token_url.*{problem}") as caught:
        split_endpoint(url, "token_url")

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://host/path?query#part", "https://host/path"),
        ("https://user:pw@host/path", "https://host/path"),
        ("user:pw@host", "host"),
        ("host/path", "host/path"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url, text):
    assert shown(url) == text

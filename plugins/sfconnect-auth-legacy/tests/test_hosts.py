"""Where a password is sent, and where a token may go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect.errors import ConfigurationError, HostNotAllowedError
from sfconnect_auth_legacy.hosts import api_base, host_of, login_base

LOGIN = "https://login.salesforce.com"


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("login.salesforce.com", LOGIN),
        ("https://login.salesforce.com/", LOGIN),
        ("https://LOGIN.salesforce.com/services/oauth2/token", LOGIN),
        ("https://acme.lightning.force.com/lightning/setup", "https://acme.my.salesforce.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_login_urls_come_to_one_form(typed: str, base: str) -> None:
    assert login_base(typed) == base


@pytest.mark.parametrize("typed", ["", "http://acme.my.salesforce.com", "na139.salesforce.com"])
def test_login_urls_that_cannot_work_are_refused(typed: str) -> None:
    with pytest.raises(ConfigurationError):
        login_base(typed)


@pytest.mark.parametrize(
    ("named", "base"),
    [
        (
            "https://acme.my.salesforce.com/services/Soap/u/64.0/00D",
            "https://acme.my.salesforce.com",
        ),
        ("https://ACME.my.salesforce.com:443/", "https://acme.my.salesforce.com:443"),
        ("https://cs42-api.salesforce.com", "https://cs42.salesforce.com"),
        ("https://acme.my.salesforce.mil", "https://acme.my.salesforce.mil"),
        (LOGIN, LOGIN),
    ],
)
def test_salesforces_hosts_may_get_a_token(named: str, base: str) -> None:
    assert api_base(named, LOGIN) == base


def test_the_login_host_itself_may_get_a_token() -> None:
    assert (
        api_base("https://sf.acme.example", "https://sf.acme.example") == "https://sf.acme.example"
    )


@pytest.mark.parametrize("named", ["http://127.0.0.1:1", "https://localhost", "http://[::1]:1"])
def test_this_machine_gets_a_token_only_from_itself(named: str) -> None:
    assert api_base(named, "http://localhost:2") == named
    with pytest.raises(HostNotAllowedError):
        api_base(named, LOGIN)


@pytest.mark.parametrize("port", ["%", "x", "1x", "123456", "1@evil.example.com", ""])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(HostNotAllowedError):
        api_base(f"https://acme.my.salesforce.com:{port}", LOGIN)


HOSTS = st.text("abcdefgz0189.-:@/\\?#%[]_ é", min_size=1, max_size=40)


@given(st.sampled_from(["https://", "http://", "//", "ftp://", ""]), HOSTS)
def test_a_token_never_goes_to_a_host_that_is_not_salesforces(scheme: str, rest: str) -> None:
    for named in (
        scheme + rest,
        f"{scheme}{rest}.salesforce.com",
        f"{scheme}a.salesforce.com{rest}",
    ):
        try:
            base = api_base(named, LOGIN)
        except HostNotAllowedError:
            continue
        assert base.startswith("https://")
        assert host_of(base).endswith(".salesforce.com")
        assert not set("@/\\?#% ") & set(base.removeprefix("https://"))

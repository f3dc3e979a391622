"""Profiles of providers: made of tables, filled with parameters, overridden by options."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect.auth import resolve
from sfconnect.auth.oauth2 import (
    PROVIDERS,
    OAuth2ClientCredentials,
    ProviderOptions,
    ProviderProfile,
)
from sfconnect.auth.oauth2.provider import ENDPOINTS
from sfconnect.auth.options import build, options_of
from sfconnect.auth.store import identity_key
from sfconnect.config import Value
from sfconnect.errors import ConfigurationError

TOKEN_URL = "https://auth.example.com/token"
ACME = ProviderProfile(
    name="acme",
    token_url="https://{subdomain}.acme.example/token",
    base_url="https://{subdomain}.api.acme.example/v1",
    client_auth="body",
    scope="orders",
    token_params=("tenant={account_id}", 'claims={"a":{"b":null}}'),
    pass_params=("channel_id",),
)
FULL = {"subdomain": "shop-1", "account_id": "42"}


def app(**options: Any) -> OAuth2ClientCredentials:
    return OAuth2ClientCredentials(**{"client_id": "app", "client_secret": "s3cr3t", **options})


# The profile as a value


def test_a_profile_is_made_of_a_table():
    made = ProviderProfile.from_mapping(
        {
            "name": "acme",
            "token_url": TOKEN_URL,
            "client_auth": "client_secret_post",
            "scope_on": ["token", "refresh"],
            "resource": ["https://api.example.com"],
            "token_params": {"tenant": "acme"},
            "default_lifetime_s": 60,
            "rotates_refresh_token": True,
        }
    )

    assert made == ProviderProfile(
        name="acme",
        token_url=TOKEN_URL,
        client_auth="body",
        scope_on=("token", "refresh"),
        resource=("https://api.example.com",),
        token_params=("tenant=acme",),
        default_lifetime_s=60.0,
        rotates_refresh_token=True,
    )


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"token_uri": TOKEN_URL}, "no option 'token_uri'.*Did you mean 'token_url'"),
        ({"client_auth": "header"}, r"client_auth \(member client_auth\) must be one of"),
        ({"default_lifetime_s": "soon"}, "default_lifetime_s .* must be a number"),
        ({"default_lifetime_s": 0}, "default_lifetime_s must be more than 0"),
        ({"token_params": ["tenant"]}, "must be a list of name=value"),
        ({"token_params": ["a=1", "a=2"]}, "each name once"),
        ({"token_params": ["client_secret=x"]}, "must not hold client_secret"),
        ({"token_url": "https://{tenant}.example.com"}, "the unknown place {tenant}"),
        ({"pass_params": ["client_id"]}, "pass_params must be one of 'subdomain'"),
    ],
)
def test_a_table_that_makes_no_profile_is_refused(members, problem):
    with pytest.raises(ConfigurationError, match=problem):
        ProviderProfile.from_mapping(members)


@pytest.mark.parametrize(
    "change",
    [
        {"client_auth": "header"},
        {"body_encoding": "xml"},
        {"scope_on": ("login",)},
        {"pass_params": ("password",)},
        {"default_lifetime_s": float("nan")},
    ],
)
def test_code_cannot_spell_a_member_wrongly_either(change):
    with pytest.raises(ConfigurationError):
        replace(ACME, **change)


def test_a_profile_can_be_hashed_and_pickled():
    assert len({ACME, pickle.loads(pickle.dumps(ACME)), *PROVIDERS.values()}) == 7


# Parameters


def test_parameters_go_where_the_profile_is_open():
    made = ACME.filled({**FULL, "channel_id": "RefArch"})

    assert made.token_url == "https://shop-1.acme.example/token"
    assert made.base_url == "https://shop-1.api.acme.example/v1"
    assert made.token_parameters == {
        "tenant": "42",
        "claims": '{"a":{"b":null}}',
        "channel_id": "RefArch",
    }
    assert made.open_places == ()


def test_a_parameter_that_is_only_passed_on_may_be_left_out():
    assert "channel_id" not in ACME.filled(FULL).token_parameters


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({}, "'acme' needs subdomain"),
        ({"subdomain": "x"}, "'acme' needs account_id"),
        ({**FULL, "short_code": "x"}, "'acme' has no use for short_code.*It takes: subdomain, "),
        ({**FULL, "subdomain": "evil.example/"}, "subdomain .* characters"),
        ({**FULL, "subdomain": "evil.example#"}, "subdomain .* characters"),
        ({**FULL, "subdomain": "user@evil"}, "subdomain .* characters"),
        ({**FULL, "subdomain": "a:b"}, "subdomain .* characters"),
        ({**FULL, "subdomain": "x\n"}, "subdomain .* characters"),
        ({**FULL, "subdomain": "ü"}, "subdomain .* characters"),
        ({**FULL, "subdomain": "-"}, "subdomain .* characters"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(parameters, problem):
    with pytest.raises(ConfigurationError, match=problem):
        ACME.filled(parameters)


@given(st.text(max_size=20))
def test_no_parameter_leads_to_another_host(text):
    try:
        url = ACME.filled({**FULL, "subdomain": text}).token_url
    except ConfigurationError:
        return
    assert url is not None
    assert url.removeprefix("https://").partition("/")[0].endswith(".acme.example")
    assert url.count("/") == 3


@pytest.mark.parametrize("name", ["issuer", *ENDPOINTS, "base_url"])
def test_every_address_has_to_be_safe(name):
    unsafe: dict[str, Any] = {"token_url": TOKEN_URL, name: "http://auth.example.com"}

    with pytest.raises(ConfigurationError, match=f"{name} .* plain http"):
        ProviderProfile(**unsafe).filled({})


def test_a_profile_needs_a_token_endpoint_or_an_issuer():
    with pytest.raises(ConfigurationError, match="neither token_url nor issuer"):
        ProviderProfile().filled({})
    assert ProviderProfile(issuer="https://auth.example.com").filled({}).token_url is None


def test_an_issuer_cannot_be_the_audience_where_there_is_none():
    with pytest.raises(ConfigurationError, match="no issuer to be the audience"):
        ProviderProfile(token_url=TOKEN_URL, assertion_audience="issuer").filled({})


def test_scopes_are_sent_at_the_steps_that_the_profile_names():
    profile = ProviderProfile(scope="a b", scope_on=("authorize", "refresh"))

    assert [profile.scope_for(step) for step in ("authorize", "token", "refresh")] == [
        "a b",
        "",
        "a b",
    ]
    assert ProviderProfile().scope_for("token") == ""


# Options over the profile


def test_every_member_is_an_option_and_says_the_same():
    """Interactive logins have the two addresses that a program alone never visits."""
    members = {spec.name: spec for spec in options_of(ProviderProfile)}
    options = {spec.name: spec for spec in options_of(ProviderOptions)}
    interactive = {"authorization_url", "device_authorization_url"}

    assert members.keys() - options.keys() == {"name", "pass_params", *interactive}
    for name in members.keys() & options.keys():
        assert options[name].help == members[name].help
        assert options[name].default is None


def texts(*more: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["a", "b c", "x.y", *more])


MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "token_url": st.just("https://other.example.com/token"),
    "revocation_url": st.just("https://other.example.com/revoke"),
    "base_url": st.just("https://other.example.com"),
    "base_url_member": texts(),
    "base_url_hosts": st.lists(texts(".example.com"), max_size=2).map(tuple),
    "client_auth": st.sampled_from(["basic", "body"]),
    "assertion_audience": texts("token_url"),
    "body_encoding": st.sampled_from(["form", "json"]),
    "scope": texts(""),
    "scope_on": st.lists(st.sampled_from(["authorize", "token", "refresh"]), unique=True).map(
        tuple
    ),
    "audience": texts(),
    "resource": st.lists(texts(), max_size=3).map(tuple),
    "access_token_member": texts(),
    "refresh_token_member": texts(),
    "expires_in_member": texts(),
    "expires_at_member": texts(),
    "default_lifetime_s": st.floats(1, 9e9),
    "rotates_refresh_token": st.booleans(),
}


@given(st.fixed_dictionaries({}, optional=MEMBERS))
def test_an_option_wins_over_its_member_and_changes_no_other(changes):
    login = app(provider=ACME, **FULL, **changes)

    before, after = ACME.filled(FULL), login.profile()
    for item in fields(ProviderProfile):
        expected = changes.get(item.name, getattr(before, item.name))
        assert getattr(after, item.name) == expected, item.name


def test_token_params_are_added_to_those_of_the_provider():
    login = app(provider=ACME, **FULL, token_params={"tenant": "own", "usid": "7"})

    parameters = login.profile().token_parameters
    assert parameters == {"tenant": "own", "claims": '{"a":{"b":null}}', "usid": "7"}


def test_without_a_provider_the_options_are_the_profile():
    login = app(token_url=TOKEN_URL, scope="read")

    assert login.profile() == ProviderProfile(token_url=TOKEN_URL, scope="read")


def test_options_from_a_table_mean_the_same_as_in_code(tmp_path):
    """What the documentation promises of ``sfconnect.toml`` and of variables."""
    (tmp_path / "sfconnect.toml").write_text(
        """
        [profiles.acme]
        auth = "oauth2-client-credentials"
        token_url = "https://auth.example.com/token"
        client_id = "app"
        client_auth = "client_secret_post"
        scope_on = ["token"]
        resource = ["https://one.example.com", "https://two.example.com"]
        token_params = { tenant = "acme" }
        """
    )
    environ = {
        "SFCONNECT_CLIENT_SECRET": "s3cr3t",
        "SFCONNECT_SCOPE": "read write",
        "SFCONNECT_RESOURCE": "https://three.example.com",
        "SFCONNECT_ROTATES_REFRESH_TOKEN": "yes",
    }

    resolved = resolve(profile="acme", environ=environ, cwd=tmp_path)

    assert resolved.strategy == app(
        token_url=TOKEN_URL,
        client_auth="client_secret_post",
        scope="read write",
        scope_on=("token",),
        resource=("https://three.example.com",),
        token_params={"tenant": "acme"},
        rotates_refresh_token=True,
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"provider": "mcd"}, "no provider 'mcd'.*Did you mean 'mce'"),
        ({"provider": "mce"}, "'mce' needs subdomain"),
        ({"provider": "slas", "short_code": "x"}, "'slas' needs organization"),
        ({"provider": "anypoint", "subdomain": "x"}, "'anypoint' has no use for subdomain"),
        ({}, "neither token_url nor issuer"),
        ({"token_url": TOKEN_URL, "client_id": ""}, "client_id is missing"),
        ({"token_url": TOKEN_URL, "token_params": ["grant_type=x"]}, "must not hold grant_type"),
        ({"token_url": TOKEN_URL, "default_lifetime_s": -1.0}, "must be more than 0"),
    ],
)
def test_options_that_make_no_provider_are_refused_at_once(options, problem):
    with pytest.raises(ConfigurationError, match=problem):
        app(**options)


def test_client_id_is_required_though_it_stands_behind_an_option_that_is_not():
    with pytest.raises(ConfigurationError, match="client_id is missing"):
        OAuth2ClientCredentials(TOKEN_URL)
    with pytest.raises(ConfigurationError, match="lacks what it needs: client_id"):
        build(OAuth2ClientCredentials, {"token_url": Value(TOKEN_URL, "a test")})


def test_the_identity_is_also_of_the_profile_that_code_gave():
    other = replace(ACME, scope="returns")

    key = identity_key(app(provider=ACME, **FULL))

    assert identity_key(app(provider=replace(ACME), **FULL)) == key
    assert identity_key(app(provider=other, **FULL)) != key
    assert identity_key(app(provider=ACME, **{**FULL, "account_id": "43"})) != key


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_shipped_profile_can_be_used(name):
    given = dict.fromkeys(PROVIDERS[name].open_places, "x1")

    made = PROVIDERS[name].filled(given)

    assert made.name == name
    assert made.token_url is not None
    assert made.token_url.startswith("https://")
    assert "{" not in repr(made).replace("{}", "")

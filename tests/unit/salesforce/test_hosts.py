"""Which host to log in at, for which audience, and which host may get a token."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sfconnect.errors import ConfigurationError, HostNotAllowedError
from sfconnect.salesforce.hosts import (
    derive_audience,
    host_of,
    is_org_host,
    is_shared_login,
    login_base,
    other_audience,
    verify_instance_url,
)

LOGIN = "https://login.salesforce.com"
TEST = "https://test.salesforce.com"
ACME = "https://acme.my.salesforce.com"
SANDBOX = "https://acme--uat.sandbox.my.salesforce.com"
SITE = "https://acme.my.site.com/portal"

SPELLINGS = [
    ("acme.my.salesforce.com", ACME),
    ("https://acme.my.salesforce.com/", ACME),
    ("  https://ACME.My.Salesforce.com  ", ACME),
    ("https://acme.my.salesforce.com.", ACME),
    ("https://acme.my.salesforce.com:443", ACME),
    ("https://acme.my.salesforce.com:8443/", f"{ACME}:8443"),
    ("https://acme.my.salesforce.com/services/oauth2/token", ACME),
    ("https://acme.my.salesforce.com/home/home.jsp?source=lex#top", ACME),
    ("https://acme.lightning.force.com/lightning/o/Account/list?filterName=Recent", ACME),
    ("https://acme.my.salesforce-setup.com/lightning/setup/SetupOneHome/home", ACME),
    ("https://acme--uat.sandbox.lightning.force.com/lightning/page/home", SANDBOX),
    ("https://acme--uat.sandbox.my.salesforce-setup.com", SANDBOX),
    ("acme-dev-ed.develop.lightning.force.com", "https://acme-dev-ed.develop.my.salesforce.com"),
    ("login.salesforce.com/", LOGIN),
    ("https://test.salesforce.com/?un=ada@example.com", TEST),
    ("https://acme.my.site.com/portal/", SITE),
    ("https://acme.my.site.com/ portal / /", SITE),
    ("portal.example.com./ /", "https://portal.example.com"),
    ("https://acme.my.site.com/portal/services/oauth2/token", SITE),
    ("https://portal.example.com/members/s", "https://portal.example.com/members/s"),
    ("https://acme.my.salesforce.mil/x", "https://acme.my.salesforce.mil"),
    ("https://gs0.salesforce.com", "https://gs0.salesforce.com"),
    ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
    ("http://localhost:80/services/oauth2/token", "http://localhost"),
    ("http://[::1]:8080", "http://[::1]:8080"),
]


@pytest.mark.parametrize(("written", "base"), SPELLINGS, ids=[written for written, _ in SPELLINGS])
def test_a_login_url_is_taken_as_people_copy_it(written, base):
    assert login_base(written) == base


@pytest.mark.parametrize(("written", "base"), SPELLINGS, ids=[written for written, _ in SPELLINGS])
def test_a_normal_form_stays_as_it_is(written, base):
    assert login_base(base) == base


@given(st.text("acme./ \t:?#-_1x\u00a0", max_size=40), st.sampled_from(["", f"{SITE}/", "x.y/"]))
def test_whatever_is_taken_is_brought_to_a_normal_form(text, front):
    try:
        base = login_base(front + text)
    except ConfigurationError:
        assume(False)

    assert login_base(base) == base


REFUSED = [
    ("", "is not a URL"),
    ("https://", "is not a URL"),
    ("ftp://acme.my.salesforce.com", "is not a URL"),
    ("https://https://acme.my.salesforce.com", "is not a URL"),
    ("http://acme.my.salesforce.com", "plain http"),
    ("http://127.0.0.1.example.com", "plain http"),
    ("https://ada:pw@acme.my.salesforce.com", "must not hold a user"),
    ("https://acme.my.salesforce.com:port", "is not a URL"),
    ("https://[::1", "is not a URL"),
    ("na139.salesforce.com", "names the instance"),
    ("https://cs42.my.salesforce.com", "names the instance"),
    ("https://EU6.salesforce.com/x", "names the instance"),
]


@pytest.mark.parametrize(("written", "problem"), REFUSED, ids=[written for written, _ in REFUSED])
def test_a_login_url_that_cannot_be_right_is_refused(written, problem):
    with pytest.raises(ConfigurationError, match=problem) as caught:
        login_base(written)

    assert "pw" not in str(caught.value)


AUDIENCES = [
    (LOGIN, LOGIN),
    (ACME, LOGIN),
    ("https://acme-dev-ed.develop.my.salesforce.com", LOGIN),
    ("https://acme.trailblaze.my.salesforce.com", LOGIN),
    ("https://acme.my.salesforce.mil", LOGIN),
    ("https://testing.my.salesforce.com", LOGIN),
    ("https://cs.my.salesforce.com", LOGIN),
    ("http://127.0.0.1:8080", LOGIN),
    (TEST, TEST),
    (SANDBOX, TEST),
    ("https://acme.scratch.my.salesforce.com", TEST),
    (SITE, SITE),
    ("https://acme.secure.force.com/portal", "https://acme.secure.force.com/portal"),
    ("https://portal.example.com/members/s", "https://portal.example.com/members/s"),
    ("https://gs1.salesforce.com", "https://gs1.salesforce.com"),
]


@pytest.mark.parametrize(("url", "audience"), AUDIENCES, ids=[url for url, _ in AUDIENCES])
def test_the_audience_follows_from_the_kind_of_host(url, audience):
    assert derive_audience(url) == audience


def test_the_other_audience_is_the_one_to_try_next():
    assert other_audience(LOGIN) == TEST
    assert other_audience(TEST) == LOGIN
    assert other_audience(SITE) == TEST


@pytest.mark.parametrize(
    ("url", "shared"), [(LOGIN, True), (TEST, True), (ACME, False), ("http://localhost", False)]
)
def test_shared_logins_name_no_org(url, shared):
    assert is_shared_login(url) is shared


OWN = [
    "acme.my.salesforce.com",
    "ACME.my.salesforce.com.",
    "acme.file.force.com",
    "acme.my.site.com",
    "acme.my.salesforce.mil",
    "acme.crmforce.mil",
    "acme.my.sfcrmproducts.cn",
    "acme.cloudforce.com",
]
FOREIGN = [
    "evil.com",
    "acme.my.salesforce.com.evil.com",
    "evilsalesforce.com",
    "salesforce.com",
    "force.com",
    "acme-salesforce.com",
    "127.0.0.1",
    "",
]


@pytest.mark.parametrize("host", OWN)
def test_an_org_may_live_at_salesforces_own_hosts(host):
    assert is_org_host(host)


@pytest.mark.parametrize("host", FOREIGN)
def test_an_org_lives_nowhere_else(host):
    assert not is_org_host(host)


INSTANCES = [
    (ACME, LOGIN, ACME),
    (f"{ACME}/", LOGIN, ACME),
    ("acme.my.salesforce.com", LOGIN, ACME),
    ("https://ACME.my.salesforce.com:443", LOGIN, ACME),
    (f"{ACME}:8443", ACME, f"{ACME}:8443"),
    ("https://login.example.com", "https://login.example.com", "https://login.example.com"),
    ("https://acme.my.site.com/portal/", SITE, SITE),
    ("http://127.0.0.1:9000", "http://127.0.0.1:8000", "http://127.0.0.1:9000"),
    ("http://localhost:9000/", "http://127.0.0.1:8000", "http://localhost:9000"),
    (ACME, "http://127.0.0.1:8000", ACME),
]


@pytest.mark.parametrize(("named", "login", "base"), INSTANCES)
def test_the_orgs_own_address_is_taken(named, login, base):
    assert verify_instance_url(named, login) == base


FOREIGN_INSTANCES = [
    ("https://evil.com", ACME),
    ("https://acme.my.salesforce.com.evil.com", ACME),
    ("https://acme.my.salesforce.com@evil.com", ACME),
    ("https://evil.com#.salesforce.com", ACME),
    ("https://evil.com?.salesforce.com", ACME),
    ("https://evil.com\\.salesforce.com", ACME),
    ("http://acme.my.salesforce.com", ACME),
    ("http://127.0.0.1:8000", ACME),
    ("https://127.0.0.1", ACME),
    ("http://login.example.com", "https://login.example.com"),
    ("http://evil.com", "http://127.0.0.1:8000"),
    ("javascript:alert(1)", ACME),
    ("", ACME),
]


@pytest.mark.parametrize(("named", "login"), FOREIGN_INSTANCES)
def test_no_token_goes_to_an_address_that_is_not_the_orgs(named, login):
    with pytest.raises(HostNotAllowedError):
        verify_instance_url(named, login)


@given(st.text(max_size=60), st.sampled_from([ACME, LOGIN, "https://login.example.com"]))
def test_whatever_an_answer_names_the_token_stays_at_home(text, login):
    try:
        base = verify_instance_url(text, login)
    except HostNotAllowedError:
        return

    assert base.startswith("https://")
    assert is_org_host(host_of(base)) or host_of(base) == host_of(login)


HOST_LIKE = st.text("abz019.-_:/@?#\\[]% ", max_size=40)


@given(HOST_LIKE.map("https://{}.salesforce.com".format) | HOST_LIKE.map("acme.{}".format))
def test_what_login_base_gives_is_a_normal_form_or_nothing(text):
    try:
        base = login_base(text)
    except ConfigurationError:
        return

    assert login_base(base) == base
    assert base.startswith("https://")

"""Secrets keep to themselves."""

from __future__ import annotations

import copy
import logging
import pickle

import msgspec
import pytest

from sfconnect._types import UNSET, Secret, Unset

CANARY = "00Dcanary!secret"


@pytest.fixture
def secret() -> Secret:
    return Secret(CANARY)


def test_only_reveal_gives_the_text(secret):
    assert secret.reveal() == CANARY


@pytest.mark.parametrize(
    "show",
    [repr, str, "{}".format, "{!r}".format, "%s".__mod__, "%r".__mod__, ascii],
    ids=["repr", "str", "format", "format_r", "percent_s", "percent_r", "ascii"],
)
@pytest.mark.parametrize(
    "wrap", [lambda secret: secret, lambda secret: [{"a": (secret,)}]], ids=["bare", "nested"]
)
def test_no_way_of_showing_a_secret_shows_it(secret, show, wrap):
    assert "canary" not in show(wrap(secret))


def test_a_format_with_a_width_does_not_show_it(secret):
    assert f"{secret:>40}" == "…"


def test_a_log_record_does_not_show_it(secret, caplog):
    logging.getLogger("any").warning("token %s %r", secret, secret)

    assert "canary" not in caplog.text


def test_a_secret_is_not_pickled(secret):
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps({"token": secret})


def test_a_secret_is_not_written_as_json(secret):
    with pytest.raises(TypeError):
        msgspec.json.encode({"token": secret})


def test_a_secret_has_no_attributes_that_vars_would_list(secret):
    with pytest.raises(TypeError):
        vars(secret)


def test_secrets_compare_by_their_text_and_never_with_plain_text(secret):
    assert secret == Secret(CANARY)
    assert secret != Secret("another")
    assert secret != CANARY
    assert len({secret, Secret(CANARY), Secret("another")}) == 2
    assert hash(secret) != hash(CANARY)


def test_an_empty_secret_is_false():
    assert not Secret("")
    assert Secret(" ")


def test_unset_is_one_value_of_its_own():
    assert UNSET is Unset.UNSET
    assert copy.copy(UNSET) is UNSET
    assert pickle.loads(pickle.dumps(UNSET)) is UNSET

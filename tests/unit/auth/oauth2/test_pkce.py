"""PKCE: the example of the RFC, and proofs that nobody can guess."""

from __future__ import annotations

import re

from sfconnect._types import Secret
from sfconnect.auth.oauth2.pkce import METHOD, Pkce


def test_the_challenge_is_that_of_the_rfcs_example():
    pkce = Pkce(Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))

    assert pkce.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert METHOD == "S256"


def test_a_verifier_is_86_characters_and_never_the_same():
    drawn = {Pkce.new().verifier.reveal() for _ in range(50)}

    assert len(drawn) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{86}", verifier) for verifier in drawn)


def test_the_verifier_is_not_shown():
    pkce = Pkce.new()

    assert pkce.verifier.reveal() not in repr(pkce)

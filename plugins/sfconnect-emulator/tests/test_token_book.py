from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect_emulator.clock import Clock
from sfconnect_emulator.oauth.tokens import RefreshGrant, Session, TokenBook

ORG_ID = "00Dbu00000UqhMCEAZ"


@pytest.fixture
def book(clock: Clock) -> TokenBook:
    clock.freeze()
    return TokenBook(clock, ORG_ID, 100)


def opened(book: TokenBook, family: str | None = None) -> Session:
    return book.open("client", "005", "user@example.com", "api", family)


def approved(book: TokenBook) -> tuple[RefreshGrant, str]:
    grant = book.approve("client", "005", "user@example.com", "api")
    assert grant.current is not None
    return grant, grant.current


def test_tokens_begin_with_the_org_and_never_repeat(book: TokenBook) -> None:
    tokens = {opened(book).token for _ in range(500)}

    assert len(tokens) == 500
    assert all(re.fullmatch(r"00Dbu00000UqhMC![.\w]{96}", token) for token in tokens)


def test_a_session_lives_for_its_ttl_and_no_longer(book: TokenBook, clock: Clock) -> None:
    token = opened(book).token

    clock.advance(99.9)
    just_before = book.peek(token)
    clock.advance(0.1)

    assert just_before is not None
    assert book.peek(token) is None


def test_looking_at_a_session_does_not_extend_it_and_using_it_does(
    book: TokenBook, clock: Clock
) -> None:
    looked_at, used = opened(book).token, opened(book).token
    clock.advance(60)
    book.peek(looked_at)
    book.use(used)

    clock.advance(60)

    assert book.peek(looked_at) is None
    assert book.peek(used) is not None


def test_an_expired_session_does_not_come_back_when_the_clock_is_moved_back(
    book: TokenBook, clock: Clock
) -> None:
    token = opened(book).token
    clock.advance(100)
    assert book.use(token) is None

    clock.advance(-100)

    assert book.use(token) is None


@given(st.lists(st.sampled_from([30, 60, 99, 100, 150]), max_size=6))
def test_a_session_is_alive_exactly_while_no_pause_reaches_the_ttl(pauses: list[float]) -> None:
    clock = Clock()
    clock.freeze()
    book = TokenBook(clock, ORG_ID, 100)
    token, alive = opened(book).token, True

    for pause in pauses:
        clock.advance(pause)
        alive = alive and pause < 100
        assert (book.use(token) is not None) is alive


def test_expiry_is_told_in_whole_seconds(book: TokenBook, clock: Clock) -> None:
    session = opened(book)

    assert book.expires_at(session) == int(clock.time() + 100)


def test_revoking_all_sessions_counts_the_living(book: TokenBook, clock: Clock) -> None:
    opened(book)
    clock.advance(100)
    opened(book)
    opened(book)

    assert book.revoke_sessions() == 2
    assert list(book.live()) == []


def test_revoking_sessions_leaves_refresh_tokens(book: TokenBook) -> None:
    _, token = approved(book)
    book.revoke_sessions()

    assert book.refresh_grant(token) is not None


def test_revoking_everything_takes_refresh_tokens_too(book: TokenBook) -> None:
    _, token = approved(book)
    book.revoke_everything()

    assert book.refresh_grant(token) is None
    assert book.revoke(token) is False


def test_revoking_an_access_token_leaves_its_approval_and_its_sisters(book: TokenBook) -> None:
    grant, token = approved(book)
    first, second = opened(book, grant.family), opened(book, grant.family)

    assert book.revoke(first.token)

    assert book.peek(second.token) is not None
    assert book.refresh_grant(token) is not None


def test_revoking_a_refresh_token_ends_the_sessions_of_its_approval_only(book: TokenBook) -> None:
    grant, token = approved(book)
    own, other = opened(book, grant.family), opened(book)

    assert book.revoke(token)

    assert book.peek(own.token) is None
    assert book.peek(other.token) is not None


def test_revoking_what_does_not_exist_says_so(book: TokenBook) -> None:
    assert book.revoke("nothing") is False
    assert book.refresh_grant("nothing") is None


@given(st.integers(1, 6), st.data())
def test_any_rotated_token_shown_again_ends_the_whole_approval(
    rotations: int, data: st.DataObject
) -> None:
    clock = Clock()
    book = TokenBook(clock, ORG_ID, 100)
    grant, first = approved(book)
    tokens = [first, *(book.rotate(grant) for _ in range(rotations))]
    session = opened(book, grant.family)
    stale = data.draw(st.sampled_from(tokens[:-1]))

    assert book.refresh_grant(stale) is None

    assert book.refresh_grant(tokens[-1]) is None
    assert book.peek(session.token) is None


def test_neither_sessions_nor_approvals_show_their_tokens(book: TokenBook) -> None:
    grant, token = approved(book)
    session = opened(book, grant.family)
    rotated = book.rotate(grant)

    shown = repr([grant, session])

    assert token not in shown
    assert rotated not in shown
    assert session.token not in shown

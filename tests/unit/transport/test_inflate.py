"""Compressed bodies come out whole, whatever the library and however they arrive, or not at all."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from sfconnect.transport import _inflate
from sfconnect.transport._inflate import Inflater, inflate, inflated


@pytest.fixture(params=[zlib, isal_zlib], ids=["zlib", "isal"], autouse=True)
def library(request, monkeypatch):
    monkeypatch.setattr(_inflate, "zlib_like", lambda: request.param)
    return request.param


def bare(data):
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


FORMS: dict[str, Any] = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("encoding", FORMS)
def test_a_body_is_opened_by_its_encoding(encoding):
    assert inflate(FORMS[encoding](b"rows" * 1000), encoding) == b"rows" * 1000


def test_deflate_may_come_without_its_head():
    assert inflate(bare(b"rows" * 1000), "Deflate ") == b"rows" * 1000


def test_identity_is_given_as_it_is():
    assert inflate(b"rows", "identity") == b"rows"


def test_an_answer_without_a_body_needs_no_opening():
    assert inflate(b"", "gzip") == b""


def test_gzip_may_have_several_members():
    assert inflate(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip") == b"one two"


@pytest.mark.parametrize("encoding", FORMS)
def test_a_body_that_ends_early_is_refused(encoding):
    packed = FORMS[encoding](b"rows" * 1000)
    for end in (1, len(packed) // 2, len(packed) - 1):
        with pytest.raises(aiohttp.ClientPayloadError, match="cut"):
            inflate(packed[:end], encoding)


@pytest.mark.parametrize("body", [b"no gzip at all", gzip.compress(b"rows")[:-8] + b"\0" * 8])
def test_a_body_that_is_corrupt_is_refused(body):
    with pytest.raises(aiohttp.ClientPayloadError, match="corrupt"):
        inflate(body, "gzip")


def test_what_follows_the_end_must_be_a_member_too():
    # isal says nothing before a head of ten bytes could be there.
    with pytest.raises(aiohttp.ClientPayloadError, match=r"corrupt|cut"):
        inflate(gzip.compress(b"rows") + b"<html>", "gzip")


def test_an_encoding_that_was_not_asked_for_is_named():
    with pytest.raises(aiohttp.ClientPayloadError, match="'br'"):
        inflate(b"whatever", "br")


def test_members_without_end_are_refused():
    with pytest.raises(aiohttp.ClientPayloadError, match="too many"):
        inflate(gzip.compress(b"") * 1025, "gzip")


async def test_a_body_can_be_opened_beside_the_loop(monkeypatch):
    monkeypatch.setattr(_inflate, "AWAY_BYTES", 10)

    assert await inflated(gzip.compress(b"rows"), "gzip") == b"rows"
    with pytest.raises(aiohttp.ClientPayloadError):
        await inflated(gzip.compress(b"rows")[:-2], "gzip")


@given(st.data())
def test_pieces_are_bounded_and_join_to_the_whole(data):
    for library in (zlib, isal_zlib):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_inflate, "zlib_like", lambda library=library: library)
            plain = b"".join(
                data.draw(st.lists(st.sampled_from([b"\0" * 700, b"rows", b"\xff\x01\x80"])))
            )
            most = data.draw(st.integers(1, 500))
            step = data.draw(st.integers(1, 50))
            form = data.draw(st.sampled_from([gzip.compress, lambda b: gzip.compress(b) * 2]))
            packed = form(plain)
            opening = Inflater("gzip")
            parts = [packed[at : at + step] for at in range(0, len(packed), step)]
            pieces = [piece for part in parts for piece in opening.feed(part, most)]
            opening.finish()

            assert b"".join(pieces) == plain * (len(packed) // len(gzip.compress(plain)))
            assert all(0 < len(piece) <= most for piece in pieces)

"""XML from the network: what is read, and that nothing else than a refusal comes of the rest."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect_auth_legacy.xml import MAX_BYTES, MAX_DEPTH, XmlError, element, texts

LEGAL = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\r\n<>&\"'")
)
MARKUP = (
    "<a> </a> <b/> <!DOCTYPE <!ENTITY [ ]> &b; &lt; <![CDATA[ ]]> <!-- --> <?p?> <?xml ?> \x00 é"
)
PIECES = st.sampled_from([*MARKUP.split(), " ", "a", "'", '"', " b 'c'>", "version='1.0'"])


@given(LEGAL)
def test_what_is_written_is_read_again(text: str) -> None:
    assert texts(element("a", text).encode()) == {"a": text.strip()}


@given(st.lists(PIECES).map("".join))
def test_no_document_raises_anything_but_a_refusal(document: str) -> None:
    with suppress(XmlError):
        assert all(isinstance(text, str) for text in texts(document.encode()).values())


@given(st.binary())
def test_no_bytes_raise_anything_but_a_refusal(document: bytes) -> None:
    with suppress(XmlError):
        texts(document)


@given(st.lists(PIECES).map("".join))
def test_nothing_with_a_document_type_is_read(rest: str) -> None:
    with pytest.raises(XmlError):
        texts(f"<!DOCTYPE a><a>{rest}</a>".encode())


def test_texts_are_named_by_their_path_without_namespaces() -> None:
    document = b'<e:a xmlns:e="urn:e" xmlns="urn:d"><b> 1 <c>2</c></b><b>3</b><d/></e:a>'

    assert texts(document) == {"a/b/c": "2", "a/b": "", "a/d": "", "a": ""}


def test_comments_and_cdata_are_no_way_around() -> None:
    assert texts(b"<a><![CDATA[<b>]]><!-- <c/> -->&#100;</a>") == {"a": "<b>d"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_encodings_of_the_standard_are_read(encoding: str) -> None:
    document = f'<?xml version="1.0" encoding="{encoding}"?><a>é</a>'

    assert texts(document.encode(encoding)) == {"a": "é"}


def test_size_and_depth_have_a_limit_each() -> None:
    padding = b" " * (MAX_BYTES - len(b"<a></a>"))
    deep = "<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH

    assert texts(b"<a>" + padding + b"</a>") == {"a": ""}
    assert len(texts(deep.encode())) == MAX_DEPTH
    for refused in (b"<a> " + padding + b"</a>", f"<a>{deep}</a>".encode()):
        with pytest.raises(XmlError):
            texts(refused)


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x0b", "\x1f", "\ud800", "\ufffe"])
def test_characters_without_a_form_in_xml_are_not_written(character: str) -> None:
    with pytest.raises(XmlError, match=r"^name$"):
        element("name", f"canary{character}")

"""The pages at the end of a login: whole documents, with nothing of a stranger's in them."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect.auth.oauth2.loopback_pages import failure_page, ignored_page, success_page


class Reader(HTMLParser):
    """Notes the tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


PLAIN = Reader(failure_page("x", "y"))


@pytest.mark.parametrize("page", [success_page(), failure_page("x"), ignored_page("x")])
def test_a_page_is_a_whole_document_that_loads_nothing(page):
    reader = Reader(page)

    assert page.startswith("<!doctype html>")
    assert {"html", "head", "title", "body", "main", "h1"} <= set(reader.tags)
    assert not {"script", "img", "iframe", "form"} & set(reader.tags)
    assert "src" not in reader.attributes


def test_the_pages_say_how_it_ended():
    assert "You are logged in" in Reader(success_page()).text
    failed = Reader(failure_page("The user said no.", "Ask an admin.")).text
    assert "The login did not work" in failed
    assert "The user said no." in failed
    assert "Ask an admin." in failed
    assert "There is no such page." in Reader(ignored_page("There is no such page.")).text


@given(st.text(), st.text())
def test_words_of_a_stranger_stay_words(problem, hint):
    markup = f'<script>alert(1)</script>"><img src=x onerror=alert(1)>{problem}'

    reader = Reader(failure_page(markup, "y" + hint))

    assert reader.tags == PLAIN.tags
    assert reader.attributes == PLAIN.attributes
    assert "<script>alert(1)</script>" in reader.text

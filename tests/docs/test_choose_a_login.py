"""The guide to the logins has a section for every one, and its links lead to them."""

from __future__ import annotations

import re
from pathlib import Path

from sfconnect.auth.registry import OWN_DISTRIBUTION, STRATEGIES

PAGE = (Path(__file__).parents[2] / "docs/how-to/choose-a-login.md").read_text(encoding="utf-8")
SECTIONS = set(re.findall(r"^## ([a-z0-9-]+)$", PAGE, re.MULTILINE))
OURS = {one.name for one in STRATEGIES.check() if one.distribution == OWN_DISTRIBUTION}


def test_each_login_of_the_core_has_a_section() -> None:
    assert SECTIONS == OURS


def test_each_link_within_the_page_has_its_section() -> None:
    linked = set(re.findall(r"\]\(#([a-z0-9-]+)\)", PAGE))

    assert len(linked) > 10
    assert sorted(linked - SECTIONS) == []


def test_logins_of_plugins_are_named() -> None:
    others = {"sfcli", "username-password", "soap-login"}

    assert sorted(name for name in others if f"`{name}`" not in PAGE) == []

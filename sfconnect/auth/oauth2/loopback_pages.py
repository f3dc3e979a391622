"""What a person sees in the browser when a login has ended."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #16212e; --quiet: #55637a; --paper: #fff;
  --ground: #eef2f7; --line: #d9e0ea; --mark: #1a7f4b; --tint: #e2f4ea; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf4; --quiet: #a3b0c2;
  --paper: #1b2430; --ground: #10161e; --line: #2d3948; --mark: #5fd196; --tint: #173527; } }
:root.failed { --mark: #b3261e; --tint: #fbe7e5; }
@media (prefers-color-scheme: dark) { :root.failed { --mark: #ff9d94; --tint: #43201d; } }
* { box-sizing: border-box; margin: 0; }
body { min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { width: 100%; max-width: 32rem; padding: 2.5rem; background: var(--paper);
  border: 1px solid var(--line); border-radius: 14px;
  box-shadow: 0 10px 40px rgb(16 30 54 / 10%); }
svg { display: block; width: 3.5rem; height: 3.5rem; padding: .9rem; border-radius: 50%;
  background: var(--tint); color: var(--mark); }
h1 { margin: 1.25rem 0 .5rem; font-size: 1.5rem; line-height: 1.25; }
p { overflow-wrap: anywhere; }
p + p { margin-top: .75rem; color: var(--quiet); }
footer { margin-top: 2rem; padding-top: 1rem; border-top: 1px solid var(--line);
  color: var(--quiet); font-size: .875rem; }
"""
_TICK: Final = "M4 13l5 5L20 6"
_CROSS: Final = "M6 6l12 12M18 6L6 18"


def success_page() -> str:
    """Say that the program has what it wanted."""
    return _page("You are logged in", ["You can close this window and go back."], _TICK)


def failure_page(problem: str, hint: str = "") -> str:
    """Say what went wrong, and what to do about it; both may be the words of a stranger."""
    return _page("The login did not work", filter(None, (problem, hint)), _CROSS, "failed")


def ignored_page(problem: str) -> str:
    """Say why a visit has changed nothing."""
    return _page("Nothing to do here", [problem], _CROSS, "failed")


def _page(title: str, paragraphs: Iterable[str], path: str, kind: str = "done") -> str:
    texts = "".join(f"<p>{escape(text)}</p>" for text in paragraphs)
    return f"""<!doctype html>
<html lang="en" class="{kind}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(title)} · sfconnect</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<main>
<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="3" aria-hidden="true"
 stroke-linecap="round" stroke-linejoin="round"><path d="{path}"/></svg>
<h1>{escape(title)}</h1>
{texts}
<footer>sfconnect, on this computer</footer>
</main>
</body>
</html>
"""

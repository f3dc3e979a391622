"""The pages that people see: login, consent, refusals.

Everything that comes from outside is escaped, no page may be cached or framed, and none loads or
runs anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

from sfconnect_emulator.oauth.devices import DeviceRequest
from sfconnect_emulator.rendering import HTML
from sfconnect_emulator.wire import Response

_HEADERS = {
    "Content-Type": HTML,
    "Cache-Control": "no-cache, no-store",
    "Pragma": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
_STYLE = (
    "body{font:16px/1.5 sans-serif;background:#f4f6f9;color:#16325c;margin:0}"
    "main{max-width:24rem;margin:4rem auto;padding:2rem;background:#fff;border-radius:.5rem}"
    "label{display:block;margin:.75rem 0}"
    "input{display:block;width:100%;box-sizing:border-box;padding:.5rem;font:inherit}"
    "button{font:inherit;padding:.5rem 1.5rem;margin:1rem .5rem 0 0}"
    "[role=alert]{color:#c23934}"
)
_SCOPES = {
    "api": "Manage user data via APIs (api)",
    "full": "Full access (full)",
    "id": "Access the identity URL service (id, profile, email, address, phone)",
    "openid": "Access unique user identifiers (openid)",
    "refresh_token": "Perform requests at any time (refresh_token, offline_access)",
    "web": "Manage user data via Web browsers (web)",
}


@dataclass(frozen=True, slots=True)
class Form:
    """Where a form goes and the token that proves where it was shown."""

    target: str
    token: str = field(repr=False)

    def html(self, fields: str, buttons: Iterable[tuple[str, str]]) -> str:
        """The form with its fields; each button is an action and its label."""
        shown = "".join(
            f'<button name="action" value="{escape(action)}">{escape(label)}</button>'
            for action, label in buttons
        )
        return (
            f'<form method="post" action="{escape(self.target)}" autocomplete="off">'
            f'<input type="hidden" name="form_token" value="{escape(self.token)}">'
            f"{fields}{shown}</form>"
        )


def login_page(form: Form, *, username: str = "", problem: str = "") -> Response:
    """Ask who is there."""
    fields = (
        '<label>Username <input name="username" type="text" autofocus required '
        f'value="{escape(username)}"></label>'
        '<label>Password <input name="password" type="password" required></label>'
    )
    return _page("Login", _alert(problem) + form.html(fields, [("login", "Log In")]))


def consent_page(form: Form, *, app: str, username: str, scopes: Iterable[str]) -> Response:
    """Ask whether an app may do what it wants to."""
    return _consent(form, "", app, username, scopes)


def connect_page(form: Form, *, user_code: str = "", problem: str = "") -> Response:
    """Ask for the code that a device shows."""
    fields = (
        '<label>Code <input name="user_code" type="text" autofocus required '
        f'value="{escape(user_code)}"></label>'
    )
    return _page("Connect a Device", _alert(problem) + form.html(fields, [("connect", "Connect")]))


def device_consent_page(form: Form, waiting: DeviceRequest, *, app: str, username: str) -> Response:
    """Ask whether a device may do what it wants to."""
    fields = f'<input type="hidden" name="user_code" value="{escape(waiting.user_code)}">'
    return _consent(form, fields, app, username, waiting.scope.split())


def message_page(title: str, text: str, status: int = 200) -> Response:
    """Say something, with nothing to be done about it."""
    return _page(title, f"<p>{escape(text)}</p>", status)


def refusal_page(error: str, description: str) -> Response:
    """Show why a request cannot be answered to the app: who sent it is not certain."""
    return message_page("OAuth Error", f"error={error}&error_description={description}", status=400)


def _consent(form: Form, fields: str, app: str, username: str, scopes: Iterable[str]) -> Response:
    wishes = "".join(f"<li>{escape(_SCOPES.get(scope, scope))}</li>" for scope in scopes)
    text = (
        f"<p><strong>{escape(app)}</strong> is asking to:</p><ul>{wishes}</ul>"
        f"<p>Do you want to allow access for {escape(username)}?</p>"
    )
    buttons = [("allow", "Allow"), ("deny", "Deny"), ("switch", "Not you?")]
    return _page("Allow Access?", text + form.html(fields, buttons))


def _page(title: str, content: str, status: int = 200) -> Response:
    body = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)} | Salesforce emulator</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
    return Response(status, dict(_HEADERS), body.encode("utf-8"))


def _alert(problem: str) -> str:
    return f'<p role="alert">{escape(problem)}</p>' if problem else ""

"""Start an auth plugin for sfconnect: a project that works, with the tests that prove it."""

from sfconnect_auth_template.names import Names
from sfconnect_auth_template.rendering import render

__all__ = ["Names", "render"]

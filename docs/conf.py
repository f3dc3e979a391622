"""Sphinx configuration. Built with ``-n -W``: a dangling reference is an error."""

from importlib.metadata import version as distribution_version

project = "sfconnect"
author = "the sfconnect developers"
version = release = distribution_version("sfconnect")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
# Signatures keep their types; descriptions do not repeat them.
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
default_role = "literal"

# No inventory of another project is fetched, so that the build needs no network: only names of our
# own have to resolve.
nitpick_ignore_regex = [("py:.*", r"(?!sfconnect\b).*"), ("py:.*", r".*\._?[CT](_co)?")]

html_theme = "furo"
html_title = "sfconnect"

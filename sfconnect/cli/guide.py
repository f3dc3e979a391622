"""A login explained: what `auth explain` shows, as a value, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sfconnect.auth.sources import option_families
from sfconnect.cli.paragraphs import INDENT, items, paragraph, verbatim, wrapped
from sfconnect.cli.snippets import can_be_written, environment_snippet, profile_snippet, values_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sfconnect.auth.options import OptionSpec
    from sfconnect.cli.explained import Explanation


@dataclass(frozen=True, slots=True)
class Guide:
    """All that can be said of one login."""

    name: str
    origin: str
    """Where it comes from, in words."""
    explanation: Explanation
    options: tuple[OptionSpec, ...] = ()
    unavailable: str | None = None
    """Why it cannot be used here."""

    @property
    def snippets(self) -> tuple[str, str] | None:
        """A profile and the same as variables; None if only code can make it."""
        values = values_of(self.options, self.explanation.example)
        if values is None:
            return None
        return profile_snippet(self.name, values), environment_snippet(self.name, values)


def known(guide: Guide) -> dict[str, Any]:
    """Everything, for machines."""
    explanation, snippets = guide.explanation, guide.snippets
    return {
        "name": guide.name,
        "origin": guide.origin,
        "available": guide.unavailable is None,
        "unavailable": guide.unavailable,
        "purpose": explanation.purpose,
        "acts_as": explanation.acts_as or None,
        "status": explanation.status or None,
        "options": [known_option(spec, guide.options) for spec in guide.options],
        "setup": list(explanation.setup),
        "rules": list(explanation.rules),
        "profile": snippets[0] if snippets else None,
        "environment": snippets[1] if snippets else None,
        "code": explanation.code or None,
        "errors": [asdict(problem) for problem in explanation.problems],
    }


def known_option(spec: OptionSpec, specs: Sequence[OptionSpec]) -> dict[str, Any]:
    """Everything about an option, but for the default of a secret."""
    hidden = spec.required or spec.secret or spec.default is None
    return {
        "name": spec.name,
        "help": spec.help,
        "wanted": spec.wanted,
        "required": spec.required,
        "default": None if hidden else str(spec.default),
        "secret": spec.secret,
        "environment": variables(spec, specs),
        "forms": [key for key in forms(spec, specs) if key != spec.name],
        "example": spec.example,
    }


def forms(spec: OptionSpec, specs: Sequence[OptionSpec]) -> list[str]:
    """The keys that give this option, such as ``client_secret_file``; its own name first."""
    return [key.key for key in _keys(specs) if key.option == spec.name]


def variables(spec: OptionSpec, specs: Sequence[OptionSpec]) -> list[str]:
    """The environment variables that give this option, in any form."""
    return [name for key in _keys(specs) if key.option == spec.name for name in key.variables]


def _keys(specs: Sequence[OptionSpec]) -> Iterator[Any]:
    return (key for family in option_families(specs) for key in family)


def text_of(guide: Guide, *, width: int) -> str:
    """Write it for people."""
    explanation, snippets = guide.explanation, guide.snippets
    parts = [f"{guide.name} ({guide.origin})", paragraph(explanation.purpose, width)]
    sections: Mapping[str, str] = {
        "Not available here": paragraph(guide.unavailable or "", width),
        "Acts as": paragraph(explanation.acts_as, width),
        "Note": paragraph(explanation.status, width),
        "Set it up": items(((f"{n}.", step) for n, step in enumerate(explanation.setup, 1)), width),
        "Rules": items((("-", rule) for rule in explanation.rules), width),
        "Options": "\n".join(_option(spec, guide.options, width) for spec in guide.options),
        "As a profile": verbatim(snippets[0] if snippets and guide.options else ""),
        "As variables": verbatim(snippets[1] if snippets and guide.options else ""),
        "In code": verbatim(explanation.code),
        "Errors": "\n".join(
            _entry(problem.says, [problem.fix], width) for problem in explanation.problems
        ),
    }
    parts += [f"{title}\n{body}" for title, body in sections.items() if body]
    return "\n\n".join(parts) + "\n"


def _option(spec: OptionSpec, specs: Sequence[OptionSpec], width: int) -> str:
    if not can_be_written(spec):
        return _entry(f"{spec.name} (in code only, {_presence(spec)})", [spec.help], width)
    words = [spec.wanted, *(["secret"] if spec.secret else []), _presence(spec)]
    facts = [spec.help, f"Environment: {', '.join(variables(spec, specs))}"]
    if others := [key for key in forms(spec, specs) if key != spec.name]:
        facts.append(f"Instead, in a profile: {', '.join(others)}")
    if spec.example:
        facts.append(f"Example: {spec.example}")
    return _entry(f"{spec.name} ({', '.join(words)})", facts, width)


def _presence(spec: OptionSpec) -> str:
    if spec.required:
        return "required"
    is_shown = not spec.secret and spec.default not in {None, ""}
    return f"by default {spec.default}" if is_shown else "optional"


def _entry(title: str, facts: Iterable[str], width: int) -> str:
    indent = INDENT * 3
    lines = [wrapped(title, width, first=INDENT, rest=indent)]
    return "\n".join([*lines, *(wrapped(fact, width, first=indent, rest=indent) for fact in facts)])

"""Tell once in a process that a way to log in is going to end, when, and what to use instead."""

from __future__ import annotations

import warnings
from dataclasses import dataclass


class RetirementWarning(FutureWarning):
    """A way to log in that is in use is going to end.

    Python shows it by default, other than a ``DeprecationWarning``: whoever runs the program has
    to act, not only who wrote it.
    """


@dataclass(frozen=True, slots=True)
class Retirement:
    """A way to log in that is going to end, in words for a sentence.

    A strategy that has one names it in a class attribute ``retirement``, for programs that look
    for it without making one, and warns of it by :func:`warn_of_retirement`.
    """

    flow: str
    """What ends, such as "Salesforce's device flow"."""
    when: str
    """Its date, such as "on 20 February 2027"."""
    instead: str
    """What to do, as a sentence."""
    already: str = ""
    """Where it has ended already, as a sentence."""

    def __str__(self) -> str:
        sentences = (f"{self.flow} ends {self.when}.", self.already, self.instead)
        return " ".join(filter(None, sentences))


_told: dict[Retirement, object] = {}


def warn_of_retirement(retirement: Retirement, *, stacklevel: int = 3) -> None:
    """Warn whoever makes a strategy of the flow; the first time in this process only.

    Args:
        retirement: What ends.
        stacklevel: Whose line is shown: 1 is that of the call of this function. The default is
            for calls from the ``__post_init__`` of a dataclass, and shows where the strategy is
            made.
    """
    first = object()
    # One step, so that of two threads one warns.
    if _told.setdefault(retirement, first) is first:
        warnings.warn(str(retirement), RetirementWarning, stacklevel=stacklevel + 1)

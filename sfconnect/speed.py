"""What the extra ``speed`` brings, taken where it is installed.

.. code-block:: python

    from sfconnect.speed import new_event_loop

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())

isal is used by every pool without being asked for. uvloop is a program's own choice, since an event
loop belongs to the program: it saves a tenth to a third of what many small calls cost, and
nothing where large answers are read.
"""

from __future__ import annotations

import asyncio
import zlib
from functools import cache
from typing import Any


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Make an event loop of uvloop if that is installed, else one of asyncio."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


@cache
def zlib_like() -> Any:
    """Give isal's faster twin of :mod:`zlib` if that is installed, else the module itself."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib
    return isal_zlib

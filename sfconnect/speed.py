"""What the extra ``speed`` brings, taken where it is installed.

.. code-block:: python

    from sfconnect.speed import new_event_loop

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())

isal is used by every pool without being asked for. uvloop is a program's own choice, since an event
loop belongs to the program: it saves a tenth to a third of what many small calls cost. Large bodies
are streamed with the same CPU as on asyncio's loop, since memory that they come in is kept.
"""

from __future__ import annotations

import asyncio
import zlib
from functools import cache
from typing import Any

_KEPT = 2**22
"""The largest blocks that are kept: twice as much of what was freed, 8 MiB, stays at hand."""


def new_event_loop(*, keep_freed_memory: bool = True) -> asyncio.AbstractEventLoop:
    """Make an event loop of uvloop if that is installed, else one of asyncio.

    Args:
        keep_freed_memory: Let the C library, where it is glibc, keep up to 8 MiB of freed memory
            at hand, for the whole process and from then on; what ``MALLOC_…`` variables say goes
            before. Without it, uvloop takes two to three times asyncio's CPU for large bodies.
    """
    if keep_freed_memory:
        _keep_freed_memory()
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _keep_freed_memory() -> None:
    # Both loops read up to 256 KiB at once, each time into memory that is freed soon after. glibc
    # gives blocks of 128 KiB and more back to the system, which then has to find and clear every
    # page of the next one anew. But it learns: once a larger block was freed, blocks up to its size
    # are kept, and twice as much in all (mallopt(3), M_MMAP_THRESHOLD). This one is never touched,
    # so it costs no memory. Other C libraries pay no heed.
    bytes(_KEPT)


@cache
def zlib_like() -> Any:
    """Give isal's faster twin of :mod:`zlib` if that is installed, else the module itself."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib
    return isal_zlib

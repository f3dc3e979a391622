"""``python -m sfconnect_emulator`` is the command ``sfconnect-emulator``."""

from __future__ import annotations

import sys

from sfconnect_emulator.start import main

sys.exit(main())

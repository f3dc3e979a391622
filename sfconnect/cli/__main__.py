"""``python -m sfconnect.cli``, where the script is not on the path."""

from __future__ import annotations

import sys

from sfconnect.cli import main

sys.exit(main())

"""What every test shares: the parts in `support/`, and Hypothesis without a stopwatch."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

# Test folders are not packages; this makes `builders` and `fakes` importable from each of them.
sys.path.insert(0, str(Path(__file__).parent / "support"))

# How long an example takes says more about the machine than about the code.
settings.register_profile("pointsman", deadline=None)
settings.load_profile("pointsman")

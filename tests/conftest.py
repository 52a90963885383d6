"""What every test shares: Hypothesis without a stopwatch. Parts stand in `support/`."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("pointsman", deadline=None)
settings.load_profile("pointsman")

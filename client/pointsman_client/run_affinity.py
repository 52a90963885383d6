"""The current attempt of each run: within one run, a purpose stays with its last success."""

from __future__ import annotations

from collections import OrderedDict

from pointsman_client.routes import Attempt, ResolvedRoute

MOST_RUNS = 10_000


class RunAffinity:
    """Remembers the last `most` runs, in this process."""

    def __init__(self, *, most: int = MOST_RUNS) -> None:
        self._most = most
        self._on: OrderedDict[tuple[str, str], str] = OrderedDict()

    def order(self, route: ResolvedRoute) -> tuple[Attempt, ...]:
        """The route's attempts, from the one that the run is on; those before it come last."""
        attempts = route.attempts
        on = self._on.get((route.purpose, route.run_id))
        at = next((n for n, attempt in enumerate(attempts) if attempt.name == on), 0)
        return attempts[at:] + attempts[:at]

    def keep(self, route: ResolvedRoute, attempt: Attempt) -> None:
        """Note that `attempt` served the run."""
        key = (route.purpose, route.run_id)
        self._on[key] = attempt.name
        self._on.move_to_end(key)
        while len(self._on) > self._most:
            self._on.popitem(last=False)

"""Engine `local`: an embedded model that decides inside the process, and labels prompts."""

from pointsman_server.engines.local.engine import NAME, LocalEngine

__all__ = ["NAME", "LocalEngine"]

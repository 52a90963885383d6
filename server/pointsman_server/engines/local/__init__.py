"""Engine `local`: an embedded model that decides inside the process."""

from pointsman_server.engines.local.engine import NAME, LocalEngine

LocalClassifier = LocalEngine
"""The engine labels prompts too; it is one object for both ports."""

__all__ = ["NAME", "LocalClassifier", "LocalEngine"]

"""A scripted decision model: both wire formats, answered by the embedded engine's reader."""

from pointsman_server.decision_api.app import build_app

__all__ = ["build_app"]

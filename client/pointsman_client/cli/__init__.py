"""Commands of the client: `pointsman decide`, `resolve`, `describe` and `health`."""

from pointsman_client.cli.decide import decide
from pointsman_client.cli.describe import describe
from pointsman_client.cli.health import health
from pointsman_client.cli.resolve import resolve

__all__ = ["decide", "describe", "health", "resolve"]

"""A Morph-compatible HTTP endpoint over an embedded engine."""

from pointsman_server.http_api.keys import FixedKeys, KeyFile, KeySource
from pointsman_server.http_api.limits import Limits
from pointsman_server.http_api.server import Listening, serve
from pointsman_server.morph_api.app import build_app

__all__ = ["FixedKeys", "KeyFile", "KeySource", "Limits", "Listening", "build_app", "serve"]

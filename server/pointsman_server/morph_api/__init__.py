"""A Morph-compatible HTTP endpoint over an embedded engine; the only room with aiohttp."""

from pointsman_server.morph_api.app import build_app
from pointsman_server.morph_api.faults import FaultScript
from pointsman_server.morph_api.keys import FixedKeys, KeyFile, KeySource
from pointsman_server.morph_api.limits import Limits
from pointsman_server.morph_api.server import Listening, serve

__all__ = [
    "FaultScript",
    "FixedKeys",
    "KeyFile",
    "KeySource",
    "Limits",
    "Listening",
    "build_app",
    "serve",
]

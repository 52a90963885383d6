"""Runtime switches: where they are read from, and for how long a reading is remembered."""

from pointsman_server.flags.redis_source import RedisSource
from pointsman_server.flags.sources import EnvironmentSource, FirstOf, PolicyFileSource
from pointsman_server.flags.switches import RememberedSwitches

__all__ = [
    "EnvironmentSource",
    "FirstOf",
    "PolicyFileSource",
    "RedisSource",
    "RememberedSwitches",
]

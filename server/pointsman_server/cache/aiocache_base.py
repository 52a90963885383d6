"""aiocache without its backends for other stores, which load those stores' clients.

redis-py takes 8 MB and a seventh of the start; `cache.redis` imports it where it is used.
"""

from pointsman_server.lib.lean_import import without

with without("redis", "aiomcache"):
    from aiocache.base import BaseCache
    from aiocache.serializers import NullSerializer

__all__ = ["BaseCache", "NullSerializer"]

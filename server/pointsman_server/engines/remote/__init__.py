"""Shared base of remote engines: HTTP client, deadline, key, bounds and failure stages.

A remote engine is a codec (`remote.engine.RemoteCodec`) over these parts, and a line in
`bootstrap.engines`: see docs/write-an-engine.md.
"""

from pointsman_server.lib.lean_import import without

with without("httpx._main"):
    # Its command line loads click, rich and pygments where they are installed: 6 MB.
    import httpx  # noqa: F401
